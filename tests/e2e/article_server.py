"""The article's server: one room for all, broadcasts, and nothing else.

    ws /ws?token=...                         the token says who speaks
    {"action": "sendMessage", "roomId", "content"}   to every connection, the sender's too: MESSAGE
    {"action": "ping"}, and anything else    $default: 200, of which a WebSocket hears nothing

MESSAGE is {"messageId", "senderId", "content", "timestamp", "roomId"}, what the article's addMessage looks at, with
an id made here and milliseconds since 1970; ``"type": "message"`` too where ``typed``. No ready, no ack, no pong, no
order, no history, and nothing of what the client calls its message. ``POST /token`` stands in for the article's
sign-in, and the page is served beside it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from backend.local.content_policy import Policy
from backend.local.static_files import Pages
from backend.local.web import SecurityHeadersMiddleware
from tests.support.server import LOOPBACK
from tests.support.waiting import PATIENCE

#: API Gateway's frame after a Lambda raised an error.
FAILED = {
    "message": "Internal server error",
    "connectionId": "L0SM9cOFvHcCIhw=",
    "requestId": "L0SNIGCpvHcFj7A=",
}


class ArticleServer:
    """The article's server in a thread of the test.

    ``site``: the page that it serves; ``connection``: the numbers of its static/config.json.
    """

    _loop: asyncio.AbstractEventLoop  # of the thread, once somebody is connected

    def __init__(self, site: Path, connection: Mapping[str, float]) -> None:
        self.typed = True  #: whether messages say what they are
        self.heard: list[dict[str, Any]] = []  #: every frame of every client, as it came
        self.handshakes = 0  #: connections that were ever accepted
        self.next_is = (
            ""  #: what becomes of the next message: "swallowed", "failed" (a Lambda that raises), or ""
        )
        self._last: dict[str, Any] = {}  # what was broadcast last
        self._config = {"wire": "article", "connection": connection}
        self.connections: list[WebSocket] = []  #: those of this moment
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        routes = [
            Route("/token", self._issue, methods=["POST"]),
            Route("/static/config.json", lambda request: JSONResponse(self._config)),
            WebSocketRoute("/ws", self._serve),
            Mount("/", Pages(site)),
        ]
        app = Starlette(
            routes=routes, middleware=[Middleware(SecurityHeadersMiddleware, policy=Policy(site))]
        )
        self._server = uvicorn.Server(
            uvicorn.Config(app, lifespan="off", log_config=None, ws_ping_interval=None)
        )
        self._thread = threading.Thread(target=self._server.run, args=[[self._listener]], daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()  # earlier connections wait at the listener
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(PATIENCE)
        self._listener.close()

    @property
    def words(self) -> list[str]:
        """The messages that clients sent, in order of arrival."""
        return [frame["content"] for frame in self.heard if frame["action"] == "sendMessage"]

    def close_all(self) -> None:
        """Close every connection, as API Gateway does after two hours."""
        self._do(lambda connection: connection.close(1001, "Going away"))

    def repeat(self) -> None:
        """Broadcast the last message once more under the same id, as the retry of a Lambda does."""
        self._do(self._say_last)

    # --- inside; async functions run in the server's thread ---

    def _do(self, act: Callable[[WebSocket], Awaitable[None]]) -> None:
        asyncio.run_coroutine_threadsafe(self._each(act), self._loop).result(PATIENCE)

    async def _issue(self, request: Request) -> JSONResponse:
        """Return a token that is the user's id."""
        asked = await request.json()
        user_id = hashlib.sha256(asked["clientSecret"].encode()).hexdigest()[:16]
        return JSONResponse({"token": user_id, "userId": user_id, "expiresIn": 3600})

    async def _serve(self, connection: WebSocket) -> None:
        self._loop = asyncio.get_running_loop()
        await connection.accept()
        self.handshakes += 1
        self.connections.append(connection)
        try:
            async for text in connection.iter_text():
                await self._on_frame(connection, json.loads(text))
        finally:
            self.connections.remove(connection)

    async def _on_frame(self, connection: WebSocket, frame: dict[str, Any]) -> None:
        self.heard.append(frame)
        if frame["action"] != "sendMessage":
            return
        fate, self.next_is = self.next_is, ""
        if fate == "failed":
            await connection.send_json(FAILED)
        elif not fate:
            self._last = {
                **({"type": "message"} if self.typed else {}),
                "messageId": str(uuid.uuid4()),
                "senderId": connection.query_params["token"],
                "content": frame["content"],
                "timestamp": round(time.time() * 1000),
                "roomId": frame["roomId"],
            }
            await self._each(self._say_last)

    def _say_last(self, connection: WebSocket) -> Awaitable[None]:
        return connection.send_json(self._last)

    async def _each(self, act: Callable[[WebSocket], Awaitable[None]]) -> None:
        """Send to each connection, even if others fail, as the article's allSettled does."""
        await asyncio.gather(*map(act, tuple(self.connections)), return_exceptions=True)
