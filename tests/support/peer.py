"""A person without a browser: the cheap other side of tests that are not about the other side's screen."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable
from typing import Self, TypeVar
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from chat.protocol import (
    PROTOCOL_VERSION,
    Ack,
    Batch,
    DownFrame,
    Hello,
    Message,
    Ready,
    RoomPosition,
    SendMessage,
    UpFrame,
    decode,
    encode,
    parse_down,
)
from tests.support.server import KizunaServer

Kind = TypeVar("Kind", bound=DownFrame)


class Peer:
    """Responsible for one room member that speaks chat/protocol.py over a plain socket, and never reconnects."""

    def __init__(self, server: KizunaServer, room: str, name: str = "Peer") -> None:
        self.room = room
        self.name = name
        self.frames: list[DownFrame] = []
        self._arrived = threading.Condition()
        self._server = server
        self._leaving = contextlib.ExitStack()

    def __enter__(self) -> Self:
        token = self._server.token(self.name, secret=secrets.token_hex(32))
        url = f"ws://{self._server.url.removeprefix('http://')}/ws?token={quote(token)}"
        opening = connect(
            url, origin=Origin(self._server.url), ping_interval=None, close_timeout=1, proxy=None
        )
        self._link: ClientConnection = self._leaving.enter_context(opening)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.send(Hello(v=PROTOCOL_VERSION, rooms=(RoomPosition(room_id=self.room),)))
        self.user_id = self.wait_for(Ready).user_id
        self.wait_for(Batch)
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Close the connection."""
        self._leaving.close()
        self._reader.join(5)

    def send(self, frame: UpFrame) -> None:
        """Send any frame."""
        self._link.send(encode(frame))

    def say(self, *texts: str) -> None:
        """Say each of these, and wait until it is stored."""
        for text in texts:
            own_id = secrets.token_hex(8)
            self.send(SendMessage(client_message_id=own_id, room_id=self.room, content=text))
            self.wait_for(Ack, lambda ack, own_id=own_id: ack.client_message_id == own_id)  # type: ignore[misc]

    @property
    def heard(self) -> list[str]:
        """What was said in the room, own words included, in the room's order: broadcasts may overtake each other, and
        every client sorts them. What came twice is there twice."""
        messages: list[Message] = []
        for frame in tuple(self.frames):
            if isinstance(frame, Batch):
                messages += frame.messages
            elif isinstance(frame, Message):
                messages.append(frame)
        return [message.content for message in sorted(messages, key=lambda message: message.seq or 0)]

    def wait_for(
        self, kind: type[Kind], such: Callable[[Kind], bool] = lambda _: True, within: float = 15.0
    ) -> Kind:
        """The first frame of this kind, also one that came already; AssertionError when none comes in time."""

        def first() -> Kind | None:
            return next((frame for frame in self.frames if isinstance(frame, kind) and such(frame)), None)

        with self._arrived:
            found = self._arrived.wait_for(first, within)
        if found is None:
            raise AssertionError(f"no such {kind.__name__} within {within} s; came: {self.frames}")
        return found

    def wait_to_hear(self, text: str, within: float = 15.0) -> Message:
        """The broadcast with this text."""
        return self.wait_for(Message, lambda message: message.content == text, within)

    def _read(self) -> None:
        try:
            for text in self._link:
                frame = parse_down(decode(text))
                with self._arrived:
                    self.frames.append(frame)
                    self._arrived.notify_all()
        except ConnectionClosed:
            pass
