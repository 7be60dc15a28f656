"""The chat's own behaviour, with the test as server and virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from chat.store import NoticeKind
from chat.timeline import Delivery
from kizuna.core.states import Status
from tests.chat.session_harness import SessionHarness, ack, batch, message


@pytest.fixture
async def harness() -> AsyncIterator[SessionHarness]:
    harness = SessionHarness()
    yield harness
    harness.session.leave()
    await harness.platform.settle()
    assert harness.platform.clock.armed == 0, "a timer is left after leaving"
    assert len(asyncio.all_tasks()) == 1, "a task is left after leaving"


# --- entering and leaving ---


async def test_a_page_that_nobody_joined_opens_no_socket(harness: SessionHarness) -> None:
    harness.session.start()
    harness.platform.hide()
    harness.platform.show()
    await harness.platform.advance(60)
    assert harness.platform.sockets == []
    assert harness.state.name is None


async def test_joining_says_hello_with_the_room_and_shows_its_newest_page(harness: SessionHarness) -> None:
    await harness.join(head=2, messages=[message(1), message(2)])
    assert harness.sent("hello") == [
        {"action": "hello", "v": 1, "rooms": [{"roomId": "general", "after": None, "epoch": None}]}
    ]
    assert harness.entries() == [("words 1", Delivery.RECEIVED), ("words 2", Delivery.RECEIVED)]
    assert harness.state.caught_up
    assert harness.state.is_connected
    assert harness.state.user_id == "id-of-Mika"


async def test_joining_twice_opens_one_socket(harness: SessionHarness) -> None:
    harness.session.join("Mika")
    harness.session.join("Mika")
    await harness.open_link()
    harness.session.join("Mika")
    await harness.platform.settle()
    assert len(harness.platform.sockets) == 1


async def test_a_remembered_name_joins_by_itself_and_is_the_same_person(harness: SessionHarness) -> None:
    await harness.join()
    again = harness.reloaded()
    again.session.start()
    await again.open_link()
    assert again.state.name == "Mika"
    assert again.tokens_asked[0]["clientSecret"] == harness.tokens_asked[0]["clientSecret"]
    again.session.leave()


async def test_who_left_stays_away_across_reloads_until_joining(harness: SessionHarness) -> None:
    await harness.join()
    harness.session.leave()
    assert harness.state.connection.status is Status.CLOSED
    assert harness.state.name is None
    await harness.platform.advance(120)
    assert len(harness.platform.sockets) == 1
    again = harness.reloaded()
    again.session.start()
    assert again.state.connection.status is Status.CLOSED
    await again.platform.advance(120)
    assert again.platform.sockets == []
    assert again.state.suggested_name == "Mika"
    again.session.join("Mika")
    await again.open_link()
    assert again.state.connection.status is Status.CONNECTED
    again.session.leave()


async def test_who_left_stays_away_though_the_secret_is_gone(harness: SessionHarness) -> None:
    await harness.join()
    harness.session.leave()
    for key in [key for key in harness.settings if key.startswith("kizuna.secret-for.")]:
        del harness.settings[key]
    again = harness.reloaded()
    again.session.start()
    await again.platform.advance(120)
    assert again.state.connection.status is Status.CLOSED
    assert again.platform.sockets == []


async def test_a_page_that_nobody_joined_has_nothing_earlier_to_load(harness: SessionHarness) -> None:
    harness.session.show_earlier()
    assert not harness.state.loading_earlier


async def test_trying_by_hand_connects_without_waiting(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.drop()
    harness.session.try_now()
    await harness.platform.settle()
    assert len(harness.platform.sockets) == 2
    await harness.open_link()
    assert harness.state.is_connected


async def test_a_name_that_cannot_be_shown_is_refused_with_the_reason(harness: SessionHarness) -> None:
    harness.session.join("  ")
    assert harness.state.notice is not None
    assert harness.state.notice.kind is NoticeKind.NAME_REFUSED
    assert harness.state.name is None


async def test_another_name_is_another_person_and_never_sends_the_firsts_words(
    harness: SessionHarness,
) -> None:
    await harness.join()
    harness.socket.drop()
    assert await harness.send("Mika's words")
    harness.session.leave()
    harness.session.join("Ren")
    await harness.open_link()
    assert harness.tokens_asked[-1]["clientSecret"] != harness.tokens_asked[0]["clientSecret"]
    assert harness.sent("sendMessage") == []
    assert harness.entries() == []


async def test_an_ack_of_a_hidden_message_keeps_its_broadcast(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.socket.receive(ack("from-another-tab", 2))
    harness.socket.receive(message(2, clientMessageId="from-another-tab", senderId="id-of-Mika"))
    assert [content for content, _ in harness.entries()] == ["words 1", "words 2"]
    harness.socket.receive(ack("from-another-tab-too", 3))
    await harness.platform.advance(0.21)
    assert harness.sent("sync")[0]["after"] == 2


async def test_clearing_the_stored_secret_keeps_the_person(harness: SessionHarness) -> None:
    harness.token_lifetime = 1
    await harness.join()
    harness.settings.clear()
    harness.socket.drop()
    await harness.platform.advance(2)
    await harness.open_link()
    first, second = harness.tokens_asked
    assert first["clientSecret"] == second["clientSecret"]


async def test_a_notice_about_the_address_lasts_until_a_valid_room(harness: SessionHarness) -> None:
    harness.session.enter_room("no spaces allowed")
    harness.session.join("Mika")
    assert harness.state.notice is not None
    assert harness.state.notice.kind is NoticeKind.ROOM_REFUSED
    harness.session.enter_room("general")
    assert harness.state.notice is None


# --- sending ---


async def test_ones_own_words_show_at_once_and_nothing_happens_at_the_broadcast(
    harness: SessionHarness,
) -> None:
    await harness.join()
    assert await harness.send("hello")
    assert harness.entries() == [("hello", Delivery.SENDING)]
    harness.socket.receive(ack("c1", 1))
    assert harness.entries() == [("hello", Delivery.SENT)]
    timeline = harness.state.timeline
    changes = len(harness.seen_states)
    harness.socket.receive(message(1, clientMessageId="c1", senderId="id-of-Mika", content="hello"))
    assert harness.state.timeline is timeline
    assert len(harness.seen_states) == changes


async def test_the_broadcast_may_come_before_the_ack(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("hello")
    harness.socket.receive(message(1, clientMessageId="c1", senderId="id-of-Mika", content="hello"))
    harness.socket.receive(ack("c1", 1))
    assert harness.entries() == [("hello", Delivery.SENT)]
    assert harness.state.waiting == 0


async def test_one_message_per_room_is_in_flight_until_its_ack(harness: SessionHarness) -> None:
    await harness.join()
    for text in ("one", "two", "three"):
        await harness.send(text)
    assert [frame["content"] for frame in harness.sent("sendMessage")] == ["one"]
    await harness.receive(ack("c1", 1), ack("c2", 2))
    assert [frame["content"] for frame in harness.sent("sendMessage")] == ["one", "two", "three"]


async def test_messages_typed_offline_are_sent_in_order_after_catching_up(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.socket.drop()
    for text in ("one", "two"):
        assert await harness.send(text)
    assert harness.entries()[1:] == [("one", Delivery.QUEUED), ("two", Delivery.QUEUED)]
    assert harness.state.waiting == 2
    await harness.platform.advance(2)
    await harness.open_link(head=2, messages=[message(2)])
    assert harness.sent("hello")[0]["rooms"] == [{"roomId": "general", "after": 1, "epoch": "e"}]
    harness.socket.receive(ack("c1", 3))
    harness.socket.receive(ack("c2", 4))
    assert [content for content, _ in harness.entries()] == ["words 1", "words 2", "one", "two"]
    assert harness.state.waiting == 0


async def test_a_lost_ack_is_asked_for_again_under_the_same_id(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("hello")
    await harness.platform.advance(5.1)
    assert [frame["clientMessageId"] for frame in harness.sent("sendMessage")] == ["c1", "c1"]
    assert harness.service.state.status is Status.SUSPECT
    harness.socket.receive(ack("c1", 1, duplicate=True))
    assert harness.service.state.status is Status.CONNECTED
    await harness.platform.advance(30)
    assert len(harness.sent("sendMessage")) == 2


async def test_a_message_on_a_dead_link_is_resent_within_eleven_seconds(harness: SessionHarness) -> None:
    await harness.join()
    dead = harness.socket
    await harness.send("hello")
    await harness.platform.advance(5)
    assert harness.service.state.status is Status.SUSPECT
    await harness.platform.advance(6)
    assert harness.socket is not dead
    await harness.open_link()
    assert [frame["clientMessageId"] for frame in harness.sent("sendMessage")] == ["c1"]


async def test_an_answer_that_asks_for_patience_is_no_reason_to_doubt(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("hello")
    await harness.receive(
        {
            "type": "nack",
            "clientMessageId": "c1",
            "code": "busy",
            "message": "",
            "retryable": True,
            "retryAfter": 2,
        }
    )
    await harness.platform.advance(2)
    assert len(harness.sent("sendMessage")) == 2
    assert harness.service.state.status is Status.CONNECTED


async def test_a_message_that_was_stored_before_the_drop_is_not_sent_again(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("hello")
    harness.socket.drop()
    assert harness.entries() == [("hello", Delivery.QUEUED)]
    await harness.platform.advance(2)
    mine = message(1, clientMessageId="c1", senderId="id-of-Mika", content="hello")
    await harness.open_link(head=1, messages=[mine])
    assert harness.entries() == [("hello", Delivery.SENT)]
    assert harness.sent("sendMessage") == []


async def test_a_refused_message_fails_visibly_and_lets_the_next_through(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("bad")
    await harness.send("good")
    harness.socket.receive(
        {
            "type": "nack",
            "clientMessageId": "c1",
            "code": "forbidden",
            "message": "not here",
            "retryable": False,
        }
    )
    harness.socket.receive(ack("c2", 1))
    assert harness.entries() == [("good", Delivery.SENT), ("bad", Delivery.FAILED)]
    harness.session.retry("c1")
    harness.socket.receive(ack("c1", 2))
    assert harness.entries() == [("good", Delivery.SENT), ("bad", Delivery.SENT)]


async def test_a_refusal_that_comes_after_the_ack_means_nothing(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await harness.send("hello")
    await harness.receive(ack("c1", 3))  # held: the message before it is missing
    late = {"type": "nack", "clientMessageId": "c1", "code": "rate_limited", "message": "slower"}
    await harness.receive({**late, "retryable": True}, late)
    assert harness.entries()[-1] == ("hello", Delivery.SENT)
    assert harness.state.waiting == 0


async def test_a_message_that_waits_for_its_place_cannot_be_discarded(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await harness.send("hello")
    await harness.receive(ack("c1", 3))
    harness.session.discard("c1")
    assert harness.entries()[-1] == ("hello", Delivery.SENT)
    assert harness.state.notice is None


async def test_a_failed_message_can_be_discarded(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("bad")
    harness.socket.receive({"type": "nack", "clientMessageId": "c1", "code": "x", "message": "no"})
    harness.session.discard("c1")
    assert harness.entries() == []
    assert harness.state.waiting == 0


async def test_a_server_that_asks_for_patience_gets_it(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("fast")
    nack = {"type": "nack", "clientMessageId": "c1", "code": "rate_limited", "message": "slow down"}
    harness.socket.receive({**nack, "retryable": True, "retryAfter": 3})
    await harness.platform.advance(2.9)
    assert len(harness.sent("sendMessage")) == 1
    await harness.platform.advance(0.2)
    assert len(harness.sent("sendMessage")) == 2


async def test_a_message_of_40_kib_is_refused_and_nothing_else_is_touched(harness: SessionHarness) -> None:
    await harness.join()
    assert not await harness.send("x" * 40 * 1024)
    assert harness.state.notice is not None
    assert harness.state.notice.kind is NoticeKind.MESSAGE_REFUSED
    assert harness.state.notice.params == {"problem": "too_large", "count": 24_600}
    assert harness.entries() == []
    assert await harness.send("short")
    assert harness.state.notice is None
    assert harness.state.connection.status is Status.CONNECTED


async def test_what_the_page_tells_is_told_once_while_it_shows(harness: SessionHarness) -> None:
    for _ in range(2):
        harness.session.show_notice(NoticeKind.TEXT_TOO_LONG, limit=64)
    first = harness.state.notice
    assert first is not None
    assert (first.kind, first.params) == (NoticeKind.TEXT_TOO_LONG, {"limit": 64})
    harness.session.show_notice(NoticeKind.ONLY_TEXT)
    harness.session.show_notice(NoticeKind.TEXT_TOO_LONG, limit=64)
    assert harness.state.notice is not None
    assert harness.state.notice.number == first.number + 2


async def test_words_typed_before_the_first_connection_arrive_once(harness: SessionHarness) -> None:
    harness.session.join("Mika")
    assert await harness.send("early")
    await harness.open_link()
    assert harness.entries() == [("early", Delivery.SENDING)]
    harness.socket.receive(ack("c1", 1))
    harness.socket.receive(message(1, clientMessageId="c1", senderId="id-of-Mika", content="early"))
    assert harness.entries() == [("early", Delivery.SENT)]


# --- gaps, order, epochs ---


async def test_a_gap_is_requested_soon_and_nothing_shows_out_of_order(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.socket.receive(message(3))
    assert [content for content, _ in harness.entries()] == ["words 1"]
    await harness.platform.advance(0.21)
    (question,) = harness.sent("sync")
    assert (question["after"], question["epoch"]) == (1, "e")
    harness.socket.receive(batch(3, [message(2), message(3)], ref=question["ref"]))
    assert [content for content, _ in harness.entries()] == ["words 1", "words 2", "words 3"]


async def test_a_second_gap_asks_nothing_while_an_answer_is_awaited(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.socket.receive(message(3))
    await harness.platform.advance(0.21)
    harness.socket.receive(message(5))
    await harness.platform.advance(1)
    (question,) = harness.sent("sync")
    await harness.receive(batch(3, [message(2), message(3)], ref=question["ref"]))
    assert len(harness.entries()) == 3
    await harness.platform.advance(0.21)
    assert [frame["after"] for frame in harness.sent("sync")] == [1, 3]


async def test_frames_that_were_only_reordered_ask_for_nothing(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.socket.receive(message(3))
    harness.socket.receive(message(2))
    await harness.platform.advance(1)
    assert harness.sent("sync") == []


async def test_a_lost_answer_is_asked_for_again(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.socket.receive(message(3))
    await harness.platform.advance(0.21 + 5.1)
    assert len(harness.sent("sync")) == 2


async def test_an_ack_beyond_a_gap_is_held_until_it_is_filled(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await harness.send("mine")
    harness.socket.receive(ack("c1", 3))
    assert harness.entries()[-1] == ("mine", Delivery.SENT)
    assert harness.state.timeline.last_seq == 1
    await harness.platform.advance(0.21)
    mine = message(3, clientMessageId="c1", senderId="id-of-Mika", content="mine")
    harness.socket.receive(batch(3, [message(2), mine], ref=harness.sent("sync")[0]["ref"]))
    assert [content for content, _ in harness.entries()] == ["words 1", "words 2", "mine"]


async def test_the_heartbeat_finds_a_lost_last_message(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.socket.receive(
        {"type": "pong", "t": None, "heads": [{"roomId": "general", "epoch": "e", "seq": 2}]}
    )
    await harness.platform.advance(0.21)
    assert harness.sent("sync")[0]["after"] == 1


async def test_a_stale_head_means_nothing(harness: SessionHarness) -> None:
    await harness.join(head=2, messages=[message(1), message(2)])
    harness.socket.receive({"type": "pong", "heads": [{"roomId": "general", "epoch": "e", "seq": 1}]})
    await harness.platform.advance(1)
    assert harness.sent("sync") == []


async def test_catching_up_goes_on_until_the_batches_are_complete(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.socket.drop()
    await harness.platform.advance(2)
    await harness.open_link(head=3, messages=[message(2)], next=2, complete=False)
    assert harness.state.connection.status is Status.CONNECTING
    assert harness.state.catching_up
    assert not harness.state.caught_up
    (question,) = harness.sent("sync")
    harness.socket.receive(batch(3, [message(3)], ref=question["ref"]))
    await harness.platform.settle()
    assert harness.state.connection.status is Status.CONNECTED
    assert harness.state.caught_up
    assert not harness.state.catching_up


async def test_a_lost_batch_is_requested_again_before_the_link_counts(harness: SessionHarness) -> None:
    harness.session.join("Mika")
    await harness.platform.settle()
    harness.socket.accept()
    await harness.platform.settle()
    harness.socket.receive({"type": "ready", "connectionId": "x=", "userId": "id-of-Mika", "serverTime": 1})
    await harness.platform.advance(5.1)
    (question,) = harness.sent("sync")
    harness.socket.receive(batch(0, [], ref=question["ref"]))
    await harness.platform.settle()
    assert harness.state.connection.status is Status.CONNECTED


async def test_another_epoch_drops_what_was_shown_and_keeps_what_waits(harness: SessionHarness) -> None:
    await harness.join(head=2, messages=[message(1), message(2)])
    harness.socket.drop()
    await harness.send("mine")
    await harness.platform.advance(2)
    await harness.open_link(head=1, messages=[message(1, epoch="new", messageId="n1")], epoch="new")
    assert [content for content, _ in harness.entries()] == ["words 1", "mine"]
    assert harness.state.notice is not None
    assert harness.state.notice.kind is NoticeKind.HISTORY_RESTORED


async def test_a_gap_too_large_to_replay_shows_the_newest_page(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.socket.drop()
    await harness.platform.advance(2)
    newest = [message(seq) for seq in range(900, 931)]
    await harness.open_link(head=930, messages=newest, limited=True)
    assert (harness.state.timeline.first_seq, harness.state.timeline.last_seq) == (900, 930)
    assert harness.state.caught_up


async def test_earlier_messages_come_by_page_when_asked_for(harness: SessionHarness) -> None:
    await harness.join(head=60, messages=[message(seq) for seq in range(21, 61)])
    harness.session.show_earlier()
    harness.session.show_earlier()
    (question,) = harness.sent("history")
    assert question["before"] == 21
    assert harness.state.loading_earlier
    harness.socket.receive(batch(60, [message(seq) for seq in range(1, 21)], ref=question["ref"]))
    assert (harness.state.timeline.first_seq, len(harness.state.timeline)) == (1, 60)
    assert not harness.state.loading_earlier


# --- heads ---


async def test_a_join_that_the_server_lost_is_noticed_by_the_heartbeat(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.socket.receive({"type": "pong", "heads": []})
    harness.socket.receive({"type": "pong", "heads": []})
    (question,) = harness.sent("join")
    assert (question["roomId"], question["after"]) == ("general", 1)


async def test_a_pong_that_names_no_heads_means_nothing(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.receive({"type": "pong", "t": 1})
    assert harness.sent("join") == []


async def test_a_server_that_fell_back_behind_what_was_shown_has_another_history(
    harness: SessionHarness,
) -> None:
    await harness.join(head=3, messages=[message(1), message(2), message(3)])
    harness.socket.drop()
    await harness.platform.advance(2)
    await harness.open_link(head=1, messages=[message(1, content="another first")])
    assert harness.entries() == [("another first", Delivery.RECEIVED)]
    harness.socket.receive(message(2, content="another second"))
    assert len(harness.entries()) == 2


async def test_a_late_answer_from_before_a_broadcast_drops_nothing(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.socket.receive(message(3))
    await harness.platform.advance(0.21)
    (question,) = harness.sent("sync")
    harness.socket.receive(message(2))
    harness.socket.receive(batch(1, [], ref=question["ref"]))
    assert len(harness.entries()) == 3


async def test_a_room_that_cannot_be_is_refused_and_nothing_changes(harness: SessionHarness) -> None:
    await harness.join()
    harness.session.enter_room("no spaces allowed")
    assert harness.state.room_id == "general"
    assert harness.state.notice is not None
    assert harness.state.notice.kind is NoticeKind.ROOM_REFUSED


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
async def test_a_frame_that_cannot_be_read_is_reported_and_survived(
    harness: SessionHarness, frame: str
) -> None:
    await harness.join()
    harness.socket.receive(frame)
    assert harness.state.notice is not None
    assert harness.state.notice.kind is NoticeKind.BAD_FRAME
    harness.socket.receive(message(1))
    assert harness.entries() == [("words 1", Delivery.RECEIVED)]
    assert harness.state.connection.status is Status.CONNECTED


async def test_the_gateways_own_error_is_told(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.receive({"message": "Internal server error", "connectionId": "x=", "requestId": "r"})
    assert harness.state.notice is not None
    assert harness.state.notice.kind is NoticeKind.SERVER_ERROR


async def test_the_page_knows_where_the_person_stands(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.drop()
    assert harness.state.connection.status is Status.WAITING
    assert harness.state.connection.retry_at == harness.platform.now().monotonic + 1
    assert harness.state.reason == "closed_by_server"
    assert not harness.state.caught_up
    assert not harness.state.is_connected
    assert harness.state.last_connected_at is not None
