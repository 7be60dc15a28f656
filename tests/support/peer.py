"""Clients without a browser: a raw socket to the backend, and a room member for tests of a single page."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
from collections.abc import Callable
from typing import Any, Self, TypeVar

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from chat.protocol import Batch, DownFrame, Message, Ready, UpFrame, encode, parse_down
from tests.support.process import PATIENCE
from tests.support.server import KizunaServer

Frame = dict[str, Any]
Kind = TypeVar("Kind", bound=DownFrame)


def knock(url: str, origin: str | None = None) -> int:
    """Return the status of a handshake, and close at once if it succeeds."""
    try:
        SocketClient(url, origin).leave()
    except InvalidStatus as refused:
        return refused.response.status_code
    return 101


class SocketClient:
    """One socket to the backend, with raw frames. It never reconnects. ``received``: all frames read so far."""

    def __init__(self, url: str, origin: str | None = None) -> None:
        self.received: list[Frame] = []
        self.room = self.connection_id = ""
        self.ready: Frame = {}
        self.batch: Frame = {}
        self._opened = contextlib.ExitStack()
        self._socket = self._opened.enter_context(
            connect(
                url,
                origin=None if origin is None else Origin(origin),
                open_timeout=PATIENCE,
                ping_interval=None,
                max_queue=None,
                proxy=None,
            )
        )

    @classmethod
    def enter(cls, url: str, room: str = "general", *, origin: str | None = None, **known: Any) -> Self:
        """Connect, send hello for a room with what is known of it (``after``, ``epoch``), read ready and the batch."""
        client = cls(url, origin)
        client.room = room
        client.send("hello", v=1, rooms=[{"roomId": room, **known}])
        client.ready = client.read("ready")
        client.connection_id = client.ready["connectionId"]
        client.batch = client.read("batch")
        return client

    def send(self, action: str, **fields: Any) -> None:
        """Send a frame."""
        self.raw(json.dumps({"action": action, **fields}, ensure_ascii=False))

    def raw(self, data: str | bytes) -> None:
        """Send text or bytes as they are."""
        self._socket.send(data)

    def say(self, content: str, client_message_id: str = "") -> Frame:
        """Send a message to the room and return its ack."""
        own_id = client_message_id or secrets.token_hex(8)
        self.send("sendMessage", clientMessageId=own_id, roomId=self.room, content=content)
        return self.read("ack", clientMessageId=own_id)

    def next(self, timeout: float = PATIENCE) -> Frame:
        """Return the next frame of any type."""
        frame: Frame = json.loads(self._socket.recv(timeout))
        self.received.append(frame)
        return frame

    def read(self, kind: str | None = None, **fields: Any) -> Frame:
        """Return the next frame of a type, with these fields; without a type, any but presence.

        Raises AssertionError if a nack comes instead, or nothing.
        """
        while True:
            try:
                frame = self.next()
            except TimeoutError:
                raise AssertionError(f"no {kind} with {fields}; came: {self.received}") from None
            fits = frame["type"] == kind if kind else frame["type"] != "presence"
            if fits and fields.items() <= frame.items():
                return frame
            assert kind is None or frame["type"] != "nack", frame

    def closed(self) -> tuple[int | None, str | None]:
        """Return the server's close code (1006 if it sends none) and reason; frames before it are skipped."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.next()
        return self._socket.close_code, self._socket.close_reason

    def leave(self) -> None:
        """Close."""
        self._opened.close()

    def vanish(self) -> None:
        """Break the connection without a close frame."""
        self._socket.socket.shutdown(socket.SHUT_RDWR)
        self.leave()


class Peer:
    """A room member that uses chat/protocol.py."""

    def __init__(self, server: KizunaServer, room: str, name: str = "Peer") -> None:
        token = server.token(name, secret=secrets.token_hex(32))
        url = server.url.replace("http", "ws", 1)
        self._client = SocketClient.enter(f"{url}/ws?token={token}", room, origin=server.url)
        self._frames: list[DownFrame] = []
        self.user_id = self.wait_for(Ready).user_id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.leave()

    def send(self, frame: UpFrame) -> None:
        """Send any frame."""
        self._client.raw(encode(frame))

    def say(self, *texts: str) -> None:
        """Send each of these texts, and wait until it is stored."""
        for text in texts:
            self._client.say(text)

    @property
    def frames(self) -> list[DownFrame]:
        """All frames that were received."""
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            while True:
                self._client.next(0)
        self._frames += map(parse_down, self._client.received[len(self._frames) :])
        return self._frames

    @property
    def heard(self) -> list[str]:
        """The messages of the room, own ones included, sorted as every client does; duplicates stay.

        A message that is stored while the peer enters may come in the batch and as a broadcast: that is no duplicate.
        """
        messages = [
            message for frame in self.frames if isinstance(frame, Batch) for message in frame.messages
        ]
        paged = {message.seq for message in messages}
        messages += [it for it in self._frames if isinstance(it, Message) and it.seq not in paged]
        return [message.content for message in sorted(messages, key=lambda message: message.seq or 0)]

    def wait_for(self, kind: type[Kind], such: Callable[[Kind], bool] = lambda _: True) -> Kind:
        """Return the first frame of this kind, received before or now. Raises AssertionError if none comes."""
        while True:
            for frame in self.frames:
                if isinstance(frame, kind) and such(frame):
                    return frame
            try:
                self._client.next()
            except (TimeoutError, ConnectionClosed) as error:
                raise AssertionError(f"no such {kind.__name__}: {error!r}; came: {self._frames}") from error

    def wait_to_hear(self, text: str) -> Message:
        """Return the broadcast with this text."""
        return self.wait_for(Message, lambda message: message.content == text)
