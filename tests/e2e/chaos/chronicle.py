"""What happened, when and to whom: for the counts of a report, and to be read when something went wrong."""

from __future__ import annotations

import re
import time
from collections import Counter, deque

#: Ten minutes are some 20,000 frames; the newest so many events are kept, the counts are of all.
KEPT = 50_000


class Chronicle:
    """Responsible for remembering events with their second, and how many there were of each kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._events: deque[str] = deque(maxlen=KEPT)
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._begun

    def note(self, whom: str, what: str) -> None:
        """Remember it, tokens left out."""
        words = re.sub(r"token=[^&'\"\s]+", "token=...", what)
        self._events.append(f"{self.seconds:8.3f}  {whom:<8}  {words}")

    def __str__(self) -> str:
        return "\n".join(self._events)
