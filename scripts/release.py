"""Release this checkout: set the version, date the changelog's 未发布 section and open a new one, commit and tag; nothing is pushed.

Run: python scripts/release.py 0.2.0 [--dry-run]      (make release VERSION=0.2.0 [DRY=1])
"""
from __future__ import annotations

import argparse
import datetime
import difflib
import re
import subprocess
import sys
from pathlib import Path

VERSION = {"settings.ini": r"(?m)^(version = )(.*)$", "ecom_nbdev/__init__.py": r'(?m)^(__version__ = ")([^"]*)'}
SECTION = re.compile(r"(?m)^## (?:[^（\n]*（)?未发布）?[ ]*\n(.*?)(?=^## |\Z)", re.S)


def git(root: Path, *args: str) -> str:
    "Standard output of a git command in `root`; stops with its message when it fails."
    done = subprocess.run(["git", *args], cwd=root, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        sys.exit(f"git {args[0]} 没有成功：{(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return done.stdout.strip()


def numbers(version: str) -> tuple[int, ...]:
    "(0, 2, 0) of '0.2.0'; stops when it is not of that form."
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        sys.exit(f"版本号 {version!r} 不合格式：应是三个数，例如 0.2.0。")
    return tuple(map(int, version.split(".")))


def changelog(text: str, version: str, day: datetime.date) -> str:
    "CHANGELOG.md with its 未发布 section dated and a new, empty one above it; stops when there is none or it says nothing."
    found = SECTION.search(text)
    if found is None:
        sys.exit("CHANGELOG.md 里没有“## 未发布”一节：请先写下这一版的变更。")
    if not found[1].strip():
        sys.exit("CHANGELOG.md 的“未发布”一节是空的：请先写下这一版的变更。")
    return f"{text[:found.start()]}## 未发布\n\n## {version}（{day.isoformat()}）\n{found[1]}{text[found.end():]}"


def changes(root: Path, version: str, day: datetime.date) -> dict[str, tuple[str, str]]:
    "Text before and after of every file that the release changes; stops in one sentence where it must not be made."
    if git(root, "status", "--porcelain"):
        sys.exit("工作区有没提交的改动：请先提交或收起（git stash），再发布。")
    texts = {name: (root / name).read_text(encoding="utf-8") for name in (*VERSION, "CHANGELOG.md")}
    old = re.search(VERSION["settings.ini"], texts["settings.ini"])
    if old is None or numbers(version) < numbers(old[2]):
        sys.exit(f"版本号 {version} 比现在的 {old and old[2]} 还旧：请往上加。")
    if git(root, "tag", "--list", f"v{version}"):
        sys.exit(f"标签 v{version} 已经有了：请换一个版本号。")
    after = {name: re.sub(pattern, rf"\g<1>{version}", texts[name], count=1) for name, pattern in VERSION.items()}
    after["CHANGELOG.md"] = changelog(texts["CHANGELOG.md"], version, day)
    return {name: (texts[name], after[name]) for name in texts}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("version")
    ap.add_argument("--dry-run", action="store_true", help="show what would change, change nothing")
    args = ap.parse_args()
    numbers(args.version)
    root = Path(git(Path.cwd(), "rev-parse", "--show-toplevel"))
    found = changes(root, args.version, datetime.date.today())
    for name, (before, after) in found.items():
        if args.dry_run:
            sys.stdout.writelines(difflib.unified_diff(before.splitlines(True), after.splitlines(True), name, name, n=0))
        else:
            (root / name).write_text(after, encoding="utf-8", newline="\n")
    if args.dry_run:
        print(f"只是看看：没有改动，没有标签 v{args.version}。")
        return
    git(root, "commit", "-am", f"Release {args.version}")
    git(root, "tag", "-a", f"v{args.version}", "-m", f"ecom_nbdev {args.version}")
    print(f"已提交并打上标签 v{args.version}；git push --follow-tags 之后，release 工作流造轮子并发布。")


if __name__ == "__main__":
    main()
