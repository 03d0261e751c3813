"""Fact check of copy: `generate.check_facts` beside `campaign.fact_problems` on the labelled sentences of data/facts_eval.csv; prints one
table and appends one JSON line to bench/results/facts.jsonl (a minute). A sentence counts as caught when anything in it is unsupported. Parts that the
reader was trained on are measured by a reader trained without them (row `check_facts, reader without it`).

    python bench/facts.py            # all parts; only n-test (by an author who knew no rule) was never used for rules or training
    python bench/facts.py --errors dev
    python bench/facts.py --llm qwen2.5-1.5b   # push copy of eight products by a model (minutes): bench/results/facts_llm.jsonl
"""
from __future__ import annotations

import argparse
import time
from unittest import mock

import pandas as pd
from common import report

from ecom_nbdev import generate
from ecom_nbdev.apps.campaign import fact_problems, product_facts
from ecom_nbdev.core import asset
from ecom_nbdev.data import load
from ecom_nbdev.generate import FACT_PARTS, CopyWriter, check_facts
from ecom_nbdev.models import load_llm

ITEMS = ("P0033", "P0213", "P0342", "P0152", "P0116", "P0193", "P0067", "P0287")
PARTS = ("dev", "dev2", "test", "fresh", "n-dev", "n-train", "n-test")


def present(sentence: str, product: dict) -> list[str]:
    "What the campaign's rules say of the facts in a sentence, its form left out."
    problems = fact_problems({"title": "", "body": sentence, "cta": ""}, product_facts(product))
    return [p for p in problems if p.endswith(("不在商品资料里", "没有依据"))]


def checked(sentence: str, product: dict) -> list[str]:
    "The reasons for which this chapter's check does not support a sentence."
    return [g.reason for g in check_facts(sentence, product) if not g.supported]


def listed(sentence: str, product: dict) -> list[str]:
    "The same by the word lists alone."
    return [g.reason for g in check_facts(sentence, product, least=0) if not g.supported]


def held_out(part: str):
    "A method: `checked` with a reader trained on the other parts."
    others, whole = tuple(p for p in FACT_PARTS if p != part), generate.invention

    def method(sentence: str, product: dict) -> list[str]:
        with mock.patch.object(generate, "invention", lambda s, facts: whole(s, facts, others)):
            return checked(sentence, product)
    return method


METHODS = {"check_facts": checked, "check_facts, least=0": listed, "campaign.fact_problems": present}


def scores(rows: pd.DataFrame) -> dict:
    "Precision, recall and F1 of `caught` against `invented`, the errors as counts, the recall of each kind."
    hit = int((rows["caught"] & rows["invented"]).sum())
    precision, recall = hit / max(int(rows["caught"].sum()), 1), hit / max(int(rows["invented"].sum()), 1)
    kinds = rows[rows["invented"]].groupby("kind")["caught"].agg(["sum", "size"])
    return {"sentences": len(rows), "invented": int(rows["invented"].sum()), "precision": round(precision, 3), "recall": round(recall, 3),
            "f1": round(2 * precision * recall / max(precision + recall, 1e-9), 3), "false_alarms": int((rows["caught"] & ~rows["invented"]).sum()),
            "missed": int((~rows["caught"] & rows["invented"]).sum()), "by_kind": {k: f"{s}/{n}" for k, s, n in kinds.itertuples()}}


def by_model(name: str, products: dict) -> list[dict]:
    "How often a model's push copy passes at once, after being told why not, only shortened, or not at all (then the templates write)."
    llm = load_llm(name, n_ctx=4096)
    start, copies = time.perf_counter(), [CopyWriter(llm).write(products[i], channel="push", n=1)[0] for i in ITEMS]
    llm.close()
    own = [c.checks for c in copies if c.checks["writer"] != "template"]
    return [{"model": name, "products": len(copies), "first_try": sum(c["tries"] == 1 for c in own), "rewritten": sum(c["tries"] > 1 and "shortened" not in c for c in own),
             "shortened": sum("shortened" in c for c in own), "template": len(copies) - len(own), "seconds": round(time.perf_counter() - start)}]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--errors", choices=PARTS, help="print the sentences that check_facts gets wrong, append nothing")
    p.add_argument("--llm", help="a model of load_llm")
    a = p.parse_args()
    products = load("products").set_index("item_id", drop=False).to_dict("index")
    if a.llm:
        report("facts_llm", by_model(a.llm, products))
        return
    data = pd.read_csv(asset("facts_eval.csv"))
    data["invented"] = data["label"] == "invented"
    rows = []
    for part in PARTS if a.errors is None else [a.errors]:
        here = data[data["split"] == part]
        for name, method in (METHODS | ({"check_facts, reader without it": held_out(part)} if part in FACT_PARTS else {})).items():
            reasons = [method(s, products[i]) for i, s in zip(here["item_id"], here["sentence"], strict=True)]
            done = here.assign(caught=[bool(r) for r in reasons], reasons=reasons)
            if a.errors and name == "check_facts":
                print(done.loc[done["caught"] != done["invented"], ["item_id", "kind", "sentence", "reasons"]].to_string())
            rows.append({"part": part, "method": name} | scores(done))
    if a.errors is None:
        report("facts", rows)


if __name__ == "__main__":
    main()
