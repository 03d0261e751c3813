"""A training that is killed (SIGKILL) at any step, or in the middle of writing its checkpoint, ends with the weights of an unbroken one."""
from __future__ import annotations

import json
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
import hashlib, json, os, signal, sys
from pathlib import Path
import numpy as np, torch
from ecom_nbdev import training
from ecom_nbdev.classify import TextNet
from ecom_nbdev.models import load_encoder, resolve

GOOD, BAD = ("很好", "喜欢", "满意", "推荐"), ("太差", "失望", "退货", "别买")
X = [f"{what}{word}" for what in ("物流", "客服", "包装", "质量", "价格") for word in GOOD + BAD]
y = np.array([int(t[-2:] in GOOD) for t in X])
encoder, tok = load_encoder(resolve("e5-small"))
encoder.requires_grad_(False)
encoder.encoder.layer[11].requires_grad_(True)
steps, saves, step, save = [0], [0], training.one_step, training.Checkpoint.save

def train(folder, kill_step, kill_save):
    "The digest of the weights and the history of a training that goes on from what `folder` holds, killed at a step or at a save (0: not)."
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
    torch.manual_seed(0)
    net = TextNet(encoder, tok, 2, freeze=11, prefix="query: ", max_length=32)
    torch.manual_seed(os.getpid())
    history = training.fine_tune(net, X, y, X, y, epochs=3, batch_rows=8, patience=3, learning_rate=1e-4, checkpoint=folder, every=2, resume=True)
    weights = b"".join(p.detach().numpy().tobytes() for _, p in sorted(training.trainable(net).items()))
    return f"{hashlib.sha256(weights).hexdigest()} {history}"

told = []
for folder, kill_step, kill_save in json.loads(sys.argv[1]):
    read, write = os.pipe()
    if not (pid := os.fork()):                                # one thread, and no arithmetic before it: safe to fork
        os.close(read)
        os.write(write, train(folder, kill_step, kill_save).encode())
        os._exit(0)
    os.close(write)
    with open(read, encoding="utf-8") as f:
        said = f.read()
    kept = Path(folder, "checkpoint.safetensors")
    told.append([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said, hashlib.sha256(kept.read_bytes()).hexdigest() if kept.exists() else ""])
print(json.dumps(told))
'''


def trained(*runs: tuple[Path, int, int]) -> list[list]:
    "Exit code, answer and digest of the checkpoint after each run of `train` in CHILD, (folder, step, save), each in a process of its own."
    done = subprocess.run([sys.executable, "-c", CHILD, json.dumps(runs, default=str)], capture_output=True, text=True,
                          env=os.environ | {"ECOM_THREADS": "1", "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_killed_training_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    """Four kills at seeded random steps and one in the middle of writing, each followed by a resumed run."""
    rng, folder = random.Random(0), tmp_path / "broken"
    whole, *killed, torn, last = trained((tmp_path / "whole", 0, 0), *[(folder, rng.randint(1, 4), 0) for _ in range(4)], (folder, 0, 1), (folder, 0, 0))
    assert whole[0] == 0 and whole[1] and [k[:2] for k in [*killed, torn]] == [[-signal.SIGKILL, ""]] * 5
    assert torn[2] == killed[-1][2] != "", "a torn write leaves the old checkpoint whole"
    assert last[:2] == whole[:2]


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
