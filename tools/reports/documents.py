"""Tables and charts in Markdown, and their places in the documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
SIMULATIONS = ROOT / "docs" / "simulations.md"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a Markdown table; the first ``words`` columns are text, the others numbers."""
    marks = ["---"] * words + ["---:"] * (len(headings) - words)
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, marks, *rows))


def chart(title: str, bars: Mapping[str, float]) -> str:
    """Return a chart with a bar for each name."""
    return f"""```mermaid
xychart-beta horizontal
    title {json.dumps(title)}
    x-axis {json.dumps(list(bars))}
    bar {list(bars.values())}
```"""


def rewritten(page: str, name: str, text: str) -> str:
    """Return ``page`` with ``text`` between the marks of ``name``. Raises ValueError for a page without them."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the document has no part for this: {begin} ... {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def publish(name: str, text: str, *, write: bool, page: Path = BENCHMARKS) -> None:
    """Print ``text``; with ``write`` also put it into the document."""
    print(text, flush=True)
    if write:
        page.write_text(rewritten(page.read_text(encoding="utf-8"), name, text), encoding="utf-8")
