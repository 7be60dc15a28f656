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
        content.setAttribute("data-foldable", "")
        self._new.append(content)
        self._observer.observe(content)

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
        content.removeAttribute("data-foldable")
        _draw(content)

    def close(self) -> None:
        """Stop observing."""
        self._observer.disconnect()

    def _resized(self, entries: Any) -> None:
        for entry in entries:
            if entry.target.isConnected:
                _draw(entry.target)


def _draw(content: Any) -> None:
    button = part(content.closest("article"), "unfold")
    fits = content.scrollHeight <= content.clientHeight
    if button.hidden != fits:
        button.hidden = fits
