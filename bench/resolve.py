"""Whether this package and its extras resolve to ready wheels on each Python and system that they are meant for; nothing is installed.

Run: python bench/resolve.py [--python 3.11 3.12 3.13] [--system linux macos windows]
The extras for users are resolved together: what fits together fits alone; where it does not, each one is tried. Packages that exist only as pure Python
source archives (`SOURCES`) may be built; of everything else a wheel must be there. Exit code 1 where something does not resolve.
"""
from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from configparser import ConfigParser
from pathlib import Path

from common import report

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).with_name("uv")
PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = {"linux": "x86_64-manylinux_2_31", "macos": "aarch64-apple-darwin", "windows": "x86_64-pc-windows-msvc"}        # glibc 2.31, macOS 14
SOURCES = ("jieba", "snownlp")
BUILT = {"bench": ("implicit",)}                        # a C++ extension without wheels: only for comparisons, where a compiler is at hand
APART = ("dev", "bench")
LEAST = {name: {"3.11": "3.11.5"} for name in ("all", "book", "dev")}     # soupsieve, which nbconvert needs, does not install on 3.11.0 to 3.11.4 as pinned


def needs() -> dict[str, list[str]]:
    "Requirements of the package ('' for the least installation) and of each extra on top of it, from settings.ini."
    parser = ConfigParser(delimiters=["="], interpolation=None)
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    settings = parser["DEFAULT"]
    base = settings["requirements"].split()
    return {"": base} | {k.removeprefix("extra_"): base + v.split() for k, v in settings.items() if k.startswith("extra_")}


def grouped(each: dict[str, list[str]]) -> dict[str, list[str]]:
    "The least installation, all extras for users together (`all`), and those of `APART`, each on its own."
    users = {name: lines for name, lines in each.items() if name and name not in APART}
    return {"": each[""], "all": sorted(set().union(*users.values()))} | {name: each[name] for name in APART}


def blamed(text: str) -> str:
    "What stops a resolution: the sentence of uv's report that names the package without a fit."
    flat = re.sub(r"\s+", " ", text)
    found = re.search(r"(?:Because|because|and) (\S+ has no [^,.]*?(?= and |,|\.)|\S+ needs [^,.]*|only [^,.]*)", flat)
    return found[1] if found else flat[-200:]


def resolved(lines: list[str], python: str, system: str, sources: tuple[str, ...]) -> int | str:
    "Number of packages that the requirements resolve to under constraints.txt, or what stops them."
    with tempfile.TemporaryDirectory() as d:
        (Path(d) / "in.txt").write_text("\n".join(lines), encoding="utf-8")
        command = [UV, "pip", "compile", "-q", "--no-header", "--no-annotate", "--python-version", python, "--python-platform", SYSTEMS[system], "-c", ROOT / "constraints.txt",
                   "--only-binary", ":all:", *(x for s in sources for x in ("--no-binary", s)), Path(d) / "in.txt"]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"})
    return len(done.stdout.split()) if done.returncode == 0 else blamed(done.stderr)


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--python", nargs="+", default=PYTHONS)
    ap.add_argument("--system", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    args = ap.parse_args()
    each, rows = needs(), []
    for extra, lines in grouped(each).items():
        for python in args.python:
            found = {s: resolved(lines, LEAST.get(extra, {}).get(python, python), s, SOURCES + BUILT.get(extra, ())) for s in args.system}
            rows.append({"extra": extra, "python": python} | found)
            bad = [s for s, n in found.items() if extra == "all" and isinstance(n, str)]
            rows += [{"extra": name, "python": python} | {s: resolved(each[name], LEAST.get(name, {}).get(python, python), s, SOURCES) for s in bad} for name in each if bad and name and name not in APART]
    report("resolve", rows)
    sys.exit(any(isinstance(r.get(s), str) for r in rows for s in args.system))


if __name__ == "__main__":
    main()
