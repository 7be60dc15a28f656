"""One entry per message, in the room's order, at a constant cost; what is on the page is one frozen value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from chat import room_log
from chat.protocol import Ack, Message
from chat.room_log import MAX_FOLLOWED_ROWS, MAX_FOLLOWING, MAX_NOT_SHOWN, MAX_ROWS, WINDOW, RoomLog
from chat.timeline import Delivery, Timeline
from kizuna.delivery.pending_message import Failure
from tests.chat.reference_timeline import ReferenceTimeline


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


def a_log(*seqs: int, me: str | None = "me", has_history: bool = True) -> RoomLog:
    """A log that is shown, with these messages."""
    log = RoomLog(me, has_history=has_history)
    log.show()
    for seq in seqs:
        log.add(message(seq))
    return log


def scrolled_up(*seqs: int) -> RoomLog:
    """The same, whose reader is not at the end."""
    log = a_log()
    log.set_place(follows=False)
    for seq in seqs:
        log.add(message(seq))
    return log


def contents(log: RoomLog) -> list[str]:
    return [entry.content for entry in log.publish().entries]


def seqs(log: RoomLog) -> list[int | None]:
    return [entry.seq for entry in log.publish().entries]


# --- each message once, in order ---


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


def test_a_message_stored_already_is_no_longer_pending_once_its_author_is_known() -> None:
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


# --- the window ---


def test_a_list_that_follows_its_end_is_cut_at_the_beginning() -> None:
    log = a_log(*range(1, MAX_FOLLOWED_ROWS + 1))
    assert len(seqs(log)) == MAX_FOLLOWED_ROWS
    log.add(message(MAX_FOLLOWED_ROWS + 1))
    assert seqs(log) == list(range(MAX_FOLLOWED_ROWS + 2 - WINDOW, MAX_FOLLOWED_ROWS + 2))
    assert log.publish().has_earlier


def test_messages_that_would_be_cut_again_are_never_made_into_entries() -> None:
    log = a_log(*range(1, 1_001))
    before = log.publish()
    assert len(before.entries) == WINDOW
    made = sum(1 for each in log.newest(1_000) if not isinstance(each, Message))
    assert made == WINDOW


def test_a_focused_message_stays_longer_but_not_for_ever() -> None:
    log = a_log(1)
    log.publish()
    log.set_place(follows=True, holds_focus=True)
    for seq in range(2, MAX_ROWS + 1):
        log.add(message(seq))
    assert len(seqs(log)) == MAX_ROWS
    log.add(message(MAX_ROWS + 1))
    assert len(seqs(log)) == WINDOW


def test_a_reader_who_scrolled_up_keeps_the_place() -> None:
    log = scrolled_up(*range(1, 11))
    for seq in range(11, 1_001):
        log.add(message(seq))
    timeline = log.publish()
    assert seqs(log) == list(range(1, MAX_ROWS + 1))
    assert timeline.has_later
    assert (timeline.count, timeline.last_seq) == (1_000, 1_000)


def test_own_words_are_shown_at_the_end_wherever_the_reader_is() -> None:
    log = scrolled_up(*range(1, 1_001))
    assert log.has_later
    log.add_own("c-own", "mine", "Me", 5)
    assert contents(log)[-1] == "mine"
    assert not log.has_later


def test_pending_words_are_not_shown_before_later_messages() -> None:
    log = scrolled_up(*range(1, 11))
    log.add_own("c-own", "mine", "Me", 5)
    log.set_place(follows=False)
    for seq in range(11, 1_001):
        log.add(message(seq))
    assert "mine" not in contents(log)
    assert [entry.content for entry in log.publish().pending] == ["mine"]


def test_scrolling_up_and_down_shows_every_message_once() -> None:
    log = a_log(*range(1, 1_001))
    log.publish()
    log.set_place(follows=False)
    seen = set(seqs(log))
    while log.show_earlier():
        window = seqs(log)
        assert len(window) <= MAX_ROWS
        assert window == list(range(window[0] or 0, (window[-1] or 0) + 1))
        seen.update(window)
    assert seen == set(range(1, 1_001))
    while log.has_later:
        log.show_later()
        window = seqs(log)
        assert len(window) <= MAX_ROWS
    assert window[-1] == 1_000
    timeline = log.publish()
    log.show_later()
    assert log.publish() is timeline


def test_showing_the_latest_leaves_a_window_at_the_end() -> None:
    log = scrolled_up(*range(1, 1_001))
    log.show_earlier()
    log.show_latest()
    assert seqs(log)[-1] == 1_000


def test_a_page_of_history_is_shown_to_who_waits_for_it_at_the_top() -> None:
    log = scrolled_up(*range(501, 601))
    log.add_earlier([message(seq) for seq in range(401, 501)])
    assert seqs(log) == list(range(401, 601))


def test_a_late_page_of_history_does_not_move_who_is_at_the_end_again() -> None:
    log = a_log(*range(501, 701))
    log.publish()
    log.add_earlier([message(seq) for seq in range(401, 501)])
    assert seqs(log)[0] == 501
    assert log.publish().has_earlier


def test_a_long_outbox_is_windowed_like_the_rest() -> None:
    log = a_log(1)
    for number in range(500):
        log.add_own(f"own-{number}", str(number), "Me", 5)
    assert contents(log) == [str(number) for number in range(500 - WINDOW, 500)]
    log.set_place(follows=False)
    while log.show_earlier():
        assert len(contents(log)) <= MAX_ROWS
    assert contents(log)[:2] == ["words 1", "0"]
    assert len(log.publish().pending) == 500
    log.show_latest()
    for number in range(500):
        log.confirm(ack(f"own-{number}", number + 2))
    assert seqs(log)[-1] == 501


# --- memory ---


def test_memory_is_bounded_while_the_end_is_followed() -> None:
    log = a_log(*range(1, MAX_FOLLOWING + 101))
    timeline = log.publish()
    assert (timeline.loaded, timeline.count) == (MAX_FOLLOWING, MAX_FOLLOWING + 100)
    assert (timeline.first_seq, log.oldest_seq) == (1, 101)


def test_a_room_that_is_not_shown_keeps_little() -> None:
    log = a_log(*range(1, MAX_FOLLOWING + 1))
    log.hide()
    assert len(log) == MAX_NOT_SHOWN
    log.add(message(MAX_FOLLOWING + 1))
    assert len(log) == MAX_NOT_SHOWN
    log.show()
    assert seqs(log)[-1] == MAX_FOLLOWING + 1


def test_a_room_left_scrolled_up_is_at_its_end_when_entered_again() -> None:
    log = scrolled_up(*range(1, 1_001))
    log.show_earlier()
    log.hide()
    log.show()
    assert seqs(log)[-1] == 1_000
    for seq in range(1_001, 1_101):
        log.add(message(seq))
    assert seqs(log)[-1] == 1_100


def test_a_server_without_history_loses_nothing_so_soon() -> None:
    log = a_log(*range(1, 5_001), has_history=False)
    assert len(log) == 5_000
    log.hide()
    assert len(log) == 5_000


def test_what_was_cut_and_loaded_again_is_counted_once() -> None:
    log = a_log(*range(1, MAX_FOLLOWING + 101))
    log.set_place(follows=False)
    log.add_earlier([message(seq) for seq in range(1, 101)])
    timeline = log.publish()
    assert (timeline.count, timeline.loaded) == (MAX_FOLLOWING + 100, MAX_FOLLOWING + 100)


#: Bounds that few messages reach.
SMALL = {
    "MAX_FOLLOWING": 20,
    "MAX_NOT_SHOWN": 5,
    "MAX_SCROLLED_UP": 40,
    "MAX_FOLLOWED_ROWS": 8,
    "WINDOW": 4,
    "MAX_ROWS": 10,
    "STEP": 3,
    "AROUND": 5,
    "TAIL": 10,
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        monkeypatch.setattr(room_log, name, value)


@pytest.mark.usefixtures("small")
def test_the_middle_is_cut_while_the_reader_is_scrolled_up() -> None:
    log = scrolled_up(*range(1, 41))
    assert seqs(log) == list(range(1, 11))
    log.add(message(41))
    assert [each.seq for each in log.newest(100)] == list(range(32, 42))
    assert seqs(log) == list(range(1, 11))  # the reader's place
    assert len(log) == 25
    log.show_later()
    log.show_later()
    assert seqs(log) == list(range(6, 16))
    log.show_later()
    assert seqs(log) == [32, 33, 34]  # over what was cut, which history brings back
    assert log.publish().has_earlier
    log.add_earlier([message(seq) for seq in range(29, 32)])
    assert seqs(log) == list(range(29, 35))


@pytest.mark.usefixtures("small")
def test_a_jump_to_the_end_leaves_what_lies_before_the_cut() -> None:
    log = scrolled_up(*range(1, 42))
    log.show_latest()
    assert seqs(log) == [38, 39, 40, 41]
    assert log.oldest_seq == 32


@pytest.mark.usefixtures("small")
def test_an_acknowledged_message_in_the_cut_middle_is_dropped() -> None:
    log = scrolled_up(*range(1, 41))
    log.add_own("late", "mine", "Me", 5)
    log.show_earlier()
    for _ in range(20):
        log.show_earlier()
    log.set_place(follows=False)
    for seq in range(41, 80):
        log.add(message(seq))
    assert log.confirm(ack("late", 31))
    assert log.pending == ()
    assert "mine" not in [each.content for each in log.newest(100)]


@pytest.mark.usefixtures("small")
def test_what_lies_far_before_a_reader_near_the_end_is_cut() -> None:
    log = a_log(*range(101, 121))
    log.publish()
    log.set_place(follows=False)
    log.add_earlier([message(seq) for seq in range(71, 101)])
    assert log.oldest_seq == 112
    assert seqs(log) == [117, 118, 119, 120]


@pytest.mark.usefixtures("small")
def test_history_before_a_cut_middle_is_shown_in_its_place() -> None:
    log = scrolled_up(*range(101, 142))
    log.add_earlier([message(seq) for seq in range(98, 101)])
    assert seqs(log) == list(range(98, 108))
    log.show_latest()
    assert log.oldest_seq == 132


def test_the_first_unread_message_is_one_of_another_person() -> None:
    log = a_log(1)
    log.add(message(2, sender_id="me"))
    assert log.first_unread(1) is None
    log.add(message(3))
    assert log.first_unread(1) == "her/c3"
    assert log.own_seqs(0) == [2]


WANDERING = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.integers(1, 30)),
        st.tuples(st.just("follow"), st.booleans()),
        st.sampled_from([("earlier",), ("later",), ("latest",), ("hide",), ("type",)]),
    ),
    max_size=60,
)


@given(WANDERING)
def test_no_wandering_shows_a_message_twice_or_out_of_order(steps: list[tuple[Any, ...]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL.items():
            patch.setattr(room_log, name, value)
        wander(a_log(), steps)


def wander(log: RoomLog, steps: list[tuple[Any, ...]]) -> None:
    """Take these steps; the server has all messages from 1 on."""
    head = 0
    for step in steps:
        match step:
            case ("arrive", count):
                for seq in range(head + 1, head + count + 1):
                    log.add(message(seq))
                head += count
            case ("follow", follows):
                log.set_place(follows=follows and not log.has_later)
            case ("earlier",) if not log.show_earlier() and head:
                oldest = log.oldest_seq or 1
                log.add_earlier([message(seq) for seq in range(max(1, oldest - 3), oldest)])
            case ("later",):
                log.show_later()
            case ("latest",):
                log.show_latest()
            case ("hide",):
                log.hide()
                log.show()
            case ("type",):
                log.add_own(f"own{head}", "mine", "Me", 5)
        check(log.publish(), head)
        assert len(log) - len(log.pending) <= SMALL["MAX_SCROLLED_UP"]


def check(timeline: Timeline, head: int) -> None:
    shown = [entry.seq or 0 for entry in timeline.confirmed]
    assert shown == list(range(shown[0], shown[-1] + 1)) if shown else head == 0
    assert len(shown) <= SMALL["MAX_ROWS"]
    assert timeline.has_later or not head or shown[-1] == head
    assert timeline.count - len(timeline.pending) == head
