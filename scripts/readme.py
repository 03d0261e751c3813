"""Make README.md from nbs/index.ipynb (its saved outputs included). Run: python scripts/readme.py [--check]"""
from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parent.parent
HIDDEN = "# hidden"


def readme() -> str:
    "The text of README.md: code and outputs as Markdown, images and chapters linked from the repository's root."
    nb = nbformat.read(ROOT / "nbs/index.ipynb", as_version=4)
    nb.cells = [c for c in nb.cells if not c.source.startswith("#| hide")]
    nb.metadata["language_info"] = {"name": "python"}
    for c in nb.cells:
        if c.source.startswith("#| echo: false"):
            c.source = HIDDEN
    text, _ = MarkdownExporter().from_notebook_node(nb)
    text = text.replace(f"```python\n{HIDDEN}\n```\n", "")
    text = re.sub(r"<style.*?</style>\s*", "", text, flags=re.S)
    text = re.sub(r"\]\((images|practice|apps|background|theory|tools|frontier|faq)/", r"](nbs/\1/", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


if __name__ == "__main__":
    target = ROOT / "README.md"
    if "--check" in sys.argv:
        if target.read_text(encoding="utf-8") != readme():
            sys.exit("README.md differs from nbs/index.ipynb: run python scripts/readme.py")
    else:
        target.write_text(readme(), encoding="utf-8")
