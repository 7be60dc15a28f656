"""Measurement of one machine: a real server process with SQLite, and clients beside it that share its cores.

python -m tests.reports.one_machine              # prints
python -m tests.reports.one_machine --write      # and puts it into docs/scaling.md, with the day and the cores
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
from tools.reports.documents import ROOT, publish, table

PAGE = ROOT / "docs" / "scaling.md"
ROOM = "general"
CONTENT = "x" * 200
SENDERS = 8
AUDIENCES = (10, 100, 500)
SECONDS = 5.0
CONCURRENT_HANDSHAKES = 20
#: Seconds after which a message that has not reached everybody is lost, and the measurement with it.
DELIVERY_TIMEOUT = 30.0


@dataclass
class Audience:
    """The connections in one room, of which the first few send, each waiting for its ack."""

    sockets: list[ClientConnection]
    delivered: int = 0
    delays: list[float] = field(default_factory=list)  #: seconds from a message to its ack
    over: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, seconds: float) -> float:
        """Send and receive for so long; return the seconds until everybody had received everything.

        Raises RuntimeError for a message that is not stored, TimeoutError for one that does not reach everybody.
        """
        acks: list[asyncio.Queue[str]] = [asyncio.Queue() for _ in self.sockets]
        pairs = list(zip(self.sockets, acks, strict=True))
        receivers = [asyncio.create_task(self._receive(*pair)) for pair in pairs]
        began = time.monotonic()
        asyncio.get_running_loop().call_later(seconds, self._end)
        await asyncio.gather(*(self._send(*pair) for pair in pairs[:SENDERS]))
        async with asyncio.timeout(DELIVERY_TIMEOUT):
            while self.delivered < len(self.delays) * len(self.sockets):
                self.news.clear()
                await self.news.wait()
        took = time.monotonic() - began
        for receiver in receivers:
            receiver.cancel()
        await asyncio.gather(*receivers, return_exceptions=True)
        return took

    def _end(self) -> None:
        self.over = True

    async def _send(self, socket: ClientConnection, ack: asyncio.Queue[str]) -> None:
        while not self.over:
            message = {"action": "sendMessage", "clientMessageId": uuid.uuid4().hex, "roomId": ROOM}
            sent_at = time.monotonic()
            await socket.send(json.dumps({**message, "content": CONTENT}))
            answer = await ack.get()
            if not answer.startswith('{"type":"ack"'):
                raise RuntimeError(f"a message was not stored: {answer}")
            self.delays.append(time.monotonic() - sent_at)

    async def _receive(self, socket: ClientConnection, ack: asyncio.Queue[str]) -> None:
        async for frame in socket:
            text = str(frame)
            if text.startswith('{"type":"message"'):
                self.delivered += 1
                self.news.set()
            elif text.startswith(('{"type":"ack"', '{"type":"nack"', '{"type":"error"', '{"type":"bye"')):
                ack.put_nowait(text)
        ack.put_nowait("the connection was closed")


async def join(server: KizunaServer, people: int) -> list[ClientConnection]:
    """Open so many connections and join the room with each."""
    slots = asyncio.Semaphore(CONCURRENT_HANDSHAKES)

    async def enter(number: int) -> ClientConnection:
        async with slots:
            url = await asyncio.to_thread(server.socket_url, f"person {number}")
            socket = await connect(url, max_queue=None, compression=None, ping_interval=None)
            await socket.send(json.dumps({"action": "hello", "v": 1, "rooms": [{"roomId": ROOM}]}))
            async for frame in socket:
                if str(frame).startswith('{"type":"batch"'):
                    break
            return socket

    return list(await asyncio.gather(*(enter(number) for number in range(people))))


def memory_of(pid: int) -> int:
    """Return the bytes of memory that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


async def measure(server: KizunaServer, people: int) -> tuple[int, list[str]]:
    """Return the memory with all connected, in bytes, and one row of the table."""
    audience = Audience(await join(server, people))
    memory = memory_of(server.pid)
    took = await audience.talk(SECONDS)
    await asyncio.gather(*(socket.close() for socket in audience.sockets))
    delays = sorted(audience.delays)
    row = [
        str(people),
        f"{len(delays) / took:.0f}",
        f"{audience.delivered / took:,.0f}",
        f"{1000 * delays[len(delays) // 2]:.0f} ms",
        f"{1000 * delays[int(len(delays) * 0.95)]:.0f} ms",
        f"{memory / 2**20:.0f} MB",
    ]
    return memory, row


def commits(folder: Path, rooms: int) -> float:
    """Return the messages that SQLite stores each second, from as many threads as the server has."""
    store = SqliteStore(folder / f"{rooms}.sqlite3")
    log = Rooms(store, clock=time.time, new_id=lambda: uuid.uuid4().hex)
    over = threading.Event()

    def send(number: int) -> int:
        stored = 0
        while not over.is_set():
            room = f"r{number % rooms}"
            frame = SendMessage(client_message_id=uuid.uuid4().hex, room_id=room, content=CONTENT)
            log.append(Sender(f"person {number}", "Murasaki"), frame)
            stored += 1
        return stored

    with ThreadPoolExecutor(WORKERS) as pool:
        began = time.monotonic()
        senders = [pool.submit(send, number) for number in range(WORKERS)]
        over.wait(SECONDS)
        over.set()
        rate = sum(sender.result() for sender in senders) / (time.monotonic() - began)
    store.close()
    return rate


def report() -> str:
    """Return the table, and what it was measured on."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        one, many = commits(folder, 1), commits(folder, WORKERS)
        rows, memories = [], []
        for people in AUDIENCES:
            with KizunaServer(folder / f"{people}.sqlite3", RATE_LIMIT="0", FRAME_LIMIT="0") as server:
                memory, row = asyncio.run(measure(server, people))
                memories.append(memory)
                rows.append(row)
    each = (memories[-1] - memories[0]) / (AUDIENCES[-1] - AUDIENCES[0])
    headings = ("in the room", "stored/s", "delivered/s", "ack, median", "ack, 95 %", "memory, all connected")
    return (
        f"{table(headings, rows)}\n\n"
        f"`Rooms.append` alone, {WORKERS} threads: {one:,.0f} messages a second into one room, {many:,.0f} into"
        f" {WORKERS} rooms. A connection takes {each / 1024:.0f} KB of memory.\n\n"
        f"`python -m tests.reports.one_machine`, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, which the"
        f" clients share with the server; {SENDERS} people send, each waiting for the ack before the next message."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tests.reports.one_machine", description="Measure one machine."
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/scaling.md")
    publish("machine", report(), write=parser.parse_args().write, page=PAGE)
