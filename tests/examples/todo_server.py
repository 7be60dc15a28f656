"""The server of examples/todo in a process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Self

from tests.support.peer import SocketClient
from tests.support.process import LOOPBACK, Process, free_port
from tools.examples import EXAMPLES


class Server:
    """The server with its file."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.clients: list[SocketClient] = []

    def start(self) -> Self:
        env = {**os.environ, "PORT": str(self.port), "DATA": str(self.data)}
        self.process = Process(sys.executable, str(EXAMPLES / "todo" / "server.py"), env=env)
        self.process.wait_for("Uvicorn running on")
        return self

    def enter(self, room: str, **known: Any) -> SocketClient:
        """Connect, and say hello for a room."""
        self.clients.append(SocketClient.enter(f"ws://{LOOPBACK}:{self.port}/ws", room, **known))
        return self.clients[-1]
