"""A request that is repeated is answered twice; the later answer says nothing about the request that is open then."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kizuna.delivery import Item, Start
from kizuna.delivery.requests import REQUEST_TIMEOUT
from tests.kizuna.delivery.channel_harness import ChannelHarness, batch, item


@pytest.fixture
async def harness() -> AsyncIterator[ChannelHarness]:
    harness = ChannelHarness()
    yield harness
    harness.end()


async def test_a_second_answer_to_a_sync_ends_no_link(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders", at=Start.BEGINNING)
    got = harness.read(channel)
    await harness.connect(orders=batch(3, item(1), complete=False))
    await harness.platform.advance(REQUEST_TIMEOUT)
    first, again = harness.sent("sync")
    assert first == again
    for _ in range(2):
        await harness.receive(batch(3, item(2), complete=False, ref=first["ref"]))
    (last,) = harness.sent("sync")[2:]
    assert last["after"] == 2
    assert not harness.connection.is_connected()
    await harness.receive(batch(3, item(3), ref=last["ref"]))
    assert harness.connection.is_connected()
    assert channel.is_live
    assert [each.seq for each in got if isinstance(each, Item)] == [1, 2, 3]
    assert len(harness.platform.sockets) == 1


async def test_a_late_answer_that_shows_a_gap_is_followed_by_a_sync(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders", at=Start.BEGINNING)
    await harness.connect(orders=batch(1, item(1)))
    assert channel.is_live
    await harness.receive(batch(3, item(1), complete=False, ref="given up before"))
    await harness.platform.advance(1)
    assert [frame["after"] for frame in harness.sent("sync")] == [1]
    assert channel.is_live


async def test_an_answer_that_brings_nothing_gives_the_channel_up(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    await harness.connect(orders=batch(1, item(1)))
    await harness.receive(item(3))
    await harness.platform.advance(0.3)
    (sync,) = harness.sent("sync")
    await harness.receive(batch(3, complete=False, ref=sync["ref"]))
    assert not channel.is_live
