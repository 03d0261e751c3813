"""Many labels: sentiment of online_shopping_10_cats, this package against TF-IDF + LinearSVC on the same split (chapter nbs/practice/recipes.ipynb).

Split 80/10/10 by `splits.split` (near-duplicates stay on one side), seed 0. The encoder is fine-tuned once and kept in the cache; a stopped
training goes on from its checkpoint. Settings and the mixture are chosen on the validation part; the test part is scored at the end.
Needs ECOM_DATA. Run: python bench/online.py [--rows N]      (about two hours on one core; appends to bench/results/online.jsonl)
"""
from __future__ import annotations

import argparse

import numpy as np
from common import report, shop_reviews

from ecom_nbdev.classify import CharModel, TextClassifier, softmax
from ecom_nbdev.core import cache_dir
from ecom_nbdev.recipes import ece, temperature


class Words:
    "What most people put together: jieba words, TF-IDF, LinearSVC; words alone or with pairs of words."
    def __init__(self, pairs: bool): self.pairs = pairs

    def fit(self, X, y):
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.svm import LinearSVC
        self.vec_ = TfidfVectorizer(analyzer=self._terms, sublinear_tf=True, min_df=2 if self.pairs else 1)
        self.svm_ = LinearSVC(C=0.5).fit(self.vec_.fit_transform(X), y)
        return self

    def _terms(self, text: str) -> list[str]:
        import jieba
        words = jieba.lcut(text)
        return words + [a + b for a, b in zip(words, words[1:], strict=False)] if self.pairs else words

    def accuracy(self, X, y) -> float:
        return float((self.svm_.predict(self.vec_.transform(X)) == y).mean())


def ours(data: dict, rows: int | None) -> TextClassifier:
    "e5-small, upper half fine-tuned for one epoch, mixed with character n-grams on the validation part; kept in the cache."
    folder = cache_dir("bench", "online") / f"e5-{rows or 'all'}"
    if not (folder / "classifier.json").exists():
        clf = TextClassifier(mode="full", epochs=1, max_length=96, learning_rate=1e-4, lexical=True, calibrate=False, checkpoint=str(folder) + ".checkpoint")
        clf.fit(*data["train"], eval_set=data["valid"], resume=True).save(folder)
    return TextClassifier.load(folder)


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rows", type=int, help="only the first rows of each part (for a trial)")
    rows_max = ap.parse_args().rows
    data, rows = shop_reviews(dict.fromkeys(("train", "valid", "test"), rows_max)), []
    def row(name: str, score) -> None:
        rows.append({"method": name, "train": len(data["train"][0]), "n_test": len(data["test"][0]),
                     **{p: round(100 * score(*data[p]), 2) for p in ("valid", "test")}})
        print(rows[-1], flush=True)
    for name, model in (("词 TF-IDF + LinearSVC", Words(False)), ("词与词对 TF-IDF + LinearSVC", Words(True)), ("字符 n-gram TF-IDF + LinearSVC", CharModel())):
        row(name, model.fit(*data["train"]).accuracy)
    clf = ours(data, rows_max)
    vectors = {p: clf.net_.vectors(data[p][0]) for p in ("valid", "test")}
    def encoder(X, y) -> np.ndarray:
        return clf.net_.logits(vectors["test" if X is data["test"][0] else "valid"])
    def both(X, y) -> np.ndarray:
        features = clf._mix_features(vectors["test" if X is data["test"][0] else "valid"], X)
        return features @ clf.mixer_[0].T + clf.mixer_[1]
    for name, logits in (("e5-small 微调上半", encoder), ("e5-small 微调上半 + 字符 n-gram", both)):
        row(name, lambda X, y, f=logits: float((f(X, y).argmax(1) == y).mean()))
    y_valid, y_test = data["valid"][1], data["test"][1]
    z_valid, z_test = encoder(*data["valid"]), encoder(*data["test"])
    t = temperature(z_valid, y_valid)
    z_both = both(*data["test"])
    rows.append({"method": "校准", "temperature": round(t, 2), "ece_before": round(ece(softmax(z_test), y_test), 4), "ece_after": round(ece(softmax(z_test / t), y_test), 4),
                 "ece_both": round(ece(softmax(z_both), y_test), 4)})
    report("online", rows)


if __name__ == "__main__":
    main()
