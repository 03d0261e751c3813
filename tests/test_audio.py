"""Sound: threads, processes, broken WAV files, a small spotter (the notebook holds the rest); all by eSpeak NG, so without the extra `audio` only the files are tested."""
from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ecom_nbdev import audio
from ecom_nbdev.core import EcomError, MissingExtra


@pytest.fixture(scope="module")
def espeak():
    return pytest.importorskip("espeakng_loader", reason="pip install -e '.[audio]'")


def test_threads_do_not_disturb_each_other(espeak):
    jobs = [(t, v) for t in ("退款太慢", "物流很快", "客服不理人") for v in ("cmn", "cmn+f2", "cmn+m3")] * 3
    alone = [audio.speak(*j)[0] for j in jobs]
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(a, b) for a, b in zip(alone, [r[0] for r in pool.map(lambda j: audio.speak(*j), jobs)], strict=True))


def test_a_long_text_is_stopped(espeak, monkeypatch):
    monkeypatch.setattr(audio, "MAX_SECONDS", 2.0)
    with pytest.raises(EcomError, match="2 秒以上"):
        audio.speak("好" * 300)


def test_data_that_cannot_be_read(espeak, monkeypatch, tmp_path):
    monkeypatch.setattr(espeak, "get_data_path", lambda: str(tmp_path))
    with pytest.raises(EcomError, match="读不了它的数据"):
        audio.speak("好")
    monkeypatch.undo()
    monkeypatch.setattr(espeak, "get_library_path", lambda: str(tmp_path / "no.so"))
    with pytest.raises(EcomError, match="载入不了"):
        audio.speak("好")


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(MissingExtra, match=r"ecom_nbdev\[audio\]"):
        audio.speak("好")


def test_half_a_file_at_every_length(tmp_path):
    data = audio.write_wav(tmp_path / "a.wav", np.sin(np.arange(2000) / 9) / 2, 8000).read_bytes()
    for n in (0, 3, 8, 20, 36, 43, 44, 45, 1000, len(data) - 1):
        (tmp_path / "b.wav").write_bytes(data[:n])
        with pytest.raises(EcomError, match=r"b\.wav"):
            audio.read_wav(tmp_path / "b.wav")
    broken = 0
    for at in range(44):
        for value in (0, 1, 127, 255):
            (tmp_path / "b.wav").write_bytes(data[:at] + bytes([value]) + data[at + 1:])
            try:
                assert np.isfinite(audio.read_wav(tmp_path / "b.wav")[0]).all()
            except EcomError as e:
                broken += 1
                assert "\n" not in str(e)
    assert broken > 44


def test_what_cannot_be_written_leaves_the_old_file(tmp_path, monkeypatch):
    path = audio.write_wav(tmp_path / "a.wav", [0.5] * 9, 8000)
    with pytest.raises(EcomError, match="有限"):
        audio.write_wav(path, [np.inf], 8000)
    assert audio.read_wav(path)[0].tolist() == [0.5] * 9 and [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_features_of_any_rate_and_length():
    rng = np.random.default_rng(0)
    for rate in (4000, 8000, 16000, 44100, 96000):
        for n in (1, 2, 100, rate):
            m = audio.log_mel(rng.normal(0, 0.1, n), rate)
            f = audio.spotting_features(rng.normal(0, 0.1, n), rate)
            assert m.shape[1] == 40 and f.shape == (len(m), 24) and np.isfinite(m).all() and np.isfinite(f).all()
    filters = audio.mel_filters(10, 513, 16000)
    assert (filters.max(1) > 0.9).all() and (np.diff(filters.argmax(1)) > 0).all()


def test_a_small_spotter(espeak):
    voices = ["cmn+m1", "cmn+m3", "cmn+f2", "cmn+f3"]
    said = [audio.utter(t, v) for v in voices for t in ("这次退款太慢", "退款还可以", "物流太慢了", "我说物流很好", "颜色很漂亮", "今天天气不错", "衣服有点大")]
    spotter = audio.KeywordSpotter(["退款", "物流"]).fit(said, snrs=(20,))
    again = audio.KeywordSpotter(["退款", "物流"]).fit(said, snrs=(20,))
    other = audio.utter("等了很久的退款", "cmn+m4")
    scores = spotter.scores(other.samples, other.rate)
    assert scores[0] > 0.6 > scores[1] and np.array_equal(scores, again.scores(other.samples, other.rate)), "the same seed, the same spotter"
    hit = max(spotter.find(other.samples, other.rate), key=lambda h: h.probability)
    a, b = (x / other.rate for x in other.place(5, 7))
    assert hit.keyword == "退款" and min(hit.end, b) - max(hit.start, a) > 0.5 * (b - a), "and it says where"
    quiet = np.zeros(other.rate, np.float32)
    assert spotter.find(quiet, other.rate) == [] and not spotter.scores(quiet, other.rate).any()


def test_import_is_light():
    code = "import sys, ecom_nbdev.audio; print([m for m in ('torch', 'pandas', 'scipy', 'sklearn', 'espeakng_loader') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
