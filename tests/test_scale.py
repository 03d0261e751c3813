"""Scale: real models over two processes, blocks that cannot be done, training by two processes, wrong input (the notebook holds the rest)."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecom_nbdev import scale
from ecom_nbdev.core import EcomError, MissingExtra
from ecom_nbdev.scale import ROW, Task, Worker, fit_parallel, open_manifest, parts_there, plan_job, run, table_of

ray = pytest.importorskip("ray", reason="pip install -e '.[scale]'")
pytestmark = pytest.mark.skipif(scale.n_cores() < 2, reason="needs two processors")
RULES = {"profile": {"embedder": False, "sentiment": "lexicon"}}


def reviews(n: int, users: int = 6) -> pd.DataFrame:
    "Made-up rows; one in ten is empty; users are numbers."
    things, says = ["雨靴", "电饭锅", "耳机"], ["很好用，推荐给大家", "用了两天就坏了", "想买便宜一点的", "物流很快"]
    text = [None if i % 10 == 7 else f"{things[i % 3]}{says[i % 4]}{i}" for i in range(n)]
    return pd.DataFrame({"user_id": [i % users for i in range(n)], "text": text, "source": ["review", "search"][0], "time": [f"2026-0{1 + i % 9}-11" for i in range(n)]})


def write(df: pd.DataFrame, path: Path, **kw) -> Path:
    "Write a table without an index."
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(df, preserve_index=False), path, **kw)
    return path


def by_hand(job: dict, phase: str = "rows") -> list[dict]:
    "Do all tasks of a phase in this process."
    worker = Worker(job | {"parts": len(job["tasks"])}, phase)
    tasks = [Task(*t)._asdict() for t in job["tasks"]] if phase == "rows" else [{"part": b} for b in range(job["buckets"])]
    return [{k: v[0] for k, v in worker({k: [v] for k, v in t.items()}).items()} for t in tasks]


@pytest.fixture(scope="module")
def two():
    "A cluster of two processes for all tests here."
    with scale.cluster(2):
        yield


def test_models_over_two_processes_say_what_one_says(two, tmp_path):
    from ecom_nbdev.apps.profile import Profiler
    from ecom_nbdev.apps.recommend import Recommender
    from ecom_nbdev.classify import TextClassifier
    from ecom_nbdev.data import load
    table, products = reviews(60), load("products").groupby("category").head(1)
    write(table[:35], tmp_path / "in" / "a.parquet", row_group_size=10)
    write(table[35:], tmp_path / "in" / "b.parquet")
    products.to_csv(tmp_path / "products.csv", index=False)
    options = {"recommend": {"products": str(tmp_path / "products.csv"), "k": 3}, "profile": {"sentiment": "lexicon"}}
    done = run((tmp_path / "in").as_uri(), tmp_path / "out", ["embed", "classify", "recommend"], 2, block_rows=12, buckets=2, options=options)
    rows = table_of(tmp_path / "out").to_table().sort_by(ROW).to_pandas()
    assert rows[ROW].tolist() == list(range(60)) and rows["text"].fillna("").tolist() == table["text"].fillna("").tolist()
    usable = table["text"].notna().tolist()
    assert rows["prediction"].notna().tolist() == rows["vector"].notna().tolist() == usable
    proba = TextClassifier.load("sentiment").predict_proba(table["text"].dropna().tolist())
    assert rows["prediction"].dropna().tolist() == [str(i) for i in proba.argmax(1)]
    assert done.parts.groupby("phase")["part"].nunique().to_dict() == {"rows": 6, "users": 2} and done.kept == 0
    profiles = Profiler(sentiment="lexicon").profile(table)
    alone = Recommender().fit(products).recommend_batch(profiles, 3)
    found = table_of(tmp_path / "out", "recommendations").to_table().to_pandas()
    assert done.users == len(profiles) == 6 and found.groupby("user_id").size().eq(3).all()
    keys = ["user_id", "rank", "item_id"]
    assert found.sort_values(keys)[keys].to_numpy().tolist() == alone.astype({"item_id": str}).sort_values(keys)[keys].to_numpy().tolist()


class Dies:
    "A worker that never comes back from its first task."
    def __init__(self, job, phase):
        pass

    def __call__(self, batch):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_block_that_always_kills_its_worker_ends_the_run(two, tmp_path, monkeypatch):
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(scale, "Worker", Dies)
    monkeypatch.setattr(scale, "RESTARTS", 1)
    write(reviews(20), tmp_path / "in.parquet")
    with pytest.raises(EcomError, match="反复意外退出"):
        run(tmp_path / "in.parquet", tmp_path / "out", ["clean"], 1)
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_a_broken_file_stops_only_its_own_blocks(tmp_path):
    for k in range(3):
        write(reviews(30), tmp_path / "in" / f"{k}.parquet", compression="none")
    path = tmp_path / "in" / "1.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 600 + whole[604:])
    job = plan_job(tmp_path / "in", tmp_path / "out", ["clean"], block_rows=15)
    done = by_hand(job)
    assert [bool(r["error"]) for r in done] == [False] * 2 + [True] * 2 + [False] * 2 and parts_there(job, "rows") == {0, 1, 4, 5}
    path.write_bytes(whole)
    assert not any(r["error"] for r in by_hand(job)) and scale.check_rows(job) is None
    (tmp_path / "out" / "rows" / "part-000002.parquet").write_bytes((tmp_path / "out" / "rows" / "part-000000.parquet").read_bytes())
    with pytest.raises(EcomError, match="与清单不符"):
        scale.check_rows(job)


def test_profiles_are_the_same_however_the_rows_are_cut(tmp_path):
    table, seen = reviews(90, users=11), []
    for k, (files, block, buckets) in enumerate(((1, 1000, 1), (3, 7, 4), (2, 45, 30))):
        for f in range(files):
            write(table[f * 90 // files:(f + 1) * 90 // files], tmp_path / f"in{k}" / f"{f}.parquet", row_group_size=13)
        job = plan_job(tmp_path / f"in{k}", tmp_path / f"out{k}", ["profile"], block_rows=block, buckets=buckets, options=RULES)
        by_hand(job)
        job["options"]["profile"]["now"] = scale.newest_time(job)
        assert sum(r["rows"] for r in by_hand(job, "users")) == 11
        seen.append({u: json.loads(p) for u, p in zip(*(table_of(tmp_path / f"out{k}", "profiles").to_table()[c].to_pylist() for c in ("user_id", "profile")), strict=True)})
    strip = lambda p: {k: p[k] for k in ("n_texts", "sentiment", "price_sensitivity", "summary", "main_interest")} | {"interests": [(i["name"], i["weight"]) for i in p["interests"]]}  # noqa: E731
    assert sorted(seen[0]) == sorted(map(str, range(11)))
    assert all(strip(seen[0][u]) == strip(s[u]) for s in seen[1:] for u in seen[0])


def test_users_as_numbers_with_and_without_gaps_are_the_same():
    assert scale.bucket_of([7, 12], 50).tolist() == scale.bucket_of([7.0, 12.0], 50).tolist() == scale.bucket_of(["7", " 12"], 50).tolist()


def test_a_broken_manifest_and_a_file_in_the_way(tmp_path):
    write(reviews(5), tmp_path / "in.parquet")
    job = plan_job(tmp_path / "in.parquet", tmp_path / "out", ["clean"])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text("{")
    with pytest.raises(EcomError, match="已损坏"):
        open_manifest(job)
    (tmp_path / "file").write_text("x")
    with pytest.raises(EcomError, match="写不了"):
        open_manifest(plan_job(tmp_path / "in.parquet", tmp_path / "file" / "out", ["clean"]))
    (tmp_path / "half.parquet").write_bytes((tmp_path / "in.parquet").read_bytes()[:-20])
    with pytest.raises(EcomError, match="不是完整的 Parquet"):
        plan_job(tmp_path / "half.parquet", tmp_path / "o", ["clean"])
    write(reviews(5)[:0], tmp_path / "none.parquet")
    with pytest.raises(EcomError, match="一行也没有"):
        plan_job(tmp_path / "none.parquet", tmp_path / "o", ["clean"])
    write(reviews(5).assign(key=1), tmp_path / "key.parquet")
    with pytest.raises(EcomError, match="已有列 key"):
        plan_job(tmp_path / "key.parquet", tmp_path / "o", ["clean"])


def test_no_ray_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"ecom_nbdev\[scale\]"), scale.cluster(1):
        pass


def test_two_processes_train_the_weights_of_one(tiny, tmp_path):
    from ecom_nbdev.classify import TextClassifier
    from ecom_nbdev.training import trainable
    X, y = reviews(60)["text"].dropna().tolist(), ["坏" if i % 2 else "好" for i in range(54)]
    settings = {"model": str(tiny), "mode": "full", "epochs": 2, "freeze_layers": 0, "dropout": 0.0, "precision": "float32", "batch_tokens": 150, "max_length": 32, "patience": 5, "learning_rate": 1e-3}
    one = TextClassifier(**settings).fit(X, y, eval_set=(X[:6], y[:6]))
    two = fit_parallel(TextClassifier(**settings), X, y, tmp_path / "two", 2, eval_set=(X[:6], y[:6]))
    assert two.parallel_["processes"] == 2 and two.parallel_["steps"] == len(one.net_.losses) > 8
    assert np.allclose(two.parallel_["losses"], one.net_.losses, atol=2e-5) and one.net_.losses[-1] != one.net_.losses[0]
    start = TextClassifier(**settings)
    start.classes_ = one.classes_
    begun = start._new_net().encoder.state_dict()
    theirs, ours = two.net_.encoder.state_dict(), one.net_.encoder.state_dict()
    assert max(float((ours[k] - theirs[k]).abs().max()) for k in ours) < 1e-5 < 1e-3 < max(float((ours[k] - begun[k]).abs().max()) for k in ours)
    assert set(trainable(one.net_)) and np.allclose(two.predict_proba(X), one.predict_proba(X), atol=1e-4)


def test_a_process_that_fails_ends_the_others(tmp_path):
    with pytest.raises(EcomError, match="训练进程失败.*job.json"):
        scale._start_processes(str(tmp_path), 2)


def test_import_is_light():
    code = "import sys, ecom_nbdev.scale, ecom_nbdev.cost; print([m for m in ('torch', 'ray', 'pandas', 'pyarrow', 'accelerate') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
