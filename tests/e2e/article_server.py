"""The article's own server, and no more than that: one room for all, broadcasts, and silence otherwise.

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
import contextlib
import hashlib
import json
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from backend.pages import Pages, Policy
from backend.web import Envelope
from tests.support.server import LOOPBACK


class ArticleServer:
    """Responsible for such a server in a thread of the test, for what it heard, and for what goes wrong in it.

    ``site``: the page that it serves; ``connection``: the numbers of its static/config.json.
    """

    def __init__(
        self, site: Path, *, typed: bool = True, connection: Mapping[str, float] | None = None
    ) -> None:
        self._site = site
        self.typed = typed  #: whether messages say what they are
        self.heard: list[dict[str, Any]] = []  #: every frame of every client, as it came
        self.said: list[dict[str, Any]] = []  #: every broadcast
        self.handshakes = 0  #: connections that were ever accepted
        self._next: list[str] = []  # what becomes of the next messages
        self._config = {"wire": "article", "connection": dict(connection or {})}
        self._users: dict[str, str] = {}  # by token
        self._connections: dict[WebSocket, str] = {}
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._server = _Server(
            uvicorn.Config(self._app(), lifespan="off", log_config=None, ws_ping_interval=None)
        )
        self._thread = threading.Thread(target=self._server.run, args=[[self._listener]], daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._server.is_listening.wait(10), "the article's server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self.close_all()
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()

    # --- reading ---

    @property
    def open(self) -> int:
        """Connections at this moment."""
        return len(self._connections)

    @property
    def pings(self) -> int:
        """How many came."""
        return sum(frame["action"] == "ping" for frame in self.heard)

    @property
    def words(self) -> list[str]:
        """What clients sent to be said, as it came."""
        return [frame["content"] for frame in self.heard if frame["action"] == "sendMessage"]

    # --- what goes wrong ---

    def close_all(self) -> None:
        """Close every connection, as API Gateway does after two hours."""
        self._do(self._close_all())

    def repeat(self) -> None:
        """Broadcast the last message once more, under the same id: a Lambda that timed out is run again."""
        self._do(self._broadcast(self.said[-1]))

    def swallow_next(self) -> None:
        """Hear the next message and broadcast nothing."""
        self._next.append("swallow")

    def fail_next(self) -> None:
        """Answer the next message as API Gateway does when a Lambda raised, and broadcast nothing."""
        self._next.append("fail")

    # --- inside; what is async runs in the server's thread ---

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._server.loop).result(10)

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/token", self._issue, methods=["POST"]),
                Route("/static/config.json", lambda request: JSONResponse(self._config)),
                WebSocketRoute("/ws", self._serve),
                Mount("/", Pages(self._site)),
            ],
            middleware=[Middleware(Envelope, policy=Policy(self._site))],
        )

    async def _issue(self, request: Request) -> Response:
        asked = await request.json()
        token = secrets.token_urlsafe(16)
        self._users[token] = hashlib.sha256(asked["clientSecret"].encode()).hexdigest()[:16]
        return JSONResponse({"token": token, "userId": self._users[token], "expiresIn": 3600})

    async def _serve(self, connection: WebSocket) -> None:
        user_id = self._users.get(connection.query_params.get("token", ""))
        if user_id is None:
            await connection.close()  # before it is accepted: HTTP 403
            return
        await connection.accept()
        self.handshakes += 1
        self._connections[connection] = user_id
        try:
            async for text in connection.iter_text():
                await self._on_frame(connection, json.loads(text))
        finally:
            self._connections.pop(connection, None)

    async def _on_frame(self, connection: WebSocket, frame: dict[str, Any]) -> None:
        self.heard.append(frame)
        if frame["action"] != "sendMessage":
            return
        fate = self._next.pop(0) if self._next else "broadcast"
        if fate == "broadcast":
            await self._say(self._connections[connection], frame)
        elif fate == "fail":
            ids = {"connectionId": secrets.token_urlsafe(8), "requestId": secrets.token_urlsafe(8)}
            await connection.send_json({"message": "Internal server error", **ids})

    async def _say(self, user_id: str, frame: Mapping[str, Any]) -> None:
        message = {
            "messageId": str(uuid.uuid4()),
            "senderId": user_id,
            "content": frame["content"],
            "timestamp": round(time.time() * 1000),
            "roomId": frame["roomId"],
        }
        self.said.append({"type": "message", **message} if self.typed else message)
        await self._broadcast(self.said[-1])

    async def _broadcast(self, message: Mapping[str, Any]) -> None:
        """To each, whatever becomes of the others: the article's allSettled."""
        sending = (connection.send_json(message) for connection in tuple(self._connections))
        await asyncio.gather(*sending, return_exceptions=True)

    async def _close_all(self) -> None:
        for connection in tuple(self._connections):
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # it goes by itself
                await connection.close(1001, "Going away")


class _Server(uvicorn.Server):
    """uvicorn that tells when it listens, and on which loop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.is_listening.set()
