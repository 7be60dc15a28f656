"""Several rooms at once: each catches up, stays live, and is left without disturbing the others."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chat.protocol import MAX_ROOMS_PER_HELLO
from chat.store import NoticeKind, RoomSummary
from tests.chat.stage import Stage, ack, batch, message


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    stage.session.leave()
    await stage.platform.settle()
    assert stage.platform.clock.armed == 0, "a timer is left after leaving"


async def enter(stage: Stage, room_id: str, head: int = 0) -> None:
    """Go to a room that has so many messages, and catch up in it."""
    stage.session.enter_room(room_id)
    question = stage.sent("join")[-1]
    assert question["roomId"] == room_id
    messages = [message(seq, roomId=room_id) for seq in range(1, head + 1)]
    await stage.receive(batch(head, messages, roomId=room_id, ref=question["ref"]))


async def test_going_to_another_room_catches_up_there_and_stays_in_the_first(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.session.enter_room("tea")
    assert stage.sent("leave") == []
    (question,) = stage.sent("join")
    assert question["roomId"] == "tea"
    assert stage.entries() == []
    assert not stage.state.caught_up
    assert stage.state.catching_up
    await stage.receive(batch(1, [message(1, roomId="tea")], roomId="tea", ref=question["ref"]))
    assert stage.state.caught_up
    assert len(stage.state.timeline) == 1


async def test_what_is_said_in_another_room_is_counted_until_it_is_shown(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    await enter(stage, "tea")
    await stage.receive(
        message(2), message(3), message(4, senderId="id-of-Mika", clientMessageId="other-tab")
    )
    assert stage.state.rooms == (RoomSummary("general", unread=2), RoomSummary("tea"))
    stage.session.enter_room("general")
    assert stage.state.rooms == (RoomSummary("general"), RoomSummary("tea"))
    assert [content for content, _ in stage.entries()] == ["words 1", "words 2", "words 3", "words 4"]
    assert stage.state.caught_up
    assert len(stage.sent("join")) == 1


async def test_each_new_link_says_hello_for_every_room_and_waits_for_all(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    await enter(stage, "tea", head=2)
    stage.socket.drop()
    await stage.platform.advance(2)
    stage.socket.accept()
    await stage.platform.settle()
    (hello,) = stage.sent("hello")
    assert [(room["roomId"], room["after"]) for room in hello["rooms"]] == [("general", 1), ("tea", 2)]
    await stage.receive(
        {"type": "ready", "connectionId": "x=", "userId": "id-of-Mika", "serverTime": 1},
        batch(2, [], roomId="tea"),
    )
    assert not stage.state.is_connected
    await stage.receive(batch(1, []))
    assert stage.state.is_connected
    assert stage.state.caught_up


async def test_a_gap_in_a_hidden_room_is_requested_too(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    await enter(stage, "tea")
    await stage.receive(message(3))
    await stage.platform.advance(0.21)
    (question,) = stage.sent("sync")
    assert (question["roomId"], question["after"]) == ("general", 1)


async def test_a_room_entered_during_preparation_is_joined_afterwards(stage: Stage) -> None:
    stage.session.join("Mika")
    await stage.platform.settle()
    stage.socket.accept()
    await stage.platform.settle()
    stage.session.enter_room("tea")
    assert stage.socket.actions == ["hello"]
    await stage.receive(
        {"type": "ready", "connectionId": "x=", "userId": "id-of-Mika", "serverTime": 1}, batch(0, [])
    )
    assert [frame["roomId"] for frame in stage.sent("join")] == ["tea"]


async def test_leaving_a_room_shows_the_one_that_was_visited_before(stage: Stage) -> None:
    await stage.join()
    await enter(stage, "tea")
    await enter(stage, "garden")
    stage.session.leave_room("garden")
    assert stage.state.room_id == "tea"
    assert stage.sent("leave") == [{"action": "leave", "roomId": "garden"}]
    assert [room.room_id for room in stage.state.rooms] == ["general", "tea"]
    await stage.receive(message(1, roomId="garden"))
    assert [room.unread for room in stage.state.rooms] == [0, 0]


async def test_leaving_a_room_that_is_not_shown_moves_nobody(stage: Stage) -> None:
    await stage.join()
    await enter(stage, "tea")
    stage.session.leave_room("general")
    stage.session.leave_room("nowhere")
    assert stage.state.room_id == "tea"
    stage.session.leave_room("tea")  # the last one
    assert [room.room_id for room in stage.state.rooms] == ["tea"]


async def test_a_lost_leave_is_sent_again_after_a_pong(
    stage: Stage,
) -> None:
    await stage.join()
    await enter(stage, "tea")
    stage.session.leave_room("tea")
    heads = [{"roomId": room_id, "epoch": "e", "seq": 0} for room_id in ("general", "tea")]
    await stage.receive({"type": "pong", "heads": heads})
    assert [frame["roomId"] for frame in stage.sent("leave")] == ["tea", "tea"]


async def test_before_the_link_stands_no_room_is_left(stage: Stage) -> None:
    stage.session.join("Mika")
    await stage.platform.settle()
    stage.socket.accept()
    await stage.platform.settle()
    await stage.receive(
        {"type": "ready", "connectionId": "x=", "userId": "id-of-Mika", "serverTime": 1},
        {"type": "pong", "heads": [{"roomId": "tea", "epoch": "e", "seq": 0}]},
    )
    assert stage.sent("leave") == []
    assert not stage.state.is_connected


async def test_after_a_join_the_server_is_asked_where_it_has_us(stage: Stage) -> None:
    await stage.join()
    await enter(stage, "tea")
    assert stage.socket.actions[-1] == "ping"
    await stage.receive({"type": "pong", "heads": [{"roomId": "general", "epoch": "e", "seq": 0}]})
    assert [frame["roomId"] for frame in stage.sent("join")] == ["tea", "tea"]


async def test_a_late_batch_does_not_enter_a_room_again(stage: Stage) -> None:
    await stage.join()
    stage.session.enter_room("tea")
    (question,) = stage.sent("join")
    stage.session.leave_room("tea")
    await stage.receive(batch(1, [message(1, roomId="tea")], roomId="tea", ref=question["ref"]))
    assert [room.room_id for room in stage.state.rooms] == ["general"]
    assert stage.state.caught_up


async def test_the_room_visited_longest_ago_is_left_when_there_are_too_many(stage: Stage) -> None:
    await stage.join()
    for number in range(MAX_ROOMS_PER_HELLO - 1):
        await enter(stage, f"room-{number}")
    stage.session.enter_room("general")
    await enter(stage, "one-too-many")
    rooms = [room.room_id for room in stage.state.rooms]
    assert len(rooms) == MAX_ROOMS_PER_HELLO
    assert "general" in rooms
    assert "room-0" not in rooms
    assert stage.sent("leave") == [{"action": "leave", "roomId": "room-0"}]


@pytest.mark.parametrize("named_by", ["ref", "roomId"])
async def test_a_forbidden_room_gives_one_notice_and_no_more_requests(stage: Stage, named_by: str) -> None:
    await stage.join()
    stage.session.enter_room("secret")
    (question,) = stage.sent("join")
    name = {"ref": question["ref"], "roomId": "secret"}[named_by]
    await stage.receive({"type": "error", "code": "forbidden", "message": "not for you", named_by: name})
    assert stage.state.notice is not None
    assert (stage.state.notice.kind, stage.state.notice.params) == (
        NoticeKind.ROOM_CLOSED,
        {"room": "secret"},
    )
    assert not stage.state.catching_up
    assert not stage.state.caught_up
    stage.session.dismiss_notice()
    await stage.receive({"type": "pong", "heads": [{"roomId": "general", "epoch": "e", "seq": 0}]})
    await stage.platform.advance(20)
    assert len(stage.sent("join")) == 1
    assert stage.state.notice is None


async def test_a_closed_room_in_hello_keeps_nobody_from_connecting(stage: Stage) -> None:
    stage.session.enter_room("secret")
    stage.session.join("Mika")
    await stage.platform.settle()
    stage.socket.accept()
    await stage.platform.settle()
    await stage.receive(
        {"type": "ready", "connectionId": "x=", "userId": "id-of-Mika", "serverTime": 1},
        {"type": "error", "code": "forbidden", "message": "not for you", "roomId": "secret"},
    )
    assert stage.state.is_connected
    assert not stage.state.caught_up
    assert not stage.state.catching_up


async def test_rooms_of_an_earlier_page_return_with_messages_and_unread(
    stage: Stage,
) -> None:
    await stage.join(head=1, messages=[message(1)])
    await enter(stage, "tea", head=2)
    await stage.receive(message(2))
    await stage.platform.advance(1.1)
    again = stage.reloaded()
    again.session.enter_room("tea")
    again.session.start()
    await again.platform.settle()
    assert again.state.rooms == (RoomSummary("general", unread=1), RoomSummary("tea"))
    assert [content for content, _ in again.entries()] == ["words 1", "words 2"]
    again.socket.accept()
    await again.platform.settle()
    (hello,) = again.sent("hello")
    assert {room["roomId"]: room["after"] for room in hello["rooms"]} == {"general": 2, "tea": 2}
    again.session.leave()


async def test_messages_waiting_in_a_left_room_show_after_returning(stage: Stage) -> None:
    await stage.join()
    await enter(stage, "tea")
    stage.socket.drop()
    await stage.say("later")
    stage.session.leave_room("tea")
    assert stage.entries() == []
    stage.session.enter_room("tea")
    assert [content for content, _ in stage.entries()] == ["later"]


async def test_what_waits_in_a_room_that_was_left_is_sent_unseen(stage: Stage) -> None:
    await stage.join()
    await enter(stage, "tea")
    stage.socket.drop()
    await stage.say("later")
    stage.session.leave_room("tea")
    again = stage.reloaded()
    again.session.start()
    await again.open_link()
    assert [frame["content"] for frame in again.sent("sendMessage")] == ["later"]
    assert again.entries() == []
    assert [room.room_id for room in again.state.rooms] == ["general"]
    again.session.leave()


async def test_an_ack_for_a_room_that_was_left_settles_the_message(stage: Stage) -> None:
    await stage.join()
    await enter(stage, "tea")
    await stage.say("bye")
    stage.session.leave_room("tea")
    assert stage.state.waiting == 1
    await stage.receive(ack("c1", 1, roomId="tea"))
    assert stage.state.waiting == 0
    assert stage.browser.rows("outbox") == {}


async def test_a_room_entered_on_a_closing_socket_is_in_the_next_hello(stage: Stage) -> None:
    await stage.join()
    stage.socket.is_open = False  # CLOSING: the page has not been told yet
    stage.session.enter_room("tea")
    stage.socket.drop()
    await stage.platform.advance(2)
    stage.socket.accept()
    await stage.platform.settle()
    (hello,) = stage.sent("hello")
    assert [room["roomId"] for room in hello["rooms"]] == ["general", "tea"]
