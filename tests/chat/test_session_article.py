"""On the article's own server, which has no hello, no numbers, no acks: what can be promised there, and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chat.sending import ECHO_TIMEOUT
from chat.timeline import Delivery, Failure
from kizuna.options import Options
from kizuna.wire import ARTICLE
from tests.chat.stage import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage(options=Options(wire=ARTICLE))
    yield stage
    stage.session.leave()
    await stage.platform.settle()
    assert stage.platform.clock.armed == 0, "a timer is left after leaving"


async def open_link(stage: Stage) -> None:
    await stage.platform.settle()
    stage.socket.accept()
    await stage.platform.settle()


async def join(stage: Stage) -> None:
    stage.session.join("Mika")
    await open_link(stage)


def broadcast(number: int, content: str, sender: str = "id-of-Mika", **parts: Any) -> dict[str, Any]:
    frame = {"messageId": f"server-{number}", "senderId": sender, "content": content}
    return {**frame, "timestamp": 1_800_000_000_000 + number, **parts}


async def test_an_open_socket_is_all_it_takes_and_nothing_is_asked(stage: Stage) -> None:
    await join(stage)
    assert stage.state.is_connected
    assert stage.state.caught_up
    stage.session.enter_room("tea")
    stage.session.load_earlier()
    stage.session.notify_typing()
    assert stage.socket.actions == ["ping"]
    assert stage.state.caught_up


async def test_ones_own_words_meet_their_broadcast(stage: Stage) -> None:
    await join(stage)
    await stage.say("hello")
    assert stage.entries() == [("hello", Delivery.SENDING)]
    (sent,) = stage.sent("sendMessage")
    assert (sent["roomId"], sent["content"]) == ("general", "hello")
    await stage.receive(broadcast(1, "hello"))
    assert stage.entries() == [("hello", Delivery.SENT)]
    assert stage.state.waiting == 0
    assert stage.browser.rows("outbox") == {}


@pytest.mark.parametrize(
    "parts", [{}, {"type": "message"}, {"roomId": "general"}, {"type": "message", "senderName": "Ren"}]
)
async def test_a_broadcast_shows_with_whatever_it_says(stage: Stage, parts: dict[str, str]) -> None:
    await join(stage)
    await stage.receive(broadcast(1, "hi", sender="ren-7", **parts))
    (entry,) = stage.state.timeline.entries
    assert (entry.content, entry.sender_name) == ("hi", parts.get("senderName", "ren-7"))


async def test_the_same_message_twice_is_shown_once(stage: Stage) -> None:
    await join(stage)
    await stage.receive(broadcast(1, "hi", sender="ren-7"), broadcast(1, "hi", sender="ren-7"))
    await stage.receive(broadcast(2, "hi", sender="ren-7"))  # the article: the same words within five seconds
    assert len(stage.entries()) == 1


async def test_words_typed_long_before_the_connection_meet_their_broadcast(stage: Stage) -> None:
    stage.session.join("Mika")
    await stage.platform.settle()
    await stage.say("ok")
    await stage.say("ok")
    await stage.platform.advance(60)
    await open_link(stage)
    await stage.receive(broadcast(1, "ok"))
    await stage.receive(broadcast(2, "ok"))
    assert stage.entries() == [("ok", Delivery.SENT), ("ok", Delivery.SENT)]
    assert len(stage.sent("sendMessage")) == 2


async def test_a_message_in_flight_on_a_lost_link_is_not_resent(stage: Stage) -> None:
    await join(stage)
    await stage.say("hello")
    await stage.say("and then")
    stage.socket.drop()
    assert stage.state.timeline.failed[0].failure == Failure("unconfirmed")
    await stage.platform.advance(2)
    await open_link(stage)
    assert [frame["content"] for frame in stage.sent("sendMessage")] == ["and then"]
    stage.session.retry("c1")
    await stage.receive(broadcast(1, "and then"))
    assert [frame["content"] for frame in stage.sent("sendMessage")] == ["and then", "hello"]


async def test_a_message_without_echo_delays_the_next_only_briefly(stage: Stage) -> None:
    await join(stage)
    await stage.say("hello")
    await stage.say("and then")
    socket = stage.socket
    await stage.platform.advance(ECHO_TIMEOUT)
    assert [frame["content"] for frame in socket.sent if frame["action"] == "sendMessage"] == [
        "hello",
        "and then",
    ]
    assert stage.state.timeline.failed[0].failure == Failure("unconfirmed")
    socket.receive(broadcast(1, "hello"))  # late
    await stage.platform.settle()
    assert stage.entries()[0] == ("hello", Delivery.SENT)
    assert stage.state.timeline.failed == ()


async def test_what_does_not_come_back_opens_a_link_beside_the_doubted_one(stage: Stage) -> None:
    await join(stage)
    first = stage.socket
    await stage.say("hello")
    await stage.platform.advance(ECHO_TIMEOUT)
    assert stage.socket is not first
    assert first.is_open
    await open_link(stage)
    assert (first.is_open, stage.state.is_connected) == (False, True)


async def test_what_is_neither_a_message_nor_known_is_reported_and_survived(stage: Stage) -> None:
    await join(stage)
    await stage.receive({"message": "Internal server error", "connectionId": "x=", "requestId": "y="})
    assert stage.state.notice is not None
    await stage.receive({"messageId": "half a message"})
    assert stage.state.is_connected


async def test_a_pong_that_names_rooms_leaves_none_of_them(stage: Stage) -> None:
    await join(stage)
    await stage.receive({"type": "pong", "heads": [{"roomId": "tea", "epoch": "e", "seq": 1}]})
    assert stage.sent("leave") == []
