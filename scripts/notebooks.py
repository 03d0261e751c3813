"""Execute the notebooks of the book from clean kernels and save their outputs, or check them under nbval.

Run: python scripts/notebooks.py [PATH ...] [--check | --record] [--flag gpu] [--jobs 2]
With --record each is executed alone and left as it is; its seconds and peak memory go to bench/results/notebooks.jsonl, which the site shows.
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


def execute(path: Path, env: dict[str, str], where: list[str]) -> tuple[Path, float, float, float, str]:
    """(notebook, seconds, processor seconds, peak MB, last line of the error or '') of one execution; `where` is nbconvert's option for the result.

    The peak is the resident memory of the largest process of the run, kernel or worker; both it and the processor seconds are nan on a system without wait4.
    """
    start = time.perf_counter()
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", *where, "--ExecutePreprocessor.timeout=1200",
               "--ExecutePreprocessor.record_timing=False", "--log-level=WARN", str(path)]
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=told, cwd=path.parent)
        cpu = peak = float("nan")
        if hasattr(os, "wait4"):
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
        process.wait()
        seconds = time.perf_counter() - start
        told.seek(0)
        lines = re.sub(r"\x1b\[[\d;]*m", "", told.read().decode(errors="replace")).strip().splitlines()
    return path, seconds, cpu, peak, (lines or ["失败"])[-1] if process.returncode else ""


def execute_all(books: list[Path], env: dict[str, str], jobs: int) -> int:
    "Execute the books in place, then export and clean: 0, or 1 when a cell failed."
    failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for path, seconds, _, _, error in pool.map(lambda p: execute(p, env, ["--inplace"]), books):
            print(f"{path.relative_to(ROOT)}  {seconds:.0f} s  {error}", flush=True)
            failed += bool(error)
    subprocess.run([sys.executable, ROOT / "scripts/export.py"], check=True)
    return 1 if failed else 0


def record(books: list[Path], env: dict[str, str]) -> int:
    "Execute the books one after the other into a folder that is thrown away, and append what each took to the results: 0, or 1 when a cell failed."
    sys.path.append(str(ROOT / "bench"))
    from common import report
    rows, failed = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for i, path in enumerate(books):
            _, seconds, cpu, peak, error = execute(path, env | {"ECOM_VECTORS": str(Path(folder) / f"{i}.db")}, [f"--output-dir={folder}"])
            print(f"{path.relative_to(ROOT)}  {seconds:.0f} s  {peak:.0f} MB  {error}", flush=True)
            failed += bool(error)
            if not error:
                rows.append({"notebook": path.relative_to(ROOT).as_posix(), "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), "peak_mb": round(peak),
                             "cores": int(env["ECOM_THREADS"])})
    if rows:
        report("notebooks", rows)
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
    way = ap.add_mutually_exclusive_group()
    way.add_argument("--check", action="store_true", help="run under nbval, change nothing")
    way.add_argument("--record", action="store_true", help="measure each alone on all processors, change nothing but bench/results/notebooks.jsonl")
    ap.add_argument("--flag", choices=FLAGS)
    ap.add_argument("--jobs", type=int, default=2)
    args = ap.parse_args()
    books, env = chosen(args.paths, args.flag), environment(1 if args.record else args.jobs)
    if not books:
        print("没有这样的笔记本。")
        return
    if args.record:
        sys.exit(record(books, env))
    with tempfile.TemporaryDirectory() as folder:                            # a text that several chapters embed is embedded once a run
        env.setdefault("ECOM_VECTORS", str(Path(folder) / "vectors.db"))
        code = (check if args.check else execute_all)(books, env, args.jobs)
    sys.exit(code)


if __name__ == "__main__":
    main()
