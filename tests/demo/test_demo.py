"""The demo: the chat on a server in the page, with two bots."""

from __future__ import annotations

import asyncio

import pytest

import demo
from chat.identity import NAME_KEY
from demo.conversation import INTRO, TIPS
from demo.server import RATE_LIMIT
from kizuna import Status
from kizuna.testing.conformance import CHECKS, Outcome, Target, run
from tests.demo.demo_page import DemoPage, texts


async def test_the_page_joins_at_once_and_is_greeted():
    page = DemoPage()
    await page.open()
    assert page.store.state.name == texts()("guest")
    await page.until_heard("intro.hello")
    assert page.store.state.present == 3


async def test_the_bots_say_what_can_be_tried():
    page = DemoPage()
    await page.open()
    for key in INTRO:
        await page.until_heard(key)
    senders = {entry.sender_name for entry in page.store.state.timeline.entries}
    assert senders == {texts()("mio"), texts()("sora")}


async def test_a_bot_types_before_it_speaks():
    page = DemoPage()
    await page.open()
    await page.browser.until(lambda: page.store.state.typing == (texts()("sora"),))
    await page.until_heard(INTRO[0])
    assert page.store.state.typing == ()


async def test_a_message_is_stored_and_answered_with_its_number():
    page = DemoPage()
    await page.open()
    await page.say("hello there")
    await page.browser.until(lambda: page.own == [("hello there", "sent")])
    seq = next(entry.seq for entry in page.store.state.timeline.entries if entry.own)
    await page.until_heard("answer.number", text="hello there", seq=seq or 0)
    await page.until_heard(TIPS[0])


async def test_several_messages_get_one_answer():
    page = DemoPage()
    await page.open()
    await page.say("one", "two", "three")
    await page.until_heard("answer.several", count=3, first=2, last=4)


async def test_an_outage_loses_nothing_and_the_bots_go_on():
    page = DemoPage()
    await page.open()
    page.browser.go_offline()
    await page.browser.until(lambda: page.store.state.connection.status is Status.OFFLINE)
    await page.say("typed", "meanwhile")
    await page.browser.advance(10)
    assert [state for _, state in page.own] == ["queued", "queued"]
    page.browser.go_online()
    await page.browser.until(lambda: page.store.state.caught_up)
    await page.until_heard("away.first")
    await page.until_heard("away.second")
    await page.until_heard("answer.waited", count=2)
    assert page.own == [("typed", "sent"), ("meanwhile", "sent")]
    assert len(page.heard) == len(set(page.heard))


async def test_the_server_restarts_when_it_is_asked():
    page = DemoPage()
    await page.open()
    await page.say("please restart")
    await page.browser.until(lambda: not page.store.state.is_connected)
    await page.say("typed meanwhile")
    await page.browser.until(lambda: page.store.state.caught_up)
    await page.browser.until(lambda: page.own == [("please restart", "sent"), ("typed meanwhile", "sent")])


async def test_a_reload_in_an_outage_loses_nothing():
    page = DemoPage()
    await page.open()
    await page.say("before")
    await page.browser.until(lambda: page.own == [("before", "sent")])
    page.browser.go_offline()
    await page.say("not sent yet")
    await page.browser.advance(2)  # the cache is written
    reloaded = DemoPage(page.settings)
    await reloaded.open()
    await reloaded.browser.until(lambda: reloaded.own == [("before", "sent"), ("not sent yet", "sent")])
    assert reloaded.heard.count(texts()("intro.hello")) == 1
    assert reloaded.store.state.notice is None


async def test_every_room_has_its_own_numbers():
    page = DemoPage()
    await page.open()
    page.session.enter_room("tea")
    await page.until_heard("room", room="tea")
    assert page.store.state.timeline.entries[-1].seq == 1
    await page.say("in tea")
    await page.until_heard("answer.number", text="in tea", seq=2)


async def test_too_many_messages_wait_for_their_turn():
    page = DemoPage()
    await page.open()
    await page.say(*(f"message {number}" for number in range(RATE_LIMIT + 5)))
    await page.browser.until(lambda: {state for _, state in page.own} == {"sent"})
    assert [text for text, _ in page.own] == [f"message {number}" for number in range(RATE_LIMIT + 5)]


async def test_leaving_and_joining_under_another_name_works():
    page = DemoPage()
    await page.open()
    page.session.leave()
    page.session.join("Ada")
    await page.browser.until(lambda: page.store.state.caught_up)
    assert page.settings.get(NAME_KEY) == "Ada"
    await page.until_heard("back", count=1)


async def test_a_message_whose_ack_is_lost_is_recognised():
    page = DemoPage()
    await page.open()
    page.server.hang()
    await page.say("sent twice")
    page.server.hangs = False
    page.server.drop_all()
    await page.browser.until(lambda: page.own == [("sent twice", "sent")])


async def test_the_server_conforms():
    page = DemoPage()
    _, answer, _ = await page.server.post_json(demo.TOKEN_URL, {"name": "Ann", "clientSecret": "s"}, {})

    async def restart() -> None:
        page.server.restart(1)

    target = Target(
        url=demo.WEB_SOCKET_URL,
        token=answer["token"],
        platform=page.demo.platform,
        payload={"content": "x"},
        restart=restart,
    )

    async def collect() -> dict[str, str]:
        found = [each async for each in run(target)]
        assert [each.name for each in found] == list(CHECKS)
        return {each.name: each.words for each in found if each.outcome is Outcome.FAILED}

    running = asyncio.ensure_future(collect())
    while not running.done():
        await page.browser.advance(0.1)
    assert await running == {}


@pytest.mark.parametrize("language", ["en", "ja"])
async def test_nothing_is_stored_but_in_the_tab(language: str):
    page = DemoPage(say=texts(language))
    await page.open()
    assert set(page.settings) >= {NAME_KEY, "item/general/1"}
