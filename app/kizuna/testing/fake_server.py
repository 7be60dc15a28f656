"""A fake server: accepts connections, says ready, answers pings, and fails on command.

It works with every codec and every wire, and has no clock of its own. One server may serve several platforms, as
several pages. A server of an application's own protocol is a subclass with ``on_open()`` and ``on_frame()``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from kizuna.codec import JSON, Codec
from kizuna.platform import Instant
from kizuna.testing.fake_platform import FakeSocket
from kizuna.wire import PLAIN, FrameKind, Wire


class FakeClient:
    """One connection as the server sees it. ``frames``: what came over it, but for pings."""

    def __init__(self, server: FakeServer, socket: FakeSocket, now: Callable[[], Instant]) -> None:
        self.socket = socket
        self.now = now
        self.frames: list[Any] = []
        self._server = server

    @property
    def url(self) -> str:
        """Return the URL that the page connected to, the token in its query included."""
        return self.socket.url

    def send(self, value: Any) -> None:
        """Send ``value`` as the codec encodes it. It does not arrive while the server hangs."""
        if not self._server.hangs:
            self.socket.receive(self._server.codec.encode(value))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection."""
        self._server.forget(self.socket)
        self.socket.drop(code, reason)

    def drop(self) -> None:
        """Break the connection, without a close frame."""
        self.close(1006)


#: Called with each frame of the application; what it returns is sent back, unless that is None.
Answer: TypeAlias = Callable[[FakeClient, Any], object]


class FakeServer:
    """A server without a network, for any number of connections.

    Args:
        answer: Called with each frame of the application, and the client that sent it; what it returns is sent back,
            unless that is None.
        wire: The frames that belong to the connection: pings are answered with its ``pong``, ``ready`` is said.
        codec: What the frames are.
        hello: The frame that ``ready`` answers, compared as those of a wire are. None: ``ready`` is said at open.
    """

    def __init__(
        self,
        answer: Answer | None = None,
        *,
        wire: Wire = PLAIN,
        codec: Codec[Any] = JSON,
        hello: Any = None,
    ) -> None:
        self.wire = wire
        self.codec = codec
        self.answer = answer
        self.frames: list[Any] = []  #: what came over all connections, but for pings
        self.urls: list[str] = []  #: of each handshake that was begun, refused ones included
        self.is_down = False
        self.hangs = False
        self._hello = None if hello is None else Wire(ready=hello)
        self._clients: dict[FakeSocket, FakeClient] = {}
        self._connecting: dict[FakeSocket, Callable[[], Instant]] = {}  # while it hangs
        self._refusal: tuple[int, str] | None = None
        self._error: Exception | None = None

    @property
    def clients(self) -> list[FakeClient]:
        """Return the open connections, the oldest first."""
        return list(self._clients.values())

    # what the test does

    def broadcast(self, value: Any) -> None:
        """Send ``value`` to all clients."""
        for client in self.clients:
            client.send(value)

    def drop_all(self) -> None:
        """Break all connections, without a close frame. The next ones succeed."""
        self.close_all(1006)

    def close_all(self, code: int = 1012, reason: str = "") -> None:
        """Close all connections, as a restart does. The next ones succeed."""
        for client in self.clients:
            client.close(code, reason)

    def go_down(self) -> None:
        """Break all connections and refuse every handshake, until ``come_up()``."""
        self.is_down = True
        self.drop_all()
        for socket in tuple(self._connecting):
            socket.drop()
        self._connecting.clear()

    def hang(self) -> None:
        """Answer neither handshakes nor frames, and let no frame arrive, until ``come_up()``: all is half-open."""
        self.hangs = True

    def refuse(self, code: int, reason: str = "") -> None:
        """Close all connections with ``code``, and each new one as soon as it is open, until ``come_up()``."""
        self._refusal = (code, reason)
        self.close_all(code, reason)

    def come_up(self) -> None:
        """Work again; handshakes that hang go on."""
        self.is_down = self.hangs = False
        self._refusal = None
        connecting, self._connecting = self._connecting, {}
        for socket, now in connecting.items():
            self._later(partial(self._accept, socket, now))

    # what a server of an own protocol does otherwise

    def on_open(self, client: FakeClient) -> None:
        """Handle a new connection: say ready, unless a hello comes before."""
        if self.wire.ready is not None and self._hello is None:
            client.send(self.wire.ready)

    def on_frame(self, client: FakeClient, frame: Any) -> None:
        """Handle a frame that is no ping: say ready after a hello, give ``answer`` the others."""
        if self._hello is not None and self._hello.kind_of(frame) is FrameKind.READY:
            client.send(self.wire.ready)
        elif self.answer is not None:
            reply = self.answer(client, frame)
            if reply is not None:
                client.send(reply)

    def on_ping(self, client: FakeClient) -> None:
        """Answer a ping with the wire's pong, if it has one."""
        pong = self.wire.pong
        if callable(self.wire.ping) and isinstance(pong, Mapping):
            pong = {**pong, "t": round(client.now().monotonic * 1000)}
        if pong is not None:
            client.send(pong)

    # what the sockets do

    def open(self, socket: FakeSocket, now: Callable[[], Instant]) -> None:
        """Begin the handshake of ``socket``."""
        self.urls.append(socket.url)
        self._later(partial(self._accept, socket, now))

    def take(self, socket: FakeSocket, data: str | bytes) -> None:
        """Take a frame that the page sent, and handle it soon."""
        client = self._clients.get(socket)
        if client is None or self.hangs:
            return
        ping = self.wire.ping_at(client.now().monotonic)
        if ping is not None and data == self.codec.encode(ping):
            self._later(partial(self.on_ping, client))
            return
        try:
            frame = self.codec.decode(data)
        except ValueError:  # such as a text of send_message() among bytes
            frame = data
        client.frames.append(frame)
        self.frames.append(frame)
        self._later(partial(self.on_frame, client, frame))

    def forget(self, socket: FakeSocket) -> None:
        """Forget a socket whose connection is over."""
        self._clients.pop(socket, None)
        self._connecting.pop(socket, None)

    def raise_error(self) -> None:
        """Raise the first error of ``answer``, or of a subclass, since the last call."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _accept(self, socket: FakeSocket, now: Callable[[], Instant]) -> None:
        if self.is_down:
            socket.drop()
        elif self.hangs:
            self._connecting[socket] = now
        elif not socket.is_abandoned:
            client = self._clients[socket] = FakeClient(self, socket, now)
            socket.accept()
            if self._refusal is not None:
                client.close(*self._refusal)
            else:
                self.on_open(client)

    def _later(self, work: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(self._do, work)

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self._error = self._error or error
            raise
