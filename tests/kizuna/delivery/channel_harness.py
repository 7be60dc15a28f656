"""Channels on a fake platform, with the test as their server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from kizuna import KIZUNA, Options, WebSocketService, Wire, connect
from kizuna.delivery import Channel, Channels, Delivered
from kizuna.platform import Locks, Storage
from kizuna.testing import FakePlatform, FakeSocket


class ChannelHarness:
    """Channels over one connection, and the server's side of its socket."""

    def __init__(
        self,
        storage: Storage | None = None,
        locks: Locks | None = None,
        *,
        wire: Wire = KIZUNA,
        options: Options | None = None,
    ) -> None:
        self.platform = FakePlatform()
        self.connection: WebSocketService[Any] = connect(
            "ws://127.0.0.1/ws", wire=wire, options=options, platform=self.platform
        )
        self.channels = Channels(self.connection, storage, locks)
        self.connecting: asyncio.Task[None] | None = None
        self.got: dict[str, list[Delivered]] = {}
        self.loops: list[asyncio.Task[None]] = []

    @property
    def socket(self) -> FakeSocket:
        return self.platform.socket

    def read(self, channel: Channel) -> list[Delivered]:
        """Read the channel in a loop; return the list that it fills."""
        got: list[Delivered] = []

        async def loop() -> None:
            async for change in channel:
                got.append(change)  # noqa: PERF401 - the test reads it meanwhile

        self.loops.append(asyncio.create_task(loop()))
        return got

    async def connect(self, **batches: Mapping[str, Any]) -> None:
        """Connect; the server answers hello with these batches, by channel."""
        self.connecting = asyncio.create_task(self.connection.connect())
        await self.platform.settle()
        self.socket.accept()
        await self.answer_hello(**batches)

    async def answer_hello(self, **batches: Mapping[str, Any]) -> None:
        await self.platform.settle()
        await self.receive(
            {"type": "ready", "connectionId": "c", "userId": "me", "serverTime": 0, "expiresIn": None},
            *batches.values(),
        )

    async def reconnect(self, **batches: Mapping[str, Any]) -> None:
        """Drop the link, and open the next one."""
        self.socket.drop()
        await self.platform.advance(2)
        self.socket.accept()
        await self.answer_hello(**batches)

    async def receive(self, *frames: Mapping[str, Any]) -> None:
        for frame in frames:
            self.socket.receive(frame)
            await self.platform.settle()

    def sent(self, action: str) -> list[dict[str, Any]]:
        return [frame for frame in self.socket.sent if frame["action"] == action]

    def end(self) -> None:
        self.connection.disconnect()
        for loop in self.loops:
            loop.cancel()


def batch(head: int, *items: Mapping[str, Any], room: str = "orders", **parts: Any) -> dict[str, Any]:
    fields = {"type": "batch", "roomId": room, "epoch": "e", "messages": list(items), "head": head}
    return {**fields, "next": None, "complete": True, "limited": False, "ref": None, **parts}


def item(seq: int, *, room: str = "orders", **parts: Any) -> dict[str, Any]:
    fields = {"type": "message", "roomId": room, "epoch": "e", "seq": seq, "messageId": f"m{seq}"}
    return {**fields, "clientMessageId": f"theirs-{seq}", "sku": seq, **parts}


def ack(message_id: str, seq: int, *, room: str = "orders", **parts: Any) -> dict[str, Any]:
    fields = {"type": "ack", "clientMessageId": message_id, "roomId": room, "epoch": "e", "seq": seq}
    return {**fields, "messageId": f"m{seq}", "timestamp": 0, **parts}
