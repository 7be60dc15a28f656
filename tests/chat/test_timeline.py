"""One entry per message, in the room's order; an operation that changes nothing returns the same object."""

from __future__ import annotations

from typing import Any

from chat.protocol import Ack, Message
from chat.timeline import Delivery, Timeline


def message(seq: int | None = None, **parts: Any) -> Message:
    fields: dict[str, Any] = {
        "room_id": "general",
        "message_id": f"m{seq}",
        "sender_id": "her",
        "sender_name": "Mika",
        "content": f"words {seq}",
        "timestamp": 1_000_000 + (seq or 0) * 60_000,
        "epoch": "e",
        "seq": seq,
        "client_message_id": f"c{seq}" if seq else None,
    }
    return Message(**{**fields, **parts})


def ack(client_message_id: str, seq: int) -> Ack:
    return Ack(
        client_message_id=client_message_id,
        room_id="general",
        epoch="e",
        message_id=f"m{seq}",
        seq=seq,
        timestamp=2_000_000,
    )


def contents(timeline: Timeline) -> list[str]:
    return [entry.content for entry in timeline.entries]


def test_messages_stand_in_the_order_of_seq_whatever_the_order_of_arrival() -> None:
    timeline = Timeline()
    for seq in (2, 5, 1, 4, 3):
        timeline = timeline.add(message(seq))
    assert [entry.seq for entry in timeline.entries] == [1, 2, 3, 4, 5]
    assert (timeline.first_seq, timeline.last_seq, len(timeline)) == (1, 5, 5)


def test_a_duplicate_returns_the_same_timeline() -> None:
    timeline = Timeline().add(message(1))
    assert timeline.add(message(1)) is timeline
    assert timeline.add_many([message(1), message(1)]) is timeline


def test_a_known_client_id_with_another_message_id_is_a_duplicate() -> None:
    timeline = Timeline().add(message(1))
    assert timeline.add(message(2, client_message_id="c1")) is timeline


def test_equal_client_ids_of_two_people_are_two_messages() -> None:
    timeline = Timeline().add(message(1)).add(message(2, client_message_id="c1", sender_id="him"))
    assert len(timeline) == 2


def test_ones_own_words_stand_at_the_end_at_once() -> None:
    timeline = Timeline(me="me").add(message(1)).add_own("c9", "mine", "Me", 5)
    assert contents(timeline) == ["words 1", "mine"]
    assert timeline.entries[-1].state is Delivery.QUEUED
    assert timeline.entries[-1].own


def test_an_own_message_shows_once_whether_ack_or_broadcast_is_first() -> None:
    before = Timeline(me="me").add_own("c9", "mine", "Me", 5)
    broadcast = message(1, sender_id="me", client_message_id="c9", content="mine")
    acked_first = before.confirm(ack("c9", 1))
    assert acked_first.add(broadcast) is acked_first
    heard_first = before.add(broadcast)
    assert heard_first.confirm(ack("c9", 1)) is heard_first
    for timeline in (acked_first, heard_first):
        (entry,) = timeline.entries
        assert (entry.state, entry.seq, entry.message_id) == (Delivery.SENT, 1, "m1")


def test_an_own_message_keeps_its_key_when_stored() -> None:
    before = Timeline(me="me").add_own("c9", "mine", "Me", 5)
    assert before.confirm(ack("c9", 1)).entries[0].key == before.entries[0].key


def test_ones_own_words_added_twice_stand_once() -> None:
    waiting = Timeline(me="me").add_own("c9", "mine", "Me", 5)
    assert waiting.add_own("c9", "mine", "Me", 6) is waiting
    stored = waiting.confirm(ack("c9", 1))
    assert stored.add_own("c9", "mine", "Me", 6) is stored


def test_what_others_said_meanwhile_stands_before_what_is_not_stored_yet() -> None:
    timeline = Timeline(me="me").add_own("c9", "mine", "Me", 5).add(message(1)).add(message(2))
    assert contents(timeline) == ["words 1", "words 2", "mine"]
    assert contents(timeline.confirm(ack("c9", 3))) == ["words 1", "words 2", "mine"]


def test_an_untouched_entry_stays_the_same_object() -> None:
    timeline = Timeline(me="me").add(message(1)).add(message(2)).add_own("c9", "mine", "Me", 5)
    later = timeline.confirm(ack("c9", 3)).add(message(4))
    assert later.entries[0] is timeline.entries[0]
    assert later.entries[1] is timeline.entries[1]


def test_marking_a_state_twice_changes_nothing_the_second_time() -> None:
    timeline = Timeline(me="me").add_own("c9", "mine", "Me", 5).mark("c9", Delivery.SENDING)
    assert timeline.mark("c9", Delivery.SENDING) is timeline
    assert timeline.mark("unknown", Delivery.FAILED) is timeline


def test_ok_twice_in_a_row_is_two_messages_where_messages_have_ids() -> None:
    timeline = Timeline()
    for seq in (1, 2):
        timeline = timeline.add(message(seq, content="ok", timestamp=1_000_000 + seq))
    assert len(timeline) == 2


def test_without_client_ids_equal_text_within_five_seconds_is_dropped() -> None:
    first = message(message_id="server-1", content="ok", timestamp=10_000)
    timeline = Timeline().add(first)
    again = message(message_id="server-2", content="ok", timestamp=14_999)
    assert timeline.add(again) is timeline
    later = message(message_id="server-3", content="ok", timestamp=15_000)
    assert len(timeline.add(later)) == 2
    other = message(message_id="server-4", content="ok", timestamp=10_001, sender_id="him")
    assert len(timeline.add(other)) == 2


def test_without_client_ids_ones_own_broadcast_meets_the_optimistic_entry() -> None:
    timeline = Timeline(me="me").add_own("c9", "ok", "Me", 10_000)
    confirmed = timeline.add(message(message_id="server-1", sender_id="me", content="ok", timestamp=10_300))
    (entry,) = confirmed.entries
    assert (entry.message_id, entry.client_message_id, entry.state) == ("server-1", "c9", Delivery.SENT)
    assert entry.key == timeline.entries[0].key
    assert (
        confirmed.add(message(message_id="server-1", sender_id="me", content="ok", timestamp=10_300))
        is confirmed
    )


def test_without_client_ids_the_same_words_typed_twice_wait_for_two_broadcasts() -> None:
    timeline = Timeline(me="me").add_own("c1", "ok", "Me", 10_000).add_own("c2", "ok", "Me", 11_000)
    timeline = timeline.add(message(message_id="server-1", sender_id="me", content="ok", timestamp=10_300))
    timeline = timeline.add(message(message_id="server-2", sender_id="me", content="ok", timestamp=11_300))
    assert [entry.state for entry in timeline.entries] == [Delivery.SENT, Delivery.SENT]


def test_words_typed_before_the_user_id_was_known_become_the_persons() -> None:
    timeline = Timeline().add_own("c9", "early", "Me", 5).identified("me")
    confirmed = timeline.add(message(1, sender_id="me", client_message_id="c9", content="early"))
    assert [(e.content, e.state) for e in confirmed.entries] == [("early", Delivery.SENT)]
    assert timeline.identified("me") is timeline


def test_a_new_history_keeps_only_what_is_not_stored() -> None:
    timeline = Timeline(me="me").add(message(1)).add_own("c9", "mine", "Me", 5).only_pending()
    assert contents(timeline) == ["mine"]
    assert contents(timeline.add(message(1))) == ["words 1", "mine"]


def test_a_discarded_message_is_gone() -> None:
    timeline = Timeline(me="me").add_own("c9", "mine", "Me", 5)
    assert len(timeline.discard("c9")) == 0
    assert timeline.discard("unknown") is timeline


def test_older_messages_come_before_those_shown() -> None:
    timeline = Timeline().add_many([message(8), message(9)]).add_many([message(6), message(7)])
    assert [entry.seq for entry in timeline.entries] == [6, 7, 8, 9]
