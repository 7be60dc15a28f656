"""What is measured: kinds of event told to a real Connection, on any Python that has the library.

The same file runs on CPython and, read as text, inside Pyodide: it imports the standard library and kizuna alone.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable

from kizuna import events
from kizuna.connection import Connection
from kizuna.events import Event, Timer
from kizuna.options import Options
from kizuna.platform import Instant

READY = {"type": "ready"}
PONG = {"type": "pong", "t": 1000}
MESSAGE = {"type": "message", "roomId": "general", "seq": 7, "content": "こんにちは"}

#: Name -> how many events one round tells, and what makes a round.
Round = Callable[[], object]


class Page:
    """Responsible for one Connection and the time that it is told."""

    def __init__(self) -> None:
        self.connection = Connection(Options(), lambda: 0.5)
        self.now = 1000.0
        self.link = 0

    def tell(self, event: Event) -> None:
        """Tell one event at this moment."""
        self.connection.handle(event, Instant(self.now, 1_700_000_000.0 + self.now))

    def come_up(self) -> None:
        """The four events from a token to CONNECTED."""
        self.link += 1
        self.tell(events.TokenObtained(self.link, "token"))
        self.tell(events.SocketOpened(self.link))
        self.tell(events.FrameReceived(self.link, READY))
        self.tell(events.LinkPrepared(self.link))


def connected() -> Page:
    """A page whose link carries, and has answered."""
    page = Page()
    page.tell(events.ConnectRequested())
    page.come_up()
    page.tell(events.FrameReceived(page.link, PONG))
    return page


def frame() -> tuple[int, Round]:
    """A frame of the application."""
    page = connected()
    return 1, lambda: page.tell(events.FrameReceived(page.link, MESSAGE))


def tick() -> tuple[int, Round]:
    """The tick that notices sleep, on time."""
    page = connected()

    def go() -> None:
        page.now += 1.0
        page.tell(events.TimerFired(Timer.TICK))

    return 1, go


def heartbeat() -> tuple[int, Round]:
    """A ping that is due, and its pong."""
    page = connected()

    def go() -> None:
        page.tell(events.TimerFired(Timer.HEARTBEAT))
        page.tell(events.FrameReceived(page.link, PONG))

    return 2, go


def look() -> tuple[int, Round]:
    """The page is shown: a probe, SUSPECT, its pong, CONNECTED."""
    page = connected()

    def go() -> None:
        page.tell(events.PageShown())
        page.tell(events.FrameReceived(page.link, PONG))

    return 2, go


def stranger() -> tuple[int, Round]:
    """A late frame of a link that is no longer known."""
    page = connected()
    return 1, lambda: page.tell(events.FrameReceived(999, MESSAGE))


def cycle() -> tuple[int, Round]:
    """From CONNECTED through a drop and a retry back to CONNECTED."""
    page = connected()

    def go() -> None:
        page.tell(events.SocketClosed(page.link, 1006))
        page.now = page.connection.timers[Timer.RETRY]
        page.tell(events.TimerFired(Timer.RETRY))
        page.come_up()
        page.now += 5.0
        page.tell(events.TimerFired(Timer.STABLE))

    return 7, go


WORKLOADS: dict[str, Callable[[], tuple[int, Round]]] = {
    "FrameReceived, a message": frame,
    "FrameReceived, of an unknown link": stranger,
    "TimerFired, the tick": tick,
    "heartbeat and its pong": heartbeat,
    "PageShown and its pong": look,
    "drop, retry, connected again": cycle,
}


def measure(repeats: int, seconds: float) -> dict[str, list[float]]:
    """Name -> for each of ``repeats``, the mean microseconds that one event took; a repeat lasts ``seconds``."""
    return {name: _repeat(*make(), repeats, seconds) for name, make in WORKLOADS.items()}


def _repeat(size: int, go: Round, repeats: int, seconds: float) -> list[float]:
    rounds = 64
    while (taken := _time(go, rounds)) < seconds / 4:  # also warms up
        rounds *= 2
    rounds = max(1, round(rounds * seconds / taken))
    return [1e6 * _time(go, rounds) / rounds / size for _ in range(repeats)]


def _time(go: Round, rounds: int) -> float:
    gc.collect()
    start = time.perf_counter()
    for _ in range(rounds):
        go()
    return time.perf_counter() - start


def summary(repeats: int, seconds: float) -> str:
    """The minimum and the median of each, as JSON: all that has to leave a browser."""
    measured = measure(repeats, seconds)
    return json.dumps({name: [min(took), statistics.median(took)] for name, took in measured.items()})
