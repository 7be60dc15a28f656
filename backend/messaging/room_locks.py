"""Locks by room: one thread of this process at a time."""

from __future__ import annotations

import threading

# Rooms share locks by their hash: enough that two busy rooms rarely meet at one.
LOCKS = 64


class RoomLocks:
    """A fixed number of reentrant locks, of which each room has one: a gateway may run the next event inside a post."""

    def __init__(self) -> None:
        self._locks = tuple(threading.RLock() for _ in range(LOCKS))

    def of(self, room_id: str) -> threading.RLock:
        """Return the lock of a room."""
        return self._locks[hash(room_id) % LOCKS]
