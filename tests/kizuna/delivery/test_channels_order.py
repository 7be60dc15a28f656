"""Channels when things happen in an unusual order: each item once, each message kept, and no wait without an end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.kizuna.delivery.channel_harness import ChannelHarness, batch, item
from tests.kizuna.delivery.test_channels import seqs


@pytest.fixture
async def harness() -> AsyncIterator[ChannelHarness]:
    harness = ChannelHarness()
    yield harness
    harness.end()


# --- reading ---


async def test_a_late_item_of_a_replaced_history_repeats_nothing(harness: ChannelHarness) -> None:
    got = harness.read(harness.channels.open("orders"))
    await harness.connect(orders=batch(2, item(1), item(2)))
    newest = batch(2, item(1, epoch="f"), item(2, epoch="f"), epoch="f")
    await harness.reconnect(orders=newest)
    await harness.receive(item(3))
    await harness.platform.advance(0.3)
    (sync,) = harness.sent("sync")
    await harness.receive({**newest, "ref": sync["ref"]}, item(3, epoch="f"))
    assert seqs(got) == [1, 2, "Reset", 1, 2, 3]


async def test_a_shorter_history_of_the_same_epoch_is_delivered_as_it_grows(
    harness: ChannelHarness,
) -> None:
    got = harness.read(harness.channels.open("orders"))
    await harness.connect(orders=batch(2, item(1), item(2)))
    await harness.receive(item(1, epoch="f"))
    await harness.platform.advance(0.3)
    (sync,) = harness.sent("sync")
    await harness.receive(batch(1, item(1), ref=sync["ref"]), item(2))
    assert seqs(got) == [1, 2, 1, 2]
