"""Channels tell listeners of each state of each message, also of those of an earlier page."""

from __future__ import annotations

import asyncio
from typing import Any

from kizuna.delivery import MemoryStorage, Receipt, SendState
from kizuna.testing import MemoryLocks
from tests.kizuna.delivery.channel_harness import ChannelHarness, ack, batch


async def test_a_listener_hears_of_each_state_of_each_message() -> None:
    harness = ChannelHarness()
    channel = harness.channels.open("orders")
    heard: list[object] = []
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))

    def broken(receipt: Receipt) -> None:
        raise LookupError

    harness.channels.on_progress(broken)
    unsubscribe = harness.channels.on_progress(
        lambda receipt: heard.append((receipt.state, receipt in channel.waiting))
    )
    await harness.connect(orders=batch(0))
    receipt = await channel.send({"sku": 7})
    await harness.platform.settle()
    await harness.receive(ack(receipt.id, 1))
    assert heard == [(SendState.QUEUED, True), (SendState.SENDING, True), (None, False)]
    (await channel.send({"sku": 8})).discard()
    assert heard[3:] == [(SendState.QUEUED, True), (SendState.QUEUED, False)]
    unsubscribe()
    await channel.send({"sku": 9})
    assert len(heard) == 5
    assert {type(context["exception"]) for context in errors} == {LookupError}
    harness.end()


async def test_a_listener_hears_of_messages_that_an_earlier_page_left() -> None:
    storage, held = MemoryStorage(), dict[str, object]()
    first = ChannelHarness(storage, locks := MemoryLocks(held))
    orders = first.channels.open("orders")
    for sku in (7, 8):
        await orders.send({"sku": sku})
    locks.end()  # it crashed
    second = ChannelHarness(storage, MemoryLocks(held))
    channel = second.channels.open("orders")
    found: list[object] = []
    second.channels.on_progress(lambda receipt: found.append((receipt.data, len(channel.waiting))))
    await second.platform.settle()
    assert found == [({"sku": 7}, 2), ({"sku": 8}, 2)]
    first.end()
    second.end()
