"""What an earlier page knew is shown at once, and only what came since is asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.cache import MAX_MESSAGES, SAVE_DELAY
from chat.store import RoomSummary
from chat.timeline import Delivery
from kizuna.delivery.catch_up import GAP_DELAY
from tests.chat.session_harness import SessionHarness, ack, batch, message


async def reloaded(harness: SessionHarness) -> SessionHarness:
    await harness.platform.advance(SAVE_DELAY)
    again = harness.reloaded()
    again.session.start()
    await again.platform.settle()
    return again


def cached(harness: SessionHarness) -> dict[str, object]:
    (text,) = harness.browser.rows("rooms").values()
    row: dict[str, object] = json.loads(text)
    return row


async def test_a_reload_shows_what_was_known_before_any_connection(harness: SessionHarness) -> None:
    await harness.join(head=2, messages=[message(1), message(2)])
    await harness.send("mine")
    await harness.receive(ack("c1", 3))
    again = await reloaded(harness)
    assert not again.state.is_connected
    assert again.entries() == [
        ("words 1", Delivery.RECEIVED),
        ("words 2", Delivery.RECEIVED),
        ("mine", Delivery.SENT),
    ]
    assert not again.state.caught_up
    again.session.leave()


async def test_a_deleted_message_is_one_after_a_reload_too(harness: SessionHarness) -> None:
    await harness.join(head=2, messages=[message(1), message(2, content="[deleted]", deleted=True)])
    again = await reloaded(harness)
    assert [entry.deleted for entry in again.state.timeline.entries] == [False, True]
    again.session.leave()


async def test_hello_asks_only_for_what_came_since(harness: SessionHarness) -> None:
    await harness.join(head=2, messages=[message(1), message(2)])
    again = await reloaded(harness)
    await again.open_link(head=3, messages=[message(3)])
    (hello,) = again.sent("hello")
    assert hello["rooms"] == [{"roomId": "general", "after": 2, "epoch": "e"}]
    assert [content for content, _ in again.entries()] == ["words 1", "words 2", "words 3"]
    again.session.leave()


async def test_a_server_with_another_history_makes_the_page_forget_what_it_kept(
    harness: SessionHarness,
) -> None:
    await harness.join(head=2, messages=[message(1), message(2)])
    again = await reloaded(harness)
    await again.open_link(head=1, messages=[message(1, epoch="new", content="another")], epoch="new")
    assert again.entries() == [("another", Delivery.RECEIVED)]
    again.session.leave()


async def test_the_newest_two_hundred_are_kept_and_the_earlier_come_by_scrolling(
    harness: SessionHarness,
) -> None:
    head = MAX_MESSAGES + 50
    await harness.join(head=head, messages=[message(seq) for seq in range(1, head + 1)])
    again = await reloaded(harness)
    assert (again.state.timeline.first_seq, again.state.timeline.last_seq) == (51, head)
    await again.open_link(head=head)
    again.session.show_earlier()
    assert [frame["before"] for frame in again.sent("history")] == [51]
    again.session.leave()


async def test_only_what_follows_without_a_gap_is_kept(harness: SessionHarness) -> None:
    await harness.join(head=2, messages=[message(1), message(2)])
    await harness.receive(message(4))
    again = await reloaded(harness)
    assert again.state.timeline.last_seq == 2
    again.session.leave()


def kept(harness: SessionHarness) -> list[str]:
    """The texts of the row that is stored for the room."""
    messages: Any = cached(harness)["messages"]
    return [message["content"] for message in messages]


async def test_a_restored_history_is_kept_as_it_is_now(harness: SessionHarness) -> None:
    await harness.join(head=3, messages=[message(1), message(2), message(3)])
    await harness.platform.advance(SAVE_DELAY)
    harness.socket.drop(1006)
    await harness.platform.advance(5)
    other = message(2, messageId="n2", clientMessageId="other", content="said after the backup")
    await harness.open_link(head=2, messages=[message(1), other])
    await harness.platform.advance(SAVE_DELAY)
    assert kept(harness) == ["words 1", "said after the backup"]


async def test_a_deletion_reaches_what_is_kept(harness: SessionHarness) -> None:
    await harness.join(head=3, messages=[message(1), message(2), message(3)])
    await harness.platform.advance(SAVE_DELAY)
    await harness.receive(message(9, epoch="other"))  # the page is requested again
    await harness.platform.advance(GAP_DELAY)
    gone = message(2, content="[deleted]", deleted=True)
    await harness.receive(batch(3, [message(1), gone, message(3)], ref=harness.sent("sync")[-1]["ref"]))
    await harness.platform.advance(SAVE_DELAY)
    assert kept(harness) == ["words 1", "[deleted]", "words 3"]


async def test_a_burst_is_kept_once(harness: SessionHarness) -> None:
    await harness.join()
    writes: list[str] = []
    write = harness.browser.storage.write

    async def counted(table: str, *args: object, **named: object) -> None:
        writes.append(table)
        await write(table, *args, **named)  # type: ignore[arg-type]

    harness.browser.storage.write = counted  # type: ignore[method-assign]
    await harness.receive(*[message(seq) for seq in range(1, 21)])
    await harness.platform.advance(SAVE_DELAY)
    assert writes == ["rooms"]


async def test_signing_out_leaves_nothing_that_was_said(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await harness.platform.advance(SAVE_DELAY)
    assert "words 1" in str(harness.browser.rows("rooms"))
    await harness.receive(message(2))  # about to be kept
    harness.session.leave()
    await harness.platform.advance(2 * SAVE_DELAY)
    assert harness.browser.rows("rooms") == {}
    assert harness.entries() == []
    harness.session.join("Mika")
    await harness.platform.settle()
    assert harness.entries() == []


async def test_signing_out_in_one_tab_leaves_nothing_to_the_others_either(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    other = SessionHarness(harness.browser)
    await other.join(head=1, messages=[message(1)])
    await other.receive(message(2))
    harness.session.leave()
    await harness.platform.settle()
    await other.platform.advance(2 * SAVE_DELAY)
    assert harness.browser.rows("rooms") == {}
    other.session.leave()


async def test_leaving_before_the_page_has_read_what_was_kept_keeps_nothing(harness: SessionHarness) -> None:
    harness.session.join("Mika")
    harness.session.leave()
    await harness.platform.advance(2 * SAVE_DELAY)
    assert harness.browser.rows("rooms") == {}


async def test_another_person_sees_nothing_of_it(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await harness.platform.advance(SAVE_DELAY)
    again = harness.reloaded()
    again.session.join("Ren")
    await again.platform.settle()
    assert again.entries() == []
    again.session.leave()


async def test_a_room_that_was_left_is_forgotten(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.session.enter_room("tea")
    question = harness.sent("join")[-1]
    await harness.receive(batch(1, [message(1, roomId="tea")], roomId="tea", ref=question["ref"]))
    await harness.platform.advance(SAVE_DELAY)
    harness.session.leave_room("tea")
    await harness.platform.advance(SAVE_DELAY)
    assert cached(harness)["seen"] == 1
    again = await reloaded(harness)
    assert [room.room_id for room in again.state.rooms] == ["general"]
    again.session.leave()


@pytest.mark.parametrize("comes_back", [True, False])
async def test_what_was_read_stays_read_after_a_reload(harness: SessionHarness, comes_back: bool) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.session.enter_room("tea")
    question = harness.sent("join")[-1]
    await harness.receive(batch(0, [], roomId="tea", ref=question["ref"]))
    harness.session.enter_room("general")
    await harness.receive(message(1, roomId="tea"))
    await harness.platform.advance(SAVE_DELAY)
    harness.session.enter_room("tea")
    if comes_back:
        harness.session.enter_room("general")
    again = await reloaded(harness)
    assert again.state.rooms == (RoomSummary("general"), RoomSummary("tea"))
    again.session.leave()


async def test_what_was_read_without_a_connection_stays_read_too(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.session.enter_room("tea")
    await harness.receive(message(2))
    again = await reloaded(harness)  # it shows "general"
    await again.platform.advance(SAVE_DELAY)
    last = again.reloaded()
    last.session.enter_room("tea")
    last.session.start()
    await last.platform.settle()
    assert last.state.rooms[0] == RoomSummary("general")
    last.session.leave()


async def test_a_room_left_before_storage_answered_is_not_kept(harness: SessionHarness) -> None:
    harness.session.join("Mika")
    harness.session.enter_room("tea")
    harness.session.leave_room("tea")
    await harness.open_link(head=1, messages=[message(1)])
    again = await reloaded(harness)
    assert [room.room_id for room in again.state.rooms] == ["general"]
    again.session.leave()


async def test_a_room_kept_without_its_first_page_is_entered_anew(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.session.enter_room("tea")
    await harness.receive(message(8, roomId="tea"))
    again = await reloaded(harness)
    assert [room.room_id for room in again.state.rooms] == ["general", "tea"]
    again.socket.accept()
    await again.platform.settle()
    (hello,) = again.sent("hello")
    assert {room["roomId"]: room["after"] for room in hello["rooms"]} == {"general": 1, "tea": None}
    again.session.leave()


@pytest.mark.parametrize(
    "kept",
    [
        "{",
        "7",
        '{"enteredAt": 1}',
        '{"enteredAt": 1, "seen": 0, "epoch": null, "messages": 7}',
        '{"enteredAt": 1, "seen": 0, "epoch": "e", "messages": [{"type": "message"}]}',
        json.dumps({"enteredAt": 1, "seen": 0, "epoch": "e", "messages": [message(1), message(3)]}),
    ],
)
async def test_what_was_kept_and_cannot_be_read_is_asked_for_again(
    harness: SessionHarness, kept: str
) -> None:
    await harness.join(head=1, messages=[message(1)])
    await harness.platform.advance(SAVE_DELAY)
    rows = harness.browser.rows("rooms")
    rows[next(iter(rows))] = kept
    again = harness.reloaded()
    again.session.start()
    await again.open_link(head=1, messages=[message(1)])
    assert again.sent("hello")[0]["rooms"][0]["after"] is None
    assert again.entries() == [("words 1", Delivery.RECEIVED)]
    again.session.leave()


async def test_storage_that_fails_leaves_the_chat_working(harness: SessionHarness) -> None:
    harness.browser.storage.is_broken = True
    await harness.join(head=1, messages=[message(1)])
    await harness.platform.advance(SAVE_DELAY)
    assert harness.entries() == [("words 1", Delivery.RECEIVED)]
    assert harness.state.notice is None
