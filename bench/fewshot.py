"""FewCLUE with few labels: accuracy on test_public, mean and deviation over the five splits, beside plain baselines; prints one table and
appends one JSON line to bench/results/fewshot.jsonl. Needs ECOM_DATA; resumable (states and results are kept in the cache).
`minutes` of the fewshot rows is what remains once the encoder's states and the language model's answers are known; `llm_seconds` is what one
item costs at predict when the language model is asked (processor time, one thread).

    python bench/fewshot.py [--sets eprstmt tnews bustm] [--methods NAME ...] [--splits 5]
    python bench/fewshot.py --dev                   # the dev part instead of test_public: for choosing
"""
from __future__ import annotations

import argparse
import functools
import hashlib
import json
import time

import numpy as np
from common import report

from ecom_nbdev import fewshot
from ecom_nbdev.classify import TextClassifier
from ecom_nbdev.core import cache_dir, write_json
from ecom_nbdev.data import load
from ecom_nbdev.fewshot import FewShot, Question, ask, char_vectorizer, clean_pool, states_of, views_of

CACHE = cache_dir("bench", "fewshot")
# 每个类别的几句描述，为本项目写的（作者见过数据里的少数几条；与见过的测试文本相近的说法都没有留下）
DESCRIPTIONS: dict[str, dict] = {
    "eprstmt": {
        1: "好评 非常满意 质量很好，物美价廉 很喜欢，推荐购买 性价比高，下次还会买 正品，做工精细，手感好 客服态度好，发货快 给家人买的，都说好 超出预期，非常喜欢 五星好评 虽然有点小问题，总体很满意".split(),
        0: "差评 非常失望 质量太差，后悔购买 不推荐，千万别买 垃圾，客服态度差 根本没法用，浪费钱 性价比低，不值这个价 假货，做工粗糙 发货慢，客服不理人 跟描述不符，被骗了 再也不会买了 一星都不想给 看起来还行，用起来很差".split(),
    },
    "tnews": {
        "故事": "短篇小说 婆婆和媳妇的家庭故事 一个老人的回忆 爱情故事，她离开了他 农村的奇闻怪事 讲一个鬼故事 悬疑故事 小时候的往事 情感故事，丈夫出轨 寓言童话 连载小说第三章 穷小子的命运 邻居家发生的怪事".split(),
        "文化": "传统文化 书法和国画 诗词欣赏 历史典故 博物馆里的古代文物 非物质文化遗产 作家和文学作品 民俗节日 古诗词 孔子与儒家 考古发现 戏曲京剧 收藏古玩瓷器 汉字成语".split(),
        "娱乐": "明星八卦 电影上映，票房 电视剧演员 歌手发新歌 综艺节目 导演谈新片 网红直播 演员的新剧播出 恋情曝光 明星结婚生子 粉丝追星 票房破亿 选秀节目".split(),
        "体育": "足球比赛 篮球季后赛 教练和球员 世界杯小组赛 乒乓球冠军 马拉松 球队转会消息 NBA总决赛 英超曼联 中超国安 欧冠决赛 国足主教练 羽毛球世锦赛 奥运金牌".split(),
        "财经": "经济增长 银行和贷款 企业家创业 人民币汇率 理财产品收益 消费与零售行业 上市公司财报 首富身家 进出口贸易 税收与个税 ".split(),
        "房产": "房价 买房首付 楼市调控政策 小区物业 公积金贷款 开发商拿地 二手房交易 买房还是租房 楼盘开盘 学区房 房贷利率 装修户型 土地拍卖 棚户区改造".split(),
        "汽车": "新车上市 SUV试驾 汽车油耗 二手车 驾照和交规 发动机和变速箱 电动汽车续航 轿车对比选哪个 国产车降价 车祸事故 保养轮胎 百公里加速 宝马奔驰奥迪 新能源车补贴".split(),
        "教育": "高考志愿 中小学生作业 老师和家长 大学录取分数线 考研复习 幼儿园 英语学习方法 家庭作业 校长和学校 大学生就业 留学申请 孩子的成绩 教师资格考试 补习班".split(),
        "科技": "手机发布 人工智能 互联网公司 芯片和5G 软件更新 程序员写代码 区块链技术 苹果和华为 大数据与云计算 机器人 微信新功能 科学家发现 小米新手机配置 航天卫星".split(),
        "军事": "军队演习 战斗机 航母和导弹 武器装备 抗日战争 士兵训练 坦克和潜艇 海军舰艇 特种部队 导弹试射 美军基地 二战战役 退役军人 歼20隐身战机".split(),
        "旅游": "旅游攻略 景点门票 自驾游路线 酒店和民宿 古镇风光 出国签证 海边度假 去哪里玩 世界上最美的地方 高铁游 五一出行 博主游记 游客在景区 雪山草原湖泊".split(),
        "国际": "美国总统 外交访问 中东局势 联合国 朝鲜半岛 俄罗斯与欧洲 国外的袭击事件 特朗普 普京 以色列和伊朗 英国脱欧 叙利亚战争 日本首相 难民与移民".split(),
        "股票": "股票涨停 A股大盘 上市公司公告 基金持仓 散户炒股 主力资金流入 牛市和熊市 大盘跌破3000点 明日股市走势 涨停板 股民亏损 龙头股 个股分析 证监会".split(),
        "农业": "农民种植 养猪价格 农村土地补贴 水果丰收 玉米小麦 化肥农药 乡村振兴 农产品滞销 养殖户养鸡养牛 大棚蔬菜 小麦收购价 农村宅基地 果树种植技术 农机".split(),
        "电竞": "王者荣耀英雄 英雄联盟比赛 游戏主播 绝地求生吃鸡 手游更新 游戏装备攻略 电竞战队夺冠 游戏攻略 LPL战队 游戏玩家 皮肤和装备 DNF 单机游戏 吃鸡高手排位上分".split(),
    },
    "bustm": {},
}
LLM, LLM_POOL = "qwen2.5-1.5b", {"eprstmt": 2000, "bustm": 5000}
MAX_ASKED = 100      # so many items of the pool the language model is asked about
# 问大语言模型的话与写好答案的例子，都是为本项目编的，没有看测试部分；在验证部分上选的
QUESTIONS: dict[str, tuple[Question, ...]] = {
    "eprstmt": (Question("判断下面的商品评价是好评还是差评，只回答“好评”或“差评”。", {0: "差评", 1: "好评"}, ("评价",)),),
    "bustm": (Question("判断两句话的意思是否相同，只回答“相同”或“不同”。", {0: "不同", 1: "相同"}, ("句子一", "句子二"), (
        (("播放一首周杰伦的歌", "放首周杰伦的歌听听"), 1), (("今天天气怎么样", "今天心情怎么样"), 0), (("你是男生还是女生", "你的性别是什么"), 1),
        (("北京到上海的火车", "上海离北京有多远"), 0), (("给我讲个笑话", "你真好笑"), 0), (("明早七点叫我起床", "帮我定个明天早上七点的闹钟"), 1))),),
}
PUBLISHED = {"eprstmt": (65.4, 88.3, 90.0), "tnews": (49.0, 56.4, 71.0), "bustm": (60.7, 71.8, 88.0)}     # arXiv 2107.07498: fine-tuned, best, human


def items(df, name: str) -> list:
    "What is classified: the review, the title with its keywords, the pair."
    if name == "bustm":
        return list(zip(df["text"], df["text2"], strict=True))
    if name == "tnews":
        return [f"{t} {k or ''}".strip() for t, k in zip(df["text"], df["keywords"], strict=True)]
    return df["text"].tolist()


@functools.cache
def parts(name: str, split: int) -> dict:
    "train, dev, test as (items, labels) and the unlabelled pool, free of near-duplicates of test, dev and train."
    df = load(f"fewclue_{name}")
    out = {}
    for key, part in (("train", f"train_{split}"), ("dev", f"dev_{split}"), ("test", "test")):
        rows = df[df["split"] == part]
        out[key] = items(rows, name), rows["label"].to_numpy() if name == "tnews" else rows["label"].to_numpy().astype(int)
    unlabeled = items(df[df["split"] == "unlabeled"].sample(frac=1, random_state=0), name)[:POOL[name]]
    out["pool"] = clean_pool(unlabeled, sum((out[k][0] for k in ("train", "dev", "test")), []))
    return out


POOL = {"eprstmt": 6000, "tnews": 4000, "bustm": 5000}


def public_reviews(n: int = 3000) -> tuple[list[str], np.ndarray]:
    "(texts, labels) of `n` shop reviews of at most 120 characters, as many good as bad, without near-duplicates of FewCLUE's test and dev texts."
    df = load("online_shopping_10_cats")
    df = df[df["text"].str.len().between(4, 120)].sample(frac=1, random_state=0)
    rows = df.groupby("label").head(n // 2)
    few = load("fewclue_eprstmt")
    left = set(clean_pool(rows["text"].tolist(), few[few["split"] != "unlabeled"]["text"].tolist()))
    rows = rows[rows["text"].isin(left)].drop_duplicates("text")
    return rows["text"].tolist(), rows["label"].to_numpy().astype(int)


class Threshold:
    "BUSTM without training: the cosine of both sentence vectors, cut where the labelled pairs are told apart best."
    def fit(self, X, y):
        s = self._cosine(X)
        self.cut_ = max(np.sort(s), key=lambda c: ((s >= c) == y).mean())
        return self

    def predict(self, X):
        return (self._cosine(X) >= self.cut_).astype(int)

    def _cosine(self, X):
        A, B = (states_of(FewShot(), [p[k] for p in X])[:, -1] for k in (0, 1))
        return (A * B).sum(1)


class Chars:
    "LinearSVC on TF-IDF of character n-grams (of a pair: those both have, those one has)."
    def fit(self, X, y):
        from sklearn.svm import LinearSVC
        self.vec_ = char_vectorizer()
        self.svm_ = LinearSVC(C=0.5).fit(self.vec_.fit_transform(X), y)
        return self

    def predict(self, X):
        return self.svm_.predict(self.vec_.transform(X))


def few(p: dict, name: str, unlabeled: bool = True, related: tuple | None = None, **kw):
    "`FewShot` trained on the split's labels, chosen on its dev part."
    return FewShot(max_pool=POOL[name], **kw).fit(*p["train"], p["pool"] if unlabeled else (), p["dev"], related)


class Asked:
    "The language model alone: the likelier answer; with `fit`, cut where the labelled items are told apart best."
    def __init__(self, name: str, cut: bool):
        self.few, self.cut, self.at_ = FewShot(llm=LLM, questions=QUESTIONS[name]), cut, 0.0
        self.few.classes_ = np.array([0, 1])

    def scores(self, X):
        z = views_of(self.few, X, ["llm"])["llm"]
        return z[:, 1] - z[:, 0]

    def fit(self, X, y):
        if self.cut:
            s = np.sort(self.scores(X))
            cuts = np.concatenate([[s[0] - 1], (s[1:] + s[:-1]) / 2])
            hits = np.array([((self.scores(X) >= c) == y).mean() for c in cuts])
            self.at_ = float(np.median(cuts[hits == hits.max()]))
        return self

    def predict(self, X):
        return (self.scores(X) >= self.at_).astype(int)


def with_llm(p: dict, name: str, **kw):
    "`few` with the language model as one more view."
    if name not in QUESTIONS:
        return None
    p = p | {"pool": p["pool"][:LLM_POOL[name]]}
    return few(p, name, llm=LLM, questions=QUESTIONS[name], max_asked=MAX_ASKED, descriptions=DESCRIPTIONS[name] or None, **kw)


def tune(p: dict, name: str):
    "Plain fine-tuning of the upper half; the epoch is chosen on dev."
    return TextClassifier(mode="full", epochs=10, patience=10, batch_tokens=512, learning_rate=1e-4).fit(*p["train"], eval_set=p["dev"])


def intermediate() -> str:
    "Folder of the encoder fine-tuned on public shop reviews (trained once, kept in the cache)."
    folder = CACHE / "public-reviews"
    if not (folder / "classifier.json").exists():
        X, y = public_reviews(4000)
        TextClassifier(mode="full", epochs=2, max_length=96).fit(X, y).save(folder)
    return str(folder)


METHODS = {
    "LinearSVC，字符": lambda p, name: Chars().fit(*p["train"]),
    "逻辑回归，冻结向量": lambda p, name: Threshold().fit(*p["train"]) if name == "bustm" else TextClassifier(mode="head").fit(*p["train"]),
    "微调": lambda p, name: None if name == "bustm" else tune(p, name),
    "fewshot，只有标注": lambda p, name: few(p, name, unlabeled=False),
    "fewshot，标注与描述": lambda p, name: few(p, name, unlabeled=False, descriptions=DESCRIPTIONS[name]) if DESCRIPTIONS[name] else None,
    "fewshot，标注与池子": few,
    "fewshot，标注、描述与池子": lambda p, name: few(p, name, descriptions=DESCRIPTIONS[name]) if DESCRIPTIONS[name] else None,
    "fewshot，公开评论微调": lambda p, name: few(p, name, model=intermediate(), descriptions=DESCRIPTIONS[name]) if name == "eprstmt" else None,
    "fewshot，公开评论": lambda p, name: few(p, name, related=public_reviews(), descriptions=DESCRIPTIONS[name]) if name == "eprstmt" else None,
    "大语言模型，零样本": lambda p, name: Asked(name, False) if name in QUESTIONS else None,
    "大语言模型，标注定门槛": lambda p, name: Asked(name, True).fit(*p["train"]) if name in QUESTIONS else None,
    "fewshot，大语言模型只当老师": lambda p, name: with_llm(p, name, llm_predicts=False),
    "fewshot，加大语言模型": with_llm,
    "fewshot，加大语言模型与公开评论": lambda p, name: with_llm(p, name, related=public_reviews()) if name == "eprstmt" else None,
}


def run(name: str, method: str, split: int, part: str) -> dict | None:
    "Accuracy of one method on one split's `part`, from the cache where it is known; None where the method does not apply."
    path = CACHE / f"{name}.{method}.{split}.{part}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    p, start = parts(name, split), time.perf_counter()
    model = METHODS[method](p, name)
    if model is None:
        return None
    accuracy = float((model.predict(p[part][0]) == p[part][1]).mean())
    result = {"accuracy": accuracy, "seconds": time.perf_counter() - start, "chosen": getattr(model, "chosen_", None),
              "asks": isinstance(model, Asked) or "llm" in getattr(model, "heads_", ())}
    write_json(path, result)
    return result


SAVED: dict[tuple, int] = {}      # how many states of each view the cache holds


def states(save: bool = False) -> None:
    "Read the encoder's states from the cache, or write them there: they are the slow part."
    for path in () if save else CACHE.glob("states.*.json"):
        known = json.loads(path.read_text(encoding="utf-8"))
        rows = [tuple(i) if isinstance(i, list) else i for i in known["items"]]
        fewshot._MEMORY.setdefault(tuple(known["key"]), {}).update(zip(rows, np.load(path.with_suffix(".npy")), strict=True))
        SAVED[tuple(known["key"])] = len(rows)
    for key, rows in fewshot._MEMORY.items() if save else ():
        if SAVED.get(key) == len(rows):
            continue
        SAVED[key] = len(rows)
        name = "states." + "-".join(map(str, key)).translate(str.maketrans("/\n{}", "____"))[:30] + hashlib.sha256(str(key).encode()).hexdigest()[:12]
        np.save(CACHE / f"{name}.npy", np.stack(list(rows.values())).astype(np.float16))
        write_json(CACHE / f"{name}.json", {"key": key, "items": list(rows)})


def ask_first(name: str, methods: list[str], splits: int, part: str, step: int = 40) -> None:
    "Ask the language model what `methods` need to know about `part` of the splits, saving its answers every `step` items."
    few, items = Asked(name, False).few, []
    for p in [parts(name, k) for k in range(splits)]:
        items += p[part][0] + (p["train"][0] if methods != ["大语言模型，零样本"] else [])
        items += p["dev"][0] + p["pool"][:MAX_ASKED] if any(m.startswith("fewshot") for m in methods) else []
    known = fewshot._MEMORY.get(("llm", LLM, f"{[0, 1]} {QUESTIONS[name][0]}"), {})
    new = [x for x in dict.fromkeys(items) if x not in known]
    for i in range(0, len(new), step):
        views_of(few, new[i:i + step], ["llm"])
        states(save=True)


def cpu_seconds(name: str, n: int = 32) -> float:
    "Processor seconds the language model takes for one item, mean over `n` dev items; kept in the cache."
    path = CACHE / f"speed.{name}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    X = parts(name, 0)["dev"][0][:n + 1]
    ask(LLM, QUESTIONS[name][0], X[:1], [0, 1])
    start = time.process_time()
    ask(LLM, QUESTIONS[name][0], X[1:], [0, 1])
    write_json(path, seconds := round((time.process_time() - start) / (len(X) - 1), 2))
    return seconds


def table(sets: list[str], methods: list[str], splits: int, part: str) -> list[dict]:
    "One row a set and method: mean, deviation and each split in per cent, minutes a split (without the encoder's states, which are kept)."
    rows = []
    for name in sets:
        asks = [m for m in methods if "大语言模型" in m] if name in QUESTIONS else []
        if asks:
            ask_first(name, asks, splits, part)
        seconds = cpu_seconds(name) if asks else None
        for method in methods:
            found = [r for k in range(splits) if (r := run(name, method, k, part))]
            states(save=True)
            if found:
                acc = np.array([r["accuracy"] for r in found]) * 100
                std = round(float(acc.std(ddof=1)), 1) if len(acc) > 1 else None
                rows.append({"set": name, "part": part, "method": method, "mean": round(float(acc.mean()), 1), "std": std,
                             "splits": acc.round(1).tolist(), "minutes": round(sum(r["seconds"] for r in found) / 60 / len(found), 2),
                             "llm_seconds": seconds if any(r.get("asks") for r in found) else None})
                print(rows[-1], flush=True)
        if part == "test":
            rows += [{"set": name, "part": part, "method": m, "mean": v, "std": None, "splits": [], "minutes": None, "llm_seconds": None}
                     for m, v in zip(("发表：RoBERTa 微调", "发表：最好", "发表：人"), PUBLISHED[name], strict=True)]
    return rows


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sets", nargs="+", default=list(POOL), choices=list(POOL))
    p.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    p.add_argument("--splits", type=int, default=5)
    p.add_argument("--dev", action="store_true")
    a = p.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    states()
    rows = table(a.sets, a.methods, a.splits, "dev" if a.dev else "test")
    report("fewshot_dev" if a.dev else "fewshot", rows)


if __name__ == "__main__":
    main()
