"""The events of a connection: what happened to a link, the page or a timer, or what the caller wants. Immutable.

``link`` is the number of the link that an event belongs to. Events of an unknown link change nothing, so a late
``close`` of an old socket is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

# The events of a page are defined by the platform; all events can be named from here.
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
    STABLE = "stable"  #: a link has been up long enough to reset the delay, also over a rollover
    ROLLOVER = "rollover"  #: the link should be replaced before it ends by itself
    CANDIDATE = "candidate"  #: the next link takes too long
    RETIRE = "retire"  #: the replaced link has had time to deliver its last frames
    TICK = "tick"  #: a second has passed; coming late is a reason to doubt


# --- calls of the application ---


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
    """``doubt()`` was called: the application is missing an answer."""


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
    """The token provider raised.

    ``unauthorized``: it raised :class:`kizuna.errors.Unauthorized`. ``unreachable``: it raised OSError, as network code
    does without a network. ``retry_after``: the seconds of :class:`kizuna.errors.TryLater`.
    """

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
class FrameArrived:
    """A frame has arrived, whatever it is, which proves the link alive.

    What it is follows as FrameReceived or FrameMalformed, later where many frames wait to be handled. Where
    ``Link.is_heard``, nothing would change and the event may be left out.
    """

    link: int


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """A frame that the codec could read. ``at``: when it arrived, monotonic seconds; None: now."""

    link: int
    frame: Any
    at: float | None = None


@dataclass(frozen=True, slots=True)
class FrameMalformed:
    """A frame that the codec refused. It is reported."""

    link: int
    problem: str


@dataclass(frozen=True, slots=True)
class SocketClosed:
    """The socket closed. ``code`` 1006: without a close frame, as every failed handshake does."""

    link: int
    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LinkPrepared:
    """The application's ``prepare`` returned."""

    link: int


@dataclass(frozen=True, slots=True)
class PrepareFailed:
    """The application's ``prepare`` raised."""

    link: int
    detail: str = ""


# --- time ---


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer came due, perhaps late.

    ``throttled``: no worker runs beside the page, so lateness can mean a busy page, a hidden one, or sleep.
    ``unread``: the timer limits the next step of a link, and a frame of that link waits, which may be that step.
    """

    timer: Timer
    throttled: bool = field(default=True, compare=False)
    unread: bool = field(default=False, compare=False)


LinkEvent: TypeAlias = (
    TokenObtained
    | TokenFailed
    | SocketOpened
    | FrameArrived
    | FrameReceived
    | FrameMalformed
    | SocketClosed
    | LinkPrepared
    | PrepareFailed
)
CallerEvent: TypeAlias = ConnectRequested | DisconnectRequested | RetryRequested | DoubtRaised
Event: TypeAlias = CallerEvent | LinkEvent | TimerFired | PageEvent
