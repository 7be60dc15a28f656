"""A long room: a part of it is on the page, a part in memory, and the rest comes back when it is wanted."""

from __future__ import annotations

from typing import Any

import pytest

from chat.room_log import MAX_FOLLOWED_ROWS, MAX_FOLLOWING, MAX_NOT_SHOWN, MAX_ROWS, WINDOW
from tests.chat.session_harness import SessionHarness, ack, batch, message
from tests.chat.test_session_rooms import enter


def messages(first: int, last: int) -> list[dict[str, Any]]:
    return [message(seq) for seq in range(first, last + 1)]


def shown(harness: SessionHarness) -> list[int | None]:
    return [entry.seq for entry in harness.state.timeline.entries]


@pytest.fixture
async def reader(harness: SessionHarness) -> SessionHarness:
    """A person who reads earlier messages of a room of a thousand."""
    await harness.join(head=1, messages=[message(1)])
    await harness.receive(*messages(2, 1_000))
    harness.session.set_place(follows=False, holds_focus=False)
    harness.session.set_reading(False)
    return harness


async def test_the_page_shows_the_newest_and_moves_up(reader: SessionHarness) -> None:
    assert shown(reader)[-1] == 1_000
    assert WINDOW <= len(shown(reader)) <= MAX_FOLLOWED_ROWS
    first = shown(reader)[0] or 0
    reader.session.show_earlier()
    assert shown(reader)[0] == first - 100
    assert reader.sent("history") == []  # they were in memory


async def test_what_was_cut_is_requested_again(harness: SessionHarness) -> None:
    head = MAX_FOLLOWING + 50
    await harness.join(head=1, messages=[message(1)])
    await harness.receive(*messages(2, head))
    timeline = harness.state.timeline
    assert (timeline.count, timeline.loaded, timeline.first_seq) == (head, MAX_FOLLOWING, 1)
    harness.session.set_place(follows=False, holds_focus=False)
    while not harness.sent("history"):
        harness.session.show_earlier()
    (question,) = harness.sent("history")
    assert question["before"] == 51
    await harness.receive(batch(head, messages(1, 50), ref=question["ref"], next=1))
    assert shown(harness)[0] == 1
    assert (harness.state.timeline.count, harness.state.timeline.loaded) == (head, head)


async def test_new_messages_do_not_move_who_reads_earlier_ones(reader: SessionHarness) -> None:
    before = shown(reader)
    await reader.receive(*messages(1_001, 1_500))
    assert shown(reader)[0] == before[0]
    assert len(shown(reader)) == MAX_ROWS
    assert reader.state.timeline.has_later
    assert reader.state.unread == 500
    reader.session.show_later()
    assert shown(reader)[-1] == (before[0] or 0) + MAX_ROWS + 99
    reader.session.show_latest()
    assert shown(reader)[-1] == 1_500


async def test_the_end_is_read_only_where_it_is_shown(reader: SessionHarness) -> None:
    await reader.receive(*messages(1_001, 1_500))
    reader.session.set_reading(True)  # a view that does not know yet that messages lie after its window
    assert reader.state.unread == 500
    assert reader.state.first_unread == "id-of-Ren/his-1001"
    reader.session.show_latest()
    assert (reader.state.unread, reader.state.first_unread) == (0, None)


async def test_cut_own_messages_are_not_unread(reader: SessionHarness) -> None:
    mine = message(1_001, senderId="id-of-Mika", clientMessageId="mine-1")
    await reader.receive(mine, *messages(1_002, 1_100))
    await enter(reader, "tea", 0)
    await reader.receive(*messages(1_101, 1_400))
    (general,) = [room for room in reader.state.rooms if room.room_id == "general"]
    assert general.unread == 399


async def test_own_words_are_acknowledged_unread_or_not(reader: SessionHarness) -> None:
    await reader.send("mine")
    await reader.receive(ack(reader.sent("sendMessage")[-1]["clientMessageId"], 1_001), message(1_002))
    reader.session.set_place(follows=False, holds_focus=False)
    assert reader.state.unread == 1


async def test_a_room_that_was_left_opens_at_its_end(reader: SessionHarness) -> None:
    reader.session.show_earlier()
    await enter(reader, "tea", 0)
    await reader.receive(*messages(1_001, 1_003))
    reader.session.enter_room("general")
    assert shown(reader)[-1] == 1_003
    assert reader.state.timeline.loaded == MAX_NOT_SHOWN
    await reader.receive(*messages(1_004, 1_400))
    assert shown(reader)[-1] == 1_400


async def test_an_answer_about_other_messages_does_not_end_the_history(harness: SessionHarness) -> None:
    """An empty answer says what lies before the message that was asked about, not before another one."""
    await harness.join(head=300, messages=messages(201, 300), limited=True)
    harness.session.set_place(follows=False, holds_focus=False)
    harness.session.show_earlier()
    (question,) = harness.sent("history")
    await harness.receive(batch(900, messages(801, 900), limited=True))
    await harness.receive(batch(900, [], ref=question["ref"], next=201))
    harness.session.show_earlier()
    assert [frame["before"] for frame in harness.sent("history")] == [201, 801]


async def test_history_for_a_room_that_was_left_can_be_asked_for_again(harness: SessionHarness) -> None:
    await harness.join(head=300, messages=messages(201, 300), limited=True)
    harness.session.set_place(follows=False, holds_focus=False)
    harness.session.show_earlier()
    (question,) = harness.sent("history")
    await harness.receive(batch(300, messages(101, 200), ref=question["ref"], next=101, complete=False))
    while len(harness.sent("history")) < 2:
        harness.session.show_earlier()
    await enter(harness, "tea", 0)
    await harness.receive(batch(300, messages(1, 100), ref=harness.sent("history")[-1]["ref"], next=1))
    harness.session.enter_room("general")
    harness.session.set_place(follows=False, holds_focus=False)
    for _ in range(5):
        harness.session.show_earlier()
    assert [frame["before"] for frame in harness.sent("history")] == [201, 101, 101]


async def test_a_view_that_sees_the_end_gets_what_came_since(reader: SessionHarness) -> None:
    await reader.receive(*messages(1_001, 1_500))
    reader.session.set_place(follows=True, holds_focus=False)
    assert shown(reader)[-1] == 1_500


async def test_without_a_room_the_window_stays(harness: SessionHarness) -> None:
    state = harness.state
    harness.session.set_place(follows=False, holds_focus=True)
    harness.session.show_earlier()
    harness.session.show_later()
    harness.session.show_latest()
    assert harness.state is state
