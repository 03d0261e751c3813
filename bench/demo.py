"""Seconds of every stage of the main job, and what it reaches, on the demo data.

Run: python bench/demo.py [--llm none] [--llm qwen2.5-1.5b]     (models must be in the cache: ecom models pull NAME)
"""
from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from common import report

from ecom_nbdev.apps.pipeline import MarketingPipeline


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--llm", action="append", help="none or a model; may be given more than once")
    args = ap.parse_args()
    rows = []
    for llm in args.llm or ["none"]:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            m = MarketingPipeline(Path(folder) / "run", llm=llm).run().metrics
            seconds = time.perf_counter() - start
        rows.append({"llm": llm, "seconds": round(seconds, 1), **{f"{k}_s": v for k, v in m["seconds"].items()},
                     "test_accuracy": round(m["classifier"]["test_accuracy"], 4), "svm_accuracy": round(m["classifier"]["baseline_accuracy"], 4),
                     "hit_rate": m["recommend"]["hit_rate"], "ready": m["counts"]["copies_ready"], "withheld": m["counts"]["copies_withheld"]})
    report("demo", rows)


if __name__ == "__main__":
    main()
