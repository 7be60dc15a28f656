"""Where a connection goes: a URL or a function, with subprotocols; and the ways to begin."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kizuna import JSON, TEXT, ConfigurationError, Disconnected, connect
from kizuna.testing import FakePlatform
from tests.kizuna.service_harness import ServiceHarness


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_function_is_asked_for_each_attempt(is_async: bool):
    answers = iter(["https://a.example.org/ws", ("wss://b.example.org", ["v2", "v1"])])

    def ask() -> Any:
        return next(answers)

    async def ask_later() -> Any:
        await asyncio.sleep(0)
        return ask()

    harness = ServiceHarness(lambda: "t", url=ask_later if is_async else ask, jitter=0)
    connecting = await harness.begin()
    assert harness.socket.url == "wss://a.example.org/ws?token=t"
    harness.socket.drop()
    await harness.platform.advance(1)
    assert (harness.socket.url, harness.socket.protocols) == (
        "wss://b.example.org?token=t",
        ("v2", "v1"),
    )
    await harness.serve()
    await connecting
    harness.service.disconnect()


KEY = "SECRET"


def fail() -> str:
    raise LookupError(f"https://example.org/?key={KEY}")


@pytest.mark.parametrize(
    "answer", [fail, lambda: None, lambda: f"ftp://example.org/?key={KEY}", lambda: ("a",)]
)
async def test_a_function_that_gives_no_url_costs_the_attempt(answer: Any, caplog: pytest.LogCaptureFixture):
    caplog.set_level("DEBUG")
    harness = ServiceHarness(url=answer)
    connecting = await harness.begin()
    reason = harness.service.state.reason
    assert reason is not None
    assert (harness.status, harness.platform.sockets) == ("waiting", [])
    assert reason.words.startswith("no URL could be had (")
    assert KEY not in caplog.text + repr(reason)
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting
    harness.assert_nothing_is_left()


async def test_subprotocols_are_offered():
    platform = FakePlatform()
    connection = connect("ws://example.org", protocols=["graphql-transport-ws"], platform=platform)
    connecting = asyncio.create_task(connection.connect())
    await platform.settle()
    assert platform.socket.protocols == ("graphql-transport-ws",)
    connection.disconnect()
    with pytest.raises(Disconnected):
        await connecting


@pytest.mark.parametrize("protocols", ["v1", [1]])
def test_subprotocols_that_are_no_texts_are_refused(protocols: Any):
    with pytest.raises(ConfigurationError, match="protocols: must be a list of texts"):
        _ = connect("ws://example.org", protocols=protocols, platform=FakePlatform())


async def test_awaiting_a_connection_connects_and_gives_it():
    platform = FakePlatform()

    async def begin() -> Any:
        return await connect("ws://example.org", codec=TEXT, platform=platform)

    beginning = asyncio.create_task(begin())
    await platform.settle()
    platform.socket.accept()
    connection = await beginning
    assert connection.is_connected()
    connection.disconnect()


async def test_a_connection_that_was_not_begun_does_nothing():
    platform = FakePlatform()
    _ = connect("ws://example.org", codec=JSON, platform=platform)
    await platform.advance(100)
    assert (platform.sockets, platform.watchers) == ([], [])


async def test_waiting_goes_on_when_exhausted_as_the_connection_does(caplog: pytest.LogCaptureFixture):
    harness = ServiceHarness()
    connecting = await harness.begin()
    await harness.exhaust()
    assert "exhausted: the server cannot be reached. Is the server running" in caplog.text
    await harness.platform.advance(15)
    assert not connecting.done()
    await harness.serve()
    await connecting
    harness.service.disconnect()
