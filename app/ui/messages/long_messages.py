"""Messages taller than a screen: the page shows their beginning until somebody asks for all."""

from __future__ import annotations

from typing import Any

import js

from ui.kit.dom import Listeners, part

#: Lines that show; static/css/messages.css has the same number. A text of fewer characters has fewer lines, however
#: narrow the page and wide the letters.
LINES = 30


class LongMessages:
    """Responsible for which messages are folded, and for their buttons."""

    def __init__(self, listeners: Listeners) -> None:
        self._new: list[Any] = []
        self._observer = js.ResizeObserver.new(listeners.keep(lambda entries, _: self._resized(entries)))

    def observe(self, content: Any) -> None:
        """Fold this part of a new row if it is too tall, now and in whatever width the page gets."""
        content.setAttribute("data-foldable", "")
        self._new.append(content)
        self._observer.observe(content)

    def measure(self) -> None:
        """Draw the buttons of rows that are in the page now, so that they have their height from the beginning."""
        for content in self._new:
            _draw(content)
        self._new.clear()

    def expand(self, article: Any) -> None:
        """Show all of it."""
        if part(article, "unfold").contains(js.document.activeElement):
            article.focus()
        content = part(article, "content")
        content.removeAttribute("data-foldable")
        _draw(content)

    def close(self) -> None:
        """Watch no longer."""
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
