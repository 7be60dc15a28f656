"""A plain `websockets` server that says to a page what a test wants, can be killed, and started again."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
from typing import Any, Self

from playwright.sync_api import Page
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from tests.support.process import LOOPBACK, free_port
from tests.support.waiting import eventually

#: Seconds between two frames to a page that is busy.
PACE = 0.1


class TalkServer:
    """One server, always at the same port. While a test waits here, the driver of ``page`` works on."""

    def __init__(self, page: Page) -> None:
        self.port = free_port()
        self.url = f"ws://{LOOPBACK}:{self.port}/"
        self.connections: list[ServerConnection] = []
        self._page = page
        self._frames: queue.Queue[Any] = queue.Queue()
        self._server: Server | None = None

    def start(self) -> None:
        """Listen."""
        self._server = serve(self._handle, LOOPBACK, self.port, ping_interval=None)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def kill(self) -> None:
        """Break every connection without a close frame, and listen no more."""
        server, self._server = self._server, None
        if server is not None:
            for connection in self.connections:
                with contextlib.suppress(OSError):  # it is closed already
                    connection.socket.shutdown(socket.SHUT_RDWR)
            server.shutdown()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def send(self, value: Any) -> None:
        """Send a frame to the newest connection."""
        self.connections[-1].send(json.dumps(value))

    def receive(self, what: str) -> Any:
        """Return the next frame of the page, waiting for it."""
        eventually(lambda: not self._frames.empty(), what=what, pause=self._pause)
        return self._frames.get()

    def receive_while_busy(self) -> tuple[list[Any], list[Any]]:
        """Send numbers until the page is no longer busy, and return those, and what came back."""
        sent: list[Any] = []
        while self._frames.empty():
            sent.append({"number": len(sent)})
            self.send(sent[-1])
            self._pause(PACE)
        assert self._frames.get() == {"busy": 0}
        return sent, [self.receive(f"number {number}") for number in range(len(sent))]

    def wait_for_connection(self, count: int) -> None:
        """Wait until the page has connected this many times."""
        eventually(lambda: len(self.connections) >= count, what=f"connection {count}", pause=self._pause)

    def wait_for_close(self) -> int | None:
        """Return the code with which the page closed its connection, waiting for it."""
        protocol = self.connections[-1].protocol
        eventually(lambda: protocol.close_rcvd is not None, what="the page's close", pause=self._pause)
        return protocol.close_rcvd.code if protocol.close_rcvd else None

    def _pause(self, seconds: float) -> None:
        self._page.wait_for_timeout(seconds * 1000)

    def _handle(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        with contextlib.suppress(ConnectionClosed):
            for message in connection:
                self._frames.put(json.loads(message))
