"""Speed of compliance.check on one thread: prints one table and appends one JSON line to bench/results/compliance.jsonl.

    python bench/compliance.py [--chars 200000] [--repeat 3]
"""
from __future__ import annotations

import argparse
import csv
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

from ecom_nbdev.compliance import check, load_terms
from ecom_nbdev.core import asset

PLAIN = "这款杯子装热水不烫手，盖子拧紧不漏，放进书包侧袋刚好，早上灌满能喝到中午。"


def sentences() -> list[str]:
    "The evaluation sentences, half of them with findings."
    with asset("ad_law_eval.csv").open(encoding="utf-8", newline="") as f:
        return [row["text"] for row in csv.DictReader(f)]


def rate(text: str, repeat: int) -> float:
    "Characters a second, best of `repeat`."
    best = min(_seconds(lambda: check(text)) for _ in range(repeat))
    return len(text) / best


def _seconds(f) -> float:
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def import_ms() -> float:
    "Milliseconds of `import ecom_nbdev.compliance` in a fresh interpreter, best of five."
    code = "import time;t=time.perf_counter();import ecom_nbdev.compliance;print((time.perf_counter()-t)*1e3)"
    return min(float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout) for _ in range(5))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--chars", type=int, default=200_000)
    p.add_argument("--repeat", type=int, default=3)
    a = p.parse_args()
    first = _seconds(lambda: (load_terms(), check("好")))
    lines = sentences()
    mixed = "。".join(lines)
    texts = {"plain": PLAIN * (a.chars // len(PLAIN)), "mixed": mixed * max(1, a.chars // len(mixed))}
    result = {"chars": a.chars, "terms": len(load_terms()), "load_ms": round(first * 1e3, 1), "import_ms": round(import_ms(), 1)}
    result |= {f"{k}_chars_per_s": round(rate(t, a.repeat)) for k, t in texts.items()}
    seconds = min(_seconds(lambda: [check(t) for t in lines]) for _ in range(a.repeat))
    result["short_texts_per_s"] = round(len(lines) / seconds)
    result |= {"python": platform.python_version(), "time": time.strftime("%Y-%m-%dT%H:%M:%S")}
    width = max(map(len, result))
    for k, v in result.items():
        print(f"{k:<{width}}  {v}")
    out = Path(__file__).parent / "results" / "compliance.jsonl"
    out.parent.mkdir(exist_ok=True)
    with out.open("a", encoding="utf-8") as f:
        f.write(json.dumps(result, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
