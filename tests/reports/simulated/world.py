"""Virtual time: what is to happen, in order. A week passes in seconds, and the same seed gives the same week."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from random import Random

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class World:
    """Responsible for time and chance. ``now`` counts seconds since the world began, at a midnight."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.random = Random(seed)
        self._to_come: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._watchers: list[Callable[[], None]] = []

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Let ``do`` happen at ``when``; what was asked for first happens first at equal times."""
        heapq.heappush(self._to_come, (when, next(self._numbers), do))

    def after(self, delay: float, do: Callable[[], None]) -> None:
        """Let ``do`` happen ``delay`` seconds from now."""
        self.at(self.now + delay, do)

    def next_at(self) -> float | None:
        """When something happens next, if anything does."""
        return self._to_come[0][0] if self._to_come else None

    def step(self) -> None:
        """Go to the next thing that happens, and let it."""
        when, _, do = heapq.heappop(self._to_come)
        self.now = max(self.now, when)
        do()

    def run(self, until: float) -> None:
        """Let everything up to ``until`` happen."""
        while self._to_come and self._to_come[0][0] <= until:
            self.step()
        self.now = max(self.now, until)

    def live(self, script: Iterator[float]) -> None:
        """Carry out ``script``: whatever it does, and whenever it yields, that many seconds of pause."""
        pause = next(script, None)
        if pause is not None:
            self.after(pause, lambda: self.live(script))

    def watch(self, look: Callable[[], None]) -> None:
        """Call ``look`` whenever page, network, gateway or status are no longer what they were."""
        self._watchers.append(look)

    def changed(self) -> None:
        """Page, network, gateway or status are no longer what they were."""
        for look in self._watchers:
            look()
