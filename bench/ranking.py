"""Recommendation on public data, ours beside plain baselines, kept libraries and published figures (chapter nbs/apps/behaviour.ipynb). Needs ECOM_DATA.

--part games    amazon_games_llmrank: the first 19 candidates and the true item, NDCG@1/5/10/20; 200 users of the paper and the other 5,800 of the file of 6,000
                (settings were chosen on 3,000 of them). Behaviour: histories of the 44,546 users in neither list.
--part beauty   amazon_beauty_s3rec: leave one out, all items, bought ones left out; settings were chosen on the last but one item of 6,000 users.
--part office   amazon_office_minionerec: all items, nothing trained, bought ones kept (some targets are bought again).
--part ml100k   ml100k: 75 % of each user's ratings at random for training (seed 42), top 10 of the rest; settings chosen on a tenth of the training part.
--part douban   douban_movies_zh: rating error by five folds, from the biases of user and film, and from the film's text.
Run: python bench/ranking.py [--part games beauty office ml100k douban]      (about 40 minutes on one core; vectors and results are kept)
Peers: `pip install implicit` for its rows (skipped when absent). Appends one JSON line a part to bench/results/ranking.jsonl.
"""
from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import time

import numpy as np
import pandas as pd
from common import report

from ecom_nbdev.apps.behaviour import CoOccurrence, bootstrap_interval, ranking_metrics, target_rank
from ecom_nbdev.apps.recommend import Recommender, words_of
from ecom_nbdev.core import cache_dir, write_json
from ecom_nbdev.data import load

CACHE = cache_dir("bench", "ranking")
PUBLISHED = {
    "games": {"BM25（发表）": (13.92, 28.81, 34.61, 44.35), "UniSRec（发表）": (18.95, 33.99, 40.71, 48.42), "GPT-3.5（发表）": (23.83, 45.69, 50.31, 55.45), "GPT-4（发表）": (39.50, 58.22, 62.88, 65.25)},
    "beauty": {"SASRec（发表）": (.0387, .0249, .0605, .0318), "S3-Rec（发表）": (.0387, .0244, .0647, .0327)},
    "office": {"SASRec（发表，训练过）": (.0949, .0805, .1120, .0858), "TIGER（发表，训练过）": (.1163, .0960, .1408, .1002), "MiniOneRec（发表，训练过）": (.1420, .1172, .1634, .1242)},
    "ml100k": {"SAR（发表）": (.110591, .382461, .330753, .176385), "LightGCN（发表）": (.088526, .419846, .379626, .144336), "BiVAE（发表）": (.146126, .475077, .411771, .219145)},
}


class Kept:
    "The default embedder, whose vectors of a list of texts are kept in the cache."
    def encode(self, texts, kind: str = "query") -> np.ndarray:
        from ecom_nbdev.models import Embedder
        if len(texts) < 100:
            self.real = getattr(self, "real", None) or Embedder()
            return self.real.encode(list(texts), kind=kind)
        path = CACHE / f"{hashlib.sha256(json.dumps([kind, *texts]).encode()).hexdigest()[:16]}.npy"
        if not path.exists():
            np.save(path, Embedder().encode(list(texts), kind=kind).astype(np.float32))
        return np.load(path)


def kept(key: str, job) -> dict:
    "The result of `job`, from the cache where it is known, with its seconds of processor time."
    path = CACHE / f"{key}.json"
    if not path.exists():
        start = time.process_time()
        write_json(path, job() | {"cpu_seconds": round(time.process_time() - start, 1)})
        print(key, path.read_text(encoding="utf-8").replace("\n", " ")[:300], flush=True)
    return json.loads(path.read_text(encoding="utf-8"))


def log_of(histories: dict) -> pd.DataFrame:
    "Rows (user_id, item_id) of user -> history."
    return pd.DataFrame([(u, i) for u, h in histories.items() for i in h], columns=["user_id", "item_id"])


# ---------------------------------------------------------------- games
def games_score(ranks: list[float]) -> dict:
    "NDCG x 100 at 1, 5, 10 and 20, and the interval at 10."
    m, gain = ranking_metrics(ranks, (1, 5, 10, 20)), [100 * (r < 10) / np.log2(r + 2) for r in ranks]
    low, high = bootstrap_interval(gain)
    return {f"NDCG@{k}": round(100 * m[f"NDCG@{k}"], 2) for k in (1, 5, 10, 20)} | {"low@10": round(low, 1), "high@10": round(high, 1), "users": len(ranks)}


def games() -> list[dict]:
    items = load("amazon_games_llmrank/items")
    products = pd.DataFrame({"item_id": items["item_id"], "title": items["text"]})
    test = load("amazon_games_llmrank", split="test").set_index("user_id")
    lists = load("amazon_games_llmrank/candidates")
    lists = {s: lists[lists["split"] == f"{s}users.random"].set_index("user_id")["candidates"] for s in ("200", "6000")}
    lists["6000"] = lists["6000"].drop(lists["200"].index, errors="ignore")
    others = test.drop(lists["200"].index.union(lists["6000"].index))["history"]
    plain = Kept().encode(products["title"].tolist(), "passage")
    at = {i: n for n, i in enumerate(products["item_id"])}

    def e5(history, candidates):
        return (plain[[at[i] for i in history[-10:]]] @ plain[[at[i] for i in candidates]].T).max(0)

    def ours(rec):
        return lambda history, candidates: rec.rank(None, candidates, history=history).set_index("item_id")["score"].reindex(candidates).to_numpy()

    made: dict = {}

    def method(name):
        if name not in made:
            made[name] = e5 if name.startswith("e5") else ours(Recommender(embedder=Kept()).fit(products, log_of(others) if "行为" in name else None))
        return made[name]

    def job(name, part):
        ranks = []
        for user, candidates in lists[part].items():
            history, target = test.at[user, "history"], test.at[user, "target"]
            given = [c for c in candidates if c != target][:19] + [target]
            ranks.append(target_rank(method(name)(history, given), 19))
        return games_score(ranks)
    rows = [{"part": "games", "list": part, "method": name, **kept(f"games.{part}.{name}", lambda n=name, p=part: job(n, p))}
            for name in ("e5 余弦，最近十件取最大", "文字", "文字加行为") for part in ("200", "6000")]
    return rows + [{"part": "games", "list": "200", "method": n, **{f"NDCG@{k}": v for k, v in zip((1, 5, 10, 20), row, strict=True)}} for n, row in PUBLISHED["games"].items()]


# ---------------------------------------------------------------- all items
def top_score(found: list[list], targets: list) -> dict:
    "HR and NDCG at 5 and 10 of lists of ten, and the interval of HR@10."
    ranks = [f.index(t) if t in f else 10 for f, t in zip(found, targets, strict=True)]
    low, high = bootstrap_interval([float(r < 10) for r in ranks])
    return {k: round(v, 4) for k, v in ranking_metrics(ranks).items()} | {"low": round(low, 4), "high": round(high, 4), "users": len(ranks)}


def published(part: str, names: tuple) -> list[dict]:
    "Rows of the published figures."
    return [{"part": part, "method": n, **dict(zip(names, row, strict=True))} for n, row in PUBLISHED[part].items()]


def implicit_lists(name: str, histories: dict, items: list, k: int = 10) -> list[list]:
    "Lists by a model of the library `implicit`, bought items left out."
    import scipy.sparse as sp
    from implicit.als import AlternatingLeastSquares
    from implicit.bpr import BayesianPersonalizedRanking
    from implicit.nearest_neighbours import BM25Recommender, CosineRecommender
    at = {i: n for n, i in enumerate(items)}
    rows, cols = zip(*((n, at[i]) for n, h in enumerate(histories.values()) for i in h), strict=True)
    X = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, cols)), (len(histories), len(items)))
    model = {"余弦": lambda: CosineRecommender(K=200, num_threads=1), "BM25": lambda: BM25Recommender(K=200, num_threads=1),
             "ALS": lambda: AlternatingLeastSquares(factors=64, iterations=15, random_state=0, num_threads=1),
             "BPR": lambda: BayesianPersonalizedRanking(factors=64, iterations=100, random_state=0, num_threads=1)}[name]()
    model.fit(X, show_progress=False)
    found, _ = model.recommend(np.arange(len(histories)), X, N=k, filter_already_liked_items=True)
    return [[items[j] for j in row if j >= 0] for row in found]


def beauty() -> list[dict]:
    items = load("amazon_beauty_s3rec/items")
    products = pd.DataFrame({"item_id": items["item_id"], "title": items["text"]})
    sequences = load("amazon_beauty_s3rec").set_index("user_id")["items"]
    histories, targets = {u: s[:-1] for u, s in sequences.items()}, [s[-1] for s in sequences]
    ids = products["item_id"].tolist()

    def ours(text: bool, behaviour: bool):
        rec = Recommender(embedder=Kept()).fit(products, log_of(histories) if behaviour else None)
        if not text:
            scores = rec.together.score(list(histories.values()))
            found = []
            for row, h in zip(scores, histories.values(), strict=True):
                order = [ids[j] for j in row.indices[np.argsort(-row.data, kind="stable")[:10 + len(h)]]]
                found.append([i for i in order if i not in set(h)][:10])
            return found
        return rec.next_items(list(histories.values()))

    def popular():
        most = pd.Series([i for h in histories.values() for i in h]).value_counts().index.tolist()[:200]
        return [[i for i in most if i not in set(h)][:10] for h in histories.values()]
    jobs = {"热门": popular, "只看文字": lambda: ours(True, False), "只看行为（共现表）": lambda: ours(False, True), "文字加行为": lambda: ours(True, True)}
    if importlib.util.find_spec("implicit"):
        jobs |= {f"implicit {n}": lambda n=n: implicit_lists(n, histories, ids) for n in ("余弦", "BM25", "ALS", "BPR")}
    rows = [{"part": "beauty", "method": n, **kept(f"beauty.{n}", lambda j=j: top_score(j(), targets))} for n, j in jobs.items()]
    return rows + published("beauty", ("HR@5", "NDCG@5", "HR@10", "NDCG@10"))


def office() -> list[dict]:
    items = load("amazon_office_minionerec/items")
    products = pd.DataFrame({"item_id": items["item_id"], "title": items["title"]})
    test = load("amazon_office_minionerec", split="test")

    def bm25():
        from sklearn.feature_extraction.text import CountVectorizer
        count = CountVectorizer(token_pattern=r"\S+")
        X = count.fit_transform([words_of(t) for t in products["title"]]).astype(np.float32).tocoo()
        n, length = X.shape[0], np.asarray(X.sum(1)).ravel()
        df = np.bincount(X.col, minlength=X.shape[1])
        weight = np.log(1 + (n - df + .5) / (df + .5))[X.col] * X.data * 2.5 / (X.data + 1.5 * (.25 + .75 * length[X.row] / length.mean()))
        import scipy.sparse as sp
        W, C = sp.csr_matrix((weight, (X.row, X.col)), X.shape), X.tocsr()
        at = {i: k for k, i in enumerate(products["item_id"])}
        found = []
        for h in test["history"]:
            s = np.asarray((W @ C[[at[i] for i in h]].sum(0).T)).ravel()
            found.append([products["item_id"].iloc[j] for j in np.argsort(-s, kind="stable")[:10]])
        return found
    jobs = {"BM25（全部历史的词）": bm25, "文字": lambda: Recommender(embedder=Kept()).fit(products).next_items(test["history"].tolist(), repeat=True)}
    rows = [{"part": "office", "method": n, **kept(f"office.{n}", lambda j=j: top_score(j(), test["target"].tolist()))} for n, j in jobs.items()]
    return rows + published("office", ("HR@5", "NDCG@5", "HR@10", "NDCG@10"))


# ---------------------------------------------------------------- ml100k
def top10(found: dict, truth: dict) -> dict:
    "MAP, NDCG, precision and recall at 10 as in recommenders-team/recommenders: mean over the users of the test part."
    out = []
    for u, want in truth.items():
        hits = np.array([i in want for i in found.get(u, [])[:10]], float)
        hits = np.pad(hits, (0, 10 - len(hits)))
        gain = 1 / np.log2(np.arange(10) + 2)
        precision = hits.cumsum() / np.arange(1, 11)
        out.append(((hits * precision).sum() / len(want), (hits * gain).sum() / gain[:min(10, len(want))].sum(), hits.mean(), hits.sum() / len(want)))
    return dict(zip(("MAP", "nDCG@10", "P@10", "R@10"), np.mean(out, 0).round(4).tolist(), strict=True)) | {"users": len(out)}


def by_user(rows: pd.DataFrame) -> dict:
    "user -> ids in order of time."
    return rows.sort_values("timestamp", kind="stable").groupby("user_id")["item_id"].agg(list).to_dict()


def held_out(rows: pd.DataFrame, share: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    "(training rows, held-out rows): `share` of each user's rows at random are held out."
    out = rows.groupby("user_id").sample(frac=share, random_state=seed).index
    return rows.drop(out), rows.loc[out]


def together(train: dict, ids: list, settings: dict) -> dict:
    "Lists of ten by `CoOccurrence`."
    model = CoOccurrence(**settings).fit(list(train.values()), ids)
    scores = model.score(list(train.values())).toarray()
    for row, h in zip(scores, train.values(), strict=True):
        row[[model._at[str(i)] for i in h]] = -1
    return {u: [ids[j] for j in np.argsort(-row, kind="stable")[:10]] for u, row in zip(train, scores, strict=True)}


def ml100k() -> list[dict]:
    ratings = load("ml100k")
    ids = sorted(ratings["item_id"].unique().tolist())
    train, test = held_out(ratings, 0.25, 42)
    inner, valid = held_out(train, 0.1, 0)
    truth = {n: d.groupby("user_id")["item_id"].agg(set).to_dict() for n, d in (("valid", valid), ("test", test))}
    grid = [{"decay": d, "backwards": 1.0, "alpha": a, "recency": r} for d in (0.95, 0.99, 1.0) for a in (0.2, 0.35, 0.5) for r in (0.98, 1.0)]

    def best():
        tried = [(top10(together(by_user(inner), ids, g), truth["valid"])["nDCG@10"], g) for g in grid]
        return {"settings": max(tried, key=lambda x: x[0])[1]}
    chosen = kept("ml100k.settings", best)["settings"]
    jobs = {"共现表（验证部分选的设置）": lambda: together(by_user(train), ids, chosen), "共现表（默认设置）": lambda: together(by_user(train), ids, {})}
    if importlib.util.find_spec("implicit"):
        mine = by_user(train)
        jobs |= {f"implicit {n}": lambda n=n: dict(zip(mine, implicit_lists(n, mine, ids), strict=True)) for n in ("余弦", "BM25", "ALS", "BPR")}
    rows = [{"part": "ml100k", "method": n, **kept(f"ml100k.{n}", lambda j=j: top10(j(), truth["test"]))} for n, j in jobs.items()]
    return rows + published("ml100k", ("MAP", "nDCG@10", "P@10", "R@10"))


# ---------------------------------------------------------------- douban
def douban() -> list[dict]:
    from sklearn.linear_model import RidgeCV
    rates, films = load("douban_movies_zh"), load("douban_movies_zh/items")
    V = Kept().encode([f"{t}。{g}。{s}"[:300] for t, g, s in zip(films["title"], films["genres"], films["text"], strict=True)], "passage")
    V = V - V.mean(0)
    fold = np.random.default_rng(0).integers(0, 5, len(rates))

    def shrunk(key, values, by: float = 5.0) -> dict:
        g = pd.DataFrame({"k": key, "v": values}).groupby("k")["v"]
        return (g.sum() / (g.size() + by)).to_dict()

    def fit(train, rows, text: bool):
        mu, r = train["rating"].mean(), train["rating"].to_numpy()
        user = shrunk(train["user_id"], r - mu)
        rest = r - mu - train["user_id"].map(user).to_numpy()
        item = np.zeros(len(films))
        if text:                       # what the text says of a film, before the film's own ratings
            item = RidgeCV(alphas=(3, 10, 30, 100)).fit(V[train["item_id"]], rest).predict(V)
        own = shrunk(train["item_id"], rest - item[train["item_id"]])
        return mu + rows["user_id"].map(user).fillna(0).to_numpy() + item[rows["item_id"]] + rows["item_id"].map(own).fillna(0).to_numpy()

    def job(text: bool, new: bool):
        out = []
        for k in range(5):
            train, rows = rates[fold != k], rates[fold == k]
            if new:                    # films never rated in training
                rows = rows[~rows["item_id"].isin(train["item_id"])]
            out.append((fit(train, rows, text).clip(1, 5) - rows["rating"]).to_numpy())
        e = np.concatenate(out)
        return {"RMSE": round(float(np.sqrt((e ** 2).mean())), 4), "MAE": round(float(np.abs(e).mean()), 4), "rows": len(e)}
    rows = [{"part": "douban", "method": f"{n}，{'没有评分的片' if new else '全部'}", **kept(f"douban.{n}.{new}", lambda t=t, new=new: job(t, new))}
            for n, t in (("用户与片的平均", False), ("加上片的文字", True)) for new in (False, True)]
    return rows + [{"part": "douban", "method": "协同主题回归，简介（发表）", "RMSE": .8790, "MAE": .7303}]


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"games": games, "beauty": beauty, "office": office, "ml100k": ml100k, "douban": douban}
    ap.add_argument("--part", nargs="+", choices=list(parts), default=list(parts))
    os.environ.setdefault("ECOM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in ap.parse_args().part:
        report("ranking", parts[name]())


if __name__ == "__main__":
    main()
