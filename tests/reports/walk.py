"""Count the calls of one frame on its way through library and chat: ``python -m tests.reports.walk [--list]``.

It counts calls of Python functions in app/, from the socket to the published state, with the work that the frame has
begun. The clock and the browser are fakes, so the counts are the same on every machine; the fakes' own calls are not
counted. It also measures what journal and statistics cost for a frame.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import timeit
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from kizuna.core.states import ConnectionState, Status
from kizuna.platform import Instant
from kizuna.runtime.journal import Journal, StatisticsRecorder
from kizuna.wire import KIZUNA, Wire
from tests.chat.session_harness import SessionHarness, ack, message

_APP = str(Path(__file__).parents[2] / "app")
_FAKES = str(Path(_APP) / "kizuna" / "testing")
_ROUNDS = 100_000
#: Messages that arrive together.
_TOGETHER = 100


@dataclass(slots=True)
class Walk:
    """The calls of one event."""

    name: str
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)  #: by file and function
    states: int = 0  #: published ones

    @property
    def total(self) -> int:
        """Return how many calls there were."""
        return self.calls.total()

    def count(self, function: str) -> int:
        """Return how often functions of this name were called."""
        return sum(count for (_, name), count in self.calls.items() if name.split(".")[-1] == function)

    def __str__(self) -> str:
        files = {file for file, _ in self.calls}
        counts = (self.total, len(self.calls), len(files), self.count("_show"), self.states)
        return f"| {self.name} | {' | '.join(map(str, counts))} |"


@contextmanager
def _counted(walk: Walk) -> Iterator[None]:
    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(_APP) and not code.co_filename.startswith(_FAKES):
            file = code.co_filename.removeprefix(_APP + "/")
            walk.calls[file, getattr(code, "co_qualname", code.co_name)] += 1

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


async def walks() -> list[Walk]:
    """Return the walks of a received message, an own one on its way out, its ack and its broadcast."""
    harness = SessionHarness()
    await harness.join()
    found: list[Walk] = []

    async def walk(name: str, act: Callable[[], Any]) -> None:
        harness.seen_states.clear()
        found.append(Walk(name))
        with _counted(found[-1]):
            result = act()
            if result is not None:
                await result
            await harness.platform.settle()
        found[-1].states = len(harness.seen_states)

    def say() -> None:
        harness.session.send_message("hello")

    own = message(2, clientMessageId="c1", senderId="id-of-Mika", senderName="Mika", content="hello")
    await walk("message of another person", lambda: harness.socket.receive(message(1)))
    await walk("own message, from Enter to the wire", say)
    await walk("its ack", lambda: harness.socket.receive(ack("c1", 2)))
    await walk("its broadcast", lambda: harness.socket.receive(own))
    harness.session.leave()
    await harness.platform.settle()
    return found


async def calls_after(count: int, wire: Wire) -> Walk:
    """Return the walk of three messages, two of them swapped, and of a duplicate, behind so many others."""
    harness = SessionHarness(wire=wire)
    if wire is KIZUNA:
        await harness.join()
    else:
        harness.session.join("Mika")
        await harness.platform.settle()
        harness.socket.accept()
        await harness.platform.settle()
    for first in range(1, count + 1, _TOGETHER):
        harness.platform.holds_soon = True
        for seq in range(first, first + _TOGETHER):
            harness.socket.receive(_of_wire(seq, wire))
        harness.platform.holds_soon = False
        harness.platform.run_soon()
        await harness.platform.settle()
    walk = Walk(f"a message behind {count:,}")
    with _counted(walk):
        for seq in (count + 2, count + 1, count, count + 3):
            harness.socket.receive(_of_wire(seq, wire))
        await harness.platform.settle()
    harness.session.leave()
    await harness.platform.settle()
    return walk


def _of_wire(seq: int, wire: Wire) -> dict[str, Any]:
    """Return a message of another person as the server of this wire sends it."""
    frame = message(seq)
    if wire is KIZUNA:
        return frame
    return {name: frame[name] for name in ("messageId", "senderId", "content", "timestamp")}


def diagnosis_cost() -> float:
    """Return the microseconds of journal and statistics for one frame of a flood: the least of five rounds."""
    journal, recorder, state = Journal(), StatisticsRecorder(), ConnectionState(Status.CONNECTED)
    now = Instant(1.0, 1.0)

    def record() -> None:
        recorder.record_frame()
        journal.record_frame(1, "message", now, state.status)

    return min(timeit.repeat(record, number=_ROUNDS, repeat=5)) / _ROUNDS * 1e6


def main() -> None:
    """Print the table, and the cost of diagnosis."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--list", action="store_true", help="print each function, too")
    wants_list = arguments.parse_args().list
    print("| event | calls | functions | files | `_show` | states |\n|---|---:|---:|---:|---:|---:|")
    for walk in asyncio.run(walks()):
        print(walk)
        if wants_list:
            for (file, name), count in sorted(walk.calls.items()):
                print(f"    {count:4} {file}: {name}")
    print(f"\nJournal and statistics: {diagnosis_cost():.2f} µs for a frame")


if __name__ == "__main__":
    main()
