"""Build script: every version and setting comes from settings.ini, the one place where they are written."""
import io
import json
import tarfile
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def settings() -> dict[str, str]:
    """The [DEFAULT] section of settings.ini as a plain dictionary."""
    parser = ConfigParser(delimiters=["="], interpolation=None)
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    return dict(parser["DEFAULT"])


def extras(cfg: dict[str, str]) -> dict[str, list[str]]:
    """Every `extra_NAME` line as NAME -> requirements, plus `all`."""
    named = {k.removeprefix("extra_"): v.split() for k, v in cfg.items() if k.startswith("extra_")}
    return {**named, "all": sorted({r for name, reqs in named.items() if name != "bench" for r in reqs})}


def without_outputs(notebook: bytes) -> bytes:
    """A notebook as the wheel carries it: the source alone; the reader runs it."""
    nb = json.loads(notebook)
    for cell in nb["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    return json.dumps(nb, ensure_ascii=False, indent=1).encode() + b"\n"


def pack_book(archive: Path) -> None:
    """Write the notebooks and pictures of nbs/ into one small archive, the same bytes for the same book: `ecom book` unpacks it."""
    found = [p for p in sorted((ROOT / "nbs").rglob("*")) if p.suffix in (".ipynb", ".png", ".svg") and ".ipynb_checkpoints" not in p.parts]
    if not found:
        raise SystemExit("nbs/ 里没有笔记本：请从完整的仓库或源码包造轮子。")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:xz") as tar:
        for path in found:
            data = without_outputs(path.read_bytes()) if path.suffix == ".ipynb" else path.read_bytes()
            member = tarfile.TarInfo(path.relative_to(ROOT / "nbs").as_posix())
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


class BuildWithBook(build_py):
    """Build the package, and put the book into a wheel; an editable install has nbs/ itself."""

    def run(self) -> None:
        """Build, then pack."""
        super().run()
        if not self.editable_mode:
            pack_book(Path(self.build_lib) / "ecom_nbdev" / "_data" / "book.tar.xz")


cfg = settings()
setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=(ROOT / "README.md").read_text(encoding="utf-8") if (ROOT / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    keywords=cfg["keywords"],
    # what bench/resolve.py found: every extra resolves to wheels on these
    classifiers=["Development Status :: 3 - Alpha", "Intended Audience :: Developers", "Intended Audience :: Education", "Natural Language :: Chinese (Simplified)",
                 "Operating System :: POSIX :: Linux", "Operating System :: MacOS", "Operating System :: Microsoft :: Windows",
                 *(f"Programming Language :: Python :: {v}" for v in ("3", "3.11", "3.12", "3.13")), "Topic :: Scientific/Engineering :: Artificial Intelligence", "Typing :: Typed"],
    python_requires=">=" + cfg["min_python"],
    # data/ travels in the wheel as ecom_nbdev._data, so that `ecom demo` works without the repository; so do the measurements that chapters show
    packages=find_packages(include=["ecom_nbdev", "ecom_nbdev.*"]) + ["ecom_nbdev._data", "ecom_nbdev._results"],
    package_dir={"ecom_nbdev._data": "data", "ecom_nbdev._results": "bench/results"},
    package_data={"ecom_nbdev._data": ["*", "**/*"], "ecom_nbdev._results": ["*.jsonl"], "ecom_nbdev": ["py.typed"]},
    cmdclass={"build_py": BuildWithBook},
    install_requires=cfg["requirements"].split(),
    extras_require=extras(cfg),
    entry_points={"console_scripts": cfg["console_scripts"].split(), "nbdev": [f"{cfg['lib_name']}={cfg['lib_name']}._modidx:d"]},
    zip_safe=False,
)
