"""New messages of others, for announcements: neither the history that is loaded at the start, nor own messages."""

from __future__ import annotations

from dataclasses import dataclass

from chat.protocol import Message
from chat.store import ChatState


@dataclass(frozen=True, slots=True)
class New:
    """New messages."""

    count: int  #: how many
    latest: tuple[Message, ...]  #: the last of them, oldest first; all unless there are very many


class NewMessages:
    """The new messages of others in the shown room, each once. ``update`` may be called any number of times."""

    def __init__(self) -> None:
        self._room: str | None = None
        self._arrivals: int | None = None
        self._is_ready = False  #: the room has caught up; later messages are new

    def update(self, state: ChatState) -> New:
        """Return what is new in ``state`` since the last call."""
        if state.room_id != self._room or state.name is None:
            self._room, self._arrivals, self._is_ready = state.room_id, None, False
        timeline, before = state.timeline, self._arrivals
        self._arrivals = timeline.arrivals
        count = max(0, timeline.arrivals - before) if self._is_ready and before is not None else 0
        self._is_ready = self._is_ready or (state.caught_up and state.name is not None)
        return New(count, timeline.latest[-count:] if count > 0 else ())
