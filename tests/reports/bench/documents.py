"""Tables in Markdown, and the places in docs/benchmarks.md that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.support.server import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], words: int) -> str:
    """A Markdown table; the first columns hold ``words``, the others numbers."""
    marks = ["---"] * words + ["---:"] * (len(headings) - words)
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, marks, *rows))


def rewritten(page: str, name: str, text: str) -> str:
    """``page`` with ``text`` between the marks of ``name``. Raises ValueError for a page without them."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"docs/benchmarks.md has no part for this: {begin} ... {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def publish(name: str, text: str, *, write: bool) -> None:
    """Print ``text``; with ``write`` also put it into the document."""
    print(text)
    if write:
        PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")
