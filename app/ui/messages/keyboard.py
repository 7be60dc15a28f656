"""Keyboard navigation in the list of messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import js

from ui.kit.dom import Listeners

_KEYS = {"ArrowUp", "ArrowDown", "Home", "End", "Escape"}


class MessageKeys:
    """The keys of the list: Tab enters it, Up, Down, Home and End move in it, Tab reaches the buttons of the focused
    message, Escape returns to the message field, and so does a letter, which is written there."""

    def __init__(
        self,
        box: js.Element,
        rows: js.Element,
        listeners: Listeners,
        *,
        leave: Callable[[], None],
        focus_end: Callable[[], None],
    ) -> None:
        self._box = box
        self._rows = rows
        self._leave = leave
        self._focus_end = focus_end
        self._article: Any = None  #: the focused message
        listeners.on(box, "keydown", self._key)
        listeners.on(box, "focusin", self._focused)

    def _key(self, event: js.KeyboardEvent) -> None:
        key = event.key
        if event.ctrlKey or event.altKey or event.metaKey:
            return
        if _is_letter(key) and event.target.matches("article, [role=log]"):
            self._leave()  # where the browser then writes it
            return
        if key not in _KEYS or event.shiftKey:
            return
        if key == "Escape":
            self._leave()
            return
        target = event.target
        article = target if target.matches("article") else None
        if article is None and target.js_id != self._box.js_id:  # buttons and links handle keys themselves
            return
        if key == "End":
            event.preventDefault()
            self._focus_end()
            return
        wanted = self._wanted(key, article)
        if wanted:
            event.preventDefault()
            wanted.focus()

    def _focused(self, event: js.Event) -> None:
        """Let Tab stop at the buttons of the focused message only."""
        article = event.target.closest("article") or None
        if self._article is not None:
            _set_tab_stops(self._article, False)
        self._article = article
        if article is not None:
            _set_tab_stops(article, True)

    def _wanted(self, key: str, article: Any) -> Any:
        if key == "Home":
            return self._rows.querySelector("article")
        if article is None:
            return self._rows.querySelector("article:last-of-type")
        element = article
        while element:
            element = element.previousElementSibling if key == "ArrowUp" else element.nextElementSibling
            if element and element.matches("article"):
                return element
        return None


def _is_letter(key: str) -> bool:
    """Return whether this key writes a character; a space scrolls."""
    return len(key) == 1 and key != " "


def _set_tab_stops(article: Any, stop: bool) -> None:
    for button in article.querySelectorAll("[data-roving]"):
        button.tabIndex = 0 if stop else -1
