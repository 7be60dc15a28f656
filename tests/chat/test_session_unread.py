"""Unread messages are counted once, from the server's numbers: after an absence, a reload, and in all tabs."""

from __future__ import annotations

from typing import Any

import pytest

from chat.cache import SAVE_DELAY
from chat.read_marks import READ_KEY, ReadMarks
from kizuna.wire import ARTICLE
from tests.chat.session_harness import MemorySettings, SessionHarness, batch, message
from tests.chat.test_session_rooms import enter


def unread(harness: SessionHarness) -> dict[str, int]:
    return {room.room_id: room.unread for room in harness.state.rooms if room.unread}


def mine(seq: int, **parts: Any) -> dict[str, Any]:
    return message(seq, senderId="id-of-Mika", senderName="Mika", clientMessageId=f"mine-{seq}", **parts)


async def test_messages_of_others_count_until_the_person_sees_the_end(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.session.set_reading(False)
    await harness.receive(message(2), mine(3), message(4))
    assert (unread(harness), harness.state.unread, harness.state.unread_everywhere) == ({"general": 2}, 2, 2)
    harness.session.set_reading(True)
    assert (unread(harness), harness.state.unread) == ({}, 0)
    await harness.receive(message(5))
    assert harness.state.unread == 0


async def test_the_history_before_the_first_visit_is_not_unread(harness: SessionHarness) -> None:
    harness.session.set_reading(False)
    await harness.join(head=900, messages=[message(seq) for seq in range(851, 901)], limited=True)
    assert unread(harness) == {}
    await harness.receive(message(901))
    assert unread(harness) == {"general": 1}


async def test_a_message_behind_a_gap_counts_when_the_gap_is_filled(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.session.set_reading(False)
    await harness.receive(message(3))
    assert unread(harness) == {}
    await harness.receive(message(2), message(3))
    assert unread(harness) == {"general": 2}


@pytest.mark.parametrize("own", [0, 2])
async def test_a_long_absence_counts_what_is_not_loaded(harness: SessionHarness, own: int) -> None:
    """The server sends the newest 50 of 700; all of them count, but not one's own of another tab among the 50."""
    await harness.join(head=100, messages=[message(100)])
    harness.session.set_reading(False)
    harness.socket.drop()
    await harness.platform.advance(1)
    newest = [mine(seq) if seq < 751 + own else message(seq) for seq in range(751, 801)]
    await harness.open_link(head=800, messages=newest, limited=True)
    assert unread(harness) == {"general": 700 - own}


async def test_an_own_message_in_a_loaded_hole_is_not_unread(harness: SessionHarness) -> None:
    await harness.join(head=100, messages=[message(100)])
    harness.session.set_reading(False)
    harness.socket.drop()
    await harness.platform.advance(1)
    await harness.open_link(head=110, messages=[message(seq) for seq in range(106, 111)], limited=True)
    assert unread(harness) == {"general": 10}
    harness.session.show_earlier()
    question = harness.sent("history")[-1]
    earlier = [message(101), mine(102), mine(103), message(104), message(105)]
    await harness.receive(batch(110, earlier, ref=question["ref"], next=105, complete=False))
    assert unread(harness) == {"general": 8}


async def test_messages_that_expired_unread_are_not_unread(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await enter(harness, "tea", 100)
    harness.session.enter_room("general")
    await harness.platform.advance(SAVE_DELAY)
    again = harness.reloaded()
    again.session.start()
    await again.open_link(head=1)
    await again.receive(batch(100, [], roomId="tea", limited=True, next=5000))
    assert unread(again) == {}
    again.session.leave()


async def test_a_cached_room_without_messages_was_read(harness: SessionHarness) -> None:
    await harness.join(head=5000)
    await harness.platform.advance(SAVE_DELAY)
    ReadMarks(harness.settings).delete(harness.identity.person_key)  # as a row of an earlier version
    again = harness.reloaded()
    again.session.set_reading(False)
    again.session.start()
    await again.open_link(head=5000)
    assert unread(again) == {}
    again.session.leave()


async def test_unread_messages_are_counted_again_after_a_reload(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await enter(harness, "tea", 3)
    harness.session.enter_room("general")
    await harness.receive(message(4, roomId="tea"), message(5, roomId="tea"))
    assert unread(harness) == {"tea": 2}
    await harness.platform.advance(SAVE_DELAY)
    again = harness.reloaded()
    again.session.start()
    await again.platform.settle()
    assert unread(again) == {"tea": 2}
    again.session.leave()


async def test_what_is_read_in_one_tab_is_read_in_the_others(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.session.set_reading(False)
    other = SessionHarness(harness.browser)
    await other.join(head=1, messages=[message(1)])
    for page in (harness, other):
        await page.receive(message(2), message(3))
    assert (unread(harness), unread(other)) == ({"general": 2}, {})
    await other.platform.advance(SAVE_DELAY)
    harness.session.follow_other_tabs()  # the browser tells of the other tab's write
    assert unread(harness) == {}
    await harness.receive(message(4))
    assert unread(harness) == {"general": 1}
    await harness.platform.advance(SAVE_DELAY)  # what one tab has not read takes nothing back
    other.session.follow_other_tabs()
    assert unread(other) == {}
    other.session.leave()


async def test_a_tab_that_is_behind_forgets_nothing_that_another_has_read(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    other = SessionHarness(harness.browser)
    await other.join(head=1, messages=[message(1)])
    other.socket.drop()
    await other.platform.settle()
    await harness.receive(message(2), message(3))
    await harness.platform.advance(SAVE_DELAY)
    other.session.follow_other_tabs()
    other.session.set_reading(False)
    await other.platform.advance(2)
    await other.open_link(head=3, messages=[message(2), message(3)])
    assert unread(other) == {}
    other.session.leave()


async def test_marks_are_read_again_when_a_page_has_caught_up(harness: SessionHarness) -> None:
    """A tab whose row in the cache is older than the marks: its page has not heard of the other tab's writes."""
    await harness.join(head=5, messages=[message(seq) for seq in range(1, 6)])
    harness.session.set_reading(False)
    ReadMarks(harness.settings).advance(harness.identity.person_key, {"general": ("e", 8)})
    harness.socket.drop()
    await harness.platform.advance(1)
    await harness.open_link(head=9, messages=[message(seq) for seq in range(6, 10)])
    assert unread(harness) == {"general": 1}


async def test_marks_of_another_history_mean_nothing(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.session.set_reading(False)
    await harness.receive(message(2))
    ReadMarks(harness.settings).advance(
        harness.identity.person_key, {"general": ("earlier", 9), "tea": ("e", 9)}
    )
    harness.session.follow_other_tabs()
    assert unread(harness) == {"general": 1}


async def test_a_restored_history_that_is_shorter_leaves_nothing_unread(harness: SessionHarness) -> None:
    await harness.join(head=9, messages=[message(9)])
    harness.session.set_reading(False)
    harness.socket.drop()
    await harness.platform.advance(1)
    await harness.open_link(head=2, messages=[message(1, epoch="f"), message(2, epoch="f")], epoch="f")
    assert unread(harness) == {}
    await harness.receive(message(3, epoch="f"))
    assert unread(harness) == {"general": 1}


async def test_a_history_that_lost_its_end_leaves_no_mark_behind(harness: SessionHarness) -> None:
    await harness.join(head=100, messages=[message(seq) for seq in range(91, 101)])
    await harness.platform.advance(SAVE_DELAY)
    harness.session.set_reading(False)
    harness.socket.drop()
    await harness.platform.advance(1)
    await harness.open_link(head=50, messages=[message(seq) for seq in range(41, 51)])
    harness.session.follow_other_tabs()
    await harness.receive(message(51), message(52))
    assert unread(harness) == {"general": 2}


async def test_the_article_server_has_no_numbers_and_arrivals_count() -> None:
    harness = SessionHarness(wire=ARTICLE)
    harness.session.join("Mika")
    await harness.platform.settle()
    harness.socket.accept()
    await harness.platform.settle()
    harness.session.set_reading(False)
    words = {"messageId": "m1", "senderId": "Ren", "content": "hi", "timestamp": 1}
    await harness.receive(words, words, {**words, "messageId": "m2", "content": "again", "timestamp": 2})
    assert unread(harness) == {"general": 2}
    harness.session.set_reading(True)
    assert unread(harness) == {}
    harness.session.leave()
    await harness.platform.settle()


async def test_a_duplicate_returns_the_same_state_and_renders_nothing() -> None:
    harness = SessionHarness(wire=ARTICLE)
    harness.session.join("Mika")
    await harness.platform.settle()
    harness.socket.accept()
    await harness.platform.settle()
    words = {"messageId": "m1", "senderId": "Ren", "content": "hi", "timestamp": 1}
    await harness.receive(words)
    before, states = harness.state, len(harness.seen_states)
    await harness.receive(
        words, {**words, "messageId": "m2", "timestamp": 4000}
    )  # the article's five seconds
    assert harness.state is before
    assert len(harness.seen_states) == states
    harness.session.leave()
    await harness.platform.settle()


# --- the marks ---


@pytest.mark.parametrize(
    "stored", ["", "{", "[]", '{"tea": 3}', '{"tea": ["e", "3"]}', '{"": ["e", 3]}', "[" * 5000, "7"]
)
def test_marks_that_cannot_be_read_are_none(stored: str) -> None:
    settings = MemorySettings({READ_KEY + "mika": stored})
    assert ReadMarks(settings).get("mika") == {}


def test_marks_advance_within_an_epoch_and_follow_a_new_one() -> None:
    settings = MemorySettings()
    marks = ReadMarks(settings)
    marks.advance("mika", {"tea": ("e", 3), "general": ("e", 1)})
    marks.advance("mika", {"tea": ("e", 2), "general": ("f", 0)})
    assert marks.get("mika") == {"tea": ("e", 3), "general": ("f", 0)}
    assert marks.get("ren") == {}
    marks.forget("mika", "tea")
    assert marks.get("mika") == {"general": ("f", 0)}
    marks.delete("mika")
    assert settings == {}


def test_marks_that_stay_the_same_are_not_written() -> None:
    """Each write is an event in every other tab."""
    settings = MemorySettings()
    marks = ReadMarks(settings)
    marks.advance("mika", {"tea": ("e", 3)})
    written: list[str] = []
    settings.set = lambda key, value: written.append(key)  # type: ignore[method-assign]
    marks.advance("mika", {"tea": ("e", 3)})
    marks.forget("mika", "general")
    assert written == []


async def test_marks_end_with_the_person_and_the_room(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await enter(harness, "tea", 3)
    await harness.platform.advance(SAVE_DELAY)
    marks, person = ReadMarks(harness.settings), harness.identity.person_key
    assert marks.get(person) == {"general": ("e", 1), "tea": ("e", 3)}
    harness.session.leave_room("tea")
    assert marks.get(person) == {"general": ("e", 1)}
    harness.session.leave()
    await harness.platform.advance(SAVE_DELAY)
    assert READ_KEY + person not in harness.settings
