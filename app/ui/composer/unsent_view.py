"""The strip with the number of failed messages, and "Retry all"."""

from __future__ import annotations

from collections.abc import Callable

from chat.store import ChatState
from ui.actions import Actions
from ui.kit.dom import Listeners, by_id
from ui.kit.texts import Texts

SHOWN_FROM = 2  #: messages; a single one has its own button


class UnsentView:
    """The strip above the field."""

    def __init__(
        self, actions: Actions, texts: Texts, listeners: Listeners, focus_composer: Callable[[], None]
    ) -> None:
        """``focus_composer`` moves the focus, since the pressed button disappears."""
        self._actions = actions
        self._texts = texts
        self._focus_composer = focus_composer
        self._strip = by_id("unsent")
        self._words = by_id("unsent-words")
        listeners.on(by_id("retry-all"), "click", lambda _: self._retry_all())

    def part(self, state: ChatState) -> object:
        """Return how many messages failed."""
        return len(state.timeline.failed)

    def draw(self, state: ChatState, now: float) -> float | None:
        """Show or hide the strip."""
        count = len(state.timeline.failed)
        self._strip.hidden = count < SHOWN_FROM
        self._words.textContent = self._texts("unsent.words", count=count)
        return None

    def _retry_all(self) -> None:
        self._actions.retry_all()
        self._focus_composer()
