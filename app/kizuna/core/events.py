"""The events of a connection, and the commands that it returns: its only effect on the outside. Immutable.

``link`` is the number of the link that they belong to. Events of an unknown link change nothing, so a late ``close`` of
an old socket is harmless.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeAlias

from kizuna.platform import (
    MachineSlept as MachineSlept,
    NetworkChanged as NetworkChanged,
    PageEvent as PageEvent,
    PageHidden as PageHidden,
    PageResumed as PageResumed,
    PageShown as PageShown,
    PageSuspended as PageSuspended,
    Record,
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


class ConnectRequested(Record):
    """``connect()`` was called."""


class DisconnectRequested(Record):
    """``disconnect()`` was called."""


class RetryRequested(Record):
    """The person pressed "Try now"."""


class DoubtRaised(Record):
    """``doubt()`` was called: the application is missing an answer."""


# --- one link ---


class _OfLink(Record):
    link: int


class TokenObtained(Record):
    """The token provider answered. The token itself is never shown by ``repr``."""

    link: int
    token: str | None

    def __repr__(self) -> str:
        return f"TokenObtained(link={self.link})"


class TokenFailed(Record):
    """The token provider raised.

    ``unauthorized``: it raised :class:`kizuna.errors.Unauthorized`. ``unreachable``: it raised OSError, as network code
    does without a network. ``retry_after``: the seconds of :class:`kizuna.errors.TryLater`.
    """

    link: int
    unauthorized: bool
    detail: str = ""
    unreachable: bool = False
    retry_after: float | None = None


class SocketOpened(_OfLink):
    """The WebSocket handshake succeeded."""


class FrameArrived(_OfLink):
    """A frame has arrived, which proves the link alive; what it is follows, perhaps later.

    Where ``Link.is_heard``, nothing would change and the event may be left out.
    """


class FrameReceived(Record):
    """A frame that the codec could read. ``at``: when it arrived, monotonic seconds; None: now."""

    link: int
    frame: Any
    at: float | None = None


class FrameMalformed(Record):
    """A frame that the codec refused. It is reported."""

    link: int
    problem: str


class SocketClosed(Record):
    """The socket closed. ``code`` 1006: without a close frame, as every failed handshake does."""

    link: int
    code: int
    reason: str = ""


class LinkPrepared(_OfLink):
    """The application's ``prepare`` returned."""


class PrepareFailed(Record):
    """The application's ``prepare`` raised."""

    link: int
    detail: str = ""


# --- time ---


class TimerFired(Record):
    """A timer came due, perhaps late.

    ``throttled``: no worker runs beside the page, so lateness can mean a busy page, a hidden one, or sleep.
    ``unread``: the timer limits the next step of a link, and a frame of that link waits, which may be that step.
    """

    timer: Timer
    throttled: bool = True
    unread: bool = False

    def __eq__(self, other: object) -> bool:
        return type(other) is TimerFired and other.timer is self.timer

    def __hash__(self) -> int:
        return hash((TimerFired, self.timer))


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


class FetchToken(_OfLink):
    """Ask the token provider for this link's token; TokenObtained or TokenFailed follows."""


class OpenSocket(Record):
    """Open this link's socket with ``token``."""

    link: int
    token: str | None

    def __repr__(self) -> str:
        return f"OpenSocket(link={self.link})"


class PrepareLink(_OfLink):
    """Let the application prepare the open link; LinkPrepared or PrepareFailed follows."""


class AbandonLink(Record):
    """Detach every handler, close with ``code``, and send no further event of this link."""

    link: int
    code: int = 1000
    reason: str = ""


class SendPing(Record):
    """Send a ping; ``t`` (monotonic seconds) comes back in the pong."""

    link: int
    t: float


class Deliver(Record):
    """Pass a frame to the application."""

    link: int
    frame: Any


class ReportMalformed(Record):
    """Report to the application that a frame could not be read."""

    problem: str


class SetTimer(Record):
    """Set the timer of this kind for ``at`` (monotonic seconds), replacing an earlier one."""

    timer: Timer
    at: float


class CancelTimer(Record):
    """Cancel the timer of this kind."""

    timer: Timer


Command: TypeAlias = (
    FetchToken
    | OpenSocket
    | PrepareLink
    | AbandonLink
    | SendPing
    | Deliver
    | ReportMalformed
    | SetTimer
    | CancelTimer
)
