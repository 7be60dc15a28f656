"""Copying of several messages: as text with times and names, without what only the screen needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import js

from ui.kit.dom import Listeners, part
from ui.messages.copied import copied_text

_START_TO_START, _END_TO_END = 0, 2


class MessageCopier:
    """Writes the selected messages as text, if more than one is selected."""

    def __init__(self, rows: js.Element, listeners: Listeners) -> None:
        self._rows = rows
        listeners.on(js.document, "copy", self._copy)

    def _copy(self, event: js.ClipboardEvent) -> None:
        selection = js.getSelection()
        if not selection.rangeCount or selection.isCollapsed:
            return
        selected = selection.getRangeAt(0)
        if not selected.intersectsNode(self._rows):
            return
        articles = [
            article for article in self._rows.querySelectorAll("article") if selected.intersectsNode(article)
        ]
        lines = [line for line in _lines(articles, selected) if line[2]]
        if len(lines) > 1:
            event.clipboardData.setData("text/plain", copied_text(lines))
            event.preventDefault()


def _lines(articles: Iterable[Any], selected: Any) -> Iterable[tuple[str, str, str]]:
    """Return time, name and selected text of each message."""
    for article in articles:
        content = part(article, "content")
        time, sender = part(article, "time").textContent, part(article, "sender").textContent
        yield str(time), str(sender), _inside(content, selected)


def _inside(content: Any, selected: Any) -> str:
    """Return what of a content is selected."""
    inside = js.document.createRange()
    inside.selectNodeContents(content)
    if selected.compareBoundaryPoints(_START_TO_START, inside) > 0:
        inside.setStart(selected.startContainer, selected.startOffset)
    if selected.compareBoundaryPoints(_END_TO_END, inside) < 0:
        inside.setEnd(selected.endContainer, selected.endOffset)
    return str(inside.toString()) if content.contains(inside.commonAncestorContainer) else ""
