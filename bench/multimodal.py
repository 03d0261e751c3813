"""Pictures and texts measured on fashion_products_small (through ECOM_DATA): the shipped tower is trained and examined here.

    python bench/multimodal.py --train    # train, choose the size of the pictures on the validation part, write data/weights/fashion: multimodal_train.jsonl (half an hour to an hour; goes on where it was interrupted)
    python bench/multimodal.py            # retrieval, attributes, zero-shot kinds, recommendation on the 1,000 held-back products: multimodal.jsonl (some minutes)

1,000 products are held back and 500 serve for choices, by a fixed seed over the ids; products whose picture is nearly one of theirs are left out of training.
The lists of ids are in data/weights/fashion/split.json. Pictures and texts of the data set are not copied into the repository.
"""
from __future__ import annotations

import argparse
import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
from common import report

from ecom_nbdev import multimodal as mm
from ecom_nbdev.apps.behaviour import bootstrap_interval
from ecom_nbdev.core import asset, atomic_path, progress, set_threads, write_json
from ecom_nbdev.data import load, locate
from ecom_nbdev.models import Embedder

ROOT = Path(__file__).parent.parent
WORK, WEIGHTS = ROOT / "out" / "multimodal", ROOT / "data" / "weights" / "fashion"
ATTRIBUTES = ("gender", "baseColour", "articleType")
CONFIG = {"width": 48, "stages": 3, "dim": 128, "text_width": 384, "text_hidden": 512, "text": "e5-small"}
EPOCHS, SIDE, TRAIN_SIDE, EACH = 40, 80, 64, 16
NOTES = """训练数据：fashion_products_small（Kaggle “Fashion Product Images (Small)” 的副本，页面标 MIT）的商品照片与属性；中文说法由 data/fashion_terms.csv 拼成，照片与商品名都不在仓库里。
划分：split.json 里的 1,000 个 test 编号不参加训练与选择，500 个 valid 只用来选图片的边长与融合的权重；与它们几乎一样的照片（twin）不训练。
许可：权重 Apache-2.0（同本项目）；文本一侧的 e5-small 是 MIT，不在这个文件夹里；照片的数据集页面标 MIT，图片的权利归各品牌，仓库里没有图片。
限制：白底棚拍；颜色只有一个标注，相近的颜色（藏青与黑、米与白）常混；鞋、包、表的性别难认；少见的种类例子很少；印度服饰多。
复现：`python bench/multimodal.py --train`，再 `python bench/multimodal.py`。"""


def kept(name: str, key: str, make) -> np.ndarray:
    "What `make` gives, kept in out/multimodal under `name` and the hash of `key`."
    path = WORK / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npy"
    if not path.exists():
        found = make()
        with atomic_path(path) as tmp:
            np.save(tmp, found)
    return np.load(path)


def pictures(ids, side: int) -> np.ndarray:
    "uint8 (n, side, side, 3) of the products `ids`, read from images.zip."
    def read() -> np.ndarray:
        with zipfile.ZipFile(locate("fashion_products_small")[0].parent / "images.zip") as z:
            members = {Path(n).stem: n for n in z.namelist()}
            return np.stack([mm.framed(_image(z.read(members[str(i)])), side) for i in progress(list(ids), "图片")])
    return kept(f"pictures{side}", " ".join(map(str, ids)), read)


def _image(data: bytes):
    "`PIL.Image` of the bytes of a file."
    from PIL import Image
    return Image.open(io.BytesIO(data))


def parts_of(df, seen: np.ndarray) -> np.ndarray:
    "Part of each product (`hold_back` over groups of nearly the same picture)."
    return mm.hold_back(df["item_id"], mm.picture_groups(seen))


def vectors_of(texts, kind: str = "query") -> np.ndarray:
    "Sentence vectors of texts as the text tower reads them."
    texts = [mm.tidy(t) for t in texts]
    return kept(f"vectors-{kind}", "\n".join(texts), lambda: Embedder(CONFIG["text"], max_length=64, remember=0).encode(texts, kind))


def said(encoder, texts) -> np.ndarray:
    "`encoder.encode_texts` by way of the kept sentence vectors."
    return mm.project(encoder.net["text"], vectors_of(texts))


def wordings(df, kind: str) -> list[mm.Query]:
    "One query of gender, colour and type for each product: 常用说法 the first word of each, 随意说法 drawn wordings, 生词 words never trained on."
    rng = None if kind == "常用说法" else np.random.default_rng(5)
    return [mm.wording(g, "" if c == "NA" else c, t, rng, held=kind == "生词") for g, c, t in zip(*(df[a] for a in ATTRIBUTES), strict=True)]


def triples(df) -> np.ndarray:
    "Position of the first product of each different triple."
    return np.sort(df.reset_index(drop=True).drop_duplicates(list(ATTRIBUTES)).index.to_numpy())


def train(epochs: int, stop: int) -> None:
    "Train, choose the side of the pictures on the validation part and write the folder."
    import torch
    set_threads()
    df = load("fashion_products_small")
    seen = pictures(df["item_id"], SIDE)
    parts = parts_of(df, seen)
    tr, va = (df[parts == p].reset_index(drop=True) for p in ("train", "valid"))
    labels = {a: sorted(tr[a].unique()) for a in ("gender", "baseColour", "articleType")}
    queries, own = mm.query_pool(tr, EACH)
    torch.manual_seed(0)
    net = mm.dual_net(CONFIG | {"labels": labels})
    net, losses = mm.train_dual(net, seen[parts == "train"], tr, queries, own, vectors_of([q.text for q in queries]), labels=labels, epochs=epochs, sizes=(TRAIN_SIDE,), checkpoint=WORK / f"plan{epochs}", stop=stop)
    asked = wordings(va, "随意说法")
    vectors, match = vectors_of([q.text for q in asked]), mm.matches(asked, va)
    scores = {}
    for side in (64, 72, 80):                    # a little larger than in training is often better (arXiv 1906.06423)
        features = mm.picture_features(net, pictures(va["item_id"], side))
        found = mm.project(net["text"], vectors) @ mm.project(net["image"], features).T
        scores[side] = {"R@10": float(mm.hits(found, match, 10).any(1).mean())} | {
            a: float((head_labels(net, a, features, labels) == va[a]).mean()) for a in labels}
    side = max(scores, key=lambda s: scores[s]["R@10"] + scores[s]["articleType"])
    rows = [{"side": s, "chosen": s == side, "epochs": len(losses), "planned": epochs, "pictures": len(tr), "queries": len(queries), "loss": round(losses[-1], 4)} | {k: round(v, 4) for k, v in r.items()} for s, r in scores.items()]
    info = {"pictures": len(tr), "queries": len(queries), "epochs": len(losses), "seed": 0, "losses": [round(x, 4) for x in losses],
            "metrics": {f"验证部分（{len(va)} 件，用来选边长），{k}": round(v, 4) for k, v in scores[side].items()}}
    mm.DualEncoder(CONFIG | {"labels": labels, "size": side}, net, info).save(WEIGHTS, NOTES)
    write_json(WEIGHTS / "split.json", {p: sorted(int(i) for i in df["item_id"][parts == p]) for p in ("test", "valid", "twin")})
    report("multimodal_train", rows)


def head_labels(net, attribute: str, features: np.ndarray, labels: dict) -> np.ndarray:
    "Values that the classifier of an attribute gives."
    import torch
    with torch.inference_mode():
        return np.array(labels[attribute], dtype=object)[net["heads"][attribute](torch.from_numpy(features)).argmax(1).numpy()]


def row(task: str, encoder: str, metric: str, values, **more) -> dict:
    "A line of the record: the mean with its bootstrap interval."
    low, high = bootstrap_interval(np.asarray(values, float))
    return {"task": task, "encoder": encoder, **more, "metric": metric, "n": len(values), "value": round(float(np.mean(values)), 4), "low": round(low, 4), "high": round(high, 4)}


def by_chance(match: np.ndarray, k: int) -> np.ndarray:
    "Chance of a right one among `k` drawn from all, of each query."
    n, miss = match.shape[1], match.shape[1] - match.sum(1)
    return 1 - np.prod([(miss - i).clip(0) / (n - i) for i in range(k)], 0)


def text_to_image(te, vectors: np.ndarray, encoder, histograms: np.ndarray, centroids: np.ndarray) -> list[dict]:
    "R@1, 5, 10 and precision@10 of queries of three attributes, over products and over different queries."
    rows, first = [], triples(te)
    def measure(name: str, kind: str, scores: np.ndarray, match: np.ndarray) -> None:
        for over, at in (("逐件", np.arange(len(te))), ("逐种", first)):
            for k in (1, 5, 10):
                rows.append(row("text_image", name, f"R@{k}", mm.hits(scores[at], match[at], k).any(1), wording=kind, over=over))
            rows.append(row("text_image", name, "前十准确率", mm.hits(scores[at], match[at], 10).mean(1), wording=kind, over=over))
    for kind in ("常用说法", "随意说法", "生词"):
        asked = wordings(te, kind)
        match = mm.matches(asked, te)
        measure("fashion", kind, said(encoder, [q.text for q in asked]) @ vectors.T, match)
        if kind == "常用说法":
            measure("颜色直方图", kind, centroids @ histograms.T, match)
            for over, at in (("逐件", np.arange(len(te))), ("逐种", first)):
                rows += [row("text_image", "随机", f"R@{k}", by_chance(match[at], k), wording=kind, over=over) for k in (1, 5, 10)]
                rows.append(row("text_image", "随机", "前十准确率", match[at].mean(1), wording=kind, over=over))
    return rows


def image_to_text(te, vectors: np.ndarray, encoder) -> list[dict]:
    "R@1 and R@10 of each picture over the different queries of the held-back products."
    at = triples(te)
    asked = [wordings(te, "常用说法")[i] for i in at]
    match = mm.matches(asked, te).T
    scores = vectors @ said(encoder, [q.text for q in asked]).T
    return [row("image_text", name, f"R@{k}（{len(asked)} 条说法）", found) for k in (1, 10)
            for name, found in (("fashion", mm.hits(scores, match, k).any(1)), ("随机", by_chance(match, k)))]


def attributes(te, tr, features: np.ndarray, encoder, near: np.ndarray) -> list[dict]:
    "Accuracy of the classifiers, of the most frequent value and of the nearest training picture by colour histogram; values seen in training."
    rows = []
    for a in ATTRIBUTES:
        known = te[a].isin(tr[a].unique()).to_numpy()
        guesses = {"fashion": head_labels(encoder.net, a, features, encoder.config["labels"]), "最多的值": np.full(len(te), tr[a].mode()[0]), "颜色直方图最近邻": tr[a].to_numpy()[near]}
        rows += [row("attribute", name, a, (g == te[a].to_numpy())[known]) for name, g in guesses.items()]
    return rows


def zero_shot(te, tr, vectors: np.ndarray, encoder) -> list[dict]:
    "Types and colours by their words alone, over all values seen in training."
    rows = []
    for a in ("articleType", "baseColour", "gender"):
        values = sorted(set(tr[a]) - {"NA"})
        for kind in ("words", "held"):
            words = [getattr(mm.term(a, v), kind)[:5] for v in values]
            flat = said(encoder, [w for ws in words for w in ws])
            ends = np.cumsum([0, *map(len, words)])
            means = np.stack([flat[i:j].mean(0) for i, j in zip(ends[:-1], ends[1:], strict=True)])
            best = np.array(values, dtype=object)[(vectors @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T).argmax(1)]
            known = te[a].isin(values).to_numpy()
            rows.append(row("zero_shot", "fashion" if kind == "words" else "fashion，生词", f"{a}（{len(values)} 个值）", (best == te[a].to_numpy())[known]))
    return rows


def recommend(va, te, va_vectors: np.ndarray, te_vectors: np.ndarray, histograms: np.ndarray) -> list[dict]:
    "Precision@10 of products like one product: by name (e5), by picture, by both (weight chosen on the validation part); another product of the same three attributes is right."
    def tables(df, vectors):
        names = vectors_of(list(df["text"]), "passage")
        same = (df[list(ATTRIBUTES)].to_numpy()[:, None] == df[list(ATTRIBUTES)].to_numpy()[None]).all(2) & ~np.eye(len(df), dtype=bool)
        off = np.eye(len(df), dtype=bool)
        by = [np.where(off, v.min(), v) for v in (names @ names.T, vectors @ vectors.T)]
        return by, same, same.any(1)
    def precision(scores, same, rows):
        return mm.hits(np.where(np.eye(len(scores), dtype=bool), -np.inf, scores), same, 10).mean(1)[rows]
    by, same, rows = tables(va, va_vectors)
    weight = max(np.arange(0, 1.01, 0.1).round(1), key=lambda w: precision(mm.fuse(by, [1 - w, w]), same, rows).mean())
    by, same, rows = tables(te, te_vectors)
    cases = {"只看商品名": (by[0], 0.0), "只看图片": (by[1], 1.0), "两者": (mm.fuse(by, [1 - weight, weight]), float(weight)), "颜色直方图": (histograms @ histograms.T, np.nan)}
    out = [row("recommend", name, "前十准确率", precision(s, same, rows)) | ({"weight": w} if w == w else {}) for name, (s, w) in cases.items()]
    gain = precision(cases["两者"][0], same, rows) - precision(by[0], same, rows)
    return [*out, row("recommend", "两者减只看商品名", "前十准确率", gain)]


def composed(va, te, va_vectors: np.ndarray, te_vectors: np.ndarray, encoder) -> list[dict]:
    "A picture and a colour word: products of the same type and gender in that colour, R@10; one other colour drawn for each product that has such products."
    def tables(df, vectors):
        rng, asked, right, rows = np.random.default_rng(3), [], [], []
        kind = df["articleType"] + "|" + df["gender"]
        for i in range(len(df)):
            others = sorted(set(df["baseColour"][kind == kind[i]]) - {df["baseColour"][i], "NA"})
            if others:
                colour = others[rng.integers(len(others))]
                rows.append(i)
                asked.append(mm.wording("", colour).text)
                right.append(((kind == kind[i]) & (df["baseColour"] == colour)).to_numpy())
        return [said(encoder, asked) @ vectors.T, (vectors @ vectors.T)[rows]], np.array(right)
    (by, right), (by_te, right_te) = tables(va, va_vectors), tables(te, te_vectors)
    weight = max(np.arange(0, 1.01, 0.1).round(1), key=lambda w: mm.hits(mm.fuse(by, [1 - w, w]), right, 10).any(1).mean())
    cases = {"只看颜色词": (by_te[0], 0.0), "只看图片": (by_te[1], 1.0), "两者": (mm.fuse(by_te, [1 - weight, weight]), float(weight))}
    return [row("composed", name, "R@10", mm.hits(s, right_te, 10).any(1)) | {"weight": w} for name, (s, w) in cases.items()]


def measure() -> None:
    "Everything on the held-back part with the shipped tower."
    df, held = load("fashion_products_small"), json.loads(asset("weights/fashion/split.json").read_text())
    encoder = mm.DualEncoder.pretrained("fashion")
    taken = {i for ids in held.values() for i in ids}
    va, te = (df[df["item_id"].isin(held[p])].reset_index(drop=True) for p in ("valid", "test"))
    tr = df[~df["item_id"].isin(taken)].reset_index(drop=True)
    side = encoder.config["size"]
    features = {p: mm.picture_features(encoder.net, pictures(d["item_id"], side)) for p, d in (("va", va), ("te", te))}
    vectors = {p: mm.project(encoder.net["image"], f) for p, f in features.items()}
    seen = pictures(df["item_id"], SIDE)
    of_tr, of_te = (mm.colour_histogram(seen[df["item_id"].isin(d["item_id"])]) for d in (tr, te))
    match = mm.matches(wordings(te, "常用说法"), tr)
    match = np.where(match.any(1, keepdims=True), match, True)            # a triple not seen in training: the mean of all
    centroids = match.astype(np.float32) @ of_tr / match.sum(1, keepdims=True)
    rows = text_to_image(te, vectors["te"], encoder, of_te, centroids / np.linalg.norm(centroids, axis=1, keepdims=True))
    rows += image_to_text(te, vectors["te"], encoder)
    rows += attributes(te, tr, features["te"], encoder, (of_te @ of_tr.T).argmax(1))
    rows += zero_shot(te, tr, vectors["te"], encoder)
    rows += recommend(va, te, vectors["va"], vectors["te"], of_te) + composed(va, te, vectors["va"], vectors["te"], encoder)
    report("multimodal", rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", action="store_true", help="train the tower and write data/weights/fashion")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="epochs of the learning rate's plan")
    parser.add_argument("--stop", type=int, help="end after so many of them")
    args = parser.parse_args()
    train(args.epochs, args.stop or args.epochs) if args.train else measure()
