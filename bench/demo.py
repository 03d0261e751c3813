"""Seconds of every stage of the main job, and what it reaches, on the demo data: each run is the command `ecom demo` in a process of its own.

Run: python bench/demo.py [--llm none] [--llm qwen2.5-1.5b]     (models must be in the cache: ecom models pull NAME)
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import report


def run(llm: str) -> dict:
    "One row: whole seconds of the command, seconds of each stage, and the metrics it prints."
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run([Path(sys.executable).parent / "ecom", "demo", "--out", Path(folder) / "run", "--llm", llm, "--json"], stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.perf_counter() - start
    m = json.loads(done.stdout)
    return {"llm": llm, "seconds": round(seconds, 1), **{f"{k}_s": v for k, v in m["seconds"].items()},
            "test_accuracy": round(m["classifier"]["test_accuracy"], 4), "svm_accuracy": round(m["classifier"]["baseline_accuracy"], 4),
            "hit_rate": m["recommend"]["hit_rate"], "ready": m["counts"]["copies_ready"], "withheld": m["counts"]["copies_withheld"]}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--llm", action="append", help="none or a model; may be given more than once")
    report("demo", [run(llm) for llm in ap.parse_args().llm or ["none", "qwen2.5-1.5b"]])


if __name__ == "__main__":
    main()
