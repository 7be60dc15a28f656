"""On the article's own server, which has no hello, no numbers, no acks: what can be promised there, and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chat.timeline import Delivery
from kizuna.delivery.pending_message import Failure
from kizuna.delivery.sender import ECHO_TIMEOUT
from kizuna.wire import ARTICLE
from tests.chat.session_harness import SessionHarness


@pytest.fixture
async def harness() -> AsyncIterator[SessionHarness]:
    harness = SessionHarness(wire=ARTICLE)
    yield harness
    harness.session.leave()
    await harness.platform.settle()
    assert harness.platform.clock.armed == 0, "a timer is left after leaving"


async def open_link(harness: SessionHarness) -> None:
    await harness.platform.settle()
    harness.socket.accept()
    await harness.platform.settle()


async def join(harness: SessionHarness) -> None:
    harness.session.join("Mika")
    await open_link(harness)


def broadcast(number: int, content: str, sender: str = "id-of-Mika", **parts: Any) -> dict[str, Any]:
    frame = {"messageId": f"server-{number}", "senderId": sender, "content": content}
    return {**frame, "timestamp": 1_800_000_000_000 + number, **parts}


async def test_an_open_socket_is_all_it_takes_and_nothing_is_asked(harness: SessionHarness) -> None:
    await join(harness)
    assert harness.state.is_connected
    assert harness.state.caught_up
    harness.session.enter_room("tea")
    harness.session.show_earlier()
    harness.session.notify_typing()
    assert harness.socket.actions == ["ping"]
    assert harness.state.caught_up


async def test_the_first_unread_message_is_one_of_the_list(harness: SessionHarness) -> None:
    await join(harness)
    harness.session.set_reading(False)
    await harness.receive(broadcast(1, "hi", sender="ren-7", clientMessageId="c-9"))
    assert harness.state.first_unread == harness.state.timeline.entries[0].key


async def test_ones_own_words_meet_their_broadcast(harness: SessionHarness) -> None:
    await join(harness)
    await harness.send("hello")
    assert harness.entries() == [("hello", Delivery.SENDING)]
    (sent,) = harness.sent("sendMessage")
    assert (sent["roomId"], sent["content"]) == ("general", "hello")
    await harness.receive(broadcast(1, "hello"))
    assert harness.entries() == [("hello", Delivery.SENT)]
    assert harness.state.waiting == 0
    assert harness.browser.rows("outbox") == {}


@pytest.mark.parametrize(
    "parts", [{}, {"type": "message"}, {"roomId": "general"}, {"type": "message", "senderName": "Ren"}]
)
async def test_a_broadcast_shows_with_whatever_it_says(
    harness: SessionHarness, parts: dict[str, str]
) -> None:
    await join(harness)
    await harness.receive(broadcast(1, "hi", sender="ren-7", **parts))
    (entry,) = harness.state.timeline.entries
    assert (entry.content, entry.sender_name) == ("hi", parts.get("senderName", "ren-7"))


async def test_the_same_message_twice_is_shown_once(harness: SessionHarness) -> None:
    await join(harness)
    await harness.receive(broadcast(1, "hi", sender="ren-7"), broadcast(1, "hi", sender="ren-7"))
    await harness.receive(
        broadcast(2, "hi", sender="ren-7")
    )  # the article: the same words within five seconds
    assert len(harness.entries()) == 1


async def test_words_typed_long_before_the_connection_meet_their_broadcast(harness: SessionHarness) -> None:
    harness.session.join("Mika")
    await harness.platform.settle()
    await harness.send("ok")
    await harness.send("ok")
    await harness.platform.advance(60)
    await open_link(harness)
    await harness.receive(broadcast(1, "ok"))
    await harness.receive(broadcast(2, "ok"))
    assert harness.entries() == [("ok", Delivery.SENT), ("ok", Delivery.SENT)]
    assert len(harness.sent("sendMessage")) == 2


async def test_a_message_in_flight_on_a_lost_link_is_not_resent(harness: SessionHarness) -> None:
    await join(harness)
    await harness.send("hello")
    await harness.send("and then")
    harness.socket.drop()
    assert harness.state.timeline.failed[0].failure == Failure("unconfirmed")
    await harness.platform.advance(2)
    await open_link(harness)
    assert [frame["content"] for frame in harness.sent("sendMessage")] == ["and then"]
    harness.session.retry("c1")
    await harness.receive(broadcast(1, "and then"))
    assert [frame["content"] for frame in harness.sent("sendMessage")] == ["and then", "hello"]


async def test_a_message_without_echo_delays_the_next_only_briefly(harness: SessionHarness) -> None:
    await join(harness)
    await harness.send("hello")
    await harness.send("and then")
    socket = harness.socket
    await harness.platform.advance(ECHO_TIMEOUT)
    assert [frame["content"] for frame in socket.sent if frame["action"] == "sendMessage"] == [
        "hello",
        "and then",
    ]
    assert harness.state.timeline.failed[0].failure == Failure("unconfirmed")
    socket.receive(broadcast(1, "hello"))  # late
    await harness.platform.settle()
    assert harness.entries()[0] == ("hello", Delivery.SENT)
    assert harness.state.timeline.failed == ()


async def test_what_does_not_come_back_opens_a_link_beside_the_doubted_one(harness: SessionHarness) -> None:
    await join(harness)
    first = harness.socket
    await harness.send("hello")
    await harness.platform.advance(ECHO_TIMEOUT)
    assert harness.socket is not first
    assert first.is_open
    await open_link(harness)
    assert (first.is_open, harness.state.is_connected) == (False, True)


async def test_what_is_neither_a_message_nor_known_is_reported_and_survived(harness: SessionHarness) -> None:
    await join(harness)
    await harness.receive({"message": "Internal server error", "connectionId": "x=", "requestId": "y="})
    assert harness.state.notice is not None
    await harness.receive({"messageId": "half a message"})
    assert harness.state.is_connected


async def test_a_pong_that_names_rooms_leaves_none_of_them(harness: SessionHarness) -> None:
    await join(harness)
    await harness.receive({"type": "pong", "heads": [{"roomId": "tea", "epoch": "e", "seq": 1}]})
    assert harness.sent("leave") == []


async def test_a_repeated_broadcast_answers_no_other_message_of_the_same_words(
    harness: SessionHarness,
) -> None:
    await join(harness)
    await harness.send("x")
    await harness.receive(broadcast(1, "x"))
    await harness.send("x")
    await harness.receive(broadcast(1, "x"))
    assert harness.entries() == [("x", Delivery.SENT), ("x", Delivery.SENDING)]
    assert harness.state.waiting == 1
    await harness.platform.advance(ECHO_TIMEOUT + 1)
    assert harness.entries()[-1] == ("x", Delivery.FAILED)
