"""Somebody who uses the deployed backend over HTTP and a WebSocket, as a page does."""

import json
import socket
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.cloud.deployed import ORIGIN, Deployed
from tests.support.waiting import PATIENCE

Frame = Mapping[str, Any]


class Person:
    """Responsible for one person's token and latest connection. ``frames``: what came over it so far."""

    def __init__(self, deployed: Deployed, name: str, room: str) -> None:
        self.deployed = deployed
        self.name = name
        self.room = room
        self.user_id = ""
        self.connection_id = ""
        self.frames: list[Frame] = []
        self._opened = ExitStack()
        self._socket: ClientConnection | None = None

    # --- getting in ---

    def token(self) -> str:
        """A token, the same person every time."""
        body = {"name": self.name, "clientSecret": f"the secret of {self.name}".ljust(20, ".")}
        status, answer = self.deployed.post(self.deployed.token_url, body, Origin=ORIGIN)
        assert status == 200, answer
        self.user_id = answer["userId"]
        return str(answer["token"])

    def ticket(self) -> str:
        """A ticket, for a new token."""
        authorization = f"Bearer {self.token()}"
        status, answer = self.deployed.post(
            self.deployed.ticket_url, Authorization=authorization, Origin=ORIGIN
        )
        assert status == 200, answer
        return str(answer["ticket"])

    def knock(self, query: str, origin: str = ORIGIN) -> int:
        """The status of a handshake; 101 opens the connection."""
        self.leave()
        self.frames = []
        try:
            handshake = connect(
                self.deployed.web_socket_url + query,
                origin=Origin(origin),
                open_timeout=PATIENCE,
                proxy=None,
            )
            self._socket = self._opened.enter_context(handshake)
        except InvalidStatus as refused:
            return refused.response.status_code
        return 101

    def connect(self) -> None:
        """Connect with a new ticket."""
        assert self.knock(f"?token={self.ticket()}") == 101

    def hello(self, after: int = 0, epoch: str | None = None) -> Frame:
        """Enter the room and say what is known of it; returns the batch of what is not."""
        position = {"roomId": self.room, "after": after, **({"epoch": epoch} if epoch else {})}
        self.send("hello", v=1, rooms=[position])
        self.connection_id = self.next("ready")["connectionId"]
        return self.next("batch")

    # --- talking ---

    def send(self, action: str, **fields: Any) -> None:
        """Send one frame."""
        assert self._socket is not None
        self._socket.send(json.dumps({"action": action, **fields}))

    def say(self, text: str) -> Frame:
        """Send a message; its ack."""
        self.send("sendMessage", clientMessageId=uuid.uuid4().hex, roomId=self.room, content=text)
        return self.next("ack")

    def next(self, kind: str, **fields: Any) -> Frame:
        """The next frame of a kind, with these fields; the others before it are kept in ``frames``."""
        assert self._socket is not None
        while True:
            frame: Frame = json.loads(self._socket.recv(timeout=PATIENCE))
            self.frames.append(frame)
            assert frame.get("type") != "nack" or kind == "nack", frame
            if frame.get("type") == kind and fields.items() <= frame.items():
                return frame

    # --- going ---

    def leave(self) -> None:
        """Close, if it is open."""
        self._opened.close()
        self._socket = None

    def vanish(self) -> None:
        """Lose the network: the connection breaks without a word."""
        assert self._socket is not None
        self._socket.socket.shutdown(socket.SHUT_RDWR)
        self.leave()
