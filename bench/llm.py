"""Speed of a language model on this machine with nothing else running: seconds to load and to the first token, tokens a second, memory.

Run: python bench/llm.py [--model qwen2.5-1.5b] [--runs 5]                      llama.cpp
     python bench/llm.py --engines llama.cpp transformers --model qwen2.5-0.5b   and Transformers on the same weights (the GGUF file, turned back into bfloat16 where the processor multiplies it, else float32) and prompts
     python bench/llm.py --batch 8                                              eight prompts at a time against one by one
     python bench/llm.py --prefix                                               a long common beginning, read for the first time and again (llama.cpp keeps it)
Each engine runs in a process of its own; medians over the runs. Appends one JSON line to bench/results/llm.jsonl.
"""
from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

from common import median, report

from ecom_nbdev.models import load_llm, resolve

THINGS = ("豆腐猫砂", "保温杯", "羽绒服", "儿童绘本", "保湿面霜", "跑步鞋", "护眼台灯", "空气炸锅")
PROMPT = "为一款{}写一段一百字左右的商品介绍，只说事实，不要夸张。"


RULES = "只写资料里有的事实；不写没有依据的数字、产地、材质、功效与认证；不用绝对化的词；语气像朋友介绍；句子短。" * 12


def again(llm, runs: int) -> dict:
    "Seconds to the first token of prompts that begin alike: one whose beginning is new, and the ones after it; tokens that were not read again."
    new, kept, saved = [], [], []
    for run in range(runs):
        for i, thing in enumerate(THINGS[:3]):
            chat = [{"role": "system", "content": f"第 {run} 版规矩。{RULES}"}, {"role": "user", "content": PROMPT.format(thing)}]
            start = time.perf_counter()
            llm.chat(chat, max_tokens=1, seed=run)
            (kept if i else new).append(time.perf_counter() - start)
            saved += [llm.usage["cached_tokens"]] if i else []
    return {"prompt_tokens": llm.usage["prompt_tokens"], "new_s": median(new), "again_s": median(kept), "cached_tokens": median(saved), "times": median(new) / median(kept)}


def one(engine: str, model: str, runs: int, tokens: int, parallel: int, prefix: bool = False) -> dict:
    "Measurements of one engine in this process."
    start = time.perf_counter()
    name = f"hf:{resolve(model)}" if engine == "transformers" else model
    llm = load_llm(name, n_ctx=1024, parallel=parallel, isolated=False)
    row = {"engine": engine, "model": model, "precision": str(llm.model.dtype).removeprefix("torch.") if engine == "transformers" else "GGUF", "load_s": time.perf_counter() - start}
    if prefix:
        return row | again(llm, runs) | memory()
    if parallel > 1:
        return row | batches(llm, runs, tokens, parallel) | memory()
    llm.generate(PROMPT.format(THINGS[-1]), max_tokens=8)
    first, writing, whole = [], [], []
    for seed in range(runs):
        chat = [{"role": "user", "content": PROMPT.format(THINGS[seed % len(THINGS)])}]
        start = time.perf_counter()
        n, pieces = 0, llm.chat(chat, max_tokens=tokens, seed=seed, stream=True)
        for piece in pieces:
            first += [time.perf_counter() - start] if not n else []
            n += len(piece)
        start = time.perf_counter()
        llm.chat(chat, max_tokens=tokens, seed=seed)
        seconds, made = time.perf_counter() - start, llm.usage["completion_tokens"]
        whole.append(made / seconds)
        writing.append(llm.usage.get("tokens_per_second") or (made - 1) / (seconds - first[-1]))
    return row | {"first_token_s": median(first), "tokens_per_s": median(writing), "min": min(writing), "max": max(writing), "with_prompt_per_s": median(whole)} | memory()


def batches(llm, runs: int, tokens: int, parallel: int) -> dict:
    "Tokens a second of `parallel` prompts one by one and together, median of `runs`."
    chats = [[{"role": "user", "content": PROMPT.format(t)}] for t in (THINGS * parallel)[:parallel]]
    alone, together = [], []
    for seed in range(runs):
        for ways, ask in ((alone, lambda **kw: [llm.chat(c, **kw) for c in chats]), (together, lambda **kw: llm.chat_batch(chats, **kw))):
            before, start = llm.total["completion_tokens"], time.perf_counter()
            ask(max_tokens=tokens, seed=seed)
            ways.append((llm.total["completion_tokens"] - before) / (time.perf_counter() - start))
    return {"parallel": parallel, "one_by_one_per_s": median(alone), "together_per_s": median(together), "times": median(together) / median(alone)}


def memory() -> dict:
    "Largest resident memory of this process so far."
    return {"peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", default="qwen2.5-1.5b")
    ap.add_argument("--engines", nargs="+", default=["llama.cpp"], choices=["llama.cpp", "transformers"])
    ap.add_argument("--batch", type=int, default=1, help="so many prompts at a time")
    ap.add_argument("--prefix", action="store_true")
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--tokens", type=int, default=96)
    ap.add_argument("--one", action="store_true", help="measure the one engine in this process (used by the command itself)")
    args = ap.parse_args()
    if args.one:
        print(json.dumps(one(args.engines[0], args.model, args.runs, args.tokens, args.batch, args.prefix)))
        return
    rows = []
    for engine in args.engines:
        command = [sys.executable, __file__, "--one", "--engines", engine, "--model", args.model, "--runs", str(args.runs), "--tokens", str(args.tokens), "--batch", str(args.batch), *["--prefix"] * args.prefix]
        row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
        rows.append({k: round(v, 2) if isinstance(v, float) else v for k, v in row.items()} | {"runs": args.runs})
    report("llm", rows)


if __name__ == "__main__":
    main()
