"""What lets a reader run a chapter: a copy to download that installs what it needs, links to Colab and Binder, and what a run takes.

Run: python scripts/runnable.py OUT   write the copies alone, into OUT/notebooks (the workflow docs.yml pushes them to a branch, for Colab)
"""
from __future__ import annotations

import html
import json
import sys
from pathlib import Path
from typing import Any

from reference import settings

FOLDER, BRANCH = "notebooks", "notebooks"  # folder of the copies on the site; branch that docs.yml pushes them to, for Colab
RECORDS = "bench/results/notebooks.jsonl"  # written by scripts/notebooks.py --record
NOT_NEEDED = {"dev", "docs", "bench", "book"}  # extras that no chapter runs on
INSTALL = """# 只在没有装过 ecom_nbdev 的地方（如 Colab）安装；装过就什么也不做
import importlib.util

if importlib.util.find_spec("ecom_nbdev") is None:
    %pip install -q "ecom_nbdev[{extras}] @ git+{url}"
"""


def copy(root: Path, name: str) -> str:
    """Write the JSON of the copy of `name` that the site offers: the notebook with a first cell that installs the package where it is missing."""
    cfg = settings(root)
    extras = ",".join(sorted(k.removeprefix("extra_") for k in cfg if k.startswith("extra_") and k.removeprefix("extra_") not in NOT_NEEDED))
    nb = json.loads((root / name).read_text(encoding="utf-8"))
    source = INSTALL.format(extras=extras, url=cfg["git_url"])
    nb["cells"].insert(0, {"cell_type": "code", "id": "install", "metadata": {}, "execution_count": None, "outputs": [], "source": source.splitlines(keepends=True)})
    return json.dumps(nb, ensure_ascii=False, indent=1) + "\n"


def write_copies(root: Path, names: list[str], site: Path) -> None:
    """Write the copies of the notebooks `names` (nbs/…) into the site."""
    for name in names:
        target = site / FOLDER / name.removeprefix("nbs/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(copy(root, name), encoding="utf-8")


def timings(root: Path) -> dict[str, dict[str, Any]]:
    """Read the newest measured run of each notebook: {"seconds", "peak_mb", "cores"}."""
    path = root / RECORDS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {row["notebook"]: row for line in lines for row in json.loads(line)["rows"]}


def takes(row: dict[str, Any]) -> str:
    """Say what a run takes, in round figures."""
    seconds, mb = row["seconds"], row["peak_mb"]
    time = f"{max(5, 5 * round(seconds / 5))} 秒" if seconds < 90 else f"{seconds / 60:.0f} 分钟"
    memory = f"{10 * round(mb / 10)} MB" if mb < 1000 else f"{mb / 1000:.1f} GB"
    return f"运行约 {time}，内存 {memory}（{row['cores']} 核）"


def run_block(root: Path, name: str, row: dict[str, Any] | None, modules: list[str]) -> str:
    """Write the line under the title of a chapter: what a run takes, the ways to run it, the pages of its modules in the reference."""
    cfg, path = settings(root), name.removeprefix("nbs/")
    up = "../" * path.count("/")
    repository = cfg["git_url"].removeprefix("https://github.com/")
    links = [(f"{up}{FOLDER}/{path}", "下载笔记本", " download"),
             (f"https://colab.research.google.com/github/{repository}/blob/{BRANCH}/{path}", "在 Colab 打开", ""),
             (f"https://mybinder.org/v2/gh/{repository}/{cfg['branch']}?urlpath=lab/tree/{name}", "在 Binder 打开", ""),
             *((f"{up}reference/{m}.html", f"API：{m}", "") for m in modules)]
    buttons = "".join(f'<a class="run-button" href="{html.escape(url)}"{more}>{html.escape(text)}</a>' for url, text, more in links)
    told = f'<span class="run-takes">{takes(row)}</span>' if row else ""
    return f'```{{=html}}\n<div class="chapter-run">{buttons}{told}</div>\n```'


if __name__ == "__main__":
    here = Path(__file__).resolve().parent.parent
    write_copies(here, [p.relative_to(here).as_posix() for p in (here / "nbs").glob("*/*.ipynb")], Path(sys.argv[1]))
