"""Ads: policies of a simulated day against an oracle, click models on the simulator's log, off-policy estimates on the Open Bandit log (chapters nbs/apps/adday.ipynb, nbs/apps/offpolicy.ipynb).

policies: regret (share of the oracle's revenue that is missing; mean and 95 % t interval over seeds, paired by day), how much more regret than the chapter's policy (paired too), clicks, ads without budget at noon.
clicks: three simulated days train, one tests; FTRL-Proximal, logistic regression and LightGBM (where it is installed); log loss, AUC, ECE of 200 cells, predicted / true clicks.
offpolicy: click rate of one policy from the log of the other, with percentile bootstrap intervals, beside the on-policy rate; needs ECOM_DATA.
Run: python bench/ads.py [--part policies|clicks|offpolicy] [--seeds 12]      (all parts, one line of results each, unless --part is given)
"""
from __future__ import annotations

import argparse
import sys
import time
from importlib.util import find_spec

import numpy as np
from common import report

from ecom_nbdev.apps.adday import FTRL, click_log, click_scores, compare_policies, hash_features, make_market
from ecom_nbdev.theory.concepts import mean_interval


def policy_rows(seeds: int) -> list[dict]:
    "The policy table: two sizes of budgets; seeds 0 to 9 served to choose the constants (gain of the pacing, learning rate), so they are left out."
    rows = []
    for supply in (0.25, 0.5):
        table = compare_policies(range(10, 10 + seeds), supply=supply)
        ours = table.loc[table["policy"] == "学到的点击率 × 出价（本章）", "regret"].to_numpy()
        for name, g in table.groupby("policy", sort=False):
            mean, low, high = mean_interval(g["regret"])
            more = mean_interval(g["regret"] - ours)
            rows.append({"supply": supply, "policy": name, "seeds": seeds, "revenue": round(g["revenue"].mean()), "clicks": round(g["clicks"].mean()),
                         "regret": round(mean, 4), "low": round(low, 4), "high": round(high, 4),
                         **{k: round(v, 4) for k, v in zip(("more", "more_low", "more_high"), more, strict=True)}, "gone": round(g["gone"].mean(), 1)})
    return rows


def one_hot(idx: np.ndarray, size: int):
    "Hashed indices (n, f) as a sparse matrix (n, size)."
    from scipy.sparse import csr_matrix
    return csr_matrix((np.ones(idx.size), idx.ravel(), np.arange(0, idx.size + 1, idx.shape[1])), (len(idx), size))


def click_models() -> dict:
    "Name -> function (training log, test log) -> click probabilities of the test log."
    from sklearn.linear_model import LogisticRegression

    def ftrl(train, test):
        a, b = (hash_features(d["columns"]) for d in (train, test))
        order = np.random.default_rng(0).permutation(len(a))            # in order of time the last evening would pull the level of all predictions
        return FTRL(2**18, alpha=0.2, l1=1.0).fit(a[order], train["click"][order]).predict(b)

    def logistic(train, test):
        a, b = (one_hot(hash_features(d["columns"]), 2**18) for d in (train, test))
        return LogisticRegression(C=0.1, max_iter=200).fit(a, train["click"]).predict_proba(b)[:, 1]

    def boosted(train, test):
        import lightgbm as lgb
        names = [n for n in train["columns"] if n not in ("user", "cross")] + ["like"]
        a, b = (np.column_stack([*(d["columns"][n] for n in names[:-1]), d["likeness"]]) for d in (train, test))
        model = lgb.LGBMClassifier(n_estimators=200, learning_rate=0.03, num_leaves=15, min_child_samples=100, num_threads=1, verbose=-1, random_state=0)
        model.fit(a, train["click"], categorical_feature=[names.index(n) for n in ("segment", "category", "ad")])
        return model.booster_.predict(b)

    models = {"总的点击率": lambda train, test: np.full(len(test["click"]), train["click"].mean()), "FTRL": ftrl, "逻辑回归": logistic}
    return models | ({"LightGBM": boosted} if find_spec("lightgbm") else {}) | {"真实概率": lambda train, test: test["truth"]}


def click_rows(days: int = 3) -> list[dict]:
    "The click model table: days 0 to `days` - 1 train, the next one tests."
    logs = [click_log(make_market(0, day=d, arrivals=60_000), seed=d) for d in range(days + 1)]
    train = {k: np.concatenate([x[k] for x in logs[:-1]]) for k in ("click", "truth", "likeness")}
    train["columns"] = {n: np.concatenate([x["columns"][n] for x in logs[:-1]]) for n in logs[0]["columns"]}
    rows = []
    for name, model in click_models().items():
        start = time.perf_counter()
        p = model(train, logs[-1])
        rows.append({"model": name, "train": len(train["click"]), "test": len(p), "clicks": int(logs[-1]["click"].sum()),
                     **{k: round(v, 5) for k, v in click_scores(logs[-1]["click"], p).items()}, "seconds": round(time.perf_counter() - start, 1)})
    return rows


def offpolicy_rows() -> list[dict]:
    "The off-policy table: both directions, all estimators."
    from ecom_nbdev.apps.offpolicy import LoggedData, bandit_logs, estimate_interval, evaluate
    from ecom_nbdev.data import load
    data = load("open_bandit_men")
    rows = []
    for source, target in (("random", "bts"), ("bts", "random")):
        log = bandit_logs(data, source, target)
        clicks = data.loc[data["split"] == target, "label"].to_numpy()
        truth = estimate_interval(LoggedData(np.zeros(len(clicks), int), clicks, np.ones(len(clicks)), np.ones((len(clicks), 1))), "IPW", 2000)
        for r in evaluate(log, resamples=2000).to_dict("records"):
            rows.append({"log": source, "policy": target, "n": len(log.reward), "ess": round(log.ess()), **{k: round(v, 5) if isinstance(v, float) else v for k, v in r.items()},
                         **dict(zip(("on_policy", "on_low", "on_high"), (round(v, 4) for v in truth), strict=True))})
    return rows


PARTS = {"policies": policy_rows, "clicks": click_rows, "offpolicy": offpolicy_rows}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--part", choices=PARTS)
    ap.add_argument("--seeds", type=int, default=12)
    args = ap.parse_args()
    for part in [args.part] if args.part else PARTS:
        rows = PARTS[part](args.seeds) if part == "policies" else PARTS[part]()
        sys.argv[1:] = ["--part", part, *(["--seeds", str(args.seeds)] if part == "policies" else [])]      # each line of results names its own part
        report("ads", rows)


if __name__ == "__main__":
    main()
