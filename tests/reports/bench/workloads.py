"""What is measured: kinds of event told to a real Connection, on any Python that has the library.

The same file runs on CPython and, read as text, inside Pyodide: it imports the standard library and kizuna alone.
"""

from __future__ import annotations

import json
import statistics
import timeit
from collections.abc import Callable
from functools import partial

from kizuna import events
from kizuna.connection import Connection
from kizuna.events import Event, Timer
from kizuna.options import Options
from kizuna.platform import Instant

READY = {"type": "ready"}
PONG = {"type": "pong", "t": 1000}
MESSAGE = {"type": "message", "roomId": "general", "seq": 7, "content": "こんにちは"}


class Page:
    """Responsible for one Connection, whose link carries and has answered, and the time that it is told."""

    def __init__(self) -> None:
        self.connection = Connection(Options(), lambda: 0.5)
        self.now = 1000.0
        self.link = 0
        self.tell(events.ConnectRequested())
        self.come_up()
        self.answer()

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

    def answer(self) -> None:
        """The server's pong."""
        self.tell(events.FrameReceived(self.link, PONG))

    # --- what is measured ---

    def message(self) -> None:
        """A frame of the application."""
        self.tell(events.FrameReceived(self.link, MESSAGE))

    def stranger(self) -> None:
        """A late frame of a link that is no longer known."""
        self.tell(events.FrameReceived(999, MESSAGE))

    def tick(self) -> None:
        """The tick that notices sleep, on time."""
        self.now += 1.0
        self.tell(events.TimerFired(Timer.TICK))

    def heartbeat(self) -> None:
        """A ping that is due, and its pong."""
        self.tell(events.TimerFired(Timer.HEARTBEAT))
        self.answer()

    def look(self) -> None:
        """The page is shown: a probe, SUSPECT, its pong, CONNECTED."""
        self.tell(events.PageShown())
        self.answer()

    def cycle(self) -> None:
        """From CONNECTED through a drop and a retry back to CONNECTED."""
        self.tell(events.SocketClosed(self.link, 1006))
        self.now = self.connection.timers[Timer.RETRY]
        self.tell(events.TimerFired(Timer.RETRY))
        self.come_up()
        self.now += 5.0
        self.tell(events.TimerFired(Timer.STABLE))


#: Name -> how many events one round tells, and the round.
WORKLOADS: dict[str, tuple[int, Callable[[Page], None]]] = {
    "FrameReceived, a message": (1, Page.message),
    "FrameReceived, of an unknown link": (1, Page.stranger),
    "TimerFired, the tick": (1, Page.tick),
    "heartbeat and its pong": (2, Page.heartbeat),
    "PageShown and its pong": (2, Page.look),
    "drop, retry, connected again": (7, Page.cycle),
}


def summary(repeats: int, rounds: int) -> str:
    """Name -> the fewest microseconds that one event took in a repeat of so many ``rounds``, and the median; as JSON,
    all that has to leave a browser."""
    costs = {}
    for name, (size, go) in WORKLOADS.items():
        seconds = timeit.repeat(partial(go, Page()), repeat=repeats, number=rounds)
        costs[name] = [1e6 * taken / rounds / size for taken in (min(seconds), statistics.median(seconds))]
    return json.dumps(costs)
