"""Write constraints.txt: the exact version of everything that `make setup` installed, for reproduction. Run: python scripts/constraints.py"""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = "# 由 python scripts/constraints.py 写成：settings.ini 的版本号连同它们的全部依赖。pip install -c constraints.txt …\n"


def frozen() -> list[str]:
    "name==version of every installed package but this one; local parts (+cpu) are dropped, they name a build and not a version."
    lines = subprocess.run([sys.executable, "-m", "pip", "freeze", "--exclude-editable"], capture_output=True, text=True, check=True).stdout.splitlines()
    named = (re.match(r"([\w.-]+)(?:==| @ .*?/[\w.]+-)(\d[\w.!]*?)(?:\+\w+)?(?:-py|-cp|$)", line) for line in lines)
    return sorted(f"{m[1]}=={m[2]}" for m in named if m and m[1] != "ecom_nbdev")


if __name__ == "__main__":
    rows = frozen()
    (ROOT / "constraints.txt").write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    print(f"constraints.txt: {len(rows)} packages")
