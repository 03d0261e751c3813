"""Scale measured: worker processes against each other, rows against memory, processes that are killed, training by several processes, stages by the core.

    ECOM_THREADS=1 OMP_NUM_THREADS=1 python bench/scale.py            # classify (ONNX int8) by 1 and 2 workers, three times each: scale.jsonl (four minutes; both cores must be idle)
    ... --linear    # the stage clean over 10,000, 100,000 and 1,000,000 rows by 2 workers: scale_linear.jsonl (three minutes)
    ... --kill      # a worker and the whole job killed in the middle, and what Ray's own writer does when a job runs twice: scale_kill.jsonl (two minutes)
    ... --train     # fine-tuning by 1 and 2 processes of gloo, three times each: scale_train.jsonl (four minutes; both cores idle)
    ... --stages    # rows a core does in a second, stage by stage: scale_stages.jsonl (four minutes)
    ... --quick     # with any of these: few rows, for trying; nothing is recorded

Reviews are made of templates with a fixed seed. Rows per second leave out starting processes and loading models (first start to last end of the blocks);
`cpu_per_1000` is processor seconds for 1,000 rows, which other work on the machine hardly moves.
"""
from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from common import median, report

from ecom_nbdev.scale import cluster, fit_parallel, n_cores, run, table_of

THINGS = "雨靴 电饭锅 蓝牙耳机 面霜 猫砂 书包 台灯 羽绒服 跑鞋 保温杯 吸尘器 婴儿车 键盘 床单 榨汁机 防晒霜 行李箱 机械表 洗发水 投影仪".split()
SAYS = ["用了一周，{}，值这个价", "{}，不过物流慢了两天", "第二次买了，{}", "{}，客服也很耐心", "和图片不一样，{}", "送给家里人的，说{}", "{}，包装有点简陋", "等了很久才到，{}", "朋友推荐的，{}", "{}，会再来"]
HOWS = ["做工很细", "用了两天就坏了", "颜色比想的好看", "味道有点大", "大小正合适", "声音太响", "比上次买的好", "有一处划痕", "操作简单", "不太结实"]


def texts(n: int, seed: int = 0) -> list[str]:
    "`n` reviews from templates, 2,000 different sentences with a number that makes most of them different."
    rng = np.random.default_rng(seed)
    a, b, c, d = (rng.integers(0, k, n).tolist() for k in (len(THINGS), len(SAYS), len(HOWS), 10_000))
    return [f"{THINGS[i]}{SAYS[j].format(HOWS[k])}（订单尾号{m}）" for i, j, k, m in zip(a, b, c, d, strict=True)]


def write_reviews(folder: Path, n: int, per_file: int = 50_000) -> Path:
    "`n` reviews of n / 10 users as Parquet files in `folder`; row groups of 10,000."
    folder.mkdir(parents=True)
    for k, start in enumerate(range(0, n, per_file)):
        rows = min(per_file, n - start)
        users = np.random.default_rng(k).integers(0, max(n // 10, 1), rows)
        table = pa.table({"review": pa.array(range(start, start + rows)), "user_id": [f"u{u}" for u in users], "text": texts(rows, seed=k), "source": ["review"] * rows})
        pq.write_table(table, folder / f"{k:05d}.parquet", row_group_size=10_000)
    return folder


def speed(parts: pd.DataFrame) -> dict:
    "Rows per second of a phase from its parts, processor seconds for 1,000 rows, largest memory of a worker in MB."
    seconds = parts["end"].max() - parts["start"].min()
    return {"rows_per_s": round(parts["rows"].sum() / seconds, 1), "cpu_per_1000": round(1000 * parts["cpu_s"].sum() / parts["rows"].sum(), 3), "peak_mb": round(parts["peak_mb"].max())}


def exported(here: Path) -> str:
    "Folder with the shipped classifier as ONNX int8."
    from ecom_nbdev.classify import TextClassifier
    return str(TextClassifier.load("sentiment").export_onnx(here / "onnx", "int8"))


def throughput(here: Path, args: argparse.Namespace) -> None:
    "Classify by 1 and by 2 workers, in turn."
    n, times = args.rows or 4000, args.runs
    source, options = write_reviews(here / "in", n), {"classify": {"model": exported(here)}}
    found: dict[int, list] = {1: [], 2: []}
    with cluster(2):
        for k in range(times):
            for workers in found:
                start = time.perf_counter()
                done = run(source, here / f"{workers}-{k}", ["classify"], workers, block_rows=n // 40, options=options)
                found[workers].append(speed(done.parts) | {"wall_s": time.perf_counter() - start, "load": os.getloadavg()[0]})
    rows = [{"what": "classify, ONNX int8", "rows": n, "workers": w, "runs": times} | {k: round(median(r[k] for r in rs), 3) for k in rs[0]} for w, rs in found.items()]
    keep("scale", [r | {"times": round(r["rows_per_s"] / rows[0]["rows_per_s"], 2)} for r in rows], args.quick)


def linear(here: Path, args: argparse.Namespace) -> None:
    "The stage clean over more and more rows."
    rows = []
    with cluster(2):
        for n in (1000, 10_000, 100_000) if args.quick else (10_000, 100_000, 1_000_000):
            source = write_reviews(here / f"in{n}", n)
            start = time.perf_counter()
            done = run(source, here / f"out{n}", ["clean"], 2, block_rows=10_000 if n > 10_000 else n // 4)
            numbers = table_of(here / f"out{n}").to_table(columns=["row", "review"])
            assert sorted(numbers["row"].to_pylist()) == list(range(n)) and numbers["row"].equals(numbers["review"]), "every row once, beside its own id"
            size = sum(p.stat().st_size for p in (here / f"out{n}" / "rows").iterdir())
            rows.append({"rows": n, "parts": len(done.parts), "wall_s": round(time.perf_counter() - start, 1)} | speed(done.parts) | {
                "driver_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3), "bytes_per_row": round(size / n, 1), "load": round(os.getloadavg()[0], 1)})
    keep("scale_linear", rows, args.quick)


def kill(here: Path, args: argparse.Namespace) -> None:
    "What is left of the rows when a worker, or the job with all its processes, is killed in the middle."
    n = args.rows or 40_000
    source = write_reviews(here / "in", n, per_file=n // 4)
    rows, killed = [], []

    def kill_worker(part: dict) -> None:
        "SIGKILL to the process that finished every fifth part."
        if part["part"] % 5 == 0 and len(killed) < 3:
            killed.append(part["pid"])
            os.kill(part["pid"], signal.SIGKILL)

    with cluster(2):
        import ray
        for _ in range(2):
            ray.data.read_parquet(str(source)).map_batches(lambda b: b | {"n": np.array([len(t) for t in b["text"]])}).write_parquet(str(here / "naive"))
        rows.append(counted("Ray Data's own writer, the job run twice", n, pq.read_table(here / "naive", columns=["review"])["review"].to_pylist(), 0, 0))
        done = run(source, here / "worker", ["clean"], 2, block_rows=n // 20, on_part=kill_worker)
        rows.append(counted("workers killed in the middle", n, table_of(here / "worker").to_table(columns=["review"])["review"].to_pylist(), len(killed), done.kept))
    code = (f"import os, signal; from ecom_nbdev.scale import run; seen = []\n"
            f"def stop(part):\n    seen.append(part)\n    if len(seen) == 7: os.killpg(0, signal.SIGKILL)\n"
            f"run({str(source)!r}, {str(here / 'job')!r}, ['clean'], 2, block_rows={n // 20}, on_part=stop)")
    first = subprocess.run([sys.executable, "-c", code], start_new_session=True, capture_output=True)
    assert first.returncode == -signal.SIGKILL, first.stderr[-300:]
    done = run(source, here / "job", ["clean"], 2, block_rows=n // 20)
    rows.append(counted("the job killed after 7 of 20 parts, then run again", n, table_of(here / "job").to_table(columns=["review"])["review"].to_pylist(), 1, done.kept))
    keep("scale_kill", rows, args.quick)


def counted(what: str, n: int, ids: list[int], kills: int, kept: int) -> dict:
    "A row of the table: how many of the ids 0 … n-1 are missing, how many are there too often."
    return {"what": what, "rows": n, "kills": kills, "parts_kept": kept, "written": len(ids), "lost": n - len(set(ids)), "doubled": len(ids) - len(set(ids))}


def train(here: Path, args: argparse.Namespace) -> None:
    "Fine-tune two layers of e5-small's head end by 1 and 2 processes on the same batches."
    from ecom_nbdev.classify import TextClassifier
    n, times = args.rows or 256, args.runs
    X, y = texts(n), [i % 2 for i in range(n)]
    clf = TextClassifier(mode="full", epochs=1, freeze_layers=0, max_length=64, batch_tokens=1024, precision="float32", calibrate=False)
    found: dict[int, list] = {1: [], 2: []}
    for k in range(times):
        for processes in found:
            fitted = fit_parallel(clf, X, y, here / f"{processes}-{k}", processes, eval_set=(X[:8], y[:8]))
            found[processes].append({"fit_s": fitted.parallel_["fit_s"], "steps": fitted.parallel_["steps"], "last_loss": fitted.parallel_["losses"][-1], "load": os.getloadavg()[0]})
    rows = [{"rows": n, "processes": p, "runs": times} | {k: round(median(r[k] for r in rs), 4) for k in rs[0]} for p, rs in found.items()]
    keep("scale_train", [r | {"times": round(rows[0]["fit_s"] / r["fit_s"], 2)} for r in rows], args.quick)


def stages(here: Path, args: argparse.Namespace) -> None:
    "Processor seconds of each stage, one worker, a block after another."
    n = args.rows or 1000
    source, rows = write_reviews(here / "in", n), []
    jobs = [("clean", "规则", {}), ("embed", "e5-small，PyTorch", {}), ("classify", "e5-small，PyTorch", {}), ("classify", "e5-small，ONNX int8", {"classify": {"model": exported(here)}}),
            ("profile", "规则与词典", {"profile": {"embedder": False, "sentiment": "lexicon"}}), ("recommend", "e5-small 与商品", {"recommend": {"k": 10}, "profile": {"sentiment": "lexicon"}} )]
    with cluster(1):
        for k, (stage, how, options) in enumerate(jobs):
            chosen = [stage] if stage != "recommend" else ["recommend", "profile"]
            done = run(source, here / f"out{k}", chosen, 1, block_rows=max(n // 10, 1), options=options)
            parts = done.parts.query(f"phase == {'users' if stage in ('profile', 'recommend') else 'rows'!r}")
            cpu = parts["cpu_s"].sum()
            size = sum(p.stat().st_size for p in (here / f"out{k}").rglob("*.parquet"))
            rows.append({"stage": stage, "how": how, "rows": n, "cpu_per_1000": round(1000 * cpu / n, 2), "rows_per_core_s": round(n / cpu, 1), "peak_mb": round(parts["peak_mb"].max()), "bytes_per_row": round(size / n)})
    keep("scale_stages", rows, args.quick)


def keep(name: str, rows: list[dict], quick: bool) -> None:
    "Record the rows, or only print them."
    if quick:
        print(pd.DataFrame(rows).to_string())
    else:
        report(name, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    group = parser.add_mutually_exclusive_group()
    for job in (linear, kill, train, stages):
        group.add_argument(f"--{job.__name__}", dest="job", action="store_const", const=job, help=job.__doc__)
    parser.add_argument("--rows", type=int, help="rows (default 4,000; --kill 40,000, --train 256, --stages 1,000)")
    parser.add_argument("--runs", type=int, default=3, help="times that one and two workers are measured")
    parser.add_argument("--quick", action="store_true", help="few rows, one run; nothing is recorded")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.runs = args.rows or 100, 1
    if n_cores() < 2:
        sys.exit("需要两个处理器核。")
    with tempfile.TemporaryDirectory(prefix="scale") as folder:
        (args.job or throughput)(Path(folder), args)
