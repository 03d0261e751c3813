"""Recommendation with awkward tables and histories: a clear message or a stated result."""
from __future__ import annotations

import zlib

import numpy as np
import pandas as pd
import pytest

from ecom_nbdev.apps.behaviour import CoOccurrence, histories_of
from ecom_nbdev.apps.profile import Evidence, Interest, UserProfile
from ecom_nbdev.apps.recommend import Cells, Recommender
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


def test_unknown_category_of_a_profile_and_no_price_at_all(rec):
    who = UserProfile("n", 1, [Interest("没有这一类", 1.0, [Evidence(0, "降噪的耳机", "search")])], price_sensitivity=1.0)
    assert rec.recommend(who, k=1)["item_id"].tolist() == ["P3"], "类目对不上，文字仍然算"
    bare = Recommender(embedder=rec.embedder).fit(SHOP[["item_id", "title"]])
    assert bare.recommend(who, k=1)["item_id"].tolist() == ["P3"] and bare.recommend("耳机", max_price=10**9).empty, "没有一件知道价格"


def test_html_stays_text_in_reasons(rec):
    found = rec.recommend("<b>猫粮</b>", k=1)
    assert found["reason"][0].startswith("与“<b>猫粮</b>”相近"), "理由是文字，转义是显示它的页面的事"


USERS = [UserProfile("u1", 2, [Interest("手机数码", 0.7, [Evidence(0, "降噪耳机", "search")]), Interest("宠物用品", 0.3, [Evidence(1, "猫砂无香的好", "review")])], dislikes=[Interest("声音大", 0.5)]),
         UserProfile("a", 0), UserProfile("c", 0), "四件套", "", "四件套", "豆腐猫砂 无香 6L", UserProfile("nobody", 0)]


@pytest.mark.parametrize("filters", [{}, {"max_price": 300}, {"category": "宠物用品"}, {"history": ["P1"]}, {"repeat": True}, {"history": []}])
@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_batch_and_single_give_the_same_lists(rec, filters, chunk):
    found = rec.recommend_batch(USERS, k=3, chunk=chunk, **filters)
    singles = [rec.recommend(w, k=3, **filters).assign(user_id=str(getattr(w, "user_id", n))) for n, w in enumerate(USERS)]
    alone = pd.concat([one for one in singles if len(one)], ignore_index=True)
    pd.testing.assert_frame_equal(found[["item_id", "score", "reason", "user_id"]], alone, atol=2e-4, check_dtype=False)
    assert found.groupby("user_id")["rank"].agg(list).map(lambda r: r == list(range(1, len(r) + 1))).all()


def test_same_lists_with_cells_and_a_filter():
    rng = np.random.default_rng(0)

    class Fake:
        def encode(self, texts, kind="query"):
            V = np.stack([np.random.default_rng(zlib.crc32(t.encode())).normal(size=8) for t in texts])
            return (V / np.linalg.norm(V, axis=1, keepdims=True)).astype(np.float32)
    shop = pd.DataFrame({"item_id": range(3000), "title": [f"货 {i}号 词{i % 37}" for i in range(3000)], "price": rng.random(3000)})
    rec = Recommender(embedder=Fake(), candidates=20).fit(shop)
    rec.cells = Cells(rec.vectors, least=500)
    words = [f"词{i} 货" for i in range(50)]
    assert len(rec.cells.centres) == 54
    for filters in ({}, {"max_price": 0.5}, {"max_price": 0.01}):
        found = rec.recommend_batch(words, chunk=20, **filters)
        assert found["item_id"].tolist() == [i for w in words for i in rec.recommend(w, **filters)["item_id"]] and len(found) == 500
        assert (shop["price"][found["item_id"]] <= filters.get("max_price", 1)).all()


@pytest.mark.parametrize("name", ["名单.parquet", "名单.csv"])
def test_a_killed_batch_goes_on_where_it_was(rec, tmp_path, monkeypatch, name):
    whole, done, real = rec.recommend_batch(USERS, k=2), [], Recommender._lists

    def counted(self, whos, k, **filters):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(len(whos))
        return real(self, whos, k, **filters)
    monkeypatch.setattr(Recommender, "_lists", counted)
    with pytest.raises(KeyboardInterrupt):
        rec.recommend_batch(USERS, k=2, chunk=2, out=tmp_path / name)
    parts = tmp_path / f".{name}.parts"
    assert not (tmp_path / name).exists() and len(list(parts.glob("*.parquet"))) == 2
    (parts / ".000002.half.parquet").write_bytes(b"PAR1")              # what a kill in the middle of writing leaves
    monkeypatch.setattr(Recommender, "_lists", lambda self, whos, k, **f: done.append(len(whos)) or real(self, whos, k, **f))
    again = Recommender(embedder=rec.embedder).fit(SHOP, LOG)           # a new process has a new recommender
    assert again.recommend_batch(USERS, k=2, chunk=2, out=tmp_path / name) == tmp_path / name
    assert done == [2] * 4, "前两块没有再做"
    found = pd.read_parquet(tmp_path / name) if name.endswith("parquet") else pd.read_csv(tmp_path / name, dtype={"user_id": str})
    pd.testing.assert_frame_equal(found, whole, atol=2e-4, check_dtype=False)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("change", ["k", "filter", "users", "catalogue", "log", "settings"])
def test_old_chunks_are_not_used_for_another_question(rec, change):
    other = Recommender(embedder=rec.embedder, **({"balance": 0.5} if change == "settings" else {}))
    other.fit(SHOP.assign(price=1.0) if change == "catalogue" else SHOP, LOG[:3] if change == "log" else LOG)
    asked = {"k": (["猫粮"], 3, {}), "filter": (["猫粮"], 2, {"max_price": 9}), "users": (["狗粮"], 2, {})}.get(change, (["猫粮"], 2, {}))
    same = Recommender(embedder=rec.embedder).fit(SHOP, LOG)
    assert rec._mark(["猫粮"], 2, {}) == same._mark(["猫粮"], 2, {}) != other._mark(*asked)


def test_batch_file_of_nobody_and_of_the_wrong_kind(rec, tmp_path):
    empty = pd.read_parquet(rec.recommend_batch([], out=tmp_path / "a.parquet"))
    assert empty.columns.tolist() == ["user_id", "rank", "item_id", "score", "reason"] and empty.empty
    with pytest.raises(EcomError, match=r"应以 .parquet 或 .csv 结尾，得到 a.xlsx"):
        rec.recommend_batch(["猫粮"], out=tmp_path / "a.xlsx")


def test_rerank_orders_the_first_fifty_only():
    shop = pd.DataFrame({"item_id": range(80), "title": [f"耳机 {'好' * (i % 7)} {i}" for i in range(80)]})
    rec, seen = Recommender().fit(shop), []

    def longest(user, texts):
        seen.append((user, texts))
        return [len(t) for t in texts]
    found = rec.recommend("耳机", k=10, rerank=longest)
    assert seen[0][0] == "耳机" and len(seen[0][1]) == 50
    lengths = [len(shop["title"][i]) for i in found["item_id"]]
    assert lengths == sorted(map(len, seen[0][1]), reverse=True)[:10] == found["score"].tolist()
    assert rec.recommend_batch(["耳机"], k=10, rerank=longest)["item_id"].tolist() == found["item_id"].tolist()
    with pytest.raises(EcomError, match="50 个有限的数"):
        rec.recommend("耳机", rerank=lambda user, texts: [float("nan")] * len(texts))


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
