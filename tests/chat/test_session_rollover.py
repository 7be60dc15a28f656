"""A link that is replaced while people talk: nothing shows, nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chat.store import NoticeKind
from chat.timeline import Delivery
from kizuna.core.states import Status
from kizuna.options import Options
from kizuna.testing import FakeSocket
from tests.chat.stage import Stage, ack, batch, message
from tests.chat.test_session_rooms import enter

READY = {"type": "ready", "connectionId": "y=", "userId": "id-of-Mika", "serverTime": 1}


async def roll_over(stage: Stage) -> FakeSocket:
    """Let the time of the link come; returns the old socket. The new one has been accepted."""
    old = stage.socket
    for _ in range(4):
        old.receive({"type": "pong"})
        await stage.platform.advance(30)
    assert stage.socket is not old
    stage.socket.accept()
    await stage.platform.settle()
    return old


@pytest.fixture
async def short_lived() -> AsyncIterator[Stage]:
    stage = Stage(options=Options(rollover_after=110, rollover_spread=0, connect_timeout=60))
    yield stage
    stage.session.leave()
    await stage.platform.settle()
    assert stage.platform.clock.armed == 0


async def test_a_replaced_link_shows_nothing_and_loses_nothing(short_lived: Stage) -> None:
    stage = short_lived
    await stage.join(head=1, messages=[message(1)])
    old = await roll_over(stage)
    changes = len(stage.seen_states)
    assert stage.sent("hello")[0]["rooms"] == [{"roomId": "general", "after": 1, "epoch": "e"}]
    stage.socket.receive({"type": "ready", "connectionId": "y=", "userId": "id-of-Mika", "serverTime": 1})
    stage.socket.receive(batch(1, []))
    await stage.platform.settle()
    assert len(stage.seen_states) == changes
    assert await stage.say("over the new link")
    assert [frame["content"] for frame in stage.sent("sendMessage")] == ["over the new link"]
    old.receive(message(2))
    stage.socket.receive(message(2))
    stage.socket.receive(ack("c1", 3))
    assert [content for content, _ in stage.entries()] == ["words 1", "words 2", "over the new link"]


async def test_a_message_on_its_way_over_the_old_link_is_answered_there(short_lived: Stage) -> None:
    stage = short_lived
    await stage.join()
    old = await roll_over(stage)
    await stage.say("just before")
    assert [frame["action"] for frame in old.sent][-1] == "sendMessage"
    stage.socket.receive({"type": "ready", "connectionId": "y=", "userId": "id-of-Mika", "serverTime": 1})
    stage.socket.receive(batch(0, []))
    await stage.platform.settle()
    old.receive(ack("c1", 1))
    await stage.platform.advance(6)
    assert stage.entries() == [("just before", Delivery.SENT)]
    assert stage.sent("sendMessage") == []


async def test_a_replacement_that_fails_changes_nothing(short_lived: Stage) -> None:
    stage = short_lived
    await stage.join(head=1, messages=[message(1)])
    old = await roll_over(stage)
    changes = len(stage.seen_states)
    stage.socket.drop()
    await stage.platform.settle()
    assert len(stage.seen_states) == changes
    assert await stage.say("still over the old link")
    assert old.sent[-1]["content"] == "still over the old link"


async def test_a_room_entered_during_a_rollover_is_joined_on_both_links(
    short_lived: Stage,
) -> None:
    stage = short_lived
    await stage.join()
    old = await roll_over(stage)
    stage.session.enter_room("tea")
    assert old.sent[-1]["action"] == "join"
    stage.socket.receive({"type": "ready", "connectionId": "y=", "userId": "id-of-Mika", "serverTime": 1})
    stage.socket.receive(batch(0, []))
    await stage.platform.settle()
    assert [frame["roomId"] for frame in stage.sent("join")] == ["tea"]


async def test_the_old_link_may_die_while_the_new_one_says_hello(short_lived: Stage) -> None:
    stage = short_lived
    await stage.join(head=1, messages=[message(1)])
    old = await roll_over(stage)
    await stage.say("on its way")
    old.drop()
    await stage.platform.settle()
    assert stage.state.connection.status is Status.CONNECTING
    stage.socket.receive({"type": "ready", "connectionId": "y=", "userId": "id-of-Mika", "serverTime": 1})
    stage.socket.receive(batch(1, []))
    await stage.platform.settle()
    assert stage.state.connection.status is Status.CONNECTED
    assert stage.state.caught_up
    assert [frame["content"] for frame in stage.sent("sendMessage")] == ["on its way"]


async def test_a_replacing_link_takes_over_once_every_room_is_answered(short_lived: Stage) -> None:
    stage = short_lived
    await stage.join()
    await enter(stage, "tea")
    old = await roll_over(stage)
    await stage.receive(READY, batch(0, []))
    await stage.say("one")
    assert old.sent[-1]["content"] == "one"
    old.receive(ack("c1", 1, roomId="tea"))
    await stage.receive(batch(0, [], roomId="tea"))
    await stage.say("two")
    assert [frame["content"] for frame in stage.sent("sendMessage")] == ["two"]


async def test_a_room_closed_while_the_link_is_replaced_holds_nothing_up(short_lived: Stage) -> None:
    stage = short_lived
    await stage.join()
    await enter(stage, "tea")
    await roll_over(stage)
    closed = {"type": "error", "code": "forbidden", "message": "not you", "roomId": "tea"}
    await stage.receive(READY, batch(0, []), closed)
    assert stage.state.notice is not None
    assert stage.state.notice.kind is NoticeKind.ROOM_CLOSED
    stage.session.enter_room("general")
    await stage.say("over the new link")
    assert len(stage.sent("sendMessage")) == 1


async def test_a_room_not_served_while_the_link_is_replaced_is_joined_afterwards(short_lived: Stage) -> None:
    stage = short_lived
    await stage.join()
    await enter(stage, "tea")
    await roll_over(stage)
    not_now = {"type": "error", "code": "internal", "message": "not now", "roomId": "tea"}
    await stage.receive(READY, batch(0, []), not_now)
    (question,) = stage.sent("join")
    assert question["roomId"] == "tea"
    await stage.receive(batch(0, [], roomId="tea", ref=question["ref"]))
    assert stage.state.caught_up
