"""Rejection of dropped files and pasted images."""

from __future__ import annotations

import js
from pyodide.ffi import JsNull

from chat.store import NoticeKind
from ui.actions import Actions
from ui.composer.rules import has_only_files, replaces_page
from ui.kit.dom import Listeners


class FileGuard:
    """Shows a notice that only text can be sent, where the browser would open the file in place of the page."""

    def __init__(self, actions: Actions, listeners: Listeners) -> None:
        self._actions = actions
        for event in ("dragover", "drop"):
            listeners.on(js.document, event, self._drag)
        listeners.on(js.document, "paste", self._paste)

    def _drag(self, event: js.DragEvent) -> None:
        types = _types(event.dataTransfer)
        find_field = getattr(event.target, "closest", None)  # a text node has none
        if not replaces_page(types, in_field=bool(find_field and find_field("textarea, input"))):
            return
        event.preventDefault()
        if event.type == "drop" and "Files" in types:
            self._actions.show_notice(NoticeKind.ONLY_TEXT)

    def _paste(self, event: js.ClipboardEvent) -> None:
        if has_only_files(_types(event.clipboardData)):
            event.preventDefault()
            self._actions.show_notice(NoticeKind.ONLY_TEXT)


def _types(transfer: js.DataTransfer | JsNull) -> list[str]:
    """Return the types of a drop or paste; none for an event made by a script."""
    return [*getattr(transfer, "types", ())]
