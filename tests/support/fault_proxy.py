"""A TCP proxy on loopback that applies named faults to what passes through it.

It is between a browser (or any client) and a server, and passes the page's files as well as its WebSocket, so a fault
affects everything that a real one would. It runs in its own thread, so that tests stay synchronous.

    with FaultProxy(server.port) as proxy:
        page.goto(proxy.url)
        with proxy.down():                  # every connection reset, new ones refused
            ...
        proxy.wait_until(lambda seen: seen.websockets == 2)

Faults that last are context managers, for existing and new connections. Faults that happen once are methods, for the
connections that are open, and return how many those were:

    lasting   refuse  down  black_hole  accept_and_hang  accept_then_close  http_status  slow  link
    once      reset  fin  strand  cut_mid_frame  inject

`only_websockets=True` leaves the page's files and its token endpoint alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import Flag
from http import HTTPStatus
from typing import Any, Self, TypeVar

from websockets.frames import Frame, Opcode

from tests.support.process import LOOPBACK, PATIENCE, free_port

Result = TypeVar("Result")

CHUNK = 64 * 1024
#: SO_LINGER with a time of zero: closing sends RST instead of FIN.
LINGER_ZERO = struct.pack("ii", 1, 0)


class Way(Flag):
    """A direction of travel, seen from the client."""

    UP = 1
    DOWN = 2
    BOTH = UP | DOWN


NOWHERE = Way(0)

#: Bytes that one connection sends over a shared bandwidth at once; then it is the next one's turn.
CHUNK_SHARED = 16 * 1024
#: Seconds of a late start that a shared bandwidth makes up for.
MAX_LATENESS = 0.01


class SharedBandwidth:
    """The bandwidth of one direction, which all connections share."""

    def __init__(self, bytes_per_second: float) -> None:
        self.piece = min(CHUNK_SHARED, max(1, int(bytes_per_second / 50)))
        self._rate = bytes_per_second
        self._free_at = 0.0

    def send(self, size: int, now: float) -> float:
        """Return when this many bytes, handed over at `now`, are through, in seconds of the same clock."""
        self._free_at = max(self._free_at, now - MAX_LATENESS) + size / self._rate
        return self._free_at


@dataclass(frozen=True, slots=True)
class Counts:
    """What the proxy has seen. `accepted` and `websockets` only grow."""

    accepted: int = 0  #: TCP connections accepted
    open: int = 0  #: of those, not over yet
    websockets: int = 0  #: WebSocket handshakes requested
    open_websockets: int = 0  #: of those, not over yet
    bytes_up: int = 0
    bytes_down: int = 0


@dataclass(slots=True)
class Conditions:
    """The present faults of all connections."""

    blocked: Way = NOWHERE  #: nothing passes in these directions
    hang: bool = False
    close_at_accept: bool = False
    close_after_handshake: bool = False
    status: HTTPStatus | None = None
    delay: float = 0.0
    bandwidth: dict[Way, SharedBandwidth] | None = None  #: shared by all connections
    only_websockets: bool = False  #: of hang and close_at_accept


class FaultProxy:
    """A proxy that accepts connections, relays them to the server and applies faults."""

    def __init__(self, upstream_port: int, *, port: int = 0) -> None:
        self.upstream_port = upstream_port
        self.conditions = Conditions()
        self.handshakes_at: list[float] = []  #: when each WebSocket was requested, seconds since 1970
        self.counts = Counts()  #: what has been seen so far
        self._changed = threading.Condition()
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._reserved = _bound_socket(port or free_port())
        self.port: int = self._reserved.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"fault proxy {self.port}", daemon=True)

    @property
    def url(self) -> str:
        """The address of the page behind the proxy."""
        return f"http://{LOOPBACK}:{self.port}"

    def wait_until(self, holds: Callable[[Counts], bool], within: float = PATIENCE) -> Counts:
        """Wait until a condition on the counts holds. Raises AssertionError after ``within`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self.counts), within):
                raise AssertionError(f"not within {within} s; seen: {self.counts}")
            return self.counts

    # --- starting and stopping ---

    def start(self) -> Self:
        """Listen. The port has been reserved since the proxy was made."""
        self._thread.start()
        self._do(self._listen())
        return self

    def stop(self) -> None:
        """Reset all connections, and end the thread."""
        self._do(self._shut_down())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- faults that happen once ---

    def reset(self, *, only_websockets: bool = False) -> int:
        """Send RST to both ends, as a killed process or a firewall does. Browser: close 1006 within 20 ms."""
        return self._each(Connection.reset, only_websockets)

    def fin(self, *, only_websockets: bool = False) -> int:
        """Send FIN to both ends without a WebSocket close frame. Browser: close 1006 within 20 ms."""
        return self._each(Connection.fin, only_websockets)

    def strand(self, way: Way = Way.BOTH, *, only_websockets: bool = False) -> int:
        """Silence the open connections for good, as when a router forgets them; new ones work.

        Browser: stays open and silent; only a heartbeat notices. `close()` gives no event either.
        """
        return self._each(lambda connection: connection.strand(way), only_websockets)

    def cut_mid_frame(self) -> int:
        """Cut the next frame from the server half-way, then FIN. Browser: close 1006, no message."""
        return self._each(Connection.cut_next, only_websockets=True)

    def inject(self, payload: str | bytes) -> int:
        """Send the client a text or binary frame that the server never sent. Browser: a message like any other."""
        kind, data = (Opcode.TEXT, payload.encode()) if isinstance(payload, str) else (Opcode.BINARY, payload)
        frame = Frame(kind, data).serialize(mask=False)
        return self._each(lambda connection: connection.inject(frame), only_websockets=True)

    # --- faults that last ---

    @contextlib.contextmanager
    def refuse(self) -> Iterator[None]:
        """Refuse new connections; open ones stay. Browser: error, close 1006 within 30 ms."""
        self._do(self._stop_listening())
        try:
            yield
        finally:
            self._do(self._listen())

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Reset all connections and refuse new ones, as when the server's process dies."""
        with self.refuse():
            self.reset()
            yield

    def black_hole(self, way: Way = Way.BOTH) -> AbstractContextManager[None]:
        """Hold bytes and closings, which arrive at the end of the fault, as TCP would resend them.

        Browser: open sockets stay open and silent, new ones stay CONNECTING (Firefox gives up after 20 s).
        """
        return self._with_conditions(blocked=self.conditions.blocked | way)

    def accept_and_hang(self, *, only_websockets: bool = False) -> AbstractContextManager[None]:
        """Accept new connections and never answer them, even after the fault. Browser: CONNECTING."""
        return self._with_conditions(hang=True, only_websockets=only_websockets)

    def accept_then_close(
        self, *, after_handshake: bool = False, only_websockets: bool = False
    ) -> AbstractContextManager[None]:
        """Send FIN to new connections at once, or `after_handshake`. Browser: then `open` and at once close 1006."""
        named = "close_after_handshake" if after_handshake else "close_at_accept"
        return self._with_conditions(**{named: True}, only_websockets=only_websockets)

    def http_status(self, status: int) -> AbstractContextManager[None]:
        """Answer WebSocket handshakes with this status. Browser: error, 1006; the page never learns the status."""
        return self._with_conditions(status=HTTPStatus(status))

    def slow(self, delay: float) -> AbstractContextManager[None]:
        """Delay every byte by `delay` seconds each way. Browser: nothing but the delay."""
        return self._with_conditions(delay=delay)

    def link(self, bytes_per_second: float, delay: float = 0.0) -> AbstractContextManager[None]:
        """Limit all connections together to this bandwidth each way, and delay every byte by `delay` seconds.

        A new connection takes a round trip before its first byte, as TCP does. Browser: late frames, growing
        bufferedAmount.
        """
        bandwidth = {Way.UP: SharedBandwidth(bytes_per_second), Way.DOWN: SharedBandwidth(bytes_per_second)}
        return self._with_conditions(bandwidth=bandwidth, delay=delay)

    # --- inside; async functions run in the proxy's thread ---

    @contextlib.contextmanager
    def _with_conditions(self, **changes: Any) -> Iterator[None]:
        before = self.conditions
        self._do(self._set_conditions(replace(before, **changes)))
        try:
            yield
        finally:
            self._do(self._set_conditions(before))

    async def _set_conditions(self, conditions: Conditions) -> None:
        self.conditions = conditions
        for connection in self._connections:
            connection.conditions_changed()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def _each(self, act: Callable[[Connection], object], only_websockets: bool) -> int:
        async def on_all() -> int:
            chosen = [c for c in self._connections if c.is_websocket or not only_websockets]
            return sum(act(connection) is not False for connection in chosen)

        return self._do(on_all())

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accepted, sock=self._reserved, limit=CHUNK)

    async def _stop_listening(self) -> None:
        await self._close_server()
        self._reserved = _bound_socket(self.port)  # not listening: refuses, and keeps the port

    async def _close_server(self) -> None:
        """Close the listening socket, and keep the connections."""
        assert self._server is not None
        for listener in self._server.sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        await asyncio.sleep(0)  # a connection that was just accepted cannot start on a closed server
        self._server.close()
        self._server = None

    async def _shut_down(self) -> None:
        if self._server is not None:
            await self._close_server()
        self._reserved.close()
        # Connections that are being accepted become tasks one after another.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for connection in tuple(self._connections):
                connection.reset()
                connection.task.cancel()
            await asyncio.wait(others, timeout=0.05)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connection = Connection(self, reader, writer, task)
        self._connections.add(connection)
        self.count(accepted=1, open=1)
        try:
            await connection.serve()
        except asyncio.CancelledError:  # the proxy stops
            pass
        finally:
            connection.reset()  # no harm if it is closed already
            self._connections.discard(connection)
            self.count(open=-1, open_websockets=-1 if connection.is_websocket else 0)

    def count(self, **by: int) -> None:
        """Add to the counts, and notify `wait_until`."""
        with self._changed:
            self.counts = replace(
                self.counts, **{name: getattr(self.counts, name) + n for name, n in by.items()}
            )
            self._changed.notify_all()


@dataclass(eq=False, slots=True)
class Connection:
    """One client's connection, and the one to the server that belongs to it."""

    proxy: FaultProxy
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    task: asyncio.Task[Any]
    is_websocket: bool = False
    upgraded: bool = False  #: the server's 101 has passed
    server_ended: bool = False  #: the end of the server's stream has passed: nothing may follow it
    stranded: Way = NOWHERE
    cut_is_due: bool = False
    _upstream: asyncio.StreamWriter | None = None
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _clear: dict[Way, asyncio.Event] = field(
        default_factory=lambda: {Way.UP: asyncio.Event(), Way.DOWN: asyncio.Event()}
    )

    async def serve(self) -> None:
        """Relay until both ends are done, or a fault ends it."""
        self.conditions_changed()
        conditions = self.proxy.conditions
        if not conditions.only_websockets and (conditions.hang or conditions.close_at_accept):
            if conditions.close_at_accept:
                _half_close(self.writer)
            with contextlib.suppress(OSError):  # nothing is answered until the client goes
                while await self.reader.read(CHUNK):
                    pass
            return None
        if conditions.bandwidth is not None:
            await asyncio.sleep(2 * conditions.delay)
        try:
            reader, self._upstream = await asyncio.open_connection(
                LOOPBACK, self.proxy.upstream_port, limit=CHUNK
            )
        except OSError:
            return self.reset()
        relays = asyncio.gather(
            self._relay(Way.UP, self.reader, self._upstream), self._relay(Way.DOWN, reader, self.writer)
        )
        ended = asyncio.ensure_future(self._ended.wait())
        waited: list[asyncio.Future[Any]] = [relays, ended]
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            relays.cancel()
            ended.cancel()
            await asyncio.gather(relays, ended, return_exceptions=True)
        return self.fin()

    # --- faults ---

    def conditions_changed(self) -> None:
        """Let bytes pass or hold them, as the present faults require."""
        for way, clear in self._clear.items():
            if way & (self.proxy.conditions.blocked | self.stranded):
                clear.clear()
            else:
                clear.set()

    def strand(self, way: Way) -> None:
        """Be silent from now on."""
        self.stranded |= way
        self.conditions_changed()

    def cut_next(self) -> None:
        """Cut the next frame from the server in two."""
        self.cut_is_due = True

    def inject(self, frame: bytes) -> bool:
        """Send the client a frame between the server's. Returns False if there is no open stream of frames."""
        if not self.upgraded or self.server_ended or self.writer.is_closing():
            return False
        self.writer.write(frame)
        return True

    def reset(self) -> None:
        """Send RST to both ends; what is not delivered yet is lost."""
        self._ended.set()
        for writer in filter(None, (self.writer, self._upstream)):
            _abort(writer)

    def fin(self) -> None:
        """Send FIN to both ends, after what was accepted for them."""
        self._ended.set()
        for writer in filter(None, (self.writer, self._upstream)):
            writer.close()

    # --- relaying ---

    async def _relay(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay bytes one way: one task reads and notes when each chunk is due, one delivers."""
        chunks: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue(maxsize=256)
        reading = asyncio.create_task(self._read(reader, chunks))
        try:
            await self._deliver(way, chunks, writer)
        except OSError:
            self.reset()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(
        self, reader: asyncio.StreamReader, chunks: asyncio.Queue[tuple[float, bytes | None]]
    ) -> None:
        now = asyncio.get_running_loop().time
        while True:
            try:
                chunk: bytes | None = await reader.read(CHUNK)
            except OSError:
                chunk = None
            await chunks.put((now() + self.proxy.conditions.delay, chunk))
            if not chunk:
                return

    async def _deliver(
        self, way: Way, chunks: asyncio.Queue[tuple[float, bytes | None]], writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, chunk = await chunks.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            await self._clear[way].wait()
            if chunk is None:  # the other end was reset
                return self.reset()
            if not chunk:
                self.server_ended |= way is Way.DOWN
                return _half_close(writer)
            if way is Way.UP and _asks_for_websocket(chunk) and not self._admit():
                while (await chunks.get())[1]:
                    pass  # nothing of this client is passed on
                return self.fin()
            if self.cut_is_due and way is Way.DOWN and self.upgraded:
                chunk = chunk[: len(chunk) // 2]
            await self._write(way, chunk, writer)
            if way is Way.DOWN and self._ends_after(chunk):
                return self.fin()

    async def _write(self, way: Way, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        bandwidth = self.proxy.conditions.bandwidth
        piece = bandwidth[way].piece if bandwidth else len(chunk)
        now = asyncio.get_running_loop().time
        for start in range(0, len(chunk), piece):
            part = chunk[start : start + piece]
            if bandwidth:
                await asyncio.sleep(bandwidth[way].send(len(part), now()) - now())
            writer.write(part)
            await writer.drain()
            self.proxy.count(**{"bytes_up" if way is Way.UP else "bytes_down": len(part)})

    def _admit(self) -> bool:
        """Count a handshake; False if a fault stops it here."""
        self.is_websocket = True
        self.proxy.handshakes_at.append(time.time())
        self.proxy.count(websockets=1, open_websockets=1)
        conditions = self.proxy.conditions
        if conditions.status is not None:
            line = f"HTTP/1.1 {conditions.status.value} {conditions.status.phrase}"
            self.writer.write(f"{line}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            _half_close(self.writer)
            return False
        if conditions.only_websockets and conditions.close_at_accept:
            _half_close(self.writer)
            return False
        return not (conditions.only_websockets and conditions.hang)

    def _ends_after(self, chunk: bytes) -> bool:
        """Note the server's 101; True if a fault ends the connection after this chunk."""
        if self.upgraded:
            return self.cut_is_due
        self.upgraded = self.is_websocket and chunk.startswith(b"HTTP/1.1 101 ")
        return self.upgraded and self.proxy.conditions.close_after_handshake


def _asks_for_websocket(chunk: bytes) -> bool:
    """Return whether a chunk is the head of a handshake. Frames are masked and do not begin like this."""
    return chunk.startswith(b"GET ") and b"\r\nupgrade: websocket\r\n" in chunk.lower()


def _abort(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None and not writer.transport.is_closing():
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    writer.transport.abort()


def _half_close(writer: asyncio.StreamWriter) -> None:
    """Pass an end of stream on; the other direction stays open."""
    if not writer.transport.is_closing():
        with contextlib.suppress(OSError):
            writer.write_eof()


def _bound_socket(port: int) -> socket.socket:
    """Return a socket that holds the port and refuses connections until it listens."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        raw.bind((LOOPBACK, port))
    except OSError as error:
        raw.close()
        raise OSError(error.errno or errno.EADDRINUSE, f"port {port}: {error.strerror}") from None
    return raw
