"""Digests of eight reviews against references written for this bench (bench/digest_refs.csv: 50 groups of one category of online_shopping_10_cats,
ECOM_DATA; row numbers, no review texts; groups 0-24 dev, 25-49 test). The references were written by a language model far larger than those measured,
which read the eight reviews; the same one judged the models' sentences (bench/digest_judged.csv). Nobody has checked either a second time, and a group mixes
products of one category: 40 of its reviews of 15-120 characters, duplicates removed, drawn with seed 0, eight a group. ROUGE F of words (jieba, punctuation
left out) as the package rouge-chinese defines it; 95 % bootstrap intervals over groups; prints one table and appends one JSON line to bench/results/digest.jsonl.

    python bench/digest.py                       # test groups
    python bench/digest.py --split dev           # dev groups: settings are chosen here, nothing is appended
    python bench/digest.py --llm qwen2.5-0.5b --answers FILE [--groups 15]   # a model's digests too (minutes); FILE, outside the repository, keeps its answers
"""
from __future__ import annotations

import argparse
import hashlib
import json
import logging
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jieba
import pandas as pd
from common import report
from rouge_chinese import Rouge

from ecom_nbdev.apps.behaviour import bootstrap_interval
from ecom_nbdev.data import load
from ecom_nbdev.generate import Cited, Digest, review_rows, sentences, summarize
from ecom_nbdev.models import Embedder, load_llm

HERE = Path(__file__).parent
KINDS = {"rouge-1": "rouge1", "rouge-2": "rouge2", "rouge-l": "rougeL"}


class Recorded:
    "A model whose answers are kept in a file of JSON lines (by name, messages and seed), so that the checks behind them can be run again; `seconds` of wall clock spent."
    def __init__(self, name: str, path: Path | None):
        self.name, self.path, self.seconds, self._llm = name, path, 0.0, None
        lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
        self.known = {r["key"]: r for r in map(json.loads, lines)}

    def chat(self, messages: list[dict], **kw) -> str:
        "The answer to `messages`, from the file where it is there."
        key = hashlib.sha256(json.dumps([self.name, messages, kw.get("seed", 0)], ensure_ascii=False).encode()).hexdigest()
        if key not in self.known:
            self._llm = self._llm or load_llm(self.name)
            start = time.perf_counter()
            answer = self._llm.chat(messages, **kw)
            self.known[key] = {"key": key, "answer": answer, "seconds": time.perf_counter() - start}
            if self.path:
                with open(self.path, "a", encoding="utf-8") as f:
                    f.write(json.dumps(self.known[key], ensure_ascii=False) + "\n")
        self.seconds += self.known[key]["seconds"]
        return self.known[key]["answer"]

    def close(self) -> None:
        "End the model when it was started."
        if self._llm:
            self._llm.close()


def rouge(text: str, reference: str) -> dict[str, float]:
    "F of ROUGE-1, -2 and -L over words; 0 without a word."
    hypothesis, wanted = (" ".join(w for w in jieba.lcut(t) if re.search(r"\w", w)) for t in (text, reference))
    found = Rouge().get_scores(hypothesis, wanted)[0] if hypothesis else {}
    return {short: found.get(kind, {"f": 0.0})["f"] for kind, short in KINDS.items()}


def units(texts: list[str]) -> list[Cited]:
    "The sentences of the reviews in order, each with its row."
    return [Cited(s, (i,)) for i, t in review_rows(texts).items() for s in sentences(t)]


def lead(texts: list[str]) -> Digest:
    "The first three sentences."
    return Digest(tuple(units(texts)[:3]), (), ())


def best_possible(texts: list[str], reference: str) -> Digest:
    "Sentences taken greedily while ROUGE-1 against the reference grows: what choosing sentences can reach at best, as it looks at the reference."
    chosen, left, best = [], units(texts), 0.0
    while left:
        score, k = max((rouge("".join(c.text for c in [*chosen, u]), reference)["rouge1"], -k) for k, u in enumerate(left))
        if score <= best:
            break
        best = score
        chosen.append(left.pop(-k))
    return Digest(tuple(chosen), (), ())


def methods(embedder: Embedder) -> dict[str, tuple[Callable[[list[str]], Digest], int]]:
    "name -> (digest of texts, how many praises and complaints are printed behind the points)."
    def of(**kw):
        return lambda texts: summarize(texts, n=3, embedder=embedder, **kw)
    return {"lead": (lead, 0), "random": (lambda texts: Digest(tuple(random.Random(0).sample(units(texts), 3)), (), ()), 0),
            **{f"{method}{cut}{' + aspects' if aspects else ''}": (of(method=method, **kw), aspects)
               for method in ("textrank", "embedding") for cut, kw in ((", whole sentences", {"longest": 500}), ("", {})) for aspects in (0, 5)},
            "aspects": (lambda texts: replace(summarize(texts, 1), points=()), 5)}


def row_of(name: str, groups: pd.DataFrame, texts: list[list[str]], digests: list[Digest], aspects: int, seconds: float) -> dict:
    "Scores of one method: means, intervals, the mean gain over `lead` with its interval, length, seconds a group (processor; a model's are wall clock), the share of its points that stand in a review they cite."
    scores = [rouge(d.text(aspects), r) for d, r in zip(digests, groups["reference"], strict=True)]
    over = [s["rouge1"] - rouge(lead(t).text(), r)["rouge1"] for s, t, r in zip(scores, texts, groups["reference"], strict=True)]
    means = {k: round(sum(s[k] for s in scores) / len(scores), 3) for k in KINDS.values()}
    interval = {f"{k}_interval": [round(x, 3) for x in bootstrap_interval([s[k] for s in scores])] for k in ("rouge1", "rougeL")}
    interval["rouge1_over_lead"] = [round(x, 3) for x in (sum(over) / len(over), *bootstrap_interval(over))]
    held = [any(c.text in review_rows(t).get(i, "") for i in c.rows) for t, d in zip(texts, digests, strict=True) for c in d.points]
    return {"method": name, "groups": len(groups)} | means | interval | {"characters": round(sum(len(d.text(aspects)) for d in digests) / len(digests)),
            "verbatim": round(sum(held) / len(held), 3) if held else None, "seconds": round(seconds / len(groups), 3)}


def key(group: int, sentence: str) -> str:
    "What a model's sentence is called in bench/digest_judged.csv."
    return hashlib.sha256(f"{group} {sentence}".encode()).hexdigest()[:12]


def by_model(name: str, groups: pd.DataFrame, texts: list[list[str]], answers: Path | None, show: bool) -> list[dict]:
    """The rows of a model's digests (points; points, praise and complaints), what it wrote and was thrown out, a reader's verdicts on what was kept.

    right: all rows cited say it; part: a cited row or half of the sentence does not; wrong. Faults: rows (another review says it, or not all of those
    cited), mixed (words of several things), opposite (a cited row says the contrary), added (no review says it), irony (taken at its word).
    """
    llm = Recorded(name, answers)
    digests = [summarize(t, n=3, llm=llm) for t in texts]
    llm.close()
    judged = pd.read_csv(HERE / "digest_judged.csv", keep_default_na=False)
    verdicts = {(m, s): (v, kind) for m, s, v, kind in judged.itertuples(index=False)}
    said = [verdicts.get((name, key(g, c.text)), ("", "")) for g, d in zip(groups["group"], digests, strict=True) for c in d.points]
    if show:
        for g, d in zip(groups["group"], digests, strict=True):
            print(g, *((key(g, c.text), c.text, c.rows) for c in d.points), *d.dropped, sep="\n  ")
    reasons = Counter(re.sub("“.*”|[0-9]+", "…", why) for d in digests for _, why in d.dropped)
    told = {"kept": len(said), "thrown_out": dict(reasons), "without_points": sum(not d.points for d in digests),
            "judged": dict(Counter(v for v, _ in said if v)), "faults": dict(Counter(kind for _, kind in said if kind))}
    return [row_of(f"{name} + aspects", groups, texts, digests, 5, llm.seconds), row_of(name, groups, texts, digests, 0, llm.seconds) | told]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--split", choices=("dev", "test"), default="test")
    p.add_argument("--llm", help="a model of load_llm")
    p.add_argument("--answers", type=Path, help="file that keeps the model's answers")
    p.add_argument("--groups", type=int, default=25, help="only so many groups")
    p.add_argument("--show", action="store_true", help="print the model's digests too, append nothing")
    a = p.parse_args()
    jieba.setLogLevel(logging.WARNING)
    refs = pd.read_csv(HERE / "digest_refs.csv")
    groups = refs[refs["split"] == a.split].head(a.groups)
    reviews = load("online_shopping_10_cats")["text"]
    texts = [[reviews[int(i)] for i in ids.split()] for ids in groups["review_ids"]]
    embedder = Embedder()
    embedder.encode(["预热"])
    rows = []
    for name, (method, aspects) in methods(embedder).items():
        start = time.process_time()
        digests = [method(t) for t in texts]
        rows.append(row_of(name, groups, texts, digests, aspects, time.process_time() - start))
    best = [best_possible(t, r) for t, r in zip(texts, groups["reference"], strict=True)]
    rows.append(row_of("best possible (sees the reference)", groups, texts, best, 0, 0.0))
    if a.llm:
        rows += by_model(a.llm, groups, texts, a.answers, a.show)
    if a.split == "test" and not a.show:
        report("digest", rows)
    else:
        print(pd.DataFrame(rows).to_string())


if __name__ == "__main__":
    main()
