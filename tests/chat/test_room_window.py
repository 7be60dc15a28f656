"""The window of a room's messages that is on the page, and the bounds in memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from chat import room_log
from chat.protocol import Message
from chat.room_log import MAX_FOLLOWED_ROWS, MAX_FOLLOWING, MAX_NOT_SHOWN, MAX_ROWS, WINDOW, RoomLog
from chat.timeline import Timeline
from tests.chat.room_log_makers import a_log, ack, contents, message, scrolled_up, seqs

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


def test_a_page_of_history_is_shown_to_who_waits_for_it() -> None:
    log = scrolled_up(*range(501, 601))
    log.add_earlier([message(seq) for seq in range(401, 501)])
    assert seqs(log) == list(range(401, 601))


def test_a_late_page_of_history_does_not_move_who_follows() -> None:
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
    log.publish()
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
    log.publish()
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


def test_a_restart_shows_no_more_rows_than_others() -> None:
    log = a_log(1)
    for number in range(450):
        log.add_own(f"own-{number}", "mine", "Me", 5)
    log.set_place(follows=False)
    log.restart()
    assert len(log.publish().entries) == WINDOW


def test_publishing_looks_at_few_messages_without_numbers() -> None:
    log, looked = a_log(has_history=False), 0

    class Counted(list[Any]):
        def __getitem__(self, at: Any) -> Any:
            nonlocal looked
            looked += 1
            return super().__getitem__(at)

    for number in range(5_000):
        log.add(message(None, message_id=f"m{number}", content=str(number)))
    log.publish()
    log._messages = Counted(log._messages)
    log.add(message(None, message_id="last", content="last"))
    log.publish()
    assert 0 < looked < 500


@pytest.mark.usefixtures("small")
def test_the_window_says_that_a_gap_follows() -> None:
    log = scrolled_up(*range(1, 42))
    assert not log.publish().is_before_gap
    log.show_later()
    log.show_later()
    assert log.publish().is_before_gap


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


def test_messages_before_own_ones_below_the_window_do_not_widen_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        monkeypatch.setattr(room_log, name, value)
    wander(a_log(), [("type",), ("arrive", 9), ("earlier",), ("type",), ("earlier",), ("arrive", 2)])


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
