"""How long a frame takes from one call to all connections: the local server beside a bare `websockets.broadcast`.

    python -m tests.reports.bench.fanout            # prints the tables (`make bench-fanout`: into docs/benchmarks.md)
    python -m tests.reports.bench.fanout --quick    # few connections: shows that it works, measures nothing

Three processes: the two servers (fanout_servers) and the clients of both (fanout_clients). They share one clock. The
servers take turns, frame by frame, so that both meet the same machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from chat.protocol import Hello, Message, RoomPosition, SendMessage, encode
from tests.reports.bench.fanout_servers import ROOM
from tests.reports.one_machine import memory_of
from tests.support.server import ROOT
from tools.reports.documents import publish, table

PROGRAM = "python -m tests.reports.bench.fanout"
SERVERS = ("kizuna", "bare")
CONTENT = "x" * 200
#: Handshakes at the same time.
TOGETHER = 32
#: To reach: this server's p95 to the bare one's, with the most connections.
AIM, STRETCH = 3.0, 2.0


@dataclass(frozen=True)
class Plan:
    """How much is measured: ``rounds`` frames one by one, then ``bursts`` of ``burst`` at once."""

    audiences: Sequence[int] = (10, 100, 1000)
    entering: int = 2000
    rounds: int = 100
    warm_up: int = 10
    bursts: int = 10
    burst: int = 100


QUICK = Plan(audiences=(3,), entering=5, rounds=2, warm_up=1, bursts=2, burst=3)


@dataclass
class Figures:
    """What was measured of one server with one audience. Times are in nanoseconds."""

    receipts: list[int] = field(default_factory=list)  #: from the call to each receipt
    last: list[int] = field(default_factory=list)  #: from the call to the last receipt
    rates: list[float] = field(default_factory=list)  #: messages a second, of each burst
    whole: list[int] = field(default_factory=list)  #: from a client's message to each receipt
    memory: int = 0  #: bytes over those without a connection


class Child:
    """A process that answers requests."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by close)
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.reports.bench.{module}", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout

    @property
    def memory(self) -> int:
        """The bytes of memory that it holds."""
        return memory_of(self._process.pid)

    def tell(self, **request: Any) -> None:
        """Send a request. :meth:`hear` returns its answer."""
        self._requests.write(json.dumps(request) + "\n")
        self._requests.flush()

    def hear(self) -> Mapping[str, Any]:
        """Return the next answer. Raises RuntimeError when the process has ended."""
        if line := self._answers.readline():
            answer: Mapping[str, Any] = json.loads(line)
            return answer
        self._errors.seek(0)
        raise RuntimeError(f"a process of the benchmark has ended:\n{self._errors.read()[-3000:]}")

    def ask(self, **request: Any) -> Mapping[str, Any]:
        """Send a request and return its answer."""
        self.tell(**request)
        return self.hear()

    def close(self) -> None:
        """End the process and wait for it."""
        self._requests.close()
        self._answers.read()
        self._answers.close()
        self._process.wait()
        self._errors.close()


class Bench:
    """Both servers and the clients, with the same number of connections to each."""

    def __init__(self, folder: Path) -> None:
        self.children = {
            "kizuna": Child("fanout_servers", "kizuna", str(folder)),
            "bare": Child("fanout_servers", "bare"),
        }
        self.clients = Child("fanout_clients")

    def close(self) -> None:
        """End all processes."""
        for child in (self.clients, *self.children.values()):
            child.close()

    def enter(self, server: str, people: int) -> tuple[Mapping[str, Any], int]:
        """Open so many connections, which enter the room; return how long that took, and the bytes of memory."""
        child = self.children[server]
        where = child.ask(do="paths", count=people)
        before = child.memory
        hello = encode(Hello(v=1, rooms=(RoomPosition(room_id=ROOM),))) if server == "kizuna" else ""
        entered = self.clients.ask(do="open", group=server, hello=hello, together=TOGETHER, **where)
        return entered, child.memory - before

    def post(self, server: str, frames: int) -> tuple[Sequence[int], Sequence[Sequence[int]]]:
        """Post one frame after the other; return when each call began, and when each connection had each frame."""
        self._collect(server, frames)
        text = message(frames)
        posted = self.children[server].ask(do="post", frames=frames, text=text)
        received = self.clients.hear()
        if received["texts"] != [text] or posted["taken"] != frames * len(received["times"]):
            raise RuntimeError(f"not everybody got what {server} sent: {posted['taken']} were taken")
        return posted["began"], received["times"]

    def say(self, server: str, number: int) -> tuple[int, Sequence[int]]:
        """Let a client say something; return when it did, and when each connection, its own too, had it."""
        said = SendMessage(client_message_id=f"c-{number}", room_id=ROOM, content=CONTENT)
        self._collect(server, 1, encode(said) if server == "kizuna" else message(number))
        received = self.clients.hear()
        return received["said"], [time for (time,) in received["times"]]

    def _collect(self, server: str, frames: int, say: str = "") -> None:
        self.clients.ask(do="collect", group=server, frames=frames, say=say)


@contextlib.contextmanager
def started() -> Iterator[Bench]:
    """Run new processes, over a file of the disk that the data would be on."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
        contextlib.closing(Bench(Path(folder))) as bench,
    ):
        yield bench


def message(seq: int) -> str:
    """Return a frame as the server broadcasts it."""
    return encode(
        Message(
            room_id=ROOM,
            message_id=f"{seq:032d}",
            sender_id="user-0123456789abcdef",
            sender_name="Murasaki",
            content=CONTENT,
            timestamp=1_700_000_000_000,
            epoch="0123456789abcdef",
            seq=seq,
            client_message_id="0123456789abcdef",
        )
    )


def measure(people: int, plan: Plan) -> Mapping[str, Figures]:
    """Measure one audience."""
    figures = {server: Figures() for server in SERVERS}
    with started() as bench:
        for server in SERVERS:
            _, figures[server].memory = bench.enter(server, people)
        for number in range(plan.warm_up + plan.rounds):
            for server, found in figures.items():
                (began,), times = bench.post(server, 1)
                said, heard = bench.say(server, number + 1)
                if number >= plan.warm_up:
                    found.receipts += [time - began for (time,) in times]
                    found.last.append(max(time for (time,) in times) - began)
                    found.whole += [time - said for time in heard]
        for _ in range(plan.bursts):
            for server, found in figures.items():
                calls, times = bench.post(server, plan.burst)
                seconds = (max(map(max, times)) - calls[0]) / 1e9
                found.rates.append(plan.burst / seconds)
    return figures


def percentile(numbers: Sequence[float], share: float) -> float:
    """Return the smallest number that at least this share of them do not exceed."""
    ordered = sorted(numbers)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


# --- the report ---


def fan_out_table(measured: Mapping[int, Mapping[str, Figures]]) -> str:
    """Return the figures of both servers for each audience."""
    headings = (
        *("connections", "server", "p50", "p95", "p95, to bare", "last, p95", "messages/s", "deliveries/s"),
        *("memory", "whole path, p50", "whole path, p95"),
    )
    rows = []
    for people, figures in measured.items():
        bare = percentile(figures["bare"].receipts, 0.95)
        for server, found in figures.items():
            p95, rate = percentile(found.receipts, 0.95), median(found.rates)
            rows.append(
                [
                    f"{people:,}",
                    "this server" if server == "kizuna" else "`websockets.broadcast`",
                    _milliseconds(percentile(found.receipts, 0.5)),
                    _milliseconds(p95),
                    f"{p95 / bare:.2f}",
                    _milliseconds(percentile(found.last, 0.95)),
                    f"{rate:,.0f}",
                    f"{rate * people:,.0f}",
                    f"{found.memory / 2**20:.1f} MB",
                    _milliseconds(percentile(found.whole, 0.5)),
                    _milliseconds(percentile(found.whole, 0.95)),
                ]
            )
    return table(headings, rows, 2)


def verdict(measured: Mapping[int, Mapping[str, Figures]]) -> str:
    """Return whether the aim is reached with the largest audience."""
    people = max(measured)
    ours, bare = (percentile(measured[people][server].receipts, 0.95) for server in SERVERS)
    ratio = ours / bare
    reached = "reached" if ratio <= AIM else "**not reached**"
    return (
        f"To reach with {people:,} connections: a p95 within {AIM:g} times that of `websockets.broadcast`, if possible"
        f" {STRETCH:g}. Measured: {ratio:.2f}, {reached}."
    )


def entering_table(bench: Bench, people: int) -> str:
    """Return what it costs when many enter one room."""
    rows = []
    for server in SERVERS:
        entered, memory = bench.enter(server, people)
        read = bench.children[server].ask(do="rows") if server == "kizuna" else None
        rows.append(
            [
                "this server: connect, hello, batch, presence" if read else "`websockets`: connect",
                f"{entered['seconds']:.1f} s",
                f"{people / entered['seconds']:,.0f}",
                _milliseconds(percentile(entered["took"], 0.5)),
                _milliseconds(percentile(entered["took"], 0.95)),
                f"{read['rows']:,}" if read else "",
                f"{read['most']:,}" if read else "",
                f"{memory / 2**20:.1f} MB",
                f"{memory / people / 1024:.0f} KB",
            ]
        )
    headings = (
        *(f"{people:,} enter one room", "all", "each second", "each, p50", "p95"),
        *("members read", "by one, at most", "memory", "for each"),
    )
    return table(headings, rows)


def report(plan: Plan, command: str) -> str:
    """Measure everything, and return it as Markdown."""
    with started() as bench:
        entering = entering_table(bench, plan.entering)
    measured = {people: measure(people, plan) for people in plan.audiences}
    versions = ", ".join(f"{name} {version(name)}" for name in ("websockets", "uvicorn", "starlette"))
    origin = (
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors, which clients and servers share; load"
        f" {os.getloadavg()[0]:.1f}. CPython {platform.python_version()}, {versions}. {plan.rounds} messages one by"
        f" one, {plan.bursts} bursts of {plan.burst}; a message takes {len(message(1).encode())} bytes."
    )
    return "\n\n".join([fan_out_table(measured), verdict(measured), entering, origin])


def _milliseconds(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:.2f} ms"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few connections, to see that it works")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    args = parser.parse_args(arguments)
    command = PROGRAM + (" --quick" if args.quick else "")
    publish("fan-out", report(QUICK if args.quick else Plan(), command), write=args.write)


if __name__ == "__main__":
    main()
