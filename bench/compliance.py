"""Speed of compliance.check on one thread, and its precision and recall on each part of the labelled sentences with 95 % Wilson intervals.

    python bench/compliance.py [--chars 200000] [--repeat 3]

Speed goes to bench/results/compliance.jsonl, accuracy to bench/results/compliance_eval.jsonl (one line each). Where the data folder ECOM_DATA has
advertisegen_dev, the share of its sentences (real copy, unlabelled) that is flagged is reported too.
"""
from __future__ import annotations

import argparse
import csv
import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

from common import report

from ecom_nbdev.compliance import READER_PARTS, READER_THRESHOLD, _reader, check, is_clean, judge, load_terms, suspicion
from ecom_nbdev.core import asset

PLAIN = "这款杯子装热水不烫手，盖子拧紧不漏，放进书包侧袋刚好，早上灌满能喝到中午。"


def cases() -> list[dict]:
    "The evaluation sentences: text, label, note, part, first; half of them with findings."
    with asset("ad_law_eval.csv").open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


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


def wilson(hits: int, n: int, z: float = 1.959964) -> str:
    "95 % Wilson interval of the proportion hits/n as `low–high`, three decimals."
    p, d = hits / n, 1 + z * z / n
    middle, half = (p + z * z / (2 * n)) / d, z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / d
    return f"{max(0.0, middle - half):.3f}–{min(1.0, middle + half):.3f}"


def score(part: str, judge: str, labels: list[int], verdicts: list[int]) -> dict:
    "One row: precision and recall of `verdicts` with their intervals."
    hit, said, true = sum(a & b for a, b in zip(labels, verdicts, strict=True)), sum(verdicts), sum(labels)
    return {"part": part, "judge": judge, "sentences": len(labels), "violations": true, "precision": round(hit / said, 3), "precision_95": wilson(hit, said),
            "recall": round(hit / true, 3), "recall_95": wilson(hit, true)}


def accuracy(data: list[dict]) -> list[dict]:
    "Rows for each part: the first verdict, the table now; where the second reader has not been trained also it, both, and readers trained without `Q-train` and without `N-train` and `Q-train`; these parts together."
    rows, held = [], [r for r in data if r["part"] not in READER_PARTS]
    for part in [*dict.fromkeys(r["part"] for r in data), "together"]:
        own = held if part == "together" else [r for r in data if r["part"] == part]
        labels, texts, now = [int(r["label"]) for r in own], [r["text"] for r in own], [int(not is_clean(r["text"])) for r in own]
        rows += [score(part, "first", labels, [int(r["first"]) for r in own]), score(part, "table", labels, now)]
        if part in READER_PARTS:
            continue
        doubt = [int(p >= READER_THRESHOLD) for p in suspicion(texts)]
        rows += [score(part, f"reader without {', '.join(left)}", labels, [int(p >= READER_THRESHOLD) for p in _reader(parts=tuple(p for p in READER_PARTS if p not in left)).predict_proba(texts)[:, 1]])
                 for left in (("N-train", "Q-train"), ("Q-train",))]
        rows += [score(part, "reader", labels, doubt), score(part, "table or reader", labels, [a | b for a, b in zip(now, doubt, strict=True)]),
                 score(part, "judge", labels, list(map(int, judge(texts))))]
    return rows


def real_copy() -> list[dict]:
    "Share of the sentences of real fashion copy that each judge flags (most of them lawful), or nothing without the data."
    file = Path(os.environ.get("ECOM_DATA", "")) / "advertisegen_dev" / "dev.jsonl"
    if not file.is_file():
        return []
    texts = [json.loads(line)["summary"] for line in file.read_text(encoding="utf-8").splitlines()]
    lines = [s for t in texts for s in re.split("[。！？]", t) if len(s) > 6]
    table, doubt = [not is_clean(s) for s in lines], [p >= READER_THRESHOLD for p in suspicion(lines)]
    both = [a or b for a, b in zip(table, doubt, strict=True)]
    last = judge(lines)
    bare = [p >= READER_THRESHOLD for p in _reader(catalogue=False).predict_proba(lines)[:, 1]]
    return [{"part": "advertisegen_dev", "judge": j, "sentences": len(lines), "flagged": round(sum(v) / len(lines), 4)}
            for j, v in (("table", table), ("reader", doubt), ("table or reader", both), ("judge", last), ("reader without catalogue", bare))]


def speed(lines: list[str], chars: int, repeat: int) -> dict:
    "Loading, import and checking times."
    first = _seconds(lambda: (load_terms(), check("好")))
    mixed = "。".join(lines)
    texts = {"plain": PLAIN * (chars // len(PLAIN)), "mixed": mixed * max(1, chars // len(mixed))}
    result = {"chars": chars, "terms": len(load_terms()), "load_ms": round(first * 1e3, 1), "import_ms": round(import_ms(), 1)}
    result |= {f"{k}_chars_per_s": round(rate(t, repeat)) for k, t in texts.items()}
    seconds = min(_seconds(lambda: [check(t) for t in lines]) for _ in range(repeat))
    result["short_texts_per_s"] = round(len(lines) / seconds)
    return result | {"python": platform.python_version(), "time": time.strftime("%Y-%m-%dT%H:%M:%S")}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--chars", type=int, default=200_000)
    p.add_argument("--repeat", type=int, default=3)
    a = p.parse_args()
    data = cases()
    result = speed([r["text"] for r in data], a.chars, a.repeat)
    width = max(map(len, result))
    for k, v in result.items():
        print(f"{k:<{width}}  {v}")
    out = Path(__file__).parent / "results" / "compliance.jsonl"
    out.parent.mkdir(exist_ok=True)
    with out.open("a", encoding="utf-8") as f:
        f.write(json.dumps(result, ensure_ascii=False) + "\n")
    report("compliance_eval", accuracy(data) + real_copy())


if __name__ == "__main__":
    main()
