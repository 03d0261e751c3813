"""Planning: what its methods find on data whose answer is known (chapter nbs/apps/planning.ipynb).

segments: share of seeds in which the number of groups is found, k-means and HDBSCAN, by stability; silhouette beside it.
bursts: recall and precision on planted bursts, and the share of shuffled texts in which any burst is reported.
ab: power and false alarms of simulated tests of the planned size; three new versions with each correction.
budget: sales of the allocation over the best of a grid, spread of marginal sales, and what fitted curves lose against the true ones.
uplift: share of next campaigns inside the 90 % prediction interval.

Run: python bench/planning.py [--seeds 30]
"""
from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from common import report
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import silhouette_score

from ecom_nbdev.apps.planning import (
    ResponseCurve, allocate_budget, burst_score, choose_clusters, expected_uplift, find_bursts, fit_response, planted_texts, sample_size, simulated_channels, simulated_power,
)


def segments(seeds: int) -> list[dict]:
    "Share of seeds with the right number of groups; points 160 in 2 dimensions, on a circle of radius 6 with the given spread."
    rows = []
    for k, spread in ((3, 0.7), (7, 0.7), (5, 1.8)):
        angle = 2 * np.pi * np.arange(k) / k
        right = dict.fromkeys(("kmeans", "hdbscan", "silhouette"), 0)
        for s in range(seeds):
            X, _ = make_blobs(160, centers=6 * np.column_stack([np.cos(angle), np.sin(angle)]), cluster_std=spread, random_state=s)
            right["kmeans"] += choose_clusters(X, candidates=range(2, 10), n_boot=8, seed=s).k == k
            right["hdbscan"] += choose_clusters(X, "hdbscan", (5, 8, 12), n_boot=8, seed=s).k == k
            right["silhouette"] += max(range(2, 10), key=lambda c: silhouette_score(X, KMeans(c, n_init=4, random_state=s).fit_predict(X))) == k
        rows += [{"task": "segments", "case": f"k={k}, spread={spread}", "method": m, "value": round(n / seeds, 3), "n": seeds} for m, n in right.items()]
    return rows


def bursts(seeds: int) -> list[dict]:
    "Recall and precision of planted bursts by their height, and false alarms after shuffling."
    rows = []
    for rate, high in ((0.05, 0.4), (0.05, 0.2)):
        score = np.zeros(3, int)
        for s in range(seeds):
            texts, planted = planted_texts(1000 + s, rate=rate, high=high)
            score += burst_score(find_bursts(texts, seed=s), planted)
        case = f"{rate:.0%} -> {high:.0%}"
        rows += [{"task": "bursts", "case": case, "method": "recall", "value": round(score[0] / (3 * seeds), 3), "n": 3 * seeds},
                 {"task": "bursts", "case": case, "method": "precision", "value": round(score[1] / max(score[2], 1), 3), "n": int(score[2])}]
    alarms = 0
    for s in range(4 * seeds):
        texts, _ = planted_texts(2000 + s)
        alarms += not find_bursts(texts.assign(time=np.random.default_rng(s).permutation(texts["time"].to_numpy())), seed=s + 500).empty
    return [*rows, {"task": "bursts", "case": "shuffled times", "method": "any burst reported", "value": round(alarms / (4 * seeds), 3), "n": 4 * seeds}]


def ab() -> list[dict]:
    "Power asked and simulated, false alarms; then three new versions."
    rows = []
    for p, lift, power in ((0.03, 0.2, 0.8), (0.1, 0.1, 0.9), (0.02, -0.3, 0.8), (0.005, 0.3, 0.8), (0.3, 0.05, 0.95)):
        got = simulated_power(p, lift, sample_size(p, lift, power=power), tests=20_000)
        rows += [{"task": "ab", "case": f"{p} {lift:+.0%}, asked {power}", "method": m, "value": round(v, 4), "n": 20_000} for m, v in got.items()]
    n = sample_size(0.03, 0.2, alpha=0.05 / 3)
    for c in ("none", "bonferroni", "holm"):
        rows += [{"task": "ab", "case": f"3 new versions, {c}", "method": m, "value": round(v, 4), "n": 5000} for m, v in simulated_power(0.03, 0.2, n, tests=5000, variants=3, correction=c).items()]
    return rows


def budget(seeds: int) -> list[dict]:
    "Allocation against a grid of 100 parts on random curves (shape 0.5 to 3), and with fitted instead of true curves."
    steps, ratio, spread, lost = 100, [], [], []
    i, j = np.meshgrid(np.arange(steps + 1), np.arange(steps + 1), indexing="ij")
    parts = np.stack([i, j, steps - i - j])[:, i + j <= steps] / steps
    for s in range(seeds):
        rng = np.random.default_rng(s)
        curves = [ResponseCurve(n, *rng.uniform((50, 5, 0.5), (200, 50, 3.0))) for n in "abc"]
        total = float(rng.uniform(10, 150))
        a = allocate_budget(curves, total)
        ratio.append(a["sales"].sum() / sum(c.sales(x * total) for c, x in zip(curves, parts, strict=True)).max())
        free = a.loc[a["spend"] > 1e-3 * total, "marginal"]
        spread.append(float(np.ptp(free) / free.mean()))
        past, true = simulated_channels(s)
        fitted = allocate_budget(fit_response(past, n_boot=1), 60_000)["spend"]
        lost.append(1 - sum(float(c.sales(x)) for c, x in zip(true, fitted, strict=True)) / allocate_budget(true, 60_000)["sales"].sum())
    return [{"task": "budget", "case": case, "method": m, "value": float(f"{v:.4g}"), "n": seeds} for case, m, v in (
        ("random curves", "worst sales / grid", min(ratio)), ("random curves", "mean sales / grid", np.mean(ratio)), ("random curves", "worst spread of marginals", max(spread)),
        ("40 periods, 8 % noise", "mean sales lost by fitting", np.mean(lost)), ("40 periods, 8 % noise", "worst sales lost by fitting", max(lost)))]


def uplift(seeds: int) -> list[dict]:
    "Coverage of the 90 % prediction interval by the number of past campaigns (true uplift +10 %, tau 0.08, 20 000 users a group)."
    rows = []
    for k in (4, 8, 16):
        inside = 0
        for s in range(50 * seeds):
            rng = np.random.default_rng(s)
            ratio, rate = np.exp(rng.normal(np.log(1.1), 0.08, k + 1)), 0.05 * rng.uniform(0.7, 1.3, k)
            u = expected_uplift(pd.DataFrame({"exposed": 20_000, "exposed_conversions": rng.binomial(20_000, rate * ratio[:k]), "control": 20_000,
                                              "control_conversions": rng.binomial(20_000, rate)}))
            inside += u.low <= ratio[k] - 1 <= u.high
        rows.append({"task": "uplift", "case": f"{k} past campaigns", "method": "inside the 90 % interval", "value": round(inside / (50 * seeds), 3), "n": 50 * seeds})
    return rows


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--seeds", type=int, default=30)
    seeds = ap.parse_args().seeds
    report("planning", segments(max(seeds // 3, 1)) + bursts(seeds) + ab() + budget(seeds) + uplift(seeds))


if __name__ == "__main__":
    main()
