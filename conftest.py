"""What nbval needs to know of nbdev's habits: cleaned cells have no execution count, and `#| eval: false` cells are not run."""
from __future__ import annotations

import re

import pytest


def pytest_collection_modifyitems(items):
    "Give cleaned cells a count (nbval takes a missing one for 'never run'); skip the cells that nbdev would skip."
    for item in items:
        cell = getattr(item, "cell", None)
        if cell is None or getattr(cell, "cell_type", "") != "code":
            continue
        if cell.get("execution_count") is None:
            cell["execution_count"] = 1
        if re.search(r"^#\|\s*eval:\s*false", cell.source, re.M):
            item.add_marker(pytest.mark.skip(reason="#| eval: false"))
