"""Exported classifiers through the real command, in processes of their own, with whole and broken files."""
from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from ecom_nbdev.classify import TextClassifier
from ecom_nbdev.core import EcomError

pytest.importorskip("onnxruntime")
TEXTS = ["物流快，质量好，很喜欢", "穿了一次就开线，太差了", "好用，推荐购买", "客服不理人，差评", "包装完好，满意", "和图片不一样，失望"]
LABELS = ["好评", "差评"] * 3


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    "A head on frozen e5-small, exported in int8 with a trimmed vocabulary."
    clf = TextClassifier(mode="head").fit(TEXTS, LABELS)
    return clf, clf.export_onnx(tmp_path_factory.mktemp("onnx") / "model", corpus=TEXTS)


@pytest.fixture
def table(tmp_path):
    "The texts as a CSV file."
    path = tmp_path / "texts.csv"
    pd.DataFrame({"text": TEXTS}).to_csv(path, index=False)
    return path


def fails(done, *words: str) -> None:
    "Exit code 2 and one sentence that holds all `words`."
    assert done.code == 2 and done.out == "" and "Traceback" not in done.err
    assert done.last.startswith("错误：") and all(w in done.last for w in words), done.err


def test_command_predicts_by_the_export(ecom, exported, table, tmp_path):
    clf, folder = exported
    done = ecom("predict", table, "--model", folder, "--out", tmp_path / "p.csv")
    got = pd.read_csv(tmp_path / "p.csv")
    assert done.code == 0 and got["prediction"].tolist() == LABELS
    assert got["probability"].tolist() == pytest.approx(clf.predict_proba(TEXTS).max(1), abs=1e-3)


def test_no_torch_and_no_onnx_needed_to_predict(exported):
    "Only onnxruntime, tokenizers and NumPy are loaded where an exported folder predicts."
    code = (f"import sys\nfrom ecom_nbdev.inference import OnnxClassifier\nc = OnnxClassifier({str(exported[1])!r})\n"
            "assert c.predict(['质量好']).tolist() in (['好评'], ['差评'])\nassert not {'torch', 'onnx', 'transformers'} & set(sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""


@pytest.mark.parametrize(("absent", "job"), [("onnxruntime", "OnnxClassifier(folder)"), ("onnx", "Graph('int8')")])
def test_missing_extra(exported, absent, job):
    code = (f"import sys\nsys.modules[{absent!r}] = None\nfrom ecom_nbdev.core import MissingExtra\nfrom ecom_nbdev.inference import Graph, OnnxClassifier\n"
            f"folder = {str(exported[1])!r}\ntry:\n    {job}\nexcept MissingExtra as e:\n    print(e)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8")
    assert "pip install 'ecom_nbdev[onnx]'" in done.stdout and absent in done.stdout, done.stderr


def test_truncated_and_missing_files(ecom, exported, table, tmp_path):
    _, folder = exported
    copy = tmp_path / "copy"
    copy.mkdir()
    for f in folder.iterdir():
        (copy / f.name).write_bytes(f.read_bytes())
    whole = (copy / "model.onnx").read_bytes()
    (copy / "model.onnx").write_bytes(whole[:len(whole) // 2])
    fails(ecom("predict", table, "--model", copy), "model.onnx", "不完整")
    (copy / "model.onnx").unlink()
    fails(ecom("predict", table, "--model", copy), "缺少 model.onnx")
    (copy / "onnx.json").unlink()
    fails(ecom("predict", table, "--model", copy), "classifier.json")


def test_one_and_two_threads_agree(exported, monkeypatch):
    session = exported[0].onnx_
    monkeypatch.setenv("ECOM_THREADS", "1")
    one = session.logits(TEXTS * 3)
    monkeypatch.setenv("ECOM_THREADS", "2")
    assert (session.logits(TEXTS * 3) == one).all() and session.predict_proba([]).shape == (0, 2)


def test_early_exit(exported, tmp_path):
    "The graphs of a classifier cut in three are checked like the first one, and give its labels."
    clf = TextClassifier(mode="head").fit(TEXTS, LABELS)
    want = clf.predict(TEXTS).tolist()
    folder = clf.export_onnx(tmp_path / "early", corpus=TEXTS, early_exit=[4, 8])
    assert len(clf.onnx_.sessions) == 3 and clf.predict(TEXTS).tolist() == want and TextClassifier.load(folder).predict(TEXTS).tolist() == want
    (folder / "model3.onnx").write_bytes(b"")
    with pytest.raises(EcomError, match="model3.onnx 不完整"):
        TextClassifier.load(folder)
