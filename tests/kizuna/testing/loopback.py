"""A fake server behind a real WebSocket, on loopback, in a thread of its own: what it does to others than fakes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.asyncio.server import ServerConnection, serve

from kizuna.platform import Instant
from kizuna.testing import FakeServer, FakeSocket


class _Wire:
    """Writes to a real connection what the server sends to the fake socket."""

    def __init__(self) -> None:
        self.is_open = asyncio.Event()
        self.outgoing: asyncio.Queue[str | bytes | tuple[int, str]] = asyncio.Queue()

    def on_open(self) -> None:
        self.is_open.set()

    def on_text(self, text: str) -> None:
        self.outgoing.put_nowait(text)

    def on_binary(self, data: bytes) -> None:
        self.outgoing.put_nowait(data)

    def on_close(self, code: int, reason: str) -> None:
        self.outgoing.put_nowait((code, reason))

    async def write(self, connection: ServerConnection) -> None:
        while not isinstance(frame := await self.outgoing.get(), tuple):
            await connection.send(frame)
        await connection.close(*frame)


def _now() -> Instant:
    return Instant(time.monotonic(), time.time())


async def _carry(server: FakeServer, connection: ServerConnection) -> None:
    assert connection.request is not None
    wire = _Wire()
    socket = FakeSocket(connection.request.path, wire, server=server)
    server.open(socket, _now)
    await wire.is_open.wait()
    writing = asyncio.create_task(wire.write(connection))
    async for data in connection:
        server.take(socket, data)
    socket.abandon(1000, "")
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)


@contextmanager
def served(server: FakeServer) -> Iterator[str]:
    """Serve on loopback, and return the URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[asyncio.Event, asyncio.Task[None], int]:
        end, port = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def run() -> None:
            async with serve(lambda connection: _carry(server, connection), "127.0.0.1", 0) as listening:
                port.set_result(next(iter(listening.sockets)).getsockname()[1])
                await end.wait()

        running = asyncio.create_task(run())
        return end, running, await port

    async def stop(end: asyncio.Event, running: asyncio.Task[None]) -> None:
        end.set()
        await running

    end, running, port = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield f"ws://127.0.0.1:{port}/ws"
    finally:
        asyncio.run_coroutine_threadsafe(stop(end, running), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
