"""The statistics of a connection."""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import NamedTuple

from kizuna.core import events
from kizuna.core.events import Event
from kizuna.core.state import ConnectionState
from kizuna.core.states import CONNECTED_STATUSES, Status
from kizuna.platform import Instant

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


class StatisticsRecorder:
    """The counters behind Statistics, updated with every event."""

    def __init__(self) -> None:
        self._attempts = self._connections = self._drops = self._rollovers = 0
        self._frames = self._malformed = 0
        self._connected_before = 0.0
        self._connected_since: float | None = None
        self._round_trips: deque[float] = deque(maxlen=ROUND_TRIPS)

    def record_attempt(self) -> None:
        """Count an attempt."""
        self._attempts += 1

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
            self._malformed += 1
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
            frames_malformed=self._malformed,
            seconds_connected=self._connected_before + self._connected_for(now),
            rtt_last=self._round_trips[-1] if ordered else None,
            rtt_median=_percentile(ordered, 0.5),
            rtt_p95=_percentile(ordered, 0.95),
        )

    def _connected_for(self, now: Instant) -> float:
        return 0.0 if self._connected_since is None else now.monotonic - self._connected_since


def _percentile(ordered: list[float], share: float) -> float | None:
    """Return the smallest value that is not exceeded by ``share`` of all values."""
    if not ordered:
        return None
    return ordered[max(0, ceil(share * len(ordered)) - 1)]
