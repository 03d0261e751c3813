"""Set up .venv for this checkout: what `make setup` runs. Needs only Python 3.11 or newer; safe to repeat and to interrupt.

Run: python3.11 scripts/bootstrap.py [--extras dev,docs,llm,tf,onnx,tools,train,serve,privacy,explain,audio,scale]
"""
from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
PINS = ("settings.ini", "setup.py", "pyproject.toml", "constraints.txt")


def mark(extras: str) -> str:
    "What a finished set-up of these pins and extras writes into .venv/.ready."
    h = hashlib.sha256(extras.encode())
    for name in PINS:
        h.update((ROOT / name).read_bytes())
    return h.hexdigest()


def cpu_index() -> list[str]:
    "pip options that prefer PyTorch's CPU wheels on Linux without a GPU, where that index answers; elsewhere none."
    if platform.system() != "Linux" or shutil.which("nvidia-smi") or os.environ.get("PIP_INDEX_URL") or os.environ.get("PIP_FIND_LINKS"):
        return []
    try:
        urllib.request.urlopen(f"{CPU_WHEELS}/torch/", timeout=5).close()
    except OSError:
        return []
    return ["--extra-index-url", CPU_WHEELS]


def step(text: str, *command: str | Path) -> None:
    "Run one command under a heading; on failure stop with one sentence."
    print(f"== {text}", flush=True)
    if subprocess.run([str(c) for c in command], cwd=ROOT).returncode:
        sys.exit(f"安装没有完成（{text}）：请看上面的信息，改正后再运行一次 make setup，已下载的不会重来。")


def pip_setting(python: Path, key: str) -> str:
    "What pip would use for `key` (environment, then its configuration files), or nothing."
    asked = subprocess.run([str(python), "-m", "pip", "config", "get", f"global.{key}"], capture_output=True, text=True)
    return os.environ.get(f"PIP_{key.upper().replace('-', '_')}") or (asked.stdout.strip() if asked.returncode == 0 else "")


def uv_environment(python: Path) -> dict[str, str]:
    "Environment variables that let uv take packages from the places `python`'s pip would use."
    web = [u for u in pip_setting(python, "extra-index-url").split() if u.startswith("http")] + cpu_index()[1:]
    env = {"UV_DEFAULT_INDEX": pip_setting(python, "index-url"), "UV_INDEX": " ".join(web), "UV_FIND_LINKS": ",".join(pip_setting(python, "find-links").split()),
           "SSL_CERT_FILE": pip_setting(python, "cert"), "UV_INDEX_STRATEGY": "unsafe-best-match", "UV_HTTP_TIMEOUT": "180"}
    return {k: v for k, v in env.items() if v}


def with_uv(python: Path, target: str) -> bool:
    "Install by uv from the places pip would use, in a third of pip's time; False where that cannot be done, so that pip does it."
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", "constraints.txt", "uv"]
    if subprocess.run(pip, cwd=ROOT, capture_output=True).returncode:
        return False
    command = [BIN / "uv", "pip", "install", "-q", "--python", python, "-c", "constraints.txt", "-e", target]
    return not subprocess.run([str(c) for c in command], cwd=ROOT, env=os.environ | uv_environment(python)).returncode


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--extras", default="dev,docs,llm,tf,onnx,tools,train,serve,privacy,explain,audio,scale")
    extras = ap.parse_args().extras
    if sys.version_info < (3, 11, 5):                       # what nbconvert needs does not install on 3.11.0 to 3.11.4 (bench/resolve.py)
        sys.exit(f"需要 Python 3.11.5 以上，现在是 {platform.python_version()}：请安装后用 make PYTHON=python3.11 再试。")
    ready, start = VENV / ".ready", time.perf_counter()
    if ready.exists() and ready.read_text() == mark(extras):
        return
    if not (BIN / "python").exists() and not (BIN / "python.exe").exists():
        step("建立 .venv", sys.executable, "-m", "venv", VENV)
    python = BIN / "python"
    print("== 安装依赖（约 4.6 GB 磁盘，可随时中断）", flush=True)
    if not with_uv(python, f".[{extras}]"):
        pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "-c", "constraints.txt", *cpu_index()]
        step("uv 装不了，改用 pip", *pip, "-e", f".[{extras}]")
    step("展开句向量模型 e5-small", BIN / "ecom", "models", "pull", "e5-small")
    step("取得公式字体 KaTeX", python, "scripts/site.py", "--katex")
    ready.write_text(mark(extras))
    print(f"== 就绪，用时 {time.perf_counter() - start:.0f} 秒")


if __name__ == "__main__":
    main()
