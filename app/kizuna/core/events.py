"""What happened: to a link, to the page, to a timer, or by the caller's wish. Past tense, immutable.

``link`` is the number of the link that an event belongs to. Events of a link that is no longer known change
nothing: that is how a late ``close`` of an old socket is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

# What happens to a page is the platform's to say; every event has its name here.
from kizuna.platform import (
    MachineSlept as MachineSlept,
    NetworkChanged as NetworkChanged,
    PageEvent as PageEvent,
    PageHidden as PageHidden,
    PageResumed as PageResumed,
    PageShown as PageShown,
    PageSuspended as PageSuspended,
    WentOffline as WentOffline,
    WentOnline as WentOnline,
)


class Timer(StrEnum):
    """The kinds of timer; at most one of each is armed."""

    CONNECT = "connect"  #: the attempt takes too long
    RETRY = "retry"  #: the next attempt is due
    HEARTBEAT = "heartbeat"  #: the next ping is due
    SILENCE = "silence"  #: the ping should have been answered by now
    STABLE = "stable"  #: the link has been up long enough for the delay to start again at its first step
    ROLLOVER = "rollover"  #: the link should be replaced before it ends by itself
    CANDIDATE = "candidate"  #: the next link takes too long
    RETIRE = "retire"  #: what the replaced link had to deliver has come
    TICK = "tick"  #: a second has passed; coming late is a reason to doubt


# --- the caller's wishes ---


@dataclass(frozen=True, slots=True)
class ConnectRequested:
    """``connect()`` was called."""


@dataclass(frozen=True, slots=True)
class DisconnectRequested:
    """``disconnect()`` was called."""


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """The person pressed "Try now"."""


@dataclass(frozen=True, slots=True)
class DoubtRaised:
    """``doubt()`` was called: the application misses an answer."""


# --- one link ---


@dataclass(frozen=True, slots=True)
class TokenObtained:
    """The token provider answered. The token itself is never shown by ``repr``."""

    link: int
    token: str | None

    def __repr__(self) -> str:
        return f"TokenObtained(link={self.link})"


@dataclass(frozen=True, slots=True)
class TokenFailed:
    """The token provider raised: ``unauthorized`` when it raised :class:`kizuna.errors.Unauthorized`,
    ``unreachable`` when it raised OSError, as whatever talks to a network does when there is none. ``retry_after``:
    the seconds of :class:`kizuna.errors.TryLater`."""

    link: int
    unauthorized: bool
    detail: str = ""
    unreachable: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class SocketOpened:
    """The WebSocket handshake succeeded."""

    link: int


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """A frame that is one JSON object."""

    link: int
    frame: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FrameMalformed:
    """A frame that is none. It is life all the same, and is reported."""

    link: int
    problem: str


@dataclass(frozen=True, slots=True)
class SocketClosed:
    """The socket is gone. ``code`` 1006: without a close frame, which is also how every failed handshake looks."""

    link: int
    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LinkPrepared:
    """The application's ``prepare`` came to its end."""

    link: int


@dataclass(frozen=True, slots=True)
class PrepareFailed:
    """The application's ``prepare`` raised."""

    link: int
    detail: str = ""


# --- time ---


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer came due, perhaps late. ``throttled``: no worker beside the page is heard, so lateness may mean
    anything: a busy page, a hidden one, sleep. It makes it no other event."""

    timer: Timer
    throttled: bool = field(default=True, compare=False)


LinkEvent: TypeAlias = (
    TokenObtained
    | TokenFailed
    | SocketOpened
    | FrameReceived
    | FrameMalformed
    | SocketClosed
    | LinkPrepared
    | PrepareFailed
)
CallerEvent: TypeAlias = ConnectRequested | DisconnectRequested | RetryRequested | DoubtRaised
Event: TypeAlias = CallerEvent | LinkEvent | TimerFired | PageEvent
