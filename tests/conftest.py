"""Shared by the tests: the `ecom` command as a stranger runs it, in a process of its own."""
from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

with contextlib.suppress(ImportError):        # before a test imports TensorFlow, see `ecom_nbdev.core.require`
    import triton  # noqa: F401


def pytest_configure(config: pytest.Config) -> None:
    "Embed a text that several tests (and commands started by them) need once a run."
    if "ECOM_VECTORS" not in os.environ:
        config.vectors = tempfile.mkdtemp()
        os.environ["ECOM_VECTORS"] = str(Path(config.vectors) / "vectors.db")


LONG = ("test_scale", "test_training", "test_faults", "test_wrong_input", "test_wheel", "test_serve", "test_site", "test_pipeline", "test_compat")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    "Start the files that take longest first, so that no process waits for the other at the end (pytest -n 2 --dist loadfile --no-loadscope-reorder)."
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


def pytest_unconfigure(config: pytest.Config) -> None:
    "Remove the vectors of this run."
    if hasattr(config, "vectors"):
        shutil.rmtree(config.vectors, ignore_errors=True)


@dataclass
class Done:
    "A finished command: exit code, standard output, standard error and its last line."
    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        "Last line of standard error."
        return (self.err.strip().splitlines() or [""])[-1]


def ecom(*args, **env) -> Done:
    "Run `ecom` with `args` in a new process; keywords are environment variables."
    command = [str(Path(sys.executable).with_name("ecom")), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=os.environ | {"COLUMNS": "160"} | env, timeout=600)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(name="ecom")
def _ecom():
    return ecom


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    "Folder of a two-layer BERT with random weights and e5-small's tokenizer."
    import torch
    from transformers import BertConfig, BertModel

    from ecom_nbdev.compat import AutoTokenizer
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = AutoTokenizer.from_pretrained("e5-small")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, pad_token_id=1,
                         max_position_embeddings=128)).save_pretrained(folder)
    return folder
