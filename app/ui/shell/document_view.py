"""The document: the public attributes, changed at once, and the title, changed with the next frame."""

from __future__ import annotations

from collections.abc import Callable

import js

from chat.store import ChatState, ChatStore
from ui.connection.outage import Outage, connection_part
from ui.kit.texts import Texts
from ui.shell.title import page_title


class DocumentView:
    """The attributes ``data-status``, ``data-caught-up`` and ``data-joined`` of ``<html>``, and the title."""

    def __init__(self, store: ChatStore, texts: Texts, outage: Outage) -> None:
        self._texts = texts
        self._outage = outage
        self._root = js.document.documentElement
        self._root.lang = texts.language
        # Not with the next frame: a hidden page has none, and automation may wait for these there.
        self._unsubscribe: list[Callable[[], None]] = [
            store.subscribe(lambda state: state.connection.status, self._show_status),
            store.subscribe(lambda state: state.caught_up, self._show_caught_up),
            store.subscribe(lambda state: state.name is not None, self._show_joined),
        ]
        self._show_status(store.state.connection.status)
        self._show_caught_up(store.state.caught_up)
        self._show_joined(store.state.name is not None)

    def part(self, state: ChatState) -> object:
        """Return what the title shows."""
        return (connection_part(state), state.room_id, state.unread_everywhere)

    def draw(self, state: ChatState, now: float) -> float | None:
        """Draw the title."""
        wake = self._outage.update(state, now)
        js.document.title = page_title(
            state.room_id if state.name is not None else None,
            state.unread_everywhere,
            self._texts("title.trouble") if self._outage.in_trouble else "",
        )
        return wake

    def close(self) -> None:
        """Unsubscribe from the store."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()

    def _show_status(self, status: str) -> None:
        self._root.setAttribute("data-status", str(status))

    def _show_caught_up(self, caught_up: bool) -> None:
        self._root.setAttribute("data-caught-up", "true" if caught_up else "false")

    def _show_joined(self, joined: bool) -> None:
        self._root.toggleAttribute("data-joined", joined)
