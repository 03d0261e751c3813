"""Hostile input: no text breaks a table, no cell becomes a formula, no name leaves the folder, no archive fills the memory."""
from __future__ import annotations

import csv
import itertools
import json
import re
import struct
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from ecom_nbdev.compliance import check
from ecom_nbdev.core import EcomError, guard, write_table
from ecom_nbdev.data import load, read_table
from ecom_nbdev.generate import check_facts
from ecom_nbdev.models import load_llm, resolve
from ecom_nbdev.privacy import redact
from ecom_nbdev.text import normalize, segment

PIECES = {
    "control": ["\x01", "\x07", "\x0b", "\x1b[31m", "\x7f", "\x85", "\u2028", "\ufffe"],
    "invisible": ["\u200b", "\u200d", "\u202e", "\u2066", "\ufeff", "\u00ad", "\u034f", "\ue000"],
    "marks": ["e\u0301" * 40, "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘", "אבג", "ﷺ" * 9, "👨‍👩‍👧‍👦" * 5, "🏳️‍🌈", "𠮷野家", "ｱﾞ"],
    "formula": ["=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "'=1+1", "=HYPERLINK(\"http://example.org\")", "=IMPORTXML(\"http://example.org\";\"//a\")"],
    "html": ["<script>alert(1)</script>", "</textarea><img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "&lt;b&gt;", "javascript:alert(1)", "{{7*7}}", "${jndi:ldap://x}", "<!--"],
    "path": ["../../etc/passwd", "..\\..\\windows", "/dev/zero", "C:\\con", "file:///etc/hosts", "~root", "$(rm -rf .)", "`id`"],
    "quoting": ["\"", "'", "\"\"\"", "a,b;c|d", "\\", "\\N", "NULL", "NaN"],
    "length": ["好" * 20_000, "a" * 50_000, "第" * 5_000 + "一", "。" * 9_999, "1" * 9_999, "( " * 5_000, "\U0010ffff" * 3, "<" * 4_000],
}
AROUND = ("{}", "好评{}", "{}质量不错", "联系 13800138000 {} 全网第一")
INVISIBLE = re.compile(r"[\s\x00-\x1f\x7f\x85\u200b-\u200f\u2028\u202e\u2066\ufeff\u00ad\u034f]")
TEXTS = [frame.format(piece) for piece, frame in itertools.product(itertools.chain(*PIECES.values()), AROUND)]


def test_there_are_enough():
    assert len(TEXTS) == 256 and len(set(TEXTS)) == 256


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet", ".xlsx"])
def test_a_table_of_hostile_texts_survives(tmp_path: Path, suffix: str):
    texts = [t[:32_000] for t in TEXTS] if suffix == ".xlsx" else TEXTS
    table = pd.DataFrame({"user_id": [f"u{i}" for i in range(len(texts))], "text": texts, "=label": ["-5"] * len(texts)})
    back, rejects = read_table(write_table(tmp_path / f"t{suffix}", table))
    assert len(back) + len(rejects) == len(texts) and list(back.columns) == list(table.columns)
    assert (back["=label"] == "-5").all()
    before, after = dict(zip(table["user_id"], table["text"], strict=True)), dict(zip(back["user_id"], back["text"], strict=True))
    bad = set("\x01\x07\x0b\x1b\ufffe") if suffix == ".xlsx" else set()
    assert not {u: t for u, t in after.items() if t != "".join("\ufffd" if c in bad else c for c in before[u])}, "只有 XLSX 写不下的控制字符换成 U+FFFD"
    assert set(rejects["reason"]) <= {"text 为空"} and all(not INVISIBLE.sub("", before[u]) for u in set(before) - set(after))


def test_no_cell_of_an_exported_table_is_a_formula(tmp_path: Path):
    write_table(tmp_path / "t.csv", pd.DataFrame({"text": TEXTS}))
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as f:
        cells = [row[0] for row in csv.reader(f) if row]
    assert len(cells) == len(TEXTS) + 1 and not [c for c in cells if c.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert sum(c.startswith("'") for c in cells) >= 14 and guard("-3.5%") == "-3.5%"


def test_hostile_texts_pass_through_the_text_tools():
    for text, words in zip(TEXTS, segment(TEXTS), strict=True):
        assert "".join(words) == text, "分词不丢字"
        assert normalize(normalize(text)) == normalize(text), text[:40]
        found = redact(text)
        assert "13800138000" not in found.text and all(0 <= s.start < s.end <= len(text) for s in found.spans)
        terms = check(text)
        assert all(text[v.start:v.end] and v.term for v in terms)
        assert any("第一" in v.term for v in terms) == ("第一" in text), text[:40]


def test_runs_of_digits_are_read_once():
    from ecom_nbdev import compliance, generate
    endless = re.compile(r"(?:\]|\\d)[+*]")
    assert endless.search(r"[0-9]+元") and endless.search(r"\d+元") and not endless.search(r"[0-9]{1,12}元")
    assert not [r.pattern.pattern for r in compliance.load_terms() if r.pattern and endless.search(r.pattern.pattern)], "数字串从它的每一位再读到头，用时是长度的平方"
    assert not endless.search(generate._QUANTITY.pattern)
    product = {"item_id": "1", "title": "空气炸锅 4L", "category": "家电", "price": 199, "attributes": "容量：4L", "description": "不粘"}
    assert not any(g.supported for g in check_facts("2" * 20_000, product)) and check("7" * 20_000) == []


def test_rejects_of_a_hostile_file_are_safe_too(tmp_path: Path, ecom):
    rows = "".join(json.dumps({"user_id": f"u{i}", "text": t}, ensure_ascii=True) + "\n" for i, t in enumerate(["=1+1", "好\ud800评", "=2\0", "物流很快"]))
    (tmp_path / "t.jsonl").write_text(rows, encoding="utf-8")
    done = ecom("redact", tmp_path / "t.jsonl", "--out", tmp_path / "out.csv")
    assert done.code == 3 and "Traceback" not in done.err, done.err
    kept, rejected = (list(csv.reader(open(tmp_path / n, encoding="utf-8", newline=""))) for n in ("out.csv", "out.csv.rejects.csv"))
    assert [r[1] for r in kept[1:]] == ["'=1+1", "物流很快"] and [r[0] for r in rejected[1:]] == ["2", "3"]
    assert not [c for r in (*kept, *rejected) for c in r if c.startswith(("=", "+", "@", "-"))]


def test_a_small_archive_that_unpacks_to_gigabytes(tmp_path: Path):
    pd.DataFrame({"text": ["好"]}).to_excel(tmp_path / "small.xlsx", index=False)
    with zipfile.ZipFile(tmp_path / "small.xlsx") as small, zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in small.namelist():
            bomb.writestr(name, small.read(name))
        with bomb.open("xl/worksheets/sheet9.xml", "w", force_zip64=True) as f:
            for _ in range(1_100):
                f.write(bytes(1_000_000))
    assert (tmp_path / "bomb.xlsx").stat().st_size < 5_000_000
    with pytest.raises(EcomError, match="解压后有 1,1"):
        read_table(tmp_path / "bomb.xlsx")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc", "products/../../x", "..", "C:\\x", "e5-small\0", "x" * 300])
def test_names_that_lead_elsewhere(name: str, monkeypatch):
    monkeypatch.setenv("ECOM_OFFLINE", "1")
    for get in (load, resolve, load_llm):
        with pytest.raises(EcomError):
            get(name)


@pytest.mark.parametrize("head", [b"GGUF" + struct.pack("<IQQ", 3, 2**62, 2**62), b"GGUF\xff\xff\xff\xff", b"\x80\x04\x95pickle", b"", b"PK\x03\x04" + bytes(60)])
def test_weights_with_wrong_headers(tmp_path: Path, head: bytes):
    (tmp_path / "model.gguf").write_bytes(head)
    with pytest.raises(EcomError):
        load_llm(tmp_path / "model.gguf")


@pytest.mark.parametrize("content", [struct.pack("<Q", 2**60) + b"{}", struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 9) + b"{\"a\":NaN}", b"\x80\x04\x95" + bytes(80), b""])
def test_safetensors_with_wrong_headers(tmp_path: Path, content: bytes):
    from ecom_nbdev.classify import TextClassifier
    (tmp_path / "classifier.json").write_text("{}", encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(EcomError):
        TextClassifier.load(tmp_path)
