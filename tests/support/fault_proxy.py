"""A TCP proxy on loopback that breaks what passes through it, in named ways.

It stands between a browser (or any client) and a server, and carries the page's files as well as its WebSocket,
so a fault meets everything that a real one would meet. It runs in a thread of its own: tests stay synchronous.

    with FaultProxy(server.port) as proxy:
        page.goto(proxy.url)
        with proxy.down():                  # every connection reset, new ones refused
            ...
        proxy.wait_until(lambda seen: seen.websockets == 2)

Faults that last are context managers, and apply to connections old and new. Faults that happen once are methods,
apply to the connections that are open, and return how many those were:

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

#: Bytes that one connection hands to a shared line at once; then it is the next one's turn.
TURN = 16 * 1024
#: Seconds by which a shared line makes up for a turn that began late.
LATENESS = 0.01


class Line:
    """Responsible for one direction of a line that connections share: when each byte is through."""

    def __init__(self, bytes_per_second: float) -> None:
        self.piece = min(TURN, max(1, int(bytes_per_second / 50)))
        self._rate = bytes_per_second
        self._free_at = 0.0

    def send(self, size: int, now: float) -> float:
        """When this many bytes are through that are handed over at `now`, in seconds of the same clock."""
        self._free_at = max(self._free_at, now - LATENESS) + size / self._rate
        return self._free_at


@dataclass(frozen=True, slots=True)
class Counts:
    """What the proxy has seen. `accepted` and `websockets` only grow."""

    accepted: int = 0  #: TCP connections accepted
    open: int = 0  #: of those, not over yet
    websockets: int = 0  #: WebSocket handshakes asked for
    open_websockets: int = 0  #: of those, not over yet
    bytes_up: int = 0
    bytes_down: int = 0


@dataclass(slots=True)
class Weather:
    """What holds for every connection at the moment."""

    blocked: Way = NOWHERE  #: nothing passes in these directions
    hang: bool = False
    close_at_accept: bool = False
    close_after_handshake: bool = False
    status: HTTPStatus | None = None
    delay: float = 0.0
    lines: dict[Way, Line] | None = None  #: shared by all connections
    only_websockets: bool = False  #: of hang and close_at_accept


class FaultProxy:
    """Responsible for accepting connections, relaying them to the server, and the weather on the way."""

    def __init__(self, upstream_port: int, *, port: int = 0) -> None:
        self.upstream_port = upstream_port
        self.weather = Weather()
        self.handshakes_at: list[float] = []  #: when each WebSocket was asked for, seconds since 1970
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
        """Wait for the counts to become as asked for; AssertionError when they do not in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self.counts), within):
                raise AssertionError(f"not within {within} s; seen: {self.counts}")
            return self.counts

    # --- life ---

    def start(self) -> Self:
        """Listen. The port has been reserved since the proxy was made."""
        self._thread.start()
        self._do(self._listen())
        return self

    def stop(self) -> None:
        """Reset what is open, and end the thread."""
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
        """RST to both ends, as a dying process or an angry firewall sends it. Browser: close 1006 within 20 ms."""
        return self._each(Connection.reset, only_websockets)

    def fin(self, *, only_websockets: bool = False) -> int:
        """FIN to both ends without a WebSocket close frame. Browser: close 1006 within 20 ms."""
        return self._each(Connection.fin, only_websockets)

    def strand(self, way: Way = Way.BOTH, *, only_websockets: bool = False) -> int:
        """What is open now goes silent for good, as when a router forgets it; new connections work.

        Browser: stays open and silent; only a heartbeat tells. `close()` gives no event either.
        """
        return self._each(lambda connection: connection.strand(way), only_websockets)

    def cut_mid_frame(self) -> int:
        """The next frame from the server stops half-way, then FIN. Browser: close 1006, the frame never shows."""
        return self._each(Connection.cut_next, only_websockets=True)

    def inject(self, payload: str | bytes) -> int:
        """A frame that the server never sent, text or binary. Browser: a message like any other."""
        kind, data = (Opcode.TEXT, payload.encode()) if isinstance(payload, str) else (Opcode.BINARY, payload)
        frame = Frame(kind, data).serialize(mask=False)
        return self._each(lambda connection: connection.inject(frame), only_websockets=True)

    # --- faults that last ---

    @contextlib.contextmanager
    def refuse(self) -> Iterator[None]:
        """Nobody listens; what is open stays open. Browser: error, close 1006 within 30 ms."""
        self._do(self._stop_listening())
        try:
            yield
        finally:
            self._do(self._listen())

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """As seen when the server's process dies: everything reset, then refused."""
        with self.refuse():
            self.reset()
            yield

    def black_hole(self, way: Way = Way.BOTH) -> AbstractContextManager[None]:
        """Bytes and closings are held; at the end what was held arrives, late, as TCP would resend it.

        Browser: open sockets stay open and silent, new ones stay CONNECTING (Firefox gives up after 20 s).
        """
        return self._weather(blocked=self.weather.blocked | way)

    def accept_and_hang(self, *, only_websockets: bool = False) -> AbstractContextManager[None]:
        """New connections are accepted and never answered, also when the fault is over. Browser: CONNECTING."""
        return self._weather(hang=True, only_websockets=only_websockets)

    def accept_then_close(
        self, *, after_handshake: bool = False, only_websockets: bool = False
    ) -> AbstractContextManager[None]:
        """New connections get FIN at once, or `after_handshake`: an `open`, then a close 1006 at once."""
        named = "close_after_handshake" if after_handshake else "close_at_accept"
        return self._weather(**{named: True}, only_websockets=only_websockets)

    def http_status(self, status: int) -> AbstractContextManager[None]:
        """WebSocket handshakes are answered by this status. Browser: error, 1006, and the page never learns it."""
        return self._weather(status=HTTPStatus(status))

    def slow(self, delay: float) -> AbstractContextManager[None]:
        """Every byte takes `delay` seconds longer each way. Browser: nothing but the delay."""
        return self._weather(delay=delay)

    def link(self, bytes_per_second: float, delay: float = 0.0) -> AbstractContextManager[None]:
        """All connections together share this much each way, every byte takes `delay` seconds longer each way, and a
        new connection a round trip before its first byte, as TCP's handshake does. Browser: a slower network, late
        frames, growing bufferedAmount."""
        lines = {Way.UP: Line(bytes_per_second), Way.DOWN: Line(bytes_per_second)}
        return self._weather(lines=lines, delay=delay)

    # --- inside; what is async runs in the proxy's thread ---

    @contextlib.contextmanager
    def _weather(self, **changes: Any) -> Iterator[None]:
        before = self.weather
        self._do(self._set_weather(replace(before, **changes)))
        try:
            yield
        finally:
            self._do(self._set_weather(before))

    async def _set_weather(self, weather: Weather) -> None:
        self.weather = weather
        for connection in self._connections:
            connection.weather_changed()

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
        self._reserved = _bound_socket(self.port)  # not listening: refused, and nobody else takes it

    async def _close_server(self) -> None:
        """Close the listening socket, and leave the connections."""
        assert self._server is not None
        for listener in self._server.sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        await asyncio.sleep(0)  # a connection accepted just now cannot begin on a server that is closed
        self._server.close()
        self._server = None

    async def _shut_down(self) -> None:
        if self._server is not None:
            await self._close_server()
        self._reserved.close()
        # Also connections that are only being accepted: they become tasks one after the other.
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
        """Add to the counts, and tell who waits for them."""
        with self._changed:
            self.counts = replace(
                self.counts, **{name: getattr(self.counts, name) + n for name, n in by.items()}
            )
            self._changed.notify_all()


@dataclass(eq=False, slots=True)
class Connection:
    """Responsible for one client's connection and the one to the server that belongs to it."""

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
        self.weather_changed()
        weather = self.proxy.weather
        if not weather.only_websockets and (weather.hang or weather.close_at_accept):
            if weather.close_at_accept:
                _half_close(self.writer)
            with contextlib.suppress(OSError):  # nothing is answered until the client goes
                while await self.reader.read(CHUNK):
                    pass
            return None
        if weather.lines is not None:
            await asyncio.sleep(2 * weather.delay)
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

    # --- what faults do to a connection ---

    def weather_changed(self) -> None:
        """Open or close the gates as the weather has it now."""
        for way, clear in self._clear.items():
            if way & (self.proxy.weather.blocked | self.stranded):
                clear.clear()
            else:
                clear.set()

    def strand(self, way: Way) -> None:
        """Silent from now on."""
        self.stranded |= way
        self.weather_changed()

    def cut_next(self) -> None:
        """Cut the next frame from the server in two."""
        self.cut_is_due = True

    def inject(self, frame: bytes) -> bool:
        """Put bytes between what the server sends; chunks that were read end where its frames do. False when there
        is no stream of frames, or none any longer."""
        if not self.upgraded or self.server_ended or self.writer.is_closing():
            return False
        self.writer.write(frame)
        return True

    def reset(self) -> None:
        """RST to both ends; what is not delivered yet is lost."""
        self._ended.set()
        for writer in filter(None, (self.writer, self._upstream)):
            _abort(writer)

    def fin(self) -> None:
        """FIN to both ends, after what was accepted for them."""
        self._ended.set()
        for writer in filter(None, (self.writer, self._upstream)):
            writer.close()

    # --- relaying ---

    async def _relay(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes one way: one task reads and notes when each chunk is due, one delivers."""
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
            await chunks.put((now() + self.proxy.weather.delay, chunk))
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
                    pass  # nothing of this client goes any further
                return self.fin()
            if self.cut_is_due and way is Way.DOWN and self.upgraded:
                chunk = chunk[: len(chunk) // 2]
            await self._write(way, chunk, writer)
            if way is Way.DOWN and self._ends_after(chunk):
                return self.fin()

    async def _write(self, way: Way, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        lines = self.proxy.weather.lines
        piece = lines[way].piece if lines else len(chunk)
        now = asyncio.get_running_loop().time
        for start in range(0, len(chunk), piece):
            part = chunk[start : start + piece]
            if lines:
                await asyncio.sleep(lines[way].send(len(part), now()) - now())
            writer.write(part)
            await writer.drain()
            self.proxy.count(**{"bytes_up" if way is Way.UP else "bytes_down": len(part)})

    def _admit(self) -> bool:
        """Count a handshake; False when the weather lets it go no further."""
        self.is_websocket = True
        self.proxy.handshakes_at.append(time.time())
        self.proxy.count(websockets=1, open_websockets=1)
        weather = self.proxy.weather
        if weather.status is not None:
            line = f"HTTP/1.1 {weather.status.value} {weather.status.phrase}"
            self.writer.write(f"{line}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            _half_close(self.writer)
            return False
        if weather.only_websockets and weather.close_at_accept:
            _half_close(self.writer)
            return False
        return not (weather.only_websockets and weather.hang)

    def _ends_after(self, chunk: bytes) -> bool:
        """Note the server's 101; True when the weather wants the connection to end with this chunk."""
        if self.upgraded:
            return self.cut_is_due
        self.upgraded = self.is_websocket and chunk.startswith(b"HTTP/1.1 101 ")
        return self.upgraded and self.proxy.weather.close_after_handshake


def _asks_for_websocket(chunk: bytes) -> bool:
    """Whether a request head that begins here is a handshake. Frames are masked and do not begin like this."""
    return chunk.startswith(b"GET ") and b"\r\nupgrade: websocket\r\n" in chunk.lower()


def _abort(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None and not writer.transport.is_closing():
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    writer.transport.abort()


def _half_close(writer: asyncio.StreamWriter) -> None:
    """Pass an end of stream on; the other direction may still carry something."""
    if not writer.transport.is_closing():
        with contextlib.suppress(OSError):
            writer.write_eof()


def _bound_socket(port: int) -> socket.socket:
    """A socket that holds the port and refuses connections until somebody listens on it."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        raw.bind((LOOPBACK, port))
    except OSError as error:
        raw.close()
        raise OSError(error.errno or errno.EADDRINUSE, f"port {port}: {error.strerror}") from None
    return raw
