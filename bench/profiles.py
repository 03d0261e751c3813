"""Interests of pseudo-users: five real reviews of one category (or three of one and two of another) of online_shopping_10_cats (ECOM_DATA) are one user.

Share of users whose main interest is right, and for mixtures, with both categories among the first three; by keywords and likeness (zero-shot, ten lines of
typical words) and with a trained head (`Profiler(topics=…)`, head on frozen e5-small vectors of 3,000 training reviews). Users are made of test reviews only,
near-duplicates of training reviews are left out by `splits.split`. Sentiment by the lexicon.
Run: python bench/profiles.py [--users 300] [--seeds 3]      (about 10 minutes on one core)
Appends one JSON line to bench/results/profiles.jsonl.
"""
from __future__ import annotations

import argparse
import os
import statistics

import numpy as np
import pandas as pd
from common import report

from ecom_nbdev.apps.profile import Profiler
from ecom_nbdev.classify import TextClassifier
from ecom_nbdev.data import load
from ecom_nbdev.splits import split

# 各类的典型词，为本项目写的
CATEGORIES = {
    "书籍": "书 本书 这本书 作者 小说 故事 阅读 读 看完 内容 文字 章节 出版社 翻译 情节 文笔 书中 教育 孩子 思想 读者 印刷 盗版 正版书 纸张",
    "平板": "平板 平板电脑 iPad 屏幕 触屏 看电影 刷视频 安卓 系统 卡顿 分辨率 充电 续航 WiFi 玩游戏 手写笔 反应慢 死机 黑屏 音质 画面 自带软件",
    "手机": "手机 电话 信号 短信 通话 来电 铃声 待机 诺基亚 三星 摩托罗拉 拍照 像素 蓝牙 电池 按键 机身 外壳 手机卡 耳机",
    "水果": "水果 苹果 橙子 梨 香蕉 草莓 车厘子 猕猴桃 新鲜 甜 酸 水分 脆 坏果 烂 个头 口感 果子 好吃 汁多 糖心",
    "洗发水": "洗发水 洗发 洗头 头发 头皮 去屑 头屑 柔顺 护发素 控油 止痒 香味 泡沫 掉发 飘柔 海飞丝 潘婷 清扬 沐浴露 瓶 味道 赠品",
    "热水器": "热水器 安装 师傅 加热 洗澡 水温 水压 美的 海尔 万和 电热水器 燃气 漏水 安装费 出水 保温 容量 零件 阀门",
    "蒙牛": "蒙牛 牛奶 奶 酸奶 纯牛奶 特仑苏 真果粒 乳业 乳制品 三聚氰胺 伊利 奶粉 黄曲霉素 奶农 奶源 奶牛 喝 企业 食品安全",
    "衣服": "衣服 裤子 裙子 T恤 衬衫 外套 面料 布料 尺码 大小 合身 穿 显瘦 褪色 掉色 起球 线头 版型 颜色 款式 色差 薄 透",
    "计算机": "电脑 笔记本 笔记本电脑 机器 键盘 硬盘 内存 显卡 散热 系统 驱动 XP Vista 重装 鼠标 触摸板 主板 CPU 配置 风扇 接口 光驱 显示器",
    "酒店": "酒店 房间 前台 入住 早餐 宾馆 大堂 服务员 床 卫生间 空调 隔音 携程 退房 位置 交通 周边 设施 客房 住 浴室 地毯 窗户",
}


def pools(seed: int) -> dict[str, pd.DataFrame]:
    "part -> reviews (text, category), shuffled."
    df = load("online_shopping_10_cats").sample(frac=1, random_state=seed)
    df = df[df["text"].str.len() >= 5]
    part = split(df["text"].tolist(), df["category"].to_numpy(), seed=0)
    return {p: df[part == p] for p in ("train", "test")}


def pseudo_users(df: pd.DataFrame, n: int, seed: int) -> tuple[pd.DataFrame, dict[str, tuple]]:
    "(rows user_id, text; user -> its category or two) of `n` users of five reviews of one category and `n` of three and two; no review is used twice by a kind."
    rng = np.random.default_rng(seed)
    rows, truth = [], {}
    for kind, counts in (("one", (5,)), ("two", (3, 2))):
        left = {c: g["text"].tolist() for c, g in df.groupby("category")}
        for k in range(n):
            names = [c for c in left if len(left[c]) >= 5]
            chosen = tuple(str(c) for c in rng.choice(names, len(counts), replace=False))
            truth[f"{kind}{k}"] = chosen
            rows += [(f"{kind}{k}", left[c].pop()) for c, m in zip(chosen, counts, strict=True) for _ in range(m)]
    return pd.DataFrame(rows, columns=["user_id", "text"]), truth


def score(profiles: list, truth: dict[str, tuple]) -> dict:
    "Shares in percent: main interest right (one category), both among the first three, and the larger one first (two)."
    names = {p.user_id: [i.name for i in p.interests] for p in profiles}
    one = [names[u][:1] == list(t) for u, t in truth.items() if len(t) == 1]
    two = [(set(t) <= set(names[u][:3]), names[u][:1] == [t[0]]) for u, t in truth.items() if len(t) == 2]
    return {"main": round(100 * np.mean(one), 1), "both_in_3": round(100 * np.mean([a for a, _ in two]), 1), "larger_first": round(100 * np.mean([b for _, b in two]), 1)}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--users", type=int, default=300)
    ap.add_argument("--seeds", type=int, default=3)
    args = ap.parse_args()
    os.environ.setdefault("ECOM_THREADS", "1")
    found: dict[str, list[dict]] = {}
    head = None
    for seed in range(args.seeds):
        parts = pools(seed)
        if head is None:
            train = parts["train"].groupby("category").head(300)
            head = TextClassifier(mode="head", lexical=True).fit(train["text"].tolist(), train["category"].tolist())
        texts, truth = pseudo_users(parts["test"], args.users, seed)
        for name, kw in (("关键词，不用编码器", {"embedder": False}), ("关键词加相近（零样本）", {}), ("训练过的头", {"topics": head})):
            profiles = Profiler(categories=CATEGORIES, sentiment="lexicon", **kw).profile(texts)
            found.setdefault(name, []).append(score(profiles, truth))
            print(seed, name, found[name][-1], flush=True)
    rows = []
    for name, scores in found.items():
        row = {"method": name, "users": 2 * args.users, "seeds": args.seeds}
        for k in scores[0]:
            values = [s[k] for s in scores]
            row |= {k: round(statistics.mean(values), 1), f"{k}_sd": round(statistics.stdev(values), 1) if len(values) > 1 else None}
        rows.append(row)
    report("profiles", rows)


if __name__ == "__main__":
    main()
