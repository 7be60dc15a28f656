"""The measured workloads: kinds of events for a real Connection, on any Python with the library.

The same file runs on CPython and inside Pyodide: it and tests/kizuna/core/machine.py import the standard library and
kizuna alone. Events are made beforehand, so that nothing but ``handle`` is measured.
"""

from __future__ import annotations

import json
import statistics
import timeit
from collections.abc import Callable, Iterable

from kizuna.core.commands import Command
from kizuna.core.connection import Connection
from kizuna.core.events import ConnectRequested, Event, FrameReceived, Timer
from kizuna.platform import Instant, PageShown
from tests.kizuna.core.machine import Machine, with_arrival

MESSAGE = {"type": "message", "roomId": "general", "seq": 7, "content": "こんにちは"}


class Recorder(Machine):
    """Records the events of a Connection with their times, until its link has answered and
    from then on."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[Event, Instant]] = []
        self.handle(ConnectRequested())
        self.settle()
        self.pong()
        self.before, self.told = self.told, []

    def handle(self, *happened: Event) -> list[Command]:
        """Record the events, and pass them to the Machine."""
        self.told += [(each, self.now) for event in happened for each in with_arrival(event)]
        return super().handle(*happened)


def tick(machine: Machine) -> None:
    """Fire the tick that notices sleep, on time."""
    machine.hang(1.0)
    machine.fire(Timer.TICK)


def cycle(machine: Machine) -> None:
    """Go from CONNECTED through a drop and a retry back to CONNECTED."""
    machine.drop()
    machine.hang(machine.armed(Timer.RETRY) or 0.0)
    machine.fire(Timer.RETRY)
    machine.settle()
    machine.hang(5.0)
    machine.fire(Timer.STABLE)


#: Name -> one round. A link that is unknown is late; a page that is shown makes its link SUSPECT until the pong.
WORKLOADS: dict[str, Callable[[Machine], object]] = {
    "FrameReceived, a message": lambda machine: machine.receive(MESSAGE),
    "FrameReceived, of an unknown link": lambda machine: machine.handle(FrameReceived(999, MESSAGE)),
    "TimerFired, the tick": tick,
    "heartbeat and its pong": lambda machine: (machine.fire(Timer.HEARTBEAT), machine.pong()),
    "PageShown and its pong": lambda machine: (machine.handle(PageShown()), machine.pong()),
    "drop, retry, connected again": cycle,
}


def summary(repeats: int = 20, rounds: int = 300) -> str:
    """Name -> the fewest microseconds that one event took in a repeat of so many ``rounds``, and the median; as JSON,
    all that has to leave a browser."""
    costs = {}
    for name, go in WORKLOADS.items():
        recorder = Recorder()
        for _ in range(rounds):
            go(recorder)
        taken = [_microseconds(recorder) for _ in range(repeats)]
        costs[name] = [min(taken), statistics.median(taken)]
    return json.dumps(costs)


def _microseconds(recorder: Recorder) -> float:
    """Return the microseconds of a new Connection for one recorded event."""
    connection = Connection(recorder.wire, recorder.options, lambda: recorder.chance)

    def replay(told: Iterable[tuple[Event, Instant]]) -> None:
        for event, now in told:
            connection.handle(event, now)

    replay(recorder.before)
    return 1e6 * timeit.timeit(lambda: replay(recorder.told), number=1) / len(recorder.told)
