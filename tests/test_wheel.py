"""The wheel, built and unpacked away from the checkout: data, weights and the command travel with it."""
from __future__ import annotations

import os
import subprocess
import sys
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


def test_runs_away_from_the_checkout(unpacked, tmp_path):
    "The unpacked package, not the checkout, answers; a prediction with the shipped weights works."
    (tmp_path / "r.csv").write_text("text\n质量好，很喜欢\n太差了，退货\n", encoding="utf-8")
    code = ("import sys, ecom_nbdev; assert ecom_nbdev.__file__.startswith(sys.argv[1]), ecom_nbdev.__file__; from ecom_nbdev.cli import main; "
            "sys.argv = ['ecom', 'predict', 'r.csv', '--json']; main()")
    env = os.environ | {"PYTHONPATH": str(unpacked)}
    done = subprocess.run([sys.executable, "-c", code, str(unpacked)], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"prediction":1' in done.stdout and '"prediction":0' in done.stdout
