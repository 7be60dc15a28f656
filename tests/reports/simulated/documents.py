"""Tables in Markdown, and the places in docs/simulations.md that they belong to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "simulations.md"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first to the right."""
    lines = [headings, ["---", *("---:" for _ in headings[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def publish(name: str, text: str, *, write: bool) -> None:
    """Print ``text``; with ``write`` also put it between the marks of ``name`` in docs/simulations.md."""
    print(text, flush=True)
    if write:
        PAGE.write_text(replace_part(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")


def replace_part(page: str, name: str, text: str) -> str:
    """``page`` with what stands between the marks of ``name`` replaced. Raises ValueError without such marks."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if begin not in page or end not in page:
        raise ValueError(f"docs/simulations.md has no part {name}: {begin} ... {end}")
    return re.sub(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL
    )
