"""Speed of a language model: tokens a second when writing, seconds to load, on this machine with nothing else running.

Run: python bench/llm.py [--model qwen2.5-1.5b] [--runs 5]
"""
from __future__ import annotations

import argparse
import time

from common import median, report

from ecom_nbdev.models import load_llm

PROMPT = "为一款豆腐猫砂写一段一百字左右的商品介绍，只说事实：原料是豌豆，遇水结团，可冲厕所，6 升一包。"


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", default="qwen2.5-1.5b")
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--tokens", type=int, default=96)
    args = ap.parse_args()
    start = time.perf_counter()
    llm = load_llm(args.model, n_ctx=2048)
    loaded = time.perf_counter() - start
    llm.generate(PROMPT, max_tokens=8)
    writing, whole = [], []
    for seed in range(args.runs):
        start = time.perf_counter()
        llm.generate(PROMPT, max_tokens=args.tokens, seed=seed)
        seconds = time.perf_counter() - start
        whole.append(llm.usage["completion_tokens"] / seconds)
        writing.append(llm.usage.get("tokens_per_second") or whole[-1])
    report("llm", [{"model": args.model, "load_s": round(loaded, 2), "tokens_per_s": round(median(writing), 1), "min": round(min(writing), 1),
                    "max": round(max(writing), 1), "with_prompt_per_s": round(median(whole), 1), "runs": args.runs}])


if __name__ == "__main__":
    main()
