"""A plain WebSocket server, as a stranger has one, which can be stopped and started again. What it does, the path says.

/echo            sends back what comes
/close?CODE&WHY  closes at once
/bytes           sends two binary frames
/drop            breaks the connection at the first frame
/refuse          refuses the handshake
/flood?COUNT     sends so many frames of SIZE characters, each with its number
/ends            answers with the ends of all other connections: frames, and code and reason of the client's close
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from tests.support.process import LOOPBACK, free_port

#: The one that the server speaks.
PROTOCOL = "kizuna.test"
#: Characters of a frame of /flood.
SIZE = 100_000


class SocketServer:
    """One server in threads of this process.

    ``flooded``: how many frames /flood has handed to the network so far. ``ends``: what /ends answers with.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.flooded = 0
        self.ends: list[dict[str, Any]] = []
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"ws://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Listen, at the same port as before."""
        self._server = serve(
            self._handle,
            LOOPBACK,
            self.port,
            process_request=_answer,
            select_subprotocol=_choose,
            close_timeout=1,
            ping_interval=None,
        )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Close every connection with code 1001, and listen no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        place = urlsplit(connection.request.path)
        words = [unquote(word) for word in place.query.split("&")]
        received: list[str] = []
        try:
            match place.path:
                case "/close":
                    connection.close(int(words[0]), words[1])
                case "/ends":
                    for _ in connection:
                        connection.send(json.dumps(self.ends))
                case "/flood":
                    for number in range(int(words[0])):
                        connection.send(str(number).rjust(SIZE))
                        self.flooded = number + 1
                case "/bytes":
                    connection.send(b"\x00\xff")
                    connection.send(b"a" * 40)
                case "/drop":
                    connection.recv()
                    connection.socket.shutdown(socket.SHUT_RDWR)
            for message in connection:
                received.append(message if isinstance(message, str) else message.hex())
                with contextlib.suppress(ConnectionClosed):  # what came before its close is read all the same
                    connection.send(message)
        except ConnectionClosed:
            pass
        if place.path != "/ends":
            frame = connection.protocol.close_rcvd
            end = {"code": frame and frame.code, "reason": frame and frame.reason}
            self.ends.append({"path": place.path, "frames": received, **end})


def _answer(connection: ServerConnection, request: Request) -> Response | None:
    return connection.respond(401, "no\n") if urlsplit(request.path).path == "/refuse" else None


def _choose(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return Subprotocol(PROTOCOL) if PROTOCOL in offered else None
