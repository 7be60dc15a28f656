"""What waits to be sent outlives leaving and a reload of the page; and arrives once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chat.timeline import Delivery
from tests.chat.stage import MemorySettings, Stage, ack, message


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    stage.session.leave()


async def test_who_comes_back_finds_what_was_left_waiting(stage: Stage) -> None:
    await stage.join()
    stage.socket.drop()
    assert stage.session.say("for later")
    stage.session.leave()
    stage.session.join("Ren")
    stage.session.leave()
    assert stage.entries() == []
    stage.session.join("Mika")
    assert stage.entries() == [("for later", Delivery.QUEUED)]
    await stage.open_link()
    stage.socket.receive(ack("c1", 1))
    stage.socket.receive(message(1, clientMessageId="c1", senderId="id-of-Mika", content="for later"))
    assert stage.entries() == [("for later", Delivery.SENT)]


async def test_what_waits_survives_a_reload_and_arrives_once(stage: Stage) -> None:
    await stage.join(head=1, messages=[message(1)])
    stage.socket.drop()
    assert stage.session.say("first")
    assert stage.session.say("second")
    again = Stage(stage.settings, tab=stage.tab)
    again.session.start()
    assert again.entries() == [("first", Delivery.QUEUED), ("second", Delivery.QUEUED)]
    assert again.state.waiting == 2
    await again.open_link(head=1, messages=[message(1)])
    (sent,) = again.sent("sendMessage")
    assert (sent["clientMessageId"], sent["content"]) == ("c1", "first")
    again.socket.receive(ack("c1", 2))
    again.socket.receive(ack("c2", 3))
    assert [content for content, _ in again.entries()] == ["words 1", "first", "second"]
    assert stage.tab == {}
    again.session.leave()


async def test_words_that_the_server_had_before_the_reload_are_not_said_twice(stage: Stage) -> None:
    await stage.join()
    stage.session.say("hello")
    again = Stage(stage.settings, tab=stage.tab)
    again.session.start()
    mine = message(1, clientMessageId="c1", senderId="id-of-Mika", content="hello")
    await again.open_link(head=1, messages=[mine])
    assert again.entries() == [("hello", Delivery.SENT)]
    assert again.sent("sendMessage") == []
    again.session.leave()


@pytest.mark.parametrize(
    "kept", ["{", "[7]", '[{"frame": {"action": "ping"}, "typedAt": 1}]', '[{"typedAt": 1}]', "null"]
)
async def test_what_was_kept_and_cannot_be_read_stops_nobody(kept: str) -> None:
    stage = Stage(tab=MemorySettings({"kizuna.outbox.Mika": kept}))
    await stage.join()
    assert stage.entries() == []
    stage.session.leave()
