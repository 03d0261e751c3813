"""Tagging on a data set that is only read through ECOM_DATA."""
import os

import pytest

from ecom_nbdev.data import load
from ecom_nbdev.tagging import Tagger, entity_f1, tag_spans

pytestmark = pytest.mark.skipif(not os.environ.get("ECOM_DATA"), reason="needs ECOM_DATA")


def test_test_part_is_not_in_the_training_part():
    parts = {s: set(d["text"]) for s, d in load("ecommerce_ner").groupby("split")}
    assert not parts["test"] & parts["train"]


def test_gold_tags_score_one_and_a_small_training_learns():
    d = load("ecommerce_ner")
    test, train = d[d["split"] == "test"], d[d["split"] == "train"].head(600)
    gold = test["tags"].tolist()
    assert entity_f1(gold, gold) == 1 and {s[0] for t in gold for s in tag_spans(t)} == {"HC", "HP"}
    tagger = Tagger(model=None, epochs=4, buckets=1 << 14, width=64, head_rate=1e-2).fit(train["chars"].tolist(), train["tags"].tolist())
    assert tagger.score(test["chars"].tolist()[:200], gold[:200]) > 0.35


def test_shipped_tagger_finds_goods_it_was_not_trained_on():
    d = load("ecommerce_ner", split="test").head(150)
    goods = lambda rows, k: [[t if t[2:] == k else "O" for t in r] for r in rows]  # noqa: E731
    pred = [[t.replace("PRODUCT", "HC") for t in row] for row in Tagger.pretrained("ecommerce").predict_tags(d["chars"].tolist())]
    assert entity_f1(goods(d["tags"], "HC"), goods(pred, "HC")) > 0.25
