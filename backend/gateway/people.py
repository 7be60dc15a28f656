"""The limits of one person at the local gateway, over all their connections.

Two things are shared by all connections of a person: a token bucket for their frames, and the frames that are taken in
and not yet handled. Beyond either nothing is dropped: reading waits, so that the rest waits in TCP at the sender. A
person who keeps the bucket empty for long is disconnected.

The threads are handed out to people in turn. Otherwise the frames of twenty people who send as fast as they can would
come before the one frame of another person.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from backend.limits.rate_limit import MICROSECONDS, Rate

# An honest person's burst: 20 tabs that come back to 50 rooms send 20 hellos and 1,000 syncs, and each sends its
# outbox, one message a room. Continuously: a ping of each tab in 30 s, 10 messages a second.
FRAMES_PER_SECOND = 100.0
FRAMES_BURST_SECONDS = 15
# Frames of one person that are taken in: a message to each of 50 rooms, and the ping that must not wait behind them.
MAX_TAKEN_IN = 64
# Threads of one pool that handle frames of one person at the same time. Python runs one of them: with more, all others
# would only wait longer for its lock. Measured with 50 connections that ask for history, another person's ack took 33
# ms with 4 and 48 ms with 8.
THREADS_EACH = 4
# An honest burst beyond the bucket is over sooner.
EMPTY_SECONDS = 10.0


def frame_rate(per_second: float) -> Rate | None:
    """Return the bucket of one person's frames: so many a second, and 15 s of that at once; 0: no limit."""
    return Rate(per_second, max(1, round(per_second * FRAMES_BURST_SECONDS))) if per_second else None


class Person:
    """The present use of one person with open connections. Made by :class:`People`."""

    def __init__(self) -> None:
        self.connections = 0
        self.slots = asyncio.Semaphore(MAX_TAKEN_IN)  #: for frames that are taken in
        self.arrival = 0  #: theoretical arrival time of GCRA, monotonic microseconds
        self.empty_since: float | None = None  #: monotonic seconds; None: the last frame did not wait


class People:
    """The frames of each person. ``monotonic`` gives seconds; ``rate`` None: any number of them.

    Only the event loop may call it.
    """

    def __init__(self, *, rate: Rate | None, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._people: dict[str, Person] = {}

    def __len__(self) -> int:
        """Return how many people are remembered."""
        return len(self._people)

    def enter(self, person_id: str) -> Person:
        """Count a new connection of this person."""
        person = self._people.setdefault(person_id, Person())
        person.connections += 1
        return person

    def leave(self, person: Person) -> None:
        """Count the end of a connection of this person."""
        person.connections -= 1

    def sweep(self) -> None:
        """Forget people without a connection whose bucket is full. Called every few seconds."""
        now = int(self._monotonic() * MICROSECONDS)
        self._people = {
            person_id: person
            for person_id, person in self._people.items()
            if person.connections or person.arrival > now
        }

    def pace(self, person: Person) -> float:
        """Count one more frame. Return the seconds for which it has to wait."""
        if self._rate is None:
            return 0.0
        now = self._monotonic()
        person.arrival, wait = self._rate.reserve(person.arrival, int(now * MICROSECONDS))
        if not wait:
            person.empty_since = None
        elif person.empty_since is None:
            person.empty_since = now
        return wait / MICROSECONDS

    def is_flooding(self, person: Person) -> bool:
        """Return whether every frame of the last 10 s, over all connections, had to wait."""
        since = person.empty_since
        return since is not None and self._monotonic() - since >= EMPTY_SECONDS


class _Share:
    """One person's share of a pool."""

    def __init__(self) -> None:
        self.running = 0
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.is_listed = False  #: among those who get the next free threads


class Turns:
    """The ``threads`` of one pool, handed out to people in turn, at most ``each`` to one person.

    Only the event loop may call it.
    """

    def __init__(self, threads: int, each: int = THREADS_EACH) -> None:
        self._free = threads
        self._each = each
        self._shares: dict[str, _Share] = {}
        # The shares that wait and may have one more thread; first those without one.
        self._first: deque[_Share] = deque()
        self._others: deque[_Share] = deque()

    def __len__(self) -> int:
        """Return how many people have a thread or wait for one."""
        return len(self._shares)

    async def take(self, person_id: str) -> None:
        """Wait until a thread is free and it is this person's turn. :meth:`give_back` it afterwards."""
        share = self._shares.setdefault(person_id, _Share())
        # While a thread is free, no share waits that may have it.
        if self._free and share.running < self._each:
            self._give(share)
            return
        turn = asyncio.get_running_loop().create_future()
        share.waiting.append(turn)
        self._list(share)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # its turn came in the same moment
                self.give_back(person_id)
            else:
                if turn in share.waiting:
                    share.waiting.remove(turn)
                self._forget(person_id)
            raise

    def give_back(self, person_id: str) -> None:
        """Give a thread back after a frame was handled; the next person in turn gets it."""
        share = self._shares[person_id]
        share.running -= 1
        self._free += 1
        self._list(share)
        while self._free and (listed := self._first or self._others):
            following = listed.popleft()
            following.is_listed = False
            if (turn := _first_of(following.waiting)) is not None:
                self._give(following)
                turn.set_result(None)
            self._list(following)
        self._forget(person_id)

    def _give(self, share: _Share) -> None:
        share.running += 1
        self._free -= 1

    def _forget(self, person_id: str) -> None:
        share = self._shares.get(person_id)
        if share is not None and not share.running and not share.waiting:
            del self._shares[person_id]

    def _list(self, share: _Share) -> None:
        if share.waiting and not share.is_listed and share.running < self._each:
            share.is_listed = True
            (self._others if share.running else self._first).append(share)


def _first_of(waiting: deque[asyncio.Future[None]]) -> asyncio.Future[None] | None:
    """Return the first future that still waits."""
    while waiting:
        turn = waiting.popleft()
        if not turn.done():
            return turn
    return None
