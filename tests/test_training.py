"""A training that is killed (SIGKILL) at any step, or in the middle of writing its checkpoint, ends with the weights of an unbroken one."""
from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ecom_nbdev.classify import TextClassifier
from ecom_nbdev.core import EcomError

CHILD = '''
import copy, hashlib, os, signal, sys
import numpy as np, torch
from ecom_nbdev import training
from ecom_nbdev.classify import TextNet
from ecom_nbdev.models import load_encoder, resolve

folder, kill_step, kill_save = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
GOOD, BAD = ("很好", "喜欢", "满意", "推荐"), ("太差", "失望", "退货", "别买")
X = [f"{what}{word}" for what in ("物流", "客服", "包装", "质量", "价格") for word in GOOD + BAD]
y = np.array([int(t[-2:] in GOOD) for t in X])
torch.manual_seed(os.getpid())
encoder, tok = load_encoder(resolve("e5-small"))
encoder.requires_grad_(False)
encoder.encoder.layer[11].requires_grad_(True)
torch.manual_seed(0)
net = TextNet(encoder, tok, 2, freeze=11, prefix="query: ", max_length=32)
steps, saves, step, save = [0], [0], training.one_step, training.Checkpoint.save

def counted(*args):
    steps[0] += 1
    if steps[0] == kill_step:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*args)

def torn(self, *args):
    saves[0] += 1
    if saves[0] == kill_save:
        import safetensors.torch
        def half(tensors, path, metadata):
            open(path, "wb").write(b"half a file")
            os.kill(os.getpid(), signal.SIGKILL)
        safetensors.torch.save_file = half
    save(self, *args)

training.one_step, training.Checkpoint.save = counted, torn
history = training.fine_tune(net, X, y, X, y, epochs=3, batch_rows=8, patience=3, learning_rate=1e-4, checkpoint=folder, every=2, resume=True)
weights = b"".join(p.detach().numpy().tobytes() for _, p in sorted(training.trainable(net).items()))
print(hashlib.sha256(weights).hexdigest(), history)
'''


def train(folder: Path, kill_step: int = 0, kill_save: int = 0) -> subprocess.CompletedProcess:
    """Run the training in a process of its own."""
    return subprocess.run([sys.executable, "-c", CHILD, str(folder), str(kill_step), str(kill_save)], capture_output=True, text=True,
                          env=os.environ | {"ECOM_THREADS": "1", "OMP_NUM_THREADS": "1"})


def test_killed_training_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    """Four kills at seeded random steps and one in the middle of writing, each followed by a resumed run."""
    whole = train(tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr[-2000:]
    rng, folder = random.Random(0), tmp_path / "broken"
    for at in [rng.randint(1, 4) for _ in range(4)]:
        assert train(folder, kill_step=at).returncode == -signal.SIGKILL
    before = hashlib.sha256((folder / "checkpoint.safetensors").read_bytes()).hexdigest()
    assert train(folder, kill_save=1).returncode == -signal.SIGKILL
    assert hashlib.sha256((folder / "checkpoint.safetensors").read_bytes()).hexdigest() == before, "a torn write leaves the old checkpoint whole"
    last = train(folder)
    assert last.returncode == 0 and last.stdout == whole.stdout


@pytest.mark.parametrize("mode", ["full", "lora"])
def test_classifier_resumes(tmp_path: Path, mode: str) -> None:
    """`TextClassifier(checkpoint=…).fit(resume=True)` of a finished training returns its weights; other data is refused."""
    X, y = ["很好", "喜欢", "不错，推荐", "太差", "退货", "失望透顶"] * 6, [1, 1, 1, 0, 0, 0] * 6
    options = {"mode": mode, "freeze_layers": 11, "epochs": 1, "max_length": 16, "checkpoint": tmp_path / "c", "precision": "float32"}
    first = TextClassifier(**options).fit(X, y)
    again = TextClassifier(**options).fit(X, y, resume=True)
    assert (first.predict_proba(X) == again.predict_proba(X)).all() and first.history_ == again.history_
    with pytest.raises(EcomError, match="数据 不同"):
        TextClassifier(**options).fit(X[::-1], y[::-1], resume=True)
