"""What the text of docs/library/ says and no program in it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import kizuna
from kizuna import LinkHandle, Rejected, WebSocketService
from tests.docs.conftest import FakePage


async def test_the_first_minute_without_a_server_is_as_the_questions_say(page: FakePage):
    connection = kizuna.connect("/ws")
    await page.connect(connection)
    begun = page.now().monotonic
    while connection.state.status != "exhausted":
        page.socket.drop()
        await page.advance(0.5)
    assert len(page.sockets) == 6
    assert page.now().monotonic - begun == pytest.approx(31, abs=1)
    await page.advance(31)
    assert len(page.sockets) == 7


async def test_a_pong_that_never_comes_costs_the_link_after_15_s(page: FakePage):
    connection = kizuna.connect("/ws", wire=kizuna.Wire(ping="ping", pong="pong"), codec=kizuna.TEXT)
    await page.connect(connection)
    await page.serve()
    await page.advance(14)
    assert len(page.live_sockets) == 1
    assert connection.state.status == "suspect"
    await page.advance(2)
    assert connection.state.status == "connecting"


WIRE = kizuna.Wire(ping={"op": "ping"}, pong={"op": "pong"})


async def silent_after_pongs(page: FakePage, wire: kizuna.Wire) -> WebSocketService[Any]:
    """A connection whose server has answered its pings for a minute, and is silent from now on."""
    connection = kizuna.connect("/ws", wire=wire)
    await page.connect(connection)
    await page.serve()
    for _ in range(60):
        await page.advance(1)
        page.socket.receive({"op": "pong"})
    await page.settle()
    assert (len(page.sockets), connection.state.status) == (1, "connected")
    return connection


async def test_a_half_open_connection_is_noticed_within_45_s(page: FakePage):
    connection = await silent_after_pongs(page, WIRE)
    silent_since = page.now().monotonic
    while connection.state.status != "connecting":
        await page.advance(1)
    assert page.now().monotonic - silent_since <= 45


@pytest.mark.parametrize("event", [FakePage.show, FakePage.change_network])
async def test_a_half_open_connection_is_noticed_within_5_s_of_coming_back(
    event: Callable[[FakePage], None], page: FakePage
):
    connection = await silent_after_pongs(page, WIRE)
    page.hide()
    await page.advance(1)
    event(page)
    await page.advance(5)
    assert connection.state.status == "connecting"


async def test_a_preparation_may_wait_for_an_answer(page: FakePage):
    connection = kizuna.connect("/ws")
    answered = asyncio.Event()
    connection.on_message(lambda frame: answered.set())

    async def ask(link: LinkHandle[Any]) -> None:
        link.send("who am I?")
        await answered.wait()

    connection.before_connected(ask)
    await page.connect(connection)
    await page.serve()
    assert connection.state.status == "connecting"
    page.socket.receive('"Ada"')
    await page.settle()
    assert connection.state.status == "connected"


async def test_on_plain_an_hour_of_silence_is_not_noticed(page: FakePage):
    connection = await silent_after_pongs(page, kizuna.PLAIN)
    await page.advance(3600)
    assert (connection.state.status, len(page.sockets)) == ("connected", 1)


async def test_a_page_that_comes_back_from_exhausted_tries_quickly(page: FakePage):
    connection = kizuna.connect("/ws")
    await page.connect(connection)
    while connection.state.status != "exhausted":
        page.socket.drop()
        await page.advance(1)
    page.hide()
    page.show()
    await page.settle()
    assert connection.state.status == "connecting"


async def test_a_second_refusal_of_the_token_is_final(page: FakePage):
    connection = kizuna.connect("/ws", get_access_token=lambda: "t")
    await page.connect(connection)
    await page.serve()
    page.socket.drop(4401)
    await page.advance(2)
    await page.serve()
    page.socket.drop(4401)
    with pytest.raises(Rejected):
        await asyncio.wait_for(anext(connection.frames()), 10)
