"""What the tests of the documents share: the programs, and what they run against."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import kizuna
from kizuna import WebSocketService
from kizuna.testing import FakePlatform
from tests.docs.examples import codes_of


@pytest.fixture
def codes(request: pytest.FixtureRequest) -> list[str]:
    """The blocks of code that name this test."""
    return codes_of(getattr(request.node, "originalname", request.node.name))


@pytest.fixture
def code(codes: list[str]) -> str:
    """The only block of code that names this test."""
    (code,) = codes
    return code


class FakePage(FakePlatform):
    """The platform that connect() finds in an example, and what the example prints or calls."""

    def __init__(self) -> None:
        super().__init__()
        self.reported: list[dict[str, Any]] = []  #: what reached the event loop's exception handler
        self.tasks: list[asyncio.Task[Any]] = []

    async def start(self, work: Any) -> None:
        """Run an example in a task, the last of ``tasks``, until it waits."""
        self.tasks.append(asyncio.ensure_future(work))
        await self.settle()

    async def connect(self, connection: WebSocketService[Any]) -> None:
        """Call connect() in a task, and wait until it waits."""
        await self.start(connection.connect())

    async def serve(self, *frames: Any) -> None:
        """Accept the newest socket, and send frames."""
        self.socket.accept()
        for frame in frames:
            self.socket.receive(frame)
        await self.settle()


@pytest.fixture
async def page(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakePage]:
    """A page without a browser: connect() in an example gets this platform, and "/ws" is on its host."""
    page, connect = FakePage(), kizuna.connect
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: page.reported.append(context))

    def connect_here(url: Any, **arguments: Any) -> Any:
        whole = f"wss://example.org{url}" if isinstance(url, str) and url.startswith("/") else url
        return connect(whole, **{"platform": page, **arguments})

    monkeypatch.setattr(kizuna, "connect", connect_here)
    yield page
    for task in page.tasks:
        task.cancel()
    await asyncio.gather(*page.tasks, return_exceptions=True)
