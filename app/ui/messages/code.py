"""Code in messages: blocks between fences, and inline code between backticks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

#: More stay text: each is an element in the page.
MAX_CODES = 100

_FENCE = re.compile(r"^```[^`\n]*$", re.MULTILINE)
_CLOSING_FENCE = re.compile(r"^```[ \t]*$", re.MULTILINE)
_BACKTICKS = re.compile(r"`+|\n")


class Kind(StrEnum):
    """The kinds of spans."""

    TEXT = "text"
    INLINE = "inline"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a message. ``opening`` and ``closing`` are its fences: ``opening + text + closing`` is the source."""

    kind: Kind
    text: str
    opening: str = ""
    closing: str = ""


def spans(text: str) -> list[Span]:
    """Split ``text`` into spans whose sources together are ``text`` again. The time grows with the length alone."""
    if "`" not in text:  # most texts
        return [Span(Kind.TEXT, text)]
    found: list[Span] = []
    for span in _blocks(text):
        found += _inline(span.text) if span.kind is Kind.TEXT else [span]
    return _bounded(found)


def _blocks(text: str) -> Iterator[Span]:
    """A fence is a line of three backticks, the first one with the name of a language behind them if there is one. The
    line breaks beside the fences belong to them."""
    at = 0
    while opening := _FENCE.search(text, at):
        closing = _CLOSING_FENCE.search(text, opening.end() + 1)
        if closing is None:
            break
        begin, end = opening.end() + 1, closing.end() + (text[closing.end() : closing.end() + 1] == "\n")
        inside = max(begin, closing.start() - 1)
        if opening.start() > at:
            yield Span(Kind.TEXT, text[at : opening.start()])
        yield Span(Kind.BLOCK, text[begin:inside], text[opening.start() : begin], text[inside:end])
        at = end
    if at < len(text):
        yield Span(Kind.TEXT, text[at:])


def _inline(text: str) -> list[Span]:
    """Code ends at the next run of as many backticks, in the same line."""
    found: list[Span] = []
    at = 0
    for begin, inside, outside, end in _pairs(text):
        if begin > at:
            found.append(Span(Kind.TEXT, text[at:begin]))
        found.append(Span(Kind.INLINE, text[inside:outside], text[begin:inside], text[outside:end]))
        at = end
    if at < len(text):
        found.append(Span(Kind.TEXT, text[at:]))
    return found


def _pairs(text: str) -> Iterator[tuple[int, int, int, int]]:
    """Yield where opening and closing backticks begin and end."""
    line: list[tuple[int, int]] = []
    for match in _BACKTICKS.finditer(text + "\n"):
        if match[0] != "\n":
            line.append(match.span())
            continue
        yield from _pairs_of_line(line)
        line = []


def _pairs_of_line(runs: list[tuple[int, int]]) -> Iterator[tuple[int, int, int, int]]:
    last: dict[int, int] = {end - begin: index for index, (begin, end) in enumerate(runs)}
    index = 0
    while index < len(runs):
        begin, inside = runs[index]
        if last[inside - begin] <= index:  # nothing closes it
            index += 1
            continue
        index += 1
        while runs[index][1] - runs[index][0] != inside - begin:
            index += 1
        yield begin, inside, *runs[index]
        index += 1


def _bounded(found: list[Span]) -> list[Span]:
    """Return the spans with those behind the MAX_CODES-th code as one text."""
    codes = 0
    for at, span in enumerate(found):
        codes += span.kind is not Kind.TEXT
        if codes > MAX_CODES:
            rest = "".join(each.opening + each.text + each.closing for each in found[at:])
            return [*found[:at], Span(Kind.TEXT, rest)]
    return found
