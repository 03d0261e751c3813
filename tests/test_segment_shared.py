"""`segment` on every text of the shared data sets (needs ECOM_DATA)."""
from __future__ import annotations

import os

import pytest

from ecom_nbdev.data import load, locate
from ecom_nbdev.segmentation import jieba_module, segment

pytestmark = pytest.mark.skipif(not os.environ.get("ECOM_DATA"), reason="ECOM_DATA is not set")
jieba, posseg = jieba_module(), jieba_module("jieba.posseg")


@pytest.mark.parametrize("name", ["online_shopping_10_cats", "advertisegen_dev"])
def test_every_text_is_cut_as_jieba_cuts_it(name):
    from ecom_nbdev.core import EcomError
    try:
        locate(name)
    except EcomError as e:
        pytest.skip(str(e))
    df = load(name)
    texts = [t for c in ("text", "content") if c in df for t in df[c]]
    for options, theirs in (({}, jieba.lcut), ({"mode": "cut_for_search"}, jieba.lcut_for_search), ({"mode": "cut_all"}, lambda t: jieba.lcut(t, cut_all=True))):
        assert [t for t, words in zip(texts, segment(texts, **options), strict=True) if words != theirs(t)] == []
    some = texts[::20]
    assert [t for t, words in zip(some, segment(some, pos=True), strict=True) if words != [tuple(p) for p in posseg.lcut(t)]] == []
