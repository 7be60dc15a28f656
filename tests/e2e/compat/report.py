"""The table of versions in docs/library/versions.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tests.support.server import ROOT
from tools.reports import documents
from tools.setup.compat import Cell

PAGE = ROOT / "docs" / "library" / "versions.md"
HEADINGS = ("Release", "Pyodide", "Python", "Page", "Worker")
CONTEXTS = ("page", "worker")


def table(cells: Iterable[Cell], worked: Mapping[str, str], browser: str) -> str:
    """Return the table, and the browser that it was made with.

    Args:
        cells: All that were tried.
        worked: The name of a cell that works -> its version of Python.
        browser: The version of Chromium.
    """
    by_release: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        by_release.setdefault(_release(cell), {})[cell.context] = cell
    rows = []
    for release, contexts in by_release.items():
        said = ["works" if contexts[context].name in worked else "**fails**" for context in CONTEXTS]
        pythons = {worked[cell.name] for cell in contexts.values() if cell.name in worked}
        rows.append((release, contexts["page"].pyodide, ", ".join(sorted(pythons)), *said))
    written = documents.table(HEADINGS, rows, words=len(HEADINGS))
    return f"{written}\n\nTried with Chromium {browser.partition('.')[0]}."


def rows_of(cells: Iterable[Cell]) -> list[tuple[str, str]]:
    """Return release and Pyodide of each row that the table must have."""
    return list(dict.fromkeys((_release(cell), cell.pyodide) for cell in cells))


def rows_in(page: str) -> list[tuple[str, str]]:
    """Return release and Pyodide of each row of a document in which page and worker work."""
    return re.findall(r"^\| (\S+ [\d.]+) \| ([\d.]+) \| [\d.]+ \| works \| works \|$", page, re.MULTILINE)


def _release(cell: Cell) -> str:
    return f"{'PyScript' if cell.core else 'Pyodide'} {cell.release}"
