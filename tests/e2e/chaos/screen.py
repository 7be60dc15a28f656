"""What one sees on a page, read in one go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

from tests.e2e.chaos.verdict import Line

_READ = """
    const read = () => ({
        status: document.documentElement.dataset.status,
        caughtUp: document.documentElement.dataset.caughtUp === "true",
        draft: document.getElementById("composer-text").value,
        notice: document.getElementById("notice-text").textContent,
        messages: [...document.querySelectorAll("[role=log] article")].map((article) => [
            article.querySelector('[data-part="content"]').textContent,
            Number(article.dataset.seq) || null,
            article.dataset.state,
        ]),
    });
"""
LOOK = f"() => {{ {_READ} return read(); }}"

#: As a person reads back: to the top, and again when more is there, until the first message of all is.
READ_BACK = f"""async (seconds) => {{
    {_READ}
    const log = document.querySelector("[role=log]");
    const end = performance.now() + seconds * 1000;
    const isWhole = () => log.querySelector("article")?.dataset.seq === "1" || log.dataset.count === "0";
    while (!isWhole() && performance.now() < end) {{
        log.scrollTop = log.scrollTop ? 0 : 1;  // a place that does not change is no scrolling
        await new Promise((resolve) => setTimeout(resolve, 30));
    }}
    return read();
}}"""

#: States of messages that the server does not have yet, or never will (docs/contract.md).
_NOT_STORED = ("queued", "sending", "failed")


@dataclass(frozen=True, slots=True)
class Screen:
    """A page at one moment."""

    status: str
    caught_up: bool
    draft: str
    notice: str
    lines: tuple[Line, ...]
    waiting: tuple[str, ...]  #: messages that the server does not have, with their state

    @property
    def newest(self) -> int:
        """The number of the newest message, 0 where there is none."""
        return max((line.seq or 0 for line in self.lines), default=0)

    @property
    def unrest(self) -> str:
        """What is not yet as it is when all is well; empty when nothing is left to wait for."""
        parts = []
        if self.status != "connected":
            parts.append(self.status)
        if not self.caught_up:
            parts.append("not caught up")
        if self.waiting:
            parts.append(f"{len(self.waiting)} waiting ({', '.join(self.waiting[:5])})")
        if self.draft:
            parts.append(f"{self.draft!r} in the composer")
        if parts and self.notice:
            parts.append(f"a notice: {self.notice}")
        return ", ".join(parts)


def look(page: Page) -> Screen:
    """The page as it is."""
    return _screen(page.evaluate(LOOK))


def read_back(page: Page, within: float) -> Screen:
    """The page once the reader has gone back to the very first message, or has tried for so many seconds."""
    return _screen(page.evaluate(READ_BACK, within))


def _screen(seen: dict[str, Any]) -> Screen:
    messages: list[tuple[str, int | None, str]] = seen["messages"]
    return Screen(
        status=seen["status"],
        caught_up=seen["caughtUp"],
        draft=seen["draft"],
        notice=seen["notice"],
        lines=tuple(Line(text, seq) for text, seq, _ in messages),
        waiting=tuple(f"{text!r} {state}" for text, _, state in messages if state in _NOT_STORED),
    )
