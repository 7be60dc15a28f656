"""Channels for an application: each item once and in order, and what became of each message sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from kizuna import PLAIN, NotConnected, Rejected
from kizuna.delivery import (
    Channels,
    Delivered,
    Discarded,
    Hole,
    Item,
    MemoryStorage,
    OutboxFull,
    Position,
    Refused,
    Reset,
    SendState,
    Start,
    TakenOver,
    TooOld,
    Unconfirmed,
)
from kizuna.testing import MemoryLocks, MemoryStorage as BreakableStorage
from tests.kizuna.delivery.channel_harness import ChannelHarness, ack, batch, item

WEEK = 7 * 24 * 3600.0


def seqs(got: Sequence[Delivered]) -> list[object]:
    """Numbers of items; other changes as they are."""
    return [each.seq if isinstance(each, Item) else type(each).__name__ for each in got]


# --- reading ---


async def test_a_loop_gets_each_item_once_and_in_order(harness: ChannelHarness) -> None:
    got = harness.read(harness.channels.open("orders"))
    await harness.connect(orders=batch(2, item(1), item(2)))
    await harness.receive(item(4), item(2), item(3), item(4))
    assert seqs(got) == [1, 2, 3, 4]
    first = got[0]
    assert isinstance(first, Item)
    assert (first.data, first.id, first.client_message_id) == ({"sku": 1}, "m1", "theirs-1")


async def test_changes_wait_for_the_first_loop_and_for_later_ones(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    await harness.connect(orders=batch(2, item(1), item(2)))
    async for change in channel:
        assert seqs([change]) == [1]
        break
    assert seqs(await take(channel, 1)) == [2]


async def take(channel: Any, count: int) -> list[Delivered]:
    got = []
    async for change in channel:
        got.append(change)
        if len(got) == count:
            break
    return got


async def test_two_loops_at_a_time_are_refused(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    harness.read(channel)
    await harness.platform.settle()
    with pytest.raises(RuntimeError, match="two loops"):
        await take(channel, 1)


async def test_what_was_sent_during_an_outage_is_caught_up(harness: ChannelHarness) -> None:
    got = harness.read(harness.channels.open("orders"))
    await harness.connect(orders=batch(1, item(1)))
    await harness.reconnect(orders=batch(3, item(2), item(3)))
    assert harness.sent("hello")[-1]["rooms"] == [{"roomId": "orders", "after": 1, "epoch": "e"}]
    assert seqs(got) == [1, 2, 3]


async def test_a_gap_is_requested_after_a_moment(harness: ChannelHarness) -> None:
    got = harness.read(harness.channels.open("orders"))
    await harness.connect(orders=batch(1, item(1)))
    await harness.receive(item(3))
    await harness.platform.advance(0.3)
    (sync,) = harness.sent("sync")
    await harness.receive(batch(3, item(2), item(3), ref=sync["ref"]))
    assert seqs(got) == [1, 2, 3]


async def test_a_replaced_history_is_a_reset(harness: ChannelHarness) -> None:
    got = harness.read(harness.channels.open("orders"))
    await harness.connect(orders=batch(2, item(1), item(2)))
    await harness.reconnect(orders=batch(1, item(1, epoch="restored"), epoch="restored"))
    assert seqs(got) == [1, 2, "Reset", 1]
    assert isinstance(got[2], Reset)


async def test_a_gap_that_is_too_large_is_a_hole(harness: ChannelHarness) -> None:
    got = harness.read(harness.channels.open("orders"))
    await harness.connect(orders=batch(1, item(1)))
    await harness.reconnect(orders=batch(900, item(900), limited=True))
    assert seqs(got) == [1, "Hole", 900]
    hole = got[1]
    assert isinstance(hole, Hole)
    assert (hole.after, hole.first) == (1, 900)


async def test_from_the_beginning_asks_for_the_first_item(harness: ChannelHarness) -> None:
    got = harness.read(harness.channels.open("orders", at=Start.BEGINNING))
    await harness.connect(orders=batch(2, item(1), complete=False))
    assert harness.sent("hello")[0]["rooms"] == [{"roomId": "orders", "after": 0, "epoch": None}]
    (sync,) = harness.sent("sync")
    await harness.receive(batch(2, item(2), ref=sync["ref"]))
    assert seqs(got) == [1, 2]


async def test_a_beginning_that_has_expired_is_a_hole(harness: ChannelHarness) -> None:
    got = harness.read(harness.channels.open("orders", at=Start.BEGINNING))
    await harness.connect(orders=batch(8, item(7), item(8), limited=True))
    assert seqs(got) == ["Hole", 7, 8]


async def test_a_saved_position_continues_there(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders", at=Position("e", 5))
    got = harness.read(channel)
    await harness.connect(orders=batch(6, item(6)))
    assert seqs(got) == [6]
    assert channel.position == Position("e", 6)


async def test_a_channel_without_any_frame_has_no_position(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    assert channel.position is None
    channel.close()
    assert channel.position is None


async def test_a_channel_is_live_once_it_has_caught_up(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    assert not channel.is_live
    await harness.connect(orders=batch(1, item(1)))
    assert channel.is_live
    harness.socket.drop()
    assert not channel.is_live


async def test_a_channel_opened_later_is_joined(harness: ChannelHarness) -> None:
    await harness.connect()
    channel = harness.channels.open("orders")
    assert harness.channels.open("orders") is channel
    got = harness.read(channel)
    (join,) = harness.sent("join")
    await harness.receive(batch(1, item(1), ref=join["ref"]))
    assert seqs(got) == [1]


async def test_a_closed_channel_is_left_and_its_loop_ends(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    harness.read(channel)
    await harness.connect(orders=batch(1, item(1)))
    channel.close()
    channel.close()
    await harness.receive(item(2))
    assert harness.loops[0].done()
    assert harness.sent("leave") == [{"action": "leave", "roomId": "orders"}]


async def test_a_refused_channel_raises_and_others_go_on(harness: ChannelHarness) -> None:
    secret, orders = harness.channels.open("secret"), harness.channels.open("orders")
    got = harness.read(orders)
    error = {"type": "error", "code": "forbidden", "message": "no", "roomId": "secret"}
    await harness.connect(secret=error, orders=batch(1, item(1)))
    with pytest.raises(Refused, match="forbidden: the server does not let this client into secret"):
        await take(secret, 1)
    assert seqs(got) == [1]


async def test_a_loop_ends_with_disconnect_and_raises_when_rejected(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    harness.read(channel)
    await harness.connect(orders=batch(0))
    harness.connection.disconnect()
    await harness.platform.settle()
    assert harness.loops[0].done()
    harness.connecting = asyncio.create_task(harness.connection.connect())
    await harness.platform.settle()
    harness.socket.accept()
    await harness.platform.settle()
    harness.socket.drop(1008, '{"reason": "banned", "reconnect": false}')
    await harness.platform.settle()
    with pytest.raises(Rejected):
        await harness.connecting
    with pytest.raises(Rejected):
        await take(channel, 1)


async def test_a_malformed_frame_is_reported_and_stops_nothing(
    harness: ChannelHarness, caplog: pytest.LogCaptureFixture
) -> None:
    got = harness.read(harness.channels.open("orders"))
    await harness.connect(orders=batch(0))
    for broken in (
        {**item(1), "seq": "1"},
        {**item(1), "seq": 0},
        {**item(1), "roomId": 7},
        {"type": "message"},
        {"type": "ack", "clientMessageId": "c", "roomId": "orders", "epoch": "e"},
        {"type": "batch", "roomId": "orders", "epoch": "e", "head": 1, "messages": [1], "complete": True},
        {"type": "batch", "roomId": "orders", "epoch": "e", "head": 1},
        {"type": "nack", "clientMessageId": "c", "code": "x", "retryAfter": True},
    ):
        await harness.receive(broken)
    assert caplog.text.count("a frame from the server was ignored") == 8
    harness.socket.receive("[1]")
    unnumbered = {**item(1), "seq": None, "epoch": None}
    await harness.receive(item(1), {"type": "news"}, {"type": "pong"}, batch(1, unnumbered))
    assert seqs(got) == [1]


async def test_a_lost_last_item_is_found_by_the_heads_of_a_pong(harness: ChannelHarness) -> None:
    harness.channels.open("orders")
    await harness.connect(orders=batch(1, item(1)))
    await harness.receive({"type": "pong", "heads": [{"roomId": "orders", "epoch": "e", "seq": 2}]})
    await harness.platform.advance(0.3)
    assert harness.sent("sync")[-1]["after"] == 1


async def test_a_candidate_link_catches_up_without_any_channel() -> None:
    harness = ChannelHarness(options={"rollover_after": 5.0})
    await harness.connect()
    await harness.receive({"type": "pong"})
    await harness.platform.advance(6)
    harness.socket.accept()
    await harness.answer_hello()
    await harness.platform.advance(6)
    first, second, *_ = harness.platform.sockets
    assert (first.closed_with, second.closed_with) == (1000, None)
    harness.end()


# --- sending ---


async def test_a_message_is_kept_sent_and_stored(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    await harness.connect(orders=batch(0))
    receipt = await channel.send({"sku": 7})
    assert receipt.state is SendState.QUEUED
    await harness.platform.settle()
    assert receipt.state is SendState.SENDING
    assert channel.waiting == (receipt,)
    sent = {"action": "sendMessage", "clientMessageId": receipt.id, "roomId": "orders", "sku": 7}
    assert harness.sent("sendMessage") == [sent]
    await harness.receive(ack(receipt.id, 1), ack(receipt.id, 1, duplicate=True))
    assert await receipt.stored() == 1
    assert receipt.state is None
    assert channel.waiting == ()


async def test_ones_own_item_comes_once_and_in_its_place(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    got = harness.read(channel)
    await harness.connect(orders=batch(1, item(1)))
    receipt = await channel.send({"sku": 7})
    await harness.platform.settle()
    await harness.receive(ack(receipt.id, 3), item(2), item(3, clientMessageId=receipt.id, sku=7))
    assert seqs(got) == [1, 2, 3]
    assert await receipt.stored() == 3


async def test_the_item_itself_says_that_it_is_stored(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    await harness.connect(orders=batch(0))
    receipt = await channel.send({"sku": 7})
    await harness.platform.settle()
    await harness.receive(item(1, clientMessageId=receipt.id))
    assert await receipt.stored() == 1


async def test_a_batch_says_that_a_message_is_stored(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    await harness.connect(orders=batch(0))
    receipt = await channel.send({"sku": 7})
    await harness.platform.settle()
    await harness.reconnect(orders=batch(1, item(1, clientMessageId=receipt.id)))
    assert await receipt.stored() == 1
    assert harness.sent("sendMessage") == []


async def test_a_message_sent_offline_goes_out_with_the_same_id(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    receipt = await channel.send({"sku": 7})
    await harness.connect(orders=batch(0))
    await harness.reconnect(orders=batch(0))
    assert [frame["clientMessageId"] for frame in harness.sent("sendMessage")] == [receipt.id]
    await harness.receive(ack(receipt.id, 1, room="of another time"))
    assert await receipt.stored() is None


async def test_a_refused_message_raises_and_can_be_sent_again(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    await harness.connect(orders=batch(0))
    receipt = await channel.send({"sku": 7})
    await harness.platform.settle()
    nack = {"type": "nack", "clientMessageId": receipt.id, "code": "sold_out", "message": "no more"}
    await harness.receive({**nack, "retryable": False})
    with pytest.raises(Refused, match="sold_out: no more"):
        await receipt.stored()
    assert (receipt.state, receipt.failure) == (SendState.FAILED, ("sold_out", "no more"))
    assert channel.waiting == (receipt,)
    receipt.retry()
    waiting = asyncio.create_task(receipt.stored())
    await harness.platform.settle()
    harness.socket.receive({**nack, "retryable": False})
    receipt.retry()  # before the one who waits has noticed
    await harness.platform.settle()
    assert not waiting.done()
    await harness.receive(ack(receipt.id, 1))
    assert await waiting == 1
    assert await receipt.stored() == 1


async def test_a_discarded_message_says_whether_it_may_have_arrived(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    receipt = await channel.send({"sku": 7})
    assert not receipt.discard()
    with pytest.raises(Discarded):
        await receipt.stored()
    await harness.connect(orders=batch(0))
    sent = await channel.send({"sku": 8})
    await harness.platform.settle()
    assert sent.discard()
    assert not sent.discard()


async def test_a_message_outlives_its_page(harness: ChannelHarness) -> None:
    storage, held = MemoryStorage(), dict[str, object]()
    first = ChannelHarness(storage, locks := MemoryLocks(held))
    await first.channels.open("orders").send({"sku": 7}, meta={"note": "blue"})
    locks.end()  # it crashed
    second = ChannelHarness(storage, MemoryLocks(held))
    channel = second.channels.open("orders")
    await second.connect(orders=batch(0))
    (receipt,) = channel.waiting
    assert (receipt.data, receipt.meta) == ({"sku": 7}, {"note": "blue"})
    await second.receive(ack(receipt.id, 1))
    assert await receipt.stored() == 1
    assert storage.tables["outbox"] == {}
    first.end()
    second.end()


async def test_another_tab_takes_over_what_a_suspended_one_left() -> None:
    storage, held = MemoryStorage(), dict[str, object]()
    first = ChannelHarness(storage, locks := MemoryLocks(held))
    channel = first.channels.open("orders")
    receipt = await channel.send({"sku": 7})
    locks.end()
    second = ChannelHarness(storage, MemoryLocks(held))
    second.channels.open("orders")
    await second.connect(orders=batch(0))
    await first.connect(orders=batch(0))
    with pytest.raises(TakenOver):
        await receipt.stored()
    assert first.sent("sendMessage") == []
    assert len(second.sent("sendMessage")) == 1
    assert channel.waiting == ()
    first.end()
    second.end()


async def test_a_link_that_breaks_while_a_message_is_claimed_takes_nothing_off() -> None:
    storage, locks = BreakableStorage(), MemoryLocks()
    harness = ChannelHarness(storage, locks)
    receipt = await harness.channels.open("orders").send({"sku": 7})
    storage.is_stuck = True
    await harness.connect(orders=batch(0))
    storage.tables["outbox"].clear()  # another tab has adopted it
    locks.interruptions = 1
    harness.socket.drop()
    storage.release()
    await harness.platform.settle()
    assert receipt.state is SendState.QUEUED
    await harness.platform.advance(2)
    harness.socket.accept()
    await harness.answer_hello(orders=batch(0))
    assert receipt.state is SendState.TAKEN_OVER
    harness.end()


async def test_a_message_of_last_week_is_too_old(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    receipt = await channel.send({"sku": 7})
    harness.platform.clock.sleep(WEEK)
    await harness.connect(orders=batch(0))
    with pytest.raises(TooOld):
        await receipt.stored()


async def test_a_failed_message_of_an_earlier_page_is_failed_here(harness: ChannelHarness) -> None:
    storage = MemoryStorage()
    first = ChannelHarness(storage)
    receipt = await first.channels.open("orders").send({"sku": 7})
    first.platform.clock.sleep(WEEK)
    await first.connect(orders=batch(0))
    assert receipt.failure is not None
    first.end()
    second = ChannelHarness(storage)
    await second.connect()
    (again,) = second.channels.open("orders").waiting
    with pytest.raises(TooOld):
        await again.stored()
    second.end()


async def test_without_acks_a_message_is_unconfirmed_when_the_link_breaks() -> None:
    harness = ChannelHarness(wire=PLAIN)
    channel = harness.channels.open("orders")
    got = harness.read(channel)
    harness.connecting = asyncio.create_task(harness.connection.connect())
    await harness.platform.settle()
    harness.socket.accept()
    lost, echoed = await channel.send({"sku": 7}), await channel.send({"sku": 8})
    await harness.platform.settle()
    harness.socket.drop()
    await harness.platform.settle()
    with pytest.raises(Unconfirmed):
        await lost.stored()
    await harness.platform.advance(2)
    harness.socket.accept()
    await harness.platform.settle()
    assert [frame["sku"] for frame in harness.socket.sent] == [8]
    echo = {"type": "message", "roomId": "orders", "clientMessageId": echoed.id, "sku": 8}
    await harness.receive(echo)
    assert await echoed.stored() is None
    assert seqs(got) == [None]
    harness.end()


async def test_what_json_cannot_carry_is_refused_at_once(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    with pytest.raises(ValueError, match="roomId: a key of wire KIZUNA itself"):
        await channel.send({"roomId": "x"})
    with pytest.raises(ValueError, match="not JSON"):
        await channel.send({"when": object()})
    with pytest.raises(ValueError):
        await channel.send({"x": float("nan")})
    assert channel.waiting == ()


async def test_a_full_outbox_refuses_the_next_message(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    for number in range(1_000):
        await channel.send({"sku": number})
    with pytest.raises(OutboxFull):
        await channel.send({"sku": 1_000})
    assert len(channel.waiting) == 1_000


async def test_a_person_is_a_name_without_a_slash(harness: ChannelHarness) -> None:
    for wrong in ("", "a/b"):
        with pytest.raises(ValueError, match="person: must be a name"):
            Channels(harness.connection, person=wrong)


async def test_a_failing_storage_is_replaced_by_memory(caplog: pytest.LogCaptureFixture) -> None:
    storage = BreakableStorage()
    storage.is_broken = True
    harness = ChannelHarness(storage)
    channel = harness.channels.open("orders")
    receipt = await channel.send({"sku": 7})
    await harness.connect(orders=batch(0))
    await harness.receive(ack(receipt.id, 1))
    assert await receipt.stored() == 1
    assert "messages that wait are in memory" in caplog.text
    harness.end()


async def test_closing_all_ends_loops_and_keeps_what_waits(harness: ChannelHarness) -> None:
    storage = MemoryStorage()
    first = ChannelHarness(storage)
    channel = first.channels.open("orders")
    first.read(channel)
    await first.connect(orders=batch(0))
    first.channels.close()
    with pytest.raises(NotConnected, match="the channels are closed"):
        await channel.send({"sku": 7})
    await first.receive(item(1))
    assert first.loops[0].done()
    first.end()


# --- requests ---


async def test_a_request_returns_the_frame_that_echoes_its_ref(harness: ChannelHarness) -> None:
    await harness.connect()
    asking = asyncio.create_task(harness.channels.request("stock", {"sku": 7}))
    await harness.platform.settle()
    (asked,) = harness.sent("stock")
    answer = {"type": "stock", "ref": asked["ref"], "count": 3}
    harness.socket.receive(answer)
    harness.socket.receive({**answer, "type": "error"})
    harness.socket.receive(answer)
    assert (await asking)["count"] == 3


async def test_a_request_fails_by_an_error_by_time_and_with_the_link(harness: ChannelHarness) -> None:
    with pytest.raises(NotConnected):
        await harness.channels.request("stock")
    await harness.connect()
    refused = asyncio.create_task(harness.channels.request("stock"))
    await harness.platform.settle()
    error = {"type": "error", "code": "closed", "message": "at night", "ref": harness.sent("stock")[0]["ref"]}
    await harness.receive(error)
    with pytest.raises(Refused, match="closed: at night"):
        await refused
    late = asyncio.create_task(harness.channels.request("stock", timeout=3))
    await harness.platform.advance(4)
    with pytest.raises(TimeoutError, match="no answer to stock within 3 s"):
        await late
    lost = asyncio.create_task(harness.channels.request("stock"))
    await harness.platform.settle()
    harness.socket.drop()
    with pytest.raises(NotConnected, match="the link broke"):
        await lost


async def test_a_failed_request_of_the_layer_itself_is_logged(
    harness: ChannelHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    harness.channels.open("orders")
    await harness.connect(orders=batch(0))
    await harness.receive({"type": "error", "code": "internal", "message": "not now"})
    assert "the server could not serve a request: not now (internal)" in caplog.text


async def test_a_connection_has_one_channels_until_they_are_closed(harness: ChannelHarness) -> None:
    """Two would leave each other's channels at the next pong."""
    with pytest.raises(RuntimeError, match="has Channels already"):
        Channels(harness.connection)
    harness.channels.close()
    Channels(harness.connection).close()
