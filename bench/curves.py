"""Learning curves from 16 to 40,000 real labels: six ways of learning the sentiment of online_shopping_10_cats (ECOM_DATA; chapter nbs/faq/labels.ipynb).

The reviews are split once by `splits.split` (near-duplicates on one side): up to 42,000 for drawing labels, 2,000 for testing; nothing is chosen on either.
Each draw has as many good as bad reviews. Texts are cut to 64 word pieces. Ways:
  TF-IDF            character n-grams and logistic regression;
  head              logistic regression on frozen e5-small vectors (`mode="head"`);
  top 2, LoRA       e5-small, the upper two layers or adapters of rank 16 in them trained (the lower ten are computed once for all rows);
  full              all twelve layers trained;
  few-shot          `FewShot` with 2,000 reviews without labels, up to 256 labels;
  LLM               no labels: a local language model is asked (log odds of its first token), on the first 300 test reviews.
Epochs by size: 20 (to 64 labels), 8 (to 256), 4 (to 1,024), 2 (to 4,096), 1. The best epoch is kept: on a tenth of the labels, which is held out and
counts, or up to 64 labels on the training rows themselves. CPU seconds include those of scoring. Draws: `--seeds` of every size up to 1,024 labels, one above and of `full`.
Run: python bench/curves.py [--ways …] [--max 40000] [--seeds 5]      (hours on one core; a stopped run goes on where it was)
     python bench/curves.py --add          only the rows that the newest record lacks; the others are taken over as they are (`of`: their command and processor)
Appends one JSON line to bench/results/curves.jsonl.
"""
from __future__ import annotations

import argparse
import os
import time

import numpy as np
import recipes  # remembers the states of the frozen layers
from common import report, shop_reviews

from ecom_nbdev.classify import TextClassifier
from ecom_nbdev.core import bench_record
from ecom_nbdev.fewshot import FewShot
from ecom_nbdev.models import load_llm
from ecom_nbdev.theory.concepts import curve_methods, draw_labels, llm_log_odds, mean_interval

SIZES = (16, 64, 256, 1024, 4096, 16384, 40000)
TUNED = {"top 2": {"mode": "full", "freeze_layers": 10, "learning_rate": 1e-4}, "LoRA": {"mode": "lora", "freeze_layers": 10, "learning_rate": 5e-4},
         "full": {"mode": "full", "freeze_layers": 0, "learning_rate": 5e-5}}
LARGEST = {"few-shot": 256}
WAYS = ("TF-IDF", "head", "few-shot", "top 2", "LoRA", "full", "LLM qwen2.5-0.5b", "LLM qwen2.5-1.5b")


def epochs(n: int) -> int:
    "Passes over n labels."
    return next((e for limit, e in ((64, 20), (256, 8), (1024, 4), (4096, 2)) if n <= limit), 1)


def predicted(way: str, X: list[str], y: np.ndarray, test: list[str], pool: list[str], seed: int) -> np.ndarray:
    "Labels of `test` by `way` after learning from X, y."
    if way == "TF-IDF":
        return curve_methods()["TF-IDF 逻辑回归"][2](np.array(X, dtype=object), y, np.array(test, dtype=object))
    if way == "head":
        return TextClassifier(mode="head", max_length=64, seed=seed).fit(X, y).predict(test)
    if way == "few-shot":
        known = set(X)
        return FewShot(max_length=64, seed=seed).fit(X, y, unlabeled=[t for t in pool if t not in known][:2000]).predict(test)
    few = len(X) < 160                                      # a step is smaller where there is little to learn from
    clf = TextClassifier(**TUNED[way], epochs=epochs(len(X)), patience=99, max_length=64, seed=seed, calibrate=False, batch_tokens=512 if few else 1536)
    return clf.fit(X, y, eval_set=(X, y) if few else None).predict(test)


def run(data: dict, way: str, n: int, seed: int) -> dict:
    "Test accuracy and CPU seconds of one way with n labels."
    (pool, y), (test, truth) = data["train"], data["test"]
    some = np.random.default_rng(seed).permutation(draw_labels(y, n, seed))
    start = time.process_time()
    found = predicted(way, [pool[i] for i in some], y[some], test, pool[::-1], seed)
    return {"accuracy": float((found == truth).mean()), "seconds": time.process_time() - start}


def asked(data: dict, way: str, rows: int = 300) -> dict:
    "Accuracy of a language model that saw no label."
    (test, truth), llm = data["test"], load_llm(way.split()[1])
    start = time.perf_counter()
    found = np.array([llm_log_odds(llm, t) > 0 for t in test[:rows]], int)
    return {"accuracy": float((found == truth[:rows]).mean()), "seconds": time.perf_counter() - start}


def row(way: str, n: int, results: list[dict]) -> dict:
    "Mean over the draws with Student's t interval (one draw: the normal interval of the test reviews) and median CPU seconds."
    a = [r["accuracy"] for r in results]
    tested = 300 if n == 0 else 2000
    mean, low, high = mean_interval(a) if len(a) > 1 else (a[0], *(a[0] + s * 1.96 * (a[0] * (1 - a[0]) / tested) ** 0.5 for s in (-1, 1)))
    return {"way": way, "labels": n, "draws": len(a), "mean": round(mean, 4), "low": round(low, 4), "high": round(high, 4),
            "seconds": round(float(np.median([r["seconds"] for r in results])), 1)}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    ap.add_argument("--max", type=int, default=SIZES[-1])
    ap.add_argument("--seeds", type=int, default=5, help="draws of every size up to 1,024; one above, and of `full`")
    ap.add_argument("--add", action="store_true", help="only what the newest record lacks")
    args = ap.parse_args()
    os.environ.setdefault("ECOM_THREADS", "1")
    last = bench_record("curves") if args.add else {"rows": []}
    old = {(r["way"], r["labels"]): {"of": f"{last['command']}；{last['machine']['cpu']}"} | r for r in last["rows"]}
    data, found = shop_reviews({"train": None, "test": 2000}, sizes=(0.9, 0.0, 0.1)), {}
    for seed in range(args.seeds):
        for way in args.ways:
            sizes = [0] if way.startswith("LLM") else [n for n in SIZES if n <= min(args.max, LARGEST.get(way, SIZES[-1]))]
            for n in (n for n in sizes if (way, n) not in old and (seed == 0 or (0 < n <= 1024 and way != "full"))):
                job = (lambda w=way: asked(data, w)) if n == 0 else (lambda w=way, n=n, s=seed: run(data, w, n, s))
                found.setdefault((way, n), []).append(recipes.kept(f"curves.{way}.{n}.{seed}", job))
    rows = [*old.values(), *(row(way, n, results) for (way, n), results in found.items())]
    report("curves", sorted(rows, key=lambda r: (WAYS.index(r["way"]), r["labels"])))


if __name__ == "__main__":
    main()
