"""Few labels: hostile input, the pool that is kept clean, and what a saved classifier needs (the notebook holds the rest)."""
from __future__ import annotations

import json

import numpy as np
import pytest

from ecom_nbdev.classify import TextClassifier
from ecom_nbdev.core import EcomError
from ecom_nbdev.data import text_key
from ecom_nbdev.fewshot import FewShot, char_grams, check_items, clean_pool, confident

GOOD = ["质量很好，喜欢", "物流快，推荐购买", "非常满意", "好用，值得买"]
BAD = ["质量太差，退货", "物流慢，别买", "非常失望", "难用，浪费钱"]
X, Y = GOOD + BAD, [1] * 4 + [0] * 4


def test_no_text_of_the_kept_out_items_stays_in_the_pool():
    out = [f"第{i}号商品的做工很精细，孩子特别喜欢" for i in range(20)]
    pool = [t + "！！" for t in out] + ["全新的一条评论", "全新的一条评论。", "另外说一句物流"]
    left = clean_pool(pool, out)
    assert left == ["全新的一条评论", "另外说一句物流"] and not {text_key(t) for t in left} & {text_key(t) for t in out}


@pytest.mark.parametrize("bad", [[None], ["a", 1], [("a", "b"), "c"], [("a", "b", "c")], [("a", None)], [["a"]]])
def test_items_that_are_neither_texts_nor_pairs(bad):
    with pytest.raises(EcomError, match="条不是文本"):
        check_items(bad)


@pytest.mark.parametrize("items", [["", " "], ["{text}", "\0"], ["😀" * 300, "a" * 5000], [("", ""), ("x", "")]])
def test_odd_texts_are_only_data(items):
    few = FewShot(max_length=32).fit(X, Y) if isinstance(items[0], str) else FewShot(max_length=32).fit(list(zip(X, X, strict=True)), Y)
    proba = few.predict_proba(items)
    assert proba.shape == (len(items), 2) and np.isfinite(proba).all()


def test_confident_takes_the_same_number_of_each_class_at_most():
    scores = np.random.default_rng(0).normal(size=(300, 3))
    scores[:, 0] += 2
    rows, guess = confident(scores, 0.3)
    assert len(set(rows)) == len(rows) and np.bincount(guess).max() <= 30 and (scores[rows].argmax(1) == guess).all()


def test_char_grams_of_a_pair_do_not_depend_on_the_order():
    assert char_grams(("买手机", "卖手机")) == char_grams(("卖手机", "买手机"))


def test_text_classifier_delegates_and_saves(tmp_path):
    clf = TextClassifier(mode="fewshot", max_length=32, descriptions={1: ["好评"], 0: ["差评"]}).fit(X, Y, unlabeled=["很满意", "太失望"] * 3)
    assert clf.predict(["很好，喜欢", "太差，退货"]).tolist() == [1, 0]
    clf.save(tmp_path)
    again = TextClassifier.load(tmp_path)
    assert np.allclose(again.predict_proba(X), clf.predict_proba(X), atol=1e-4) and again.score(X, Y) == clf.score(X, Y)
    info = json.loads((tmp_path / "classifier.json").read_text(encoding="utf-8"))
    assert not any(t in json.dumps(info, ensure_ascii=False) for t in X), "标注的文本不进保存的文件"
    with pytest.raises(EcomError, match="unlabeled 只用于"):
        TextClassifier(mode="head").fit(X, Y, unlabeled=["x"])
