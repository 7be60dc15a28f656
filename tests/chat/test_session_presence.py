"""Who is here and who is writing: shown while it is known, forgotten with the link."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chat.presence import TYPING_INTERVAL, TYPING_LASTS
from tests.chat.stage import Stage, message


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    stage.session.leave()
    await stage.platform.settle()
    assert stage.platform.clock.armed == 0, "a timer is left after leaving"


def typing(name: str, **parts: str) -> dict[str, str]:
    return {"type": "typing", "roomId": "general", "senderId": f"id-of-{name}", "senderName": name, **parts}


def presence(count: int, **parts: str | bool) -> dict[str, object]:
    return {"type": "presence", "roomId": "general", "count": count, "joined": [], "left": [], **parts}


async def test_the_server_says_how_many_are_here(stage: Stage) -> None:
    await stage.join()
    assert stage.state.present is None
    await stage.receive(presence(3), presence(9, roomId="tea"))
    assert (stage.state.present, stage.state.present_or_more) == (3, False)
    stage.socket.drop()
    assert stage.state.present is None


async def test_a_large_room_shows_at_least_how_many_there_are(stage: Stage) -> None:
    await stage.join()
    await stage.receive(presence(100, more=True))
    assert (stage.state.present, stage.state.present_or_more) == (100, True)
    await stage.receive(presence(99, more=False))
    assert (stage.state.present, stage.state.present_or_more) == (99, False)
    await stage.receive(presence(100, more=True))
    stage.socket.drop()
    assert (stage.state.present, stage.state.present_or_more) == (None, False)


async def test_a_count_that_is_no_number_of_people_is_no_count(stage: Stage) -> None:
    await stage.join()
    await stage.receive(presence(3), presence(2**53 - 1))
    assert stage.state.present == 3


async def test_who_writes_is_shown_until_a_while_after_their_last_notice(stage: Stage) -> None:
    await stage.join()
    await stage.receive(typing("Ren"), typing("Aya"), typing("Uta", roomId="tea"))
    assert stage.state.typing == ("Ren", "Aya")
    await stage.platform.advance(TYPING_LASTS - 1)
    await stage.receive(typing("Aya"))
    await stage.platform.advance(1)
    assert stage.state.typing == ("Aya",)
    await stage.platform.advance(TYPING_LASTS)
    assert stage.state.typing == ()


async def test_who_has_said_it_writes_no_longer(stage: Stage) -> None:
    await stage.join()
    await stage.receive(typing("Ren"))
    await stage.receive(message(1))
    assert stage.state.typing == ()


async def test_what_i_write_in_another_tab_is_no_news(stage: Stage) -> None:
    await stage.join()
    await stage.receive(typing("Mika"))
    assert stage.state.typing == ()


async def test_nobody_writes_on_a_link_that_is_gone(stage: Stage) -> None:
    await stage.join()
    await stage.receive(typing("Ren"))
    stage.socket.drop()
    assert stage.state.typing == ()


async def test_the_others_hear_now_and_then_that_i_write(stage: Stage) -> None:
    await stage.join()
    for _ in range(5):
        stage.session.notify_typing()
    assert stage.sent("typing") == [{"action": "typing", "roomId": "general"}]
    await stage.platform.advance(TYPING_INTERVAL)
    stage.session.notify_typing()
    assert len(stage.sent("typing")) == 2


async def test_what_i_write_after_saying_something_is_news_at_once(stage: Stage) -> None:
    await stage.join()
    stage.session.notify_typing()
    await stage.say("hello")
    stage.session.notify_typing()
    assert len(stage.sent("typing")) == 2


async def test_who_writes_while_down_tells_nobody(stage: Stage) -> None:
    await stage.join()
    stage.socket.drop()
    stage.session.notify_typing()
    assert stage.sent("typing") == []
    await stage.platform.advance(2)
    await stage.open_link()
    stage.session.notify_typing()
    assert len(stage.sent("typing")) == 1
