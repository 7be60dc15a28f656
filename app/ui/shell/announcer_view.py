"""The live regions of a screen reader. The list itself is no live region: it would read everything, always."""

from __future__ import annotations

from collections import deque

import js

from chat.store import ChatState
from ui.connection.banner import banner_words
from ui.connection.outage import Outage, Phase
from ui.kit.dom import by_id
from ui.kit.formats import Formats
from ui.kit.texts import Texts
from ui.messages.arrivals import Arrivals
from ui.shell.announcer import KEPT_FOR, Announcer


class AnnouncerView:
    """Responsible for putting announcements into the page, and taking them out when they have been read."""

    def __init__(self, texts: Texts, formats: Formats, outage: Outage, arrivals: Arrivals) -> None:
        self._texts = texts
        self._formats = formats
        self._outage = outage
        self._arrivals = arrivals
        self._announcer = Announcer(texts)
        self._heard = 0
        self._spoken: deque[tuple[float, js.Element]] = deque()

    def draw(self, state: ChatState, now: float) -> float | None:
        """Say what is due."""
        self._arrivals.update(state)
        wake = self._outage.update(state, now)
        self._announcer.hear(self._arrivals.since(self._heard))
        self._heard = self._arrivals.total
        self._announcer.unsent(state.room_id, len(state.timeline.failed))
        words = banner_words(state, self._outage, self._texts, self._formats.time, js.location.origin)
        failed = self._outage.phase is Phase.FAILED
        self._announcer.status(f"{words.title} {words.text}".strip() if words else "", at_once=failed)
        for utterance in self._announcer.due(now):
            node = js.document.createElement("p")
            node.textContent = utterance.text
            by_id("say-at-once" if utterance.at_once else "say-politely").append(node)
            self._spoken.append((now + KEPT_FOR, node))
        while self._spoken and self._spoken[0][0] <= now:
            self._spoken.popleft()[1].remove()
        wakes = [wake, self._announcer.next_due(), self._spoken[0][0] if self._spoken else None]
        return min((at for at in wakes if at is not None), default=None)
