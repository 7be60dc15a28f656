"""Tables in Markdown and their places in docs/simulations.md, and the two ways in which this project runs a
connection."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from kizuna.options import Options

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGE = DOCS / "simulations.md"
#: What a user of the library gets: the article's five retries, then a person must press "Try now".
LIBRARY = Options()
#: What the chat runs with.
CHAT = Options.from_mapping(json.loads((ROOT / "static" / "config.json").read_text("utf-8"))["connection"])
OPTIONS = {"library": LIBRARY, "chat": CHAT}


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
