"""The measured workloads: kinds of events for a real Connection, and frames on their way through a service.

The same file runs on CPython and inside Pyodide: it and tests/kizuna/core/machine.py import the standard library and
kizuna alone. Events are made beforehand, so that nothing but ``handle`` is measured. A frame's way begins where the
browser has called Python with its text, and ends in a handler that does nothing.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
import timeit
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kizuna.codec import JSON_OBJECTS, read_frame
from kizuna.core import Connection
from kizuna.core.events import Command, ConnectRequested, Event, FrameReceived, Timer
from kizuna.platform import Instant, PageShown
from kizuna.service import WebSocketService
from kizuna.testing import FakePlatform
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


async def summary(repeats: int = 20, rounds: int = 300, kept: int = 20_000) -> str:
    """Name -> the fewest microseconds that one event or frame took in a repeat of so many ``rounds``, and the median;
    as JSON, all that has to leave a browser. ``kept``: frames that are kept while garbage is collected."""
    costs = {}
    for name, go in WORKLOADS.items():
        recorder = Recorder()
        for _ in range(rounds):
            go(recorder)
        taken = [_microseconds(recorder) for _ in range(repeats)]
        costs[name] = [min(taken), statistics.median(taken)]
    costs |= await frame_costs(repeats, rounds)
    for name, freeze in (("garbage, for a frame that is kept", False), ("the same after gc.freeze()", True)):
        taken = [_microseconds_of_garbage(kept, freeze=freeze) for _ in range(3)]
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


class RealClock(FakePlatform):
    """The fake platform with the clocks of a page, since reading them is part of the cost."""

    def now(self) -> Instant:
        return Instant(time.monotonic(), time.time())


async def frame_costs(repeats: int, rounds: int) -> Mapping[str, list[float]]:
    """Name -> the fewest microseconds for one frame in a repeat, and the median."""
    platform = RealClock()
    service = WebSocketService("ws://127.0.0.1/ws", platform=platform, codec=JSON_OBJECTS)
    connecting = asyncio.get_running_loop().create_task(service.connect())
    await platform.settle()
    platform.socket.accept()
    for kind in ("ready", "pong"):
        platform.socket.receive({"type": kind})
    await connecting
    service.on_message(lambda frame: None)
    listener: Any = platform.socket._listener
    text = json.dumps(MESSAGE, ensure_ascii=False)
    taken: dict[str, list[float]] = {}

    def measure(name: str, act: Callable[[], object]) -> None:
        begun = time.perf_counter()
        act()
        taken.setdefault(name, []).append(1e6 * (time.perf_counter() - begun) / rounds)

    def arrive() -> None:
        for _ in range(rounds):
            listener.on_text(text)

    def arrive_alone() -> None:
        for _ in range(rounds):
            listener.on_text(text)
            platform.run_next()

    for _ in range(repeats):
        platform.holds_soon = True
        measure("a frame: its text is read", lambda: [read_frame(text) for _ in range(rounds)])
        measure("a frame: it arrives and waits", arrive)
        platform.holds_soon = False
        measure("a frame: it is handled, in a flood", platform.run_soon)
        platform.holds_soon = True
        measure("a frame: it arrives alone and is handled", arrive_alone)
    service.disconnect()
    return {name: [min(costs), statistics.median(costs)] for name, costs in taken.items()}


def _microseconds_of_garbage(frames: int, *, freeze: bool) -> float:
    """Return the microseconds of garbage collection for each of so many frames, which are kept in three objects."""
    text, spent, begun = json.dumps(MESSAGE), 0.0, 0.0

    def note(phase: str, info: object) -> None:
        nonlocal spent, begun
        if phase == "start":
            begun = time.perf_counter()
        else:
            spent += time.perf_counter() - begun

    gc.collect()
    if freeze:
        gc.freeze()
    gc.callbacks.append(note)
    kept = []
    for _ in range(frames):
        frame = read_frame(text)
        kept.append((frame, [frame]))
    gc.callbacks.remove(note)
    if freeze:
        gc.unfreeze()
    return 1e6 * spent / frames
