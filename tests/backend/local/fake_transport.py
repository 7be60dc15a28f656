"""uvicorn's guarded protocols without a socket: with a transport, a clock and an application of the test."""

import asyncio
from functools import partial
from typing import Any

import uvicorn
from uvicorn.server import ServerState
from websockets.frames import Frame

from backend.local.protocols import Bounds, Guard, GuardedHttp, GuardedWebSocket
from tests.support.server import LOOPBACK

ANYWHERE = "192.0.2.7"
HEAD = b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
HANDSHAKE = (
    b"GET /ws?token=x HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
)


class FakeTransport(asyncio.Transport):
    """A socket's transport: ``written``, and whether and how it was ended."""

    def __init__(self, address: str = ANYWHERE) -> None:
        super().__init__({"peername": (address, 40000), "sockname": (LOOPBACK, 8000)})
        self.written = b""
        self.closing = self.aborted = False

    def write(self, data):
        assert not self.aborted
        self.written += data

    def is_closing(self):
        return self.closing

    def close(self):
        self.closing = True

    def abort(self):
        self.closing = self.aborted = True

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass

    def set_protocol(self, protocol):
        self.protocol = protocol


class GuardedServer:
    """Protocols that share a guard and a clock, over an application that only waits."""

    def __init__(self, **bounds) -> None:
        self.now = 1000.0
        self.guard = Guard(Bounds(**bounds), clock=lambda: self.now)
        self.state = ServerState()
        make_websocket: Any = partial(GuardedWebSocket, guard=self.guard)
        self.config = uvicorn.Config(self._app, ws=make_websocket, interface="asgi3", log_config=None)
        self.config.load()
        self.heard: list[dict[str, Any]] = []

    async def _app(self, scope, receive, send):
        while (message := await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
            self.heard.append(message)
            if message["type"] == "websocket.connect":
                await send({"type": "websocket.accept"})
            elif message["type"] == "http.request" and not message["more_body"]:
                await send({"type": "http.response.start", "status": 204})
                await send({"type": "http.response.body"})

    def connect(self, address=ANYWHERE):
        wire = FakeTransport(address)
        http = GuardedHttp(self.config, self.state, {}, guard=self.guard)
        wire.protocol = http
        http.connection_made(wire)
        return wire

    async def websocket(self):
        wire = self.connect()
        wire.protocol.data_received(HANDSHAKE + b"\r\n")
        await turns()
        assert wire.written.startswith(b"HTTP/1.1 101 ")
        wire.written = b""
        return wire

    def pass_time(self, seconds):
        self.now += seconds
        self.guard.sweep(self.state.connections)


async def turns():
    """Let the event loop do what is ready."""
    for _ in range(10):
        await asyncio.sleep(0)


def frames(opcode, count=1, data=b"", *, fin=True):
    return Frame(opcode, data, fin).serialize(mask=True) * count
