"""Pictures and texts: hostile pictures and texts, interrupted training, a tiny Chinese-CLIP folder, the shipped tower on pictures that are drawn (the notebook holds the rest)."""
from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ecom_nbdev import multimodal as mm
from ecom_nbdev.core import EcomError, asset


def drawn(kind: str = "Tshirts", colour: str = "Red", seed: int = 0) -> Image.Image:
    return mm.draw_product(kind, colour, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def tower():
    return mm.DualEncoder.pretrained("fashion")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16"])
def test_every_mode_of_pillow_is_read(mode):
    image = Image.new(mode, (12, 8))
    assert mm.open_picture(image).mode == "RGB" and mm.framed(image, 16).shape == (16, 16, 3)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp", "tiff"])
def test_formats(tmp_path, suffix):
    drawn().save(tmp_path / f"a.{suffix}")
    a, b = mm.framed(tmp_path / f"a.{suffix}"), mm.framed(drawn())
    assert np.abs(a[30:50, 35:45].astype(int) - b[30:50, 35:45]).max() < 30
    assert np.array_equal(mm.framed(str(tmp_path / f"a.{suffix}")), a)


@pytest.mark.parametrize(("name", "data", "match"), [("empty.jpg", b"", "不是能读的图片"), ("text.png", "你好".encode(), "不是能读的图片"), ("head.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "图片"),
                                                     ("zip.jpg", b"PK\x03\x04" + b"\0" * 50, "不是能读的图片"), ("page.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "不是能读的图片")])
def test_files_that_are_no_pictures(tmp_path, name, data, match):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(EcomError, match=match) as e:
        mm.open_picture(tmp_path / name)
    assert name in str(e.value) and "\n" not in str(e.value)


def test_half_a_picture_at_every_length(tmp_path):
    for suffix in ("jpg", "png", "gif", "webp"):
        drawn().save(tmp_path / f"whole.{suffix}")
        data = (tmp_path / f"whole.{suffix}").read_bytes()
        for share in (0.02, 0.1, 0.3, 0.6, 0.9):
            (tmp_path / f"part.{suffix}").write_bytes(data[:int(len(data) * share)])
            with pytest.raises(EcomError, match=r"part\."):
                mm.open_picture(tmp_path / f"part.{suffix}")


def test_missing_folders_and_huge(tmp_path):
    with pytest.raises(EcomError, match="找不到"):
        mm.open_picture(tmp_path / "none.jpg")
    with pytest.raises(EcomError, match="出错|不是"):
        mm.open_picture(tmp_path)
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    with pytest.raises(EcomError, match="64,000,000 像素"):
        mm.open_picture(tmp_path / "huge.png")
    for bad, name in ((None, "NoneType"), (b"x", "bytes"), (np.zeros((4, 4, 3), np.uint8), "ndarray")):
        with pytest.raises(EcomError, match=name):
            mm.open_picture(bad)
    with pytest.raises(EcomError, match="是 0"):
        mm.open_picture(Image.new("RGB", (0, 5)))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3000, 2), (448, 449), (224, 224)])
def test_any_shape_fits_the_square(size):
    out = mm.framed(Image.new("RGB", size, "navy"), 48)
    ink = (out < 245).any(2)
    assert out.shape == (48, 48, 3) and ink.any() and not ink[0].any() and not ink[:, 0].any()


def test_the_split_does_not_leak():
    rng = np.random.default_rng(0)
    ids, groups = rng.permutation(5000), rng.integers(0, 4000, 5000)
    parts = mm.hold_back(ids, groups)
    assert (parts == "test").sum() == 1000 and (parts == "valid").sum() == 500
    for p in ("test", "valid"):
        assert len(set(groups[parts == p])) == (parts == p).sum()
    assert not set(groups[parts == "train"]) & set(groups[parts != "train"])
    order = rng.permutation(5000)
    assert dict(zip(ids[order], mm.hold_back(ids[order], groups[order]), strict=True)).keys() == dict(zip(ids, parts, strict=True)).keys()
    assert (mm.hold_back(ids, groups, seed=1) != parts).any()


def test_shipped_split_is_whole():
    held = json.loads(asset("weights/fashion/split.json").read_text())
    assert len(held["test"]) == 1000 and len(held["valid"]) == 500
    assert len({i for ids in held.values() for i in ids}) == sum(map(len, held.values()))


def test_words_say_what_they_say():
    rng = np.random.default_rng(0)
    for _ in range(300):
        q = mm.wording("Women", "Blue", "Jeans", rng)
        for attribute, value in (("gender", "Women"), ("baseColour", "Blue"), ("articleType", "Jeans")):
            assert any(w in q.text for w in mm.term(attribute, value).words), q
        assert "的的" not in q.text and not q.text.startswith(("的", "，"))
    assert mm.wording("", "Red", "", rng, held=True).text.count("鲜红") == 1


def test_tidy_keeps_what_means_something():
    assert mm.tidy("女士 蓝色 牛仔裤") == mm.tidy("女士蓝色牛仔裤") == mm.tidy("女士　蓝色、牛仔裤。")
    assert mm.tidy("Polo Shirt") == "polo shirt" and mm.tidy("A&F T-Shirt") == "a&f t-shirt" and mm.tidy("!!") == ""


def small_training(folder=None, epochs: int = 3, stop: int | None = None):
    "A training on 40 drawings with made-up sentence vectors; `stop` raises after that epoch."
    import torch
    pictures, table = mm.draw_products(1)
    queries, own = mm.query_pool(table, each=2)
    labels = {"articleType": sorted(table["articleType"].unique())}
    vectors = np.random.default_rng(0).normal(size=(len(queries), 8)).astype(np.float32)
    torch.manual_seed(0)
    net = mm.dual_net({"width": 8, "stages": 2, "dim": 4, "text_width": 8, "text_hidden": 8, "labels": labels})
    def after(epoch, _net):
        if epoch == stop:
            raise KeyboardInterrupt
    net, losses = mm.train_dual(net, np.stack([mm.framed(p, 16) for p in pictures]), table, queries, own, vectors, labels=labels, epochs=epochs, sizes=(16,), batch=8, checkpoint=folder, after=after)
    return {k: v.numpy() for k, v in net.state_dict().items()}, losses


def test_an_interrupted_training_ends_in_the_same_weights(tmp_path):
    whole, losses = small_training()
    with pytest.raises(KeyboardInterrupt):
        small_training(tmp_path, stop=2)
    resumed, again = small_training(tmp_path)
    assert losses == again and all(np.array_equal(whole[k], resumed[k]) for k in whole)
    assert small_training(tmp_path)[1] == losses, "已经训练完的不再训练"
    with pytest.raises(EcomError, match="另一次训练"):
        small_training(tmp_path, epochs=4)


def test_average_of_weights_follows():
    import torch
    mean, now = [torch.zeros(2)], [torch.ones(2)]
    mm._follow(0.9)(mean, now, torch.tensor(0))
    assert torch.allclose(mean[0], torch.full((2,), 0.9))
    mm._follow(0.9)(mean, [torch.zeros(2)], torch.tensor(1000))
    assert torch.allclose(mean[0], torch.full((2,), 0.81))
    whole = [torch.tensor(1)]
    mm._follow(0.9)(whole, [torch.tensor(7)], torch.tensor(3))
    assert whole[0] == 7


def test_gradient_of_the_loss_pulls_pairs_together():
    import torch
    torch.manual_seed(0)
    a, b = torch.randn(4, 3, requires_grad=True), torch.randn(5, 3)
    match = torch.zeros(4, 5, dtype=torch.bool)
    match[[0, 1, 2, 3, 3], [0, 1, 2, 3, 4]] = True
    before = (unit := torch.nn.functional.normalize)(a, dim=1) @ unit(b, dim=1).T
    mm.clip_loss(unit(a, dim=1), unit(b, dim=1), 5.0, match).backward()
    after = unit(a.detach() - 0.5 * a.grad, dim=1) @ unit(b, dim=1).T
    assert (after - before)[match].mean() > 0 > (after - before)[~match].mean()


@pytest.mark.parametrize(("texts", "match"), [([], "空的"), (["好", ""], "第 2 条"), (["\t\n"], "第 1 条"), ([None], "NoneType"), ([3], "int"), ("黑色", "一列")])
def test_what_is_no_text(tower, texts, match):
    with pytest.raises(EcomError, match=match):
        tower.encode_texts(texts)


def test_awkward_texts_have_vectors(tower):
    v = tower.encode_texts(["!!", "😀", "黑" * 5000, "\ud800坏", "black men t-shirt", "a\0b"])
    assert v.shape == (6, tower.config["dim"]) and v.dtype == np.float32 and np.allclose(np.linalg.norm(v, axis=1), 1, atol=1e-5)


def test_pictures_of_the_tower(tower, tmp_path):
    drawn().save(tmp_path / "a.png")
    v = tower.encode_images([tmp_path / "a.png", str(tmp_path / "a.png"), drawn(), drawn("Handbags", "Black"), drawn("Handbags", "Black").transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
    assert v.shape == (5, tower.config["dim"]) and v.dtype == np.float32 and np.allclose(np.linalg.norm(v, axis=1), 1, atol=1e-5)
    assert np.allclose(v[0], v[1]) and np.allclose(v[0], v[2], atol=1e-5) and v[3] @ v[4] > 0.99 > v[0] @ v[3], "镜像是同一件"
    many = [drawn(seed=s) for s in range(5)]
    assert np.allclose(tower.encode_images(many, batch=2), tower.encode_images(many), atol=1e-5), "分批不改变结果"
    with pytest.raises(EcomError, match="一列图片"):
        tower.encode_images(drawn())
    with pytest.raises(EcomError, match="一列图片"):
        tower.encode_images(str(tmp_path / "a.png"))
    with pytest.raises(EcomError, match=r"none\.png"):
        tower.encode_images([tmp_path / "a.png", tmp_path / "none.png"])
    assert list(tower.predict([]).columns) == ["gender", "gender_p", "baseColour", "baseColour_p", "articleType", "articleType_p"]


def test_wordings_of_one_meaning_are_near(tower):
    same = tower.encode_texts(["男士 黑色 T恤", "男士黑色T恤", "男款黑色的T恤", "黑色男式t恤"])
    other = tower.encode_texts(["女士蓝色牛仔裤", "女式 蓝色 牛仔裤", "红色手提包"])
    assert np.allclose(same[0], same[1]) and (same @ same.T).min() > 0.7 > (same @ other.T).max() and other[0] @ other[1] > 0.7


def test_folders_that_are_no_towers(tower, tmp_path):
    tower.save(tmp_path / "t", "说明")
    assert np.allclose(mm.DualEncoder.pretrained(tmp_path / "t").encode_images([drawn()]), tower.encode_images([drawn()]), atol=1e-3)
    assert "说明" in (tmp_path / "t" / "README.md").read_text(encoding="utf-8")
    (tmp_path / "t" / "dual.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(EcomError, match="不是完整的图文编码器"):
        mm.DualEncoder.pretrained(tmp_path / "t")
    (tmp_path / "t" / "dual.safetensors").unlink()
    with pytest.raises(EcomError, match="不是完整的图文编码器"):
        mm.DualEncoder.pretrained(tmp_path / "t")
    with pytest.raises(EcomError, match=r"config\.json"):
        mm.DualEncoder.pretrained(tmp_path)


def test_the_shipped_file_is_small_and_safe():
    folder = asset("weights/fashion/dual.json").parent
    assert (folder / "dual.safetensors").stat().st_size < 8_000_000 and (folder / "README.md").exists()
    assert {p.suffix for p in folder.iterdir()} == {".json", ".safetensors", ".md"}


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory):
    "A Chinese-CLIP folder with random weights."
    import torch
    from transformers import BertTokenizerFast, ChineseCLIPConfig, ChineseCLIPImageProcessorPil, ChineseCLIPModel
    folder = tmp_path_factory.mktemp("clip")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"黑白红色男女士裤恤鞋包"]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    text = {"vocab_size": len(words), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    vision = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 32, "patch_size": 16}
    torch.manual_seed(0)
    ChineseCLIPModel(ChineseCLIPConfig(text_config=text, vision_config=vision, projection_dim=12)).save_pretrained(folder)
    ChineseCLIPImageProcessorPil(size={"height": 32, "width": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_a_chinese_clip_has_the_same_methods(tiny_clip):
    import torch
    from transformers import AutoTokenizer, ChineseCLIPImageProcessorPil, ChineseCLIPModel
    clip = mm.DualEncoder.pretrained(tiny_clip)
    u, v = clip.encode_images([drawn(), drawn("Handbags", "Black"), drawn()], batch=2), clip.encode_texts(["黑色裤", "红色鞋包"], batch=1)
    assert u.shape == (3, 12) and v.shape == (2, 12) and u.dtype == v.dtype == np.float32
    assert np.allclose(np.linalg.norm(u, axis=1), 1, atol=1e-5) and np.allclose(np.linalg.norm(v, axis=1), 1, atol=1e-5) and clip.encode_images([]).shape == (0, 12)
    model, tok = ChineseCLIPModel.from_pretrained(tiny_clip).eval(), AutoTokenizer.from_pretrained(tiny_clip)
    with torch.inference_mode():
        pixels = ChineseCLIPImageProcessorPil.from_pretrained(tiny_clip)(images=[drawn()], return_tensors="pt")["pixel_values"]
        theirs = model(**tok(["黑色裤"], return_tensors="pt"), pixel_values=pixels)
    assert np.allclose(u[0], theirs.image_embeds[0].numpy(), atol=1e-5) and np.allclose(v[0], theirs.text_embeds[0].numpy(), atol=1e-5)
    best, p = mm.zero_shot(clip, [drawn()], ["黑色", "红色"])
    assert best[0] in ("黑色", "红色") and np.isclose(p.sum(), 1)
    for job, match in ((lambda: clip.encode_texts([]), "空的"), (lambda: clip.predict([drawn()]), "没有属性分类器"), (lambda: clip.save("x"), "复制")):
        with pytest.raises(EcomError, match=match):
            job()


def test_pickle_weights_are_never_read(tiny_clip, tmp_path):
    import shutil

    import torch
    shutil.copytree(tiny_clip, tmp_path / "clip")
    (tmp_path / "clip" / "model.safetensors").unlink()
    torch.save({}, tmp_path / "clip" / "pytorch_model.bin")
    with pytest.raises(EcomError, match="safetensors"):
        mm.DualEncoder.pretrained(tmp_path / "clip")


def test_zero_shot_and_fusion(tower):
    best, p = mm.zero_shot(tower, [drawn("Handbags", "Black")], {"包": ["手提包", "包包"], "鞋": ["鞋子", "运动鞋"]})
    assert best == ["包"] and p.shape == (1, 2) and p[0, 0] > 0.5
    a = np.random.default_rng(0).normal(size=(3, 7))
    assert np.allclose(mm.fuse([a, -a], [0.5, 0.5]), 0) and (mm.fuse([a], [1]).argmax(1) == a.argmax(1)).all()
    for scores, weights in (([], []), ([a], [1, 2]), ([a, a[:2]], [1, 1])):
        with pytest.raises(EcomError, match="形状"):
            mm.fuse(scores, weights)


def test_histogram_tells_colours():
    h = mm.colour_histogram(np.stack([mm.framed(drawn("Tshirts", c, s)) for c, s in (("Red", 0), ("Red", 1), ("Blue", 2))]))
    assert h[0] @ h[1] > h[0] @ h[2] and np.allclose(np.linalg.norm(h, axis=1), 1, atol=1e-5)


def test_labels_not_seen_are_left_out():
    table = pd.DataFrame({"gender": ["Men", "Robot"], "articleType": ["Ties", "Ties"]})
    assert mm.label_codes(table, {"gender": ["Men"], "articleType": ["Belts", "Ties"]}).tolist() == [[0, 1], [-100, 1]]


def test_import_is_light():
    code = "import sys, ecom_nbdev.multimodal; print([m for m in ('torch', 'transformers', 'pandas', 'PIL', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
