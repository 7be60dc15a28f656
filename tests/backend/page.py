"""A page in tests of the real server: one socket, frames as they are."""

import asyncio
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.server import KizunaServer

# Far beyond what any test waits for on purpose; it only keeps a mistake from hanging.
PATIENCE_SECONDS = 10.0


class Page:
    """Responsible for one page's socket to the real server."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.ready: dict[str, Any] = {}
        self.batch: dict[str, Any] = {}

    @classmethod
    async def open(cls, server: KizunaServer, name: str, room: str = "general") -> "Page":
        """Connect as somebody, say hello, read ready and the batch."""
        return await cls.at(server.socket_url(name), room)

    @classmethod
    async def at(cls, url: str, room: str = "general") -> "Page":
        """The same with a URL that holds a token."""
        page = cls(await connect(url, proxy=None))
        await page.send(action="hello", v=1, rooms=[{"roomId": room, "after": None}])
        page.ready = await page.read("ready")
        page.batch = await page.read("batch")
        return page

    async def send(self, **frame) -> None:
        """Send a frame."""
        await self._socket.send(json.dumps(frame, ensure_ascii=False))

    async def say(self, content: str, client_message_id: str, room: str = "general") -> dict[str, Any]:
        """Send a message and wait for its ack."""
        await self.send(action="sendMessage", clientMessageId=client_message_id, roomId=room, content=content)
        return await self.read("ack")

    async def raw(self, data) -> None:
        """Send something that is no frame of ours."""
        await self._socket.send(data)

    async def read(self, kind: str | None = None) -> dict[str, Any]:
        """The next frame of one type; without it, of any but presence, which may come between others."""
        while True:
            frame: dict[str, Any] = json.loads(await asyncio.wait_for(self._socket.recv(), PATIENCE_SECONDS))
            if frame.get("type") == kind or (kind is None and frame.get("type") != "presence"):
                return frame

    async def closed(self) -> tuple[int, str]:
        """The close code and reason that the server sends; frames before it are skipped."""
        try:
            while True:
                await asyncio.wait_for(self._socket.recv(), PATIENCE_SECONDS)
        except ConnectionClosed as error:
            close = error.rcvd
        assert close is not None, "it broke without a close frame"
        return close.code, close.reason

    async def leave(self) -> None:
        """Close."""
        await self._socket.close()
