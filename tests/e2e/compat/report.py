"""The table of versions in docs/library/versions.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tests.support.server import ROOT
from tools.reports import documents
from tools.setup.compat import Cell

PAGE = ROOT / "docs" / "library" / "versions.md"
HEADINGS = ("Release", "Pyodide", "Python", "Page", "Worker")


def table(cells: Iterable[Cell], worked: Mapping[str, str], browser: str) -> str:
    """Return the table, and the browser that it was made with.

    Args:
        cells: All that were tried.
        worked: The name of a cell that works -> its version of Python.
        browser: The version of Chromium.
    """
    rows = []
    for (release, pyodide), (page, worker) in _by_release(cells).items():
        said = ["works" if cell.name in worked else "**fails**" for cell in (page, worker)]
        pythons = sorted({worked[cell.name] for cell in (page, worker) if cell.name in worked})
        rows.append((release, pyodide, ", ".join(pythons), *said))
    written = documents.table(HEADINGS, rows, words=len(HEADINGS))
    return f"{written}\n\nTried with Chromium {browser.partition('.')[0]}."


def rows_of(cells: Iterable[Cell]) -> list[tuple[str, str]]:
    """Return release and Pyodide of each row that the table must have."""
    return list(_by_release(cells))


def rows_in(page: str) -> list[tuple[str, str]]:
    """Return release and Pyodide of each row of a document in which page and worker work."""
    return re.findall(r"^\| (\S+ [\d.]+) \| ([^|]+) \| [\d.]+ \| works \| works \|$", page, re.MULTILINE)


def _by_release(cells: Iterable[Cell]) -> dict[tuple[str, str], list[Cell]]:
    """Return page and worker of each release, by the first two columns of its row."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(f"{'PyScript' if cell.core else 'Pyodide'} {cell.release}", []).append(cell)
    return {
        (name, ", in workers ".join(dict.fromkeys(cell.pyodide for cell in both))): both
        for name, both in found.items()
    }
