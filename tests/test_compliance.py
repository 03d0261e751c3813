"""What the notebook does not test: hostile input, the table's files, spans under many evasions, the demo catalogue."""
from __future__ import annotations

import csv
import random
import re
import subprocess
import sys

import pytest

from ecom_nbdev.compliance import COLUMNS, READER_PARTS, READER_THRESHOLD, SEVERITIES, check, clean, is_clean, judge, load_terms, suspicion
from ecom_nbdev.core import EcomError, asset


@pytest.mark.parametrize("bad", [None, 1, 1.5, b"\xe6\x9c\x80\xe4\xbd\xb3", ["最佳"], {}])
@pytest.mark.parametrize("f", [check, is_clean, clean])
def test_not_a_string(f, bad):
    with pytest.raises(EcomError, match="必须是字符串"):
        f(bad)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "，。！", "\x00\x01\x1f", "\u200b\u200d\ufeff", "🔥🔥", "<b></b>", "&#0;&#x110000;&nbsp;",
                                  "\ud800", "a" * 50, "<" * 300, "《》"])
def test_nothing_to_find(text):
    assert check(text) == [] and clean(text) == text


@pytest.mark.parametrize("unit, size, least", [("普通的一句话。", 1_000_000, 0), ("最佳好物，", 200_000, 40_000), ("最", 50_000, 1), ("最，", 50_000, 1),
                                               ("第，一，", 50_000, 1), ("<b>最</b>", 50_000, 1), ("100%", 50_000, 1), ("不能治疗", 50_000, 0)])
def test_much_of_anything(unit, size, least):
    text = unit * (size // len(unit))
    found = check(text)
    assert len(found) >= least and (found == []) == (least == 0)
    assert all(text[v.start:v.end] == v.term for v in found)


@pytest.mark.parametrize("unit", ["最佳好物，", "招财转运", "最", "稳赚不赔，", "绝对"])
def test_clean_much_of_anything(unit):
    assert is_clean(clean(unit * (20_000 // len(unit))))


@pytest.mark.parametrize("form", ["最佳", "最 佳", "最　佳", "最-佳", "最·佳", "最*佳", "最\u200b佳", "最\ufeff佳", "最\x00佳", "最，佳", "最/佳", "最🔥佳",
                                  "最“佳", "最<b>佳", "最&nbsp;佳", "&#26368;佳", "蕞佳"])
def test_evasions_of_one_term(form):
    text = f"口感{form}的面包"
    found = [v for v in check(text) if v.severity != "low"]
    assert [(v.term, v.start, v.end) for v in found] == [(form, 2, 2 + len(form))]
    assert found[0].rule == "广告法第九条（三）" and found[0].suggestion == "改为：出色"


@pytest.mark.parametrize("text", ["NO.1", "No1", "no 1", "N.O.1", "№1", "ＮＯ．１", "TOP1", "TOP.1", "T O P 1", "ＴＯＰ１", "第1", "第 1", "第壹", "第－一",
                                  "頂級", "國家級", "最優", "絕對", "無與倫比", "治療", "減肥", "全網最低", "國·家·级", "国，家，级", "全,网,最,低"])
def test_evasions(text):
    found = [v for v in check(f"本店，{text}！") if v.severity != "low"]
    assert [v.term for v in found] == [text]


@pytest.mark.parametrize("text, term, article", [
    ("全场zui便宜", "zui便宜", "第九条"), ("全场【zui】便宜", "zui】便宜", "第九条"), ("这款国jia级面霜", "国jia级", "第九条"), ("题库bao过", "bao过", "第二十四条"),
    ("袜子氵台疗脚臭", "氵台疗脚臭", "第十七条"), ("全国弟一品牌", "全国弟一", "第九条"), ("口感嘴佳", "嘴佳", "第九条"), ("独1无2的包", "独1无2", "第九条"),
    ("这款治療濕疹", "治療濕疹", "第十七条"), ("送香菸一盒", "香菸", "第二十二条"), ("加V❤领券", "加V", "站外"), ("五⭐星好❤评返❤现", "五⭐星好❤评返❤现", "第九条（五）"),
    ("电话138 1234 5678", "138 1234 5678", "站外"), ("99%的用户都说好", "99%的用户", "第十一条"), ("独家专利配方", "独家专利", "第十二条"), ("奶粉媲美母乳", "媲美母乳", "第二十条"),
    ("玉米亩产三千斤", "亩产三千", "第二十七条"), ("房价坐等升值", "坐等升值", "第二十五条")])
def test_disguises_and_articles(text, term, article):
    found = [v for v in check(text) if v.severity != "low"]
    assert any(v.term == term and article in v.rule and text[v.start:v.end] == term for v in found), found


@pytest.mark.parametrize("text", [
    "嘴唇干", "嘴好甜", "弟弟一岁", "di一步擦干", "ZUI 13 系统", "小米AI音箱", "didi打车", "加厚V领", "酒红色，微喇裙", "QQ弹弹的芋圆", "放进微波炉", "支持微信支付", "本店不做好评返现",
    "抗菌率99%，检测报告编号WT26", "实用新型专利，专利号ZL202120123456.7", "祛斑精华，国妆特字20235678", "有助于增强免疫力，国食健注G2023", "糖尿病患者请先咨询医生",
    "国家级非物质文化遗产代表性项目", "口红NO.1号色", "母乳是婴儿最佳的食物", "本店没有所谓特供产品", "大促最后一天，今晚十二点结束", "雪茄裤", "高仿真花", "A货翡翠，附证书", "转运珠款金饰"])
def test_lawful_lookalikes(text):
    assert is_clean(text), check(text)


@pytest.mark.parametrize("text, new", [
    ("No壹女鞋品牌，走一天不累脚", "受欢迎的女鞋品牌，走一天不累脚"), ("【zui】便宜的四件套", "实惠的四件套"), ("最高级的丝绒", "讲究的丝绒"), ("无毒无害，绝对安全的蜡笔", "蜡笔"),
    ("这款茶可以降血压，适合家里老人。杯子是陶瓷的。", "杯子是陶瓷的。"), ("每天一勺，血糖稳稳的。", ""), ("雪茄特惠，买二送一。另售火柴盒。", "另售火柴盒。"), ("国家级大师手作", "大师手作"),
    ("永不褪色的T恤", "不易褪色的T恤")])
def test_clean_reads_well(text, new):
    assert clean(text) == new


def test_suspicion():
    bad, good = suspicion(["足贴贴七天，寒腿说拜拜", "筒宽三十厘米，洗前请翻面"])
    assert 0 <= good < READER_THRESHOLD and good < bad <= 1 and suspicion([]) == []
    with pytest.raises(EcomError, match="必须是字符串"):
        suspicion([None])


def test_evaluation_set():
    with asset("ad_law_eval.csv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    parts = {r["part"] for r in rows}
    assert len(rows) == len({r["text"] for r in rows}) >= 4400 and parts - set(READER_PARTS) == {"H-test", "M-test", "P"}
    for part in sorted(parts):
        own = [(r["label"] == "1", not is_clean(r["text"])) for r in rows if r["part"] == part]
        assert sum(a and b for a, b in own) / sum(b for _, b in own) >= {"P": 0.87, "Q-train": 0.9}.get(part, 0.93), part
        assert sum(a and b for a, b in own) / sum(a for a, _ in own) >= {"M-test": 0.65, "P": 0.65, "N-train": 0.8, "Q-train": 0.38}.get(part, 0.9), part


def test_judge_on_parts_never_trained_on():
    with asset("ad_law_eval.csv").open(encoding="utf-8", newline="") as f:
        own = [r for r in csv.DictReader(f) if r["part"] not in READER_PARTS]
    said, true = judge([r["text"] for r in own]), [r["label"] == "1" for r in own]
    hit = sum(a and b for a, b in zip(said, true, strict=True))
    assert len(own) == 506 and hit / sum(said) >= 0.925 and hit / sum(true) >= 0.965


def test_judge_needs_both_readers_to_agree_on_the_table():
    assert judge(["稳赚不赔，跟着老师买", "喝它三天，血压血糖都下来了", "杯子是陶瓷的，三百毫升"]) == [True, True, False] and judge([]) == []
    with pytest.raises(EcomError, match="必须是字符串"):
        judge([3])


@pytest.mark.parametrize("text", ["不敢说第一，只是好吃", "谈不上顶级，够用", "别人问是不是特供，不是，普通超市货", "护手霜不祛斑，防干裂", "开光这种事我们不做", "这茶治不了失眠", "课程不保证录取",
                                  "据本店2024年6月问卷，312位买家中有241位觉得合适", "最高九挡，最低三挡"])
def test_denials_and_evidence(text):
    assert is_clean(text), check(text)


@pytest.mark.parametrize("text", ["不做第二，只做第一", "这不是第一品牌是什么", "减肥，不是梦", "不敢说别的，全网最低", "敢称第二，没人敢称第一", "老寒腿贴半个月全好了", "某部委机关食堂指定用茶",
                                  "zhi疗失眠", "奶粉和母乳一模一样"])
def test_denials_that_are_none(text):
    assert not is_clean(text)


@pytest.mark.parametrize("text", [
    "最近", "最后发货时间", "最后一步", "最终价", "最多可放六本", "最少两人", "最长边二十厘米", "最好在阴凉处保存", "最好提前预约", "第一次", "第一时间", "第一步",
    "第一章", "第一季", "周一第一天", "第一人称", "第1代", "首次", "首单", "首页", "首饰", "首发", "唯一编码", "唯一识别码", "绝对值", "100%棉", "100% 纯棉", "聚酯纤维100%",
    "百分百羊毛", "极光", "极简", "积极", "屋顶", "顶部", "头顶", "国家标准", "国标", "奥运冠军", "永久牌自行车", "招财猫", "治愈系插画", "不能代替药物", "型号NO.1024",
    "TOP10", "交通便利", "打开光驱", "尽显灵动", "色调经典", "纤长高挑", "胖瘦身型", "孤独，家里", "积极，品味", "充电到100%", "益智积木", "增高鞋垫", "转运中心",
    "整体质感提升", "模特供图", "万能遥控器", "天花板吊灯", "《减肥与代谢》", "拒绝无聊"])
def test_exceptions(text):
    assert is_clean(text), check(text)


@pytest.mark.parametrize("text", [
    "最好吃", "最好的选择", "第一品牌", "销量第一", "首选", "唯一选择", "绝对有效", "100%有效", "百分百正品", "极品", "顶级", "国家级", "冠军品质", "永久有效", "万能", "国宴",
    "特供", "稳赚不赔", "签约保过", "仅此一次", "错过不再", "马上涨价", "假一赔万", "无效退款", "零风险", "永不磨损", "招财", "转运", "辟邪", "吊打同行", "增强免疫力", "药到病除",
    "消炎", "祛斑", "瘦身", "抗癌", "排毒", "无副作用", "让妈妈给你买", "最顶级", "史无前例", "全网最低", "销量冠军", "不得不说能治愈失眠"])
def test_violations(text):
    assert not is_clean(text) and not is_clean(f"我家的{text}，快来看。")


def test_longest_match_and_order():
    text = "第一品牌，全网最低价，最佳选择，治疗仪"
    found = check(text)
    assert [v.term for v in found] == ["第一品牌", "全网最低价", "最佳选择", "治疗仪"]
    assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))


def test_spans_in_random_noise():
    rng = random.Random(7)
    terms = [r.term for r in load_terms() if r.pattern is None]
    noise = ["，", " ", "\u200b", "款式简洁", "<i>", "Ａ", "①", "㎏", "3.5", "\n", "🎁", "&nbsp;"]
    for _ in range(300):
        text = "".join(rng.choice(noise if rng.random() < .7 else terms) for _ in range(12))
        found = check(text)
        assert [v.start for v in found] == sorted(v.start for v in found)
        assert all(text[v.start:v.end] == v.term and v.severity in SEVERITIES for v in found)
        fixed = clean(text)
        assert is_clean(fixed), (text, fixed)


def test_every_literal_is_found_alone():
    missed = [r.term for r in load_terms() if r.pattern is None and not check(f"，{r.term}，")]
    assert missed == []


def test_html_stays_well_formed():
    assert clean('<p class="a">最佳口感</p>') == '<p class="a">出色口感</p>'
    assert [v.term for v in check("<a title='最佳'>好</a>")] == []
    assert clean("最<b>佳</b>").count("<b>") == 1


def test_clean_keeps_what_is_fine():
    good = "早餐麦片，谷物看得见。第一次买可以先选小袋，最好密封保存。"
    assert clean(good + "能治愈便秘。") == good
    assert clean(good) == good and clean("稳赚不赔") == ""


def test_category():
    assert {check("养颜", c)[0].severity for c in ("食品生鲜", "美妆护肤")} == {"high"}
    assert check("养颜", "图书文具")[0].severity == "low" and check("养颜", "没有这一类")[0].severity == "medium"


def test_shipped_table():
    with asset("ad_law_terms.csv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    assert tuple(rows[0]) == COLUMNS and len(rows) >= 1400 and len({r["term"] for r in rows}) == len(rows)
    for r in rows:
        assert r["rule"].startswith(("广告法第", "平台规则（")) and r["category"] and r["severity"] in SEVERITIES
        new = re.sub(r"\\\d", "", r["suggestion"][3:]) if r["suggestion"].startswith("改为：") else ""
        assert is_clean(new), f"{r['term']} 的建议本身违规：{new}"


@pytest.mark.parametrize("text, message", [
    ("term,kind\na,literal\n", "缺少列"),
    (",".join(COLUMNS) + "\n(,regex,x,x,high,删去：x,\n", "第 2 行.*无法编译"),
    (",".join(COLUMNS) + "\na,word,x,x,high,删去：x,\n", "kind"),
    (",".join(COLUMNS) + "\na,literal,x,x,bad,删去：x,\n", "severity"),
    (",".join(COLUMNS) + "\na,literal,x,x,high,随便,\n", "suggestion"),
    (",".join(COLUMNS) + "\na,literal,x,x,high,删去：x,(\n", "无法编译")])
def test_broken_table(tmp_path, text, message):
    file = tmp_path / "t.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(EcomError, match=message):
        load_terms(str(file))


def test_absent_table(tmp_path):
    with pytest.raises(EcomError, match="不存在"):
        load_terms(str(tmp_path / "no.csv"))


def test_imports_nothing_heavy():
    code = "import sys, ecom_nbdev.compliance; print(*[m for m in ('numpy', 'pandas', 'torch', 'rjieba', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_demo_products_have_no_high_violation():
    try:
        file = asset("products.csv")
    except EcomError:
        pytest.skip("data/products.csv 不存在")
    with file.open(encoding="utf-8-sig", newline="") as f:
        rows = list(csv.DictReader(f))
    found = [(r["item_id"], v.term) for r in rows for part in ("title", "description")
             for v in check(r.get(part) or "", r.get("category")) if v.severity == "high"]
    assert found == []
