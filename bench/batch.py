"""Recommendations for many users at once: seconds of fit, seconds per 1,000 users, peak memory and file size, for catalogues of 10,000 to 1,000,000 products.

Synthetic, by a seeded generator: a title is words of two demo products and a number of its own; a user has two interests, each with a search and a review made
the same way. Vectors come from a FAKE embedder (`WordVectors`: a text is the sum of the vectors of its words, looked up), because encoding 1,000,000 titles with
e5-small takes hours on a CPU: the seconds here are those of everything except the encoder, which costs the same for each distinct text in any batch.
Users are written to a Parquet file, 1,000 at a time, for each number of --users in turn (peak memory is that of the process so far). The first 20 are also asked
for one by one and compared; e5-small is timed on the texts of 50 users.
Seconds are of processor time in all threads: on one free core the same by the clock, and little moved by what else the machine does.
Run: ECOM_THREADS=1 OMP_NUM_THREADS=1 python bench/batch.py --products 10000 --users 1000 10000
     ... --products 100000 --users 1000 10000      ... --products 1000000 --users 1000 10000
(about 2, 3 and 12 minutes on one free core; 5 GB of memory for a million products). Appends one JSON line a command to bench/results/batch.jsonl.
"""
from __future__ import annotations

import argparse
import re
import resource
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from common import report

from ecom_nbdev.apps.profile import Evidence, Interest, UserProfile
from ecom_nbdev.apps.recommend import Recommender, as_want, product_text, words_of
from ecom_nbdev.data import load
from ecom_nbdev.models import Embedder

NOISE = 4096


class Made:
    "Words of the demo catalogue by product, and what is made of them by a generator."
    def __init__(self):
        self.demo = load("products")
        self.words = [words_of(t).split() for t in self.demo["title"]]
        self.categories = self.demo["category"].tolist()

    def titles(self, n: int, rng) -> tuple[list[str], np.ndarray]:
        "(n titles, the first demo product of each): half the words of each of two products in random order, and a number."
        a, b = rng.integers(0, len(self.words), (2, n))
        number = rng.integers(0, 10**9, n)
        order = rng.random((n, 2, 32))
        return [" ".join([*self._half(i, o[0]), *self._half(j, o[1]), f"k{m}"]) for i, j, m, o in zip(a, b, number, order, strict=True)], a

    def _half(self, product: int, order: np.ndarray) -> list[str]:
        words = self.words[product]
        keep = np.argsort(order[:len(words)])[:(len(words) + 1) // 2]
        return [words[k] for k in keep]

    def products(self, n: int, block: int = 20_000) -> pd.DataFrame:
        "A catalogue of `n` products: title, category of its first demo product, price, stock (one in twenty is sold out)."
        rng, parts = np.random.default_rng(0), []
        for start in range(0, n, block):
            titles, a = self.titles(min(block, n - start), rng)
            parts.append(pd.DataFrame({"title": titles, "category": [self.categories[i] for i in a], "price": rng.lognormal(4, 1, len(a)).round(2),
                                       "stock": (rng.random(len(a)) > 0.05).astype(int)}))
        made = pd.concat(parts, ignore_index=True)
        return made.assign(item_id=[f"P{k}" for k in range(n)])

    def users(self, n: int) -> list[UserProfile]:
        "Profiles with two interests, each with a search and a review; one in three dislikes something, one in two minds the price."
        rng, out = np.random.default_rng(1), []
        said, a = self.titles(4 * n, rng)
        dislikes, minds = rng.random(n) < 1 / 3, rng.random(n) < 0.5
        for u in range(n):
            both = [Interest(self.categories[a[4 * u + 2 * i]], w, [Evidence(4 * u + 2 * i, said[4 * u + 2 * i], "search", "2026-11-01"),
                                                                    Evidence(4 * u + 2 * i + 1, said[4 * u + 2 * i + 1], "review", "2026-11-02")]) for i, w in ((0, 0.7), (1, 0.3))]
            out.append(UserProfile(f"U{u}", 4, both, dislikes=[Interest("香味重", 0.5)] if dislikes[u] else [], price_sensitivity=0.8 if minds[u] else None))
        return out


class WordVectors:
    "FAKE embedder: a text is the unit sum of the vectors of its words; a word's is the mean of the demo products that have it, any other word's one of 4,096 random ones."
    def __init__(self, made: Made):
        base = Embedder().encode([product_text(r) for r in made.demo.to_dict("records")], kind="passage")
        base = base - base.mean(0)
        at: dict[str, list[int]] = {}
        for n, words in enumerate(made.words):
            for w in words:
                at.setdefault(w, []).append(n)
        self.at = {w: NOISE + n for n, w in enumerate(at)}
        noise = np.random.default_rng(2).normal(0, 1, (NOISE, base.shape[1]))
        table = np.vstack([noise, [base[rows].mean(0) for rows in at.values()]]).astype(np.float32)
        self.table, self.seconds = table / np.linalg.norm(table, axis=1, keepdims=True), 0.0

    def encode(self, texts, kind: str = "query", block: int = 10_000) -> np.ndarray:
        "float32 (n, d) of unit rows; the time it takes is added to `seconds`."
        began = time.process_time()
        out = np.empty((len(texts), self.table.shape[1]), np.float32)
        for start in range(0, len(texts), block):
            rows = [[self.at.get(w, zlib.crc32(w.encode()) % NOISE) for w in re.split("[ 。]", t.lower())] for t in texts[start:start + block]]
            ends = np.cumsum([0, *map(len, rows)])[:-1]
            V = np.add.reduceat(self.table[np.concatenate(rows).astype(int)], ends)
            out[start:start + block] = V / np.maximum(np.linalg.norm(V, axis=1, keepdims=True), 1e-9)
        self.seconds += time.process_time() - began
        return out


def seconds(job, embedder: WordVectors):
    "(result of `job`, its seconds without those of the fake embedder)."
    start, fake = time.process_time(), embedder.seconds
    result = job()
    return result, time.process_time() - start - (embedder.seconds - fake)


def peak() -> float:
    "GB of memory this process has had at most."
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)


def e5_seconds(users: list[UserProfile]) -> float:
    "Seconds of e5-small for the distinct texts of `users`."
    texts = {t for u in users for t in [*as_want(u).texts, *(e.text for e in as_want(u).evidence)]}
    real, start = Embedder(remember=0), time.process_time()
    real.encode(sorted(texts))
    return time.process_time() - start


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--products", type=int, default=10_000)
    ap.add_argument("--users", type=int, nargs="+", default=[1_000])
    args = ap.parse_args()
    made = Made()
    embedder = WordVectors(made)
    e5 = round(20 * e5_seconds(made.users(50)), 1)
    table = [made.products(args.products)]
    rec, fit = seconds(lambda: Recommender(embedder=embedder).fit(table.pop()), embedder)
    common = {"products": args.products, "fit_s": round(fit, 1), "fit_GB": peak(), "e5_s_per_1000": e5}
    users = made.users(max(args.users))
    one, alone = seconds(lambda: [rec.recommend(u) for u in users[:20]], embedder)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n in sorted(args.users):
            out, took = seconds(lambda n=n: rec.recommend_batch(users[:n], out=Path(folder) / "lists.parquet"), embedder)
            lists = pd.read_parquet(out)
            same = sum(lists[lists["user_id"] == u.user_id]["item_id"].tolist() == o["item_id"].tolist() for u, o in zip(users, one, strict=False))
            rows.append(common | {"users": n, "s": round(took, 1), "s_per_1000": round(1000 * took / n, 2), "one_by_one_s_per_1000": round(50 * alone, 1), "same_of_20": same,
                                  "rows": len(lists), "MB": round(out.stat().st_size / 1e6, 1), "peak_GB": peak()})
            print(rows[-1], flush=True)
    report("batch", rows)


if __name__ == "__main__":
    main()
