"""Render the book into a website from nbdev's processed notebooks. Run: python scripts/site.py [--out site] [--renderer smalldocs|quarto]"""
from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent))  # behind everything: this folder holds a site.py, as the standard library does

import appendix
import reference
import runnable

ROOT = Path(__file__).resolve().parent.parent
NBS = "nbs/"

# nbdev's defaults show the signature of an exported cell; a book shows the cell. Its links go to the published host, ours stay inside.
SKIPPED_PROCS = {"add_show_docs", "exec_show_docs", "rm_export", "add_links"}

# KaTeX's own files (MIT) ride in this wheel, the only small PyPI package that has all of them; the rest of it needs Django, so it
# is downloaded and unpacked, never installed.
KATEX_WHEEL = "djangocms-katex==1.0.2"
KATEX_SHA256 = "79774fa17f7d328252f6dd05688799fa7ee49abebb7cbe09f0cbf6f103352ac2"
KATEX_PACKAGE, KATEX_FOLDER = "djangocms_katex", "static/djangocms_katex/vendor/katex"
KATEX_FILES = re.compile(r"(katex\.min\.(js|css)|contrib/auto-render\.min\.js|fonts/KaTeX_[\w-]+\.woff2|LICENSE)")
KATEX_CDN = re.compile(r"https://cdn\.jsdelivr\.net/npm/katex@[\d.]+/dist")

# smalldocs writes these in English whatever `lang` says.
HTML_FURNITURE = {
    'placeholder="Search"': 'placeholder="搜索"',
    'aria-label="Search"': 'aria-label="搜索"',
    'title="Copy to Clipboard"': 'title="复制"',
    'title="Toggle dark mode"': 'title="切换深色与浅色"',
    'aria-label="Toggle navigation"': 'aria-label="展开或收起导航"',
    'aria-label="Toggle section"': 'aria-label="展开或收起本节"',
    'aria-label="Toggle sidebar navigation"': 'aria-label="展开或收起目录"',
    "</i> Back to top": "</i> 回到顶部",
}
JS_FURNITURE = {'"Copied!"': '"已复制"', '"Copy to Clipboard"': '"复制"', ">No results<": ">没有找到<", '"Anchor"': '"本节链接"'}
CALLOUTS = {"note": "注释", "tip": "提示", "warning": "警告", "important": "重要", "caution": "注意"}

WIDE = r"\u2014\u2018-\u201d\u2026\u3000-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"  # Chinese characters and punctuation

LEFTOVERS = [
    (re.compile(r"^\s*#\|", re.M), "有原样的 #| 指令"),
    (re.compile(r"NBVAL"), "有 NBVAL 标记"),
    (re.compile(r"\{#(eq|fig|tbl|sec)-"), "有原样的 {#…} 编号"),
    (re.compile(r"^\s*:{3,}", re.M), "有没有闭合的 ::: 块"),
]


class SiteError(Exception):
    """A problem that the author can fix, said in one sentence."""


# ---- the book: what the sidebar lists


def read_config(root: Path) -> dict[str, Any]:
    """Read the book's `_quarto.yml`."""
    import yaml

    path = root / "_quarto.yml"
    if not path.is_file():
        raise SiteError(f"找不到 {path.name}：请在仓库根目录运行。")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as e:
        raise SiteError(f"_quarto.yml 不是合法的 YAML：{' '.join(str(e).split())}") from None


def sidebar_notebooks(entry: Any) -> Iterator[str]:
    """Yield the notebooks of a sidebar entry, from top to bottom."""
    if isinstance(entry, str):
        yield from [entry] if entry.endswith(".ipynb") else []
    elif isinstance(entry, list):
        for item in entry:
            yield from sidebar_notebooks(item)
    elif isinstance(entry, dict):
        yield from sidebar_notebooks(entry.get("href"))
        yield from sidebar_notebooks(entry.get("contents"))


def listed(config: dict[str, Any]) -> list[str]:
    """List the notebooks that the sidebar of `config` names, as paths from the repository's root."""
    return list(sidebar_notebooks(config["website"]["sidebar"]["contents"]))


def written(root: Path) -> list[str]:
    """List the notebooks under `nbs/`, leaving out hidden and `_` names as nbdev does."""
    paths = (p.relative_to(root) for p in sorted((root / NBS).rglob("*.ipynb")))
    return [p.as_posix() for p in paths if not any(part[0] in "._" for part in p.parts)]


def chapters(names: list[str]) -> list[str]:
    """List the notebooks a reader may run: all but the front page."""
    return [n for n in names if n != f"{NBS}index.ipynb"]


def check_listing(root: Path, config: dict[str, Any]) -> None:
    """Raise where the sidebar and `nbs/` do not hold the same notebooks."""
    names, files = listed(config), written(root)
    missing, unlisted = sorted(set(names) - set(files)), sorted(set(files) - set(names))
    if missing:
        raise SiteError(f"_quarto.yml 的 sidebar 列了还不存在的笔记本：{'、'.join(missing)}；请写好它们，或从 sidebar 里去掉。")
    if unlisted:
        raise SiteError(f"_quarto.yml 的 sidebar 漏列了笔记本：{'、'.join(unlisted)}；请在 sidebar 里各加一行。")
    if len(names) != len(set(names)):
        raise SiteError(f"_quarto.yml 的 sidebar 重复列了笔记本：{'、'.join(sorted({n for n in names if names.count(n) > 1}))}。")


# ---- processing: nbdev's filters, and what they leave undone


def split_title(nb: Any) -> None:
    """Move what follows the title and the `>` line into a cell of its own: nbdev drops the rest of the title cell."""
    from execnb.nbio import mk_cell

    cell = nb.cells[0] if nb.cells else None
    if cell is None or cell.cell_type != "markdown":
        return
    m = re.match(r"\s*# [^\n]+\n*(>[^\n]*\n?)?", cell.source)
    rest = cell.source[m.end():].strip() if m else ""
    if rest:
        cell.source = cell.source[: m.end()].rstrip()
        nb.cells.insert(1, mk_cell(rest, cell_type="markdown"))
        for i, c in enumerate(nb.cells):
            c.idx_ = i


def drop_marks(nb: Any) -> None:
    """Take `# NBVAL…` comments, which are for the test runner, out of the code cells."""
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.source = re.sub(r"^# ?NBVAL\w*[^\n]*\n?", "", cell.source, flags=re.M)


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Apply `change` to what of a Markdown text lies outside its code blocks."""
    parts = re.split(r"(^```.*?^```)", text, flags=re.M | re.S)
    parts[::2] = map(change, parts[::2])
    return "".join(parts)


def joined(text: str) -> str:
    """Join the lines of a paragraph where Chinese meets Chinese: a renderer would show the line break as a space."""
    return outside_code(text, lambda part: re.sub(rf"^(?![#|>]).*[{WIDE}]\n(?=[{WIDE}])", lambda m: m[0][:-1], part, flags=re.M))


def join_lines(nb: Any) -> None:
    """Join the lines of the Markdown cells."""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = joined(cell.source)


def link_measurements(nb: Any, up: str, measured: set[str]) -> None:
    """Let each `bench/….py …` in the text lead to what it last measured."""
    def link(m: re.Match[str]) -> str:
        return f"[{m[0]}]({up}{appendix.FOLDER}/measurements.qmd#{m[1]})" if m[1] in measured else m[0]

    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = outside_code(cell.source, lambda part: re.sub(r"(?<!\[)`(?:python )?bench/(\w+)\.py[^`\n]*`", link, part))


def label_cells(nb: Any) -> None:
    """Give every code cell an anchor of its own, cell-ID: the API reference leads there."""
    for cell in nb.cells:
        if cell.cell_type == "code" and "id" in cell:
            cell.source = f"#| label: cell-{cell['id']}\n{cell.source}"


def imports_only(node: ast.stmt) -> bool:
    """Tell whether a statement is an import, or an `if` that holds nothing else."""
    return isinstance(node, (ast.Import, ast.ImportFrom)) or (isinstance(node, ast.If) and all(map(imports_only, node.body)))


def fold_imports(nb: Any) -> None:
    """Fold the code cells that are a long list of imports."""
    for cell in nb.cells:
        if cell.cell_type == "code" and cell.source.count("\n") > 3:
            with contextlib.suppress(SyntaxError):
                if all(map(imports_only, ast.parse(cell.source).body)):
                    cell.source = f"#| code-fold: true\n#| code-summary: 导入\n{cell.source}"


def figure_words(source: str, heading: str) -> str:
    """Say in a sentence what a figure drawn by `source` shows: its titles (else the `heading` it stands under) and axis labels, where they are plain strings."""
    found: dict[str, list[str]] = {"title": [], "xlabel": [], "ylabel": []}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            said = [(k.arg, k.value) for k in node.keywords]
            name = getattr(node.func, "attr", "")
            if name in ("set_title", "suptitle") and node.args:
                said.append(("title", node.args[0]))
            for what, value in said:
                if what in found and isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value not in found[what]:
                    found[what].append(value.value)
    axes = [f"{label}是{'、'.join(found[what])}" for what, label in (("xlabel", "横轴"), ("ylabel", "纵轴")) if found[what]]
    return re.sub(r'[\\"$]', "", "；".join(["、".join(found["title"]) or heading, *axes]).replace(r"\times", "×"))


def describe_figures(nb: Any) -> None:
    """Give every picture that a cell put out a text for those who cannot see it: what its code calls it, else the heading it stands under."""
    heading = ""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            heading = ([m[1] for m in re.finditer(r"^#+ +(.+?)(?: *\{[^}]*\})?$", cell.source, re.M)] or [heading])[-1]
        elif "fig-alt" not in cell.source and any("image/png" in o.get("data", {}) for o in cell.get("outputs", [])):
            with contextlib.suppress(SyntaxError):
                cell.source = f'#| fig-alt: "图：{figure_words(cell.source, heading)}"\n{cell.source}'


def add_run(nb: Any, block: str) -> None:
    """Put the line that says how to run the chapter under its title."""
    from execnb.nbio import mk_cell

    nb.cells.insert(1, mk_cell(block, cell_type="markdown"))


def process(root: Path, work: Path, names: list[str], keep_output_file: bool) -> None:
    """Write the notebooks `names` into `work` through nbdev's filters, together with the other files of `nbs/`."""
    from execnb.nbio import read_nb, write_nb
    from nbdev.processors import FilterDefaults

    class BookFilter(FilterDefaults):
        def procs(self) -> Any:
            return super().procs().filter(lambda p: p.__name__ not in SKIPPED_PROCS)

    measured, timings = {Path(r.script).stem for r in appendix.records(root)}, runnable.timings(root)
    modules = reference.modules(root)
    with contextlib.chdir(root):  # nbdev looks for settings.ini from here
        for name in names:
            try:
                nb = read_nb(root / name)
            except (ValueError, KeyError) as e:
                raise SiteError(f"{name} 不是合法的笔记本：{' '.join(str(e).split())}") from None
            drop_marks(nb)
            split_title(nb)
            join_lines(nb)
            BookFilter()(nb)
            fold_imports(nb)
            describe_figures(nb)
            nb.cells = [c for c in nb.cells if c.source.strip()]
            label_cells(nb)
            link_measurements(nb, "../" * (name.count("/") - 1), measured)
            if name in chapters(names):
                exported = [m.name for m in modules if NBS + m.notebook == name]
                add_run(nb, runnable.run_block(root, name, timings.get(name), exported))
            if not keep_output_file:  # Quarto's; smalldocs names pages itself
                nb.cells[0].source = re.sub(r"^output-file:.*\n", "", nb.cells[0].source, flags=re.M)
            target = work / name.removeprefix(NBS)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_nb(nb, target)
    for path in (root / NBS).rglob("*"):
        rel = path.relative_to(root / NBS)
        if path.is_file() and path.suffix not in (".ipynb", ".yml") and not any(part[0] in "._" for part in rel.parts):
            (work / rel).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, work / rel)


def generate(root: Path, work: Path, config: dict[str, Any]) -> None:
    """Write the pages that code makes (API reference, appendix) into `work`, and list them in the sidebar of `config`."""
    contents = config["website"]["sidebar"]["contents"]
    parts = {e["section"]: [n.removeprefix(NBS) for n in sidebar_notebooks(e)] for e in contents if "section" in e}
    pages = reference.pages(root, parts) | appendix.pages(root)
    for name, text in pages.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(joined(text), encoding="utf-8")
    config["project"]["render"] += sorted({f"{Path(n).parent}/*.qmd" for n in pages})
    contents += (reference.sidebar(root, parts) if pages else []) + appendix.sidebar(pages)
    if pages:
        config["website"]["navbar"]["left"].append({"text": "API", "href": reference.INDEX})


def inside(value: Any) -> Any:
    """Copy a part of the config with every path `nbs/…` written from inside `nbs/`."""
    if isinstance(value, dict):
        return {k: inside(v) for k, v in value.items()}
    if isinstance(value, list):
        return [inside(v) for v in value]
    return value.removeprefix(NBS) if isinstance(value, str) else value


def write_config(root: Path, work: Path, config: dict[str, Any], renderer: str) -> None:
    """Write `_quarto.yml` and the stylesheet beside the processed notebooks."""
    import yaml

    config = inside(config)
    config["project"]["output-dir"] = "_site"
    if renderer == "smalldocs":  # reads `lang` from the format only
        config["format"]["html"]["lang"] = config.pop("lang")
    (work / "_quarto.yml").write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")
    shutil.copy2(root / "styles.css", work)


# ---- KaTeX: served from the site


def download_katex(folder: Path) -> None:
    """Download the wheel that carries KaTeX with pip, check its SHA-256, and unpack KaTeX's files into `folder`."""
    with tempfile.TemporaryDirectory() as tmp:
        cmd = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", tmp, KATEX_WHEEL]
        done = subprocess.run(cmd, capture_output=True, text=True, check=False)
        wheels = list(Path(tmp).glob("*.whl"))
        if done.returncode or not wheels:
            raise SiteError(f"取不到 KaTeX（公式要用）：pip download {KATEX_WHEEL} 失败；请联网后再试一次，之后不再需要网络。")
        digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
        if digest != KATEX_SHA256:
            raise SiteError(f"{wheels[0].name} 的 SHA-256 是 {digest}，与登记的不符：没有使用它，请检查 pip 的软件源。")
        with zipfile.ZipFile(wheels[0]) as wheel:
            wheel.extractall(Path(tmp) / "wheel")
        part = folder.with_name(f"{folder.name}.part")  # renamed when whole: an interrupted copy is never taken for KaTeX
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(Path(tmp) / "wheel" / KATEX_PACKAGE / KATEX_FOLDER, part)
        part.rename(folder)


def katex_folder() -> Path:
    """Find KaTeX's files: in the installed package, else in the cache, else downloaded into the cache."""
    from ecom_nbdev.core import EcomError, cache_dir

    spec = importlib.util.find_spec(KATEX_PACKAGE)
    if spec and spec.origin and (Path(spec.origin).parent / KATEX_FOLDER / "katex.min.js").is_file():
        return Path(spec.origin).parent / KATEX_FOLDER
    try:
        folder = cache_dir("katex") / KATEX_SHA256[:12]
    except EcomError as e:
        raise SiteError(str(e)) from None
    if not folder.is_dir():
        download_katex(folder)
    return folder


def add_katex(site: Path) -> None:
    """Copy KaTeX's minified files into the site, and drop from its stylesheet the font formats that were left behind."""
    source, target = katex_folder(), site / "site_libs" / "katex"
    for path in sorted(source.rglob("*")):
        rel = path.relative_to(source).as_posix()
        if KATEX_FILES.fullmatch(rel):
            (target / rel).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target / rel)
    css = target / "katex.min.css"
    css.write_text(re.sub(r',url\([^)]+\.(woff|ttf)\) format\("\w+"\)', "", css.read_text(encoding="utf-8")), encoding="utf-8")


# ---- finishing and checking the pages


def replace_all(path: Path, table: dict[str, str]) -> str:
    """Read a text file with the strings of `table` replaced."""
    text = path.read_text(encoding="utf-8")
    for old, new in table.items():
        text = text.replace(old, new)
    return text


def finish(site: Path) -> None:
    """Put the furniture of the site into Chinese and let its pages load KaTeX, and nothing from elsewhere, from the site."""
    script = site / "site_libs" / "smalldocs.js"
    script.write_text(replace_all(script, JS_FURNITURE), encoding="utf-8")
    for css in (site / "site_libs" / "themes").rglob("*.css"):          # a theme's web font: the book has its own
        css.write_text(re.sub(r"""@import\s*(?:url\((["']?)https?:[^)]*\)|(["'])https?:.*?\2)\s*;""", "", css.read_text(encoding="utf-8")), encoding="utf-8")
    for page in sorted(site.rglob("*.html")):
        up = "../" * (len(page.relative_to(site).parts) - 1)
        html = KATEX_CDN.sub(f"{up}site_libs/katex", replace_all(page, HTML_FURNITURE))
        # what is too wide can be scrolled from the keyboard
        html = re.sub(r'<(pre\b|div(?= class="cell-output cell-output-display)|span(?= class="math display))', r'<\1 tabindex="0"', html)
        page.write_text(html, encoding="utf-8")


class PageAudit(HTMLParser):
    """Collect the resources that a page loads, the text it shows, and the classes it uses."""

    LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "embed": "src", "object": "data"}

    def __init__(self, html: str):
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.classes: set[str] = set()
        self.text: list[str] = []
        self.code: list[str] = []  # scripts and styles
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {k: v or "" for k, v in attrs}
        self.inside = tag if tag in ("script", "style") else self.inside
        if values.get(self.LOADS.get(tag, "")):
            self.loads.append(values[self.LOADS[tag]])
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        self.ids |= {values[k] for k in ("id", "name") if values.get(k)}
        self.classes |= set(values.get("class", "").split())
        self.code.append(values.get("style", ""))

    def handle_endtag(self, tag: str) -> None:
        self.inside = "" if tag == self.inside else self.inside

    def handle_data(self, data: str) -> None:
        (self.code if self.inside else self.text).append(data)


def external(audit: PageAudit) -> list[str]:
    """List the addresses outside the site that a page loads a resource from."""
    found = [u for u in audit.loads if re.match(r"(https?:)?//", u)]
    for code in audit.code:
        found += re.findall(r"""(?:url\(|@import|import\(?|from)\s*["']?((?:https?:)?//[^"')\s]+)""", code)
    return found


def check_pages(site: Path) -> None:
    """Raise where a page of the site loads something from outside, or shows what was meant for a tool."""
    problems = []
    for page in sorted(site.rglob("*.html")):
        audit, name = PageAudit(page.read_text(encoding="utf-8")), page.relative_to(site).as_posix()
        problems += [f"{name} 引用了站外的 {u}" for u in external(audit)]
        problems += [f"{name} {what}" for pattern, what in LEFTOVERS if pattern.search("".join(audit.text))]
        problems += [f"{name} 有{what}" for c, what in (("cell-output-stderr", "警告输出"), ("cell-output-error", "出错的单元")) if c in audit.classes]
    for css in sorted(site.rglob("*.css")):
        text = css.read_text(encoding="utf-8")
        problems += [f"{css.name} 引用了站外的 {u}" for u in re.findall(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""", text)]
    if problems:
        raise SiteError(f"网站有 {len(problems)} 处问题：{'；'.join(problems)}。")


# ---- the renderers


def render_smalldocs(work: Path) -> Path:
    """Render the staged book with smalldocs; any warning of its is an error."""
    from smalldocs import markdown
    from smalldocs.config import BuildError, ConfigError
    from smalldocs.site import build

    markdown.CALLOUTS.update(CALLOUTS)
    try:
        warnings = build(work, quiet=True).warnings
    except (BuildError, ConfigError) as e:
        raise SiteError(f"smalldocs 不能渲染：{' '.join(str(e).split())}") from None
    if warnings:
        raise SiteError(f"smalldocs 有 {len(warnings)} 条警告：{'；'.join(warnings)}。")
    add_katex(work / "_site")
    finish(work / "_site")
    check_pages(work / "_site")
    return work / "_site"


def render_quarto(work: Path) -> Path:
    """Render the staged book with the `quarto` on PATH, without running any cell."""
    if not shutil.which("quarto"):
        raise SiteError("PATH 里没有 quarto：请先安装 Quarto，或用 --renderer smalldocs。")
    if subprocess.run(["quarto", "render", str(work), "--no-execute"], check=False).returncode:
        raise SiteError("quarto render 失败：原因见上面它自己的输出。")
    return work / "_site"


def check_out(out: Path, root: Path) -> None:
    """Raise where replacing the folder `out` would delete something other than a site."""
    if out == root or out in root.parents or out.is_file():
        raise SiteError(f"--out {out} 不能用作网站的文件夹：请换一个。")
    if out.is_dir() and any(out.iterdir()) and not (out / "site_libs").is_dir():
        raise SiteError(f"--out {out} 里有别的文件，不像以前生成的网站：请换一个文件夹，或自己清空它。")


def render(root: Path, out: Path, renderer: str = "smalldocs") -> int:
    """Render the book under `root` into the folder `out`, replacing a former site there; return the number of chapters."""
    for name in ("nbdev", "execnb", *(["smalldocs"] if renderer == "smalldocs" else [])):
        if importlib.util.find_spec(name) is None:
            raise SiteError(f"没有安装 {name}：请运行 pip install -e '.[dev,docs]'。")
    config = read_config(root)
    check_listing(root, config)
    check_out(out, root)
    with tempfile.TemporaryDirectory() as tmp:
        work = Path(tmp).resolve() / "book"
        names = listed(config)
        process(root, work, names, keep_output_file=renderer == "quarto")
        generate(root, work, config)
        write_config(root, work, config, renderer)
        site = {"smalldocs": render_smalldocs, "quarto": render_quarto}[renderer](work)
        runnable.write_copies(root, chapters(names), site)
        shutil.rmtree(out, ignore_errors=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(site, out)
    return len(names)


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="把全书渲染成网站：smalldocs（离线可用）或 Quarto。")
    parser.add_argument("--out", type=Path, default=ROOT / "site", help="网站写到哪个文件夹（默认 site）")
    parser.add_argument("--renderer", choices=["smalldocs", "quarto"], default="smalldocs", help="用什么渲染（默认 smalldocs）")
    parser.add_argument("--katex", action="store_true", help="只取好 KaTeX，以后渲染不再需要网络")
    args = parser.parse_args(argv)
    try:
        if args.katex:
            print(f"KaTeX 在 {katex_folder()}")
        else:
            print(f"{render(ROOT, args.out.resolve(), args.renderer)} 章，网站在 {args.out}")
    except SiteError as e:
        print(f"site.py: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
