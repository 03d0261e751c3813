"""Ads: what the notebooks do not test. Targeting without a model, properties of auctions, pacing and estimators, the real samples (with ECOM_DATA)."""
from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from ecom_nbdev.apps.adday import FTRL, auc, click_scores, gsp, hash_features, log_loss, make_market, pace, run_day, second_price, simple_policy
from ecom_nbdev.apps.ads import AdMatcher, Targeting
from ecom_nbdev.apps.offpolicy import LoggedData, bandit_logs, estimate, evaluate
from ecom_nbdev.core import EcomError
from ecom_nbdev.data import load

needs_data = pytest.mark.skipif(not os.environ.get("ECOM_DATA"), reason="ECOM_DATA is not set")


class Counts:
    "An embedder that needs no model: counts of characters, of length 1."
    def encode(self, texts, kind="query"):
        out = np.array([np.bincount([ord(c) % 64 for c in t], minlength=64) for t in texts], float)
        return (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32)


ADS = pd.DataFrame({"ad_id": ["a", "b", "c"], "text": ["猫砂结团快", "幼猫粮泡软", "降噪耳机轻"], "category": ["宠物用品", "宠物用品", "手机数码"]})


def matcher(**columns) -> AdMatcher:
    return AdMatcher(embedder=Counts(), min_relevance=0).fit(ADS.assign(**columns))


@pytest.mark.parametrize(("columns", "said", "ids"), [
    ({}, "猫砂", {"a", "b", "c"}), ({"negative_keywords": ["狗", "猫砂", ""]}, "猫砂", {"a", "c"}), ({"target_keywords": ["", "狗", "耳机;猫"]}, "猫砂", {"a", "c"}),
    ({"audience": ["手机数码", "", "宠物用品；图书"]}, "猫砂", {"b", "c"}), ({"negative_keywords": ["猫"] * 3}, "猫砂", set()), ({}, "", set()), ({}, " \n", set()),
    ({"negative_keywords": [None, np.nan, ";;"]}, "猫砂", {"a", "b", "c"}), ({"negative_keywords": ["猫砂", "", ""], "target_keywords": ["猫砂", "", ""]}, "猫砂", {"b", "c"})])
def test_targeting(columns, said, ids):
    m = matcher(**columns)
    assert set(m.match(said, k=9)["ad_id"]) == ids == set(m.match_batch([said], k=9)["ad_id"])


@pytest.mark.parametrize(("column", "value", "words"), [("bid", -1, "bid 是负数"), ("budget", -0.01, "budget 是负数"), ("bid", "三元", "bid 不是数"), ("budget", "1,000", "budget 不是数")])
def test_money_that_is_none(column, value, words):
    with pytest.raises(EcomError, match=f"广告 b 的 {words}"):
        matcher(**{column: ["1", value, ""]})


def test_budget_zero_is_never_served_and_no_row_is_lost():
    m = matcher(budget=[0, 0, 0])
    assert len(m.match("猫砂", k=9)) == len(m.match_batch(["猫砂"] * 9, k=3)) == 0 and len(Targeting.of(ADS).allowed(["x"], [])) == 3


def test_duplicate_ids_keep_the_first_and_are_told():
    m = AdMatcher(embedder=Counts(), min_relevance=0).fit(ADS.assign(ad_id=["a", "b", "a"], budget=[5, "", -1]))
    assert m.ads["text"].tolist() == ["猫砂结团快", "幼猫粮泡软"] and m.budgets.tolist() == [5, np.inf], "the wrong budget belongs to a row that is not used"
    assert len(m.notes) == 1 and "1 行的 ad_id 与前面重复" in m.notes[0] and "第 3 行" in m.notes[0]
    assert m.match_batch(["降噪耳机"], k=9)["ad_id"].tolist().count("a") == 1


def test_bid_zero_is_worth_nothing_and_comes_last():
    m = matcher(bid=[0, 1, 1])
    found = m.match("猫砂", k=9)
    assert found["ad_id"].tolist()[-1] == "a" and found["score"].tolist()[-1] == 0 and (found["score"][:-1] > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_auction_properties(seed):
    g = np.random.default_rng(seed)
    bids, ctr = g.uniform(0, 5, 8), g.uniform(0.01, 0.2, 8)
    won, price = gsp(bids, ctr, 3, reserve=0.5)
    assert (price <= bids[won] + 1e-12).all() and (price >= 0.5).all() and (np.diff((bids * ctr)[won]) <= 0).all()
    winner, paid = second_price(bids)
    others = np.delete(bids, winner)
    assert paid == others.max() and all(second_price([b, *others])[1] == paid for b in (paid + 0.01, 100.0)), "自己的价不影响付的钱"


def test_day_keeps_to_budgets_and_luck():
    m = make_market(3, users=300, ads=8, arrivals=3000)
    days = [run_day(m, simple_policy("relevant", pacing=p)) for p in ("", "throttle", "multiplier")]
    assert all((d.spent[-1] <= m.budget + 1e-9).all() and d.clicked.sum() == d.clicks and (np.diff(d.spent, axis=0) >= 0).all() for d in days)
    assert (pace(np.linspace(0, 1, 11), 0.5)[:6] == 1).all() and (np.diff(pace(np.linspace(0, 1, 11), 0.5)) <= 0).all()


def test_snipw_stays_in_the_range_of_rewards_and_dr_with_the_truth_is_exact():
    g = np.random.default_rng(0)
    target = g.dirichlet(np.ones(4), 500)
    a, q = g.integers(0, 4, 500), g.uniform(size=(500, 4))
    log = LoggedData(a, q[np.arange(500), a], np.full(500, 0.25), target, q)
    assert 0 <= estimate(log, "SNIPW") <= 1 and np.isclose(estimate(log, "DR"), (target * q).sum(1).mean()) and np.isclose(estimate(log, "DM"), estimate(log, "DR"))
    nothing = LoggedData([0], [1], [1.0], [[0.0, 1.0]])
    assert np.isnan(estimate(nothing, "SNIPW")) and estimate(nothing, "IPW") == 0


@needs_data
@pytest.mark.parametrize(("name", "rows", "clicks"), [("ctr_samples_deepctr", 200, 49), ("ctr_samples_deepctr/avazu", 100, 20), ("ctr_samples_deepctr/alimama", 99, None)])
def test_real_formats(name, rows, clicks):
    import sklearn.metrics as sk
    df = load(name)
    y = df["label"].to_numpy()
    idx = hash_features({c: [str(v) for v in df[c]] for c in df.columns if c != "label"})
    p = FTRL(2**18).fit(idx, y, batch=1).predict(idx)
    assert len(df) == rows and clicks in (None, y.sum())
    assert np.isclose(auc(y, p), sk.roc_auc_score(y, p)) and np.isclose(log_loss(y, p), sk.log_loss(y, np.clip(p, 1e-12, 1 - 1e-12))) and 0 <= click_scores(y, p)["ece"] <= 1


@needs_data
def test_open_bandit_on_policy_rates():
    data = load("open_bandit_men")
    for name, rate in (("random", 0.0046), ("bts", 0.0069)):
        assert np.isclose(data.loc[data["split"] == name, "label"].mean(), rate)
    found = evaluate(bandit_logs(data, "random", "bts"), 300).set_index("estimator")
    assert found.loc["DR", "low"] < 0.0069 < found.loc["DR", "high"]
