"""Many who speak in one room at once, each in a function of their own: how many messages a second the head takes.

The compare-and-set of :mod:`backend.messaging.message_log` lets one of several rivals win. Here messages come at
random to one room and go the way of ``Rooms.append`` in virtual time: read the head, read the sender's rate, transact,
and after a conflict wait as :mod:`backend.store.retry` does. The database's times are assumed
(:mod:`tools.reports.scaling.given`).
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from backend.store.retry import ATTEMPTS, BASE_SECONDS, CAP_SECONDS
from tools.reports.scaling import given

# How long a room is spoken to.
SECONDS = 120


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the messages of one room."""

    offered: int
    refused: int  #: after the last attempt: ``nack busy``, retryable; the page asks again
    attempts: int
    delays: tuple[float, ...]  #: seconds from the frame to the commit's answer, of those that were stored

    def delay(self, share: float) -> float:
        """The delay, in seconds, that this share of the stored messages did not exceed."""
        return sorted(self.delays)[math.ceil(share * len(self.delays)) - 1]


class _Room:
    """Responsible for one head: its seq, and whether a transaction holds it."""

    def __init__(self) -> None:
        self.seq = self.attempts = self.refused = 0
        self.held = False
        self.delays: list[float] = []


def speak(per_second: float, *, seconds: float = SECONDS, seed: int = 1) -> Outcome:
    """Messages at random, ``per_second`` on average, for so many ``seconds``; the same for the same ``seed``."""
    chance = random.Random(seed)  # noqa: S311  # arrivals, not secrets
    room = _Room()
    steps: list[tuple[float, int, Iterator[float]]] = []
    arrival, offered = 0.0, 0
    while (arrival := arrival - math.log(1 - chance.random()) / per_second) < seconds:
        offered += 1
        heapq.heappush(steps, (arrival, offered, _append(room, chance)))
    while steps:
        now, number, message = heapq.heappop(steps)
        if (pause := next(message, None)) is not None:
            heapq.heappush(steps, (now + pause, number, message))
    return Outcome(offered, room.refused, room.attempts, tuple(room.delays))


def serial_commits() -> float:
    """Messages per second of a room if each began when the one before it was answered."""
    return 1 / (2 * given.READ_SECONDS + given.TRANSACTION_SECONDS)


def _append(room: _Room, chance: random.Random) -> Iterator[float]:
    """One message: pauses in seconds. Half of every call is the way there and back."""
    waited = 0.0
    for attempt in range(ATTEMPTS):
        room.attempts += 1
        yield given.READ_SECONDS / 2
        seq = room.seq
        yield given.READ_SECONDS * 1.5 + given.TRANSACTION_SECONDS / 4
        won = not room.held and room.seq == seq
        room.held = room.held or won
        yield given.TRANSACTION_SECONDS / 2
        if won:
            room.seq += 1
            room.held = False
        yield given.TRANSACTION_SECONDS / 4
        waited += 2 * given.READ_SECONDS + given.TRANSACTION_SECONDS
        if won:
            room.delays.append(waited)
            return
        if attempt < ATTEMPTS - 1:
            pause = chance.random() * min(CAP_SECONDS, BASE_SECONDS * 2**attempt)
            waited += pause
            yield pause
    room.refused += 1
