"""What one machine carries: a real server process with SQLite, and clients beside it that share its cores.

python -m tools.reports.scaling.machine              # prints
python -m tools.reports.scaling.machine --write      # and puts it into docs/scaling.md, with the day and the cores
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from backend.local.app import WORKERS
from backend.messaging.message_log import Rooms, Sender
from backend.store.sqlite import SqliteStore
from chat.protocol import SendMessage
from tests.support.server import KizunaServer
from tools.reports.documents import table
from tools.reports.scaling import tables

ROOM = "general"
WORDS = "x" * 200
SPEAKERS = 8
AUDIENCES = (10, 100, 500)
SECONDS = 5.0
#: Handshakes at the same time while the clients connect.
DOORS = 20
#: Seconds after which a message that has not reached everybody is lost, and the measurement with it.
PATIENCE = 30.0


class WatchedServer(KizunaServer):
    """Responsible for a server process whose memory is looked at."""

    def memory(self) -> int:
        """Bytes of memory that the process holds."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024


@dataclass
class Crowd:
    """Responsible for connections in one room, of which the first few speak, one message at a time each."""

    sockets: list[ClientConnection]
    heard: int = 0  #: messages that reached somebody
    delays: list[float] = field(default_factory=list)  #: seconds from a message to its ack
    over: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, seconds: float) -> float:
        """Listen and speak for so long. Returns how long it took until everybody had heard everything.

        Raises RuntimeError for a message that is not stored, TimeoutError for one that does not reach everybody.
        """
        acks: list[asyncio.Queue[str]] = [asyncio.Queue() for _ in self.sockets]
        listeners = [
            asyncio.create_task(self._listen(*pair)) for pair in zip(self.sockets, acks, strict=True)
        ]
        began = time.monotonic()
        asyncio.get_running_loop().call_later(seconds, self._end)
        pairs = list(zip(self.sockets, acks, strict=True))[:SPEAKERS]
        await asyncio.gather(*(self._speak(socket, ack) for socket, ack in pairs))
        async with asyncio.timeout(PATIENCE):
            while self.heard < len(self.delays) * len(self.sockets):
                self.news.clear()
                await self.news.wait()
        took = time.monotonic() - began
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
        return took

    def _end(self) -> None:
        self.over = True

    async def _speak(self, socket: ClientConnection, ack: asyncio.Queue[str]) -> None:
        while not self.over:
            message = {"action": "sendMessage", "clientMessageId": uuid.uuid4().hex, "roomId": ROOM}
            said_at = time.monotonic()
            await socket.send(json.dumps({**message, "content": WORDS}))
            answer = await ack.get()
            if not answer.startswith('{"type":"ack"'):
                raise RuntimeError(f"a message was not stored: {answer}")
            self.delays.append(time.monotonic() - said_at)

    async def _listen(self, socket: ClientConnection, ack: asyncio.Queue[str]) -> None:
        async for frame in socket:
            text = str(frame)
            if text.startswith('{"type":"message"'):
                self.heard += 1
                self.news.set()
            elif text.startswith(('{"type":"ack"', '{"type":"nack"', '{"type":"error"', '{"type":"bye"')):
                ack.put_nowait(text)
        ack.put_nowait("the connection was closed")


async def assemble(server: KizunaServer, people: int) -> list[ClientConnection]:
    """So many connections in the room."""
    doors = asyncio.Semaphore(DOORS)

    async def enter(number: int) -> ClientConnection:
        async with doors:
            url = await asyncio.to_thread(server.socket_url, f"person {number}")
            socket = await connect(url, max_queue=None, compression=None, ping_interval=None)
            await socket.send(json.dumps({"action": "hello", "v": 1, "rooms": [{"roomId": ROOM}]}))
            async for frame in socket:
                if str(frame).startswith('{"type":"batch"'):
                    break
            return socket

    return list(await asyncio.gather(*(enter(number) for number in range(people))))


async def measure(server: WatchedServer, people: int) -> tuple[int, list[str]]:
    """The memory with all connected, in bytes, and one row of the table."""
    sockets = await assemble(server, people)
    memory = server.memory()
    crowd = Crowd(sockets)
    took = await crowd.talk(SECONDS)
    await asyncio.gather(*(socket.close() for socket in sockets))
    delays = sorted(crowd.delays)
    row = [
        str(people),
        f"{len(delays) / took:.0f}",
        f"{crowd.heard / took:,.0f}",
        f"{1000 * delays[len(delays) // 2]:.0f} ms",
        f"{1000 * delays[int(len(delays) * 0.95)]:.0f} ms",
        f"{memory / 2**20:.0f} MB",
    ]
    return memory, row


def commits(folder: Path, rooms: int) -> float:
    """Messages that SQLite stores each second, from as many threads as the server has, to so many rooms."""
    store = SqliteStore(folder / f"{rooms}.sqlite3")
    log = Rooms(store, clock=time.time, new_id=lambda: uuid.uuid4().hex)
    over = threading.Event()

    def speak(number: int) -> int:
        stored = 0
        while not over.is_set():
            frame = SendMessage(
                client_message_id=uuid.uuid4().hex, room_id=f"r{number % rooms}", content=WORDS
            )
            log.append(Sender(f"person {number}", "Murasaki"), frame)
            stored += 1
        return stored

    with ThreadPoolExecutor(WORKERS) as pool:
        began = time.monotonic()
        speakers = [pool.submit(speak, number) for number in range(WORKERS)]
        over.wait(SECONDS)
        over.set()
        stored = sum(speaker.result() for speaker in speakers)
        took = time.monotonic() - began
    store.close()
    return stored / took


def report() -> str:
    """The table, and what it was measured on."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        one, many = commits(folder, 1), commits(folder, WORKERS)
        rows, memories = [], []
        for people in AUDIENCES:
            server = WatchedServer(folder / f"server-{people}.sqlite3", RATE_LIMIT="0", FRAME_LIMIT="0")
            server.start()
            try:
                memory, row = asyncio.run(measure(server, people))
                memories.append(memory)
                rows.append(row)
            finally:
                server.kill()
    each = (memories[-1] - memories[0]) / (AUDIENCES[-1] - AUDIENCES[0])
    headings = ("in the room", "stored/s", "delivered/s", "ack, median", "ack, 95 %", "memory, all connected")
    return (
        f"{table(headings, rows)}\n\n"
        f"`Rooms.append` alone, {WORKERS} threads: {one:,.0f} messages a second into one room, {many:,.0f} into"
        f" {WORKERS} rooms. A connection takes {each / 1024:.0f} KB of memory.\n\n"
        f"`python -m tools.reports.scaling.machine`, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, which"
        f" the clients share with the server; {SPEAKERS} people speak, each waiting for the ack before the"
        " next message."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.reports.scaling.machine", description="What one machine carries."
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/scaling.md")
    write = parser.parse_args(arguments).write
    text = report()
    print(text)
    if write:
        page = tables.PAGE.read_text(encoding="utf-8")
        tables.PAGE.write_text(tables.rewritten(page, {"machine": text}), encoding="utf-8")


if __name__ == "__main__":
    main()
