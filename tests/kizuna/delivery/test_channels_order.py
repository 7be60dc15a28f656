"""Channels when things happen in an unusual order: each item once, each message kept, and no wait without an end."""

from __future__ import annotations

import asyncio

import pytest

from kizuna import PLAIN, NotConnected, connect
from kizuna.delivery import Channels, MemoryStorage, Refused, Start
from kizuna.testing import FakePlatform, MemoryLocks, MemoryStorage as BreakableStorage
from tests.kizuna.delivery.channel_harness import ChannelHarness, ack, batch, item
from tests.kizuna.delivery.test_channels import seqs

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


async def test_numbers_of_a_server_without_catching_up_hold_nothing_back() -> None:
    harness = ChannelHarness(wire=PLAIN)
    got = harness.read(harness.channels.open("orders"))
    harness.connecting = asyncio.create_task(harness.connection.connect())
    await harness.platform.settle()
    harness.socket.accept()
    await harness.receive(item(5), item(7, epoch=None))
    assert seqs(got) == [5, 7]
    harness.end()


async def test_an_item_without_a_number_is_delivered_as_it_comes(harness: ChannelHarness) -> None:
    got = harness.read(harness.channels.open("orders"))
    await harness.connect(orders=batch(1, item(1)))
    await harness.receive({**item(1), "seq": None, "epoch": None}, item(2))
    assert seqs(got) == [1, None, 2]


async def test_a_refusal_that_has_ended_raises_no_more(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    refusal = {"type": "error", "code": "forbidden", "message": "no", "roomId": "orders"}
    await harness.connect(orders=refusal)
    await harness.reconnect(orders=batch(1, item(1)))
    got = harness.read(channel)
    await harness.platform.settle()
    assert seqs(got) == [1]
    assert not harness.loops[0].done()


async def test_a_channel_opened_again_from_the_beginning_loses_nothing(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    await harness.connect(orders=batch(3, item(2), item(3), limited=True))
    await harness.receive(item(5))
    await harness.platform.advance(0.3)
    channel.close()
    got = harness.read(harness.channels.open("orders", at=Start.BEGINNING))
    await harness.receive(batch(5, item(4), item(5), ref=harness.sent("sync")[0]["ref"]))
    everything = [item(seq) for seq in range(1, 6)]
    await harness.receive(batch(5, *everything, ref=harness.sent("join")[0]["ref"]))
    assert seqs(got) == [1, 2, 3, 4, 5]


# --- closing ---


async def test_a_channel_opened_just_before_the_close_adopts_nothing() -> None:
    storage, held = MemoryStorage(), dict[str, object]()
    first = ChannelHarness(storage, locks := MemoryLocks(held))
    await first.channels.open("orders").send({"sku": 7})
    locks.end()
    rows = dict(storage.tables["outbox"])
    second = ChannelHarness(storage, MemoryLocks(held))
    channel = second.channels.open("orders")
    second.channels.close()
    await second.connect()
    assert storage.tables["outbox"] == rows
    with pytest.raises(NotConnected):
        await channel.send({"sku": 8})
    assert second.sent("sendMessage") == []
    first.end()
    second.end()


async def test_closed_channels_refuse_all_that_would_wait(harness: ChannelHarness) -> None:
    await harness.connect()
    harness.channels.close()
    with pytest.raises(NotConnected, match="the channels are closed"):
        harness.channels.open("orders")
    with pytest.raises(NotConnected, match="the channels are closed"):
        await harness.channels.request("stock")
    assert harness.sent("stock") == []


async def test_a_link_prepared_by_others_opens_after_the_close() -> None:
    harness = ChannelHarness()
    harness.channels.close()
    others = asyncio.Event()

    async def prepare(_: object) -> None:
        await others.wait()

    harness.connection.before_connected(prepare)
    channels = Channels(harness.connection)
    await harness.connect()
    channels.close()
    others.set()
    await harness.platform.settle()
    assert harness.connection.is_connected()
    assert harness.sent("hello") == []
    harness.end()


async def test_a_message_that_waits_for_the_storage_at_the_close_is_refused() -> None:
    storage = BreakableStorage()
    storage.is_stuck = True
    harness = ChannelHarness(storage)
    sending = asyncio.create_task(harness.channels.open("orders").send({"sku": 7}))
    await harness.platform.settle()
    harness.channels.close()
    storage.release()
    with pytest.raises(NotConnected, match="the channels are closed"):
        await sending
    await harness.platform.settle()
    assert storage.tables.get("outbox", {}) == {}
    harness.end()


async def test_the_close_ends_each_wait_for_a_receipt_and_deletes_no_message() -> None:
    storage = MemoryStorage()
    harness = ChannelHarness(storage)
    channel = harness.channels.open("orders")
    receipt, refused = await channel.send({"sku": 7}), await channel.send({"sku": 8}, meta={"n": 1})
    waiting = asyncio.create_task(receipt.stored())
    await harness.connect(orders=batch(0))
    await harness.receive(ack(receipt.id, 1))
    assert await waiting == 1
    nack = {"type": "nack", "clientMessageId": refused.id, "code": "sold_out", "retryable": False}
    await harness.receive(nack)
    kept = await channel.send({"sku": 9})
    waiting = asyncio.create_task(kept.stored())
    await harness.platform.settle()
    harness.channels.close()
    with pytest.raises(NotConnected, match="the channels are closed"):
        await waiting
    with pytest.raises(Refused, match="sold_out"):
        await refused.stored()
    assert not kept.discard()
    assert len(storage.tables["outbox"]) == 2
    with pytest.raises(NotConnected):
        await kept.stored()
    harness.end()


# --- sending ---


async def test_a_row_that_cannot_be_sent_stays_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    storage, held = MemoryStorage(), dict[str, object]()
    first = ChannelHarness(storage, locks := MemoryLocks(held))
    await first.channels.open("orders").send({"sku": 7})
    locks.end()
    rows = storage.tables["outbox"]
    ((key, text),) = rows.items()
    rows[key] = text.replace('"action": "sendMessage", ', "")
    second = ChannelHarness(storage, MemoryLocks(held))
    channel = second.channels.open("orders")
    await second.connect(orders=batch(0))
    receipt = await channel.send({"sku": 8})
    await second.platform.settle()
    assert [frame["sku"] for frame in second.sent("sendMessage")] == [8]
    assert channel.waiting == (receipt,)
    assert len(rows) == 2
    assert "leaving it in storage" in caplog.text
    first.end()
    second.end()


async def test_a_message_is_discarded_beside_rows_of_another_form() -> None:
    storage = MemoryStorage()
    storage.tables["outbox"] = {"me/x": "{}"}
    harness = ChannelHarness(storage)
    receipt = await harness.channels.open("orders").send({"sku": 7})
    receipt.discard()
    await harness.platform.settle()
    assert storage.tables["outbox"] == {"me/x": "{}"}
    harness.end()


async def test_messages_written_while_the_storage_is_read_keep_their_order() -> None:
    storage = BreakableStorage()
    storage.is_stuck = True
    harness = ChannelHarness(storage)
    channel = harness.channels.open("orders")
    sending = [asyncio.create_task(channel.send({"sku": number})) for number in range(2)]
    await harness.platform.settle()
    storage.release()
    for number in range(2, 20):
        sending.append(asyncio.create_task(channel.send({"sku": number})))
        await asyncio.sleep(0)
    await asyncio.gather(*sending)
    assert [receipt.data["sku"] for receipt in channel.waiting] == list(range(20))
    harness.end()


async def test_meta_may_have_any_key_and_is_kept_as_it_was(harness: ChannelHarness) -> None:
    meta = {"type": "gift", "sizes": [1]}
    receipt = await harness.channels.open("orders").send({"sku": 7}, meta=meta)
    meta["sizes"] = []
    assert receipt.meta == {"type": "gift", "sizes": [1]}
    again = await harness.channels.open("orders").send({"sku": 7}, meta={"sizes": (1, 2)})
    assert again.meta == {"sizes": [1, 2]}


def test_opening_outside_of_a_loop_raises_and_spoils_nothing() -> None:
    channels = Channels(connect("ws://127.0.0.1/ws", platform=FakePlatform()))
    with pytest.raises(RuntimeError, match="no running event loop"):
        channels.open("orders")

    async def send() -> None:
        await asyncio.wait_for(channels.open("orders").send({"sku": 7}), 10)
        channels.close()

    asyncio.run(send())


# --- requests ---


async def test_a_late_answer_to_a_request_changes_no_channel(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    got = harness.read(channel)
    await harness.connect(orders=batch(0))
    late = asyncio.create_task(harness.channels.request("stock", timeout=3))
    await harness.platform.advance(4)
    with pytest.raises(TimeoutError):
        await late
    answer = {
        "type": "error",
        "code": "forbidden",
        "roomId": "orders",
        "ref": harness.sent("stock")[0]["ref"],
    }
    await harness.receive(answer, item(1))
    assert seqs(got) == [1]
    assert channel.is_live
