"""Compression: what the notebook cannot hold: resumed distillation, saved and reloaded variants, failing processes, awkward classifiers, bad options."""
from __future__ import annotations

import copy
import importlib.util
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecom_nbdev import compress as c
from ecom_nbdev.classify import TextClassifier, TextNet
from ecom_nbdev.core import EcomError

WORDS = ["质量", "很好", "物流", "太慢", "不错", "退货", "喜欢"]
TEXTS = ["，".join(np.random.default_rng(i).choice(WORDS, 3)) for i in range(60)]


def tiny(layers: int = 3, seed: int = 0) -> TextClassifier:
    "A random classifier of 16 dimensions and 4 heads."
    import torch
    from transformers import BertConfig, BertModel

    from ecom_nbdev.models import build_tokenizer
    torch.manual_seed(seed)
    chars = sorted({ch for w in WORDS for ch in w} | {"，"})
    pieces = [(p, 0.0) for p in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")] + [("▁", -2.0)] + [(p, -3.0) for p in chars] + [(w, -2.0) for w in WORDS]
    config = BertConfig(vocab_size=len(pieces), hidden_size=16, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=32, max_position_embeddings=40,
                        pad_token_id=1, bos_token_id=0, eos_token_id=2, initializer_range=0.2)
    clf = TextClassifier(mode="full", max_length=32)
    clf.net_ = TextNet(BertModel(config).eval(), build_tokenizer(pieces), 2, 0, "", 32)
    clf.classes_, clf.n_train_, clf.history_ = np.array(["差", "好"]), 0, []
    clf.lexical_ = clf.mixer_ = clf.prior_ = None
    return clf


@pytest.fixture(scope="module")
def clf():
    return tiny()


@pytest.mark.parametrize("change", [lambda m: c.prune_magnitude(m, 0.4), lambda m: c.prune_magnitude(m, pattern="2:4"), lambda m: c.prune_heads(m, TEXTS, 2),
                                    lambda m: c.prune_neurons(m, TEXTS, 0.5), lambda m: c.drop_layers(m, [0, 2]), lambda m: c.low_rank(m, 6), lambda m: c.trim_vocabulary(m, TEXTS[:3])])
def test_saved_like_any_other_and_the_same_in_onnx(clf, change, tmp_path):
    before = clf.predict_proba(TEXTS)
    made = change(clf)
    proba = made.predict_proba(TEXTS)
    assert np.array_equal(clf.predict_proba(TEXTS), before), "the original is left alone"
    back = TextClassifier.load(made.save(tmp_path / "saved"))
    back.net_.bf16 = made.net_.bf16                # where the processor has bfloat16, a loaded classifier uses it
    assert np.allclose(back.predict_proba(TEXTS), proba, atol=1e-6)
    assert np.allclose(TextClassifier.load(c.export(made, tmp_path / "onnx", None)).predict_proba(TEXTS), proba, atol=1e-4)
    assert np.abs(proba - before).max() > 1e-6


def test_steps_may_follow_each_other(clf, tmp_path):
    made = c.prune_heads(c.prune_neurons(c.drop_layers(c.trim_vocabulary(clf, TEXTS), 2), TEXTS, 0.5), TEXTS, 1)
    onnx = TextClassifier.load(c.export(made, tmp_path / "all", None))
    assert np.allclose(onnx.predict_proba(TEXTS), made.predict_proba(TEXTS), atol=1e-4)
    weights = sum(p.numel() for p in c.without_dead_heads(made).net_.encoder.encoder.parameters())
    attention, feed = 4 * 16 * 12 + 3 * 12 + 16, 2 * 16 * 16 + 16 + 16
    assert weights == 2 * (attention + feed + 4 * 16)


def test_layers_with_unequal_numbers_of_dead_heads(clf):
    made = c.prune_heads(clf, TEXTS, 1)
    other = c.prune_heads(made, TEXTS, 3)
    c.layers_of(made)[0].attention.output.dense.weight.data.copy_(c.layers_of(other)[0].attention.output.dense.weight.data)
    small = c.without_dead_heads(made)
    assert small.net_.encoder.config.num_attention_heads == 3, "the fullest layer decides"
    assert np.allclose(small.predict_proba(TEXTS), made.predict_proba(TEXTS), atol=1e-6)


def test_a_distillation_that_was_interrupted_ends_with_the_same_weights(tmp_path, monkeypatch):
    from ecom_nbdev import training
    targets = np.random.default_rng(0).dirichlet([1, 1], len(TEXTS))
    options = {"student": tiny(1, 5), "targets": targets, "epochs": 2, "learning_rate": 1e-3, "train_tokens": 4}
    whole = c.distill(tiny(), TEXTS, **options)
    step, calls = training.one_step, []

    def broken(*args):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return step(*args)

    monkeypatch.setattr(training, "one_step", broken)
    with pytest.raises(KeyboardInterrupt):
        c.distill(tiny(), TEXTS, checkpoint=tmp_path, **options)
    monkeypatch.setattr(training, "one_step", step)
    again = c.distill(tiny(), TEXTS, checkpoint=tmp_path, resume=True, **options)
    for a, b in zip(whole.net_.encoder.parameters(), again.net_.encoder.parameters(), strict=True):
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())
    assert again.history_ == whole.history_ and again.net_.train_tokens is None


def test_the_student_has_the_temperature_in_its_head():
    teacher = tiny(2, 1)
    kept = c.distill(teacher, TEXTS, [0], epochs=1, learning_rate=0.0, temperature=4.0)
    assert np.abs(kept.predict_proba(TEXTS) - c.drop_layers(teacher, [0]).predict_proba(TEXTS)).max() < 0.1, "divided for the training, multiplied back after it"


def test_soft_targets_at_the_limits():
    p = np.array([[0.99, 0.01], [0.5, 0.5], [1.0, 0.0]])
    assert np.allclose(c.soft_targets(p, 1e6), 0.5, atol=1e-4) and np.allclose(c.soft_targets(p, 1.0), p, atol=1e-6)
    assert np.isfinite(c.soft_targets(p, 0.5)).all() and np.allclose(c.soft_targets(p, 3.0).sum(1), 1)
    assert np.array_equal(c.soft_targets(p, 2.0, np.array([0, 1, 1]), 1.0), [[1, 0], [0, 1], [0, 1]])


@pytest.mark.parametrize("method", c.QUANTIZERS)
def test_quantized_weights_are_near(clf, method, tmp_path):
    import onnx
    c.export(clf, tmp_path / "float", None)
    made = TextClassifier.load(c.quantize(tmp_path / "float", tmp_path / method, method, TEXTS[:16]))
    assert np.abs(made.predict_proba(TEXTS) - clf.predict_proba(TEXTS)).max() < 0.1 and made.classes_.tolist() == ["差", "好"]
    ops = {n.op_type for n in onnx.load(tmp_path / method / "model.onnx").graph.node}
    assert ({"MatMulNBits", "GatherBlockQuantized"} <= ops) if method == "int4" else "MatMul" not in ops


def test_four_bits_are_within_half_a_step(tmp_path):
    import onnx
    from onnxruntime import InferenceSession
    w = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)
    h = onnx.helper
    graph = h.make_graph([h.make_node("Gather", ["w", "i"], ["y"])], "g", [h.make_tensor_value_info("i", 7, ["n"])], [h.make_tensor_value_info("y", 1, ["n", 32])],
                         [onnx.numpy_helper.from_array(w, "w")])
    made = c._four_bits(h.make_model(graph, opset_imports=[h.make_opsetid("", 23), h.make_opsetid("com.microsoft", 1)], ir_version=11), ["Gather"])
    y = InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"i": np.arange(64)})[0]
    step = np.abs(w).max(1, keepdims=True) / 8
    assert (np.abs(y - w) <= step * 1.001).all() and np.mean(np.abs(y - w) <= step / 2 * 1.001) > 0.95, "the largest of a group may be cut by a whole step"
    assert len({len(np.unique(r)) for r in y}) >= 1 and max(len(np.unique(r)) for r in y) <= 16


def test_classifiers_that_cannot_be_compressed(clf, tmp_path):
    mixed, other = copy.copy(clf), copy.copy(clf)
    mixed.mixer_ = (np.zeros((2, 2)), np.zeros(2))
    other.net_ = copy.copy(clf.net_)
    other.net_.encoder = copy.deepcopy(clf.net_.encoder)
    other.net_.encoder.config.hidden_act = "relu"
    onnx = TextClassifier.load(c.export(clf, tmp_path / "onnx", None))
    for bad, why in ((mixed, "字符 n-gram"), (other, "relu"), (onnx, "没有可以导出的权重"), (TextClassifier(), "请先调用 fit"), (tmp_path, "classifier.json"), ("no-such", "classifier.json")):
        with pytest.raises(EcomError, match=why) as heard:
            c.prune_magnitude(bad, 0.5)
        assert "\n" not in str(heard.value)


def test_bad_options(clf, tmp_path):
    for job, why in ((lambda: c.prune_magnitude(clf, 0.5, "4:8"), "pattern='4:8'"), (lambda: c.prune_neurons(clf, TEXTS, math.nan), "sparsity=nan"), (lambda: c.prune_heads(clf, TEXTS, -1), "drop=-1"),
                     (lambda: c.drop_layers(clf, [0, 5]), r"keep=\[0, 5\]"), (lambda: c.drop_layers(clf, -1), "keep=-1"), (lambda: c.distill(clf, TEXTS, epochs=-1), "epochs=-1"),
                     (lambda: c.distill(clf, TEXTS, hard=math.nan), "hard=nan"), (lambda: c.distill(clf, TEXTS, temperature=-1), "temperature=-1"), (lambda: c.distill(clf, TEXTS, 9), "keep=9"),
                     (lambda: c.distill(clf, TEXTS, targets=np.ones((3, 2))), "targets 有 3 个"), (lambda: c.distill(clf, [*TEXTS, None]), "第 61 条不是文本"),
                     (lambda: c.quantize(tmp_path, tmp_path / "x"), "onnx.json"), (lambda: c.quantize(tmp_path, tmp_path / "x", "int2"), "method='int2'"),
                     (lambda: c.small_table(tmp_path, tmp_path / "x"), "onnx.json"), (lambda: c.measure(lambda t: t, ["a", None], [1, 2]), "第 2 条不是文本"),
                     (lambda: c.pareto(pd.DataFrame({"mb": [1]})), "缺少列 cpu_s"), (lambda: c.pareto(pd.DataFrame({"mb": [1]}), [], []), "至少给出一列")):
        with pytest.raises(EcomError, match=why):
            job()
    assert not (tmp_path / "x").exists()


def test_a_folder_without_a_classifier_and_a_process_that_fails(clf, tmp_path):
    with pytest.raises(EcomError, match="没有分类器"):
        c.measure_fresh(tmp_path, ["a"], [1])
    c.export(clf, tmp_path / "onnx", None)
    (tmp_path / "onnx/model.onnx").write_bytes(b"no graph")
    with pytest.raises(EcomError, match="不完整或被改动过"):
        c.measure_fresh(tmp_path / "onnx", ["a"], [1])
    with pytest.raises(EcomError, match="进程失败了：.*ModuleNotFoundError"):
        c.measure_fresh(tmp_path / "onnx", ["a"], [1], opener="no_such_module_here:open")


def test_pareto_against_the_definition():
    t = pd.DataFrame(np.random.default_rng(0).integers(0, 4, (60, 3)), columns=["mb", "cpu_s", "accuracy"])
    v = t.to_numpy() * [1, 1, -1]
    by_hand = [not any((o <= r).all() and (o < r).any() for o in v) for r in v]
    assert c.pareto(t).tolist() == by_hand and 0 < sum(by_hand) < 60


def test_import_is_light():
    code = "import sys, ecom_nbdev.compress; print([m for m in ('torch', 'transformers', 'onnxruntime') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_every_row_of_the_bench_is_named_and_buildable():
    sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))
    try:
        spec = importlib.util.spec_from_file_location("bench_compress", Path(__file__).parent.parent / "bench/compress.py")
        bench = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(bench)
    finally:
        sys.path.pop(0)
    got = {"mb": 1.0, "rss_mb": 2.0, "p50_ms": 3.0, "texts_per_s": 80.0, "accuracy": 0.5, "low": 0.4, "high": 0.6, "cpu_s": 1.0, "joules": None, "right": [1, 0, 1, 0]}
    line = bench.row("int8", got, got | {"texts_per_s": 2.0, "right": [1, 1, 1, 0]})
    assert line["times"] == 40 and line["points_lost"] == 25 and line["lost_low"] <= 25 <= line["lost_high"] and line["joules"] is None
    assert set(bench.NEEDS) | {n for need in bench.NEEDS.values() for n in need} <= set(bench.ROWS) and next(iter(bench.ROWS)) == "article"
