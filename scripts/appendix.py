"""The appendix of the site: the measurements under bench/results, the cards of models and data, the changelog."""
from __future__ import annotations

import ast
import csv
import html
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference import escape, front, settings, source_link

FOLDER, RESULTS = "appendix", "bench/results"
MAX_ROWS, MAX_TEXT = 24, 90  # rows of a table, characters of a cell that are shown
HEADINGS = {
    "method": "做法", "way": "做法", "how": "做法", "what": "对象", "model": "模型", "llm": "语言模型", "part": "部分", "data": "数据", "set": "数据集", "task": "任务", "job": "任务",
    "kind": "种类", "name": "名字", "case": "情形", "stage": "阶段", "route": "接口", "engine": "引擎", "encoder": "编码器", "reader": "读取器", "judge": "判断者", "metric": "指标",
    "value": "值", "row": "编号", "aspect": "方面", "recipe": "配方", "tokenizer": "词片", "notebook": "笔记本", "cores": "核", "seconds": "秒", "s": "秒", "minutes": "分钟",
    "cpu_seconds": "处理器秒", "cpu_minutes": "处理器分钟", "wall_s": "墙钟秒", "fit_s": "训练秒", "load_s": "载入秒", "p50_ms": "p50 毫秒", "p99_ms": "p99 毫秒", "ms": "毫秒",
    "rows": "行", "texts": "文本", "characters": "字", "chars": "字", "reviews": "评论", "sentences": "句", "users": "用户", "products": "商品", "items": "件", "tokens": "词元",
    "seeds": "种子数", "seed": "种子", "runs": "次数", "epochs": "轮数", "epoch": "轮", "steps": "步", "n": "条数", "n_test": "测试条数", "train": "训练", "valid": "验证", "test": "测试",
    "mean": "平均", "std": "标准差", "test_sd": "测试标准差", "low": "下限", "high": "上限", "accuracy": "准确率", "precision": "精确率", "recall": "召回率", "f1": "F1", "loss": "损失",
    "errors": "错误", "times": "倍数", "speedup": "加速", "share": "占比", "samples": "样本", "params": "参数", "mb": "MB", "rss_mb": "内存 MB", "peak_mb": "峰值内存 MB", "peak_GB": "峰值内存 GB",
    "peak_rss_mb": "峰值内存 MB", "workers": "进程", "processes": "进程", "labels": "标注", "load": "负载", "rate": "每秒请求", "min": "最小", "max": "最大", "coverage": "覆盖", "empty": "空的",
    "texts_per_s": "条/秒", "rows_per_s": "行/秒", "sentences_per_s": "句/秒", "tokens_per_s": "词元/秒", "chars_per_s": "字/秒", "time": "时间",
}
DATA_HEADINGS = {"name": "名字", "kind": "来源", "task": "任务", "language": "语言", "rows": "行数", "columns": "列", "splits": "划分", "licence": "许可", "note": "说明"}
DATA_KINDS = {"package": "PyPI 包", "demo": "随书", "shared": "另取"}


@dataclass
class Record:
    """The newest record of one command in one results file."""

    file: str
    line: int  # from 1
    command: str
    date: str
    machine: str
    rows: list[dict[str, Any]]

    @property
    def script(self) -> str:
        """Path of the script that the command runs, else of the one the file is named after."""
        found = re.search(r"(?:bench|scripts)/\w+\.py", self.command)
        return found[0] if found else f"bench/{self.file}.py"


# ---- measurements


def committed(root: Path) -> dict[str, str]:
    """Map each line of the results to the day on which it was committed; empty where git or its whole history is missing."""
    git = ["git", "-C", str(root)]
    try:
        if subprocess.run([*git, "rev-parse", "--is-shallow-repository"], capture_output=True, text=True, check=True).stdout.strip() != "false":
            return {}
        log = subprocess.run([*git, "log", "-p", "--reverse", "--format=@%cs", "--", RESULTS], capture_output=True, encoding="utf-8", check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return {}
    days, day = {}, ""
    for line in log.splitlines():
        if re.fullmatch(r"@\d{4}-\d\d-\d\d", line):
            day = line[1:]
        elif line.startswith("+{"):
            days.setdefault(line[1:], day)
    return days


def records(root: Path) -> list[Record]:
    """Read the newest record of every (file, command) under bench/results."""
    days, newest = committed(root), {}
    for path in sorted((root / RESULTS).glob("*.jsonl")):
        for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            r = json.loads(line)
            m = r.get("machine", {})
            machine = "，".join(x for x in (m.get("cpu", ""), f"{m['threads']} 线程" if "threads" in m else "", f"Python {m['python']}" if "python" in m else "") if x)
            newest[path.stem, r.get("command", "")] = Record(path.stem, i, r.get("command", ""), (r.get("time", "") or days.get(line, ""))[:10], machine, r.get("rows", [r]))
    return list(newest.values())


def shown(value: Any) -> str:
    """Write one value for a cell: numbers as they are recorded, lists and mappings as compact JSON, long text cut."""
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def html_table(rows: list[dict[str, Any]], headings: dict[str, str]) -> str:
    """Write rows as an HTML table in a raw block, everything escaped; columns in the order in which they first appear."""
    columns = list(dict.fromkeys(c for r in rows for c in r))
    head = "".join(f"<th>{html.escape(headings.get(c, c))}</th>" for c in columns)
    body = "\n".join("<tr>" + "".join(f"<td>{html.escape(shown(r.get(c)))}</td>" for c in columns) + "</tr>" for r in rows)
    table = f'<div class="cell-output cell-output-display measured">\n<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>'
    return f"``````{{=html}}\n{table}\n``````\n"


def record_text(root: Path, r: Record) -> str:
    """Write one record: command, day, machine, the line it stands on, the table."""
    said = " · ".join(x for x in (f"{r.date}" if r.date else "", escape(r.machine), f"[{r.file}.jsonl 第 {r.line} 行]({source_link(root, f'{RESULTS}/{r.file}.jsonl', (r.line, r.line))})") if x)
    note = f"\n共 {len(r.rows)} 行，这里是前 {MAX_ROWS} 行；其余在上面的文件里。\n" if len(r.rows) > MAX_ROWS else ""
    return f"```sh\n{r.command or '（没有记下命令）'}\n```\n\n{said}\n\n{html_table(r.rows[:MAX_ROWS], HEADINGS)}{note}"


def purpose(root: Path, script: str) -> str:
    """First paragraph of a script's docstring, '' where there is none."""
    path = root / script
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) if path.is_file() else None
    return " ".join((doc or "").partition("\n\n")[0].split())


def measurements(root: Path) -> str:
    """Write the page of measurements, by script."""
    found: dict[str, list[Record]] = {}
    for r in records(root):
        found.setdefault(r.script, []).append(r)
    parts = [front("测量", "书里的数字从哪里来：每条命令最近一次的结果、日期与机器。"),
             f"`{RESULTS}/` 里每个文件、每条命令最近的一次，由 `scripts/appendix.py` 写成。日期是测量或记入仓库的那一天；不同的机器上，绝对的秒数不能相比。\n"]
    for script in sorted(found):
        parts.append(f"## {Path(script).stem} {{#{Path(script).stem}}}\n\n[`{script}`]({source_link(root, script)})：{escape(purpose(root, script))}\n")
        parts += [record_text(root, r) for r in found[script]]
    return "\n".join(parts)


# ---- cards and changes


def deeper(text: str, by: int) -> str:
    """Move the headings of a Markdown text down by `by` levels."""
    return re.sub(r"^(#+) ", lambda m: "#" * (len(m[1]) + by) + " ", text, flags=re.M)


def cards(root: Path) -> str:
    """Write the page of cards: each model that travels with the package, then the registry of data sets."""
    parts = [front("模型卡与数据卡", "随包的每个模型与登记的每个数据集：从哪里来、许可、分数、限制。"), "## 模型\n"]
    for path in sorted((root / "data" / "weights").glob("*/README.md")):
        name, text = path.parent.name, path.read_text(encoding="utf-8")
        body = deeper(re.sub(r"\A# (.+)", "", text), 2).replace("#### ", f"#### {name}：")
        parts.append(f"### {re.match(r'# (.+)', text)[1]} {name} {{#{name}}}\n\n{re.sub(r'^- (?={)(.*)$', lambda m: f'- `{m[1]}`', body.strip(), flags=re.M)}\n")
    with open(root / "data" / "datasets.csv", encoding="utf-8", newline="") as f:
        rows = [{k: DATA_KINDS.get(v, v) if k == "kind" else v for k, v in r.items() if k in DATA_HEADINGS} for r in csv.DictReader(f)]
    parts.append(f"## 数据\n\n登记表 `data/datasets.csv`；怎样取得见[数据](../practice/data.ipynb)一章。\n\n{html_table(rows, DATA_HEADINGS)}")
    return "\n".join(parts)


def changes(root: Path) -> str:
    """Write the page of changes from CHANGELOG.md."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    return front("变更", "每个版本改了什么。") + re.sub(r"\A# .+\n", "", text)


def pages(root: Path) -> dict[str, str]:
    """Write the pages, path -> Markdown; none in a repository without measurements."""
    if not settings(root).get("git_url") or not (root / RESULTS).is_dir():
        return {}
    return {f"{FOLDER}/{name}.qmd": make(root) for name, make in (("measurements", measurements), ("cards", cards), ("changes", changes))}


def sidebar(names: dict[str, str]) -> list[dict]:
    """List the pages for the sidebar."""
    texts = {"measurements": "测量", "cards": "模型卡与数据卡", "changes": "变更"}
    found = [{"text": t, "href": f"{FOLDER}/{n}.qmd"} for n, t in texts.items() if f"{FOLDER}/{n}.qmd" in names]
    return [{"section": "附录", "contents": found}] if found else []
