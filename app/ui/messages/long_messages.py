"""Long messages: only their beginning is shown until the person selects "Show all"."""

from __future__ import annotations

from typing import Any

import js

from ui.kit.dom import Listeners, part

#: Lines that are shown; as in static/css/messages.css.
LINES = 30
#: A line has at least so many characters on average, on the narrowest screen and with the largest text.
_CHARACTERS = 4


def may_be_long(text: str) -> bool:
    """Return whether ``text`` may take more than LINES lines."""
    return text.count("\n") + len(text) // _CHARACTERS >= LINES


class LongMessages:
    """The long messages of the page, and their buttons."""

    def __init__(self, listeners: Listeners) -> None:
        self._new: list[Any] = []
        self._observer = js.ResizeObserver.new(listeners.keep(lambda entries, _: self._resized(entries)))

    def observe(self, content: Any) -> None:
        """Shorten this content of a new row if it is too tall, now and after each change of width."""
        self._new.append(content)
        self._observer.observe(content.parentElement)  # the content has no box of its own

    def observe_block(self, block: Any) -> None:
        """Let Tab stop at a block of code while it scrolls sideways, now and after each change of width."""
        self._observer.observe(block)

    def measure(self) -> None:
        """Show the buttons of rows that were just added, before their height is used."""
        for content in self._new:
            _draw(content)
        self._new.clear()

    def expand(self, article: Any) -> None:
        """Show the whole message."""
        if part(article, "unfold").contains(js.document.activeElement):
            article.focus()
        content = part(article, "content")
        self._observer.unobserve(content.parentElement)
        _fold(article, False)

    def close(self) -> None:
        """Stop observing."""
        self._observer.disconnect()

    def _resized(self, entries: Any) -> None:
        for entry in entries:
            target = entry.target
            if target.isConnected and target.matches("pre"):
                _let_scroll(target)
            elif target.isConnected:
                _draw(part(target, "content"))


def _let_scroll(block: Any) -> None:
    scrolls = block.scrollWidth > block.clientWidth
    if scrolls != block.hasAttribute("tabindex"):
        block.toggleAttribute("tabindex", scrolls)
        if scrolls:
            block.tabIndex = 0


def _draw(content: Any) -> None:
    article = content.closest("article")
    if article.hasAttribute("data-folded"):
        is_long = content.scrollHeight > content.clientHeight
    else:
        line = float(js.getComputedStyle(content).lineHeight.removesuffix("px"))
        is_long = content.offsetHeight > (LINES + 0.5) * line
    if is_long != article.hasAttribute("data-folded"):
        _fold(article, is_long)


def _fold(article: Any, folded: bool) -> None:
    article.toggleAttribute("data-folded", folded)
    part(article, "unfold").hidden = not folded
