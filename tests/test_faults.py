"""Faults: jobs killed at seeded points (bench/faults.py), a full disk, a limit of file size or memory, read-only folders, two processes at once, clocks that jump, a network that is cut."""
from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest

from ecom_nbdev.core import write_json

BENCH = Path(__file__).parent.parent / "bench"
sys.path.insert(0, str(BENCH))
faults = pytest.importorskip("faults", reason="needs fork and RLIMIT_FSIZE (Linux or macOS)")
HERE = {"PYTHONPATH": os.pathsep.join([str(BENCH), str(BENCH.parent)])}
LIMIT = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, ({n}, {n}))"


def python(code: str, *args, **env) -> subprocess.CompletedProcess:
    "Run `code` in a new process."
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code), *map(str, args)], capture_output=True, text=True, env=os.environ | HERE | env, timeout=1800)


def limited(first: str, *args, **env) -> subprocess.CompletedProcess:
    "The command `ecom` with `args` in a new process that has run `first`."
    return python(f"import sys\n{first}\nfrom ecom_nbdev.cli import main\nsys.argv = ['ecom', *sys.argv[1:]]\nmain()", *args, **env)


def one_sentence(done: subprocess.CompletedProcess, *words: str, code: int = 2) -> None:
    "The exit code, nothing on standard output, one line of Chinese that holds all `words`, no traceback."
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    assert done.returncode == code and done.stdout == "" and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert len(lines) == 1 and lines[0].startswith("错误：") and lines[0].endswith("。"), done.stderr
    assert all(w in lines[0] for w in words), lines[0]


@pytest.mark.parametrize(("jobs", "points"), [("train,pull", 3), ("pipeline,score", 2), ("store,index", 3)])
def test_killed_anywhere_and_run_again(jobs, points):
    "So many events and one write of each job; bench/faults.py does more, and the big encoder."
    done = python("import faults, json, sys\nprint(json.dumps(faults.all_of(sys.argv[1].split(','), int(sys.argv[2]), 7)))", jobs, points)
    assert done.returncode == 0, done.stderr[-3000:]
    for row in json.loads(done.stdout):
        assert row["bad"] == [] and row["points"] == row["resumed_equal"] == points + 1 <= row["killed"], row
        assert row["half_files"] == row["leftovers"] == 0 and row["events"] >= 20, row


def test_points_are_spread_and_seeded():
    points = faults.draw(1000, 20, random.Random(3))
    assert points == faults.draw(1000, 20, random.Random(3)) and all(50 * i < p <= 50 * (i + 1) for i, p in enumerate(points))
    assert faults.draw(5, 20, random.Random(0)) == [1, 2, 3, 4, 5]


def test_the_harness_sees_what_is_wrong(tmp_path, monkeypatch):
    "A job that writes in place, and whose resumed run trusts what it finds, is told: half files, other values."
    def careless(given):
        def run(folder):
            folder.mkdir(exist_ok=True)
            if not (folder / "a.json").exists():
                with open(folder / "a.json", "w") as f:
                    f.write("[1, 2")
                    f.flush()
                    (folder / f".{os.getpid()}").touch()
                    f.write(", 3]")
            (folder / "b.json").write_text("1")
        return faults.Job(run)
    monkeypatch.setitem(faults.JOBS, "careless", careless)
    row = faults.survey("careless", 4, 0, tmp_path)
    assert row["half_files"] >= 1 and row["resumed_equal"] < row["points"] and row["leftovers"] >= 1 and row["bad"]


@pytest.fixture
def users(tmp_path) -> Path:
    "A table of 400 rows."
    path = tmp_path / "users.csv"
    pd.DataFrame({"user_id": [f"u{i % 7}" for i in range(400)], "text": [f"猫砂结团快，第{i}次买了" for i in range(400)], "time": "2026-11-01"}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
def test_disk_full_while_a_table_is_written(tmp_path, suffix):
    out = tmp_path / "out" / f"p.{suffix}"
    get = ("data", "get", "products", "--out", out)
    assert limited("", *get).returncode == 0
    before = out.read_bytes()
    one_sentence(limited(LIMIT.format(n=2000), *get), f"p.{suffix}", "File too large", "没有改动", "磁盘空间")
    assert out.read_bytes() == before and [p.name for p in out.parent.iterdir()] == [out.name]


def test_disk_full_for_a_store_and_a_classifier(tmp_path):
    "What was there is there afterwards, and the same command goes on when there is room again."
    save = "import sys\n{limit}\nfrom ecom_nbdev.classify import TextClassifier\nfrom ecom_nbdev.core import EcomError\n" \
           "clf = TextClassifier(mode='head').fit(['好', '差'] * 4, [1, 0] * 4)\ntry:\n    clf.save(sys.argv[1])\nexcept EcomError as e:\n    print(e)"
    assert python(save.format(limit=""), tmp_path / "clf").stdout == ""
    before = faults.digests(tmp_path / "clf")
    told = python(save.format(limit=LIMIT.format(n=1000)), tmp_path / "clf").stdout
    assert told.count("\n") == 1 and "File too large" in told and "没有改动" in told, told
    assert faults.digests(tmp_path / "clf") == before
    add = "import sys\nsys.path.insert(0, sys.argv[2])\nfrom test_store import EcomError, ProfileStore, load, profiler\n{limit}\n" \
          "try:\n    with ProfileStore(sys.argv[1], profiler(), batch=7) as store:\n        store.add(load('users').head(30))\n" \
          "        print(len(store.texts()), len(store.similar('猫砂', 3)))\nexcept EcomError as e:\n    print(e)"
    for n in (1000, 5000, 100):                # the new database, its log, the vectors
        done = python(add.format(limit=LIMIT.format(n=n)), tmp_path / "store", Path(__file__).parent)
        assert done.returncode == 0 and done.stdout.startswith(f"写 {tmp_path / 'store'} 时出错（File too large）：") and done.stdout.endswith("没有改动。\n") and done.stdout.count("\n") == 1, done
    assert python(add.format(limit=""), tmp_path / "store", Path(__file__).parent).stdout == "30 3\n"


def test_a_small_disk(tmp_path):
    "A real disk of 1 MB."
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        out = disk / "p.csv"
        get = ("data", "get", "products", "--out", out)
        assert limited("", *get).returncode == 0
        before = out.read_bytes()
        (disk / "rest").write_bytes(bytes(2**20 - len(before) - 20_000))
        one_sentence(limited("", *get), "p.csv", "No space left", "没有改动")
        assert out.read_bytes() == before and sorted(p.name for p in disk.iterdir()) == ["p.csv", "rest"]
        one_sentence(limited("", "models", "pull", "qwen2.5-0.5b", ECOM_CACHE=str(disk / "cache"), ECOM_SOURCES="pypi"), "磁盘空间不足", "ECOM_CACHE")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def without_rights() -> None:
    "Take from root the right to write where the permissions forbid it (CAP_DAC_OVERRIDE out of the set that the next program inherits)."
    import ctypes
    if os.geteuid() == 0 and ctypes.CDLL(None).prctl(24, 1, 0, 0, 0):
        os._exit(99)


def test_read_only_folders(users, tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "p.csv").write_text("old")
    folder.chmod(0o555)
    try:
        for args, words in ((("data", "get", "trends", "--out", folder / "p.csv"), ("p.csv", "Permission denied", "权限")),
                            (("profile", users, "--store", folder / "store", "--out", tmp_path / "o.json"), ("store", "权限")), (("demo", "--out", folder / "run"), ("run", "无法建立"))):
            done = subprocess.run([str(Path(sys.executable).with_name("ecom")), *map(str, args)], capture_output=True, text=True, preexec_fn=without_rights, env=os.environ | HERE, timeout=300)
            one_sentence(done, *words)
        done = subprocess.run([str(Path(sys.executable).with_name("ecom")), "models", "pull", "qwen2.5-0.5b"], capture_output=True, text=True, preexec_fn=without_rights,
                              env=os.environ | HERE | {"ECOM_CACHE": str(folder)}, timeout=300)
        one_sentence(done, str(folder), "权限" if "权限" in done.stderr else "ECOM_CACHE")
    finally:
        folder.chmod(0o755)
    assert (folder / "p.csv").read_text() == "old" and [p.name for p in folder.iterdir()] == ["p.csv"] and not (tmp_path / "o.json").exists()


def test_four_processes_write_one_file(tmp_path):
    "Readers see whole files only; nothing is left beside it."
    code = "import sys\nfrom ecom_nbdev.core import write_json\nfor n in range(60):\n    write_json(sys.argv[1], [int(sys.argv[2])] * 5000)"
    out = tmp_path / "a.json"
    write_json(out, [9] * 5000)
    jobs = [subprocess.Popen([sys.executable, "-c", code, str(out), str(k)], env=os.environ | HERE) for k in range(4)]
    while any(p.poll() is None for p in jobs):
        found = json.loads(out.read_text(encoding="utf-8"))
        assert len(found) == 5000 and len(set(found)) == 1
    assert [p.wait() for p in jobs] == [0] * 4 and [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_one_key_for_two_processes(tmp_path):
    pytest.importorskip("cryptography", reason="pip install -e '.[privacy]'")
    code = "import sys\nfrom ecom_nbdev.privacy import Pseudonyms\nprint(Pseudonyms(sys.argv[1]).key.decode())"
    jobs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "key")], stdout=subprocess.PIPE, text=True, env=os.environ | HERE) for _ in range(2)]
    keys = {p.communicate()[0] for p in jobs}
    assert len(keys) == 1 and (tmp_path / "key").read_text().strip() == keys.pop().strip() and (tmp_path / "key").stat().st_mode & 0o77 == 0
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


PULL = """
import hashlib, random
from ecom_nbdev import models
body = random.Random(1).randbytes(2_500_000)
models.REGISTRY["toy"] = models.Weights("toy", "llm", "toy.gguf", len(body), hashlib.sha256(body).hexdigest(), "MIT", "x", hub="a/b")
models.http_get.__defaults__ = ("", 1)
"""
BODY = random.Random(1).randbytes(2_500_000)


@pytest.mark.parametrize(("fault", "word", "kept"), [("cut", "连接中断", 1_200_000), ("stall", "timed out", 1_048_576), ("chunked", "IncompleteRead", 1_048_576), ("long", "连接中断", 2_500_000),
                                                   ("short", "校验失败", None), ("503", "503", None)])
def test_network_cut_in_a_pull(tmp_path, fault, word, kept):
    "What came is kept where it can be, and the next pull asks for the rest only."
    env, part = {"ECOM_CACHE": str(tmp_path), "ECOM_SOURCES": "hub"}, tmp_path / "models" / "toy.gguf.part"
    with faults.serving(BODY, fault, 1_200_000) as url:
        one_sentence(limited(PULL, "models", "pull", "toy", HF_ENDPOINT=url, **env), "toy", word, "重试", "ecom models pull toy")
    assert not (tmp_path / "models" / "toy.gguf").exists() and (part.stat().st_size if part.exists() else None) == kept
    with faults.serving(BODY) as url:
        assert limited(PULL, "models", "pull", "toy", HF_ENDPOINT=url, **env).returncode == 0
    assert hashlib.sha256((tmp_path / "models" / "toy.gguf").read_bytes()).hexdigest() == hashlib.sha256(BODY).hexdigest() and not part.exists()


def test_two_pulls_at_once_and_a_limit_of_size(tmp_path):
    env = os.environ | HERE | {"ECOM_CACHE": str(tmp_path), "ECOM_SOURCES": "hub"}
    with faults.serving(BODY) as url:
        one_sentence(limited(PULL + LIMIT.format(n=1_500_000), "models", "pull", "toy", ECOM_CACHE=str(tmp_path), ECOM_SOURCES="hub", HF_ENDPOINT=url), "toy.gguf.part", "File too large", "接着下载")
        assert (tmp_path / "models" / "toy.gguf.part").stat().st_size == 1_500_000
        code = f"import sys\n{PULL}\nfrom ecom_nbdev.cli import main\nsys.argv = ['ecom', 'models', 'pull', 'toy']\nmain()"
        jobs = [subprocess.Popen([sys.executable, "-c", code], env=env | {"HF_ENDPOINT": url}, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [p.communicate()[1] for p in jobs]
    assert [p.returncode for p in jobs] == [0, 0] and all(s.startswith("完成") for s in said)
    assert (tmp_path / "models" / "toy.gguf").read_bytes() == BODY and sorted(p.name for p in (tmp_path / "models").iterdir() if p.suffix != ".lock") == [".toy.gguf.json", "toy.gguf"]


def test_too_little_memory_for_a_table(tmp_path):
    path = tmp_path / "big.csv"
    path.write_text("text\n" + "".join(f"第{i}条评论，猫砂结团很快，下次还会再买\n" for i in range(400_000)), encoding="utf-8")
    first = "import resource, pandas, pyarrow, ecom_nbdev.data\nused = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n" \
            "resource.setrlimit(resource.RLIMIT_AS, (used + 150_000_000,) * 2)"
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc")
    one_sentence(limited(first, "predict", path, "--out", tmp_path / "o.csv"), "big.csv", "内存不够", "分成几个文件")
    assert [p.name for p in tmp_path.iterdir()] == ["big.csv"]


def test_clocks_that_jump(tmp_path, monkeypatch):
    "Times of files in the future and a clock that goes back change nothing: a stage is done again when its input has other content, and only then."
    import time

    from test_pipeline import tables

    from ecom_nbdev.apps.pipeline import MarketingPipeline
    seen, real = [], time.time
    given = {n: tmp_path / f"{n}.csv" for n in tables()}
    for name, table in tables().items():
        table.to_csv(given[name], index=False)

    def run() -> list[str]:
        seen.clear()
        MarketingPipeline(tmp_path / "out", on_stage=lambda s, _: seen.append(s) or monkeypatch.setattr(time, "time", lambda: real() - 3e8 * len(seen))).run(**given, train=False)
        return list(seen)
    assert run() == ["profile", "recommend", "ads", "campaign", "report"]
    before = {k: v for k, v in faults.digests(tmp_path / "out").items() if k.endswith((".csv", "profiles.json", "campaign.json"))}
    for path in [p for p in tmp_path.rglob("*") if p.is_file()]:
        os.utime(path, (real() + 4e8,) * 2)
    assert run() == ["report"] and before.items() <= faults.digests(tmp_path / "out").items()
    users = given["users"].read_text(encoding="utf-8")
    given["users"].write_text(users.replace("降噪", "有线"), encoding="utf-8")
    os.utime(given["users"], (0, 0))
    assert run() == ["profile", "recommend", "ads", "campaign", "report"]


def test_truncated_gguf_and_dead_endpoint(users, tmp_path):
    from ecom_nbdev.core import asset
    common = ("campaign", "--users", users, "--products", asset("products.csv"), "--trends", asset("trends.csv"), "--out", tmp_path / "c.json")
    if __import__("importlib.util").util.find_spec("xllamacpp"):
        for tensors, keys, word in ((290, 26, "不是能读的 GGUF 文件"), (0, 0, "不能作为 GGUF 模型载入")):        # refused by its header; by llama.cpp
            (tmp_path / "cut.gguf").write_bytes(b"GGUF\x03\0\0\0" + tensors.to_bytes(8, "little") + keys.to_bytes(8, "little") + bytes(2000))
            one_sentence(limited("", *common, "--llm", tmp_path / "cut.gguf"), "cut.gguf", word, "是否完整")
    if __import__("importlib.util").util.find_spec("openai"):
        quick = "import openai._base_client as c\nc.INITIAL_RETRY_DELAY = c.MAX_RETRY_DELAY = 0.01"
        pd.read_csv(users).head(5).to_csv(users, index=False)
        one_sentence(limited(quick, *common, "--llm", "openai:gone", OPENAI_API_KEY="x", OPENAI_BASE_URL="http://127.0.0.1:9/v1"), "127.0.0.1:9", "gone", "请检查地址")
    assert not (tmp_path / "c.json").exists()
