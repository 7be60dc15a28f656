"""What a week was like, measured against the truth that only the simulation knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kizuna.states import Status
from tests.reports.simulated.client import Client
from tests.reports.simulated.world import World


@dataclass(slots=True)
class Measurements:
    """Seconds, and counts."""

    lived: float = 0.0  #: the whole time
    usable: float = 0.0  #: the page ran and an attempt would have succeeded
    connected: float = 0.0  #: of that: the status said CONNECTED, and it was true
    attempts: int = 0
    #: From a dead link that the status called CONNECTED, on a page that runs, to the status changing.
    detections: list[float] = field(default_factory=list)
    #: From "an attempt would succeed, the page is visible, and no link works" to CONNECTED, and truly so.
    recoveries: list[float] = field(default_factory=list)

    def add(self, other: Measurements) -> None:
        """Take another week into account."""
        self.lived += other.lived
        self.usable += other.usable
        self.connected += other.connected
        self.attempts += other.attempts
        self.detections += other.detections
        self.recoveries += other.recoveries


def percentile(numbers: Sequence[float], share: float) -> float | None:
    """The smallest number that at least ``share`` of all do not exceed; None of none."""
    ordered = sorted(numbers)
    return ordered[min(len(ordered) - 1, max(0, int(share * len(ordered) - 1e-9)))] if ordered else None


class Stopwatch:
    """Responsible for how long something lasts, each time anew."""

    def __init__(self, world: World, lengths: list[float]) -> None:
        self._world = world
        self._lengths = lengths
        self._since: float | None = None

    def look(self, *, counts: bool, lasts: bool) -> None:
        """It ``lasts``, or it is over; unless it ``counts``, it has never been."""
        if not counts:
            self._since = None
        elif not lasts:
            self.stop()
        elif self._since is None:
            self._since = self._world.now

    def stop(self) -> None:
        if self._since is not None:
            self._lengths.append(self._world.now - self._since)
            self._since = None


class Meter:
    """Responsible for measuring one client from now on."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._world = client.world
        self._measured = Measurements()
        self._deceived = Stopwatch(client.world, self._measured.detections)
        self._awaited = Stopwatch(client.world, self._measured.recoveries)
        self._started = self._looked_at = self._world.now
        self._usable = self._connected = False
        self._world.watch(self.look)
        self.look()

    def look(self) -> None:
        """Note what is true from now on, and what ended."""
        client, now = self._client, self._world.now
        passed, self._looked_at = now - self._looked_at, now
        if self._usable:
            self._measured.usable += passed
            if self._connected:
                self._measured.connected += passed
        says_connected, works = client.status is Status.CONNECTED, client.has_working_link
        self._usable = client.could_connect
        self._connected = says_connected and works
        self._deceived.look(counts=client.page.runs and not works, lasts=says_connected)
        self._awaited.look(counts=self._usable and client.page.visible, lasts=not self._connected)

    def result(self) -> Measurements:
        """What was measured, at the end: what still lasts then counts with the time that it has lasted."""
        self.look()
        self._deceived.stop()
        self._awaited.stop()
        self._measured.lived = self._world.now - self._started
        self._measured.attempts = self._client.attempts
        return self._measured
