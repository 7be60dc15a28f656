"""New messages of others, for announcements: neither the history that is loaded at the start, nor own messages."""

from __future__ import annotations

from chat.store import ChatState
from chat.timeline import Entry, Timeline


class NewMessages:
    """The new messages of others in the shown room, each once. ``update`` may be called any number of times."""

    def __init__(self) -> None:
        self._room: str | None = None
        self._timeline: Timeline | None = None
        self._is_ready = False  #: the room has caught up; later messages are new

    def update(self, state: ChatState) -> list[Entry]:
        """Return what is new in ``state`` since the last call, oldest first."""
        if state.room_id != self._room or state.name is None:
            self._room, self._timeline, self._is_ready = state.room_id, None, False
        before, self._timeline = self._timeline, state.timeline
        new: list[Entry] = []
        if self._is_ready and before is not None and before is not state.timeline:
            new = _new_of_others(before, state.timeline)
        if state.caught_up and state.name is not None:
            self._is_ready = True
        return new


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
