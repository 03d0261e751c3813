"""Waiting threads on a busy machine: one training step by the way OpenMP waits, with other processes at work and without (chapter nbs/practice/core.ipynb).

A step: forward, backward and AdamW of a BERT (4 layers, 256 wide) on 32 texts of 16 tokens, all threads. Waiting `spin` is the default of the OpenMP library
(a thread that waits goes round in circles), `sleep` is OMP_WAIT_POLICY=PASSIVE, `short spin` GOMP_SPINCOUNT=10000, which `ecom_nbdev.core` sets. Each cell is a process of its own, medians.
Run: python bench/threads.py [--steps 30]      (two minutes; appends to bench/results/threads.jsonl)
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

from common import median, report


def one(steps: int) -> float:
    "Median milliseconds of a step."
    import torch
    from transformers import BertConfig, BertModel
    torch.manual_seed(0)
    net = BertModel(BertConfig(vocab_size=3000, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024))
    optimizer, x = torch.optim.AdamW(net.parameters(), fused=True), torch.randint(0, 3000, (32, 16))
    seconds = []
    for _ in range(steps + 3):
        start = time.perf_counter()
        optimizer.zero_grad()
        net(input_ids=x).last_hidden_state.square().mean().backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return 1000 * median(seconds[3:])


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--steps", type=int, default=30)
    ap.add_argument("--one", action="store_true", help="time the steps of this process (used by the command itself)")
    args = ap.parse_args()
    if args.one:
        print(json.dumps(one(args.steps)))
        return
    from ecom_nbdev.core import n_threads
    rows = []
    env = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")} | {"OMP_NUM_THREADS": str(n_threads())}
    for busy in (0, n_threads()):
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
        try:
            ms = {wait: json.loads(subprocess.run([sys.executable, __file__, "--one", "--steps", str(args.steps)], check=True, capture_output=True, text=True,
                                                  env=env | extra).stdout.splitlines()[-1])
                  for wait, extra in (("spin", {}), ("sleep", {"OMP_WAIT_POLICY": "PASSIVE"}), ("short spin", {"GOMP_SPINCOUNT": "10000"}))}
        finally:
            for p in others:
                p.kill()
        rows += [{"other_processes": busy, "waiting": wait, "ms": round(v, 1), "times": round(ms["spin"] / v, 2)} for wait, v in ms.items()]
    report("threads", rows)


if __name__ == "__main__":
    main()
