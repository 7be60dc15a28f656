"""The events of a chaos run, with their times, for the report and for finding the cause of a failure."""

from __future__ import annotations

import re
import time
from collections import Counter, deque

#: The newest events that are kept (ten minutes have some 20,000 frames); the counts include all.
MAX_EVENTS = 50_000


class EventLog:
    """Events with the second of each, and counts by kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._events: deque[str] = deque(maxlen=MAX_EVENTS)
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the log began."""
        return time.monotonic() - self._begun

    def note(self, whom: str, what: str) -> None:
        """Add an event, without its tokens."""
        words = re.sub(r"token=[^&'\"\s]+", "token=...", what)
        self._events.append(f"{self.seconds:8.3f}  {whom:<8}  {words}")

    def __str__(self) -> str:
        return "\n".join(self._events)
