"""Export and clean the notebooks, or with --check tell whether that is still to be done. Run: python scripts/export.py [--check]"""
from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def export(root: Path) -> None:
    "Run nbdev's export and clean in `root`."
    for command in ("nbdev_export", "nbdev_clean"):
        subprocess.run([BIN / command], cwd=root, check=True)


def files(root: Path) -> set[str]:
    "Notebooks and modules of a checkout, as relative paths."
    found = [*root.glob("nbs/**/*.ipynb"), *root.glob("ecom_nbdev/**/*.py")]
    return {str(p.relative_to(root)) for p in found if ".ipynb_checkpoints" not in p.parts}


def stale() -> list[str]:
    "Files that exporting and cleaning a copy of this checkout would change."
    with tempfile.TemporaryDirectory() as d:
        copy = Path(d)
        for name in ("nbs", "ecom_nbdev"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
        for name in ("settings.ini", "pyproject.toml"):
            shutil.copy(ROOT / name, copy / name)
        export(copy)
        both = files(ROOT) | files(copy)
        return sorted(f for f in both if not (copy / f).exists() or not (ROOT / f).exists() or not filecmp.cmp(ROOT / f, copy / f, shallow=False))


if __name__ == "__main__":
    if "--check" not in sys.argv:
        export(ROOT)
    elif changed := stale():
        sys.exit(f"{len(changed)} 个文件与笔记本不一致（{'、'.join(changed[:5])}）：请运行 python scripts/export.py。")
