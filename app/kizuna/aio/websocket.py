"""A socket of ``websockets`` that behaves as a browser's: it sends without waiting, and closing it takes no time."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, ProtocolError
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from kizuna.platform import SocketListener

logger = logging.getLogger("kizuna.aio")
#: What ``websockets`` logs at level DEBUG has the URL in it, and so the token.
_websockets_logger = logging.getLogger("kizuna.aio.websockets")
_websockets_logger.setLevel(logging.INFO)

#: Seconds that an abandoned socket may take to send the rest and to close.
CLOSE_TIMEOUT = 2.0
ABNORMAL_CLOSURE = 1006

#: asyncio refers weakly to its tasks, and an abandoned socket has no other owner.
_running: set[asyncio.Task[None]] = set()


@dataclass(frozen=True, slots=True)
class Keepalive:
    """How often to ping, and how long to wait for an answer, in seconds."""

    interval: float
    timeout: float


class AioSocket:
    """One socket and the task that runs it on the event loop.

    Args:
        url, listener, protocols: As ``open_socket()`` of :class:`kizuna.Platform`.
        keepalive: When to ping; None: never.
        options: More arguments of ``websockets.connect``.

    Raises:
        ValueError: A URL that no socket accepts, or an option that cannot work.
    """

    def __init__(
        self,
        url: str,
        listener: SocketListener,
        protocols: Sequence[str] = (),
        *,
        keepalive: Keepalive | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            parse_uri(url)
        except InvalidURI as error:
            raise ValueError(
                f"not the URL of a WebSocket: {error.msg}"
            ) from None  # its own text has the token
        settings = {"max_size": None, **(options or {})}  # browsers have no limit
        opening = connect(
            url,
            subprotocols=[Subprotocol(protocol) for protocol in protocols] or None,
            open_timeout=None,  # the connection has its own deadline
            close_timeout=CLOSE_TIMEOUT,
            ping_interval=None,  # below: theirs takes an application that lets the server wait for a dead server
            logger=_websockets_logger,
            **settings,
        )
        self._listener: SocketListener | None = listener
        self._keepalive = keepalive
        self._connection: ClientConnection | None = None
        self._outgoing: deque[bytes | str] = deque()
        self._has_outgoing = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._received = 0
        self._close_frame = (1000, "")
        self._task = asyncio.get_running_loop().create_task(self._run(opening, bool(protocols)))
        _running.add(self._task)
        self._task.add_done_callback(_running.discard)

    @property
    def is_open(self) -> bool:
        """Return whether the socket can send."""
        connection = self._connection
        return self._listener is not None and connection is not None and connection.state is State.OPEN

    @property
    def protocol(self) -> str:
        """Return the subprotocol that the server chose; empty if there is none."""
        return (self._connection and self._connection.subprotocol) or ""

    def send(self, data: str | bytes) -> None:
        """Send one frame, text or binary, after those that wait already. Without effect unless the socket is open."""
        if self.is_open:
            self._outgoing.append(data)
            self._has_outgoing.set()

    def pause_reading(self) -> None:
        """Read no more frames until ``resume_reading()``; once the buffers between are full, the server waits."""
        self._may_read.clear()

    def resume_reading(self) -> None:
        """Read again."""
        self._may_read.set()

    def abandon(self, code: int, reason: str) -> None:
        """Detach the listener and return; what was sent, and a close frame, get CLOSE_TIMEOUT to leave."""
        if self._listener is not None:
            self._listener = None
            self._close_frame = (code, reason)
            self._task.cancel()

    async def _run(self, opening: connect, needs_protocol: bool) -> None:
        try:
            connection = await opening
        except Exception as error:  # noqa: BLE001 - a handshake can fail in any way: the listener hears of each
            logger.info("could not open the socket: %s", _why(error))
            self._closed(ABNORMAL_CLOSURE, "")
            return
        if needs_protocol and connection.subprotocol is None:
            logger.info("could not open the socket: the server accepts none of the subprotocols")
            self._closed(ABNORMAL_CLOSURE, "")
            await self._close(connection)
            return
        self._connection = connection
        helpers = [asyncio.ensure_future(work) for work in (self._write(connection), self._ping(connection))]
        try:
            self._tell(lambda listener: listener.on_open())
            await self._read(connection)
        finally:
            for helper in helpers:
                helper.cancel()
            await self._close(connection)

    async def _read(self, connection: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._may_read.wait()
                data = await connection.recv()
                self._received += 1
                self._tell(functools.partial(_deliver, data))
        self._closed(connection.close_code or ABNORMAL_CLOSURE, connection.close_reason or "")

    async def _write(self, connection: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):  # the reader hears of it
            while True:
                await self._has_outgoing.wait()
                await self._send_waiting(connection)
                self._has_outgoing.clear()

    async def _send_waiting(self, connection: ClientConnection) -> None:
        while self._outgoing:
            data = self._outgoing.popleft()
            await connection.send(_utf8(data) if isinstance(data, str) else data, text=isinstance(data, str))

    async def _ping(self, connection: ClientConnection) -> None:
        """Break a connection on which no ping is answered and nothing else comes."""
        with contextlib.suppress(ConnectionClosed):
            while self._keepalive is not None:
                await asyncio.sleep(self._keepalive.interval)
                received = self._received
                try:
                    async with asyncio.timeout(self._keepalive.timeout):
                        await (await connection.ping())
                except TimeoutError:
                    if received == self._received and self._may_read.is_set():
                        logger.info("no answer to a ping within %s s", self._keepalive.timeout)
                        connection.transport.abort()

    async def _close(self, connection: ClientConnection) -> None:
        """Send what waits and a close frame, and wait for the server's, but for CLOSE_TIMEOUT at most."""
        if connection.state is State.CLOSED:
            return
        discarding = asyncio.ensure_future(_discard(connection))  # the server's comes after what is unread
        try:
            with contextlib.suppress(ConnectionClosed, TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self._send_waiting(connection)
                    try:
                        await connection.close(*self._close_frame)
                    except ProtocolError:  # a code or reason that no close frame may have
                        await connection.close()
        finally:
            connection.transport.abort()
            discarding.cancel()

    def _closed(self, code: int, reason: str) -> None:
        self._tell(lambda listener: listener.on_close(code, reason))
        self._listener = None

    def _tell(self, event: Callable[[SocketListener], None]) -> None:
        """Tell the listener, whose errors end neither the socket nor the others' events, as in a browser."""
        if self._listener is None:
            return
        try:
            event(self._listener)
        except Exception as error:  # noqa: BLE001 - the loop's handler reports it
            asyncio.get_running_loop().call_exception_handler(
                {"message": "error in the listener of a socket", "exception": error}
            )


def _deliver(data: str | bytes, listener: SocketListener) -> None:
    if isinstance(data, str):
        listener.on_text(data)
    else:
        listener.on_binary(data)


def _utf8(text: str) -> bytes:
    """Return the text in UTF-8; half a surrogate pair becomes U+FFFD, as in a browser."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


async def _discard(connection: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await connection.recv()


def _why(error: Exception) -> str:
    """Return why a handshake failed, in words without the URL, which may have a token in it."""
    if isinstance(error, InvalidStatus):
        return f"the server answered with HTTP status {error.response.status_code}"
    return f"{type(error).__name__}: {error}" if isinstance(error, OSError) else type(error).__name__
