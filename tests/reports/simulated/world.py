"""Virtual time: what is to happen, in order. A week passes in seconds, and the same seed gives the same week."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from kizuna.testing import VirtualClock

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class World:
    """Responsible for time and chance. ``now`` counts seconds since the world began, at a midnight."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self._clock = VirtualClock(monotonic=0.0)
        self._watchers: list[Callable[[], None]] = []

    @property
    def now(self) -> float:
        return self._clock.now().monotonic

    def until(self, hour: float) -> float:
        """Seconds until it is next ``hour`` o'clock."""
        return (hour * HOUR - self.now - 1e-6) % DAY + 1e-6

    def at(self, when: float, do: Callable[[], None]) -> Callable[[], None]:
        """Let ``do`` happen at ``when``, unless what is returned is called before. What was asked for first happens
        first at equal times."""
        return self._clock.call_at(when, do).cancel

    def after(self, delay: float, do: Callable[[], None]) -> None:
        self.at(self.now + delay, do)

    def run(self, until: float) -> None:
        """Let everything up to ``until`` happen."""
        while (due := self._clock.next_due()) is not None and due <= until:
            self._clock.move_to(due)
            self._clock.fire_next()
        self._clock.move_to(until)

    def live(self, script: Iterator[float]) -> None:
        """Carry out ``script``: whatever it does, and whenever it yields, that many seconds of pause."""
        pause = next(script, None)
        if pause is not None:
            self.after(pause, lambda: self.live(script))

    def watch(self, look: Callable[[], None]) -> None:
        """Call ``look`` whenever page, network, gateway or status are no longer what they were."""
        self._watchers.append(look)

    def changed(self) -> None:
        for look in self._watchers:
            look()
