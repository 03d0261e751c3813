"""Cards of weights and data, the workflows, and the pinned results: what a stranger relies on and no notebook runs."""
from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = sorted(p for p in (ROOT / "data/weights").iterdir() if p.is_dir())
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize("folder", WEIGHTS, ids=lambda p: p.name)
def test_every_weight_has_a_card(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# ") and "| 指标 | 值 |" in card and "\n## 说明\n" in card
    lines = {key: re.search(rf"(?m)^{key}[^：\n]{{0,12}}：(.+)$", card) for key in ("训练数据", "许可", "限制", "复现")}
    assert all(m and len(m[1]) > 20 for m in lines.values()), [k for k, m in lines.items() if m is None]
    assert re.search(r"MIT|Apache-2\.0", lines["许可"][1])
    scripts = re.findall(r"`python (bench/\w+\.py)", lines["复现"][1])
    assert scripts and all((ROOT / s).is_file() for s in scripts)
    metrics = re.findall(r"(?m)^\| (?!指标|---)[^|]+ \| ([\d.]+) \|$", card)
    assert len(metrics) >= 2 and all(float(v) > 0 for v in metrics)


def test_every_data_file_says_where_it_is_from():
    rows = re.findall(r"(?m)^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", (ROOT / "data/README.md").read_text(encoding="utf-8"))
    assert sorted(r[0] for r in rows) == sorted(p.name for p in (ROOT / "data").iterdir() if p.is_file() and p.name not in ("README.md", "__init__.py"))
    assert all(what.strip() and source.strip() and licence.strip() == "Apache-2.0" for _, what, source, licence in rows)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_workflow(path):
    "Least permissions, actions of a known version, a time limit; what runs is a target of the Makefile (or the same command, where there is no make)."
    flow = yaml.safe_load(path.read_text(encoding="utf-8"))
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    assert flow["permissions"] == {"contents": "read"} and "concurrency" in flow and "pull_request_target" not in flow[True]
    for name, job in flow["jobs"].items():
        assert 0 < job["timeout-minutes"] <= 180, name
        pushes = (path.stem, name) == ("docs", "notebooks")           # the one job that writes to the repository: its own branch, from main only
        assert set(job.get("permissions", {})) <= {"contents", "pages", "id-token", "security-events"}
        assert job.get("permissions", {}).get("contents") in ({"write"} if pushes else {None, "read"}) and (not pushes or job["if"] == "github.ref == 'refs/heads/main'")
        for step in job["steps"]:
            if "uses" in step:
                assert re.search(r"@(v\d+|release/v\d+)$", step["uses"]), step
                assert pushes or not step["uses"].startswith("actions/checkout") or step["with"]["persist-credentials"] is False
            elif pushes:
                assert step["run"].startswith("python3 scripts/runnable.py ") and "refs/heads/notebooks" in step["run"] and "refs/heads/main" not in step["run"]
            else:
                words = step["run"].split()
                assert words[0] == "make" and set(words[1:]) <= targets or step["run"] in ('python -m pip install -c constraints.txt -e ".[dev]"', "python -m pytest -q @tests/systems.txt")


def test_files_of_the_system_tests_exist():
    assert all((ROOT / line).is_file() for line in (ROOT / "tests/systems.txt").read_text().split())
    assert "pytest -q @tests/systems.txt" in (ROOT / "Makefile").read_text(encoding="utf-8")


def pinned(*args) -> subprocess.CompletedProcess:
    "Run bench/pinned.py."
    return subprocess.run([sys.executable, ROOT / "bench/pinned.py", *args], capture_output=True, text=True, encoding="utf-8")


def test_pinned_results(tmp_path):
    "The recorded values lie within their tolerances; a value that has moved, and a record that is gone, are named."
    pins = json.loads((ROOT / "bench/pinned.json").read_text(encoding="utf-8"))
    done = pinned()
    assert done.returncode == 0 and f"{len(pins)} 个固定的值，0 个不符" in done.stdout, done.stdout
    lines = (ROOT / "bench/results/gpu.jsonl").read_text(encoding="utf-8").splitlines()
    moved = json.loads(lines[-1])
    moved["rows"][0]["value"] += 0.2
    (tmp_path / "gpu.jsonl").write_text("\n".join([*lines, json.dumps(moved)]) + "\n", encoding="utf-8")
    done = pinned("gpu", "--results", tmp_path)
    assert done.returncode == 1 and "1 个不符" in done.stdout and str(moved["rows"][0]["what"]) in done.stdout and "请查清原因" in done.stdout
    (tmp_path / "gpu.jsonl").unlink()
    done = pinned("gpu", "--results", tmp_path)
    assert done.returncode == 1 and "有 0 行记录" in done.stdout and "python bench/gpu.py" in done.stdout
