"""New messages of others: neither the history that is loaded at the start, nor own messages."""

from __future__ import annotations

from collections import deque
from itertools import islice

from chat.store import ChatState
from chat.timeline import Entry, Timeline

MAX_REMEMBERED = 500


class NewMessages:
    """The new messages of others, each counted once. For those since a moment, save ``total`` then and pass it to
    since() later. ``update`` may be called any number of times."""

    def __init__(self) -> None:
        self.total = 0
        self._recent: deque[Entry] = deque(maxlen=MAX_REMEMBERED)
        self._room: str | None = None
        self._timeline: Timeline | None = None
        self._is_ready = False  #: the room has caught up; later messages are new

    def update(self, state: ChatState) -> None:
        """Count the new messages of ``state``."""
        if state.room_id != self._room or state.name is None:
            self._room, self._timeline, self._is_ready = state.room_id, None, False
        before, self._timeline = self._timeline, state.timeline
        if self._is_ready and before is not None and before is not state.timeline:
            new = _new_of_others(before, state.timeline)
            self.total += len(new)
            self._recent.extend(new)
        if state.caught_up and state.name is not None:
            self._is_ready = True

    def since(self, total: int) -> list[Entry]:
        """Return the messages after ``total``, at most MAX_REMEMBERED, oldest first."""
        count = min(self.total - total, len(self._recent))
        return list(islice(self._recent, len(self._recent) - count, None))


def _new_of_others(before: Timeline, now: Timeline) -> list[Entry]:
    """Return entries of others after the newest of ``before``. Earlier ones are history, loaded later."""
    newest = before.confirmed[-1] if before.confirmed else None
    last_seq = before.last_seq
    new: list[Entry] = []
    for entry in reversed(now.confirmed):
        if newest is not None and entry.key == newest.key:
            break
        if entry.seq is not None and last_seq is not None and entry.seq <= last_seq:
            break
        if not entry.own:
            new.append(entry)
    return new[::-1]
