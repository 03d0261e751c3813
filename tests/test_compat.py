"""TensorFlow and the article's listing 4.2: the same numbers as PyTorch, one format of files, one sentence for every misuse."""
from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("keras_hub")

from ecom_nbdev.classify import TextClassifier, TextNet
from ecom_nbdev.compat import AutoTokenizer, TFAutoModelForSequenceClassification
from ecom_nbdev.core import EcomError
from ecom_nbdev.models import load_encoder, resolve
from ecom_nbdev.tfnet import TFTextNet

TEXTS = ["物流很快，包装也好", "穿了两次就开线，客服一直不回复", "一般", "Size 偏小，color 和图片不一样……退了", "😀 nice",
         "孩子很喜欢，已经是第三次买了。" * 12]


def test_encoder_and_head_agree_with_torch():
    import torch
    encoder, tok = load_encoder(resolve("e5-small"))
    torch.manual_seed(0)
    one, two = (net(encoder, tok, 3, prefix="query: ", max_length=128) for net in (TextNet, TFTextNet))
    two.head.load_state_dict(one.head.state_dict())
    a, b = one.vectors(TEXTS), two.vectors(TEXTS)
    assert a.shape == b.shape == (len(TEXTS), 384) and np.abs(a - b).max() < 1e-5
    assert np.abs(one.logits(a) - two.logits(b)).max() < 1e-5


def test_same_losses_over_fifty_steps_and_cross_loading(tiny, tmp_path):
    y = np.array([1, 0, 0, 0, 1, 1])
    common = {"model": tiny, "dropout": 0.0, "precision": "float32", "freeze_layers": 0, "batch_tokens": 128, "max_length": 64, "epochs": 26, "patience": 26,
              "learning_rate": 1e-3}
    clfs = {b: TextClassifier(backend=b, **common).fit(TEXTS * 2, np.tile(y, 2), eval_set=(TEXTS, y)) for b in ("torch", "tensorflow")}
    losses = [np.array(c.net_.losses) for c in clfs.values()]
    assert len(losses[0]) == len(losses[1]) >= 50 and np.abs(losses[0] - losses[1])[:50].max() < 1e-3
    assert losses[0][-1] < 0.5 * losses[0][0]
    assert [h["epoch"] for h in clfs["torch"].history_] == [h["epoch"] for h in clfs["tensorflow"].history_]
    for name, other in (("torch", "tensorflow"), ("tensorflow", "torch")):
        folder = clfs[name].save(tmp_path / name)
        back = TextClassifier.load(folder, backend=other)
        assert back.backend == other and TextClassifier.load(folder).backend == name
        assert np.abs(back.predict_proba(TEXTS) - clfs[name].predict_proba(TEXTS)).max() < 1e-5
    assert {p.name for p in (tmp_path / "torch").iterdir()} == {p.name for p in (tmp_path / "tensorflow").iterdir()}


@pytest.mark.parametrize("options", [{"class_weight": "balanced"}, {"label_smoothing": 0.1}, {"freeze_layers": 1}])
def test_options_mean_the_same(tiny, options):
    y = np.array([1, 0, 0, 0, 1, 1])
    common = {"model": tiny, "dropout": 0.0, "precision": "float32", "freeze_layers": 0, "epochs": 3, "patience": 3} | options
    a, b = (TextClassifier(backend=k, **common).fit(TEXTS * 2, np.tile(y, 2), eval_set=(TEXTS, y)) for k in ("torch", "tensorflow"))
    assert np.abs(np.array(a.net_.losses) - b.net_.losses).max() < 1e-3
    assert np.abs(a.predict_proba(TEXTS) - b.predict_proba(TEXTS)).max() < 1e-3


def test_shipped_classifier_in_tensorflow():
    a, b = (TextClassifier.load("sentiment", backend=k) for k in ("torch", "tensorflow"))
    a.net_.bf16 = False
    assert np.abs(a.predict_proba(TEXTS) - b.predict_proba(TEXTS)).max() < 1e-5
    assert b.predict(["物流快，质量好，很喜欢", "穿了一次就开线，太差了，退货"]).tolist() == [1, 0]


def test_listing_4_2(tiny, tmp_path):
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import LabelEncoder
    from tensorflow.keras.losses import SparseCategoricalCrossentropy
    from tensorflow.keras.metrics import SparseCategoricalAccuracy
    from tensorflow.keras.optimizers import Adam
    model = TFAutoModelForSequenceClassification.from_pretrained(tiny, num_labels=2)
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    ids = tokenizer(["今天很好", "不想再买"], padding="max_length", truncation=True, max_length=10, return_tensors="tf").input_ids
    train, test, train_y, test_y = train_test_split(ids, LabelEncoder().fit_transform(["好", "坏"]), test_size=0.2, random_state=42)
    model.compile(optimizer=Adam(learning_rate=1e-3), loss=SparseCategoricalCrossentropy(from_logits=True), metrics=[SparseCategoricalAccuracy()])
    with pytest.warns(UserWarning, match="留不出验证部分"):
        history = model.fit(train, train_y, batch_size=8, epochs=3, validation_split=0.1, verbose=0)
    assert len(history.history["loss"]) == 3 and "val_loss" not in history.history
    loss, accuracy = model.evaluate(test, test_y, verbose=0)
    assert loss > 0 and accuracy in (0.0, 1.0)
    batch = tokenizer(TEXTS, padding=True, truncation=True, max_length=64, return_tensors="tf")
    y = np.array([1, 0, 0, 0, 1, 1])
    model.optimizer.learning_rate = 5e-3
    history = model.fit(batch, y, epochs=40, validation_data=(batch, y), verbose=0)
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0] and history.history["val_sparse_categorical_accuracy"][-1] == 1.0
    assert (model.predict(batch, verbose=0).logits.argmax(1) == y).all()


def test_saved_model_reads_in_transformers_and_back(tiny, tmp_path):
    import torch
    from transformers import BertForSequenceClassification
    tokenizer, model = AutoTokenizer.from_pretrained(tiny), TFAutoModelForSequenceClassification.from_pretrained(tiny, num_labels=3)
    batch = tokenizer(TEXTS, padding=True, truncation=True, max_length=64, return_tensors="tf")
    model.save_pretrained(tmp_path / "a")
    theirs = BertForSequenceClassification.from_pretrained(tmp_path / "a").eval()
    theirs.save_pretrained(tmp_path / "b")
    with torch.inference_mode():
        want = theirs(**{k: torch.from_numpy(v).long() for k, v in batch.items()}).logits.numpy()
    back = TFAutoModelForSequenceClassification.from_pretrained(tmp_path / "b")
    for logits in (model(batch).logits, model(**batch).logits, model(batch.input_ids).logits, back.predict(batch, verbose=0).logits):
        assert np.abs(np.asarray(logits) - want).max() < 1e-5


def test_wrong_models_are_one_sentence(tiny, tmp_path):
    with pytest.raises(EcomError, match=r"config\.json"):
        TFAutoModelForSequenceClassification.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(EcomError, match="没有 model.safetensors"):
        TFAutoModelForSequenceClassification.from_pretrained(tmp_path)
    with pytest.raises(EcomError, match="分词器"):
        AutoTokenizer.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((tiny / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(EcomError, match="读不出来"):
        TFAutoModelForSequenceClassification.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((tiny / "model.safetensors").read_bytes())
    (tmp_path / "config.json").write_text((tiny / "config.json").read_text().replace('"hidden_size": 32', '"hidden_size": 16'))
    with pytest.raises(EcomError, match="不是完整的 BERT 检查点"):
        TFAutoModelForSequenceClassification.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    with pytest.raises(EcomError, match="只支持 BERT"):
        TFAutoModelForSequenceClassification.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(EcomError, match="config.json 读不出来"):
        TFAutoModelForSequenceClassification.from_pretrained(tmp_path)


def test_wrong_inputs_are_one_sentence(tiny):
    model = TFAutoModelForSequenceClassification.from_pretrained(tiny, num_labels=2)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    for x, y, words in ((["很好"], [1], "AutoTokenizer"), ([[1, 2], [3]], [0, 1], "等长"), ([[0, 10**7]], [1], "词表"), ([[0, 2]], [2], "num_labels=2"),
                        ([[0, 2]], [0, 1], "数目必须相等"), ([[0, 2]], ["好"], "LabelEncoder"), ({"ids": [[0]]}, [0], "没有 input_ids")):
        with pytest.raises(EcomError, match=words):
            model.fit(x, y, verbose=0)
    with pytest.raises(EcomError, match="mode='full'"):
        TextClassifier(backend="tensorflow", mode="lora").fit(["好", "坏"], [1, 0])


@pytest.mark.parametrize("before", ["", "import keras;"])
def test_another_keras_backend(before):
    code = f"{before}from ecom_nbdev.tfnet import load_tf\ntry:\n    load_tf()\nexcept Exception as e:\n    print(type(e).__name__, e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", env=os.environ | {"KERAS_BACKEND": "torch"})
    assert done.stdout.startswith("EcomError Keras 的后端是 torch") and len(done.stdout.splitlines()) == 1


def test_missing_extra():
    code = ("import sys\nsys.modules['keras_hub'] = sys.modules['keras'] = sys.modules['tensorflow'] = None\n"
            "from ecom_nbdev.compat import TFAutoModelForSequenceClassification as M\ntry:\n    M.from_pretrained('e5-small')\n"
            "except Exception as e:\n    print(type(e).__name__, e)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", env=os.environ | {"KERAS_BACKEND": "tensorflow"})
    assert done.stdout.startswith("MissingExtra") and "pip install 'ecom_nbdev[tf]'" in done.stdout, done.stdout + done.stderr


def test_triton_is_loaded_before_tensorflow(tmp_path):
    "PyTorch for NVIDIA GPUs brings Triton, which ends the process when TensorFlow was there first."
    (tmp_path / "triton.py").write_text("import sys\nprint('triton first:', 'tensorflow' not in sys.modules)\n")
    code = "from ecom_nbdev.theory.attention import load_keras; print(load_keras().config.backend())"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["triton first: True", "tensorflow"], done.stderr
