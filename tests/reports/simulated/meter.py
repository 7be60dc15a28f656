"""What a week was like, measured against the truth that only the simulation knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kizuna.states import Status
from tests.reports.simulated.client import Client


@dataclass(slots=True)
class Measurements:
    """Seconds, and counts."""

    lived: float = 0.0  #: the whole time
    usable: float = 0.0  #: the page ran and an attempt would have succeeded
    connected: float = 0.0  #: of that: the status said CONNECTED, and it was true
    attempts: int = 0
    sockets: int = 0
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
        self.sockets += other.sockets
        self.detections += other.detections
        self.recoveries += other.recoveries


def percentile(numbers: Sequence[float], share: float) -> float | None:
    """The smallest number that at least ``share`` of all do not exceed; None of none."""
    ordered = sorted(numbers)
    return ordered[min(len(ordered) - 1, max(0, int(share * len(ordered) - 1e-9)))] if ordered else None


class Meter:
    """Responsible for measuring one client from now on."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._world = client.world
        self._measured = Measurements()
        self._started = self._looked_at = self._world.now
        self._usable = self._connected = False
        self._deceived_since: float | None = None
        self._awaited_since: float | None = None
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
        self._look_at_detection(says_connected, works)
        self._look_at_recovery()

    def result(self) -> Measurements:
        """What was measured, at the end: what still lasts then counts with the time that it has lasted."""
        self.look()
        if self._deceived_since is not None:
            self._measured.detections.append(self._world.now - self._deceived_since)
        if self._awaited_since is not None:
            self._measured.recoveries.append(self._world.now - self._awaited_since)
        self._measured.lived = self._world.now - self._started
        self._measured.attempts = self._client.attempts
        self._measured.sockets = self._client.sockets_opened
        return self._measured

    def _look_at_detection(self, says_connected: bool, works: bool) -> None:
        if not self._client.page.runs or works:  # it cannot know, or there is nothing (more) to know
            self._deceived_since = None
        elif says_connected:
            self._deceived_since = self._world.now if self._deceived_since is None else self._deceived_since
        elif self._deceived_since is not None:
            self._measured.detections.append(self._world.now - self._deceived_since)
            self._deceived_since = None

    def _look_at_recovery(self) -> None:
        if not (self._usable and self._client.page.visible):
            self._awaited_since = None
        elif not self._connected:
            self._awaited_since = self._world.now if self._awaited_since is None else self._awaited_since
        elif self._awaited_since is not None:
            self._measured.recoveries.append(self._world.now - self._awaited_since)
            self._awaited_since = None
