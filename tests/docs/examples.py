"""The programs in docs/library/, and how a test runs one.

A comment before a block names the test that runs it: `<!-- run by test_the_loop_goes_on -->`. The test gets the code of
its blocks, in order, as ``codes``, or that of its only one as ``code``.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "docs" / "library"
_NAMED = re.compile(r"<!-- run by (test_\w+) -->")


@dataclass(frozen=True)
class Example:
    """One block of code in a document. ``test``: the test that runs it; empty if none is named."""

    place: str
    language: str
    code: str
    test: str


def examples_in(text: str, name: str) -> Iterator[Example]:
    """The blocks of code in a document, as the builder of the site sees them."""
    test = ""
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "fence":
            line = token.map[0] + 1 if token.map else 0
            yield Example(f"{name}:{line}", token.info.strip(), token.content, test)
        named = _NAMED.fullmatch(token.content.strip()) if token.type == "html_block" else None
        test = named[1] if named else ""


def examples() -> list[Example]:
    """Every block of code in docs/library/."""
    return [
        example
        for document in sorted(LIBRARY.glob("*.md"))
        for example in examples_in(document.read_text(encoding="utf-8"), document.name)
    ]


def codes_of(test: str) -> list[str]:
    """The blocks of code that name this test, in the order of documents and lines. There is one at least."""
    found = [example.code for example in examples() if example.test == test]
    assert found, f"no document says `<!-- run by {test} -->`"
    return found


async def run(code: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run a program, in which `await` stands outside of functions as in PyScript, and return its names."""
    names = {"__name__": "example"} if names is None else names
    program = compile(code, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(program, names)  # noqa: S307 - a program of our own documents
    if inspect.iscoroutine(running):
        await running
    return names
