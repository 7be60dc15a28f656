"""The limits of one person's actions other than messages, the same on one machine and on Lambda.

    typing                       once in 2 s for each room, two at once
    connections, and hello       each 2 a second, 60 at once
    join, leave, sync, history   20 a second together, 1,200 at once

The page stays far below: it sends typing every 3 s, and again after a message; 20 tabs that come back, each with a link
that it replaces, send 40 hellos; and in 50 rooms they send 1,000 syncs.

Frames beyond a limit are dropped, and the page repeats them: a join, a sync or history after 5 s, and leave when a pong
still names the room. A hello is not repeated, so it is answered by ``bye``. A connection that opens too soon is refused
before anything is written: opening one after another would otherwise keep the disk busy.

The counts are in memory (:mod:`backend.limits.buckets`): each instance of a Lambda function has its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.limits.buckets import Buckets
from backend.limits.rate_limit import InvalidRate, Rate
from chat.protocol import Hello, History, Join, Leave, Sync, Typing, UpFrame

TYPING_SECONDS = 2.0
HELLOS_PER_SECOND = 2.0
ASKS_PER_SECOND = 20.0
# The bursts, in seconds of the rate: 60 hellos, 1,200 questions.
BURST_SECONDS = 30
ASKS_BURST_SECONDS = 60
MAX_TYPING_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class ActionLimits:
    """The limits: seconds between typing notices in a room, the rest per second. 0: no limit."""

    typing_seconds: float = TYPING_SECONDS
    hellos: float = HELLOS_PER_SECOND
    asks: float = ASKS_PER_SECOND


class Actions:
    """The counts of each person's actions. ``monotonic`` gives seconds."""

    def __init__(self, limits: ActionLimits, *, monotonic: Callable[[], float]) -> None:
        every = limits.typing_seconds
        self._typing = Buckets(Rate(1 / every, burst=2) if every else None, monotonic=monotonic)
        self._openings = Buckets(_rate(limits.hellos, BURST_SECONDS), monotonic=monotonic)
        self._hellos = Buckets(_rate(limits.hellos, BURST_SECONDS), monotonic=monotonic)
        self._asks = Buckets(_rate(limits.asks, ASKS_BURST_SECONDS), monotonic=monotonic)

    def wait_to_open(self, user_id: str) -> float:
        """Count a connection and return 0.0 if it may open; else return the seconds until it may."""
        return self._openings.take(user_id)

    def wait(self, user_id: str, frame: UpFrame) -> float:
        """Count a frame and return 0.0 if it may be handled; else return the seconds until it may."""
        match frame:
            case Typing():
                return self._typing.take((user_id, frame.room_id))
            case Hello():
                return self._hellos.take(user_id)
            case Join() | Leave() | Sync() | History():
                return self._asks.take(user_id)
        return 0.0


def typing_seconds_in(name: str, text: str) -> float:
    """Return the seconds as the setting ``name`` gives them, 0 for no limit. Raises InvalidRate."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_TYPING_SECONDS:
        raise InvalidRate(
            f"{name} must be a number of seconds from 0 to {MAX_TYPING_SECONDS:g}, not {text!r}"
        )
    return seconds


def _rate(per_second: float, burst_seconds: int) -> Rate | None:
    return Rate(per_second, max(1, round(per_second * burst_seconds))) if per_second else None
