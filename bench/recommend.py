"""Recommendations for the demo users: hit rate, share of the main interest and likeness within a list, against random, BM25 and plain cosine.

Run: python bench/recommend.py [--k 10]
"""
from __future__ import annotations

import argparse

import numpy as np
from common import report

from ecom_nbdev.apps.profile import Profiler
from ecom_nbdev.apps.recommend import Recommender, baseline_lists, list_quality
from ecom_nbdev.data import load


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--k", type=int, default=10)
    k = ap.parse_args().k
    products = load("products")
    profiles = Profiler(products=products).profile(load("users"))
    truth = load("users_truth").set_index("user_id")["main_category"]
    rec = Recommender().fit(products)
    found = rec.recommend_batch(profiles, k=k)
    lists = baseline_lists(rec, profiles, k) | {"本章": [[rec._at[i] for i in g] for _, g in found.groupby("user_id", sort=False)["item_id"]]}
    rows = []
    # 画像的两个门槛在奇数编号的用户上定过，偶数编号的另报
    for part, keep in (("全部", lambda u: True), ("偶数编号", lambda u: int(u[1:]) % 2 == 0)):
        at = [n for n, p in enumerate(profiles) if keep(p.user_id)]
        for name, all_lists in lists.items():
            quality = list_quality(rec, [all_lists[n] for n in at], [truth[profiles[n].user_id] for n in at])
            rows.append({"users": part, "n": len(at), "method": name, **{q: round(float(np.float64(v)), 3) for q, v in quality.items()}})
    report("recommend", rows)


if __name__ == "__main__":
    main()
