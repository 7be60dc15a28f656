"""The strip that says how many messages were not sent, when there are several."""

from __future__ import annotations

from collections.abc import Callable

from chat.store import ChatState
from ui.actions import Actions
from ui.kit.dom import Listeners, by_id
from ui.kit.texts import Texts

SHOWN_FROM = 2  #: messages: one alone says it itself


class UnsentView:
    """Responsible for the strip above the field."""

    def __init__(
        self, actions: Actions, texts: Texts, listeners: Listeners, focus_composer: Callable[[], None]
    ) -> None:
        """``focus_composer``: puts the focus where one writes, since the button goes when it is pressed."""
        self._actions = actions
        self._texts = texts
        self._focus_composer = focus_composer
        self._strip = by_id("unsent")
        self._words = by_id("unsent-words")
        self._count = 0
        listeners.on(by_id("retry-all"), "click", lambda _: self._retry_all())

    def draw(self, state: ChatState, now: float) -> float | None:
        """The strip, or none."""
        count = len(state.timeline.failed)
        if count != self._count:
            self._count = count
            self._strip.hidden = count < SHOWN_FROM
            self._words.textContent = self._texts("unsent.words", count=count)
        return None

    def _retry_all(self) -> None:
        self._actions.retry_all()
        self._focus_composer()
