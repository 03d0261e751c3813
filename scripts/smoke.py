"""Build the wheel and the source archive, install the wheel into an empty environment outside this checkout, run the main job there on little data, resolve every extra.

Run: python scripts/smoke.py [--keep FOLDER]      (minutes; uv takes packages from its cache where they are there)
"""
from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from email import message_from_bytes
from pathlib import Path

from bootstrap import ROOT, uv_environment

UV = Path(sys.executable).with_name("uv")
LOCAL = {"PYTHONPATH", "ECOM_DATA", "ECOM_CACHE", "ECOM_VECTORS", "VIRTUAL_ENV"}          # what would let the checkout show through
REVIEWS = [f"{a}，{b}" for a in ("质量", "物流", "客服", "包装", "味道") for b in ("很好，满意", "不错，推荐", "让人喜欢", "超出期待", "棒极了", "太差，失望", "很糟，退货", "让人生气", "全是问题", "不值这个价")]
CONFIG = "out: out\nusers: users.csv\nreviews: reviews.csv\ntrain: true\nllm: none\nk: 3\ntoday: 2026-11-24\n"


def run(*command: object, **kw) -> subprocess.CompletedProcess:
    "Run a command; on failure stop with its last lines."
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, encoding="utf-8", errors="replace", **kw)
    if done.returncode:
        sys.exit(f"没有成功（{' '.join(map(str, command))[:120]}）：\n" + "\n".join((done.stderr or done.stdout).splitlines()[-12:]))
    return done


def built(folder: Path) -> tuple[Path, Path, list[str]]:
    "(wheel built from the source archive, archive, files that this wheel and one built from the checkout do not share)."
    source = folder / "source"
    for name in run("git", "ls-files", "-z", cwd=ROOT).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    for options, where in (((), "dist"), (("--wheel",), "direct")):
        run(sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", folder / where, source)
    wheel, archive, direct = (next((folder / d).glob(p)) for d, p in (("dist", "*.whl"), ("dist", "*.tar.gz"), ("direct", "*.whl")))
    names = [set(zipfile.ZipFile(w).namelist()) for w in (wheel, direct)]
    return wheel, archive, sorted(names[0] ^ names[1])


def extras_of(wheel: Path) -> list[str]:
    "Extras that a wheel's metadata name."
    with zipfile.ZipFile(wheel) as z:
        return message_from_bytes(z.read(next(n for n in z.namelist() if n.endswith(".dist-info/METADATA")))).get_all("Provides-Extra") or []


def install(python: Path, wheel: Path, env: dict[str, str]) -> str:
    "Install the wheel under constraints.txt from uv's cache alone, else with the network; which of the two it was."
    command = [UV, "pip", "install", "-q", "--python", python, "-c", ROOT / "constraints.txt", wheel]
    if subprocess.run([str(c) for c in [*command, "--offline"]], env=env, capture_output=True).returncode == 0:
        return "只用缓存"
    run(*command, env=env)
    return "用网络"


def main_job(bin_dir: Path, folder: Path, env: dict[str, str]) -> dict:
    "Run `ecom run` of the installed package in `folder` on 12 users and 50 reviews; its metrics."
    where = run(bin_dir / "python", "-c", "import ecom_nbdev; print(ecom_nbdev.__file__)", cwd=folder, env=env).stdout.strip()
    if not Path(where).is_relative_to(folder):
        sys.exit(f"载入的包在 {where}，不在新环境里：请检查 PYTHONPATH。")
    data = Path(where).parent / "_data"
    lines = (data / "users.csv").read_text(encoding="utf-8").splitlines()
    (folder / "users.csv").write_text("\n".join(lines[:100]) + "\n", encoding="utf-8")
    (folder / "reviews.csv").write_text("text,label\n" + "".join(f"“{t}”,{int(i % 10 < 5)}\n" for i, t in enumerate(REVIEWS)).replace("，", "、"), encoding="utf-8")
    (folder / "run.yaml").write_text(CONFIG, encoding="utf-8")
    run(bin_dir / "ecom", "run", "--config", "run.yaml", "--json", cwd=folder, env=env)
    missing = [n for n in ("profiles.json", "recommendations.csv", "ads.csv", "campaign.json", "report.html", "metrics.json") if not (folder / "out" / n).is_file()]
    if missing:
        sys.exit(f"主线没有写出 {'、'.join(missing)}。")
    return json.loads((folder / "out" / "metrics.json").read_text(encoding="utf-8"))


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--keep", help="use this folder and leave it")
    args = ap.parse_args()
    folder, clock = Path(args.keep or tempfile.mkdtemp(prefix="ecom-smoke-")).resolve(), time.perf_counter
    folder.mkdir(parents=True, exist_ok=True)
    try:
        start = clock()
        wheel, archive, apart = built(folder)
        if apart:
            sys.exit(f"由源码包造的轮子与由仓库造的差 {len(apart)} 个文件：{'、'.join(apart[:5])}；请改 MANIFEST.in 或 setup.py。")
        print(f"轮子 {wheel.stat().st_size / 1e6:.1f} MB，{len(zipfile.ZipFile(wheel).namelist())} 个文件；源码包 {archive.stat().st_size / 1e6:.1f} MB，造出的轮子文件相同；{clock() - start:.0f} 秒", flush=True)
        env = {k: v for k, v in os.environ.items() if k not in LOCAL} | uv_environment(Path(sys.executable)) | {"ECOM_CACHE": str(folder / "cache")}
        start = clock()
        run(UV, "venv", "-q", "--python", sys.executable, folder / "venv", env=env)
        bin_dir = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        how = install(bin_dir / "python", wheel, env)
        count = len(run(UV, "pip", "freeze", "--python", bin_dir / "python", env=env).stdout.split("\n")) - 1
        print(f"装进空的环境：{count} 个包（{how}），{clock() - start:.0f} 秒", flush=True)
        start = clock()
        metrics = main_job(bin_dir, folder, env)
        print(f"主线（100 行里的用户，50 条评论，--llm none）：{clock() - start:.0f} 秒，{json.dumps(metrics, ensure_ascii=False)[:200]}", flush=True)
        for extra in extras_of(wheel):
            start = clock()
            told = run(UV, "pip", "install", "--dry-run", "--python", bin_dir / "python", "-c", ROOT / "constraints.txt", f"{wheel}[{extra}]", env=env).stderr
            print(f"ecom_nbdev[{extra}] 还要装 {sum(line.startswith(' + ') for line in told.splitlines())} 个包，{clock() - start:.0f} 秒", flush=True)
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
