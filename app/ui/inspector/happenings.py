"""What happened to the connection, as a person is told it: made from the entries of the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kizuna import JournalEntry, Status

_OPEN = (Status.CONNECTED, Status.SUSPECT)

#: Events that are told whatever they lead to: kind -> the key of their text, in static/i18n as happened.*.
_TOLD = {
    "page hidden": "hidden",
    "page shown": "shown",
    "page suspended": "left",
    "page resumed": "resumed",
    "went online": "online",
    "went offline": "offline_flag",
    "network changed": "network",
    "machine slept": "slept",
    "retry requested": "try_now",
    "doubt raised": "doubt",
}
_ENDS = {
    Status.OFFLINE: "offline",
    Status.SUSPENDED: "suspended",
    Status.EXHAUSTED: "exhausted",
    Status.REJECTED: "rejected",
    Status.CLOSED: "closed",
}


class Look(StrEnum):
    """The colour of a status, beside its name."""

    IDLE = "idle"
    OK = "ok"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"


LOOKS: Mapping[Status, Look] = {
    Status.IDLE: Look.IDLE,
    Status.CONNECTING: Look.BUSY,
    Status.CONNECTED: Look.OK,
    Status.SUSPECT: Look.BUSY,
    Status.WAITING: Look.WARN,
    Status.OFFLINE: Look.WARN,
    Status.SUSPENDED: Look.IDLE,
    Status.EXHAUSTED: Look.BAD,
    Status.REJECTED: Look.BAD,
    Status.CLOSED: Look.IDLE,
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the list. ``at``: seconds since 1970. ``key``: of its text, happened.*. ``status``: afterwards."""

    at: float
    key: str
    status: Status
    params: Mapping[str, str | int] = field(default_factory=dict)


class _Teller:
    """The story so far."""

    def __init__(self) -> None:
        self.status = Status.IDLE
        self._link: int | None = None  # that carries the frames
        self._attempt = 0
        self._began_at = 0.0  # the attempt, or the wait before it

    def tell(self, entry: JournalEntry) -> Iterator[Happening]:
        """Yield what an entry means."""
        before, self.status = self.status, entry.status
        if entry.kind in _TOLD:
            yield Happening(entry.at, _TOLD[entry.kind], entry.status)
        elif entry.kind == "frame received" and entry.detail == "bye":
            yield Happening(entry.at, "bye", entry.status)
        if entry.status is not before:
            yield from self._change(before, entry)
        elif entry.kind == "link prepared" and entry.status in _OPEN and entry.link != self._link:
            yield Happening(entry.at, "rollover", entry.status)
        elif entry.status is Status.EXHAUSTED and entry.detail == "retry":
            yield Happening(entry.at, "quiet_attempt", entry.status)
        if entry.kind == "link prepared" and entry.status in _OPEN:
            self._link = entry.link

    def _change(self, before: Status, entry: JournalEntry) -> Iterator[Happening]:
        at, status, was_open = entry.at, entry.status, before in _OPEN
        passed = f"{max(0.0, at - self._began_at):.1f}"
        if was_open and status not in (*_OPEN, Status.CLOSED, Status.SUSPENDED):
            yield self._lost(entry, "dropped")
        elif before is Status.CONNECTING and status in (Status.WAITING, Status.EXHAUSTED):
            yield self._lost(entry, "failed")
        if status is Status.CONNECTED and was_open:
            is_other = entry.kind == "link prepared" and entry.link != self._link
            yield Happening(at, "rollover" if is_other else "trusted", status)
        elif status is Status.CONNECTED:
            self._attempt = 0
            yield Happening(at, "connected", status, {"seconds": passed})
        elif status is Status.SUSPECT:
            yield Happening(at, "suspect", status)
        elif status is Status.CONNECTING:
            self._attempt += 1
            params: dict[str, str | int] = {"number": self._attempt}
            if before is Status.WAITING:
                yield Happening(at, "attempt_after", status, {**params, "seconds": passed})
            else:
                yield Happening(at, "attempt", status, params)
        elif status in _ENDS:
            yield Happening(at, _ENDS[status], status)
        if before is not Status.EXHAUSTED or status is not Status.CONNECTED:
            self._began_at = at

    def _lost(self, entry: JournalEntry, key: str) -> Happening:
        if entry.kind == "socket closed":
            return Happening(entry.at, f"{key}_code", entry.status, {"code": entry.detail})
        return Happening(entry.at, key, entry.status)


def happenings(entries: Iterable[JournalEntry]) -> list[Happening]:
    """Return what happened, oldest first."""
    teller = _Teller()
    return [happening for entry in entries for happening in teller.tell(entry)]


def last_close_code(entries: Iterable[JournalEntry]) -> int | None:
    """Return the code with which a socket closed last; None: none has."""
    codes = [entry.detail for entry in entries if entry.kind == "socket closed"]
    return int(codes[-1]) if codes else None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the drawing with one status. ``start`` and ``end``: shares of its width."""

    start: float
    end: float
    look: Look


@dataclass(frozen=True, slots=True)
class Strip:
    """The drawing: what the status was, and where something happened. ``seconds``: how much time it shows."""

    seconds: float
    spans: tuple[Span, ...]
    marks: tuple[float, ...]


#: Seconds that the drawing shows: all since the start, from one minute to ten.
SHORTEST, LONGEST = 60.0, 600.0


def strip(entries: Iterable[JournalEntry], now: float) -> Strip:
    """Return the drawing. ``now``: seconds since 1970."""
    entries = tuple(entries)
    first = entries[0].at if entries else now
    seconds = min(max(now - first, SHORTEST), LONGEST)
    begin = now - seconds

    def share(at: float) -> float:
        return min(max((at - begin) / seconds, 0.0), 1.0)

    spans: list[Span] = []
    status, since = Status.IDLE, begin
    for entry in entries:
        if entry.status is not status:
            spans.append(Span(share(since), share(entry.at), LOOKS[status]))
            status, since = entry.status, entry.at
    spans.append(Span(share(since), 1.0, LOOKS[status]))
    marks = tuple(share(happening.at) for happening in happenings(entries) if happening.at >= begin)
    return Strip(seconds, tuple(span for span in spans if span.end > span.start), marks)
