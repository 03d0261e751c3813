"""Compare recorded results with the values pinned in bench/pinned.json; nothing is run again. Exit code 1 when one lies outside its tolerance.

Run: python bench/pinned.py [NAME …]      all records, or those of bench/NAME.py
A pin: bench, command (part of it), where (columns of the row), column, value, tolerance (absolute). The newest record that fits is compared.
"""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from common import RESULTS

PINS = Path(__file__).with_name("pinned.json")


def newest(results: Path, bench: str, command: str) -> list[dict]:
    "Rows of the newest record of a bench whose command holds `command`; empty where there is none."
    path = results / f"{bench}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((r["rows"] for r in map(json.loads, reversed(lines)) if command in r["command"]), [])


def verdict(pin: dict, results: Path) -> str:
    "What is wrong with a pin's value, or nothing."
    rows = [r for r in newest(results, pin["bench"], pin.get("command", "")) if all(r.get(k) == v for k, v in pin["where"].items())]
    what = f"{pin['bench']} {pin.get('command', '')} {pin['where']} 的 {pin['column']}"
    if len(rows) != 1 or pin["column"] not in rows[0]:
        return f"{what} 有 {len(rows)} 行记录，应有一行：请重新运行 python bench/{pin['bench']}.py。"
    value = float(rows[0][pin["column"]])
    return "" if abs(value - pin["value"]) <= pin["tolerance"] else f"{what} 是 {value:g}，固定的是 {pin['value']:g} ± {pin['tolerance']:g}：请查清原因，或改 bench/pinned.json 并说明。"


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("names", nargs="*")
    ap.add_argument("--results", type=Path, default=RESULTS, help="folder of the records")
    args = ap.parse_args()
    pins = [p for p in json.loads(PINS.read_text(encoding="utf-8")) if not args.names or p["bench"] in args.names]
    if not pins:
        sys.exit(f"bench/pinned.json 里没有 {'、'.join(args.names)}：请检查名字。")
    wrong = [w for p in pins if (w := verdict(p, args.results))]
    print(*wrong, f"{len(pins)} 个固定的值，{len(wrong)} 个不符。", sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
