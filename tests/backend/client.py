"""A WebSocket client without a network: the ASGI server's side of a socket, played by the test."""

import asyncio
import json
from collections.abc import Generator, Mapping
from typing import Any

from starlette.types import Message
from starlette.websockets import WebSocket
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from backend.gateway.local import LocalGateway
from backend.gateway.sockets import WRITE
from tests.support.process import PATIENCE

HEADERS = [
    (b"host", b"chat.example:8000"),
    (b"user-agent", b"test/1"),
    (b"sec-websocket-key", b"x"),
    (b"cookie", b"a=1"),
    (b"cookie", b"b=2"),
]


def texts_in(data: bytes) -> list[str]:
    """Return the texts of the frames in ``data``, which must be whole, not masked, and text."""
    texts, reader = [], StreamReader()
    reader.feed_data(data)
    reader.feed_eof()  # half a frame is an error

    def parse() -> Generator[None, None, None]:
        while reader.buffer:
            frame = yield from Frame.parse(reader.read_exact, mask=False)
            assert frame.opcode is Opcode.TEXT
            texts.append(bytes(frame.data).decode())

    list(parse())
    return texts


class AsgiClient:
    """One connection to a LocalGateway.

    While ``reading`` is cleared, it plays a reader that stopped reading: the gateway's next write does not come back.
    With ``breaks`` it raises. ``takes_bytes``: the server below takes frames as they go into the socket (``WRITE``), as
    ours does; ``written`` is what it took.
    """

    def __init__(
        self,
        gateway: LocalGateway,
        query: str = "token=t",
        address: str = "192.0.2.7",
        *,
        takes_bytes: bool = True,
    ) -> None:
        self.id: str
        self.task: asyncio.Task[None]
        self.breaks = False
        self.written: list[bytes] = []
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        self._to_server: asyncio.Queue[Message] = asyncio.Queue()
        self.reading = asyncio.Event()
        self.reading.set()
        self._gateway = gateway
        self._scope = {
            "type": "websocket",
            "path": "/ws",
            "query_string": query.encode(),
            "headers": HEADERS,
            "client": (address, 5000),
            "subprotocols": [],
            "extensions": {
                "websocket.http.response": {},
                **({WRITE: {"write": self._write}} if takes_bytes else {}),
            },
        }

    async def connect(self) -> str:
        """Finish the handshake and return the connection's id."""
        before = set(self._gateway.connection_ids())
        self.begin()
        accepted = await self.next()
        assert accepted["type"] == "websocket.accept", accepted
        await asyncio.sleep(0)  # the gateway registers the connection in the step after its accept
        (self.id,) = set(self._gateway.connection_ids()) - before
        return self.id

    def begin(self) -> None:
        """Start the handshake and wait for nothing."""
        self._to_server.put_nowait({"type": "websocket.connect"})
        socket = WebSocket(self._scope, self._to_server.get, self._send)
        self.task = asyncio.create_task(self._gateway.serve(socket))

    async def next(self) -> Message:
        """Return the server's next message."""
        return await asyncio.wait_for(self.sent.get(), PATIENCE)

    async def frame(self) -> Mapping[str, Any]:
        """Return the next text frame, decoded."""
        message = await self.next()
        assert message["type"] == "websocket.send", message
        decoded: Mapping[str, Any] = json.loads(message["text"])
        return decoded

    async def closed(self) -> tuple[int, str]:
        """Return the close frame that must come next."""
        message = await self.next()
        assert message["type"] == "websocket.close", message
        # As uvicorn does: the application reads its own close back.
        self._to_server.put_nowait({"type": "websocket.disconnect", "code": message["code"]})
        return message["code"], message["reason"]

    def send(self, data: str | bytes) -> None:
        """Send a text frame, or a binary one."""
        kind = "text" if isinstance(data, str) else "bytes"
        self._to_server.put_nowait({"type": "websocket.receive", kind: data})

    def leave(self, code: int = 1005, reason: str = "") -> None:
        """Close from this side."""
        self._to_server.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    async def ended(self) -> None:
        """Wait until the server has let go of the connection, $disconnect and all."""
        await asyncio.wait_for(asyncio.shield(self.task), PATIENCE)

    def _write(self, data: bytes) -> bool:
        if self.breaks:
            raise OSError("the network is gone")
        if not self.reading.is_set():
            return False
        self.written.append(data)
        for text in texts_in(data):
            self.sent.put_nowait({"type": "websocket.send", "text": text})
        return True

    async def _send(self, message: Message) -> None:
        if self.breaks:
            raise OSError("the network is gone")
        await self.reading.wait()
        await self.sent.put(message)
