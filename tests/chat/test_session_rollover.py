"""A link that is replaced while people talk: nothing shows, nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from chat.store import ChatState, NoticeKind
from chat.timeline import Delivery
from kizuna.core.states import ConnectionState, Status
from kizuna.testing import FakeSocket
from kizuna.wire import Options
from tests.chat.session_harness import SessionHarness, ack, batch, message
from tests.chat.test_session_rooms import enter

READY = {"type": "ready", "connectionId": "y=", "userId": "id-of-Mika", "serverTime": 1}


def without_link(state: ChatState) -> ChatState:
    """What the page shows, without the link's number and age."""
    return replace(state, connection=ConnectionState(), last_connected_at=None)


async def roll_over(harness: SessionHarness) -> FakeSocket:
    """Let the time of the link come; returns the old socket. The new one has been accepted."""
    old = harness.socket
    for _ in range(4):
        old.receive({"type": "pong"})
        await harness.platform.advance(30)
    assert harness.socket is not old
    harness.socket.accept()
    await harness.platform.settle()
    return old


@pytest.fixture
async def short_lived() -> AsyncIterator[SessionHarness]:
    harness = SessionHarness(options=Options(rollover_after=110, rollover_spread=0, connect_timeout=60))
    yield harness
    harness.session.leave()
    await harness.platform.settle()
    assert harness.platform.clock.armed == 0


async def test_a_replaced_link_shows_nothing_and_loses_nothing(short_lived: SessionHarness) -> None:
    harness = short_lived
    await harness.join(head=1, messages=[message(1)])
    old = await roll_over(harness)
    shown = without_link(harness.state)
    assert harness.sent("hello")[0]["rooms"] == [{"roomId": "general", "after": 1, "epoch": "e"}]
    harness.socket.receive({"type": "ready", "connectionId": "y=", "userId": "id-of-Mika", "serverTime": 1})
    harness.socket.receive(batch(1, []))
    await harness.platform.settle()
    assert without_link(harness.state) == shown
    assert harness.state.connection.status is Status.CONNECTED
    assert await harness.send("over the new link")
    assert [frame["content"] for frame in harness.sent("sendMessage")] == ["over the new link"]
    old.receive(message(2))
    harness.socket.receive(message(2))
    harness.socket.receive(ack("c1", 3))
    assert [content for content, _ in harness.entries()] == ["words 1", "words 2", "over the new link"]


async def test_a_message_on_its_way_over_the_old_link_is_answered_there(short_lived: SessionHarness) -> None:
    harness = short_lived
    await harness.join()
    old = await roll_over(harness)
    await harness.send("just before")
    assert [frame["action"] for frame in old.sent][-1] == "sendMessage"
    harness.socket.receive({"type": "ready", "connectionId": "y=", "userId": "id-of-Mika", "serverTime": 1})
    harness.socket.receive(batch(0, []))
    await harness.platform.settle()
    old.receive(ack("c1", 1))
    await harness.platform.advance(6)
    assert harness.entries() == [("just before", Delivery.SENT)]
    assert harness.sent("sendMessage") == []


async def test_a_replacement_that_fails_changes_nothing(short_lived: SessionHarness) -> None:
    harness = short_lived
    await harness.join(head=1, messages=[message(1)])
    old = await roll_over(harness)
    shown = without_link(harness.state)
    harness.socket.drop()
    await harness.platform.settle()
    assert without_link(harness.state) == shown
    assert harness.state.connection.status is Status.CONNECTED
    assert await harness.send("still over the old link")
    assert old.sent[-1]["content"] == "still over the old link"


async def test_a_room_entered_during_a_rollover_is_joined_on_both_links(
    short_lived: SessionHarness,
) -> None:
    harness = short_lived
    await harness.join()
    old = await roll_over(harness)
    harness.session.enter_room("tea")
    assert old.sent[-1]["action"] == "join"
    harness.socket.receive({"type": "ready", "connectionId": "y=", "userId": "id-of-Mika", "serverTime": 1})
    harness.socket.receive(batch(0, []))
    await harness.platform.settle()
    assert [frame["roomId"] for frame in harness.sent("join")] == ["tea"]


async def test_the_old_link_may_die_while_the_new_one_says_hello(short_lived: SessionHarness) -> None:
    harness = short_lived
    await harness.join(head=1, messages=[message(1)])
    old = await roll_over(harness)
    await harness.send("on its way")
    old.drop()
    await harness.platform.settle()
    assert harness.state.connection.status is Status.CONNECTING
    harness.socket.receive({"type": "ready", "connectionId": "y=", "userId": "id-of-Mika", "serverTime": 1})
    harness.socket.receive(batch(1, []))
    await harness.platform.settle()
    assert harness.state.connection.status is Status.CONNECTED
    assert harness.state.caught_up
    assert [frame["content"] for frame in harness.sent("sendMessage")] == ["on its way"]


async def test_a_replacing_link_takes_over_once_every_room_is_answered(short_lived: SessionHarness) -> None:
    harness = short_lived
    await harness.join()
    await enter(harness, "tea")
    old = await roll_over(harness)
    await harness.receive(READY, batch(0, []))
    await harness.send("one")
    assert old.sent[-1]["content"] == "one"
    old.receive(ack("c1", 1, roomId="tea"))
    await harness.receive(batch(0, [], roomId="tea"))
    await harness.send("two")
    assert [frame["content"] for frame in harness.sent("sendMessage")] == ["two"]


async def test_a_room_closed_while_the_link_is_replaced_holds_nothing_up(short_lived: SessionHarness) -> None:
    harness = short_lived
    await harness.join()
    await enter(harness, "tea")
    await roll_over(harness)
    closed = {"type": "error", "code": "forbidden", "message": "not you", "roomId": "tea"}
    await harness.receive(READY, batch(0, []), closed)
    assert harness.state.notice is not None
    assert harness.state.notice.kind is NoticeKind.ROOM_CLOSED
    harness.session.enter_room("general")
    await harness.send("over the new link")
    assert len(harness.sent("sendMessage")) == 1


async def test_a_room_not_served_while_the_link_is_replaced_is_joined_afterwards(
    short_lived: SessionHarness,
) -> None:
    harness = short_lived
    await harness.join()
    await enter(harness, "tea")
    await roll_over(harness)
    not_now = {"type": "error", "code": "internal", "message": "not now", "roomId": "tea"}
    await harness.receive(READY, batch(0, []), not_now)
    (question,) = harness.sent("join")
    assert question["roomId"] == "tea"
    await harness.receive(batch(0, [], roomId="tea", ref=question["ref"]))
    assert harness.state.caught_up
