"""Tagging against other people's code, and over data that a notebook does not show."""
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from ecom_nbdev.core import EcomError
from ecom_nbdev.tagging import (CHAR_FEATURES, CHAR_MORE, WORD_FEATURES, WORD_MORE, Average, TagNet, Tagger, char_ids, entity_f1, hashed_features, legal,
                                log_partition, marginals, name_tags, path_score, piece_of_token, tag_set, tag_spans, to_bioes, viterbi, windows)

sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))
POOL = ["O", *(f"{h}-{k}" for h in "BIES" for k in "XY")]


def random_tags(r, n):
    return [r.choice(POOL) for _ in range(n)]


def test_well_formed_tags_are_a_fixed_point_and_keep_their_entities():
    r = random.Random(0)
    for _ in range(2000):
        tags = random_tags(r, r.randint(0, 9))
        clean = to_bioes(tags)
        assert to_bioes(clean) == clean and tag_spans(clean) == tag_spans(tags)


def test_entities_equal_seqeval():
    pytest.importorskip("seqeval")
    import warnings

    from seqeval.metrics import f1_score
    from seqeval.metrics.sequence_labeling import get_entities
    from seqeval.scheme import IOBES
    r = random.Random(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(500):
            tags = random_tags(r, r.randint(1, 9))
            assert sorted((k, a, b - 1) for k, a, b in tag_spans(tags)) == sorted(get_entities(tags))
            gold, pred = ([random_tags(r, 8) for _ in range(3)] for _ in range(2))
            assert entity_f1(gold, pred) == pytest.approx(f1_score(gold, pred))
            gold, pred = ([to_bioes(t) for t in rows] for rows in (gold, pred))
            assert entity_f1(gold, pred) == pytest.approx(f1_score(gold, pred, mode="strict", scheme=IOBES))


@pytest.mark.parametrize(("tags", "spans"), [          # what seqeval 1.2.2 gives
    (["B-A", "B-A", "I-A"], [("A", 0, 1), ("A", 1, 3)]), (["I-A", "I-B", "O"], [("A", 0, 1), ("B", 1, 2)]),
    (["E-A", "E-A"], [("A", 0, 1), ("A", 1, 2)]), (["B-A", "S-A", "I-A"], [("A", 0, 1), ("A", 1, 2), ("A", 2, 3)])])
def test_malformed_tags_as_seqeval_reads_them(tags, spans):
    assert tag_spans(tags) == spans


def test_crf_equals_pytorch_crf():
    torch, other = pytest.importorskip("torch"), pytest.importorskip("torchcrf")
    torch.manual_seed(0)
    crf = other.CRF(5, batch_first=True)
    e, y, mask = torch.randn(6, 7, 5), torch.randint(0, 5, (6, 7)), torch.arange(7) < torch.tensor([7, 1, 3, 5, 2, 7])[:, None]
    ours = crf.start_transitions, crf.transitions, crf.end_transitions
    assert torch.allclose(log_partition(e, *ours, mask) - path_score(e, y, *ours, mask), -crf(e, y, mask, reduction="none"), atol=1e-5)
    assert [row[:m].tolist() for row, m in zip(viterbi(e, *ours, mask), mask.sum(1), strict=True)] == crf.decode(e, mask)


def test_rules_hold_for_any_scores_and_marginals_are_probabilities():
    import torch
    tags = tag_set(["B-X", "B-Y"])
    rules = [torch.from_numpy(a) for a in legal(tags)]
    torch.manual_seed(1)
    e, mask = 5 * torch.randn(300, 11, len(tags)), torch.arange(11) < torch.randint(1, 12, (300, 1))
    for row, m in zip(viterbi(e, *rules, mask).tolist(), mask.sum(1).tolist(), strict=True):
        path = [tags[k] for k in row[:m]]
        assert to_bioes(path) == path
    p = marginals(e, *rules, mask)
    assert torch.allclose(p.sum(2), mask.float(), atol=1e-3) and p.min() > -1e-5


def test_windows_cover_everything_once():
    r = random.Random(2)
    for _ in range(300):
        tokens, size = r.choices("物流很快，。a ", k=r.randint(0, 60)), r.randint(1, 20)
        cuts = windows(tokens, size)
        assert "".join("".join(tokens[a:b]) for a, b in cuts) == "".join(tokens) and all(0 < b - a <= size for a, b in cuts)


def test_long_and_odd_texts():
    S, T = ["买北弦耳机", "北弦很好"] * 6, [["O", "B-B", "I-B", "O", "O"], ["B-B", "I-B", "O", "O"]] * 6
    tagger = Tagger(model=None, epochs=2, max_length=16, buckets=1 << 10).fit(S, T)
    odd = ["", "\n", "🎁" * 50, "北弦" * 300, "a b\tc", "\u200b", "\ud800"]
    assert [len(t) for t in tagger.predict_tags(odd)] == list(map(len, odd))
    assert all(text[e.start:e.end] == e.text for text, row in zip(odd, tagger.predict(odd), strict=True) for e in row)
    assert tagger.predict_tags([list("北弦很好")]) == tagger.predict_tags(["北弦很好"])


def test_features_and_alignment():
    assert (hashed_features(list("好用吗"), False, 99) < 99).all()
    assert np.array_equal(hashed_features(list("好用"), False, 1 << 20), hashed_features("好用", False, 1 << 20))
    assert piece_of_token([(0, 0), (0, 4), (0, 0)], [1, 1, 1, 1]).tolist() == [1] * 4
    assert name_tags(["他", "说"], ["r", "v"]) == (["他", "说"], ["O", "O"])


def test_rich_features_begin_with_the_plain_ones():
    for tokens, words, plain, more in ((list("新款羽绒服 女"), False, CHAR_FEATURES, CHAR_MORE), (["物流", "很", "快"], True, WORD_FEATURES, WORD_MORE)):
        rich = hashed_features(tokens, words, 1 << 20, True)
        assert rich.shape == (len(tokens), len(plain) + len(more))
        assert np.array_equal(rich[:, :len(plain)], hashed_features(tokens, words, 1 << 20))
    starts = len(CHAR_FEATURES) + CHAR_MORE.index((("s", 0),))
    here, there = (hashed_features(list(t), False, 1 << 20, True)[:, starts] for t in ("羽绒服好", "大羽绒服"))
    assert here[0] == there[1] and len({here[0], here[1], here[3]}) > 1, "羽绒服 begins at the first and at the second character"
    tag = len(WORD_FEATURES) + WORD_MORE.index((("d", 0),))
    a, b, c = (hashed_features([w], True, 1 << 20, True)[0, tag] for w in ("物流", "质量", "购买"))
    assert a == b != c, "n n v in jieba's dictionary"
    assert len(hashed_features([], False, 99, True)) == 0


def test_one_piece_for_each_character():
    from ecom_nbdev.classify import base_encoder
    _, tok, _ = base_encoder("e5-small")
    ids = char_ids(tok, "北弦 Ａ纩c")
    assert [tok.id_to_token(i) for i in ids] == ["<s>", "北", "弦", "\u2581", "A", "<unk>", "c", "</s>"]
    assert char_ids(tok, "") == tok.encode("").ids and len(char_ids(tok, "不错" * 50)) == 102


def test_running_mean_against_numpy():
    import torch

    class Net:
        head, encoder = torch.nn.Linear(2, 1, bias=False), torch.nn.Module()
    parts = {"head.weight": Net.head.weight}
    r, mean, by_hand = np.random.default_rng(0), Average(parts, 0.9), Net.head.weight.detach().numpy().copy()
    for step in range(1, 200):
        value = r.normal(size=(1, 2)).astype(np.float32)
        with torch.no_grad():
            Net.head.weight.copy_(torch.from_numpy(value))
        mean.update()
        decay = min(0.9, step / (9 + step))
        by_hand = decay * by_hand + (1 - decay) * value
    with mean.applied(Net):
        assert np.allclose(Net.head.weight.detach().numpy(), by_hand, atol=1e-5)
    assert np.array_equal(Net.head.weight.detach().numpy(), value), "training goes on from the weights themselves"
    plain = Average(parts, 0)
    plain.update()
    with plain.applied(Net):
        assert plain.mean is parts and np.array_equal(Net.head.weight.detach().numpy(), value)


def test_left_out_features_only_in_training_and_unbiased():
    import torch
    torch.manual_seed(0)
    net = TagNet(["O", "S-A"], False, True, buckets=64, dim=4, width=4, feature_dropout=0.3)
    data = net.prepare([list("物流很快")])
    net.head.eval()
    with torch.no_grad():
        fixed = net.bag([0], data)
        assert torch.equal(fixed, net.bag([0], data))
        net.head.train()
        drawn = torch.stack([net.bag([0], data) for _ in range(3000)])
    assert not torch.equal(drawn[0], drawn[1]) and torch.allclose(drawn.mean(0), fixed, atol=0.01)


@pytest.mark.parametrize("params", [{"features": "plain"}, {"features": "rich"}, {"alignment": "piece", "model": "e5-small"}, {"alignment": "char", "model": "e5-small"}])
def test_settings_are_kept_in_the_folder(params, tmp_path):
    S, T = ["买北弦耳机", "北弦很好"] * 6, [["O", "B-B", "I-B", "O", "O"], ["B-B", "I-B", "O", "O"]] * 6
    tagger = Tagger(**{"model": None, "epochs": 2, "buckets": 1 << 10, "freeze_layers": 11} | params).fit(S, T)
    again = Tagger.load(tagger.save(tmp_path))
    assert {k: getattr(again, k) for k in params} == params and again.predict_tags(["北弦的 耳机", "好"]) == tagger.predict_tags(["北弦的 耳机", "好"])
    assert (again.net_.rich, again.net_.by_char) == (tagger.features == "rich", tagger.alignment == "char")


def test_folders_written_before_read_as_before(tmp_path):
    import json
    tagger = Tagger(model=None, epochs=1, buckets=1 << 10, features="plain", average=0.0, feature_dropout=0.0).fit(["买北弦", "好"] * 4, [["O", "B-B", "I-B"], ["O"]] * 4)
    path = tagger.save(tmp_path) / "tagger.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    for name in ("features", "alignment", "feature_dropout", "average"):
        del info["params"][name]
    path.write_text(json.dumps(info), encoding="utf-8")
    old = Tagger.load(tmp_path)
    assert (old.features, old.alignment, old.average) == ("plain", "piece", 0) and old.predict_tags(["买北弦的"]) == tagger.predict_tags(["买北弦的"])
    with pytest.raises(EcomError, match="只能是 plain 或 rich"):
        Tagger(features="all").fit(["好", "坏"], [["O"], ["S-A"]])


@pytest.mark.parametrize("name", ["dev", "eval"])
def test_hand_marked_sentences(name):
    from train_tagger import read_marked
    path = Path(__file__).parent.parent / f"bench/tagger_{name}.txt"
    texts, tags = read_marked(path)
    assert len(texts) == len(set(texts)) >= 50 and all(len(s) == len(t) for s, t in zip(texts, tags, strict=True))
    plain = [re.sub(r"\[([^|\]]+)\|[A-Z]+\]", r"\1", line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    assert texts == plain and {s[0] for t in tags for s in tag_spans(t)} == {"BRAND", "PRODUCT", "ATTRIBUTE", "PRICE"}


def test_shipped_tagger_keeps_its_card():
    from train_tagger import per_label, read_marked
    texts, gold = read_marked(Path(__file__).parent.parent / "bench/tagger_eval.txt")
    shop = Tagger.pretrained("ecommerce")
    import json

    from ecom_nbdev.core import asset
    card = json.loads(asset("weights/ecommerce-tagger/tagger.json").read_text(encoding="utf-8"))["metrics"]
    for label, f1 in per_label(gold, shop.predict_tags(texts)).items():
        assert abs(f1 - card[f"手标句子 eval，{label} F1"]) <= 4, "bfloat16 and float32 differ a little"


def test_training_sentences_leave_the_hand_marked_ones_out():
    from train_tagger import build, read_marked
    (train, tags), (val, val_tags) = build(200, 100)
    hand = {s for name in ("dev", "eval") for s in read_marked(Path(__file__).parent.parent / f"bench/tagger_{name}.txt")[0]}
    assert not hand & set(train) and not hand & set(val)
    assert all(len(s) == len(t) for s, t in zip(train + val, tags + val_tags, strict=True))
    assert {s[0] for t in tags for s in tag_spans(t)} == {"BRAND", "PRODUCT", "ATTRIBUTE", "PRICE"}
