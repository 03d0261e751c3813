"""Seconds of encoders of many sizes against the operations they need, and what the package's own models cost.

    ECOM_THREADS=1 OMP_NUM_THREADS=1 python bench/cost.py            # forward and training steps of BERTs with random weights, the small for fitting, the large for testing: cost.jsonl and data/cost_points.csv (two minutes)
    ECOM_THREADS=1 OMP_NUM_THREADS=1 python bench/cost.py --models   # embedding, classifying, tagging and fine-tuning with the package's models: cost_models.jsonl (three minutes)
    ... --quick     # a few sizes, for trying; nothing is recorded

Seconds are processor time of one thread (medians), which other work on the machine moves little. The parts `fit` and `test` are told apart by size before anything is measured.
"""
from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd
import torch
from common import median, report

from ecom_nbdev.core import write_table
from ecom_nbdev.cost import SHAPES, Shape, forward_flops, measured_peak, training_flops

FIT = [(2, 128, 16, 8), (2, 128, 64, 8), (2, 192, 32, 16), (4, 128, 32, 16), (4, 256, 32, 8), (4, 256, 64, 8), (6, 192, 64, 8), (4, 384, 32, 8), (6, 256, 48, 16), (6, 384, 32, 8)]
TEST = [(12, 384, 64, 8), (12, 384, 128, 8), (8, 512, 64, 16), (12, 768, 64, 4), (12, 768, 128, 8)]      # layers, width, tokens, texts


def seconds(job, runs: int) -> float:
    "Median processor seconds of `job`, after one call that does not count."
    job()
    found = []
    for _ in range(runs):
        start = time.process_time()
        job()
        found.append(time.process_time() - start)
    return median(found)


def bert(layers: int, d: int):
    "A BERT of that size with random weights."
    from transformers import BertConfig, BertModel
    torch.manual_seed(0)
    return BertModel(BertConfig(vocab_size=2000, hidden_size=d, num_hidden_layers=layers, num_attention_heads=d // 64, intermediate_size=4 * d), add_pooling_layer=False)


def sizes(quick: bool) -> list[dict]:
    "A forward pass and a training step (backward and AdamW) of each size."
    rows = []
    for part, configs in (("fit", FIT), ("test", TEST)):
        for layers, d, length, batch in configs[:3] if quick else configs:
            model, ids = bert(layers, d), torch.randint(5, 1999, (batch, length))
            optimizer = torch.optim.AdamW(model.parameters(), fused=True)

            def forward(model=model, ids=ids):
                with torch.inference_mode():
                    model.eval()(input_ids=ids)

            def step(model=model, ids=ids, optimizer=optimizer):
                optimizer.zero_grad()
                model.train()(input_ids=ids).last_hidden_state.square().mean().backward()
                optimizer.step()

            shape = Shape(layers, d, 4 * d, 2000)
            for task, job, flops in (("predict", forward, forward_flops(shape, batch * length, length)), ("train", step, training_flops(shape, batch * length, length))):
                rows.append({"task": task, "part": part, "layers": layers, "d": d, "length": length, "batch": batch, "flops": flops, "s": round(seconds(job, 1 if quick else 3), 5)})
                rows[-1]["gflop_per_s"] = round(flops / rows[-1]["s"] / 1e9, 1)
    peak = measured_peak(1024, 9)
    return [*rows, {"task": "peak", "part": "-", "flops": 2 * 1024**3, "s": round(2 * 1024**3 / peak, 5), "gflop_per_s": round(peak / 1e9, 1)}]


def models(quick: bool) -> list[dict]:
    "Processor seconds of the package's models on reviews from templates, and the operations that the formula gives for their tokens."
    import tempfile

    from scale import texts

    from ecom_nbdev.classify import TextClassifier
    from ecom_nbdev.models import Embedder
    from ecom_nbdev.tagging import Tagger
    n = 16 if quick else 128
    said, shape, rows = texts(n), SHAPES["e5-small"], []
    clf, embedder, tagger = TextClassifier.load("sentiment"), Embedder(remember=0), Tagger.pretrained()
    lengths = [len(i) for i in clf.net_.tokenize(said)]
    once = sum(forward_flops(shape, length, length) for length in lengths)

    def add(model: str, task: str, job, flops: float, runs: int = 3) -> None:
        s = seconds(job, 1 if quick else runs)
        rows.append({"model": model, "task": task, "rows": n, "tokens": sum(lengths), "gflop_per_row": round(flops / n / 1e9, 3), "cpu_s_per_1000": round(1000 * s / n, 2), "gflop_per_s": round(flops / s / 1e9, 1)})

    add("e5-small，PyTorch", "向量", lambda: embedder.encode(said), once)
    add("情感分类，PyTorch", "分类", lambda: clf.net_.vectors(said), once)
    with tempfile.TemporaryDirectory() as folder:
        clf.export_onnx(folder)
        add("情感分类，ONNX int8", "分类", lambda: clf.predict_proba(said), once)
    add("标注，PyTorch", "标注", lambda: tagger.predict(said), once)
    y = [i % 2 for i in range(n)]
    for mode, frozen in (("full", 0), ("full", 6), ("lora", 6)):
        tuned = TextClassifier(mode=mode, epochs=1, freeze_layers=frozen, precision="float32", calibrate=False)
        flops = sum(training_flops(shape, length, length, frozen) for length in lengths)
        add(f"微调 {mode}，冻结 {frozen} 层", "训练一轮", lambda tuned=tuned: tuned.fit(said, y, eval_set=(said[:2], y[:2])), flops, runs=1)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", action="store_true", help="the package's own models")
    parser.add_argument("--quick", action="store_true", help="a few sizes; nothing is recorded")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = models(args.quick) if args.models else sizes(args.quick)
    if args.quick:
        print(*found, sep="\n")
    else:
        report("cost_models" if args.models else "cost", found)
        if not args.models:
            write_table(Path(__file__).parent.parent / "data" / "cost_points.csv", pd.DataFrame(found).drop(columns="gflop_per_s"))
