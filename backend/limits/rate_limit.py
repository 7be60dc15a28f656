"""The rate limit of one person's messages, the same through every connection, process and Lambda function.

    RATE#<uid>  MESSAGES    ``arrival``, microseconds since 1970; ``since``, seconds since 1970

GCRA, the generic cell rate algorithm (ITU-T I.371), needs one number: the theoretical arrival time, when the next
message would come if the person kept exactly to the rate. Each message moves it on by one interval; a person who is a
burst ahead of it waits. The number is written in the same transaction as the message, by compare-and-set, so several
servers at once allow no more, and a message that was not stored costs nothing.

10 messages a second and a burst of 100: no person types as fast, and the 1,000 messages that an outbox can hold after a
long outage go out in 90 s, since the first 100 pass at once and the other 900 at 10 a second.

Where identities are free, a hundred new ones would be a hundred bursts. So an identity has a burst of 20 until a minute
after its first message (``since``), and 10 a second as well. The record is kept for a day after the last message, so
that a person who comes back each day is known. Records of earlier versions have no ``since``: they are of known people.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from backend.store.base import Action, AttributeEquals, Item, Key, NotExists, Put, Store

PER_SECOND = 10.0
BURST = 100
BURST_NEW = 20
# How long an identity is new, and how long it is known after its last message.
NEW_SECONDS = 60
KNOWN_SECONDS = 24 * 3600
# What can be set. Between messages lie 0.1 ms to 1,000 s, and at most a million pass at once.
MIN_PER_SECOND = 0.001
MAX_PER_SECOND = 10_000.0
MAX_BURST = 1_000_000

MICROSECONDS = 1_000_000


class InvalidRate(ValueError):
    """A setting that is not such a number; the text names the setting and what it must be."""


class TooFast(Exception):
    """The person is a whole burst ahead. ``retry_after``: seconds until the next message may come."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"too many messages at once: the next may come in {retry_after:g} s")
        self.retry_after = retry_after


def per_second_in(name: str, text: str, what: str = "messages") -> float:
    """Return the number a second in the setting ``name``, 0 for no limit. Raises InvalidRate."""
    try:
        per_second = float(text)
    except ValueError:
        per_second = -1.0
    if per_second != 0 and not MIN_PER_SECOND <= per_second <= MAX_PER_SECOND:
        raise InvalidRate(
            f"{name} must be a number of {what} a second from {MIN_PER_SECOND:g} to {MAX_PER_SECOND:g},"
            f" or 0 for no limit, not {text!r}"
        )
    return per_second


def burst_in(name: str, text: str) -> int:
    """Return the messages at once in the setting ``name``. Raises InvalidRate."""
    if not text.isdecimal() or not 1 <= int(text) <= MAX_BURST:
        raise InvalidRate(f"{name} must be a number of messages from 1 to {MAX_BURST}, not {text!r}")
    return int(text)


def burst_new_in(name: str, text: str) -> int:
    """Return the burst of new identities in the setting ``name``, 0 for that of everybody. Raises InvalidRate."""
    return count_in(name, text, "messages")


def count_in(name: str, text: str, what: str) -> int:
    """Return the number in the setting ``name``, 0 for no limit. Raises InvalidRate."""
    if not text.isdecimal() or int(text) > MAX_BURST:
        raise InvalidRate(f"{name} must be a number of {what} from 0 to {MAX_BURST}, not {text!r}")
    return int(text)


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: messages per second, and how many at once after a silence.

    ``burst_new``: how many at once for a new identity; 0, or more than ``burst``: as for all others.
    """

    per_second: float = PER_SECOND
    burst: int = BURST
    burst_new: int = 0

    def next_arrival(self, arrival: int | None, now: int, *, new: bool = False) -> int:
        """Return the theoretical arrival time after one more message, all in microseconds. Raises TooFast.

        ``arrival`` None: the last message was long ago, or there was none. ``new``: so is the identity.
        """
        interval = round(MICROSECONDS / self.per_second)
        burst = min(self.burst_new or self.burst, self.burst) if new else self.burst
        most = now + burst * interval
        due = max(arrival or 0, now)
        if due > most:
            # Written under a larger burst, or by a clock that was wrong. Waiting for it could take hours.
            due = most - interval
        wait = due + interval - most
        if wait > 0:
            raise TooFast(math.ceil(wait / 1000) / 1000)
        return due + interval

    def reserve(self, arrival: int, now: int) -> tuple[int, int]:
        """Return the theoretical arrival time of a frame that waits instead of being refused, and how long it waits."""
        interval = round(MICROSECONDS / self.per_second)
        after = max(arrival, now) + interval
        return after, max(0, after - self.burst * interval - now)


class RateLimit:
    """The rate limit in the store. ``clock`` gives epoch seconds; no ``rate``: no limit."""

    def __init__(self, store: Store, rate: Rate | None, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._rate = rate
        self._clock = clock

    def admit(self, user_id: str) -> list[Action]:
        """Return the actions that the transaction of the message must include. Raises TooFast.

        It fails at :meth:`key` if another message of this person was stored meanwhile: then ask again.
        """
        if self._rate is None:
            return []
        key = self.key(user_id)
        item = self._store.get(*key)
        now = self._clock()
        before: int | None = None if item is None else item["arrival"]
        since: int = int(now) if item is None else item.get("since", 0)
        # A clock that was set back makes no identity new for longer.
        new = 0 <= now - since < NEW_SECONDS
        arrival = self._rate.next_arrival(before, int(now * MICROSECONDS), new=new)
        expires_at = arrival // MICROSECONDS + KNOWN_SECONDS
        after: Item = {
            "pk": key.pk,
            "sk": key.sk,
            "arrival": arrival,
            "since": since,
            "expiresAt": expires_at,
        }
        return [Put(after, NotExists() if before is None else AttributeEquals("arrival", before))]

    @staticmethod
    def key(user_id: str) -> Key:
        """Return the key of a person's record."""
        return Key(f"RATE#{user_id}", "MESSAGES")
