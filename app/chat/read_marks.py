"""How far a person has read in each room: shared by the tabs of a browser, which count unread messages from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias

from chat import protocol
from kizuna import Settings

READ_KEY = "kizuna.read."

#: By room: the epoch and the newest seq that was read.
Marks: TypeAlias = Mapping[str, tuple[str, int]]


class ReadMarks:
    """The marks in ``settings``, one value for each person."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get(self, person: str) -> Marks:
        """Return the marks of this person; none if they are missing or invalid."""
        try:
            stored = json.loads(self._settings.get(READ_KEY + person) or "{}")
            return {
                protocol.check_room("room", room): (
                    protocol.check_id("epoch", epoch),
                    protocol.check_integer("seq", seq),
                )
                for room, (epoch, seq) in stored.items()
            }
        except (ValueError, TypeError, AttributeError, RecursionError):
            return {}

    def advance(self, person: str, marks: Marks) -> None:
        """Store these marks, unless another tab has read further."""
        before = self.get(person)
        after = {
            **before,
            **{room: mark for room, mark in marks.items() if _is_newer(mark, before.get(room))},
        }
        self._write(person, before, after)

    def forget(self, person: str, room_id: str) -> None:
        """Delete the mark of a room that was left."""
        before = self.get(person)
        self._write(person, before, {room: mark for room, mark in before.items() if room != room_id})

    def delete(self, person: str) -> None:
        """Delete every mark of this person."""
        self._settings.delete(READ_KEY + person)

    def _write(self, person: str, before: Marks, after: Marks) -> None:
        if after != before:  # each write is an event in the other tabs
            self._settings.set(READ_KEY + person, json.dumps(after, ensure_ascii=False))


def _is_newer(mark: tuple[str, int], before: tuple[str, int] | None) -> bool:
    return before is None or before[0] != mark[0] or before[1] < mark[1]
