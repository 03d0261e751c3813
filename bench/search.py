"""Nearest products among many: LanceDB with an index against exact search, p50 and p99 of one query, recall@10, build time, memory; rows added and removed while serving.

Vectors: mixtures of two of the demo products' e5-small vectors (shares drawn at random) with noise, unit length; the 1,000 queries are made the same way and are not in the table.
Run: python bench/search.py [--n 1000000]      (about 15 minutes on two cores, 4 GB of disk, 4 GB of memory)
Appends one JSON line to bench/results/search.jsonl.
"""
from __future__ import annotations

import argparse
import resource
import tempfile
import time

import numpy as np
import pyarrow as pa
from common import report

from ecom_nbdev.apps.recommend import ann_index, product_text
from ecom_nbdev.data import load
from ecom_nbdev.models import Embedder


def made(base: np.ndarray, n: int, rng) -> np.ndarray:
    "float32 (n, d): unit mixtures of two rows of `base` with noise."
    a, b, w = rng.integers(0, len(base), n), rng.integers(0, len(base), n), rng.random((n, 1), np.float32)
    X = w * base[a] + (1 - w) * base[b] + rng.normal(0, 0.35 / base.shape[1] ** 0.5, (n, base.shape[1])).astype(np.float32)
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)


def batches(base: np.ndarray, n: int, rng, size: int = 50_000):
    "Record batches (item_id, vector) of `n` rows."
    for start in range(0, n, size):
        X = made(base, min(size, n - start), rng)
        flat = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), X.shape[1])
        yield pa.record_batch({"item_id": pa.array([f"P{start + k}" for k in range(len(X))]), "vector": flat})


def exact(folder_table, Q: np.ndarray, k: int = 10) -> list[set]:
    "Ids of the true `k` nearest of each query, by a pass over the table."
    best = [(np.full(k, -2.0, np.float32), np.full(k, "", object)) for _ in Q]
    for batch in folder_table.search().select(["item_id", "vector"]).to_batches():
        X = np.asarray(batch["vector"].flatten(), np.float32).reshape(len(batch), -1)
        ids, S = np.array(batch["item_id"].to_pylist(), object), Q @ X.T
        for n, row in enumerate(S):
            top = np.argpartition(-row, min(k, len(row) - 1))[:k]
            score, names = np.concatenate([best[n][0], row[top]]), np.concatenate([best[n][1], ids[top]])
            keep = np.argsort(-score)[:k]
            best[n] = score[keep], names[keep]
    return [set(names) for _, names in best]


def asked(table, Q: np.ndarray, truth: list[set], nprobes: int, refine: int) -> dict:
    "Milliseconds p50 and p99 of a query, and recall@10."
    def one(q):
        search = table.search(q).distance_type("dot").nprobes(nprobes).limit(10).select(["item_id", "_distance"])
        return (search.refine_factor(refine) if refine else search).to_arrow()["item_id"].to_pylist()
    for q in Q[:20]:
        one(q)
    ms, hits = [], []
    for q, t in zip(Q, truth, strict=True):
        start = time.perf_counter()
        found = one(q)
        ms.append(1000 * (time.perf_counter() - start))
        hits.append(len(t & set(found)) / 10)
    return {"p50_ms": round(float(np.median(ms)), 2), "p99_ms": round(float(np.quantile(ms, 0.99)), 2), "recall": round(float(np.mean(hits)), 4)}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--n", type=int, default=1_000_000)
    n = ap.parse_args().n
    import lancedb
    base = Embedder().encode([product_text(r) for r in load("products").to_dict("records")], kind="passage")
    base = base - base.mean(0)
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    Q = made(base, 1000, np.random.default_rng(1))
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        table = lancedb.connect(folder).create_table("products", batches(base, n, rng), schema=pa.schema({"item_id": pa.string(), "vector": pa.list_(pa.float32(), base.shape[1])}))
        wrote = time.perf_counter() - start
        truth = exact(table, Q)
        start = time.perf_counter()
        ann_index(table, n)
        built = time.perf_counter() - start
        common = {"products": n, "write_s": round(wrote, 1), "build_s": round(built, 1)}
        rows = [common | {"nprobes": p, "refine": r} | asked(table, Q, truth, p, r) for p, r in ((5, 0), (3, 2), (5, 2), (10, 2), (20, 2))]
        new = made(base, 1, np.random.default_rng(2))[0]
        table.add([{"item_id": "NEW", "vector": new}])
        seen = table.search(new).distance_type("dot").limit(1).to_arrow()["item_id"].to_pylist() == ["NEW"]
        table.delete("item_id = 'NEW'")
        gone = table.search(new).distance_type("dot").limit(1).to_arrow()["item_id"].to_pylist() != ["NEW"]
    for r in rows:
        r |= {"added_seen": seen, "removed_gone": gone, "peak_GB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)}
    report("search", rows)


if __name__ == "__main__":
    main()
