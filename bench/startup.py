"""Seconds of `import ecom_nbdev` (a fresh interpreter, its own start taken off), of `ecom --help` and of `ecom predict` for one text (whole commands), medians.

`predict` is timed with the compiled modules that an earlier start left, and where PYTHONDONTWRITEBYTECODE forbids to leave any.

Run: python bench/startup.py [--runs 9]
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common import median, report, timed

LIGHT = "import sys, ecom_nbdev; print(*sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'tensorflow', 'transformers', 'ray', 'lancedb', 'pandas', 'sklearn'}))"


def run(*command: str, **env: str) -> str:
    "Standard output of a command that must succeed."
    return subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | env).stdout


def predict_seconds(ecom: str, runs: int) -> dict[str, float]:
    "Seconds of `ecom predict` for one text, the modules compiled beforehand or at every start."
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "one.csv")
        table.write_text("text\n物流很快，包装也好\n", encoding="utf-8")
        def start(keep: str) -> float:
            env = {"PYTHONPYCACHEPREFIX": str(Path(folder, f"pyc{keep}")), "PYTHONDONTWRITEBYTECODE": keep}
            return median(timed(lambda: run(ecom, "predict", str(table), "--out", str(Path(folder, "out.csv")), **env), runs))
        return {"predict_s": round(start(""), 2), "predict_without_bytecode_s": round(start("1"), 2)}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--runs", type=int, default=9)
    runs = ap.parse_args().runs
    ecom = str(Path(sys.executable).parent / "ecom")
    bare = median(timed(lambda: run(sys.executable, "-c", "pass"), runs))
    imported = median(timed(lambda: run(sys.executable, "-c", "import ecom_nbdev"), runs))
    helped = median(timed(lambda: run(ecom, "--help"), runs))
    report("startup", [{"import_s": round(max(0.0, imported - bare), 3), "import_goal_s": 0.3, "help_s": round(helped, 3), "help_goal_s": 0.6,
                        "python_s": round(bare, 3), "runs": runs, **predict_seconds(ecom, max(1, runs // 3)), "heavy_modules": run(sys.executable, "-c", LIGHT).strip() or "-"}])


if __name__ == "__main__":
    main()
