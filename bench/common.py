"""What benchmarks here share: the machine in words, medians, the shop reviews, one printed table, one JSON line appended to bench/results."""
from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

RESULTS = Path(__file__).parent / "results"


def machine() -> dict:
    "Processor, cores this process may use, Python and the versions that matter."
    from importlib.metadata import version

    from ecom_nbdev.core import n_threads
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), cpu)
    return {"cpu": cpu, "threads": n_threads(), "python": platform.python_version(), "ecom_nbdev": version("ecom_nbdev")}


def timed(job, runs: int = 5, warmup: int = 1) -> list[float]:
    "Seconds of `runs` calls of `job` after `warmup` calls that do not count."
    for _ in range(warmup):
        job()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - start)
    return seconds


def median(values) -> float:
    "Median."
    return statistics.median(values)


def shop_reviews(first: dict[str, int | None], sizes: tuple[float, float, float] = (0.8, 0.1, 0.1)) -> dict[str, tuple[list[str], np.ndarray]]:
    "part -> (texts, labels) of online_shopping_10_cats (ECOM_DATA), shuffled and split by `splits.split`, seed 0; `first`: rows kept of a part, None for all."
    from ecom_nbdev.data import load
    from ecom_nbdev.splits import split
    df = load("online_shopping_10_cats").sample(frac=1, random_state=0)
    part = split(df["text"].tolist(), df["label"].to_numpy(), sizes=sizes, seed=0)
    rows = {p: df[part == p].iloc[:n] for p, n in first.items()}
    return {p: (d["text"].tolist(), d["label"].to_numpy().astype(int)) for p, d in rows.items()}


def report(name: str, rows: list[dict]) -> None:
    "Print `rows` as a table and append them, with the machine and the command, as one JSON line to bench/results/`name`.jsonl."
    columns = list(dict.fromkeys(c for r in rows for c in r))
    width = {c: max(len(str(c)), *(len(str(r.get(c, ""))) for r in rows)) for c in columns}
    for line in ({c: c for c in columns}, *rows):
        print("  ".join(str(line.get(c, "")).ljust(width[c]) for c in columns))
    RESULTS.mkdir(exist_ok=True)
    script = Path(sys.argv[0]).resolve()
    entry = {"bench": name, "command": "python " + " ".join([f"{script.parent.name}/{script.name}", *sys.argv[1:]]), "time": time.strftime("%Y-%m-%d"),
             "machine": machine(), "rows": rows}
    with open(RESULTS / f"{name}.jsonl", "a", encoding="utf-8") as f:
        f.write(json.dumps(entry, ensure_ascii=False) + "\n")
