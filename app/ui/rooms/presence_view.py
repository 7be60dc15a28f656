"""Presence and typing on the page."""

from __future__ import annotations

from chat.store import ChatState
from ui.kit.dom import by_id
from ui.kit.texts import Texts
from ui.rooms.presence_text import present_words, typing_words


class PresenceView:
    """The number beside the room's name, and the line above the field. Neither is announced to screen readers: both
    change too often."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._present = by_id("present")
        self._typing = by_id("typing")

    def part(self, state: ChatState) -> object:
        """Return presence and typing."""
        return (state.present, state.present_or_more, state.typing)

    def draw(self, state: ChatState, now: float) -> float | None:
        """Draw both."""
        count = state.present
        self._present.hidden = count is None
        if count is not None:
            short, words = present_words(count, state.present_or_more, self._texts)
            by_id("present-number").textContent = short
            by_id("present-words").textContent = words
        typing = typing_words(state.typing, self._texts)
        by_id("typing-words").textContent = typing
        self._typing.toggleAttribute("data-shown", bool(typing))
        return None
