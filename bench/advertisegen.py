"""Copy from attributes on the development part of AdvertiseGen (folder `advertisegen_dev` of ECOM_DATA): rows 0-799 may be learned from, rows 800-1069 are the test.

    python bench/advertisegen.py --methods reference attributes template nearest scratch
    python bench/advertisegen.py --adapt qwen2.5-0.5b --out out/advertisegen/lora       # LoRA on rows 0-759, the epoch chosen on 760-799
    python bench/advertisegen.py --methods zero few --llm qwen2.5-0.5b [--rows 270] [--samples 8]
    python bench/advertisegen.py --methods adapted --llm qwen2.5-0.5b --adapter out/advertisegen/lora
    ... --engine transformers --parallel 128                                          # in bfloat16 on a processor that multiplies it
    ... --methods zero few --all                                                      # all 1,070 rows

BLEU-4 over characters (nltk, smoothing method 3), ROUGE F over jieba words (rouge_chinese), the definitions of ChatGLM-6B's ptuning example, so that its published
row can stand beside them (it was trained on all 114,599 training rows, we have 800). Drafts are sampled at temperature 0.7 (greedy ones of an
adapted model fall into loops); of `--samples N` the one most like the others by ROUGE-L is kept (minimum Bayes risk; the reference is not looked at). Also: share of attribute values that
occur in the copy, distinct copies by self-BLEU, and the share of sentences that `generate.check_facts` does not find supported by the attributes. Answers are
kept in --cache, so that a run goes on where it was cut off. Appends one JSON line to bench/results/advertisegen.jsonl (or advertisegen_adapt.jsonl).
"""
from __future__ import annotations

import argparse
import json
import logging
import os
import time
from collections import Counter
from pathlib import Path

import jieba
import numpy as np
from common import report
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_chinese import Rouge

from ecom_nbdev.adapt import adapt
from ecom_nbdev.apps.behaviour import bootstrap_interval
from ecom_nbdev.core import progress
from ecom_nbdev.generate import CopyWriter, check_facts, self_bleu
from ecom_nbdev.models import load_llm, resolve
from ecom_nbdev.theory.language_model import EOS, char_vocab, sample, to_ids, train_lm, transformer_lm

ASK = "根据商品属性写一段一百字左右的服装广告文案。\n属性："
LEARN, HELD, TEST = range(760), range(760, 800), range(800, 1070)
jieba.setLogLevel(logging.WARNING)


def rows_of() -> list[dict]:
    "content, summary of all rows."
    with open(Path(os.environ["ECOM_DATA"]) / "advertisegen_dev/dev.jsonl", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def attributes(row: dict) -> list[tuple[str, str]]:
    "(name, value) pairs of a row."
    return [tuple(pair.split("#", 1)) for pair in row["content"].split("*")]


def ask(row: dict) -> dict:
    "The user's message for a row."
    return {"role": "user", "content": ASK + "，".join(f"{k}：{v}" for k, v in attributes(row))}


def answer(row: dict) -> str:
    "What is to be learned from a row."
    return row["summary"].replace("<UNK>", "")


def nearest(rows: list[dict], row: dict, k: int) -> list[dict]:
    "The `k` learnable rows whose attributes are likest, by the Jaccard index weighted by inverse document frequency."
    seen = Counter(p for i in range(800) for p in set(attributes(rows[i])))
    weight = lambda pairs: sum(np.log(800 / (1 + seen[p])) for p in pairs)  # noqa: E731
    mine = set(attributes(row))
    likeness = [-1 if rows[i] is row else weight(mine & set(attributes(rows[i]))) / weight(mine | set(attributes(rows[i]))) for i in range(800)]
    return [rows[i] for i in np.argsort(likeness)[::-1][:k]]


def chat(rows: list[dict], row: dict, shots: int) -> list[dict]:
    "Messages for a row after `shots` like examples, the likest last."
    turns = [m for near in nearest(rows, row, shots)[::-1] for m in (ask(near), {"role": "assistant", "content": answer(near)})] if shots else []
    return [*turns, ask(row)]


def product(row: dict) -> dict:
    "A row as a product of the package."
    pairs = attributes(row)
    return {"item_id": "A", "title": "".join(dict.fromkeys(v for k, v in pairs if k in ("颜色", "风格", "类型"))) or "服装", "category": "服饰", "price": None,
            "attributes": ";".join(f"{k}#{v}" for k, v in pairs), "description": "", "brand": "", "stock": 1}


def rouge(made: str, reference: str) -> dict:
    "ROUGE-1, -2, -L F of one text over jieba words."
    words = [" ".join(jieba.cut(t)).strip() or "空" for t in (made, reference)]
    return {k: v["f"] for k, v in Rouge().get_scores(*words)[0].items()}


def consensus(drafts: list[str]) -> str:
    "The draft with the largest mean ROUGE-L to the others."
    drafts = [d for d in drafts if d.strip()]
    return max(drafts, key=lambda d: np.mean([rouge(d, other)["rouge-l"] for other in drafts if other is not d] or [0])) if drafts else ""


def by_llm(args, rows: list[dict], test: list[int], shots: int, cache: Path) -> list[str]:
    "One text for each test row, kept in `cache` as they come."
    kept = dict(json.loads(line) for line in cache.read_text(encoding="utf-8").splitlines()) if cache.exists() else {}
    todo = [i for i in test if len(kept.get(i, [])) < args.samples]
    if todo:
        llm = load_llm(f"hf:{resolve(args.llm)}" if args.engine == "transformers" else args.llm, n_ctx=2048, parallel=args.parallel, adapter=args.adapter)
        cache.parent.mkdir(parents=True, exist_ok=True)
        for at in range(0, len(todo), 2 * args.parallel):
            part = todo[at:at + 2 * args.parallel]
            have = min(len(kept.get(i, [])) for i in part)                       # drafts of an earlier run with fewer samples are kept
            made = [llm.chat_batch([chat(rows, rows[i], shots) for i in part], max_tokens=160, temperature=0.7, seed=s) for s in range(have, args.samples)]
            with open(cache, "a", encoding="utf-8") as f:
                for i, drafts in zip(part, zip(*made, strict=True), strict=True):
                    kept[i] = [*kept.get(i, [])[:have], *drafts]
                    f.write(json.dumps([i, kept[i]], ensure_ascii=False) + "\n")
        llm.close()
    return [consensus(kept[i][:args.samples]) if args.samples > 1 else kept[i][0] for i in test]


def from_scratch(rows: list[dict], test: list[int], steps: int) -> list[str]:
    "One text for each test row by a character model of three layers (theory.language_model) trained on nothing but rows 0-759."
    import torch
    texts = {i: f"{'，'.join(v for _, v in attributes(rows[i]))}\n" for i in [*LEARN, *test]}
    learn = [texts[i] + answer(rows[i]) for i in LEARN]
    vocab = char_vocab(learn)
    stream = np.array([t for text in learn for t in to_ids(vocab, text)])
    torch.manual_seed(0)
    lm = transformer_lm(len(vocab), d_model=128, num_layers=3, block=192, dropout=0.1, counts=np.bincount(stream, minlength=len(vocab)))
    train_lm(lm, stream, steps, learning_rate=1e-3)
    lm.eval()

    def next_logits(ids: list[int]) -> np.ndarray:
        with torch.inference_mode():
            return lm(torch.tensor([ids[-lm.block:]]))[0, -1].double().numpy()
    starts = {i: to_ids(vocab, texts[i])[:-1] for i in test}
    made = {i: sample(next_logits, starts[i], max_new=150, temperature=0.7, k=20, seed=i)[len(starts[i]):] for i in progress(test, "scratch")}
    return ["".join(vocab.decode([t for t in made[i] if t > EOS])) for i in test]


def figures(made: list[str], rows: list[dict]) -> dict:
    "Metrics x 100 of the texts beside their rows, ROUGE-L with a bootstrap 95 % interval over rows."
    scores = [rouge(m, r["summary"]) for m, r in zip(made, rows, strict=True)]
    bleu = [sentence_bleu([list(r["summary"])], list(m or "空"), smoothing_function=SmoothingFunction().method3) for m, r in zip(made, rows, strict=True)]
    longest = np.array([s["rouge-l"] for s in scores])
    low, high = (100 * x for x in bootstrap_interval(longest, 2000))
    grounded = [g for m, r in zip(made, rows, strict=True) for g in check_facts(m, product(r))]
    covered = [np.mean([v in m for _, v in attributes(r)]) for m, r in zip(made, rows, strict=True)]
    row = {"bleu4": np.mean(bleu), "rouge1": np.mean([s["rouge-1"] for s in scores]), "rouge2": np.mean([s["rouge-2"] for s in scores]), "rougeL": longest.mean()}
    return {k: round(100 * float(v), 2) for k, v in row.items()} | {"rougeL_95": f"{low:.1f}–{high:.1f}", "coverage": round(float(np.mean(covered)), 3),
            "self_bleu": round(self_bleu(made[:100]) or 0.0, 3), "unsupported": round(float(np.mean([not g.supported for g in grounded])), 3), "characters": round(float(np.mean([len(m) for m in made])), 1),
            "empty": sum(not m.strip() for m in made)}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--methods", nargs="+", choices=["reference", "attributes", "template", "nearest", "scratch", "zero", "few", "adapted"], default=["reference", "attributes", "template", "nearest"])
    ap.add_argument("--llm")
    ap.add_argument("--adapter")
    ap.add_argument("--adapt", metavar="MODEL")
    ap.add_argument("--layers", type=int, default=8)
    ap.add_argument("--epochs", type=int, default=3)
    ap.add_argument("--out", default="out/advertisegen/lora")
    ap.add_argument("--cache", default="out/advertisegen")
    ap.add_argument("--rows", type=int, default=len(TEST), help="the first so many test rows")
    ap.add_argument("--steps", type=int, default=1500, help="of the model from scratch")
    ap.add_argument("--shots", type=int, default=3)
    ap.add_argument("--samples", type=int, default=1)
    ap.add_argument("--parallel", type=int, default=4)
    ap.add_argument("--engine", choices=["llama.cpp", "transformers"], default="llama.cpp", help="transformers: the GGUF's weights in bfloat16 where the processor multiplies it; large batches (--parallel 128) pay")
    ap.add_argument("--all", action="store_true", help="all 1,070 rows (zero; few: examples from rows 0-799 other than the row itself)")
    args = ap.parse_args()
    rows = rows_of()
    if args.adapt:
        sets = [([[ask(rows[i])] for i in part], [answer(rows[i]) for i in part]) for part in (LEARN, HELD)]
        start = time.process_time()
        history = adapt(args.adapt, *sets[0], args.out, valid=sets[1], layers=args.layers, epochs=args.epochs, resume=True)
        report("advertisegen_adapt", [h | {"cpu_minutes": round((time.process_time() - start) / 60, 1)} for h in history])
        return
    test, table = list(range(len(rows))) if args.all else list(TEST)[:args.rows], []
    for method in args.methods:
        start = time.perf_counter()
        if method == "reference":
            made = [answer(rows[i]) for i in test]
        elif method == "attributes":
            made = ["，".join(v for _, v in attributes(rows[i])) for i in test]
        elif method == "scratch":
            made = from_scratch(rows, test, args.steps)
        elif method == "nearest":
            made = [answer(nearest(rows, rows[i], 1)[0]) for i in test]
        elif method == "template":
            made = ["".join(c.body for c in CopyWriter().write(product(rows[i]), channel="description", n=1)) for i in test]
        else:
            shots = args.shots if method == "few" else 0
            made = by_llm(args, rows, test, shots, Path(args.cache) / f"{method}{shots or ''}-{args.llm}{'-transformers' * (args.engine == 'transformers')}.jsonl")
        table.append({"method": method, "llm": args.llm or "", "engine": args.engine if args.llm else "", "rows": len(test), "samples": args.samples} | figures(made, [rows[i] for i in test])
                     | {"seconds": round(time.perf_counter() - start, 1)})
    report("advertisegen", table)


if __name__ == "__main__":
    main()
