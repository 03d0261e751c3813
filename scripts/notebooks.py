"""Execute the notebooks of the book from clean kernels and save their outputs, or check them under nbval.

Run: python scripts/notebooks.py [PATH ...] [--check] [--flag gpu] [--jobs 2]
A notebook with a cell `#| gpu` runs only with --flag gpu.
"""
from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ("gpu",)
LONG = ("tensorflow", "classify", "finetuning", "language_model", "transformer", "concepts", "compat", "campaign", "inference", "recipes", "planning", "scale")


def chosen(paths: list[str], flag: str | None) -> list[Path]:
    "The given notebooks, else all; only those with the flag, or only those without any."
    found = [Path(p).resolve() for p in paths] or sorted(p for p in (ROOT / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
    def flags(p: Path) -> set[str]:
        text = p.read_text(encoding="utf-8")
        return {f for f in FLAGS if re.search(rf'"#\| *{f}\b', text)}
    return [p for p in found if (flag in flags(p) if flag else not flags(p))]


def environment(jobs: int) -> dict[str, str]:
    "Environment of the kernels: the processors shared out among `jobs`, so that thread pools do not fight."
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = str(max(1, cores // jobs))
    return os.environ | {"ECOM_THREADS": share, "OMP_NUM_THREADS": share, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow",
                         "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1",
                         "PYTHONWARNINGS": "ignore:IProgress not found"}


def execute(path: Path, env: dict[str, str]) -> tuple[Path, float, str]:
    "(notebook, seconds, last line of the error or '') of one execution in place."
    start = time.perf_counter()
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", "--ExecutePreprocessor.timeout=1200",
               "--ExecutePreprocessor.record_timing=False", "--log-level=WARN", str(path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=path.parent)
    lines = re.sub(r"\x1b\[[\d;]*m", "", done.stderr).strip().splitlines()
    return path, time.perf_counter() - start, (lines or ["失败"])[-1] if done.returncode else ""


def execute_all(books: list[Path], env: dict[str, str], jobs: int) -> int:
    "Execute the books in place, then export and clean: 0, or 1 when a cell failed."
    failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for path, seconds, error in pool.map(lambda p: execute(p, env), books):
            print(f"{path.relative_to(ROOT)}  {seconds:.0f} s  {error}", flush=True)
            failed += bool(error)
    subprocess.run([sys.executable, ROOT / "scripts/export.py"], check=True)
    return 1 if failed else 0


def check(books: list[Path], env: dict[str, str], jobs: int) -> int:
    "Exit code of the books under nbval; those that take longest start first, so that no process waits for the other at the end."
    books = sorted(books, key=lambda p: LONG.index(p.stem) if p.stem in LONG else len(LONG))
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=1200", "-p", "no:cacheprovider",
               "-n", str(jobs), "--dist", "loadfile", "--no-loadscope-reorder", "--durations=40", "--durations-min=8", *map(str, books)]
    return subprocess.run(command, env=env, cwd=ROOT).returncode


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("paths", nargs="*")
    ap.add_argument("--check", action="store_true", help="run under nbval, change nothing")
    ap.add_argument("--flag", choices=FLAGS)
    ap.add_argument("--jobs", type=int, default=2)
    args = ap.parse_args()
    books, env = chosen(args.paths, args.flag), environment(args.jobs)
    if not books:
        print("没有这样的笔记本。")
        return
    with tempfile.TemporaryDirectory() as folder:                            # a text that several chapters embed is embedded once a run
        env.setdefault("ECOM_VECTORS", str(Path(folder) / "vectors.db"))
        code = (check if args.check else execute_all)(books, env, args.jobs)
    sys.exit(code)


if __name__ == "__main__":
    main()
