"""The chat's own behaviour, with the test as server and virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from chat.store import NoticeKind
from chat.timeline import Delivery
from kizuna.core.states import Status
from tests.chat.stage import Stage, ack, batch, message


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    stage.session.leave()
    await stage.platform.settle()
    assert stage.platform.clock.armed == 0, "a timer is left after leaving"
    assert len(asyncio.all_tasks()) == 1, "a task is left after leaving"


# --- entering and leaving ---


async def test_a_page_that_nobody_joined_opens_no_socket(stage: Stage) -> None:
    stage.session.start()
    stage.platform.hide()
    stage.platform.show()
    await stage.platform.advance(60)
    assert stage.platform.sockets == []
    assert stage.state.name is None


async def test_joining_says_hello_with_the_room_and_shows_its_newest_page(stage: Stage) -> None:
    await stage.join(head=2, messages=[message(1), message(2)])
    assert stage.sent("hello") == [
        {"action": "hello", "v": 1, "rooms": [{"roomId": "general", "after": None, "epoch": None}]}
    ]
    assert stage.entries() == [("words 1", Delivery.RECEIVED), ("words 2", Delivery.RECEIVED)]
    assert stage.state.caught_up
    assert stage.state.is_connected
    assert stage.state.user_id == "id-of-Mika"


async def test_joining_twice_opens_one_socket(stage: Stage) -> None:
    stage.session.join("Mika")
    stage.session.join("Mika")
    await stage.open_link()
    stage.session.join("Mika")
    await stage.platform.settle()
    assert len(stage.platform.sockets) == 1


async def test_a_remembered_name_joins_by_itself_and_is_the_same_person(stage: Stage) -> None:
    await stage.join()
    again = stage.reloaded()
    again.session.start()
    await again.open_link()
    assert again.state.name == "Mika"
    assert again.tokens_asked[0]["clientSecret"] == stage.tokens_asked[0]["clientSecret"]
    again.session.leave()


async def test_who_left_stays_away_across_reloads_until_joining(stage: Stage) -> None:
    await stage.join()
    stage.session.leave()
    assert stage.state.connection.status is Status.CLOSED
    assert stage.state.name is None
    await stage.platform.advance(120)
    assert len(stage.platform.sockets) == 1
    again = stage.reloaded()
    again.session.start()
    assert again.state.connection.status is Status.CLOSED
    await again.platform.advance(120)
    assert again.platform.sockets == []
    assert again.state.suggested_name == "Mika"
    again.session.join("Mika")
    await again.open_link()
    assert again.state.connection.status is Status.CONNECTED
    again.session.leave()


async def test_who_left_stays_away_though_the_secret_is_gone(stage: Stage) -> None:
    await stage.join()
    stage.session.leave()
    for key in [key for key in stage.settings if key.startswith("kizuna.secret-for.")]:
        del stage.settings[key]
    again = stage.reloaded()
    again.session.start()
    await again.platform.advance(120)
    assert again.state.connection.status is Status.CLOSED
    assert again.platform.sockets == []


async def test_a_page_that_nobody_joined_has_nothing_earlier_to_load(stage: Stage) -> None:
    stage.session.load_earlier()
    assert not stage.state.loading_earlier


async def test_trying_by_hand_connects_without_waiting(stage: Stage) -> None:
    await stage.join()
    stage.socket.drop()
    stage.session.try_now()
    await stage.platform.settle()
    assert len(stage.platform.sockets) == 2
    await stage.open_link()
    assert stage.state.is_connected


async def test_a_name_that_cannot_be_shown_is_refused_with_the_reason(stage: Stage) -> None:
    stage.session.join("  ")
    assert stage.state.notice is not None
    assert stage.state.notice.kind is NoticeKind.NAME_REFUSED
    assert stage.state.name is None


async def test_another_name_is_another_person_and_never_sends_the_firsts_words(stage: Stage) -> None:
    await stage.join()
    stage.socket.drop()
    assert await stage.say("Mika's words")
    stage.session.leave()
    stage.session.join("Ren")
    await stage.open_link()
    assert stage.tokens_asked[-1]["clientSecret"] != stage.tokens_asked[0]["clientSecret"]
    assert stage.sent("sendMessage") == []
    assert stage.entries() == []


async def test_an_ack_of_a_hidden_message_keeps_its_broadcast(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.socket.receive(ack("from-another-tab", 2))
    stage.socket.receive(message(2, clientMessageId="from-another-tab", senderId="id-of-Mika"))
    assert [content for content, _ in stage.entries()] == ["words 1", "words 2"]
    stage.socket.receive(ack("from-another-tab-too", 3))
    await stage.platform.advance(0.21)
    assert stage.sent("sync")[0]["after"] == 2


async def test_clearing_the_stored_secret_keeps_the_person(stage: Stage) -> None:
    stage.token_lifetime = 1
    await stage.join()
    stage.settings.clear()
    stage.socket.drop()
    await stage.platform.advance(2)
    await stage.open_link()
    first, second = stage.tokens_asked
    assert first["clientSecret"] == second["clientSecret"]


async def test_a_notice_about_the_address_lasts_until_a_valid_room(stage: Stage) -> None:
    stage.session.enter_room("no spaces allowed")
    stage.session.join("Mika")
    assert stage.state.notice is not None
    assert stage.state.notice.kind is NoticeKind.ROOM_REFUSED
    stage.session.enter_room("general")
    assert stage.state.notice is None


# --- sending ---


async def test_ones_own_words_show_at_once_and_nothing_happens_at_the_broadcast(stage: Stage) -> None:
    await stage.join()
    assert await stage.say("hello")
    assert stage.entries() == [("hello", Delivery.SENDING)]
    stage.socket.receive(ack("c1", 1))
    assert stage.entries() == [("hello", Delivery.SENT)]
    timeline = stage.state.timeline
    changes = len(stage.seen_states)
    stage.socket.receive(message(1, clientMessageId="c1", senderId="id-of-Mika", content="hello"))
    assert stage.state.timeline is timeline
    assert len(stage.seen_states) == changes


async def test_the_broadcast_may_come_before_the_ack(stage: Stage) -> None:
    await stage.join()
    await stage.say("hello")
    stage.socket.receive(message(1, clientMessageId="c1", senderId="id-of-Mika", content="hello"))
    stage.socket.receive(ack("c1", 1))
    assert stage.entries() == [("hello", Delivery.SENT)]
    assert stage.state.waiting == 0


async def test_one_message_per_room_is_in_flight_until_its_ack(stage: Stage) -> None:
    await stage.join()
    for text in ("one", "two", "three"):
        await stage.say(text)
    assert [frame["content"] for frame in stage.sent("sendMessage")] == ["one"]
    await stage.receive(ack("c1", 1), ack("c2", 2))
    assert [frame["content"] for frame in stage.sent("sendMessage")] == ["one", "two", "three"]


async def test_messages_typed_offline_are_sent_in_order_after_catching_up(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.socket.drop()
    for text in ("one", "two"):
        assert await stage.say(text)
    assert stage.entries()[1:] == [("one", Delivery.QUEUED), ("two", Delivery.QUEUED)]
    assert stage.state.waiting == 2
    await stage.platform.advance(2)
    await stage.open_link(head=2, messages=[message(2)])
    assert stage.sent("hello")[0]["rooms"] == [{"roomId": "general", "after": 1, "epoch": "e"}]
    stage.socket.receive(ack("c1", 3))
    stage.socket.receive(ack("c2", 4))
    assert [content for content, _ in stage.entries()] == ["words 1", "words 2", "one", "two"]
    assert stage.state.waiting == 0


async def test_a_lost_ack_is_asked_for_again_under_the_same_id(stage: Stage) -> None:
    await stage.join()
    await stage.say("hello")
    await stage.platform.advance(5.1)
    assert [frame["clientMessageId"] for frame in stage.sent("sendMessage")] == ["c1", "c1"]
    assert stage.service.state.status is Status.SUSPECT
    stage.socket.receive(ack("c1", 1, duplicate=True))
    assert stage.service.state.status is Status.CONNECTED
    await stage.platform.advance(30)
    assert len(stage.sent("sendMessage")) == 2


async def test_a_message_on_a_dead_link_is_resent_within_eleven_seconds(stage: Stage) -> None:
    await stage.join()
    dead = stage.socket
    await stage.say("hello")
    await stage.platform.advance(5)
    assert stage.service.state.status is Status.SUSPECT
    await stage.platform.advance(6)
    assert stage.socket is not dead
    await stage.open_link()
    assert [frame["clientMessageId"] for frame in stage.sent("sendMessage")] == ["c1"]


async def test_an_answer_that_asks_for_patience_is_no_reason_to_doubt(stage: Stage) -> None:
    await stage.join()
    await stage.say("hello")
    await stage.receive(
        {
            "type": "nack",
            "clientMessageId": "c1",
            "code": "busy",
            "message": "",
            "retryable": True,
            "retryAfter": 2,
        }
    )
    await stage.platform.advance(2)
    assert len(stage.sent("sendMessage")) == 2
    assert stage.service.state.status is Status.CONNECTED


async def test_a_message_that_was_stored_before_the_drop_is_not_sent_again(stage: Stage) -> None:
    await stage.join()
    await stage.say("hello")
    stage.socket.drop()
    assert stage.entries() == [("hello", Delivery.QUEUED)]
    await stage.platform.advance(2)
    mine = message(1, clientMessageId="c1", senderId="id-of-Mika", content="hello")
    await stage.open_link(head=1, messages=[mine])
    assert stage.entries() == [("hello", Delivery.SENT)]
    assert stage.sent("sendMessage") == []


async def test_a_refused_message_fails_visibly_and_lets_the_next_through(stage: Stage) -> None:
    await stage.join()
    await stage.say("bad")
    await stage.say("good")
    stage.socket.receive(
        {
            "type": "nack",
            "clientMessageId": "c1",
            "code": "forbidden",
            "message": "not here",
            "retryable": False,
        }
    )
    stage.socket.receive(ack("c2", 1))
    assert stage.entries() == [("good", Delivery.SENT), ("bad", Delivery.FAILED)]
    stage.session.retry("c1")
    stage.socket.receive(ack("c1", 2))
    assert stage.entries() == [("good", Delivery.SENT), ("bad", Delivery.SENT)]


async def test_a_refusal_that_comes_after_the_ack_means_nothing(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    await stage.say("hello")
    await stage.receive(ack("c1", 3))  # held: the message before it is missing
    late = {"type": "nack", "clientMessageId": "c1", "code": "rate_limited", "message": "slower"}
    await stage.receive({**late, "retryable": True}, late)
    assert stage.entries()[-1] == ("hello", Delivery.SENT)
    assert stage.state.waiting == 0


async def test_a_message_that_waits_for_its_place_cannot_be_discarded(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    await stage.say("hello")
    await stage.receive(ack("c1", 3))
    stage.session.discard("c1")
    assert stage.entries()[-1] == ("hello", Delivery.SENT)
    assert stage.state.notice is None


async def test_a_failed_message_can_be_discarded(stage: Stage) -> None:
    await stage.join()
    await stage.say("bad")
    stage.socket.receive({"type": "nack", "clientMessageId": "c1", "code": "x", "message": "no"})
    stage.session.discard("c1")
    assert stage.entries() == []
    assert stage.state.waiting == 0


async def test_a_server_that_asks_for_patience_gets_it(stage: Stage) -> None:
    await stage.join()
    await stage.say("fast")
    nack = {"type": "nack", "clientMessageId": "c1", "code": "rate_limited", "message": "slow down"}
    stage.socket.receive({**nack, "retryable": True, "retryAfter": 3})
    await stage.platform.advance(2.9)
    assert len(stage.sent("sendMessage")) == 1
    await stage.platform.advance(0.2)
    assert len(stage.sent("sendMessage")) == 2


async def test_a_message_of_40_kib_is_refused_and_nothing_else_is_touched(stage: Stage) -> None:
    await stage.join()
    assert not await stage.say("x" * 40 * 1024)
    assert stage.state.notice is not None
    assert stage.state.notice.kind is NoticeKind.MESSAGE_REFUSED
    assert stage.state.notice.params == {"problem": "too_large", "count": 24 * 1024}
    assert stage.entries() == []
    assert await stage.say("short")
    assert stage.state.notice is None
    assert stage.state.connection.status is Status.CONNECTED


async def test_what_the_page_tells_is_told_once_while_it_shows(stage: Stage) -> None:
    for _ in range(2):
        stage.session.show_notice(NoticeKind.TEXT_TOO_LONG, limit=64)
    first = stage.state.notice
    assert first is not None
    assert (first.kind, first.params) == (NoticeKind.TEXT_TOO_LONG, {"limit": 64})
    stage.session.show_notice(NoticeKind.ONLY_TEXT)
    stage.session.show_notice(NoticeKind.TEXT_TOO_LONG, limit=64)
    assert stage.state.notice is not None
    assert stage.state.notice.number == first.number + 2


async def test_words_typed_before_the_first_connection_arrive_once(stage: Stage) -> None:
    stage.session.join("Mika")
    assert await stage.say("early")
    await stage.open_link()
    assert stage.entries() == [("early", Delivery.SENDING)]
    stage.socket.receive(ack("c1", 1))
    stage.socket.receive(message(1, clientMessageId="c1", senderId="id-of-Mika", content="early"))
    assert stage.entries() == [("early", Delivery.SENT)]


# --- gaps, order, epochs ---


async def test_a_gap_is_requested_soon_and_nothing_shows_out_of_order(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.socket.receive(message(3))
    assert [content for content, _ in stage.entries()] == ["words 1"]
    await stage.platform.advance(0.21)
    (question,) = stage.sent("sync")
    assert (question["after"], question["epoch"]) == (1, "e")
    stage.socket.receive(batch(3, [message(2), message(3)], ref=question["ref"]))
    assert [content for content, _ in stage.entries()] == ["words 1", "words 2", "words 3"]


async def test_a_second_gap_asks_nothing_while_an_answer_is_awaited(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.socket.receive(message(3))
    await stage.platform.advance(0.21)
    stage.socket.receive(message(5))
    await stage.platform.advance(1)
    (question,) = stage.sent("sync")
    await stage.receive(batch(3, [message(2), message(3)], ref=question["ref"]))
    assert len(stage.entries()) == 3
    await stage.platform.advance(0.21)
    assert [frame["after"] for frame in stage.sent("sync")] == [1, 3]


async def test_frames_that_were_only_reordered_ask_for_nothing(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.socket.receive(message(3))
    stage.socket.receive(message(2))
    await stage.platform.advance(1)
    assert stage.sent("sync") == []


async def test_a_lost_answer_is_asked_for_again(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.socket.receive(message(3))
    await stage.platform.advance(0.21 + 5.1)
    assert len(stage.sent("sync")) == 2


async def test_an_ack_beyond_a_gap_is_held_until_it_is_filled(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    await stage.say("mine")
    stage.socket.receive(ack("c1", 3))
    assert stage.entries()[-1] == ("mine", Delivery.SENT)
    assert stage.state.timeline.last_seq == 1
    await stage.platform.advance(0.21)
    mine = message(3, clientMessageId="c1", senderId="id-of-Mika", content="mine")
    stage.socket.receive(batch(3, [message(2), mine], ref=stage.sent("sync")[0]["ref"]))
    assert [content for content, _ in stage.entries()] == ["words 1", "words 2", "mine"]


async def test_the_heartbeat_finds_a_lost_last_message(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.socket.receive(
        {"type": "pong", "t": None, "heads": [{"roomId": "general", "epoch": "e", "seq": 2}]}
    )
    await stage.platform.advance(0.21)
    assert stage.sent("sync")[0]["after"] == 1


async def test_a_stale_head_means_nothing(stage: Stage) -> None:
    await stage.join(head=2, messages=[message(1), message(2)])
    stage.socket.receive({"type": "pong", "heads": [{"roomId": "general", "epoch": "e", "seq": 1}]})
    await stage.platform.advance(1)
    assert stage.sent("sync") == []


async def test_catching_up_goes_on_until_the_batches_are_complete(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.socket.drop()
    await stage.platform.advance(2)
    await stage.open_link(head=3, messages=[message(2)], next=2, complete=False)
    assert stage.state.connection.status is Status.CONNECTING
    assert stage.state.catching_up
    assert not stage.state.caught_up
    (question,) = stage.sent("sync")
    stage.socket.receive(batch(3, [message(3)], ref=question["ref"]))
    await stage.platform.settle()
    assert stage.state.connection.status is Status.CONNECTED
    assert stage.state.caught_up
    assert not stage.state.catching_up


async def test_a_lost_batch_is_requested_again_before_the_link_counts(stage: Stage) -> None:
    stage.session.join("Mika")
    await stage.platform.settle()
    stage.socket.accept()
    await stage.platform.settle()
    stage.socket.receive({"type": "ready", "connectionId": "x=", "userId": "id-of-Mika", "serverTime": 1})
    await stage.platform.advance(5.1)
    (question,) = stage.sent("sync")
    stage.socket.receive(batch(0, [], ref=question["ref"]))
    await stage.platform.settle()
    assert stage.state.connection.status is Status.CONNECTED


async def test_another_epoch_drops_what_was_shown_and_keeps_what_waits(stage: Stage) -> None:
    await stage.join(head=2, messages=[message(1), message(2)])
    stage.socket.drop()
    await stage.say("mine")
    await stage.platform.advance(2)
    await stage.open_link(head=1, messages=[message(1, epoch="new", messageId="n1")], epoch="new")
    assert [content for content, _ in stage.entries()] == ["words 1", "mine"]
    assert stage.state.notice is not None
    assert stage.state.notice.kind is NoticeKind.HISTORY_RESTORED


async def test_a_gap_too_large_to_replay_shows_the_newest_page(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.socket.drop()
    await stage.platform.advance(2)
    newest = [message(seq) for seq in range(900, 931)]
    await stage.open_link(head=930, messages=newest, limited=True)
    assert (stage.state.timeline.first_seq, stage.state.timeline.last_seq) == (900, 930)
    assert stage.state.caught_up


async def test_earlier_messages_come_by_page_when_asked_for(stage: Stage) -> None:
    await stage.join(head=60, messages=[message(seq) for seq in range(21, 61)])
    stage.session.load_earlier()
    stage.session.load_earlier()
    (question,) = stage.sent("history")
    assert question["before"] == 21
    assert stage.state.loading_earlier
    stage.socket.receive(batch(60, [message(seq) for seq in range(1, 21)], ref=question["ref"]))
    assert (stage.state.timeline.first_seq, len(stage.state.timeline)) == (1, 60)
    assert not stage.state.loading_earlier


# --- heads ---


async def test_a_join_that_the_server_lost_is_noticed_by_the_heartbeat(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.socket.receive({"type": "pong", "heads": []})
    stage.socket.receive({"type": "pong", "heads": []})
    (question,) = stage.sent("join")
    assert (question["roomId"], question["after"]) == ("general", 1)


async def test_a_pong_that_names_no_heads_means_nothing(stage: Stage) -> None:
    await stage.join()
    stage.socket.receive({"type": "pong", "t": 1})
    assert stage.sent("join") == []


async def test_a_server_that_fell_back_behind_what_was_shown_has_another_history(stage: Stage) -> None:
    await stage.join(head=3, messages=[message(1), message(2), message(3)])
    stage.socket.drop()
    await stage.platform.advance(2)
    await stage.open_link(head=1, messages=[message(1, content="another first")])
    assert stage.entries() == [("another first", Delivery.RECEIVED)]
    stage.socket.receive(message(2, content="another second"))
    assert len(stage.entries()) == 2


async def test_a_late_answer_from_before_a_broadcast_drops_nothing(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.socket.receive(message(3))
    await stage.platform.advance(0.21)
    (question,) = stage.sent("sync")
    stage.socket.receive(message(2))
    stage.socket.receive(batch(1, [], ref=question["ref"]))
    assert len(stage.entries()) == 3


async def test_a_room_that_cannot_be_is_refused_and_nothing_changes(stage: Stage) -> None:
    await stage.join()
    stage.session.enter_room("no spaces allowed")
    assert stage.state.room_id == "general"
    assert stage.state.notice is not None
    assert stage.state.notice.kind is NoticeKind.ROOM_REFUSED


# --- what servers do ---


@pytest.mark.parametrize(
    "frame",
    [
        "{not json",
        "[1, 2]",
        '{"type": "nobody-knows-this"}',
        '{"type": 7}',
        '{"type": "message", "roomId": "general"}',
        '{"type": "ack", "clientMessageId": "c1", "seq": "three"}',
    ],
)
async def test_a_frame_that_cannot_be_read_is_reported_and_survived(stage: Stage, frame: str) -> None:
    await stage.join()
    stage.socket.receive(frame)
    assert stage.state.notice is not None
    assert stage.state.notice.kind is NoticeKind.BAD_FRAME
    stage.socket.receive(message(1))
    assert stage.entries() == [("words 1", Delivery.RECEIVED)]
    assert stage.state.connection.status is Status.CONNECTED


async def test_the_gateways_own_error_is_told(stage: Stage) -> None:
    await stage.join()
    stage.socket.receive({"message": "Internal server error", "connectionId": "x=", "requestId": "r"})
    assert stage.state.notice is not None
    assert stage.state.notice.kind is NoticeKind.SERVER_ERROR


async def test_the_page_knows_where_the_person_stands(stage: Stage) -> None:
    await stage.join()
    stage.socket.drop()
    assert stage.state.connection.status is Status.WAITING
    assert stage.state.connection.retry_at == stage.platform.now().monotonic + 1
    assert stage.state.connection.reason == "closed_by_server"
    assert not stage.state.caught_up
    assert not stage.state.is_connected
    assert stage.state.connection.last_connected_at is not None
