"""Count the calls of one frame on its way through library and chat: ``python -m tests.reports.walk [--list]``.

It counts calls of Python functions in app/, from the socket to the published state, with the work that the frame has
begun. The clock and the browser are fakes, so the counts are the same on every machine.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from tests.chat.session_harness import SessionHarness, ack, message

_APP = str(Path(__file__).parents[2] / "app")
#: Measured after so many messages, when first uses are over.
_WARM_UP = 0


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
        if event == "call" and code.co_filename.startswith(_APP):
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
    for seq in range(1, _WARM_UP + 1):
        await harness.send("hello")
        await harness.receive(ack(f"c{seq}", seq))
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

    mine, seq = f"c{_WARM_UP + 1}", _WARM_UP + 2
    own = message(seq, clientMessageId=mine, senderId="id-of-Mika", senderName="Mika", content="hello")
    await walk("message of another person", lambda: harness.socket.receive(message(seq - 1)))
    await walk("own message, from Enter to the wire", lambda: harness.session.send_message("hello"))
    await walk("its ack", lambda: harness.socket.receive(ack(mine, seq)))
    await walk("its broadcast", lambda: harness.socket.receive(own))
    harness.session.leave()
    await harness.platform.settle()
    return found


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--list", action="store_true", help="print each function, too")
    wants_list = arguments.parse_args().list
    print("| event | calls | functions | files | `_show` | states |\n|---|---:|---:|---:|---:|---:|")
    for walk in asyncio.run(walks()):
        print(walk)
        if wants_list:
            for (file, name), count in sorted(walk.calls.items()):
                print(f"    {count:4} {file}: {name}")


if __name__ == "__main__":
    main()
