"""A service on a fake platform, for the tests of the public face."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from kizuna.codec import JSON_OBJECTS, Codec
from kizuna.service import WebSocketService
from kizuna.testing import FakePlatform, FakeSocket
from kizuna.wire import KIZUNA, Options, Wire

READY = {"type": "ready"}
URL = "wss://example.org/prod"


class ServiceHarness:
    """A service on a fake platform. With ``reads`` something reads its frames, so that none waits for a reader."""

    def __init__(
        self,
        get_access_token: Any = None,
        *,
        url: Any = URL,
        codec: Codec[Any] = JSON_OBJECTS,
        wire: Wire = KIZUNA,
        reads: bool = True,
        **options: Any,
    ) -> None:
        self.platform = FakePlatform()
        self.service = WebSocketService(
            url,
            get_access_token,
            platform=self.platform,
            codec=codec,
            wire=wire,
            options=cast(Options, options),
        )
        if reads:
            self.service.on_message(lambda frame: None)

    @property
    def socket(self) -> FakeSocket:
        """The newest socket."""
        return self.platform.socket

    @property
    def status(self) -> str:
        """The connection's status."""
        return self.service.state.status.value

    async def begin(self) -> asyncio.Task[None]:
        """Call connect() in a task, and wait until it waits."""
        connecting = asyncio.create_task(self.service.connect())
        await self.platform.settle()
        return connecting

    async def serve(self) -> None:
        """Accept the newest socket and send ready."""
        self.socket.accept()
        self.socket.receive(READY)
        await self.platform.settle()

    async def connect(self) -> FakeSocket:
        """Connect, and return the socket."""
        connecting = await self.begin()
        await self.serve()
        await connecting
        return self.socket

    async def exhaust(self) -> None:
        """Let every attempt fail until the budget is spent."""
        while self.status != "exhausted":
            if self.platform.live_sockets:
                self.socket.drop()
            await self.platform.advance(16)

    def assert_nothing_is_left(self) -> None:
        """No timer, no listener to the page, no socket, no task but the test's own."""
        assert self.platform.clock.armed == 0
        assert self.platform.watchers == []
        assert self.platform.live_sockets == []
        assert asyncio.all_tasks() == {asyncio.current_task()}
