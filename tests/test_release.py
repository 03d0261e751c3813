"""`make release` on a temporary clone: version, changelog, commit and tag; and what it refuses, in one sentence."""
from __future__ import annotations

import datetime
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHANGES = "# 变更\n\n## 未发布\n- 新的一件。\n\n## 0.1.0（2026-11-01）\n- 第一版。\n"


def git(where: Path, *args: str) -> str:
    "Output of git with a name to commit by."
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    return subprocess.run(["git", *who, *args], cwd=where, capture_output=True, text=True, encoding="utf-8", check=True).stdout.strip()


def release(where: Path, *args: str) -> subprocess.CompletedProcess:
    "Run the script of this checkout in a clone."
    return subprocess.run([sys.executable, ROOT / "scripts/release.py", *args], cwd=where, capture_output=True, text=True, encoding="utf-8")


@pytest.fixture
def clone(tmp_path):
    "A clone that has the files a release touches, with a changelog of its own."
    where = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--shared", "--sparse", ROOT, where], check=True, capture_output=True)
    git(where, "sparse-checkout", "add", "--skip-checks", "/ecom_nbdev/__init__.py")
    for key, value in (("user.name", "t"), ("user.email", "t@example.org"), ("commit.gpgsign", "false")):
        git(where, "config", key, value)
    (where / "CHANGELOG.md").write_text(CHANGES, encoding="utf-8")
    git(where, "commit", "-qam", "Begin a changelog")
    return where


def test_release(clone):
    before = git(clone, "rev-parse", "HEAD")
    dry = release(clone, "9.8.7", "--dry-run")
    assert dry.returncode == 0 and "+version = 9.8.7" in dry.stdout and '+__version__ = "9.8.7"' in dry.stdout, dry.stderr
    assert git(clone, "rev-parse", "HEAD") == before and not git(clone, "status", "--porcelain") and "v9.8.7" not in git(clone, "tag")
    done = release(clone, "9.8.7")
    assert done.returncode == 0 and "v9.8.7" in done.stdout, done.stderr
    assert git(clone, "describe", "--exact-match") == "v9.8.7" and git(clone, "log", "-1", "--format=%s") == "Release 9.8.7" and git(clone, "rev-parse", "HEAD~1") == before
    assert set(git(clone, "diff", "--name-only", "HEAD~1").split()) == {"settings.ini", "ecom_nbdev/__init__.py", "CHANGELOG.md"}
    assert re.search(r"(?m)^version = 9\.8\.7$", (clone / "settings.ini").read_text(encoding="utf-8")) and '"9.8.7"' in (clone / "ecom_nbdev/__init__.py").read_text(encoding="utf-8")
    assert (clone / "CHANGELOG.md").read_text(encoding="utf-8") == CHANGES.replace("## 未发布\n", f"## 未发布\n\n## 9.8.7（{datetime.date.today()}）\n")
    again = release(clone, "9.8.8")
    assert again.returncode == 1 and "“未发布”一节是空的" in again.stderr and len(again.stderr.splitlines()) == 1


@pytest.mark.parametrize("version, change, told", [
    ("1.2", "", "不合格式"), ("0.0.1", "", "还旧"), ("9.0.0", "dirty", "没提交的改动"), ("9.0.0", "tag", "已经有了"), ("9.0.0", "section", "没有“## 未发布”一节")])
def test_refuses(clone, version, change, told):
    if change == "tag":
        git(clone, "tag", "v9.0.0")
    elif change:
        (clone / "CHANGELOG.md").write_text("# 变更\n", encoding="utf-8")
        if change == "section":
            git(clone, "commit", "-qam", "Lose the section")
    before = git(clone, "rev-parse", "HEAD")
    done = release(clone, version)
    assert done.returncode == 1 and told in done.stderr and len(done.stderr.splitlines()) == 1
    assert git(clone, "rev-parse", "HEAD") == before
