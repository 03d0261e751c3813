"""Check the ledger of claims against the results, or run everything it rests on.

Run: python scripts/ledger.py [C13 C41 …]     compare these claims (default: all) with data/claims.csv
     python scripts/ledger.py --write [C13 …] put what was measured into data/claims.csv
     python scripts/ledger.py --run           first run every command of the ledger again (hours; goes on where it was stopped), with ECOM_DATA set
"""
from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

from ecom_nbdev.claims import CHECKS, COLUMNS, differences, ledger, measure
from ecom_nbdev.core import EcomError, atomic_path, write_json

ROOT = Path(__file__).resolve().parent.parent
DONE = ROOT / "out" / "ledger" / "done.json"


def run_all(commands: list[str]) -> list[str]:
    "Run each command once and note it in out/ledger/done.json, so that a stopped run goes on; the commands that failed."
    done, failed = json.loads(DONE.read_text()) if DONE.exists() else [], []
    for command in commands:
        if command in done:
            continue
        print(f"== {command}", flush=True)
        if subprocess.run([sys.executable, *command.split()[1:]], cwd=ROOT).returncode:
            failed.append(command)
        else:
            done.append(command)
            write_json(DONE, done)
    if not failed:
        DONE.unlink(missing_ok=True)
    return failed


def write(ids: list[str]) -> None:
    "Replace value, low, high and verdict of the claims `ids` in data/claims.csv."
    table = ledger().to_dict("records")
    for row in table:
        if row["claim_id"] in ids:
            e = measure(row["claim_id"])
            row |= {"value": f"{e.value:.6g}", "low": f"{e.low:.6g}", "high": f"{e.high:.6g}", "verdict": e.verdict}
    with atomic_path(ROOT / "data" / "claims.csv") as tmp, open(tmp, "w", newline="", encoding="utf-8") as f:
        rows = csv.DictWriter(f, COLUMNS, lineterminator="\n")
        rows.writeheader()
        rows.writerows(table)


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("ids", nargs="*")
    ap.add_argument("--run", action="store_true")
    ap.add_argument("--write", action="store_true")
    args = ap.parse_args()
    ids = args.ids or sorted(CHECKS)
    try:
        failed = run_all([c for c in dict.fromkeys(ledger()["command"]) if c.startswith("python bench/")]) if args.run else []
        if args.write:
            write(ids)
        wrong = differences(ids)
    except EcomError as e:
        sys.exit(str(e))
    for line in [*(f"没有跑完：{c}" for c in failed), *wrong]:
        print(line)
    print(f"{len(ids)} 条，{len(wrong)} 条与账本不同。")
    sys.exit(1 if failed or wrong else 0)


if __name__ == "__main__":
    main()
