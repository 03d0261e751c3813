"""Explanations: games with known Shapley values, Captum's integrated gradients, awkward texts and classifiers, words and offsets (the notebook holds the rest)."""
from __future__ import annotations

import html
import itertools
import math
import re
import warnings

import numpy as np
import pytest

from ecom_nbdev import explain as ex
from ecom_nbdev.core import EcomError
from ecom_nbdev.explain import (
    METHODS,
    WordWeight,
    attention_maps,
    counterfactual,
    evidence_check,
    explain,
    faithfulness,
    rollout,
    shapley,
    swap_test,
    to_html,
    token_shares,
    word_spans,
)

SENTENCE = "包装很漂亮，可是两天就坏了"


class Toy:
    "Log-odds of `classes_[1]` are a sum over characters; `calls` counts the texts that were asked."
    classes_ = np.array(["坏", "好"])

    def __init__(self, **weights: float):
        self.weights, self.calls = weights, 0

    def predict_proba(self, texts):
        self.calls += len(texts)
        z = np.array([sum(w * t.count(c) for c, w in self.weights.items()) for t in texts], float)
        return np.stack([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))], 1)


class Three:
    "Three classes: a text speaks for the class of the letters it has most."
    classes_ = np.array(["a", "b", "c"])

    def predict_proba(self, texts):
        z = np.array([[t.count(c) for c in "abc"] for t in texts], float)
        return np.exp(z) / np.exp(z).sum(1, keepdims=True)


@pytest.fixture(scope="module")
def clf():
    from ecom_nbdev.classify import TextClassifier
    return TextClassifier.load("sentiment")


def exact_shapley(value, n: int) -> np.ndarray:
    "By the definition, over all subsets."
    found = np.zeros(n)
    for i in range(n):
        rest = [j for j in range(n) if j != i]
        for size in range(n):
            for s in itertools.combinations(rest, size):
                keep = np.zeros((2, n), bool)
                keep[:, list(s)] = True
                keep[1, i] = True
                low, high = value(keep)
                found[i] += math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n) * (high - low)
    return found


def test_shapley_comes_near_the_definition():
    table = np.random.default_rng(0).normal(size=32)
    def value(keep):
        return table[keep @ (1 << np.arange(5))]
    exact = exact_shapley(value, 5)
    assert np.isclose(exact.sum(), table[31] - table[0])
    few, many = (shapley(value, 5, n, seed=1) for n in (2, 2000))
    assert np.abs(many - exact).max() < 0.1 < np.abs(few - exact).max() and np.isclose(few.sum(), exact.sum())


def test_weights_of_a_sum_come_back_for_either_label():
    toy = Toy(好=2.0, 慢=-1.0)
    for method in ("occlusion", "shapley"):
        assert np.allclose([w.weight for w in explain(toy, "好 的 慢", method, label="好")], [2, 0, -1])
        assert np.allclose([w.weight for w in explain(toy, "好 的 慢", method, label="坏")], [-2, 0, 1])
    assert [w.weight > 0 for w in explain(toy, "好 的 慢")] == [True, False, False]


def test_more_than_two_classes():
    weights = explain(Three(), "a a b", label="b")
    p = Three().predict_proba(["a a b", "a a "])[:, 1]
    assert np.isclose(weights[2].weight, np.subtract(*np.log(p / (1 - p)))) and weights[0].weight < 0 < weights[2].weight


def test_one_question_for_the_same_text():
    toy = Toy(好=1.0)
    explain(toy, "好 好 好", "shapley", label="好", samples=8)
    assert toy.calls <= 8, "三个词至多八个子集"


@pytest.mark.parametrize("text", ["a b\n好的，ok\t!!", "😀很好👍🏽", "ｆｕｌｌ　宽度", "  前后有空格 很好  ", "a" * 300 + " 好"])
def test_words_are_those_of_the_original(clf, text):
    for method in METHODS if len(text) < 50 else ("gradient",):
        found = explain(clf, text, method, samples=2)
        assert all(text[w.start:w.end] == w.word and np.isfinite(w.weight) for w in found)
        assert "".join(w.word for w in found) == "".join(text.split()).replace("\u3000", "")
    assert re.sub("<[^>]+>", "", to_html(found, text).replace("<sup>+</sup>", "").replace("<sup>−</sup>", "")) == html.escape(text)


def test_a_token_over_two_words_is_shared_by_characters():
    assert np.allclose(token_shares(np.array([[0, 0], [1, 4]]), [(0, 2), (2, 4)]), [[0, 0], [1 / 3, 2 / 3]])


def test_seed_decides(clf):
    one, same, other = ([w.weight for w in explain(clf, SENTENCE, "shapley", samples=2, seed=s)] for s in (0, 0, 1))
    assert one == same != other and np.isclose(sum(one), sum(other), atol=1e-3)


def points(clf, text: str):
    "(net, embeddings of the text, of the baseline, share of tokens by word) as integrated gradients see them."
    ids, _, pieces = ex._pieces(clf.net_, text)
    shares = token_shares(pieces, word_spans(text))
    blank = [clf.net_.pad if own else i for i, own in zip(ids, shares.any(1), strict=True)]
    return clf.net_, ex._embed(clf.net_, ids), ex._embed(clf.net_, blank), shares


def test_integrated_gradients_are_those_of_captum(clf):
    attr = pytest.importorskip("captum.attr", reason="pip install -e '.[explain]'")
    import torch
    net, x, base, shares = points(clf, SENTENCE)
    def forward(hidden):
        z = net.head(net.through(hidden, torch.ones(hidden.shape[:2], dtype=torch.int64), 0))
        return z[:, 1] - z[:, 0]
    theirs = attr.IntegratedGradients(forward).attribute(x, base, n_steps=32, internal_batch_size=32)[0].sum(-1).detach().numpy()
    ours = ex.integrated_gradients(net, x, base, 1, steps=32, error=np.inf)
    assert np.allclose(ours, theirs, atol=1e-3) and np.abs(theirs).max() > 0.5
    simple = attr.InputXGradient(forward).attribute(x.clone().requires_grad_())[0].sum(-1).detach().numpy()
    assert np.allclose(ex.gradient_input(net, x, 1), simple, atol=1e-4)
    assert np.allclose([w.weight for w in explain(clf, SENTENCE, "gradient", label=1)], simple @ shares, atol=1e-4)


def test_integrated_gradients_are_complete(clf):
    import torch
    net, x, base, _ = points(clf, SENTENCE)
    low, high = ex._gradients(net, torch.cat([base, x]), 1)[0].tolist()
    weights = explain(clf, SENTENCE, "integrated_gradients", label=1)
    assert abs(sum(w.weight for w in weights) - (high - low)) <= 0.05 * max(1, abs(high - low)) and abs(high - low) > 0.5
    opposite = explain(clf, SENTENCE, "integrated_gradients", label=0)
    assert np.allclose([w.weight for w in weights], [-w.weight for w in opposite], atol=1e-4), "两类的对数几率互为相反数"


def test_maps_are_the_attention_of_the_encoder(clf):
    import copy

    import torch
    tokens, maps = attention_maps(clf, SENTENCE)
    encoder = copy.deepcopy(clf.net_.encoder)
    encoder.set_attn_implementation("eager")
    ids = torch.tensor([ex._pieces(clf.net_, SENTENCE)[0]])
    with torch.no_grad():
        theirs = torch.cat(encoder(input_ids=ids, attention_mask=torch.ones_like(ids), output_attentions=True).attentions).numpy()
    assert maps.shape == theirs.shape and np.allclose(maps, theirs, atol=1e-4) and len(tokens) == maps.shape[-1]
    flow = rollout(maps)
    assert np.allclose(flow.sum(1), 1, atol=1e-5) and (flow > 0).all()


def test_a_long_text_is_cut_and_said(clf):
    text = "质量很好。" * 2000
    with pytest.warns(UserWarning, match="只读前") as heard:
        found = explain(clf, text, "attention")
    assert len(heard) == 1 and found[-1].end < 600 and all(text[w.start:w.end] == w.word for w in found)
    toy = Toy(好=0.01)
    with pytest.warns(UserWarning, match="只读前 128 个"):
        assert len(explain(toy, text, "occlusion")) == 128
    with pytest.warns(UserWarning, match="只读前 128 个"):
        assert toy.calls < 300 and counterfactual(toy, text, max_changes=1) is None


@pytest.mark.parametrize(("text", "match"), [("", "文本是空的"), (" \n\t", "文本是空的"), ("好", "只有一个词"), ("\ud800坏", "半个码位"), (None, "NoneType"), (3.5, "float"), (["好"], "list"), (b"x", "bytes")])
def test_what_is_no_text(clf, text, match):
    for job in (lambda: explain(clf, text), lambda: counterfactual(clf, text), lambda: explain(Toy(好=1), text, "shapley")):
        with pytest.raises(EcomError, match=match):
            job()


def test_classifiers_without_gradients(clf):
    import copy
    onnx, tf, mixed, bare = (copy.copy(clf) for _ in range(4))
    onnx.onnx_, tf.backend, mixed.mixer_ = object(), "tensorflow", (np.zeros((2, 2)), np.zeros(2))
    del bare.net_
    for other, why in ((onnx, "ONNX"), (tf, "TensorFlow"), (mixed, "字符 n-gram"), (bare, "不是 TextClassifier 的"), (Toy(好=1), "不是 TextClassifier 的")):
        for method in ("gradient", "integrated_gradients", "attention"):
            with pytest.raises(EcomError, match=why):
                explain(other, "很 好", method)
        with pytest.raises(EcomError, match=why):
            attention_maps(other, "很 好")


def test_a_net_without_a_tokenizer_is_no_text_net():
    toy = Toy(好=1.0)
    toy.net_ = object()
    assert explain(toy, "好 的", label="好")[0].weight == pytest.approx(1)
    with pytest.raises(EcomError, match="不是 TextClassifier 的"):
        explain(toy, "好 的", "gradient")


def test_scikit_learn_pipelines():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    pipe = make_pipeline(TfidfVectorizer(analyzer="char"), LogisticRegression())
    with pytest.raises(EcomError, match="还没有训练"):
        explain(pipe, "很 好")
    pipe.fit(["很好", "不好", "很好用", "不行"], ["正", "负", "正", "负"])
    assert max(explain(pipe, "很 好 不"), key=lambda w: abs(w.weight)).word in ("很", "不")


def test_bad_options(clf):
    for job, match in ((lambda: explain(clf, "很 好", "lime"), "method='lime'"), (lambda: explain(clf, "很 好", label=7), "label=7"), (lambda: explain(clf, "很 好", "shapley", samples=0), "samples=0"),
                       (lambda: counterfactual(clf, "很 好", max_changes=0), "max_changes=0"), (lambda: faithfulness(clf, "很 好"), "texts"), (lambda: faithfulness(clf, ["很 好"], share=0), "share=0"),
                       (lambda: faithfulness(clf, ["很 好"], ["lime"]), "method='lime'"), (lambda: explain(None, "很 好"), "NoneType"),
                       (lambda: swap_test(clf, [], {"甲": ["a"], "乙": ["b"]}), "句式"), (lambda: swap_test(clf, ["{}{}"], {"甲": ["a"], "乙": ["b"]}), "句式"),
                       (lambda: swap_test(clf, ["{}"], {"甲": ["a"], "乙": []}), "至少一个词"), (lambda: swap_test(clf, ["{}"], {"甲": ["a"], "乙": ["b"]}, label=9), "label=9")):
        with pytest.raises(EcomError, match=match):
            job()


def test_faithfulness_tells_a_good_choice_from_a_bad_one():
    toy = Toy(好=3.0, 慢=-3.0)
    texts = ["好 的 了 很 呢", "的 了 慢 很 呢", "很 呢 的 了 好"]
    table = faithfulness(toy, texts, ["occlusion", "shapley"], share=0.2).set_index("method")
    fall = 1 / (1 + np.exp(-3)) - 0.5
    assert np.allclose(table.loc[["occlusion", "shapley"], "comprehensiveness"], fall) and np.allclose(table.loc[["occlusion", "shapley"], "sufficiency"], 0)
    assert table.loc["random", "comprehensiveness"] < fall and table.loc["random", "gain"] == 0 and table.loc["occlusion", "gain_low"] > 0
    assert (table["comprehensiveness_low"] <= table["comprehensiveness"]).all() and (table["comprehensiveness"] <= table["comprehensiveness_high"]).all()
    pd_again = faithfulness(toy, texts, ["occlusion"], share=0.2).set_index("method")
    assert pd_again.loc["random", "comprehensiveness"] == table.loc["random", "comprehensiveness"], "随机的一行由种子定"


def test_html_escapes_and_keeps_the_order():
    text = '<script>"坏"&好'
    page = to_html([WordWeight("坏", 9, 10, -2.0), WordWeight("<script>", 0, 8, 1.0)], text)
    assert "<script>" not in page and "&lt;script&gt;" in page and page.index("script") < page.index("坏") and "font-weight:700" in page
    assert page.count("solid") == page.count("dashed") == 1 and to_html([], "a<b").endswith(">a&lt;b</p>")
    assert "<span" not in to_html([WordWeight("坏", 9, 10, 0.0)], text)
    with pytest.raises(EcomError, match="同一次 explain"):
        to_html([WordWeight("坏", 8, 9, 1.0)], text)
    with pytest.raises(EcomError, match="同一次 explain"):
        to_html([WordWeight("好", 12, 13, 1.0), WordWeight("好", 12, 13, 1.0)], text)


def test_counterfactuals_are_small_and_true():
    toy = Toy(好=2.0, 差=-2.0, 香=1.0)
    one = counterfactual(toy, "好 的")
    assert [(c.old, c.new) for c in one.changes] == [("好", "差")] and one.text == "差 的" and one.before == pytest.approx(2) and one.after == pytest.approx(-2), "反义词比删掉更稳"
    two = counterfactual(toy, "好 好 好 的", max_changes=3)
    assert len(two.changes) == 2 and two.text.count("差") == 2
    assert counterfactual(toy, "好 好 好 的", max_changes=1) is None and counterfactual(Toy(的=0.0), "好 好") is None
    several = counterfactual(Three(), "a a b c")
    assert len(several.changes) == 2 and Three().predict_proba([several.text]).argmax() != 0


def test_a_change_too_many_is_taken_back():
    a, b = ex.Change(0, 1, "好", ""), ex.Change(2, 3, "的", "")
    assert ex._without_spare((a, b), lambda sets: [(0.0, a in s) for s in sets]) == (a,)
    assert ex._without_spare((a,), lambda sets: [(0.0, True) for s in sets]) == (a,)


def test_changes_of_one_text_go_from_the_back():
    assert ex.changed("很好，不行", [ex.Change(0, 2, "很好", "很差"), ex.Change(3, 5, "不行", "行")]) == "很差，行"
    assert all(ex.OPPOSITES[b] for b in ex.OPPOSITES.values()) and all(a != b for a, b in ex.OPPOSITES.items())


def test_swaps_without_and_with_a_bias():
    fair = swap_test(Toy(好=1.0), ["{}说好", "{}说的"], {"甲": ["李", "王"], "乙": ["赵"], "丙": ["孙"]})
    assert np.allclose(fair[["gap", "low", "high"]], 0) and np.allclose(fair["mean"], 0.5)
    unfair = swap_test(Toy(李=1.0), ["{}说好", "{}说的"], {"甲": ["李", "王"], "乙": ["赵", "孙"]}, label="坏")
    assert np.allclose(unfair["gap"], [-0.5, 0.5]) and unfair["low"][0] == -1 and unfair["high"][0] == 0, "一半的名字说明不了一组"


class Shop:
    "A recommender of two items whose scores are the number of texts that hold the item's letter."
    ids = ["a", "b"]

    def rank(self, texts, ids):
        import pandas as pd
        score = pd.Series({i: float(sum(i in t for t in texts)) for i in ids}).sort_values(ascending=False, kind="stable")
        return pd.DataFrame({"item_id": score.index, "score": score.to_numpy()})

    def recommend(self, texts, k=10):
        import pandas as pd
        cited = next(t for t in texts if "a" in t)
        return pd.DataFrame({"item_id": ["a", "b"], "score": [1.0, 0.0], "reason": [f"与“{cited}”相近", "热卖"]})


def test_evidence_that_counts_and_evidence_that_does_not():
    found = evidence_check(Shop(), ["要a", "要b", "要b，急", " "], "a")
    assert found == ("要a", 1.0, 0.0, 1.0, 2, 2, 1.0)
    for texts, item, match in ((["要a"], "a", "至少两句"), ("要a要b", "a", "至少两句"), (["要a", "要b"], "z", "不在推荐的前 10"), (["要a", "要b"], "b", "没有引用")):
        with pytest.raises(EcomError, match=match):
            evidence_check(Shop(), texts, item)


def test_import_is_light():
    import subprocess
    import sys
    code = "import sys, ecom_nbdev.explain; print([m for m in ('torch', 'transformers', 'pandas', 'sklearn') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_no_warning_for_short_texts(clf):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(explain(clf, SENTENCE, "attention")) == len(word_spans(SENTENCE))
