"""The wheel, built and unpacked away from the checkout: data, weights and the command travel with it."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    "Folder with the contents of the wheel built from a copy of what git tracks."
    folder = tmp_path_factory.mktemp("wheel")
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    (folder / "src").mkdir()
    subprocess.run(["tar", "-x", "-C", folder / "src"], input=archive, check=True)
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, folder / "src"], capture_output=True, check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as z:
        z.extractall(folder / "x")
    return folder / "x"


def test_contents(unpacked):
    files = {str(p.relative_to(unpacked)) for p in unpacked.rglob("*") if p.is_file()}
    data = {f"ecom_nbdev/_data/{n}" for n in ("products.csv", "ads.csv", "trends.csv", "users.csv", "ad_law_terms.csv", "datasets.csv", "report.html.j2", "serve.html.j2",
                                              "weights/sentiment/head.safetensors", "weights/sentiment/classifier.json", "weights/fashion/dual.safetensors", "fashion_terms.csv", "claims.csv", "prices.csv")}
    assert data <= files and {"ecom_nbdev/cli.py", "ecom_nbdev/apps/pipeline.py"} <= files
    assert not [f for f in files if f.endswith((".ipynb", ".bin", ".pkl", ".gguf")) or f.startswith(("tests", "bench", "scripts"))]
    meta = next(unpacked.glob("*.dist-info/METADATA")).read_text(encoding="utf-8")
    assert "Requires-Python: >=3.11" in meta and all(f"Provides-Extra: {e}" in meta for e in ("tf", "llm", "scale", "privacy", "docs", "dev", "all"))


def test_the_book_travels_in_one_small_archive(unpacked, tmp_path):
    "`ecom book` away from the checkout: every notebook of the repository without its outputs; a changed copy is kept until --force."
    archive = unpacked / "ecom_nbdev" / "_data" / "book.tar.xz"
    tracked = subprocess.run(["git", "ls-tree", "-r", "--name-only", "HEAD", "nbs"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    with tarfile.open(archive) as tar:
        carried = tar.getnames()
    assert sorted(carried) == sorted(n.removeprefix("nbs/") for n in tracked if n.endswith((".ipynb", ".png", ".svg")))
    assert archive.stat().st_size < 1_000_000 and (unpacked / "ecom_nbdev" / "_results" / "demo.jsonl").is_file()

    code = ("import sys, ecom_nbdev; from ecom_nbdev.core import bench_record; assert bench_record('demo')['rows'], ecom_nbdev.__file__; "
            "from ecom_nbdev.cli import main; sys.argv = ['ecom', 'book', 'mine', '--no-open', *sys.argv[1:]]; main()")

    def copy(*args):
        done = subprocess.run([sys.executable, "-c", code, *args], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(unpacked)}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert f"新写 {len(carried)} 个文件。" in copy()
    cells = [c for p in (tmp_path / "mine").rglob("*.ipynb") for c in json.loads(p.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    assert len(cells) > 1000 and not any(c["outputs"] or c["execution_count"] for c in cells)
    first = tmp_path / "mine" / "index.ipynb"
    first.write_text("{}", encoding="utf-8")
    assert "新写 0 个文件，留着改过的 1 个" in copy() and first.read_text(encoding="utf-8") == "{}"
    assert "新写 1 个文件。" in copy("--force") and first.stat().st_size > 1000


def test_runs_away_from_the_checkout(unpacked, tmp_path):
    "The unpacked package, not the checkout, answers; a prediction with the shipped weights works."
    (tmp_path / "r.csv").write_text("text\n质量好，很喜欢\n太差了，退货\n", encoding="utf-8")
    code = ("import sys, ecom_nbdev; assert ecom_nbdev.__file__.startswith(sys.argv[1]), ecom_nbdev.__file__; from ecom_nbdev.cli import main; "
            "sys.argv = ['ecom', 'predict', 'r.csv', '--json']; main()")
    env = os.environ | {"PYTHONPATH": str(unpacked)}
    done = subprocess.run([sys.executable, "-c", code, str(unpacked)], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"prediction":1' in done.stdout and '"prediction":0' in done.stdout
