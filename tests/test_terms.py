"""The terminology table (data/terms_zh.csv) is consistent, and the prose of every notebook keeps to it."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecom_nbdev.terms import check_terms, load_terms_zh

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(p for p in (ROOT / "nbs").rglob("*.ipynb")
                   if p.name != "terms.ipynb" and not any(part.startswith((".", "_")) for part in p.relative_to(ROOT).parts))


def markdown_cells(path: Path) -> list[tuple[int, str]]:
    "(number of the cell from 1, text) of the Markdown cells of a notebook."
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [(n, "".join(c["source"])) for n, c in enumerate(cells, 1) if c["cell_type"] == "markdown"]


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 10


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[str(p.relative_to(ROOT / "nbs")) for p in NOTEBOOKS])
def test_notebook_keeps_to_the_terms(path):
    "No avoided variant and no gloss that belongs to another term; the message names cell, line, what was found and what to write."
    bad = [f"第 {n} 格第 {i.line} 行 {i.found!r}：{i.why}" for n, text in markdown_cells(path) for i in check_terms(text)]
    assert not bad, f"{path.name}：" + "；".join(bad)


def test_table_is_large_and_unambiguous():
    terms = load_terms_zh()
    assert len(terms) >= 120
    variants = [v for t in terms for v in t.avoid]
    assert len(variants) == len(set(variants)), "一个不用的说法只能属于一个术语"
    assert all(len(v) >= 2 for v in variants), "一个字的说法会误伤正常的文字"
    english: dict[str, set[str]] = {}
    for t in terms:
        for name in t.en:
            english.setdefault(name, set()).add(t.zh)
    assert not {e: zh for e, zh in english.items() if len(zh) > 1}, "一个英文名只能对应一个中文"


@pytest.mark.parametrize("text", [
    "用户每个月的流水有多少，下一步怎样操作，一般来说先看评论。", "把文件移到缓存文件夹，按顺序排列，再取前十件。",
    "提前准备，逐个比较，同一条评论里可能又夸又骂。", "注意力机制、前馈神经网络、损失函数都是常用的说法。", "价格、规格、材质写在商品资料里，不编造数字。"])
def test_plain_language_is_not_flagged(text):
    assert check_terms(text) == []


@pytest.mark.parametrize(("text", "term"), [("每个令牌一个向量", "词片"), ("遮罩未来的位置", "掩码"), ("大型语言模型", "大语言模型"), ("掩码语言模型（CLM）", "因果语言模型"), ("标记（token）", "词片")])
def test_departures_are_found(text, term):
    assert [i.term for i in check_terms(text)] == [term]

