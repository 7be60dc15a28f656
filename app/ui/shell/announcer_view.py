"""The live regions for screen readers. The list of messages is not live: everything would be read."""

from __future__ import annotations

from collections import deque

import js

from chat.store import ChatState
from ui.connection.banner import banner_text
from ui.connection.outage import Outage, Phase, connection_part
from ui.kit.dom import by_id
from ui.kit.formats import Formats
from ui.kit.texts import Texts
from ui.shell.announcer import KEPT_FOR, Announcer
from ui.shell.new_messages import NewMessages


class AnnouncerView:
    """Adds announcements to the live regions, and removes them after KEPT_FOR."""

    def __init__(self, texts: Texts, formats: Formats, outage: Outage) -> None:
        self._texts = texts
        self._formats = formats
        self._outage = outage
        self._new_messages = NewMessages()
        self._announcer = Announcer(texts)
        self._room: str | None = None
        self._unread: dict[str, int] = {}  #: of each room, before this draw
        self._nodes: deque[tuple[float, js.Element]] = deque()

    def part(self, state: ChatState) -> object:
        """Return what it announces."""
        return (connection_part(state), state.timeline, state.room_id, state.rooms, state.caught_up)

    def draw(self, state: ChatState, now: float) -> float | None:
        """Announce what is due."""
        wake = self._outage.update(state, now)
        self._announce_room(state)
        self._announcer.add_messages(self._new_messages.update(state))
        self._announcer.set_unsent(state.room_id, len(state.timeline.failed))
        words = banner_text(state, self._outage, self._texts, self._formats.time, js.location.origin)
        failed = self._outage.phase is Phase.FAILED
        self._announcer.set_status(f"{words.title} {words.text}".strip() if words else "", at_once=failed)
        for announcement in self._announcer.due(now):
            node = js.document.createElement("p")
            node.textContent = announcement.text
            by_id("say-at-once" if announcement.at_once else "say-politely").append(node)
            self._nodes.append((now + KEPT_FOR, node))
        while self._nodes and self._nodes[0][0] <= now:
            self._nodes.popleft()[1].remove()
        wakes = [wake, self._announcer.next_due(), self._nodes[0][0] if self._nodes else None]
        return min((at for at in wakes if at is not None), default=None)

    def _announce_room(self, state: ChatState) -> None:
        """Announce another room than before, with what was unread there: entering it has marked that as read."""
        room_id = state.room_id if state.name is not None else None
        if room_id is not None and self._room not in (None, room_id):
            self._announcer.enter_room(room_id, self._unread.get(room_id, 0))
        self._room = room_id
        self._unread = {room.room_id: room.unread for room in state.rooms}
