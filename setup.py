"""Build script: every version and setting comes from settings.ini, the one place where they are written."""
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

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
    # data/ travels in the wheel as ecom_nbdev._data, so that `ecom demo` works without the repository
    packages=find_packages(include=["ecom_nbdev", "ecom_nbdev.*"]) + ["ecom_nbdev._data"],
    package_dir={"ecom_nbdev._data": "data"},
    package_data={"ecom_nbdev._data": ["*", "**/*"], "ecom_nbdev": ["py.typed"]},
    install_requires=cfg["requirements"].split(),
    extras_require=extras(cfg),
    entry_points={"console_scripts": cfg["console_scripts"].split(), "nbdev": [f"{cfg['lib_name']}={cfg['lib_name']}._modidx:d"]},
    zip_safe=False,
)
