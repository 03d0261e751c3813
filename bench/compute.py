"""Seconds of a training step of e5-small by way of training, length and batch, against what `compute.training_seconds` says beforehand (chapter nbs/faq/compute.ipynb).

float32, one thread, AdamW, random pieces; processor seconds (median of three steps after one that does not count). `training_seconds` measures networks of one and
three layers of e5-small's width on this machine, on at most 1,024 tokens; the twelve layers and the larger batches are new to it.
Run: ECOM_THREADS=1 OMP_NUM_THREADS=1 python bench/compute.py      (two minutes)
Appends one JSON line to bench/results/compute.jsonl.
"""
from __future__ import annotations

import argparse
import time

import torch
from common import median, report

from ecom_nbdev.classify import add_lora, base_encoder
from ecom_nbdev.compute import MODES, training_seconds
from ecom_nbdev.core import set_threads

LENGTHS, BATCHES = (16, 32, 64, 128, 256), (4, 16)


def train_only(net, mode: str) -> None:
    "Let the weights of `mode` of a BERT be trained, and no others; LoRA of rank 16 is put in."
    net.requires_grad_(mode == "full")
    if mode == "half":
        for layer in net.encoder.layer[len(net.encoder.layer) // 2:]:
            layer.requires_grad_(True)
    if mode == "lora":
        add_lora(net, 16, 0)


def encoder(mode: str):
    "e5-small of which the weights of `mode` are trained, with a head for two classes: (network, head)."
    import copy
    net = copy.deepcopy(base_encoder("e5-small", "cpu")[0]).train()
    train_only(net, mode)
    return net, torch.nn.Linear(net.config.hidden_size, 2)


def step_seconds(net, head, mode: str, length: int, batch: int) -> float:
    "Median processor seconds of a step."
    trained = [p for p in (*net.parameters(), *head.parameters()) if p.requires_grad]
    optimizer, ids, y = torch.optim.AdamW(trained, lr=0.0, fused=True), torch.randint(5, 50_000, (batch, length)), torch.randint(2, (batch,))
    found = []
    for _ in range(4):
        start = time.process_time()
        with torch.set_grad_enabled(mode != "head"):
            vectors = net(input_ids=ids).last_hidden_state.mean(1)
        torch.nn.functional.cross_entropy(head(vectors), y).backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(time.process_time() - start)
    return median(found[1:])


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    set_threads()
    torch.manual_seed(0)
    rows = []
    for mode in MODES:
        net, head = encoder(mode)
        for length in LENGTHS:
            for batch in BATCHES:
                s = step_seconds(net, head, mode, length, batch)
                said = training_seconds("e5-small", batch, mode, batch, length)
                rows.append({"mode": mode, "length": length, "batch": batch, "s": round(s, 4), "said": round(said, 4), "ratio": round(said / s, 3)})
    report("compute", rows)


if __name__ == "__main__":
    main()
