"""A program on Channels against the fake server: catching up, pages, a replaced history, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from kizuna import KIZUNA, WebSocketService, connect
from kizuna.delivery import Channel, Channels, Delivered, Hole, Item, Reset, Start
from kizuna.testing import FakeChannelServer, FakePlatform

URL = "wss://example.org/ws"


def make(server: FakeChannelServer, **options: Any) -> tuple[FakePlatform, WebSocketService[Any], Channels]:
    """A client of this server, and the platform that it runs on."""
    platform = FakePlatform(server)
    connection = connect(URL, wire=KIZUNA, platform=platform, **options)
    return platform, connection, Channels(connection)


async def take(channel: Channel, count: int) -> list[Delivered]:
    """The next changes of a channel."""
    return [await anext(channel) for _ in range(count)]


def seqs(got: list[Delivered]) -> list[Any]:
    """Numbers of items; other changes as their types."""
    return [each.seq if isinstance(each, Item) else type(each) for each in got]


async def test_a_message_is_stored_once_and_comes_back():
    server = FakeChannelServer()
    platform, connection, channels = make(server)
    orders = channels.open("orders")
    receipt = await orders.send({"sku": 7})
    await platform.connected(connection)
    assert await receipt.stored() == 1
    item = await anext(orders)
    assert isinstance(item, Item)
    assert (item.data, item.client_message_id) == ({"sku": 7}, receipt.id)


async def test_what_others_send_during_an_outage_is_caught_up():
    server = FakeChannelServer(page=2)
    platform, connection, channels = make(server)
    orders = channels.open("orders", at=Start.BEGINNING)
    await platform.connected(connection)
    server.put("orders", {"sku": 1})
    server.go_down()
    for sku in range(2, 7):
        server.put("orders", {"sku": sku})
    server.come_up()
    await platform.connected(connection)
    await platform.advance(1)
    assert seqs(await take(orders, 6)) == [1, 2, 3, 4, 5, 6]


async def test_a_lost_item_is_found_by_a_pong():
    server = FakeChannelServer()
    platform, connection, channels = make(server)
    orders = channels.open("orders")
    await platform.connected(connection)
    server.stored("orders", "lost", {"sku": 1})
    await platform.advance(35)
    assert seqs(await take(orders, 1)) == [1]


async def test_a_replaced_history_is_a_reset():
    server = FakeChannelServer()
    platform, connection, channels = make(server)
    orders = channels.open("orders")
    await platform.connected(connection)
    server.put("orders", {"sku": 1})
    server.put("orders", {"sku": 2})
    server.replace_history("orders", keep=1)
    server.drop_all()
    await platform.advance(2)
    await platform.connected(connection)
    assert seqs(await take(orders, 4)) == [1, 2, Reset, 1]


async def test_a_gap_that_is_too_large_is_filled_by_history():
    server = FakeChannelServer(page=2, gap=3)
    platform, connection, channels = make(server)
    orders = channels.open("orders")
    await platform.connected(connection)
    server.put("orders", {"sku": 1})
    server.go_down()
    for sku in range(2, 8):
        server.put("orders", {"sku": sku})
    server.come_up()
    await platform.connected(connection)
    assert seqs(await take(orders, 4)) == [1, Hole, 6, 7]
    page = await orders.history(before=6, limit=50)
    assert (seqs([*page.items]), page.complete) == ([4, 5], False)
    page = await orders.history(before=3)
    assert (seqs([*page.items]), page.complete) == ([1, 2], True)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ([], "malformed_frame"),
        ({"action": "join", "roomId": "orders", "ref": "r"}, "hello_first"),
        ({"action": "history", "roomId": "orders", "before": "x", "ref": "r"}, "invalid_field"),
        ({"action": "dance"}, "unknown_frame"),
    ],
)
async def test_a_frame_that_cannot_be_handled_is_an_error(frame: Any, code: str):
    server = FakeChannelServer()
    platform = FakePlatform(server)
    connection = connect(URL, platform=platform)
    await platform.connected(connection)
    if code == "invalid_field":
        connection.send_message("hello", {"v": 1})
    got: list[Any] = []
    connection.on_message(got.append)
    connection.send(frame)
    await platform.settle()
    assert got[-1]["code"] == code
