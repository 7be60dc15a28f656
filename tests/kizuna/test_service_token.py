"""Tokens: one for every attempt, from providers of every kind, never in a log or an error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kizuna.errors import Disconnected, Rejected, TryLater, Unauthorized
from tests.kizuna.service_harness import URL, ServiceHarness


async def test_without_a_provider_the_url_is_taken_as_it_is():
    harness = ServiceHarness()
    await harness.connect()
    assert harness.socket.url == URL


async def test_a_provider_is_asked_for_every_attempt_and_its_newest_token_used():
    tokens = iter("abcdef")
    harness = ServiceHarness(lambda: next(tokens))
    connecting = await harness.begin()
    for _ in range(2):
        harness.socket.drop()
        await harness.platform.advance(2)
    assert [socket.url[-7:] for socket in harness.platform.sockets] == ["token=a", "token=b", "token=c"]
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


async def test_a_provider_may_be_async():
    async def provider() -> str:
        await asyncio.sleep(0)
        return "später&mehr=?"

    harness = ServiceHarness(provider)
    await harness.connect()
    assert harness.socket.url == URL + "?token=sp%C3%A4ter%26mehr%3D%3F"


async def test_a_provider_may_hand_out_a_future_or_nothing():
    harness = ServiceHarness(lambda: asyncio.ensure_future(asyncio.sleep(0, None)))
    await harness.connect()
    assert harness.socket.url == URL


async def test_a_url_with_a_query_keeps_it():
    harness = ServiceHarness(lambda: "t", url=f"{URL}?harness=prod")
    await harness.connect()
    assert harness.socket.url.endswith("/prod?harness=prod&token=t")


def raising(error: Exception) -> list[Any]:
    def plain() -> str:
        raise error

    async def later() -> str:
        await asyncio.sleep(0)
        raise error

    return [plain, later]


@pytest.mark.parametrize("provider", raising(KeyError("https://id.example.org/?refresh=SECRET")))
async def test_a_provider_that_raises_costs_the_attempt_and_its_words_go_nowhere(
    provider: Any, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG, logger="kizuna")
    harness = ServiceHarness(provider)
    connecting = await harness.begin()
    assert harness.status == "waiting"
    assert harness.platform.sockets == []
    assert harness.service.state.reason is not None
    assert harness.service.state.reason.words == "no token could be fetched (KeyError)"
    assert "KeyError" in caplog.text
    assert "SECRET" not in caplog.text + repr(harness.service.state)
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


@pytest.mark.parametrize(
    "provider", raising(ConnectionRefusedError("https://id.example.org/?refresh=SECRET"))
)
async def test_a_provider_that_cannot_be_reached_says_that_the_server_cannot(provider: Any):
    harness = ServiceHarness(provider)
    connecting = await harness.begin()
    assert harness.status == "waiting"
    assert harness.service.state.reason is not None
    assert harness.service.state.reason.kind == "unreachable"
    assert "SECRET" not in repr(harness.service.state)
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


@pytest.mark.parametrize("provider", raising(Unauthorized("no")))
async def test_a_provider_that_is_unauthorized_ends_it_all(provider: Any):
    harness = ServiceHarness(provider)
    connecting = await harness.begin()
    assert harness.status == "rejected"
    with pytest.raises(Rejected, match="refused a token"):
        await connecting
    await harness.platform.advance(1000)
    assert harness.platform.sockets == []


@pytest.mark.parametrize("provider", raising(TryLater("busy", 20)))
async def test_a_provider_that_asks_for_time_is_asked_again_after_it(provider: Any):
    harness = ServiceHarness(provider, jitter=0)
    connecting = await harness.begin()
    state = harness.service.state
    assert state.status == "waiting"
    assert state.retry_at is not None
    assert state.retry_at - harness.platform.now().monotonic >= 20
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), "20", None])
async def test_a_time_that_is_no_number_is_an_ordinary_failure(seconds: Any):
    harness = ServiceHarness(raising(TryLater("busy", seconds))[0], jitter=0)
    connecting = await harness.begin()
    assert harness.service.state.retry_at == harness.platform.now().monotonic + 1
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


@pytest.mark.parametrize("token", [b"bytes", 7, ["t"], "\ud800"])
async def test_a_token_that_is_no_text_costs_the_attempt(token: Any):
    harness = ServiceHarness(lambda: token)
    connecting = await harness.begin()
    assert harness.status == "waiting"
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


async def test_a_slow_token_runs_into_the_deadline_of_the_attempt():
    gate = asyncio.Event()

    async def provider() -> str:
        await gate.wait()
        return "late"

    harness = ServiceHarness(provider)
    connecting = await harness.begin()
    await harness.platform.advance(10)
    assert harness.status == "waiting"
    gate.set()
    await harness.platform.settle()
    assert harness.platform.sockets == []
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


Meanwhile = Callable[[ServiceHarness], None]


@pytest.mark.parametrize(
    "meanwhile",
    [lambda harness: harness.service.disconnect(), lambda harness: harness.platform.suspend()],
    ids=["disconnect", "suspend"],
)
@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_token_that_comes_after_the_end_opens_no_socket(meanwhile: Meanwhile, stubborn: bool):
    gate = asyncio.Event()

    async def provider() -> str:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            if not stubborn:
                raise
        return "late"

    harness = ServiceHarness(provider)
    connecting = await harness.begin()
    meanwhile(harness)
    gate.set()
    await harness.platform.settle()
    assert harness.platform.sockets == []
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting
    harness.assert_nothing_is_left()


async def test_a_provider_that_is_cancelled_before_it_began_warns_of_nothing():
    async def provider() -> str:
        raise AssertionError("not reached")

    harness = ServiceHarness(provider)
    connecting = asyncio.create_task(harness.service.connect())
    await asyncio.sleep(0)  # connect() has run, the provider's task has not
    assert harness.status == "connecting"
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting
    await harness.platform.settle()
    harness.assert_nothing_is_left()


async def test_a_provider_may_disconnect():
    def provider() -> str:
        harness.service.disconnect()
        return "t"

    harness = ServiceHarness(provider)
    with pytest.raises(Disconnected):
        await harness.service.connect()
    assert harness.platform.sockets == []
    harness.assert_nothing_is_left()


@pytest.mark.parametrize("error", [ValueError, OSError, RuntimeError])
async def test_socket_that_cannot_open_fails_the_attempt_without_leaking_the_token(
    error: Callable[[str], Exception], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    def refuse(url: str, listener: object) -> None:
        raise error(url)

    caplog.set_level(logging.DEBUG, logger="kizuna")
    harness = ServiceHarness(lambda: "SECRET")
    monkeypatch.setattr(harness.platform, "open_socket", refuse)
    connecting = await harness.begin()
    assert harness.status == "waiting"
    assert "SECRET" not in caplog.text + repr(harness.service.state)
    monkeypatch.undo()
    await harness.platform.advance(1)
    await harness.serve()
    await connecting


async def test_a_token_is_nowhere_to_be_seen(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    provider: Callable[[], Awaitable[str]] = lambda: asyncio.sleep(0, "SECRET")  # noqa: E731
    harness = ServiceHarness(provider)
    seen: list[str] = []
    harness.service.subscribe(lambda state: state, lambda state: seen.append(repr(state)))
    await harness.connect()
    for code in (1006, 4401, 1013):
        harness.socket.drop(code)
        await harness.platform.advance(1)
        harness.service.try_now()
        await harness.platform.settle()
        await harness.serve()
    harness.socket.receive("{nonsense")
    harness.socket.drop(1008)
    assert harness.status == "rejected"
    assert "SECRET" in harness.socket.url
    assert "SECRET" not in caplog.text + "".join(seen) + repr(harness.service)
