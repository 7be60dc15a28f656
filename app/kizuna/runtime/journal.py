"""The journal: the latest events of a connection, for diagnosis; without tokens or what people wrote.

>>> print(service.journal.to_json())          # doctest: +SKIP
[{"at": 1700000000.0, "event": "connect requested", "status": "connecting", "times": 1}, ...]
"""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import asdict, dataclass, replace

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


class Journal:
    """The latest events, at most ``limit`` entries."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._entries: deque[JournalEntry] = deque(maxlen=limit)

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """Return the entries, oldest first."""
        return tuple(self._entries)

    def to_json(self) -> str:
        """Return the entries as JSON, to attach to a report."""
        return json.dumps([asdict(entry) for entry in self._entries], ensure_ascii=False)

    def record(self, event: Event, now: Instant, status: Status) -> None:
        """Add ``event``, after which the connection had ``status``."""
        words = describe(event)
        if self._entries and (last := self._entries[-1]).event == words and last.status is status:
            self._entries[-1] = replace(last, at=now.wall, times=last.times + 1)
        else:
            self._entries.append(JournalEntry(now.wall, words, status))


def describe(event: Event) -> str:
    """Return ``event`` in words, without its content: frames and close reasons hold what people wrote."""
    words = _WORDS.sub(" ", type(event).__name__).lower()
    match event:
        case events.TimerFired(timer=timer):
            return f"{words}: {timer}"
        case events.SocketClosed(link=link, code=code):
            return f"{words}: {code} (link {link})"
        case events.TokenFailed(link=link, unauthorized=unauthorized):
            return f"{words}: {'unauthorized' if unauthorized else 'unavailable'} (link {link})"
        case events.FrameReceived(link=link, frame=frame):
            kind = frame.get("type")
            known = kind if isinstance(kind, str) and kind.isidentifier() and len(kind) < 32 else "?"
            return f"{words}: {known} (link {link})"
    link_number = getattr(event, "link", None)
    return words if link_number is None else f"{words} (link {link_number})"
