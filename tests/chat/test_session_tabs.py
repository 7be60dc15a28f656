"""Two tabs of one person: each sends its own messages, and those of a tab that is gone."""

from __future__ import annotations

from functools import partial

import pytest

from chat.store import NoticeKind
from chat.timeline import Delivery
from kizuna.core.states import Status
from kizuna.delivery.outbox import Outbox
from kizuna.delivery.pending_message import Failure
from kizuna.delivery.sender import ADOPT_INTERVAL
from tests.chat.session_harness import Browser, SessionHarness, ack, message
from tests.chat.test_session_keeping import started

DAY = 24 * 3600


async def two_tabs() -> tuple[SessionHarness, SessionHarness]:
    browser = Browser()
    first, second = SessionHarness(browser), SessionHarness(browser)
    await first.join()
    await second.join()
    return first, second


async def test_two_tabs_send_each_its_own_words() -> None:
    first, second = await two_tabs()
    first.socket.drop()
    await first.send("from the first")
    await second.platform.advance(3 * ADOPT_INTERVAL)
    assert second.sent("sendMessage") == []
    assert second.entries() == []
    first.session.leave()
    second.session.leave()


async def test_another_tab_sends_a_closed_tabs_message_with_its_id() -> None:
    first, second = await two_tabs()
    first.socket.drop()
    for text in ("one", "two"):
        await first.send(text)
    first.crash()
    await second.platform.advance(ADOPT_INTERVAL + 0.1)
    assert second.entries() == [("one", Delivery.SENDING), ("two", Delivery.QUEUED)]
    assert [frame["clientMessageId"] for frame in second.sent("sendMessage")] == ["c1"]
    await second.receive(ack("c1", 1))
    assert [frame["clientMessageId"] for frame in second.sent("sendMessage")] == ["c1", "c2"]
    second.session.leave()


async def test_leaving_in_one_tab_leaves_in_those_of_this_person_alone() -> None:
    first, second = await two_tabs()
    third = SessionHarness(first.browser)
    third.session.join("Ren")
    await third.open_link()
    first.session.leave()
    for tab in (second, third):
        tab.session.follow_other_tabs()
        await tab.platform.settle()
    assert (second.state.name, second.state.connection.status) == (None, Status.CLOSED)
    assert second.state.notice is not None
    assert second.state.notice.kind is NoticeKind.LEFT_ELSEWHERE
    assert (third.state.name, third.state.connection.status) == ("Ren", Status.CONNECTED)
    first.session.join("Mika")
    await first.open_link()
    second.session.follow_other_tabs()
    assert second.state.name is None, "who comes back comes back where they asked for it"
    third.session.follow_other_tabs()
    first.session.follow_other_tabs()
    assert first.state.name == "Mika", "a tab that follows remembers nothing by which others would follow it"
    first.session.leave()
    third.session.leave()


async def test_messages_of_a_tab_that_left_are_sent_after_joining() -> None:
    first, second = await two_tabs()
    second.socket.drop()
    await second.send("for later")
    first.session.leave()
    second.session.follow_other_tabs()
    assert second.entries() == []
    first.session.join("Mika")
    await first.open_link()
    assert first.entries() == [("for later", Delivery.SENDING)]
    assert [frame["clientMessageId"] for frame in first.sent("sendMessage")] == ["p2-c1"]
    first.session.leave()


async def test_a_suspended_tab_does_not_send_messages_taken_over() -> None:
    first, second = await two_tabs()
    first.socket.drop()
    await first.send("mine or yours")
    first.locks.end()  # the browser frees the locks of a page that it puts aside
    await second.platform.advance(ADOPT_INTERVAL + 0.1)
    assert len(second.sent("sendMessage")) == 1
    await first.platform.advance(2)
    await first.open_link()
    assert first.sent("sendMessage") == []
    assert first.entries() == []
    assert first.state.waiting == 0
    first.session.leave()
    second.session.leave()


async def test_a_message_deleted_where_it_was_taken_over_is_sent_by_nobody() -> None:
    first, second = await two_tabs()
    first.socket.drop()
    second.socket.drop()
    await first.send("better not")
    first.locks.end()
    await second.platform.advance(ADOPT_INTERVAL + 0.1)
    second.session.discard("c1")
    for tab in (first, second):
        await tab.platform.advance(2)
        await tab.open_link()
        assert tab.sent("sendMessage") == []
        tab.session.leave()


async def test_more_than_fits_from_closed_tabs_fails_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kizuna.delivery.sender.Outbox", partial(Outbox, limit=2))
    first, second = await two_tabs()
    first.socket.drop()
    second.socket.drop()
    await first.send("one")
    await first.send("two")
    second.platform.clock.sleep(1)
    await second.send("three")
    first.crash()
    second.crash()
    third = await started(SessionHarness(first.browser))
    waiting = [("one", Delivery.QUEUED), ("two", Delivery.QUEUED)]
    assert third.entries() == [*waiting, ("three", Delivery.FAILED)]
    assert third.state.timeline.failed[0].failure == Failure("outbox_full")
    third.session.retry("p2-c1")
    assert third.state.notice is not None
    assert third.state.notice.kind is NoticeKind.OUTBOX_FULL
    assert len(third.browser.rows("outbox")) == 3
    third.session.leave()


async def test_an_adopted_message_does_not_wait_for_one_that_is_stored_already() -> None:
    browser = Browser()
    first, second = SessionHarness(browser), SessionHarness(browser)
    for page in (first, second):
        await page.join(head=1, messages=[message(1)])
    await first.send("one")
    await first.send("two")
    mine = {"senderId": "id-of-Mika", "senderName": "Mika", "clientMessageId": "c1", "content": "one"}
    await second.receive(message(2, **mine))
    first.crash()
    await second.platform.advance(ADOPT_INTERVAL)
    assert [frame["content"] for frame in second.sent("sendMessage")] == ["two"]
    second.session.leave()
    await second.platform.settle()
