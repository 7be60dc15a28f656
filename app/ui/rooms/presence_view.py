"""Who else is there: how many people are in the room, and who of them is writing."""

from __future__ import annotations

from chat.store import ChatState
from ui.kit.dom import by_id
from ui.kit.texts import Texts
from ui.rooms.presence_text import present_words, typing_words


class PresenceView:
    """Responsible for the number beside the room's name, and for the line above the field. No reader is told of
    either by itself: both change too often to be worth an interruption."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._present = by_id("present")
        self._typing = by_id("typing")
        self._drawn: tuple[object, ...] = ()

    def draw(self, state: ChatState, now: float) -> float | None:
        """Both."""
        wanted = (state.present, state.present_or_more, state.typing)
        if wanted == self._drawn:
            return None
        self._drawn = wanted
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
