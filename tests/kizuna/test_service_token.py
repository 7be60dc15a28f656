"""Tokens: one for every attempt, from providers of every kind, and never to be seen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kizuna.errors import Disconnected, Rejected, TryLater, Unauthorized
from tests.kizuna.stage import URL, Stage


async def test_without_a_provider_the_url_is_taken_as_it_is():
    stage = Stage()
    await stage.connect()
    assert stage.socket.url == URL


async def test_a_provider_is_asked_for_every_attempt_and_its_newest_token_used():
    tokens = iter("abcdef")
    stage = Stage(lambda: next(tokens))
    connecting = await stage.begin()
    for _ in range(2):
        stage.socket.drop()
        await stage.platform.advance(2)
    assert [socket.url[-7:] for socket in stage.platform.sockets] == ["token=a", "token=b", "token=c"]
    stage.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


async def test_a_provider_may_be_async():
    async def provider() -> str:
        await asyncio.sleep(0)
        return "später&mehr=?"

    stage = Stage(provider)
    await stage.connect()
    assert stage.socket.url == URL + "?token=sp%C3%A4ter%26mehr%3D%3F"


async def test_a_provider_may_hand_out_a_future_or_nothing():
    stage = Stage(lambda: asyncio.ensure_future(asyncio.sleep(0, None)))
    await stage.connect()
    assert stage.socket.url == URL


async def test_a_url_with_a_query_keeps_it():
    stage = Stage(lambda: "t")
    stage.service._url += "?stage=prod"
    await stage.connect()
    assert stage.socket.url.endswith("/prod?stage=prod&token=t")


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
    stage = Stage(provider)
    connecting = await stage.begin()
    assert stage.status == "waiting"
    assert stage.platform.sockets == []
    assert stage.service.state.reason is not None
    assert stage.service.state.reason.words == "no token could be fetched (KeyError)"
    assert "KeyError" in caplog.text
    assert "SECRET" not in caplog.text + repr(stage.service.state)
    stage.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


@pytest.mark.parametrize(
    "provider", raising(ConnectionRefusedError("https://id.example.org/?refresh=SECRET"))
)
async def test_a_provider_that_cannot_be_reached_says_that_the_server_cannot(provider: Any):
    stage = Stage(provider)
    connecting = await stage.begin()
    assert stage.status == "waiting"
    assert stage.service.state.reason is not None
    assert stage.service.state.reason.kind == "unreachable"
    assert "SECRET" not in repr(stage.service.state)
    stage.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


@pytest.mark.parametrize("provider", raising(Unauthorized("no")))
async def test_a_provider_that_is_unauthorized_ends_it_all(provider: Any):
    stage = Stage(provider)
    connecting = await stage.begin()
    assert stage.status == "rejected"
    with pytest.raises(Rejected, match="refused a token"):
        await connecting
    await stage.platform.advance(1000)
    assert stage.platform.sockets == []


@pytest.mark.parametrize("provider", raising(TryLater("busy", 20)))
async def test_a_provider_that_asks_for_time_is_asked_again_after_it(provider: Any):
    stage = Stage(provider, jitter=0)
    connecting = await stage.begin()
    state = stage.service.state
    assert state.status == "waiting"
    assert state.retry_at is not None
    assert state.retry_at - stage.platform.now().monotonic >= 20
    stage.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), "20", None])
async def test_a_time_that_is_no_number_is_an_ordinary_failure(seconds: Any):
    stage = Stage(raising(TryLater("busy", seconds))[0], jitter=0)
    connecting = await stage.begin()
    assert stage.service.state.retry_at == stage.platform.now().monotonic + 1
    stage.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


@pytest.mark.parametrize("token", [b"bytes", 7, ["t"], "\ud800"])
async def test_a_token_that_is_no_text_costs_the_attempt(token: Any):
    stage = Stage(lambda: token)
    connecting = await stage.begin()
    assert stage.status == "waiting"
    stage.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


async def test_a_slow_token_runs_into_the_deadline_of_the_attempt():
    gate = asyncio.Event()

    async def provider() -> str:
        await gate.wait()
        return "late"

    stage = Stage(provider)
    connecting = await stage.begin()
    await stage.platform.advance(10)
    assert stage.status == "waiting"
    gate.set()
    await stage.platform.settle()
    assert stage.platform.sockets == []
    stage.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


Meanwhile = Callable[[Stage], None]


@pytest.mark.parametrize(
    "meanwhile",
    [lambda stage: stage.service.disconnect(), lambda stage: stage.platform.suspend()],
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

    stage = Stage(provider)
    connecting = await stage.begin()
    meanwhile(stage)
    gate.set()
    await stage.platform.settle()
    assert stage.platform.sockets == []
    stage.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting
    stage.assert_nothing_is_left()


async def test_a_provider_that_is_cancelled_before_it_began_warns_of_nothing():
    async def provider() -> str:
        raise AssertionError("not reached")

    stage = Stage(provider)
    connecting = asyncio.create_task(stage.service.connect())
    await asyncio.sleep(0)  # connect() has run, the provider's task has not
    assert stage.status == "connecting"
    stage.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting
    await stage.platform.settle()
    stage.assert_nothing_is_left()


async def test_a_provider_may_disconnect():
    def provider() -> str:
        stage.service.disconnect()
        return "t"

    stage = Stage(provider)
    with pytest.raises(Disconnected):
        await stage.service.connect()
    assert stage.platform.sockets == []
    stage.assert_nothing_is_left()


@pytest.mark.parametrize("error", [ValueError, OSError, RuntimeError])
async def test_a_platform_that_opens_no_socket_costs_the_attempt_and_tells_no_token(
    error: Callable[[str], Exception], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    def refuse(url: str, listener: object) -> None:
        raise error(url)

    caplog.set_level(logging.DEBUG, logger="kizuna")
    stage = Stage(lambda: "SECRET")
    monkeypatch.setattr(stage.platform, "open_socket", refuse)
    connecting = await stage.begin()
    assert stage.status == "waiting"
    assert "SECRET" not in caplog.text + repr(stage.service.state)
    monkeypatch.undo()
    await stage.platform.advance(1)
    await stage.serve()
    await connecting


async def test_a_token_is_nowhere_to_be_seen(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    provider: Callable[[], Awaitable[str]] = lambda: asyncio.sleep(0, "SECRET")  # noqa: E731
    stage = Stage(provider)
    seen: list[str] = []
    stage.service.subscribe(lambda state: state, lambda state: seen.append(repr(state)))
    await stage.connect()
    for code in (1006, 4401, 1013):
        stage.socket.drop(code)
        await stage.platform.advance(1)
        stage.service.try_now()
        await stage.platform.settle()
        await stage.serve()
    stage.socket.receive("{nonsense")
    stage.socket.drop(1008)
    assert stage.status == "rejected"
    assert "SECRET" in stage.socket.url
    assert "SECRET" not in caplog.text + "".join(seen) + repr(stage.service)
