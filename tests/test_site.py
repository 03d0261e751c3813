"""The website of the book: every chapter has a page, nothing is left over, nothing comes from outside, and a real browser shows it."""
from __future__ import annotations

import ast
import functools
import html
import http.server
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("smalldocs", reason="smalldocs is not installed: pip install -e '.[docs]'")
pytest.importorskip("nbdev", reason="nbdev is not installed: pip install -e '.[dev]'")

ROOT = Path(__file__).resolve().parent.parent
SPEC = importlib.util.spec_from_file_location("book_site", ROOT / "scripts" / "site.py")
book = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(book)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def cell(source: str, kind: str = "markdown") -> SimpleNamespace:
    """Make a notebook cell."""
    return SimpleNamespace(source=source, cell_type=kind)


def notebook(*cells: str) -> str:
    """Make the JSON of a notebook of Markdown cells."""
    made = [{"cell_type": "markdown", "metadata": {}, "id": f"c{i}", "source": s} for i, s in enumerate(cells)]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def plain(text: str) -> str:
    """Strip tags, Markdown marks and spaces from a piece of a page or of a notebook."""
    return re.sub(r"[\s`*\\$]", "", html.unescape(re.sub(r"<[^>]+>", "", text)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render the whole book once."""
    try:
        book.katex_folder()
    except book.SiteError as e:
        pytest.skip(str(e))
    out = tmp_path_factory.mktemp("book") / "site"
    book.render(ROOT, out)
    return out


@pytest.fixture(scope="module")
def audits(site: Path) -> dict[Path, book.PageAudit]:
    """Parse every page of the site."""
    return {p: book.PageAudit(p.read_text(encoding="utf-8")) for p in sorted(site.rglob("*.html"))}


def page_of(site: Path, name: str) -> Path:
    """Name the page of a notebook."""
    return (site / name.removeprefix("nbs/")).with_suffix(".html")


# ---- the book and its sidebar


def test_sidebar_lists_every_notebook():
    config = book.read_config(ROOT)
    assert sorted(book.listed(config)) == book.written(ROOT)
    assert config["lang"] == "zh" and config["website"]["title"] == "AI大语言模型在电商营销中的实践"


@pytest.fixture
def small_book(tmp_path: Path) -> Path:
    """Make a book of one chapter, with the settings of the real one."""
    shutil.copytree(ROOT / "nbs" / "images", tmp_path / "nbs" / "images")
    (tmp_path / "nbs" / "index.ipynb").write_text(notebook("# 首页\n\n> 一句话。\n\n正文。"), encoding="utf-8")
    config = book.read_config(ROOT)
    config["website"]["sidebar"]["contents"] = [{"text": "首页", "href": "nbs/index.ipynb"}]
    config["website"]["navbar"]["left"] = []
    (tmp_path / "_quarto.yml").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")  # JSON is YAML
    for name in ("settings.ini", "styles.css"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize(("change", "message"), [("add", "漏列了笔记本：nbs/extra.ipynb"), ("remove", "还不存在的笔记本：nbs/index.ipynb")])
def test_a_missing_or_unlisted_notebook_is_one_sentence(small_book: Path, monkeypatch, capsys, change: str, message: str):
    index = small_book / "nbs" / "index.ipynb"
    shutil.copy(index, small_book / "nbs" / "extra.ipynb") if change == "add" else index.unlink()
    monkeypatch.setattr(book, "ROOT", small_book)
    assert book.main(["--out", str(small_book / "site")]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1 and not (small_book / "site").exists()


def test_out_is_not_emptied_unless_it_is_a_site(small_book: Path):
    (small_book / "docs").mkdir()
    (small_book / "docs" / "mine.txt").write_text("keep")
    for out in (small_book, small_book / "docs", small_book.parent, small_book / "settings.ini"):
        with pytest.raises(book.SiteError, match="--out"):
            book.render(small_book, out)
    assert (small_book / "docs" / "mine.txt").read_text() == "keep"


def test_quarto_is_given_the_processed_notebooks(small_book: Path, monkeypatch, tmp_path_factory: pytest.TempPathFactory):
    bin_ = tmp_path_factory.mktemp("bin")
    (bin_ / "quarto").write_text('#!/bin/sh\nmkdir "$2/_site" && cp "$2/_quarto.yml" "$2/index.ipynb" "$2/_site/" && echo "$@" > "$2/_site/args"\n')
    (bin_ / "quarto").chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_), prepend=":")
    assert book.render(small_book, small_book / "_docs", "quarto") == 1
    assert "--no-execute" in (small_book / "_docs" / "args").read_text()
    assert "output-file: index.html" in (small_book / "_docs" / "index.ipynb").read_text()
    config = (small_book / "_docs" / "_quarto.yml").read_text(encoding="utf-8")
    assert "lang: zh" in config and "nbs/" not in config


def test_a_broken_notebook_is_one_sentence(small_book: Path):
    (small_book / "nbs" / "index.ipynb").write_text("{", encoding="utf-8")
    with pytest.raises(book.SiteError, match="nbs/index.ipynb 不是合法的笔记本"):
        book.render(small_book, small_book / "site")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("见[别处](other.ipynb)。", "broken link other.ipynb"),
        ('<script src="https://example.org/x.js"></script>', "站外的 https://example.org/x.js"),
        ('<p style="background: url(//example.org/x.png)">图</p>', "站外的 //example.org/x.png"),
        ("```\n#| export\n```", "#| 指令"),
        ("$$ a = b $$ {#eq-one}", r"{#…} 编号"),
    ],
    ids=["link", "script", "style", "directive", "equation"],
)
def test_a_page_with_a_leftover_or_an_outside_file_is_refused(small_book: Path, site: Path, body: str, message: str):
    (small_book / "nbs" / "index.ipynb").write_text(notebook("# 首页", body), encoding="utf-8")
    with pytest.raises(book.SiteError, match=re.escape(message)):
        book.render(small_book, small_book / "site")


def test_katex_with_another_checksum_is_refused(monkeypatch, tmp_path: Path):
    def download(cmd: list[str], **_: object) -> SimpleNamespace:
        (Path(cmd[cmd.index("--dest") + 1]) / "other-1.0-py3-none-any.whl").write_bytes(b"not KaTeX")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(book.subprocess, "run", download)
    with pytest.raises(book.SiteError, match="SHA-256"):
        book.download_katex(tmp_path / "katex")
    assert not (tmp_path / "katex").exists()


# ---- what the processing adds to nbdev's


def test_lines_are_joined_only_where_chinese_meets_chinese():
    text = "规则：先写临时名，\n成功后改名。\n`os.replace` 是原子的\n\n| 甲 |\n|---|\n| 乙 |\n\n- 一，\n- 二\n\n## 标题\n正文\n\n```\n甲\n乙\n```\n"
    nb = SimpleNamespace(cells=[cell(text), cell("# 注释\n# 第二行", "code")])
    book.join_lines(nb)
    assert nb.cells[0].source == text.replace("临时名，\n成功", "临时名，成功")
    assert nb.cells[1].source == "# 注释\n# 第二行"


def test_long_imports_are_folded():
    imports = "import os\nimport re\n\nfrom pathlib import Path\nif TYPE_CHECKING:\n    import pandas"
    nb = SimpleNamespace(cells=[cell(imports, "code"), cell(f"{imports}\nx = 1", "code"), cell("import os", "code"), cell("%magic(\n\n\n\n\n", "code")])
    before = [c.source for c in nb.cells]
    book.fold_imports(nb)
    assert nb.cells[0].source == f"#| code-fold: true\n#| code-summary: 导入\n{imports}"
    assert [c.source for c in nb.cells[1:]] == before[1:]


# ---- the rendered site


def test_every_notebook_has_a_page_with_its_title_and_its_text(site: Path):
    for name in book.written(ROOT):
        cells = json.loads((ROOT / name).read_text(encoding="utf-8"))["cells"]
        page = page_of(site, name).read_text(encoding="utf-8")
        first = "".join(cells[0]["source"])
        title = re.match(r"# (.+)", first)[1]
        assert plain(title) == plain(re.search(r'<h1 class="title">(.*?)</h1>', page)[1]), name
        shown = plain(page)
        for source in (first, *("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")):
            for words in re.findall(r"[\u4e00-\u9fff]{6,}", re.sub(r"<!--.*?-->", "", source, flags=re.S)):
                assert words in shown, f"{name} 的页面里没有“{words}”"


def test_exported_code_is_shown_and_directives_are_not(site: Path, audits: dict):
    assert "def atomic_path" in "".join(audits[page_of(site, "nbs/practice/core.ipynb")].text)
    for path, audit in audits.items():
        text = "".join(audit.text)
        assert not [p.pattern for p, _ in book.LEFTOVERS if p.search(text)], path
        assert not {"cell-output-stderr", "cell-output-error"} & audit.classes, path
        assert "default_exp" not in text, path


def test_furniture_is_chinese(site: Path):
    for path in (*site.rglob("*.html"), site / "site_libs" / "smalldocs.js"):
        text = path.read_text(encoding="utf-8")
        left = re.findall(r'placeholder="[A-Z]\w+|aria-label="[A-Z]\w+|title="[A-Z][\w ]+"|>(?:No results|Note|Tip|Warning|Back to top)<', text)
        assert not left, (path.name, left)
        assert path.suffix == ".js" or '<html lang="zh"' in text


def test_nothing_is_loaded_from_outside(site: Path, audits: dict):
    assert {p: book.external(a) for p, a in audits.items() if book.external(a)} == {}
    assert (site / "site_libs" / "katex" / "fonts" / "KaTeX_Main-Regular.woff2").is_file()
    for css in site.rglob("*.css"):
        for url in re.findall(r"url\(\s*[\"']?([^\"')]+)", css.read_text(encoding="utf-8")):
            assert url.startswith(("data:", "#")) or (css.parent / urlsplit(url).path).is_file(), (css.name, url)


def test_internal_links_lead_to_a_page_and_an_id(site: Path, audits: dict):
    for path, audit in audits.items():
        for link in (*audit.links, *audit.loads):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file() and target.is_relative_to(site), (path.name, link)
            if parts.fragment and target in audits:
                assert unquote(parts.fragment) in audits[target].ids, (path.name, link)


def test_navigation_follows_the_sidebar(site: Path, audits: dict):
    names = book.listed(book.read_config(ROOT))
    for before, after in zip(names, names[1:], strict=False):
        page = page_of(site, before).read_text(encoding="utf-8")
        following = re.search(r'nav-page-next"><a href="([^"]+)"', page)[1]
        assert (page_of(site, before).parent / following).resolve() == page_of(site, after)
    indexed = {entry["href"].split("#")[0] for entry in json.loads((site / "search.json").read_text(encoding="utf-8"))}
    made = {p.relative_to(site).as_posix() for part in ("reference", "appendix") for p in (site / part).glob("*.html")}
    assert indexed == {page_of(Path(), n).as_posix() for n in names} | made and len(made) > 50
    listed = {(site / unquote(urlsplit(link).path)).resolve() for link in audits[site / "index.html"].links}
    assert {site / name for name in made} <= listed


# ---- the pages that code makes


def sections(page: str) -> dict[str, str]:
    """Cut a page of the reference into its entries, id -> HTML."""
    parts = re.split(r'<section id="([^"]+)"', page)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented(path: Path) -> dict[str, str]:
    """Read the first line of the docstring of every function, class and public method of a source file."""
    found, body = {}, ast.parse(path.read_text(encoding="utf-8")).body
    for node in [*body, *(n for b in body if isinstance(b, (ast.If, ast.Try)) for n in ast.walk(b))]:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            members = [m for m in node.body if isinstance(m, (ast.FunctionDef, ast.AsyncFunctionDef)) and m.name[0] != "_"] if isinstance(node, ast.ClassDef) else []
            for name, part in [(node.name, node), *((f"{node.name}.{m.name}", m) for m in members)]:
                found[name] = (ast.get_docstring(part) or "").partition("\n")[0]
    return found


def test_every_export_is_in_the_reference(site: Path):
    base = book.reference.settings(ROOT)
    prefix, wrong, count = f"{base['git_url']}/blob/{base['branch']}/", [], 0
    docs = {p: documented(p) for p in (ROOT / "ecom_nbdev").rglob("*.py")}
    anywhere = {name: doc for found in docs.values() for name, doc in found.items()}
    for path, own in docs.items():
        exported = re.search(r"^__all__ = (\[.*?\])", path.read_text(encoding="utf-8"), re.M | re.S)
        if not exported or path.name[0] == "_":
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        passed_on = " ".join(line for line in lines if line.startswith("from ."))
        page = site / "reference" / f"{'.'.join(path.relative_to(ROOT / 'ecom_nbdev').with_suffix('').parts)}.html"
        entries = sections(page.read_text(encoding="utf-8"))
        for name in ast.literal_eval(exported[1]):
            for each in [name, *(n for n in own if n.startswith(f"{name}."))]:
                count += 1
                entry = entries.get(each, "")
                doc = own.get(each, anywhere.get(each) if re.search(rf"\b{each}\b", passed_on) else None)
                link = re.search(rf'href="{re.escape(prefix + path.relative_to(ROOT).as_posix())}#L(\d+)-L(\d+)"', entry)
                if not link or each.rpartition(".")[2] not in "\n".join(lines[int(link[1]) - 1 : int(link[2])]) or (doc is not None and not (doc and plain(html.escape(doc)) in plain(entry))):
                    wrong.append((page.name, each))
    assert wrong == []
    assert count > 1300


def test_a_signature_is_shown_as_it_is_written(site: Path):
    shown = html.unescape(re.sub(r"<[^>]+>", "", sections((site / "reference/compliance.html").read_text(encoding="utf-8"))["check"]))
    source = (ROOT / "ecom_nbdev" / "compliance.py").read_text(encoding="utf-8")
    assert re.search(r"^def check\(.*?\) -> [^\n]+(?=:$)", source, re.M | re.S)[0] in shown


def test_the_newest_of_every_measurement_is_shown(site: Path):
    text = plain((site / "appendix" / "measurements.html").read_text(encoding="utf-8"))
    for path in sorted((ROOT / "bench" / "results").glob("*.jsonl")):
        newest = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
        for _, found in ((c, text.partition(plain(c))[2]) for c in [newest.get("command", path.name)]):
            assert found, path.name
            for value in newest.get("rows", [newest])[0].values():
                assert plain(book.appendix.shown(value)) in found, (path.name, value)


def test_measurements_are_text_and_long_tables_are_cut(tmp_path: Path):
    (tmp_path / "bench" / "results").mkdir(parents=True)
    shutil.copy(ROOT / "settings.ini", tmp_path)
    old, new = ({"command": "python bench/x.py", "machine": {"cpu": "<b>"}, "rows": [{"seconds": i, "note": "<script>x</script>"} for i in range(n)]} for n in (3, 40))
    (tmp_path / "bench/results/x.jsonl").write_text(f"{json.dumps(old)}\n{json.dumps(new)}\n", encoding="utf-8")
    page = book.appendix.measurements(tmp_path)
    assert "<script>" not in page and "<b>" not in page and page.count("&lt;script&gt;") == book.appendix.MAX_ROWS
    assert "共 40 行，这里是前 24 行" in page and page.count("python bench/x.py") == 1 and "<th>秒</th><th>note</th>" in page


def test_the_cards_name_every_model_and_data_set(site: Path):
    text = plain((site / "appendix" / "cards.html").read_text(encoding="utf-8"))
    names = [p.name for p in (ROOT / "data" / "weights").iterdir()] + [line.partition(",")[0] for line in (ROOT / "data" / "datasets.csv").read_text(encoding="utf-8").splitlines()[1:]]
    assert [n for n in names if n not in text] == [] and len(names) > 30
    assert plain((ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()[-1].removeprefix("- ")) in plain((site / "appendix" / "changes.html").read_text(encoding="utf-8"))


def test_every_chapter_can_be_run(site: Path, audits: dict):
    from IPython.core.inputtransformer2 import TransformerManager

    measured = book.runnable.timings(ROOT)
    for name in book.chapters(book.written(ROOT)):
        page, path = page_of(site, name), name.removeprefix("nbs/")
        links = audits[page].links
        assert f"../notebooks/{path}" in links and f"https://colab.research.google.com/github/ecom-nbdev/ecom_nbdev/blob/notebooks/{path}" in links
        assert f"https://mybinder.org/v2/gh/ecom-nbdev/ecom_nbdev/main?urlpath=lab/tree/{name}" in links
        assert [t for t in audits[page].text if "核）" in t and t.startswith("运行约")] == ([book.runnable.takes(measured[name])] if name in measured else []), name
        install, *cells = json.loads((site / "notebooks" / path).read_text(encoding="utf-8"))["cells"]
        assert cells == json.loads((ROOT / name).read_text(encoding="utf-8"))["cells"]
        ast.parse(TransformerManager().transform_cell("".join(install["source"])))
        assert 'find_spec("ecom_nbdev") is None' in "".join(install["source"])


def test_what_a_run_takes_is_said_in_round_figures():
    assert book.runnable.takes({"seconds": 41.3, "peak_mb": 1130, "cores": 2}) == "运行约 40 秒，内存 1.1 GB（2 核）"
    assert book.runnable.takes({"seconds": 400, "peak_mb": 186, "cores": 1}) == "运行约 7 分钟，内存 190 MB（1 核）"
    assert book.runnable.takes({"seconds": 1, "peak_mb": 186, "cores": 1}).startswith("运行约 5 秒")


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="no wait4 on this system")
def test_a_run_is_measured_and_leaves_the_notebook_alone(tmp_path: Path):
    "In a small process of its own: the peak of a child begins at the size of the process that starts it."
    books = []
    for name, source in (("big", "held = bytearray(400_000_000)"), ("bad", "1 / 0")):
        made = json.loads(notebook("# 题"))
        made["cells"].append({"cell_type": "code", "id": "c9", "metadata": {}, "execution_count": None, "outputs": [], "source": source})
        books.append(tmp_path / f"{name}.ipynb")
        books[-1].write_text(json.dumps(made), encoding="utf-8")
    before = [p.read_bytes() for p in books]
    code = ("import os, sys; from pathlib import Path; sys.path[:0] = sys.argv[1:3]; import common, notebooks; folder = Path(sys.argv[3]); "
            "common.RESULTS, notebooks.ROOT = folder / 'results', folder; sys.exit(notebooks.record([folder / 'big.ipynb', folder / 'bad.ipynb'], os.environ | {'ECOM_THREADS': '1'}))")
    assert subprocess.run([sys.executable, "-c", code, ROOT / "bench", ROOT / "scripts", tmp_path]).returncode == 1 and [p.read_bytes() for p in books] == before
    rows = json.loads((tmp_path / "results" / "notebooks.jsonl").read_text(encoding="utf-8"))["rows"]
    assert [(r["notebook"], r["cores"]) for r in rows] == [("big.ipynb", 1)] and 400 < rows[0]["peak_mb"] < 700


# ---- in a real browser


WORDS = {"掩码": "theory/attention", "层归一化": "theory/transformer", "困惑度": "theory/language_model", "下一句预测": "theory/pretraining", "序列标注": "practice/tagging",
         "填充": "practice/text", "分词": "practice/segmentation", "关键词": "practice/keywords", "少标签": "practice/fewshot", "适配器": "practice/adapt",
         "广告法": "apps/compliance", "用户画像": "apps/profile", "商品推荐": "apps/recommend", "预算": "apps/planning", "突发": "apps/planning",
         "差分隐私": "frontier/privacy", "忠实度": "frontier/explain", "蒸馏": "frontier/compress", "许可": "tools/licences", "勘误": "faq/errata", "near_duplicates": "reference/splits"}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serve without a log."""

    def log_message(self, *args: object) -> None:
        """Keep the test's output quiet."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Serve the site on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Start the browser of this machine."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[docs]'")
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH")
    with sync_api.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def open_page(chromium: Any, url: str = "about:blank", **context: object) -> Any:
    """Open a page in a window of its own."""
    page = chromium.new_context(**context).new_page()
    page.goto(url)
    return page


def test_every_page_on_a_phone(chromium, site: Path, address: str):
    page, seen, fonts = open_page(chromium, viewport={"width": 390, "height": 844}), [], set()
    page.on("console", lambda m: seen.append(m.text))
    page.on("pageerror", lambda e: seen.append(str(e)))
    page.on("request", lambda r: None if r.url.startswith((address, "data:")) else seen.append(f"asked for {r.url}"))
    page.on("response", lambda r: fonts.add(r.url.rpartition("/")[2]))
    page.on("response", lambda r: seen.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    wrong, formulas = {}, {}
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site).as_posix()
        seen.clear()
        page.goto(f"{address}/{name}")
        told = page.evaluate("""() => {
            const root = document.documentElement, parts = performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'));
            return {formulas: document.querySelectorAll('.katex-display').length, wide: root.scrollWidth - root.clientWidth, bytes: parts.reduce((sum, r) => sum + r.transferSize, 0), errors: document.querySelectorAll('.katex-error').length,
                    raw: [...document.querySelectorAll('.math')].filter(m => !m.querySelector('.katex')).length, blind: document.querySelectorAll('main img:not([alt])').length}}""")
        formulas[name] = told["formulas"]
        if seen or told["wide"] > 0 or told["bytes"] > 1_500_000 or told["errors"] or told["raw"] or told["blind"]:
            wrong[name] = (list(seen), told)
    assert wrong == {} and formulas["practice/models.html"] and formulas["practice/classify.html"]
    assert "KaTeX_Main-Regular.woff2" in fonts, "公式的字体没有载入"


def test_search_finds_the_chapter(chromium, address: str):
    page, missed, told = open_page(chromium, viewport={"width": 1280, "height": 900}), {}, []
    page.on("console", lambda m: told.append(m.text))
    page.goto(f"{address}/index.html")
    for word, chapter in WORDS.items():
        page.fill(".smalldocs-search input", word)
        page.wait_for_timeout(300)
        found = page.eval_on_selector_all("a.search-result", "links => links.map(a => a.getAttribute('href'))")
        if not any(f"{chapter}.html" in link for link in found):
            missed[word] = found[:5]
    assert missed == {}
    page.fill(".smalldocs-search input", "没有这样的词组合在一起")
    page.wait_for_timeout(300)
    assert page.locator("a.search-result").count() == 0 and told == []


def test_tabs_switch(chromium, address: str):
    page = open_page(chromium, f"{address}/tools/frameworks.html", viewport={"width": 1280, "height": 900})
    tabs = page.locator(".panel-tabset").first
    shown = tabs.locator(".tab-pane:visible")
    assert shown.count() == 1
    first = shown.inner_text()
    tabs.get_by_role("tab", name="NumPy").click()
    page.wait_for_timeout(300)
    assert shown.count() == 1 and shown.inner_text() != first and "def numpy" in shown.inner_text()


def test_dark_theme_follows_the_reader(chromium, address: str):
    tones = {}
    for scheme in ("light", "dark"):
        page = open_page(chromium, f"{address}/faq/errata.html", color_scheme=scheme)
        tones[scheme] = page.evaluate("""() => [document.body, document.querySelector('main h1'), document.querySelector('main pre')].map((e, i) =>
            getComputedStyle(e)[i ? 'color' : 'backgroundColor'].match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0) / 3)""")
    assert tones["light"][0] > 200 > tones["light"][1] and tones["dark"][0] < 60 < tones["dark"][1]
    assert tones["light"][2] < 100 and tones["dark"][2] > 150, "代码在深色下也看得清"


@pytest.mark.parametrize("name", ["faq/claims", "practice/tensorflow", "index", "reference/apps.adday"])
def test_rules_of_accessibility(chromium, address: str, name: str):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: pip install -e '.[docs]'").Axe()
    page = open_page(chromium, f"{address}/{name}.html", viewport={"width": 1280, "height": 900})
    found = axe.run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}).response["violations"]
    assert {v["id"]: [n["html"][:120] for n in v["nodes"][:3]] for v in found} == {}
