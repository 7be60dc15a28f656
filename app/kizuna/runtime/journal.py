"""What is told about a connection: the journal, the statistics, and what to do about a failure."""

from __future__ import annotations

import json
import re
from collections import deque
from math import ceil
from typing import Any, NamedTuple

from kizuna.core import events
from kizuna.core.events import Event
from kizuna.core.states import CONNECTED_STATUSES, ConnectionState, Reason, ReasonKind, Status
from kizuna.platform import Instant
from kizuna.wire import Wire

#: Entries kept: some hours of a restless connection, in a few dozen kilobytes.
LIMIT = 500
#: The part of them that frames may have to themselves: a day of frames does not displace what happened else.
_SHARE_OF_FRAMES = 0.2

_WORDS = re.compile(r"(?<!^)(?=[A-Z])")


class JournalEntry(NamedTuple):
    """One event, or the same one ``times`` in a row. ``at``: time of the last of them, seconds since 1970."""

    at: float
    event: str  #: kind, detail and link, in words
    status: Status  #: where the connection stood afterwards
    times: int = 1
    kind: str = ""  #: such as "socket closed"
    link: int | None = None  #: number of the link that it belongs to
    detail: str = ""  #: the close code, the timer, the type of the frame


class _Record:
    """What an entry is made of when somebody reads it."""

    __slots__ = ("at", "detail", "kind", "link", "number", "status", "times")

    def __init__(
        self, number: int, at: float, kind: type[Event], link: int | None, detail: str, status: Status
    ) -> None:
        self.number, self.at, self.kind, self.link = number, at, kind, link
        self.detail, self.status, self.times = detail, status, 1

    def entry(self) -> JournalEntry:
        """Return it in words."""
        kind = _name_of_kind(self.kind)
        words = _words(kind, self.link, self.detail)
        return JournalEntry(self.at, words, self.status, self.times, kind, self.link, self.detail)


class Journal:
    """The latest events, at most ``limit`` entries, without tokens or what people wrote.

    Every frame is recorded, so recording makes no words: they are made when somebody reads the entries.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._frames: deque[_Record] = deque()
        self._others: deque[_Record] = deque()
        self._last: _Record | None = None
        self._count = 0

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """Return the entries, oldest first."""
        records = sorted((*self._frames, *self._others), key=lambda record: record.number)
        return tuple(record.entry() for record in records)

    def to_json(self) -> str:
        """Return the entries as JSON, to attach to a report."""
        return json.dumps([entry._asdict() for entry in self.entries], ensure_ascii=False)

    def record(self, event: Event, now: Instant, status: Status) -> None:
        """Add ``event``, after which the connection had ``status``."""
        self._add(type(event), getattr(event, "link", None), _detail(event), now, status)

    def record_frame(self, link: int, frame: object, now: Instant, status: Status) -> None:
        """Add a FrameReceived with ``frame``, as ``record()`` would."""
        name = frame.get("type") if type(frame) is dict else "?"
        last = self._last
        if (  # nearly every frame of a flood is like the one before: no more may be done for it
            last is not None
            and last.detail == name
            and last.kind is events.FrameReceived
            and last.link == link
            and last.status is status
        ):
            last.at = now.wall
            last.times += 1
        else:
            self._add(events.FrameReceived, link, _name_of(name), now, status)

    def _add(self, kind: type[Event], link: int | None, detail: str, now: Instant, status: Status) -> None:
        last = self._last
        if (
            last is not None
            and last.kind is kind
            and last.link == link
            and last.detail == detail
            and last.status is status
        ):
            last.at = now.wall
            last.times += 1
        else:
            self._count += 1
            self._last = _Record(self._count, now.wall, kind, link, detail, status)
            (self._frames if kind is events.FrameReceived else self._others).append(self._last)
            if len(self._frames) + len(self._others) > self._limit:
                has_many_frames = len(self._frames) > self._limit * _SHARE_OF_FRAMES
                (self._frames if has_many_frames else self._others).popleft()


def describe(event: Event) -> str:
    """Return ``event`` in words, without its content: frames and close reasons hold what people wrote."""
    return _words(_name_of_kind(type(event)), getattr(event, "link", None), _detail(event))


def _detail(event: Any) -> str:
    """Return the part of an event's content that may be shown."""
    kind = type(event)
    if kind is events.FrameReceived:
        return _name_of(event.frame.get("type") if type(event.frame) is dict else "?")
    if kind is events.TimerFired:
        return str(event.timer)
    if kind is events.SocketClosed:
        return str(event.code)
    if kind is events.TokenFailed:
        return "unauthorized" if event.unauthorized else "unavailable"
    return ""


def _name_of(name: object) -> str:
    """Return the type of a frame, unless it may be something that a person wrote."""
    return name if type(name) is str and len(name) < 32 and name.isidentifier() else "?"


def _name_of_kind(kind: type[Event]) -> str:
    return _WORDS.sub(" ", kind.__name__).lower()


def _words(kind: str, link: int | None, detail: str) -> str:
    return f"{kind}{f': {detail}' if detail else ''}{'' if link is None else f' (link {link})'}"


#: Round trips that median and 95th percentile are taken from: the last hour at one heartbeat every 30 s.
ROUND_TRIPS = 120


class Statistics(NamedTuple):
    """Numbers since the service was made. Times in seconds; None where nothing was measured yet."""

    attempts: int  #: links begun
    connections: int  #: times that the connection came to stand
    drops: int  #: times that it stopped standing, other than by disconnect()
    rollovers: int  #: links replaced before they ended
    frames_received: int  #: well-formed or not
    frames_malformed: int
    seconds_connected: float
    rtt_last: float | None  #: round trip from a ping to its pong
    rtt_median: float | None
    rtt_p95: float | None
    seconds: float = 0.0  #: since the first attempt
    round_trips: tuple[float, ...] = ()  #: the latest, at most 120, oldest first


class StatisticsRecorder:
    """The counters behind Statistics, updated with every event."""

    def __init__(self) -> None:
        self._attempts = self._connections = self._drops = self._rollovers = 0
        self._frames = self.malformed = 0
        self._began: float | None = None
        self._connected_before = 0.0
        self._connected_since: float | None = None
        self._round_trips: deque[float] = deque(maxlen=ROUND_TRIPS)

    def record_attempt(self, now: Instant) -> None:
        """Count an attempt."""
        self._attempts += 1
        if self._began is None:
            self._began = now.monotonic

    def record_frame(self) -> None:
        """Count a well-formed frame."""
        self._frames += 1

    def record(self, event: Event, before: ConnectionState, after: ConnectionState, now: Instant) -> None:
        """Count what ``event`` changed between the two states."""
        kind = type(event)
        if kind is events.FrameReceived:
            self._frames += 1
        elif kind is events.FrameMalformed:
            self._frames += 1
            self.malformed += 1
        if before is after:  # as with nearly every frame
            return
        if after.rtt is not None and after.rtt is not before.rtt:
            self._round_trips.append(after.rtt)
        was_connected, is_connected = before.status in CONNECTED_STATUSES, after.status in CONNECTED_STATUSES
        if is_connected and not was_connected:
            self._connections += 1
            self._connected_since = now.monotonic
        elif was_connected and not is_connected:
            self._drops += after.status is not Status.CLOSED
            self._connected_before += self._connected_for(now)
            self._connected_since = None
        elif was_connected and before.link != after.link:
            self._rollovers += 1

    def snapshot(self, now: Instant) -> Statistics:
        """Return the numbers at this moment."""
        ordered = sorted(self._round_trips)
        return Statistics(
            attempts=self._attempts,
            connections=self._connections,
            drops=self._drops,
            rollovers=self._rollovers,
            frames_received=self._frames,
            frames_malformed=self.malformed,
            seconds_connected=self._connected_before + self._connected_for(now),
            rtt_last=self._round_trips[-1] if ordered else None,
            rtt_median=_percentile(ordered, 0.5),
            rtt_p95=_percentile(ordered, 0.95),
            seconds=0.0 if self._began is None else now.monotonic - self._began,
            round_trips=tuple(self._round_trips),
        )

    def _connected_for(self, now: Instant) -> float:
        return 0.0 if self._connected_since is None else now.monotonic - self._connected_since


def _percentile(ordered: list[float], share: float) -> float | None:
    """Return the smallest value that is not exceeded by ``share`` of all values."""
    if not ordered:
        return None
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


_REMEDIES = {
    ReasonKind.UNREACHABLE: "Is the server running, and are host, port, path, certificate and subprotocol right? "
    "Browsers tell programs no more; their console says more.",
    ReasonKind.TOKEN_UNAVAILABLE: "The function for the token or the URL failed: its error was reported before this.",
    ReasonKind.PREPARE_FAILED: "What before_connected() was given did not succeed in time.",
    ReasonKind.SILENCE: "Does the server answer the pings of the wire?",
}
_DEFAULT = "The server ended each connection: its log says why."


_TO_SEND = {
    Status.IDLE: "await connect() before",
    Status.CONNECTING: "send again once it is connected; in before_connected() call link.send()",
    Status.CLOSED: "connect() opens it again",
    Status.REJECTED: "the server wants no further attempt, so sign in again before connect()",
    Status.EXHAUSTED: "try_now() makes an attempt",
}


def remedy_to_send(status: Status) -> str:
    """Return what a program can do that cannot send while a connection has this status."""
    return _TO_SEND.get(status, "send again once it is connected")


def remedy(reason: Reason, wire: Wire) -> str:
    """Return what to look at when a connection is exhausted for this reason."""
    if reason.kind is ReasonKind.TIMEOUT and wire.ready is not None:
        return (
            f"The wire {wire.name!r} awaits a frame {wire.ready!r}. A server that sends none needs wire=PLAIN, "
            "or a Wire of its own; one of wire KIZUNA answers the hello of kizuna.delivery.Channels with it."
        )
    if reason.kind is ReasonKind.TIMEOUT:
        return "The network or the server is slow: connect_timeout can be longer."
    return _REMEDIES.get(reason.kind, _DEFAULT)
