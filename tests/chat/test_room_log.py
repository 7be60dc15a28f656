"""One entry per message, in the room's order, at a constant cost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from chat.room_log import RoomLog
from chat.timeline import Delivery
from kizuna.delivery.pending_message import Failure
from tests.chat.reference_timeline import ReferenceTimeline
from tests.chat.room_log_makers import a_log, ack, contents, message, seqs


def test_messages_stand_in_the_order_of_seq_whatever_the_order_of_arrival() -> None:
    log = a_log(2, 5, 1, 4, 3)
    timeline = log.publish()
    assert seqs(log) == [1, 2, 3, 4, 5]
    assert (timeline.first_seq, timeline.last_seq, timeline.count, timeline.loaded) == (1, 5, 5, 5)


def test_a_duplicate_publishes_the_same_timeline() -> None:
    log = a_log(1)
    timeline = log.publish()
    assert not log.add(message(1))
    assert log.publish() is timeline


def test_a_known_client_id_with_another_message_id_is_a_duplicate() -> None:
    log = a_log(1)
    assert not log.add(message(2, client_message_id="c1"))
    assert seqs(log) == [1]


def test_another_message_with_a_known_seq_is_a_duplicate() -> None:
    log = a_log(1, 2)
    assert not log.add(message(1, message_id="other", client_message_id="other"))


def test_equal_client_ids_of_two_people_are_two_messages() -> None:
    log = a_log(1)
    assert log.add(message(2, client_message_id="c1", sender_id="him"))
    assert seqs(log) == [1, 2]


def test_ones_own_words_stand_at_the_end_at_once() -> None:
    log = a_log(1)
    log.add_own("c9", "mine", "Me", 5)
    assert contents(log) == ["words 1", "mine"]
    entry = log.publish().entries[-1]
    assert (entry.state, entry.own, log.publish().typed) == (Delivery.QUEUED, True, 1)


@pytest.mark.parametrize("is_acked_first", [True, False])
def test_an_own_message_shows_once_whether_ack_or_broadcast_is_first(is_acked_first: bool) -> None:
    log = a_log()
    log.add_own("c9", "mine", "Me", 5)
    key = log.publish().entries[0].key
    broadcast = message(1, sender_id="me", client_message_id="c9", content="mine")
    if is_acked_first:
        assert log.confirm(ack("c9", 1))
        assert not log.add(broadcast)
    else:
        assert log.add(broadcast)
        assert not log.confirm(ack("c9", 1))
    (entry,) = log.publish().entries
    assert (entry.key, entry.state, entry.seq, entry.message_id) == (key, Delivery.SENT, 1, "m1")
    assert log.has_stored("c9")


def test_an_acknowledged_message_within_the_log_is_shown_once() -> None:
    log = a_log(1, 3)
    log.add_own("c9", "mine", "Me", 5)
    log.add_own("c10", "mine too", "Me", 5)
    log.confirm(ack("c9", 2))
    log.confirm(ack("c10", 3))
    assert contents(log) == ["words 1", "mine", "words 3"]


def test_ones_own_words_added_twice_stand_once() -> None:
    log = a_log()
    log.add_own("c9", "mine", "Me", 5)
    log.add_own("c9", "mine", "Me", 6)
    log.confirm(ack("c9", 1))
    log.add_own("c9", "mine", "Me", 6)
    assert contents(log) == ["mine"]


def test_what_others_said_meanwhile_stands_before_what_is_not_stored_yet() -> None:
    log = a_log()
    log.add_own("c9", "mine", "Me", 5)
    log.add(message(1))
    log.add(message(2))
    assert contents(log) == ["words 1", "words 2", "mine"]
    log.confirm(ack("c9", 3))
    assert contents(log) == ["words 1", "words 2", "mine"]


def test_an_untouched_entry_stays_the_same_object() -> None:
    log = a_log(1, 2)
    log.add_own("c9", "mine", "Me", 5)
    before = log.publish()
    log.confirm(ack("c9", 3))
    log.add(message(4))
    after = log.publish()
    assert after.entries[0] is before.entries[0]
    assert after.entries[1] is before.entries[1]


def test_marking_a_state_twice_changes_nothing_the_second_time() -> None:
    log = a_log()
    log.add_own("c9", "mine", "Me", 5)
    log.mark("c9", Delivery.FAILED, Failure("no"))
    timeline = log.publish()
    assert [entry.failure for entry in timeline.failed] == [Failure("no")]
    log.mark("c9", Delivery.FAILED, Failure("no"))
    log.mark("unknown", Delivery.FAILED)
    log.discard("unknown")
    assert log.publish() is timeline


def test_ok_twice_in_a_row_is_two_messages_where_messages_have_ids() -> None:
    log = a_log()
    for seq in (1, 2):
        log.add(message(seq, content="ok", timestamp=1_000_000 + seq))
    assert seqs(log) == [1, 2]


def test_without_client_ids_equal_text_within_five_seconds_is_dropped() -> None:
    log = a_log()
    assert log.add(message(message_id="server-1", content="ok", timestamp=10_000))
    assert not log.add(message(message_id="server-1", content="other", timestamp=10_000))
    assert not log.add(message(message_id="server-2", content="ok", timestamp=14_999))
    assert log.add(message(message_id="server-3", content="ok", timestamp=15_000))
    assert log.add(message(message_id="server-4", content="ok", timestamp=10_001, sender_id="him"))


def test_without_client_ids_ones_own_broadcast_meets_the_optimistic_entry() -> None:
    log = a_log()
    log.add_own("c9", "ok", "Me", 10_000)
    key = log.publish().entries[0].key
    echo = message(message_id="server-1", sender_id="me", content="ok", timestamp=10_300)
    assert log.add(echo)
    (entry,) = log.publish().entries
    assert (entry.message_id, entry.client_message_id, entry.state) == ("server-1", "c9", Delivery.SENT)
    assert entry.key == key
    assert not log.add(echo)


def test_without_client_ids_the_same_words_typed_twice_wait_for_two_broadcasts() -> None:
    log = a_log()
    log.add_own("c1", "ok", "Me", 10_000)
    log.add_own("c2", "ok", "Me", 11_000)
    log.add(message(message_id="server-1", sender_id="me", content="ok", timestamp=10_300))
    log.add(message(message_id="server-2", sender_id="me", content="ok", timestamp=11_300))
    assert [entry.state for entry in log.publish().entries] == [Delivery.SENT, Delivery.SENT]


def test_a_numbered_broadcast_without_client_id_settles_ones_own_words() -> None:
    log = a_log(1)
    log.add_own("c9", "ok", "Me", 10_000)
    assert log.add(message(2, sender_id="me", content="ok", client_message_id=None))
    assert [entry.client_message_id for entry in log.publish().entries] == ["c1", "c9"]
    assert log.pending == ()


def test_words_typed_before_the_user_id_was_known_become_the_persons() -> None:
    log = a_log(me=None)
    log.add_own("c9", "early", "Me", 5)
    log.add(message(1, sender_id="me", client_message_id="c8", content="from another tab"))
    assert log.publish().entries[0].state is Delivery.RECEIVED
    log.identify("me")
    timeline = log.publish()
    assert [(e.content, e.own) for e in timeline.entries] == [("from another tab", True), ("early", True)]
    log.identify("me")
    assert log.publish() is timeline
    log.add(message(2, sender_id="me", client_message_id="c9", content="early"))
    assert [(e.content, e.state) for e in log.publish().entries][1:] == [("early", Delivery.SENT)]


def test_a_stored_message_is_not_pending_once_its_author_is_known() -> None:
    log = a_log(me=None)
    log.add_own("c1", "words 1", "Me", 5)
    log.add(message(1))
    log.identify("her")
    assert contents(log) == ["words 1"]


def test_a_new_history_keeps_only_what_is_not_stored() -> None:
    log = a_log(1)
    log.add_own("c9", "mine", "Me", 5)
    log.restart()
    assert contents(log) == ["mine"]
    assert log.add(message(1))
    assert contents(log) == ["words 1", "mine"]


def test_a_discarded_message_is_gone() -> None:
    log = a_log()
    log.add_own("c9", "mine", "Me", 5)
    log.discard("c9")
    assert contents(log) == []


def test_older_messages_come_before_those_shown() -> None:
    log = a_log(8, 9)
    assert log.add_earlier([message(6), message(7), message(8)]) == 2
    assert seqs(log) == [6, 7, 8, 9]
    assert log.add_earlier([message(6), message(7)]) == 0
    assert (log.publish().count, log.publish().first_seq) == (4, 6)


def test_an_older_page_settles_ones_own_words() -> None:
    log = a_log(8, 9)
    log.add_own("c7", "mine", "Me", 5)
    log.add_earlier([message(7, sender_id="me", content="mine")])
    assert contents(log) == ["mine", "words 8", "words 9"]


def test_arrivals_are_counted_without_ones_own_words_and_first_pages() -> None:
    log = RoomLog("me")
    log.add(message(1), arrives=False)
    log.add(message(2))
    log.add(message(3, sender_id="me"))
    log.add(message(2))
    timeline = log.publish()
    assert (timeline.arrivals, [each.seq for each in timeline.latest]) == (1, [2])


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hear"), st.integers(1, 12), st.sampled_from(["me", "her"])),
        st.tuples(st.just("hear unnumbered"), st.integers(1, 12), st.sampled_from(["me", "her"])),
        st.tuples(st.just("type"), st.integers(1, 12)),
        st.tuples(st.just("ack"), st.integers(1, 12)),
        st.tuples(st.just("mark"), st.integers(1, 12), st.sampled_from(Delivery)),
        st.tuples(st.just("discard"), st.integers(1, 12)),
        st.tuples(st.just("identify"), st.sampled_from(["me", "her"])),
        st.tuples(st.just("restart")),
        st.tuples(st.just("look")),
    ),
    max_size=40,
)


@given(STEPS, st.booleans())
def test_the_log_shows_the_same_as_the_plain_rules(steps: list[tuple[Any, ...]], has_numbers: bool) -> None:
    log, reference = a_log(me="me"), ReferenceTimeline(me="me")
    for step in steps:
        match step:
            case ("hear", n, sender) if has_numbers:
                heard = message(n, sender_id=sender, content=f"typed {n}")
                log.add(heard)
                reference = reference.add(heard)
            case ("hear unnumbered", n, sender) if not has_numbers:
                said = message(
                    message_id=f"u{n}", content=f"typed {n % 3}", sender_id=sender, timestamp=n * 1_000
                )
                log.add(said)
                reference = reference.add(said)
            case ("type", n):
                content = f"typed {n if has_numbers else n % 3}"
                log.add_own(f"c{n}", content, "Me", 5)
                reference = reference.add_own(f"c{n}", content, "Me", 5)
            case ("ack", n) if has_numbers:
                if not any(entry.seq == n for entry in reference.confirmed):  # a server numbers each once
                    log.confirm(ack(f"c{n}", n))
                    reference = reference.confirm(ack(f"c{n}", n))
            case ("mark", n, state):
                log.mark(f"c{n}", state)
                reference = reference.mark(f"c{n}", state)
            case ("discard", n):
                log.discard(f"c{n}")
                reference = reference.discard(f"c{n}")
            case ("restart",):
                log.restart()
                reference = reference.only_pending()
            case ("look",):
                log.publish()
        timeline = log.publish() if len(steps) % 2 else None
        if timeline is not None:
            assert timeline.entries == reference.entries
    assert log.publish().entries == reference.entries
    assert log.publish().count == len(reference)
