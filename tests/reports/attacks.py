"""The cost of attacks for others: each attack, and beside it a person who sends a message every 100 ms.

python -m tests.reports.attacks                      # prints the table
python -m tests.reports.attacks --write              # and puts it into docs/attacks.md
python -m tests.reports.attacks --only typing hello  # some of them

Server, attacker and people share this machine's processors.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import resource
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backend.messaging.message_log import PAGE_MESSAGES, Rooms, Sender
from backend.store.sqlite import SqliteStore
from chat.protocol import SendMessage
from tests.reports.attacks_page import longest_stops
from tests.support.attackers import ATTACKS, ROOMS
from tests.support.peer import SocketClient
from tests.support.process import PATIENCE, ROOT, Process
from tests.support.server import KizunaServer
from tools.reports.documents import publish, table

HEADINGS = ("attack", "what", "others: ack, p50", "max", "acknowledged", "memory", "stop")
MESSAGES = 60
PAUSE_SECONDS = 0.1
#: Limits of the server's files and connections for the attack on these.
FILES, CONNECTIONS = 256, 64
PAGE = ROOT / "docs" / "attacks.md"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The effect of one attack on others. ``acks``: seconds from a message to its ack, of those in time."""

    acks: Sequence[float]
    asked: int
    memory: int  #: MiB by which the server grew
    stopped: int  #: its exit code after SIGTERM


@contextlib.contextmanager
def under_attack(name: str, server: KizunaServer) -> Iterator[None]:
    """Run an attack against the server in another process."""
    attacker = Process(
        *(sys.executable, "-m", "tests.support.attackers", name, server.url),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["app", "."]), "PYTHONUNBUFFERED": "1"},
        cwd=ROOT,
    )
    try:
        attacker.wait_for("^begun$")
        yield
    finally:
        attacker.end()


def memory_of(server: KizunaServer) -> int:
    """Return the server's memory in MiB."""
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def fill(data: Path, rooms: Sequence[str]) -> None:
    """Fill each room with a page of messages."""
    store = SqliteStore(data)
    log = Rooms(store, clock=time.time, new_id=lambda: uuid.uuid4().hex)
    for room in rooms:
        for number in range(PAGE_MESSAGES):
            frame = SendMessage(client_message_id=f"{room}-{number}", room_id=room, content="x" * 300)
            log.append(Sender("writer", "Writer"), frame)
    store.close()


def try_out(name: str, folder: Path, messages: int = MESSAGES, within: float = PATIENCE) -> Outcome:
    """Send ``messages`` in another room during the attack, then stop the server."""
    few_files = name == "half-requests"
    settings = {"MAX_CONNECTIONS": str(CONNECTIONS)} if few_files else {}
    if name == "hello-full":
        fill(folder / f"{name}.sqlite3", ROOMS)
    server = KizunaServer(folder / f"{name}.sqlite3").start(**settings)
    if few_files:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
    try:
        with contextlib.ExitStack() as stack:
            person = SocketClient.enter(server.socket_url("Ann"), "quiet")
            before = memory_of(server)
            acks: list[float] = []
            pace = threading.Event()
            if name != "nothing":
                stack.enter_context(under_attack(name, server))
            for number in range(messages):
                began = time.monotonic()
                person.send(
                    "sendMessage", clientMessageId=f"{name}-{number}", roomId="quiet", content="hello"
                )
                with contextlib.suppress(AssertionError):
                    while person.next(within)["type"] != "ack":
                        pass
                    acks.append(time.monotonic() - began)
                pace.wait(max(0.0, PAUSE_SECONDS - (time.monotonic() - began)))
            memory = memory_of(server) - before
            stopped = server.stop()  # while the attack goes on
    finally:
        if server.is_running:
            server.kill()
    assert "Traceback" not in server.output, server.output[-3000:]
    return Outcome(acks, messages, memory, stopped)


def row(name: str, outcome: Outcome) -> tuple[str, ...]:
    """Return one row of the table."""
    attack = ATTACKS.get(name)
    acks = [ack * 1000 for ack in outcome.acks] or [float("nan")]
    return (
        attack.number if attack else "",
        attack.what if attack else "none",
        f"{statistics.median(acks):.0f} ms",
        f"{max(acks):.0f} ms",
        f"{len(outcome.acks)} of {outcome.asked}",
        f"{outcome.memory:+d} MiB",
        str(outcome.stopped),
    )


def main() -> None:
    """The command line."""
    program = "python -m tests.reports.attacks"
    parser = argparse.ArgumentParser(prog=program, description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/attacks.md")
    parser.add_argument("--only", nargs="+", choices=[*ATTACKS, "nothing"], metavar="NAME")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only or ["nothing", *ATTACKS]:
            rows.append(row(name, try_out(name, Path(folder))))
            print(" · ".join(rows[-1]), file=sys.stderr, flush=True)
    origin = (
        f"`{program}`, {datetime.now(UTC):%Y-%m-%d}, CPython {platform.python_version()}, {os.cpu_count()} processors, "
        f"which server, attacker and people share; load before: {os.getloadavg()[0]:.1f}."
    )
    publish("attacks", f"{table(HEADINGS, rows, 2)}\n\n{origin}", write=arguments.write, page=PAGE)
    if not arguments.only:
        stops = [(kind, f"{longest:.0f} ms", f"{whole:.0f} ms") for kind, longest, whole in longest_stops()]
        text = f"{table(('each message is', 'longest stop', 'all stops'), stops, 1)}\n\n{origin}"
        publish("attacks-page", text, write=arguments.write, page=PAGE)


if __name__ == "__main__":
    main()
