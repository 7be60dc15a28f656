"""What the statistics of delivery count."""

from __future__ import annotations

from kizuna.delivery import DeliveryStatistics
from tests.chat.session_harness import SessionHarness, ack as chat_ack, batch as chat_batch, message
from tests.kizuna.delivery.channel_harness import ChannelHarness, ack, batch, item


async def test_nothing_is_counted_before_anything_happened(harness: ChannelHarness) -> None:
    assert harness.channels.statistics() == DeliveryStatistics(0, 0, 0, 0, 0, 0, 0)


async def test_a_message_sent_again_is_counted_once_and_as_resent(harness: ChannelHarness) -> None:
    channel = harness.channels.open("orders")
    await harness.connect(orders=batch(0))
    receipt = await channel.send({"sku": 1})
    await harness.platform.settle()
    await harness.reconnect(orders=batch(0))
    numbers = harness.channels.statistics()
    assert (numbers.sent, numbers.resent, numbers.acknowledged) == (1, 1, 0)
    await harness.receive(ack(receipt.id, 1), ack(receipt.id, 1))
    assert harness.channels.statistics().acknowledged == 1


async def test_items_that_come_again_are_counted_live_and_in_a_batch(harness: ChannelHarness) -> None:
    harness.channels.open("orders")
    await harness.connect(orders=batch(2, item(1), item(2)))
    await harness.receive(item(3), item(3), item(2), {**item(2), "seq": None})
    await harness.receive(batch(3, item(2), item(3)))
    numbers = harness.channels.statistics()
    assert (numbers.received, numbers.duplicates) == (4, 4)


async def test_a_gap_that_is_filled_is_counted_with_its_items(harness: ChannelHarness) -> None:
    harness.channels.open("orders")
    await harness.connect(orders=batch(1, item(1)))
    await harness.receive(item(4))
    await harness.platform.advance(0.3)
    (sync,) = harness.sent("sync")
    await harness.receive(batch(4, item(2), item(3), item(4), ref=sync["ref"]))
    await harness.reconnect(orders=batch(6, item(5), item(6)))
    numbers = harness.channels.statistics()
    assert (numbers.received, numbers.gaps_filled, numbers.fetched) == (6, 2, 5)


async def test_earlier_items_are_neither_received_nor_duplicates() -> None:
    harness = SessionHarness()
    await harness.join(head=2, messages=[message(2)], next=2, complete=True, limited=True)
    (history,) = harness.sent("history")
    await harness.receive(chat_batch(2, [message(1)], ref=history["ref"], next=None))
    assert [content for content, _ in harness.entries()] == ["words 1", "words 2"]
    assert harness.session.statistics() == DeliveryStatistics(0, 0, 0, 1, 0, 0, 0)
    harness.session.leave()


async def test_an_own_message_is_acknowledged_and_its_broadcast_no_duplicate() -> None:
    harness = SessionHarness()
    await harness.join()
    await harness.send("hello")
    own = message(2, clientMessageId="c1", senderId="id-of-Mika", content="hello")
    await harness.receive(message(1), chat_ack("c1", 2), own)
    assert harness.session.statistics() == DeliveryStatistics(1, 0, 1, 1, 0, 0, 0)
    await harness.receive(own, message(1))
    assert harness.session.statistics().duplicates == 2
    harness.session.leave()


async def test_what_waited_behind_an_own_message_is_received() -> None:
    harness = SessionHarness()
    await harness.join()
    await harness.send("hello")
    await harness.receive(message(2), chat_ack("c1", 1))
    assert harness.session.statistics() == DeliveryStatistics(1, 0, 1, 1, 0, 0, 0)
    await harness.send("again")
    own = message(3, clientMessageId="c2", senderId="id-of-Mika", content="again")
    await harness.receive(own, chat_ack("c2", 3))  # in the other order
    assert harness.session.statistics() == DeliveryStatistics(2, 0, 2, 1, 0, 0, 0)
    harness.session.leave()
