"The profile store: killed in the middle, shared by two processes, fed in every order, attacked through SQL. No encoder is needed."
import os
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

from ecom_nbdev.apps import store as module
from ecom_nbdev.apps.profile import Profiler
from ecom_nbdev.apps.store import ProfileStore, digest
from ecom_nbdev.core import EcomError, MissingExtra
from ecom_nbdev.data import load

CATEGORIES = {"宠物": "猫砂 猫粮 狗粮", "数码": "耳机 手机 充电", "家居": "衣架 书桌 收纳"}


class Letters:
    "Counts of characters in 16 bins, unit length."
    def encode(self, texts, kind="query"):
        X = np.array([np.bincount([ord(c) % 16 for c in t] or [0], minlength=16) for t in texts], np.float32) + 0.1
        return X / np.linalg.norm(X, axis=1, keepdims=True)


def profiler(**kw) -> Profiler:
    return Profiler(CATEGORIES, **{"embedder": Letters(), "sentiment": "lexicon"} | kw)


def dicts(profiles) -> list[dict]:
    return [p.to_dict() for p in profiles]


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return load("users").head(60).reset_index(drop=True)


@pytest.mark.parametrize("seed", range(6))
def test_any_order_any_cut_with_repeats_equals_one_batch(tmp_path, people, seed):
    rng = np.random.default_rng(seed)
    order = people.iloc[rng.permutation(len(people))]
    fed = pd.concat([order.iloc[:20], order.iloc[10:30], order.iloc[5:]])        # rows come twice and three times
    cuts, new = np.sort(rng.integers(0, len(fed), 3)), 0
    for part in np.split(np.arange(len(fed)), cuts):
        with ProfileStore(tmp_path, profiler(), batch=int(rng.integers(1, 40))) as store:
            new += store.add(fed.iloc[part]).new
            store.profiles(store.users()[:2])
    with ProfileStore(tmp_path, profiler()) as store:
        assert new == len(people) == len(store.texts())
        assert dicts(store.profiles()) == dicts(profiler().profile(order))
        assert {e["row"]: e["text"] for p in dicts(store.profiles()) for i in p["interests"] for e in i["evidence"]}.items() <= dict(enumerate(order["text"])).items()


def test_a_store_without_any_time_and_with_one_dated_row(tmp_path):
    df = pd.DataFrame({"user_id": ["a", "a", "b"], "text": ["猫砂好", "耳机差", "书桌"], "source": "review"})
    dated = pd.DataFrame({"user_id": ["c"], "text": ["手机好"], "source": ["review"], "time": ["2026-01-05 10:00"]})
    with ProfileStore(tmp_path, profiler()) as store:
        store.add(df)
        assert dicts(store.profiles(["a"])) == dicts(profiler().profile(df))[:1]
        store.add(dated)
        both = dicts(profiler().profile(pd.concat([df, dated], ignore_index=True)))
        assert dicts(store.profiles(["c", "a"])) == [both[2], both[0]]


def test_forgetting_one_of_two_who_said_the_same_and_feeding_again(tmp_path, people):
    twin = people.iloc[:1].assign(user_id="twin")
    with ProfileStore(tmp_path, profiler()) as store:
        store.add(pd.concat([people, twin]))
        first = people["user_id"][0]
        assert store.forget(first) == (people["user_id"] == first).sum() and first not in store.users()
        left = pd.concat([people[people["user_id"] != first], twin])
        assert dicts(store.profiles()) == dicts(profiler().profile(left)), "rows count anew after forgetting"
        assert store.similar(people["text"][0], 1)["user_id"].item() == "twin"
        added = store.add(people)
        assert (added.new, added.seen) == ((people["user_id"] == first).sum(), (people["user_id"] != first).sum())
        assert store.users()[-1] == first and len(store.similar(first, 5)) == 5
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["store.duckdb", "store.lock", "vectors"], "nothing else is left behind"


def test_sql_can_neither_write_nor_read_files(tmp_path, people):
    (tmp_path / "secret.csv").write_text("a\n1\n", encoding="utf-8")
    with ProfileStore(tmp_path / "store", profiler()) as store:
        store.add(people)
        secret = tmp_path / "secret.csv"
        for query in (f"SELECT * FROM read_csv('{secret}')", f"SELECT * FROM '{secret}'", f"SELECT * FROM read_text('{secret}')", f"SELECT * FROM glob('{tmp_path}/*')", "SELECT * FROM people",
                      f"COPY texts TO '{tmp_path}/out.csv'", f"ATTACH '{tmp_path}/other.duckdb'", "SET enable_external_access = true", "INSTALL httpfs", "PRAGMA database_list", "CALL checkpoint()",
                      "DROP TABLE stored", "DELETE FROM stored", "CREATE TABLE t (a INTEGER)", "SELECT 1; DELETE FROM stored", "ROLLBACK", "BEGIN", "",
                      "WITH x AS (DELETE FROM stored RETURNING seq) SELECT * FROM x", "WITH x AS (INSERT INTO settings VALUES ('x', []) RETURNING settings) SELECT * FROM x"):
            with pytest.raises(EcomError, match="查询"):
                store.sql(query)
        assert len(store.sql("SELECT * FROM texts")) == len(people) and store.db.rows("SELECT count(*) FROM settings") == [(1,)]
        assert not list(tmp_path.glob("*.duckdb")) and not (tmp_path / "out.csv").exists()
        assert store.add(people.assign(user_id="late")).new == people.drop_duplicates(["text", "source", "time"]).shape[0], "still writable afterwards"


def test_wrong_input_is_one_sentence(tmp_path):
    with pytest.raises(EcomError, match="batch=0"):
        ProfileStore(tmp_path, profiler(), batch=0)
    with ProfileStore(tmp_path, profiler(embedder=False)) as store:
        assert store.profiles() == [] and store.texts().empty and store.add(pd.DataFrame({"user_id": [], "text": []})).new == 0
        for call, why in ((lambda: store.similar("猫"), "没有向量"), (lambda: store.similar("", 3), "无效"), (lambda: store.similar("猫", 0), "k=0"), (lambda: store.profiles("x"), "没有用户 x"),
                          (lambda: store.add(pd.DataFrame({"text": ["猫"]})), "缺少列 user_id"), (lambda: store.add([1]), "list"), (lambda: store.profiles(now="明天"), "now=")):
            with pytest.raises(EcomError, match=why):
                store.add(pd.DataFrame({"user_id": ["u"], "text": ["猫砂"]})) if "now" in why else None
                call()
    with ProfileStore(tmp_path, profiler()) as store:
        assert store.similar("猫砂", 3)["user_id"].tolist() == ["u"] and len(store.similar("u", 3)) == 0, "opened with an encoder, it catches up"
        assert store.add(pd.DataFrame({"user_id": ["it's", 7.0], "text": ["'; DROP TABLE stored; --", "a\0b"]})).new == 2
        assert store.users() == ["u", "it's", "7"] and len(store.similar("it's", 3)) == 2 and store.forget("it's") == 1


def test_missing_duckdb_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtra, match="缺少 duckdb"):
        ProfileStore(tmp_path, profiler())


CHILD = """
    import os, signal, sys
    sys.path.insert(0, {tests!r})
    from test_store import ProfileStore, load, module, profiler
    def killing(owner, name, turn, after):
        real, count = getattr(owner, name), [0]
        def call(*a, **kw):
            count[0] += 1
            if count[0] == turn and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            out = real(*a, **kw)
            if count[0] == turn:
                os.kill(os.getpid(), signal.SIGKILL)
            return out
        setattr(owner, name, call)
    owner, name, turn, after, job = {point!r}
    with ProfileStore({folder!r}, profiler(), batch=7) as store:
        killing(eval(owner), name, turn, after)
        store.add(load("users").head(60)) if job == "add" else store.forget(job)
    print("not killed")
"""


def killed(folder, point: tuple) -> None:
    "Run a child that kills itself at `point` (owner, function, which call, after it or before, add or the user to forget)."
    code = textwrap.dedent(CHILD).format(tests=os.path.dirname(__file__), folder=str(folder), point=point)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == -9 and "not killed" not in done.stdout, done.stderr


POINTS = [("module.VectorStore", "write"), ("module.ProfileStore", "_read"), ("module.Database", "write")]


@pytest.mark.parametrize("seed", range(5))
def test_killed_in_the_middle_of_add(tmp_path, people, seed):
    rng = np.random.default_rng(seed)
    owner, name = POINTS[seed % 3]
    killed(tmp_path, (owner, name, int(rng.integers(2, 6)), bool(rng.integers(2)), "add"))
    with ProfileStore(tmp_path, profiler(), batch=7) as store:
        half = len(store.texts())
        assert 0 <= half < len(people) and half % 7 == 0, "whole batches only"
        assert dicts(store.profiles()) == dicts(profiler().profile(people[:half]))
        assert len(store.similar("猫砂", 3)) == min(3, half), "vectors without a row do not count"
        added = store.add(people)
        assert (added.new, added.seen) == (len(people) - half, half)
        assert dicts(store.profiles()) == dicts(profiler().profile(people))
        vectors = store._reader()[0].embedder.table("texts").to_pandas()
        assert vectors["key"].is_unique and set(vectors["key"]) <= {digest(module.clean(t, 2000)) for t in people["text"]}


@pytest.mark.parametrize("point", [("module", "erase_vectors", 1, False), ("module", "erase_vectors", 1, True), ("module.os", "replace", 1, False), ("module.os", "replace", 1, True)])
def test_killed_in_the_middle_of_forget(tmp_path, people, point):
    with ProfileStore(tmp_path, profiler()) as store:
        store.add(people)
        gone = people["user_id"][3]
        said = people.loc[people["user_id"] == gone, "text"].tolist()
    killed(tmp_path, (*point, gone))
    with ProfileStore(tmp_path, profiler()) as store:
        assert gone not in store.users() and store.db.rows("SELECT erasing FROM state") == [(False,)]
        assert dicts(store.profiles()) == dicts(profiler().profile(people[people["user_id"] != gone]))
    held = b"".join(f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())
    assert not [t for t in said if t.encode() in held or digest(module.clean(t, 2000)).encode() in held] and gone.encode() not in held


def test_the_second_process_gets_one_sentence(tmp_path, people):
    code = "import sys; sys.path.insert(0, sys.argv[1]); from test_store import *\ntry:\n    ProfileStore(sys.argv[2], profiler())\nexcept EcomError as e:\n    print(e)"
    command = [sys.executable, "-c", code, os.path.dirname(__file__), str(tmp_path)]
    with ProfileStore(tmp_path, profiler()) as store:
        store.add(people)
        second = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert second.stdout.startswith("画像库") and "一次只能有一个进程" in second.stdout and second.stderr == ""
    assert subprocess.run(command, capture_output=True, text=True, timeout=300).stdout == "", "closed: others may come in"
    holder = subprocess.Popen([sys.executable, "-c", f"import duckdb; con = duckdb.connect({str(tmp_path / 'store.duckdb')!r}); print('open', flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()
    with pytest.raises(EcomError, match="正在别处打开着"):
        ProfileStore(tmp_path, profiler())
    holder.communicate(b"\n")
    ProfileStore(tmp_path, profiler()).close()


class Fixed:
    "A reader of aspects that says the same of every text."
    def __init__(self, polarity):
        self.polarity = polarity

    def read(self, texts):
        return [[module.Opinion("质量", self.polarity, "好", t)] for t in texts]


class Sure:
    "A classifier of topics that is always sure of its first class."
    classes_ = ["宠物", "数码"]

    def predict_proba(self, texts):
        return np.tile([0.9, 0.1], (len(texts), 1))


def test_models_are_told_apart_by_their_answers(tmp_path, people):
    assert module._part_name(Fixed(0.5)) == module._part_name(Fixed(0.5)) != module._part_name(Fixed(0.4))
    with ProfileStore(tmp_path, profiler()) as store:
        store.add(people)
    with ProfileStore(tmp_path, profiler(topics=Sure())) as store:
        assert dicts(store.profiles()) == dicts(profiler(topics=Sure()).profile(people))
        assert {p.main_interest for p in store.profiles() if p.interests} == {"宠物"} and store.db.rows("SELECT count(*) FROM settings") == [(2,)]
    with ProfileStore(tmp_path, profiler(sentiment=lambda texts: [1.0] * len(texts))) as store:
        assert dicts(store.profiles()) == dicts(profiler(sentiment=lambda texts: [1.0] * len(texts)).profile(people)) != dicts(profiler().profile(people))
