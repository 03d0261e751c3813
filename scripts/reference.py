"""The API reference of the site: every export with its signature, docstring, chapter and source, read from the exported package by `ast` (nothing is imported)."""
from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = "reference"
INDEX = f"{FOLDER}/index.qmd"
CELL = re.compile(r"# %% (?:\.\./)+nbs/(\S+\.ipynb) #(\w+)")
MAX_VALUE = 600  # characters shown of a constant's value
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign | ast.ImportFrom


@dataclass
class Entry:
    """One export, or one public method of an exported class."""

    name: str
    kind: str  # 类, 函数, 方法, 属性 or 常量
    signature: str
    doc: str
    lines: tuple[int, int]
    notebook: str = ""  # path inside nbs/
    cell: str = ""
    methods: list[Entry] = field(default_factory=list)


@dataclass
class Module:
    """One module: its dotted name inside the package, its sentence, the chapter that exports it, its entries in the order of the source."""

    name: str
    path: str  # from the repository's root
    doc: str
    notebook: str
    entries: list[Entry]


def settings(root: Path) -> dict[str, str]:
    """Read the [DEFAULT] section of settings.ini, {} where there is none."""
    parser = ConfigParser(delimiters=["="], interpolation=None)
    parser.read(root / "settings.ini", encoding="utf-8")
    return dict(parser["DEFAULT"])


def source_link(root: Path, path: str, lines: tuple[int, int] | None = None) -> str:
    """Give the address of a file of the repository on its host, at `lines` where they are given."""
    cfg = settings(root)
    return f"{cfg['git_url']}/blob/{cfg['branch']}/{path}" + (f"#L{lines[0]}-L{lines[1]}" if lines else "")


# ---- reading the package


def between(source: bytes, first: tuple[int, int], last: tuple[int, int]) -> str:
    """Cut the text from `first` to `last`, (line from 1, byte of the line), with the indent of its first line taken off."""
    lines = source.split(b"\n")[first[0] - 1 : last[0]]
    lines[-1] = lines[-1][: last[1]]
    lines[0] = lines[0][first[1] :]
    text = b"\n".join(lines).decode()
    return re.sub(rf"\n {{1,{first[1]}}}", "\n", text) if first[1] else text


def header(source: bytes, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    """Cut the decorators and the head of a definition as it is written, without its colon."""
    first, body = (node.decorator_list or [node])[0], node.body[0]
    text = between(source, (first.lineno, node.col_offset), (body.lineno, body.col_offset))
    return re.sub(r" *# noqa.*", "", text).rstrip().removesuffix(":")


def signature(source: bytes, node: Definition) -> str:
    """Show how a definition is called: the head of a function; of a class also its fields and constructor; the assignment of a constant."""
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        text = between(source, (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))
        return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE].rsplit(chr(10), 1)[0].rstrip()} …"
    text = header(source, node)
    if isinstance(node, ast.ClassDef):
        for part in node.body:
            if isinstance(part, (ast.Assign, ast.AnnAssign)):
                line = between(source, (part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset))
            elif getattr(part, "name", "") == "__init__":
                line = header(source, part)
            else:
                continue
            text += "\n    " + line.replace("\n", "\n    ")
    return text


def definitions(body: list[ast.stmt]) -> Iterator[tuple[str, Definition]]:
    """Yield what the statements define, (name, node), inside `if` and `try`, too."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                yield from ((n.id, node) for n in ast.walk(target) if isinstance(n, ast.Name))
        elif isinstance(node, ast.ImportFrom):
            yield from ((a.asname or a.name, node) for a in node.names)
        for block in ("body", "orelse") if isinstance(node, (ast.If, ast.Try)) else ():
            yield from definitions(getattr(node, block))


def kind_of(node: Definition, method: bool = False) -> str:
    """Name the kind of a definition."""
    if isinstance(node, ast.ClassDef):
        return "类"
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return "常量"
    wrapped = {getattr(d, "id", getattr(d, "attr", "")) for d in node.decorator_list}
    return ("属性" if wrapped & {"property", "cached_property"} else "方法") if method else "函数"


def entry(source: bytes, name: str, node: Definition, method: bool = False) -> Entry:
    """Describe one definition; a constant's docstring is the comment at the end of its line."""
    lines = source.decode().splitlines()
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        doc = lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode().strip().removeprefix("#").strip()
    else:
        doc = ast.get_docstring(node) or ""
    first = (getattr(node, "decorator_list", None) or [node])[0].lineno
    cells = (CELL.match(line) for line in reversed(lines[:first]))
    found = next((m for m in cells if m), None)
    made = Entry(name, kind_of(node, method), signature(source, node), doc, (first, node.end_lineno), *(found.groups() if found else ()))
    if isinstance(node, ast.ClassDef):
        made.methods = [entry(source, f"{name}.{n.name}", n, True) for n in node.body
                        if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)) and not n.name.startswith("_")
                        and not any(getattr(d, "id", "") == "overload" for d in n.decorator_list)]
    return made


def exports(tree: ast.Module) -> list[str]:
    """Read a module's `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value)
    return []


def read_module(root: Path, package: str, path: Path) -> Module | None:
    """Read one exported module, None where it exports nothing; what it passes on from another module is described where that module defines it."""
    source = path.read_bytes()
    tree = ast.parse(source)
    names, found = exports(tree), dict(definitions(tree.body))
    edited = re.search(r"File to edit: (?:\.\./)+nbs/(\S+\.ipynb)", source.decode())
    if not names or not edited:
        return None
    entries = []
    for name in names:
        node = found[name]
        if isinstance(node, ast.ImportFrom):
            target = path.parents[node.level - 1] / f"{(node.module or '').replace('.', '/')}.py"
            other = target.read_bytes()
            made = entry(other, name, dict(definitions(ast.parse(other).body))[name])
            made.lines = (node.lineno, node.end_lineno)
        else:
            made = entry(source, name, node)
        entries.append(made)
    dotted = ".".join(path.relative_to(root / package).with_suffix("").parts)
    return Module(dotted, path.relative_to(root).as_posix(), ast.get_docstring(tree) or "", edited[1], entries)


@functools.cache
def modules(root: Path) -> list[Module]:
    """Read every module of the package that exports something."""
    package = settings(root).get("lib_path", "")
    if not package or not (root / package).is_dir():
        return []
    read = (read_module(root, package, p) for p in sorted((root / package).rglob("*.py")) if p.name[0] != "_")
    return [m for m in read if m]


# ---- writing the pages


def escape(text: str) -> str:
    """Write plain text as Markdown that shows it as it is; `code` stays code."""
    parts = re.split(r"(`[^`\n]+`)", text)
    parts[::2] = [re.sub(r"[\\*_<>\[\]$#~^@{}|`\"']", r"\\\g<0>", p) for p in parts[::2]]
    return "".join(parts)


def linked(text: str, module: Module, known: dict[str, str]) -> str:
    """Write a docstring as Markdown, with a link on the code that names an export of this module, or any export by its full name."""
    own = {e.name for e in module.entries}

    def link(m: re.Match[str]) -> str:
        target = f"#{m[1]}" if m[1] in own else known.get(m[1])
        return f"[{m[0]}]({target})" if target else m[0]

    return re.sub(r"`([\w.]+)`", link, escape(text))


def entry_text(root: Path, module: Module, e: Entry, known: dict[str, str], level: int = 2) -> str:
    """Write one entry, and those of its methods below it."""
    chapter = f"[所在的一格](../{e.notebook}#cell-{e.cell})" if e.cell else ""
    links = " · ".join(x for x in (e.kind, chapter, f"[源码]({source_link(root, module.path, e.lines)})") if x)
    doc = linked(e.doc, module, known) if e.doc else "含义见所在的一格。"
    text = f"{'#' * level} `{e.name}` {{#{e.name}}}\n\n```python\n{e.signature}\n```\n\n{doc}\n\n::: {{.api-links}}\n{links}\n:::\n"
    return "\n".join([text, *(entry_text(root, module, m, known, level + 1) for m in e.methods)])


def title_of(root: Path, notebook: str) -> str:
    """Read the title of a chapter."""
    first = json.loads((root / "nbs" / notebook).read_text(encoding="utf-8"))["cells"][0]["source"]
    return re.sub(r"[`$]", "", re.match(r"\s*# ([^\n]+)", "".join(first))[1]).strip()


def front(title: str, description: str = "") -> str:
    """Write the front matter of a page; without `smart`, which would turn the ... and " of a docstring into other characters."""
    values = {"title": title, "description": description, "from": "markdown-smart"}
    return "".join(f"{k}: {json.dumps(v, ensure_ascii=False)}\n" for k, v in values.items() if v).join(("---\n", "---\n\n"))


def page_name(module: Module) -> str:
    """Name the page of a module."""
    return f"{FOLDER}/{module.name}.qmd"


def pages(root: Path, parts: dict[str, list[str]]) -> dict[str, str]:
    """Write the pages, path -> Markdown: an index and one page a module, in the order of the chapters; `parts` of the book -> notebooks (paths inside nbs/)."""
    package, found = settings(root).get("lib_name", ""), modules(root)
    if not found:
        return {}
    known = {f"{package}.{m.name}.{e.name}": f"{m.name}.qmd#{e.name}" for m in found for e in m.entries}
    index = [front("API 参考", "每个导出的名字一条：签名、说明、定义它的那一格、源码。"),
             f"{len(found)} 个模块，{sum(len(m.entries) for m in found)} 个名字；由 `scripts/reference.py` 从导出的包写成。\n"]
    made = {}
    for part, of_part in by_part(found, parts):
        index.append(f"\n## {part}\n")
        for m in of_part:
            index.append(f"- [`{m.name}`]({m.name}.qmd)：{m.doc}")
            head = f"{m.doc}\n\n" if "$" in m.doc else ""  # smalldocs loads KaTeX for the text of a page, not for its description
            head += f"`from {package}.{m.name} import …`，由[{escape(title_of(root, m.notebook))}](../{m.notebook})一章导出，[源码]({source_link(root, m.path)})。\n\n"
            made[page_name(m)] = front(f"{package}.{m.name}", "" if "$" in m.doc else m.doc) + head + "\n".join(entry_text(root, m, e, known) for e in m.entries)
    return {INDEX: "\n".join(index) + "\n", **made}


def by_part(found: list[Module], parts: dict[str, list[str]]) -> Iterator[tuple[str, list[Module]]]:
    """Yield the parts of the book that export something, each with its modules in the order of its chapters."""
    for part, notebooks in parts.items():
        of_part = sorted((m for m in found if m.notebook in notebooks), key=lambda m: (notebooks.index(m.notebook), m.name))
        if of_part:
            yield part, of_part


def sidebar(root: Path, parts: dict[str, list[str]]) -> list[dict]:
    """List the pages for the sidebar, by part."""
    contents = [{"section": part, "contents": [{"text": m.name, "href": page_name(m)} for m in of_part]} for part, of_part in by_part(modules(root), parts)]
    return [{"section": "API 参考", "href": INDEX, "contents": contents}] if contents else []
