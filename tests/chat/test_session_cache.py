"""What an earlier page knew is shown at once, and only what came since is asked for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from chat.cache import MAX_MESSAGES, SAVE_DELAY
from chat.store import RoomSummary
from chat.timeline import Delivery
from tests.chat.stage import Stage, ack, batch, message


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    stage.session.leave()
    await stage.platform.settle()
    assert stage.platform.clock.armed == 0, "a timer is left after leaving"


async def reloaded(stage: Stage) -> Stage:
    await stage.platform.advance(SAVE_DELAY)
    again = stage.reloaded()
    again.session.start()
    await again.platform.settle()
    return again


def cached(stage: Stage) -> dict[str, object]:
    (text,) = stage.browser.rows("rooms").values()
    row: dict[str, object] = json.loads(text)
    return row


async def test_a_reload_shows_what_was_known_before_any_connection(stage: Stage) -> None:
    await stage.join(head=2, messages=[message(1), message(2)])
    await stage.say("mine")
    await stage.receive(ack("c1", 3))
    again = await reloaded(stage)
    assert not again.state.is_connected
    assert again.entries() == [
        ("words 1", Delivery.RECEIVED),
        ("words 2", Delivery.RECEIVED),
        ("mine", Delivery.SENT),
    ]
    assert not again.state.caught_up
    again.session.leave()


async def test_a_deleted_message_is_one_after_a_reload_too(stage: Stage) -> None:
    await stage.join(head=2, messages=[message(1), message(2, content="[deleted]", deleted=True)])
    again = await reloaded(stage)
    assert [entry.deleted for entry in again.state.timeline.entries] == [False, True]
    again.session.leave()


async def test_hello_asks_only_for_what_came_since(stage: Stage) -> None:
    await stage.join(head=2, messages=[message(1), message(2)])
    again = await reloaded(stage)
    await again.open_link(head=3, messages=[message(3)])
    (hello,) = again.sent("hello")
    assert hello["rooms"] == [{"roomId": "general", "after": 2, "epoch": "e"}]
    assert [content for content, _ in again.entries()] == ["words 1", "words 2", "words 3"]
    again.session.leave()


async def test_a_server_with_another_history_makes_the_page_forget_what_it_kept(stage: Stage) -> None:
    await stage.join(head=2, messages=[message(1), message(2)])
    again = await reloaded(stage)
    await again.open_link(head=1, messages=[message(1, epoch="new", content="another")], epoch="new")
    assert again.entries() == [("another", Delivery.RECEIVED)]
    again.session.leave()


async def test_the_newest_two_hundred_are_kept_and_the_earlier_come_by_scrolling(stage: Stage) -> None:
    head = MAX_MESSAGES + 50
    await stage.join(head=head, messages=[message(seq) for seq in range(1, head + 1)])
    again = await reloaded(stage)
    assert (again.state.timeline.first_seq, again.state.timeline.last_seq) == (51, head)
    await again.open_link(head=head)
    again.session.load_earlier()
    assert [frame["before"] for frame in again.sent("history")] == [51]
    again.session.leave()


async def test_only_what_follows_without_a_gap_is_kept(stage: Stage) -> None:
    await stage.join(head=2, messages=[message(1), message(2)])
    await stage.receive(message(4))
    again = await reloaded(stage)
    assert again.state.timeline.last_seq == 2
    again.session.leave()


async def test_a_burst_is_kept_once(stage: Stage) -> None:
    await stage.join()
    writes: list[str] = []
    write = stage.browser.storage.write

    async def counted(table: str, *args: object, **named: object) -> None:
        writes.append(table)
        await write(table, *args, **named)  # type: ignore[arg-type]

    stage.browser.storage.write = counted  # type: ignore[method-assign]
    await stage.receive(*[message(seq) for seq in range(1, 21)])
    await stage.platform.advance(SAVE_DELAY)
    assert writes == ["rooms"]


async def test_signing_out_leaves_nothing_that_was_said(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    await stage.platform.advance(SAVE_DELAY)
    assert "words 1" in str(stage.browser.rows("rooms"))
    await stage.receive(message(2))  # about to be kept
    stage.session.leave()
    await stage.platform.advance(2 * SAVE_DELAY)
    assert stage.browser.rows("rooms") == {}
    assert stage.entries() == []
    stage.session.join("Mika")
    await stage.platform.settle()
    assert stage.entries() == []


async def test_signing_out_in_one_tab_leaves_nothing_to_the_others_either(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    other = Stage(stage.browser)
    await other.join(head=1, messages=[message(1)])
    await other.receive(message(2))
    stage.session.leave()
    await stage.platform.settle()
    await other.platform.advance(2 * SAVE_DELAY)
    assert stage.browser.rows("rooms") == {}
    other.session.leave()


async def test_leaving_before_the_page_has_read_what_was_kept_keeps_nothing(stage: Stage) -> None:
    stage.session.join("Mika")
    stage.session.leave()
    await stage.platform.advance(2 * SAVE_DELAY)
    assert stage.browser.rows("rooms") == {}


async def test_another_person_sees_nothing_of_it(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    await stage.platform.advance(SAVE_DELAY)
    again = stage.reloaded()
    again.session.join("Ren")
    await again.platform.settle()
    assert again.entries() == []
    again.session.leave()


async def test_a_room_that_was_left_is_forgotten(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.session.enter_room("tea")
    question = stage.sent("join")[-1]
    await stage.receive(batch(1, [message(1, roomId="tea")], roomId="tea", ref=question["ref"]))
    await stage.platform.advance(SAVE_DELAY)
    stage.session.leave_room("tea")
    await stage.platform.advance(SAVE_DELAY)
    assert cached(stage)["seen"] == 1
    again = await reloaded(stage)
    assert [room.room_id for room in again.state.rooms] == ["general"]
    again.session.leave()


@pytest.mark.parametrize("comes_back", [True, False])
async def test_what_was_read_stays_read_after_a_reload(stage: Stage, comes_back: bool) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.session.enter_room("tea")
    question = stage.sent("join")[-1]
    await stage.receive(batch(0, [], roomId="tea", ref=question["ref"]))
    stage.session.enter_room("general")
    await stage.receive(message(1, roomId="tea"))
    await stage.platform.advance(SAVE_DELAY)
    stage.session.enter_room("tea")
    if comes_back:
        stage.session.enter_room("general")
    again = await reloaded(stage)
    assert again.state.rooms == (RoomSummary("general"), RoomSummary("tea"))
    again.session.leave()


async def test_what_was_read_without_a_connection_stays_read_too(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.session.enter_room("tea")
    await stage.receive(message(2))
    again = await reloaded(stage)  # it shows "general"
    await again.platform.advance(SAVE_DELAY)
    last = again.reloaded()
    last.session.enter_room("tea")
    last.session.start()
    await last.platform.settle()
    assert last.state.rooms[0] == RoomSummary("general")
    last.session.leave()


async def test_a_room_left_before_storage_answered_is_not_kept(stage: Stage) -> None:
    stage.session.join("Mika")
    stage.session.enter_room("tea")
    stage.session.leave_room("tea")
    await stage.open_link(head=1, messages=[message(1)])
    again = await reloaded(stage)
    assert [room.room_id for room in again.state.rooms] == ["general"]
    again.session.leave()


async def test_a_room_kept_without_its_first_page_is_entered_anew(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.session.enter_room("tea")
    await stage.receive(message(8, roomId="tea"))
    again = await reloaded(stage)
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
async def test_what_was_kept_and_cannot_be_read_is_asked_for_again(stage: Stage, kept: str) -> None:
    await stage.join(head=1, messages=[message(1)])
    await stage.platform.advance(SAVE_DELAY)
    rows = stage.browser.rows("rooms")
    rows[next(iter(rows))] = kept
    again = stage.reloaded()
    again.session.start()
    await again.open_link(head=1, messages=[message(1)])
    assert again.sent("hello")[0]["rooms"][0]["after"] is None
    assert again.entries() == [("words 1", Delivery.RECEIVED)]
    again.session.leave()


async def test_storage_that_fails_leaves_the_chat_working(stage: Stage) -> None:
    stage.browser.storage.is_broken = True
    await stage.join(head=1, messages=[message(1)])
    await stage.platform.advance(SAVE_DELAY)
    assert stage.entries() == [("words 1", Delivery.RECEIVED)]
    assert stage.state.notice is None
