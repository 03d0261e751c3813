"""Hostile input: no text breaks a table, no cell becomes a formula, no name leaves the folder, no archive fills the memory."""
from __future__ import annotations

import csv
import itertools
import json
import re
import struct
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecom_nbdev.apps.behaviour import histories_of
from ecom_nbdev.apps.pipeline import newest_day
from ecom_nbdev.apps.profile import read_times
from ecom_nbdev.classify import TextClassifier
from ecom_nbdev.compliance import check
from ecom_nbdev.core import EcomError, guard, write_table
from ecom_nbdev.data import load, read_table
from ecom_nbdev.generate import check_facts
from ecom_nbdev.models import Embedder, load_llm, resolve
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


# ---- files that are something else than they say ----

def run(*args) -> tuple[int, str]:
    "(exit code, what is said) of `ecom` in this process; anything but an exit is a bug."
    from typer.testing import CliRunner

    from ecom_nbdev.cli import app
    done = CliRunner().invoke(app, [str(a) for a in args])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert "Traceback" not in done.output
    return done.exit_code, done.output.strip()


def refused(*args, words: str) -> None:
    "Exit code 2 and one sentence that holds `words`."
    code, said = run(*args)
    assert code == 2 and said.startswith("错误：") and words in said and len(said.splitlines()) == 1, (code, said[:300])


YAML = {
    "bomb": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\nout: *h\n",
    "bomb in a known key": "out: &a [x,x,x,x,x,x,x,x,x]\nusers: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nproducts: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nads: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ntrends: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nreviews: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ninteractions: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\ntoday: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\nllm: *h\n",
    "python object": "out: !!python/object/apply:os.system ['touch pwned']\n", "python name": "out: !!python/name:os.system\n", "merge of itself": "out: &a\n  <<: *a\n", "recursive": "out: &a [*a]\n", "deep": "out: " + "[" * 5_000,
    "huge number": "out: x\nk: " + "9" * 5_000 + "\n", "duplicate": "out: x\nout: [1]\n", "control": "out: \"a\\0b\"\nk: 3\n", "tab": "out:\t- x\n\ty: 1\n",
}


@pytest.mark.parametrize("kind", YAML)
def test_settings_that_are_a_trap(tmp_path: Path, kind: str, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(YAML[kind], encoding="utf-8")
    refused("run", "--config", tmp_path / "c.yaml", words="")
    assert [p.name for p in tmp_path.iterdir()] == ["c.yaml"], "nothing was written or run"


def gguf(*tensors: bytes, metadata: bytes = b"", n: int | None = None, keys: int = 0) -> bytes:
    "A GGUF file (version 3) with the given records."
    return b"GGUF" + struct.pack("<IQQ", 3, len(tensors) if n is None else n, keys) + metadata + b"".join(tensors)


def named(name: bytes, kind: int, body: bytes, size: int | None = None) -> bytes:
    "A record that starts with the length of its name."
    return struct.pack("<Q", len(name) if size is None else size) + name + struct.pack("<I", kind) + body


GGUF = {
    "name of 2^63 bytes": gguf(keys=1, metadata=named(b"a", 8, b"", 2**63)), "text of 2^63 bytes": gguf(keys=1, metadata=named(b"a", 8, struct.pack("<Q", 2**63))), "list of 2^62": gguf(keys=1, metadata=named(b"a", 9, struct.pack("<IQ", 8, 2**62))),
    "lists in lists": gguf(keys=1, metadata=named(b"a", 9, struct.pack("<IQ", 9, 1) * 50_000)), "unknown kind": gguf(keys=1, metadata=named(b"a", 99, b"")), "2^64-1 keys": gguf(keys=2**64 - 1), "cut off": gguf(keys=3, metadata=named(b"a", 8, struct.pack("<Q", 3) + b"ab")),
    "version 99": b"GGUF" + struct.pack("<IQQ", 99, 0, 0), "a pickle": b"\x80\x04\x95pickle", "empty": b"",
}


@pytest.mark.parametrize("kind", GGUF)
def test_gguf_files_with_wrong_lengths(tmp_path: Path, kind: str):
    from ecom_nbdev.tools.tokenizers import gguf_metadata, gguf_tokenizer
    (tmp_path / "m.gguf").write_bytes(GGUF[kind])
    for read in (gguf_metadata, gguf_tokenizer):
        with pytest.raises(EcomError):
            read(tmp_path / "m.gguf")


def tensors(header: str | bytes, body: bytes = bytes(16)) -> bytes:
    "A safetensors file with the given header."
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header)) + header + body


SAFETENSORS = {
    "beyond the file": tensors('{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,1600000]}}'), "2^63 numbers": tensors('{"a":{"dtype":"F32","shape":[9223372036854775807,9],"data_offsets":[0,16]}}'), "overlap": tensors('{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'),
    "backwards": tensors('{"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}'), "negative": tensors('{"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}'), "no such type": tensors('{"a":{"dtype":"PICKLE","shape":[4],"data_offsets":[0,16]}}'), "deep header": tensors('{"a":' + "[" * 100_000), "no utf-8": tensors(b'{"\xff":1}'),
    "header longer than the file": struct.pack("<Q", 2**40) + b"{}", "duplicate": tensors('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', bytes(8)), "wrong shape": tensors('{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}}'), "a pickle": b"\x80\x04\x95" + bytes(80),
}


@pytest.mark.parametrize("kind", SAFETENSORS)
def test_safetensors_with_wrong_lengths(tmp_path: Path, kind: str):
    from ecom_nbdev.classify import TextClassifier
    from ecom_nbdev.multimodal import load_dual
    from ecom_nbdev.tagging import Tagger
    info = {"params": {"mode": "head", "model": "e5-small"}, "classes": [0, 1], "history": [], "n_train": 2, "tags": ["O"], "scheme": False, "words": False, "config": {}, "info": {}}
    for name, weights, opens in (("classifier.json", "model.safetensors", TextClassifier.load), ("tagger.json", "head.safetensors", Tagger.load), ("dual.json", "dual.safetensors", load_dual)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text(json.dumps(info), encoding="utf-8")
        (folder / weights).write_bytes(SAFETENSORS[kind])
        (folder / "head.safetensors").write_bytes(SAFETENSORS[kind])
        with pytest.raises(EcomError):
            opens(folder)


def _parquet(folder: Path, **columns) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq
    pq.write_table(pa.table(columns), folder / "t.parquet")
    return folder / "t.parquet"


TABLES = {
    "parquet cut off": ("t.parquet", lambda f: (_parquet(f, text=["好"] * 999).write_bytes(_parquet(f, text=["好"] * 999).read_bytes()[:-40]), None)[1]), "parquet head only": ("t.parquet", lambda f: (f / "t.parquet").write_bytes(b"PAR1" + b"\xff" * 60 + b"PAR1")),
    "parquet with another schema": ("t.parquet", lambda f: _parquet(f, 评论=["好"])), "parquet of structs": ("t.parquet", lambda f: _parquet(f, a=[{"b": [1]}])),
    "csv of one huge field": ("t.csv", lambda f: (f / "t.csv").write_text('text\n"' + "好" * 3_000_000, encoding="utf-8")), "csv of 1e5 columns": ("t.csv", lambda f: (f / "t.csv").write_text(",".join(f"c{i}" for i in range(100_000)) + "\n" + "1," * 99_999 + "1\n")), "csv of NUL": ("t.csv", lambda f: (f / "t.csv").write_bytes(b"text\n\0\0\0\n\0,\0\n")),
    "jsonl of depth 1e5": ("t.jsonl", lambda f: (f / "t.jsonl").write_text('{"text": ' + "[" * 100_000 + "]" * 100_000 + "}\n")), "jsonl of 1e5 keys": ("t.jsonl", lambda f: (f / "t.jsonl").write_text(json.dumps({f"k{i}": i for i in range(100_000)}) + "\n")), "jsonl of NaN": ("t.jsonl", lambda f: (f / "t.jsonl").write_text('{"text": NaN}\n{"text": Infinity, "x": ' + "9" * 5000 + "}\n")),
    "xlsx of no zip": ("t.xlsx", lambda f: (f / "t.xlsx").write_bytes(b"PK\x03\x04" + bytes(200))),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_that_hold_no_usable_row(tmp_path: Path, kind: str):
    name, write = TABLES[kind]
    write(tmp_path)
    code, said = run("redact", tmp_path / name, "--out", tmp_path / "out.csv")
    assert code in (2, 3) and "Traceback" not in said and (code == 3 or said.startswith("错误：") and len(said.splitlines()) == 1), (code, said[:300])
    assert code == 3 or not (tmp_path / "out.csv").exists()


ENTITIES = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)) + '<!ENTITY file SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("what", ["&i;", "&file;", "external link"])
def test_workbooks_that_reach_out(tmp_path: Path, what: str):
    """Entities that multiply or name a file, and links to other workbooks: refused, or read as no more than the cells hold."""
    pd.DataFrame({"text": ["好", "差"]}).to_excel(tmp_path / "small.xlsx", index=False)
    with zipfile.ZipFile(tmp_path / "small.xlsx") as small, zipfile.ZipFile(tmp_path / "t.xlsx", "w", zipfile.ZIP_DEFLATED) as out:
        for name in small.namelist():
            data = small.read(name).decode()
            if name == "xl/worksheets/sheet1.xml" and what != "external link":
                data = ENTITIES + re.sub(r"^<\?xml.*?\?>", "", data).replace("<sheetData>", f"<sheetData><row r=\"9\"><c r=\"A9\" t=\"inlineStr\"><is><t>{what}</t></is></c></row>", 1)
            out.writestr(name, data)
        if what == "external link":
            out.writestr("xl/externalLinks/externalLink1.xml", '<?xml version="1.0"?><externalLink xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><externalBook r:id="rId1" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"/></externalLink>')
    try:
        table, rejects = read_table(tmp_path / "t.xlsx")
        told = table.to_csv() + rejects.to_csv()
    except EcomError as e:
        told = str(e)
    assert "root:" not in told and len(told) < 10_000


def test_a_link_in_the_output_folder_is_replaced_and_not_followed(tmp_path: Path):
    """Somebody put a link where a file is to be written: what it points to stays as it is."""
    (tmp_path / "outside.csv").write_text("mine\n")
    (tmp_path / "t.csv").write_text("text\n物流很快\n好\0\n", encoding="utf-8")
    (tmp_path / "out").mkdir()
    for name in ("o.csv", "o.csv.rejects.csv"):
        (tmp_path / "out" / name).symlink_to(tmp_path / "outside.csv")
    code, said = run("redact", tmp_path / "t.csv", "--out", tmp_path / "out" / "o.csv")
    assert code == 3 and (tmp_path / "outside.csv").read_text() == "mine\n", said
    assert not (tmp_path / "out" / "o.csv").is_symlink() and "物流很快" in (tmp_path / "out" / "o.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("record", ["{}", "[]", "[" * 100_000, "null", '{"params": 3}', '{"graphs": {"../../../etc/passwd": {"size": 1, "sha256": ""}}}', "{\"params\": {\"mode\": \"x\"}}"])
def test_records_of_saved_models_that_are_wrong(tmp_path: Path, record: str):
    from ecom_nbdev.apps.pipeline import Report
    from ecom_nbdev.apps.profile import AspectReader
    from ecom_nbdev.classify import TextClassifier
    from ecom_nbdev.inference import OnnxClassifier
    from ecom_nbdev.tagging import Tagger
    from ecom_nbdev.text import Vocab
    for name in ("classifier.json", "onnx.json", "tagger.json", "aspects.json", "metrics.json", "profiles.json", "campaign.json", "v.json"):
        (tmp_path / name).write_text(record)
    for opens in (TextClassifier.load, OnnxClassifier, Tagger.load, AspectReader.load, Report.load, lambda f: Vocab.load(f / "v.json")):
        with pytest.raises(EcomError):
            opens(tmp_path)


def test_half_a_character_in_every_cell_of_a_column():
    "pandas cannot make a column of strings out of them (UTF-8 has no such character); the functions that read times and ids do not ask it to."
    lone = pd.Series(["\ud800"], dtype=object)
    assert read_times(lone).isna().all() and read_times(pd.Series(["\ud800", "2026年1月2日"], dtype=object)).iloc[1] == pd.Timestamp("2026-01-02", tz="UTC")
    assert newest_day(pd.DataFrame({"time": lone})) == date.today().isoformat()
    assert histories_of(pd.DataFrame({"user_id": lone, "item_id": lone, "time": lone})) == {"\ud800": ["\ud800"]}


def test_half_a_character_is_read_by_the_encoder_and_the_classifier():
    lone, shown = ["好\ud800评", "\ud800"], ["好\ufffd评", "\ufffd"]
    assert np.allclose(Embedder().encode(lone), Embedder().encode(shown), atol=1e-6)
    sentiment = TextClassifier.load("sentiment")
    assert np.allclose(sentiment.predict_proba(lone), sentiment.predict_proba(shown), atol=1e-6)
