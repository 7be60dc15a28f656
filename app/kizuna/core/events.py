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
    set_field,
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

    __slots__ = ()


class DisconnectRequested(Record):
    """``disconnect()`` was called."""

    __slots__ = ()


class RetryRequested(Record):
    """The person pressed "Try now"."""

    __slots__ = ()


class DoubtRaised(Record):
    """``doubt()`` was called: the application is missing an answer."""

    __slots__ = ()


# --- one link ---


class _OfLink(Record):
    __slots__ = _fields = ("link",)
    link: int

    def __init__(self, link: int) -> None:
        set_field(self, "link", link)


class TokenObtained(Record):
    """The token provider answered. The token itself is never shown by ``repr``."""

    __slots__ = _fields = ("link", "token")
    link: int
    token: str | None

    def __init__(self, link: int, token: str | None) -> None:
        set_field(self, "link", link)
        set_field(self, "token", token)

    def __repr__(self) -> str:
        return f"TokenObtained(link={self.link})"


class TokenFailed(Record):
    """The token provider raised.

    ``unauthorized``: it raised :class:`kizuna.errors.Unauthorized`. ``unreachable``: it raised OSError, as network code
    does without a network. ``retry_after``: the seconds of :class:`kizuna.errors.TryLater`.
    """

    __slots__ = _fields = ("link", "unauthorized", "detail", "unreachable", "retry_after")
    link: int
    unauthorized: bool
    detail: str
    unreachable: bool
    retry_after: float | None

    def __init__(
        self,
        link: int,
        unauthorized: bool,
        detail: str = "",
        unreachable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        set_field(self, "link", link)
        set_field(self, "unauthorized", unauthorized)
        set_field(self, "detail", detail)
        set_field(self, "unreachable", unreachable)
        set_field(self, "retry_after", retry_after)


class SocketOpened(_OfLink):
    """The WebSocket handshake succeeded."""

    __slots__ = ()


class FrameArrived(_OfLink):
    """A frame has arrived, which proves the link alive; what it is follows, perhaps later.

    Where ``Link.is_heard``, nothing would change and the event may be left out.
    """

    __slots__ = ()


class FrameReceived(Record):
    """A frame that the codec could read. ``at``: when it arrived, monotonic seconds; None: now."""

    __slots__ = _fields = ("link", "frame", "at")
    link: int
    frame: Any
    at: float | None

    def __init__(self, link: int, frame: Any, at: float | None = None) -> None:
        set_field(self, "link", link)
        set_field(self, "frame", frame)
        set_field(self, "at", at)


class FrameMalformed(Record):
    """A frame that the codec refused. It is reported."""

    __slots__ = _fields = ("link", "problem")
    link: int
    problem: str

    def __init__(self, link: int, problem: str) -> None:
        set_field(self, "link", link)
        set_field(self, "problem", problem)


class SocketClosed(Record):
    """The socket closed. ``code`` 1006: without a close frame, as every failed handshake does."""

    __slots__ = _fields = ("link", "code", "reason")
    link: int
    code: int
    reason: str

    def __init__(self, link: int, code: int, reason: str = "") -> None:
        set_field(self, "link", link)
        set_field(self, "code", code)
        set_field(self, "reason", reason)


class LinkPrepared(_OfLink):
    """The application's ``prepare`` returned."""

    __slots__ = ()


class PrepareFailed(Record):
    """The application's ``prepare`` raised."""

    __slots__ = _fields = ("link", "detail")
    link: int
    detail: str

    def __init__(self, link: int, detail: str = "") -> None:
        set_field(self, "link", link)
        set_field(self, "detail", detail)


# --- time ---


class TimerFired(Record):
    """A timer came due, perhaps late.

    ``throttled``: no worker runs beside the page, so lateness can mean a busy page, a hidden one, or sleep.
    ``unread``: the timer limits the next step of a link, and a frame of that link waits, which may be that step.
    """

    __slots__ = ("throttled", "timer", "unread")
    _fields = ("timer",)  # what is compared
    timer: Timer
    throttled: bool
    unread: bool

    def __init__(self, timer: Timer, throttled: bool = True, unread: bool = False) -> None:
        set_field(self, "timer", timer)
        set_field(self, "throttled", throttled)
        set_field(self, "unread", unread)


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

    __slots__ = ()


class OpenSocket(Record):
    """Open this link's socket with ``token``."""

    __slots__ = _fields = ("link", "token")
    link: int
    token: str | None

    def __init__(self, link: int, token: str | None) -> None:
        set_field(self, "link", link)
        set_field(self, "token", token)

    def __repr__(self) -> str:
        return f"OpenSocket(link={self.link})"


class PrepareLink(_OfLink):
    """Let the application prepare the open link; LinkPrepared or PrepareFailed follows."""

    __slots__ = ()


class AbandonLink(Record):
    """Detach every handler, close with ``code``, and send no further event of this link."""

    __slots__ = _fields = ("link", "code", "reason")
    link: int
    code: int
    reason: str

    def __init__(self, link: int, code: int = 1000, reason: str = "") -> None:
        set_field(self, "link", link)
        set_field(self, "code", code)
        set_field(self, "reason", reason)


class SendPing(Record):
    """Send a ping; ``t`` (monotonic seconds) comes back in the pong."""

    __slots__ = _fields = ("link", "t")
    link: int
    t: float

    def __init__(self, link: int, t: float) -> None:
        set_field(self, "link", link)
        set_field(self, "t", t)


class Deliver(Record):
    """Pass a frame to the application."""

    __slots__ = _fields = ("link", "frame")
    link: int
    frame: Any

    def __init__(self, link: int, frame: Any) -> None:
        set_field(self, "link", link)
        set_field(self, "frame", frame)


class ReportMalformed(Record):
    """Report to the application that a frame could not be read."""

    __slots__ = _fields = ("problem",)
    problem: str

    def __init__(self, problem: str) -> None:
        set_field(self, "problem", problem)


class SetTimer(Record):
    """Set the timer of this kind for ``at`` (monotonic seconds), replacing an earlier one."""

    __slots__ = _fields = ("timer", "at")
    timer: Timer
    at: float

    def __init__(self, timer: Timer, at: float) -> None:
        set_field(self, "timer", timer)
        set_field(self, "at", at)


class CancelTimer(Record):
    """Cancel the timer of this kind."""

    __slots__ = _fields = ("timer",)
    timer: Timer

    def __init__(self, timer: Timer) -> None:
        set_field(self, "timer", timer)


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
