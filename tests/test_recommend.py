"""Recommendation with awkward tables and histories: a clear message or a stated result."""
from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecom_nbdev.apps.behaviour import CoOccurrence, histories_of
from ecom_nbdev.apps.recommend import Recommender
from ecom_nbdev.core import EcomError

SHOP = pd.DataFrame([("P1", "豆腐猫砂 无香 6L", "宠物用品", 29.9), ("P2", "<script>alert(1)</script> 猫粮", "宠物用品", None), ("P3", "降噪耳机", "手机数码", 399.0),
                     ("P4", "有线耳机", None, "不详"), ("P5", "四件套", "家居家纺", 299.0)], columns=["item_id", "title", "category", "price"])
LOG = pd.DataFrame({"user_id": list("aabbc"), "item_id": ["P1", "P3", "P1", "P3", "P5"], "time": ["2026-11-01", "2026-11-02", "2026-11-01", "2026-11-03", "2099-01-01"]})


@pytest.fixture(scope="module")
def rec() -> Recommender:
    return Recommender().fit(SHOP, LOG)


def test_missing_price_and_category_are_kept(rec):
    assert set(rec.recommend("耳机", k=5)["item_id"]) == {"P1", "P2", "P3", "P4", "P5"}
    assert set(rec.recommend("耳机", k=5, max_price=400)["item_id"]) == {"P1", "P3", "P5"}, "价格不明的不在“400 元以内”里"
    assert rec.recommend("耳机", category="没有这一类").empty


def test_title_with_html_is_text(rec):
    top = rec.recommend("猫粮", k=1)
    assert top["item_id"].tolist() == ["P2"] and "猫粮" in top["reason"][0]


def test_history_decides_and_is_not_offered_again(rec):
    found = rec.recommend(history=["P1"], k=5)
    assert found["item_id"][0] == "P3" and "P1" not in set(found["item_id"])
    assert rec.recommend(history=[], k=3).empty and rec.recommend(history=["没见过"]).empty, "什么也没说，就什么也不推"
    assert rec.next_items([["P1"], []], k=2)[0][0] == "P3" and len(rec.next_items([["P1"]], k=99)[0]) == 4


def test_filter_holds_for_what_is_bought_together(rec):
    assert "P3" not in set(rec.recommend(history=["P1"], k=5, max_price=300)["item_id"])


def test_future_times_come_last_and_bad_ones_first():
    assert histories_of(LOG.assign(user_id="x"))["x"] == ["P1", "P3", "P5"]
    assert histories_of(LOG.assign(user_id="x", time=[None, "坏", "2026-01-01", "2025-01-01", "2099-01-01"]))["x"] == ["P1", "P3", "P1", "P5"]


def test_duplicate_products_and_unknown_items_of_the_log():
    twice = pd.concat([SHOP, SHOP.head(1)], ignore_index=True)
    rec = Recommender().fit(twice, pd.DataFrame({"user_id": ["a", "a"], "item_id": ["P1", "不在表里"]}))
    assert len(rec.ids) == 5 and "与前面重复" in rec.notes[0] and rec.together.counts_.sum() == 1
    with pytest.raises(EcomError, match="缺少列 user_id"):
        Recommender().fit(SHOP, LOG[["item_id"]])


def test_many_equal_texts_give_equal_lists(rec):
    found = rec.recommend_batch(["降噪耳机"] * 10_000, k=2)
    assert len(found) == 20_000 and found.groupby("rank")["item_id"].nunique().tolist() == [1, 1] and found["user_id"].nunique() == 10_000


@pytest.mark.parametrize("seed", range(5))
def test_scores_match_the_formula(seed):
    rng = np.random.default_rng(seed)
    histories = [rng.permutation(8)[:rng.integers(0, 8)].astype(str).tolist() for _ in range(30)]
    co = CoOccurrence(decay=0.7, backwards=0.3, alpha=0.4, recency=0.6).fit(histories, [str(i) for i in range(8)])
    M = np.zeros((8, 8))
    for h in histories:
        for a in range(len(h)):
            for b in range(a + 1, len(h)):
                w = 0.7 ** (b - a - 1) / np.log2(1 + len(h))
                M[int(h[a]), int(h[b])] += w
                M[int(h[b]), int(h[a])] += 0.3 * w
    C = M / (np.maximum(M.sum(1), 1e-9)[:, None] ** 0.4 * np.maximum(M.sum(0), 1e-9)[None] ** 0.4)
    assert np.allclose(co.matrix_.toarray(), C, atol=1e-5)
    want = sum(0.6 ** (len(histories[0]) - 1 - k) * C[int(i)] for k, i in enumerate(histories[0])) if histories[0] else np.zeros(8)
    assert np.allclose(co.score(histories[:1]).toarray()[0], want, atol=1e-5)
