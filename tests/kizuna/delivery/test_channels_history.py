"""A channel's earlier items, page by page."""

from __future__ import annotations

import asyncio

import pytest

from kizuna import NotConnected
from kizuna.delivery import Position
from tests.kizuna.delivery.channel_harness import ChannelHarness, batch, item


async def test_earlier_items_come_page_by_page(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    assert await channel.history() == ((), False)
    await harness.connect(orders=batch(9, item(8), item(9), limited=True))
    asking = asyncio.create_task(channel.history(limit=2))
    await harness.platform.advance(6)
    for question in harness.sent("history"):
        assert question["before"] == 8
    await harness.receive(batch(9, item(6), item(7), complete=False, ref=harness.sent("history")[-1]["ref"]))
    page = await asking
    assert ([each.seq for each in page.items], page.complete) == ([6, 7], False)
    asking = asyncio.create_task(channel.history())
    await harness.platform.settle()
    assert harness.sent("history")[-1]["before"] == 6
    await harness.receive(batch(9, item(1), ref=harness.sent("history")[-1]["ref"]))
    assert [each.seq for each in (await asking).items] == [1]
    assert await channel.history() == ((), True)
    assert await channel.history(before=1) == ((), True)


async def test_a_history_without_an_answer_fails_after_some_tries(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    await harness.connect(orders=batch(9, item(9), limited=True))
    asking = asyncio.create_task(channel.history())
    for _ in range(4):
        await harness.platform.advance(5)
        await harness.receive({"type": "pong"})
    with pytest.raises(TimeoutError):
        await asking
    asking = asyncio.create_task(channel.history())
    await harness.platform.settle()
    await harness.receive({"type": "news", "ref": harness.sent("history")[-1]["ref"]})
    with pytest.raises(ValueError, match="must be a batch"):
        await asking


async def test_history_goes_on_from_a_page_that_began_meanwhile(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    await harness.connect(orders=batch(9, item(8), item(9), limited=True))
    asking = asyncio.create_task(channel.history())
    await harness.platform.settle()
    await harness.receive(item(12))
    await harness.platform.advance(0.3)
    await harness.receive(batch(900, item(900), limited=True, ref=harness.sent("sync")[0]["ref"]))
    await harness.receive(batch(900, item(6), item(7), ref=harness.sent("history")[0]["ref"]))
    assert [each.seq for each in (await asking).items] == [6, 7]
    asking = asyncio.create_task(channel.history())
    await harness.platform.settle()
    assert harness.sent("history")[-1]["before"] == 900
    harness.channels.close()
    with pytest.raises(NotConnected):
        await asking


async def test_history_of_an_empty_channel_is_complete(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    await harness.connect(orders=batch(0))
    assert await channel.history() == ((), True)


async def test_history_begins_at_the_position_while_nothing_new_has_come(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders", Position("e", 9))
    await harness.connect(orders=batch(9))
    asking = asyncio.create_task(channel.history())
    await harness.platform.settle()
    (question,) = harness.sent("history")
    assert question["before"] == 10
    await harness.receive(batch(9, item(9), complete=False, ref=question["ref"]))
    assert [each.seq for each in (await asking).items] == [9]


async def test_a_page_of_another_history_is_not_mixed_in(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    await harness.connect(orders=batch(9, item(8), item(9), limited=True))
    asking = asyncio.create_task(channel.history())
    await harness.platform.settle()
    (question,) = harness.sent("history")
    await harness.receive(batch(5, item(1, epoch="f"), epoch="f", ref=question["ref"]))
    assert await asking == ((), False)
    asking = asyncio.create_task(channel.history())
    await harness.platform.settle()
    assert harness.sent("history")[-1]["before"] == 8
    asking.cancel()
