"""Product text (title and description of 40 products of data/products.csv, seed 0) by `generate.translate`: Chinese to English with the glossary
bench/translate_glossary.csv, and back with the glossary turned round. chrF (sacrebleu) of the round trip against the source, of the first answers against
references for the first 20 products (bench/translate_refs.csv, written by a language model far larger than those measured), 95 % bootstrap intervals over
products; the share of glossary terms and of numbers that the first answers keep; what was refused; a reader's verdicts on the first answers of the first 12 products
(bench/translate_judged.csv: right, flawed, unusable, and the faults; by the model that wrote the references). The first 12 products were used while the repeated
question of `translate` was written. Appends one JSON line to bench/results/translate.jsonl.

    python bench/translate.py --llm qwen2.5-0.5b --answers FILE [--products 12]   # minutes; FILE, outside the repository, keeps the answers
"""
from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

import pandas as pd
from common import report
from digest import Recorded
from sacrebleu.metrics import CHRF

from ecom_nbdev.apps.behaviour import bootstrap_interval
from ecom_nbdev.core import EcomError
from ecom_nbdev.data import load
from ecom_nbdev.generate import quantities, terms_in, translate

HERE = Path(__file__).parent
SMALL = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SPELT = dict(zip(SMALL, range(1, 20), strict=True)) | dict(zip(TENS, range(20, 100, 10), strict=True)) | {"half": 0.5, "twice": 2}
_UNITS, _TENS = "|".join(SMALL), "|".join(TENS)
_SPELT = re.compile(rf"\b(?:(?P<hundreds>{_UNITS}|a) hundred(?: and)?[ -]?)?(?P<rest>(?:{_TENS})(?:[ -](?:{'|'.join(SMALL[:9])}))?|{_UNITS}|half|twice)?\b", re.I)


def english_numbers(text: str) -> set[float]:
    "Values of the numerals in an English text, in digits (`500`, `1,000`) or words up to 999 (`one hundred and sixty`)."
    found = {float(x.replace(",", "")) for x in re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text)}
    for m in _SPELT.finditer(text):
        if m.group():
            found.add(100 * SPELT.get((m["hundreds"] or "").lower(), bool(m["hundreds"])) + sum(SPELT[w] for w in re.split("[ -]", (m["rest"] or "").lower()) if w))
    return found


class Watched:
    "A model that keeps the answers of one call of `translate`."
    def __init__(self, llm: Recorded):
        self.llm, self.answers = llm, []

    def chat(self, messages: list[dict], **kw) -> str:
        "The answer, kept."
        self.answers.append(self.llm.chat(messages, **kw))
        return self.answers[-1]


def tried(text: str, to: str, glossary: dict[str, str], llm: Recorded) -> tuple[str, list[str]]:
    "(translation, empty when it was refused, all answers of the model)."
    watched = Watched(llm)
    try:
        return translate(text, to, glossary, watched), watched.answers
    except EcomError:
        return "", watched.answers


def share_kept(source: str, answer: str, glossary: dict[str, str]) -> tuple[int, int]:
    "(terms of the glossary in `source` that `answer` holds, all of them)."
    wanted = terms_in(source, glossary).values()
    return sum(b.lower() in answer.lower() for b in wanted), len(wanted)


def numbers_kept(source: str, english: str) -> tuple[int, int]:
    "(numbers of the Chinese `source` that `english` holds, all of them); ones left out."
    wanted = {v for q in quantities(source) for v in q.raw if v != 1}
    return len(wanted & english_numbers(english)), len(wanted)


def rows_of(goods: pd.DataFrame, llm: Recorded) -> list[dict]:
    "One row a product: scores, counts, refusals."
    glossary = dict(pd.read_csv(HERE / "translate_glossary.csv").itertuples(index=False))
    back_glossary = {b: a for a, b in glossary.items()}
    references = dict(pd.read_csv(HERE / "translate_refs.csv").itertuples(index=False))
    chrf, rows = CHRF(), []
    for p in goods.itertuples():
        source = f"{p.title}。{p.description}"
        english, answers = tried(source, "en", glossary, llm)
        back, again = tried(english, "zh", back_glossary, llm) if english else ("", [])
        first = answers[0]
        rows.append({"item_id": p.item_id, "refused_en": not english, "refused_zh": bool(english) and not back, "tries": len(answers),
                     "round_trip": chrf.sentence_score(back, [source]).score if back else None, "terms": share_kept(source, first, glossary),
                     "terms_delivered": share_kept(source, english, glossary) if english else None, "numbers": numbers_kept(source, first),
                     "reference": chrf.sentence_score(first, [references[p.item_id]]).score if p.item_id in references else None,
                     "chinese_left": bool(re.search("[\u4e00-\u9fff]", first)), "texts": (source, first, english, back)})
    return rows


def pooled(pairs) -> float:
    "Share of the first numbers in the second."
    pairs = [p for p in pairs if p]
    return round(sum(a for a, _ in pairs) / max(sum(b for _, b in pairs), 1), 3)


def interval(values: list) -> dict:
    "Mean of the values that are there, how many, and the bootstrap interval."
    here = [v for v in values if v is not None]
    return {"n": len(here), "mean": round(sum(here) / len(here), 1), "interval": [round(x, 1) for x in bootstrap_interval(here)]} if here else {"n": 0}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--llm", required=True, help="a model of load_llm")
    p.add_argument("--answers", type=Path, help="file that keeps the answers")
    p.add_argument("--products", type=int, default=40)
    p.add_argument("--show", action="store_true", help="print the texts, append nothing")
    a = p.parse_args()
    llm = Recorded(a.llm, a.answers)
    rows = rows_of(load("products").sample(40, random_state=0).head(a.products), llm)
    llm.close()
    if a.show:
        for r in rows:
            print(r["item_id"], {k: v for k, v in r.items() if k != "texts"}, *r["texts"], sep="\n  ")
        return
    judged = pd.read_csv(HERE / "translate_judged.csv", keep_default_na=False)
    judged = judged[(judged["model"] == a.llm) & judged["item_id"].isin([r["item_id"] for r in rows])]
    report("translate", [{"model": a.llm, "products": len(rows), "refused_en": sum(r["refused_en"] for r in rows), "refused_zh": sum(r["refused_zh"] for r in rows),
                          "first_try": sum(r["tries"] == 1 and not r["refused_en"] for r in rows), "terms_first": pooled(r["terms"] for r in rows),
                          "terms_delivered": pooled(r["terms_delivered"] for r in rows), "numbers_first": pooled(r["numbers"] for r in rows),
                          "chinese_left": sum(r["chinese_left"] for r in rows), "chrf_reference": interval([r["reference"] for r in rows]),
                          "chrf_round_trip": interval([r["round_trip"] for r in rows]),
                          "judged": dict(Counter(judged["verdict"])), "faults": dict(Counter(k for kinds in judged["faults"] for k in kinds.split())), "seconds": round(llm.seconds / len(rows), 1)}])


if __name__ == "__main__":
    main()
