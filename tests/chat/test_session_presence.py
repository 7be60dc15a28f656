"""Who is here and who is writing: shown while it is known, forgotten with the link."""

from __future__ import annotations

from chat.presence import TYPING_INTERVAL, TYPING_LASTS
from tests.chat.session_harness import SessionHarness, message


def typing(name: str, **parts: str) -> dict[str, str]:
    return {"type": "typing", "roomId": "general", "senderId": f"id-of-{name}", "senderName": name, **parts}


def presence(count: int, **parts: str | bool) -> dict[str, object]:
    return {"type": "presence", "roomId": "general", "count": count, "joined": [], "left": [], **parts}


async def test_the_server_says_how_many_are_here(harness: SessionHarness) -> None:
    await harness.join()
    assert harness.state.present is None
    await harness.receive(presence(3), presence(9, roomId="tea"))
    assert (harness.state.present, harness.state.present_or_more) == (3, False)
    harness.socket.drop()
    assert harness.state.present is None


async def test_a_large_room_shows_at_least_how_many_there_are(harness: SessionHarness) -> None:
    await harness.join()
    await harness.receive(presence(100, more=True))
    assert (harness.state.present, harness.state.present_or_more) == (100, True)
    await harness.receive(presence(99, more=False))
    assert (harness.state.present, harness.state.present_or_more) == (99, False)
    await harness.receive(presence(100, more=True))
    harness.socket.drop()
    assert (harness.state.present, harness.state.present_or_more) == (None, False)


async def test_a_count_that_is_no_number_of_people_is_no_count(harness: SessionHarness) -> None:
    await harness.join()
    await harness.receive(presence(3), presence(2**53 - 1))
    assert harness.state.present == 3


async def test_who_writes_is_shown_until_a_while_after_their_last_notice(harness: SessionHarness) -> None:
    await harness.join()
    await harness.receive(typing("Ren"), typing("Aya"), typing("Uta", roomId="tea"))
    assert harness.state.typing == ("Ren", "Aya")
    await harness.platform.advance(TYPING_LASTS - 1)
    await harness.receive(typing("Aya"))
    await harness.platform.advance(1)
    assert harness.state.typing == ("Aya",)
    await harness.platform.advance(TYPING_LASTS)
    assert harness.state.typing == ()


async def test_who_has_said_it_writes_no_longer(harness: SessionHarness) -> None:
    await harness.join()
    await harness.receive(typing("Ren"))
    await harness.receive(message(1))
    assert harness.state.typing == ()


async def test_what_i_write_in_another_tab_is_no_news(harness: SessionHarness) -> None:
    await harness.join()
    await harness.receive(typing("Mika"))
    assert harness.state.typing == ()


async def test_nobody_writes_on_a_link_that_is_gone(harness: SessionHarness) -> None:
    await harness.join()
    await harness.receive(typing("Ren"))
    harness.socket.drop()
    assert harness.state.typing == ()


async def test_the_others_hear_now_and_then_that_i_write(harness: SessionHarness) -> None:
    await harness.join()
    for _ in range(5):
        harness.session.notify_typing()
    assert harness.sent("typing") == [{"action": "typing", "roomId": "general"}]
    await harness.platform.advance(TYPING_INTERVAL)
    harness.session.notify_typing()
    assert len(harness.sent("typing")) == 2


async def test_what_i_write_after_saying_something_is_news_at_once(harness: SessionHarness) -> None:
    await harness.join()
    harness.session.notify_typing()
    await harness.send("hello")
    harness.session.notify_typing()
    assert len(harness.sent("typing")) == 2


async def test_who_writes_while_down_tells_nobody(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.drop()
    harness.session.notify_typing()
    assert harness.sent("typing") == []
    await harness.platform.advance(2)
    await harness.open_link()
    harness.session.notify_typing()
    assert len(harness.sent("typing")) == 1
