"Hostile and odd input for apps.planning: what the notebook does not cover. No encoder is needed."
import datetime

import numpy as np
import pandas as pd
import pytest

from ecom_nbdev.apps.campaign import Campaign, Segment, _ab_test, _budget
from ecom_nbdev.apps.planning import (
    FESTIVALS, ResponseCurve, allocate_budget, burst_states, calendar_trends, campaign_calendar, choose_clusters, expected_uplift, festival_date, find_bursts, fit_response, holm,
    sample_size, typical_words,
)
from ecom_nbdev.core import EcomError


@pytest.mark.parametrize("year", range(2000, 2100, 7))
def test_every_festival_falls_where_it_must(year):
    dates = {f.name: festival_date(f, year) for f in FESTIVALS}
    assert (1, 20) < (dates["春节"].month, dates["春节"].day) < (2, 22) and dates["元宵"] - dates["春节"] == datetime.timedelta(days=14)
    assert dates["端午"] < dates["七夕"] < dates["中秋"] < dates["重阳"] < dates["腊八"]
    assert dates["母亲节"].weekday() == dates["父亲节"].weekday() == 6 and 8 <= dates["母亲节"].day <= 14 and 15 <= dates["父亲节"].day <= 21


def test_calendar_across_years_has_no_doubles():
    table = campaign_calendar("2025-01-01", 3 * 365)
    assert not table.duplicated(["name", "date"]).any() and table["name"].value_counts().min() >= 3
    assert campaign_calendar("2026-11-24 18:30").equals(campaign_calendar("2026-11-24")), "the hour does not matter"
    assert calendar_trends(table)["trend_id"].is_unique


def test_clusters_of_odd_input():
    for X in (np.zeros((2, 3)), np.zeros((3, 1)), np.array([[0.0], [1.0]])):
        assert choose_clusters(X, n_boot=2).k == 1 and choose_clusters(X, "hdbscan", n_boot=2).k == 1
    for X in (np.zeros((0, 2)), np.zeros(3)):
        with pytest.raises(EcomError, match="二维数组"):
            choose_clusters(X)
    X = np.random.default_rng(0).normal(size=(12, 2))
    assert choose_clusters(X, candidates=[50], n_boot=2).k == 1, "candidates that cannot be are left out"


def test_words_and_bursts_of_odd_texts():
    assert typical_words({"甲": ["", "！！", "12345"], "乙": [None]}).empty
    times = pd.DataFrame({"text": ["羽绒服", None, "羽绒服", ""], "time": ["2026年11月1日", "2026-11-02", "昨天", pd.Timestamp("2026-11-03")]})
    assert list(find_bursts(times).columns) == ["word", "start", "end", "weight", "texts"]
    same_day = pd.DataFrame({"text": ["羽绒服"] * 50, "time": "2026-11-01"})
    assert find_bursts(same_day, shuffles=3).empty, "one day has no burst"
    states, _ = burst_states(np.zeros((0, 5), int), np.ones(5, int))
    assert states.shape == (0, 5)


def test_budget_extremes():
    flat = [ResponseCurve("a", 0.0, 10.0), ResponseCurve("b", 100.0, 10.0)]
    table = allocate_budget(flat, 50)
    assert np.isclose(table["spend"].sum(), 50) and table["sales"].sum() >= 83.3
    assert allocate_budget(flat[1:], 50)["spend"].tolist() == [50] and allocate_budget(flat, 1e-9)["spend"].sum() <= 1e-9
    for total in (float("nan"), float("inf"), -1):
        with pytest.raises(EcomError, match="总预算"):
            allocate_budget(flat, total)
    nothing = allocate_budget(flat, 0)
    assert nothing["spend"].tolist() == [0, 0] and nothing["sales"].sum() == 0, "a budget of 0 buys nothing"
    with pytest.raises(EcomError, match="重名"):
        allocate_budget([flat[0], flat[0]], 5)
    with pytest.raises(EcomError, match="缺少列 sales"):
        fit_response(pd.DataFrame({"channel": ["a"], "spend": [1]}))
    with pytest.raises(EcomError, match="不是数"):
        fit_response(pd.DataFrame({"channel": "a", "spend": ["一百"] * 8, "sales": 1}))


def test_tests_and_uplift_refuse_nonsense():
    for kw in ({"baseline": 1.2, "lift": 0.1}, {"baseline": float("nan"), "lift": 0.1}, {"baseline": 0.6, "lift": 0.9}, {"baseline": 0.1, "lift": 0.1, "alpha": 0}):
        with pytest.raises(EcomError, match="无效"):
            sample_size(**kw)
    assert holm([]).tolist() == [] and holm([[0.01, 0.5], [0.5, 0.01]]).tolist() == [[0.02, 0.5], [0.5, 0.02]]
    table = pd.DataFrame({"exposed": [100] * 3, "exposed_conversions": [0, 100, 5], "control": 100, "control_conversions": [0, 100, 0]})
    found = expected_uplift(table)
    assert np.isfinite([found.low, found.mid, found.high]).all() and found.low > -1
    with pytest.raises(EcomError, match="第 1 行"):
        expected_uplift(table.assign(exposed=[5, 200, 200]).assign(exposed_conversions=[9, 1, 1]))


def test_campaign_keeps_its_format():
    plan = Campaign([Segment("甲", ["u1"], {"图书文具": 1.0}, None)], "2026-11-24", budget=allocate_budget([ResponseCurve("a", 9.0, 1.0)], 3))
    assert list(plan.to_list()[0]) == ["segment", "user_ids", "interests", "price_sensitivity", "trends", "product_ids", "brief", "ready", "withheld", "channels"]
    assert _budget(None, None, 0) is None and _ab_test(None, 3) is None
    with pytest.raises(EcomError, match="daly"):
        _ab_test({"daly": 5, "baseline": 0.1}, 3)
