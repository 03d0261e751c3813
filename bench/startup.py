"""Seconds of `import ecom_nbdev` (a fresh interpreter, its own start taken off) and of `ecom --help` (the whole command), medians.

Run: python bench/startup.py [--runs 9]
"""
from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from common import median, report, timed

LIGHT = "import sys, ecom_nbdev; print(*sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'tensorflow', 'transformers', 'ray', 'lancedb', 'pandas', 'sklearn'}))"


def run(*command: str) -> str:
    "Standard output of a command that must succeed."
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--runs", type=int, default=9)
    runs = ap.parse_args().runs
    ecom = str(Path(sys.executable).parent / "ecom")
    bare = median(timed(lambda: run(sys.executable, "-c", "pass"), runs))
    imported = median(timed(lambda: run(sys.executable, "-c", "import ecom_nbdev"), runs))
    helped = median(timed(lambda: run(ecom, "--help"), runs))
    report("startup", [{"import_s": round(max(0.0, imported - bare), 3), "import_goal_s": 0.3, "help_s": round(helped, 3), "help_goal_s": 0.6,
                        "python_s": round(bare, 3), "runs": runs, "heavy_modules": run(sys.executable, "-c", LIGHT).strip() or "-"}])


if __name__ == "__main__":
    main()
