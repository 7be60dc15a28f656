"""Several rooms at once: each catches up, stays live, and is left without disturbing the others."""

from __future__ import annotations

import pytest

from chat.protocol import MAX_ROOMS_PER_HELLO
from chat.store import NoticeKind, RoomSummary
from tests.chat.session_harness import SessionHarness, ack, batch, message


async def enter(harness: SessionHarness, room_id: str, head: int = 0) -> None:
    """Go to a room that has so many messages, and catch up in it."""
    harness.session.enter_room(room_id)
    question = harness.sent("join")[-1]
    assert question["roomId"] == room_id
    messages = [message(seq, roomId=room_id) for seq in range(1, head + 1)]
    await harness.receive(batch(head, messages, roomId=room_id, ref=question["ref"]))


async def test_going_to_another_room_catches_up_there_and_stays_in_the_first(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.session.enter_room("tea")
    assert harness.sent("leave") == []
    (question,) = harness.sent("join")
    assert question["roomId"] == "tea"
    assert harness.entries() == []
    assert not harness.state.caught_up
    assert harness.state.catching_up
    await harness.receive(batch(1, [message(1, roomId="tea")], roomId="tea", ref=question["ref"]))
    assert harness.state.caught_up
    assert len(harness.state.timeline) == 1


async def test_what_is_said_in_another_room_is_counted_until_it_is_shown(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await enter(harness, "tea")
    await harness.receive(
        message(2), message(3), message(4, senderId="id-of-Mika", clientMessageId="other-tab")
    )
    assert harness.state.rooms == (RoomSummary("general", unread=2), RoomSummary("tea"))
    harness.session.enter_room("general")
    assert harness.state.rooms == (RoomSummary("general"), RoomSummary("tea"))
    assert [content for content, _ in harness.entries()] == ["words 1", "words 2", "words 3", "words 4"]
    assert harness.state.caught_up
    assert len(harness.sent("join")) == 1


async def test_each_new_link_says_hello_for_every_room_and_waits_for_all(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await enter(harness, "tea", head=2)
    harness.socket.drop()
    await harness.platform.advance(2)
    harness.socket.accept()
    await harness.platform.settle()
    (hello,) = harness.sent("hello")
    assert [(room["roomId"], room["after"]) for room in hello["rooms"]] == [("general", 1), ("tea", 2)]
    await harness.receive(
        {"type": "ready", "connectionId": "x=", "userId": "id-of-Mika", "serverTime": 1},
        batch(2, [], roomId="tea"),
    )
    assert not harness.state.is_connected
    await harness.receive(batch(1, []))
    assert harness.state.is_connected
    assert harness.state.caught_up


async def test_a_gap_in_a_hidden_room_is_requested_too(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await enter(harness, "tea")
    await harness.receive(message(3))
    await harness.platform.advance(0.21)
    (question,) = harness.sent("sync")
    assert (question["roomId"], question["after"]) == ("general", 1)


async def test_a_room_entered_during_preparation_is_joined_afterwards(harness: SessionHarness) -> None:
    harness.session.join("Mika")
    await harness.platform.settle()
    harness.socket.accept()
    await harness.platform.settle()
    harness.session.enter_room("tea")
    assert harness.socket.actions == ["hello"]
    await harness.receive(
        {"type": "ready", "connectionId": "x=", "userId": "id-of-Mika", "serverTime": 1}, batch(0, [])
    )
    assert [frame["roomId"] for frame in harness.sent("join")] == ["tea"]


async def test_leaving_a_room_shows_the_one_that_was_visited_before(harness: SessionHarness) -> None:
    await harness.join()
    await enter(harness, "tea")
    await enter(harness, "garden")
    harness.session.leave_room("garden")
    assert harness.state.room_id == "tea"
    assert harness.sent("leave") == [{"action": "leave", "roomId": "garden"}]
    assert [room.room_id for room in harness.state.rooms] == ["general", "tea"]
    await harness.receive(message(1, roomId="garden"))
    assert [room.unread for room in harness.state.rooms] == [0, 0]


async def test_leaving_a_room_that_is_not_shown_moves_nobody(harness: SessionHarness) -> None:
    await harness.join()
    await enter(harness, "tea")
    harness.session.leave_room("general")
    harness.session.leave_room("nowhere")
    assert harness.state.room_id == "tea"
    harness.session.leave_room("tea")  # the last one
    assert [room.room_id for room in harness.state.rooms] == ["tea"]


async def test_a_lost_leave_is_sent_again_after_a_pong(
    harness: SessionHarness,
) -> None:
    await harness.join()
    await enter(harness, "tea")
    harness.session.leave_room("tea")
    heads = [{"roomId": room_id, "epoch": "e", "seq": 0} for room_id in ("general", "tea")]
    await harness.receive({"type": "pong", "heads": heads})
    assert [frame["roomId"] for frame in harness.sent("leave")] == ["tea", "tea"]


async def test_before_the_link_stands_no_room_is_left(harness: SessionHarness) -> None:
    harness.session.join("Mika")
    await harness.platform.settle()
    harness.socket.accept()
    await harness.platform.settle()
    await harness.receive(
        {"type": "ready", "connectionId": "x=", "userId": "id-of-Mika", "serverTime": 1},
        {"type": "pong", "heads": [{"roomId": "tea", "epoch": "e", "seq": 0}]},
    )
    assert harness.sent("leave") == []
    assert not harness.state.is_connected


async def test_after_a_join_the_server_is_asked_where_it_has_us(harness: SessionHarness) -> None:
    await harness.join()
    await enter(harness, "tea")
    assert harness.socket.actions[-1] == "ping"
    await harness.receive({"type": "pong", "heads": [{"roomId": "general", "epoch": "e", "seq": 0}]})
    assert [frame["roomId"] for frame in harness.sent("join")] == ["tea", "tea"]


async def test_a_late_batch_does_not_enter_a_room_again(harness: SessionHarness) -> None:
    await harness.join()
    harness.session.enter_room("tea")
    (question,) = harness.sent("join")
    harness.session.leave_room("tea")
    await harness.receive(batch(1, [message(1, roomId="tea")], roomId="tea", ref=question["ref"]))
    assert [room.room_id for room in harness.state.rooms] == ["general"]
    assert harness.state.caught_up


async def test_the_room_visited_longest_ago_is_left_when_there_are_too_many(harness: SessionHarness) -> None:
    await harness.join()
    for number in range(MAX_ROOMS_PER_HELLO - 1):
        await enter(harness, f"room-{number}")
    harness.session.enter_room("general")
    await enter(harness, "one-too-many")
    rooms = [room.room_id for room in harness.state.rooms]
    assert len(rooms) == MAX_ROOMS_PER_HELLO
    assert "general" in rooms
    assert "room-0" not in rooms
    assert harness.sent("leave") == [{"action": "leave", "roomId": "room-0"}]


@pytest.mark.parametrize("named_by", ["ref", "roomId"])
async def test_a_forbidden_room_gives_one_notice_and_no_more_requests(
    harness: SessionHarness, named_by: str
) -> None:
    await harness.join()
    harness.session.enter_room("secret")
    (question,) = harness.sent("join")
    name = {"ref": question["ref"], "roomId": "secret"}[named_by]
    await harness.receive({"type": "error", "code": "forbidden", "message": "not for you", named_by: name})
    assert harness.state.notice is not None
    assert (harness.state.notice.kind, harness.state.notice.params) == (
        NoticeKind.ROOM_CLOSED,
        {"room": "secret"},
    )
    assert not harness.state.catching_up
    assert not harness.state.caught_up
    harness.session.dismiss_notice()
    await harness.receive({"type": "pong", "heads": [{"roomId": "general", "epoch": "e", "seq": 0}]})
    await harness.platform.advance(20)
    assert len(harness.sent("join")) == 1
    assert harness.state.notice is None


async def test_a_closed_room_in_hello_keeps_nobody_from_connecting(harness: SessionHarness) -> None:
    harness.session.enter_room("secret")
    harness.session.join("Mika")
    await harness.platform.settle()
    harness.socket.accept()
    await harness.platform.settle()
    await harness.receive(
        {"type": "ready", "connectionId": "x=", "userId": "id-of-Mika", "serverTime": 1},
        {"type": "error", "code": "forbidden", "message": "not for you", "roomId": "secret"},
    )
    assert harness.state.is_connected
    assert not harness.state.caught_up
    assert not harness.state.catching_up


async def test_rooms_of_an_earlier_page_return_with_messages_and_unread(
    harness: SessionHarness,
) -> None:
    await harness.join(head=1, messages=[message(1)])
    await enter(harness, "tea", head=2)
    await harness.receive(message(2))
    await harness.platform.advance(1.1)
    again = harness.reloaded()
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


async def test_messages_waiting_in_a_left_room_show_after_returning(harness: SessionHarness) -> None:
    await harness.join()
    await enter(harness, "tea")
    harness.socket.drop()
    await harness.send("later")
    harness.session.leave_room("tea")
    assert harness.entries() == []
    harness.session.enter_room("tea")
    assert [content for content, _ in harness.entries()] == ["later"]


async def test_what_waits_in_a_room_that_was_left_is_sent_unseen(harness: SessionHarness) -> None:
    await harness.join()
    await enter(harness, "tea")
    harness.socket.drop()
    await harness.send("later")
    harness.session.leave_room("tea")
    again = harness.reloaded()
    again.session.start()
    await again.open_link()
    assert [frame["content"] for frame in again.sent("sendMessage")] == ["later"]
    assert again.entries() == []
    assert [room.room_id for room in again.state.rooms] == ["general"]
    again.session.leave()


async def test_an_ack_for_a_room_that_was_left_settles_the_message(harness: SessionHarness) -> None:
    await harness.join()
    await enter(harness, "tea")
    await harness.send("bye")
    harness.session.leave_room("tea")
    assert harness.state.waiting == 1
    await harness.receive(ack("c1", 1, roomId="tea"))
    assert harness.state.waiting == 0
    assert harness.browser.rows("outbox") == {}


async def test_a_room_entered_on_a_closing_socket_is_in_the_next_hello(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.is_open = False  # CLOSING: the page has not been told yet
    harness.session.enter_room("tea")
    harness.socket.drop()
    await harness.platform.advance(2)
    harness.socket.accept()
    await harness.platform.settle()
    (hello,) = harness.sent("hello")
    assert [room["roomId"] for room in hello["rooms"]] == ["general", "tea"]


async def test_rooms_read_after_their_person_left_are_not_entered_by_the_next() -> None:
    harness = SessionHarness()
    await harness.join()
    await enter(harness, "side", head=1)
    await harness.platform.advance(5)
    again = harness.reloaded()
    again.browser.storage.is_stuck = True
    again.session.start()
    await again.platform.settle()
    again.session.leave()
    again.session.join("Ren")
    await again.platform.settle()
    again.browser.storage.release()
    await again.open_link()
    assert [room["roomId"] for room in again.sent("hello")[0]["rooms"]] == ["general"]
    again.session.leave()
    await again.platform.settle()
