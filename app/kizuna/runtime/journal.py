"""The journal: the latest events of a connection, for diagnosis; without tokens or what people wrote.

>>> print(service.journal.to_json())          # doctest: +SKIP
[{"at": 1700000000.0, "event": "connect requested", "status": "connecting", "times": 1}, ...]
"""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from kizuna.core import events
from kizuna.core.events import Event
from kizuna.core.states import Status
from kizuna.platform import Instant

#: Entries kept: some hours of a restless connection, in a few dozen kilobytes.
LIMIT = 500

_WORDS = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One event, or the same one ``times`` in a row. ``at``: time of the last of them, seconds since 1970."""

    at: float
    event: str
    status: Status  #: where the connection stood afterwards
    times: int = 1


class _Record:
    """What an entry is made of when somebody reads it."""

    __slots__ = ("at", "detail", "kind", "link", "status", "times")

    def __init__(self, at: float, kind: type[Event], link: int | None, detail: str, status: Status) -> None:
        self.at, self.kind, self.link, self.detail, self.status, self.times = (
            at,
            kind,
            link,
            detail,
            status,
            1,
        )


class Journal:
    """The latest events, at most ``limit`` entries.

    Every frame is recorded, so recording makes no words: they are made when somebody reads the entries.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._records: deque[_Record] = deque(maxlen=limit)
        self._last: _Record | None = None

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """Return the entries, oldest first."""
        return tuple(
            JournalEntry(
                record.at, _words(record.kind, record.link, record.detail), record.status, record.times
            )
            for record in self._records
        )

    def to_json(self) -> str:
        """Return the entries as JSON, to attach to a report."""
        return json.dumps([asdict(entry) for entry in self.entries], ensure_ascii=False)

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
            self._last = _Record(now.wall, kind, link, detail, status)
            self._records.append(self._last)


def describe(event: Event) -> str:
    """Return ``event`` in words, without its content: frames and close reasons hold what people wrote."""
    return _words(type(event), getattr(event, "link", None), _detail(event))


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


def _words(kind: type[Event], link: int | None, detail: str) -> str:
    name = _WORDS.sub(" ", kind.__name__).lower()
    return f"{name}{f': {detail}' if detail else ''}{'' if link is None else f' (link {link})'}"
