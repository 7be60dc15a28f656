"""Another name for the same person, and leaving without a trace."""

from __future__ import annotations

from chat.store import NoticeKind
from chat.timeline import Delivery
from kizuna.core.states import Status
from tests.chat.session_harness import SessionHarness, ack, message


async def test_a_renamed_person_connects_again_and_sends_what_waited(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.socket.drop()
    await harness.send("as Mika")
    harness.session.rename("Mika-2")
    await harness.open_link(head=1)
    assert (harness.state.name, harness.state.connection.status) == ("Mika-2", Status.CONNECTED)
    assert [asked["name"] for asked in harness.tokens_asked] == ["Mika", "Mika-2"]
    assert harness.entries() == [("words 1", Delivery.RECEIVED), ("as Mika", Delivery.SENDING)]
    await harness.receive(ack("c1", 2))
    assert harness.entries()[-1] == ("as Mika", Delivery.SENT)


async def test_a_name_that_is_refused_changes_nothing_and_is_told(harness: SessionHarness) -> None:
    harness.session.join("Ren")
    harness.session.leave()
    await harness.join()
    before = harness.socket
    harness.session.rename("Ren")
    assert harness.state.notice is not None
    assert harness.state.notice.kind is NoticeKind.RENAME_REFUSED
    assert harness.state.notice.params == {"problem": "taken"}
    assert (harness.state.name, harness.socket) == ("Mika", before)
    harness.session.rename("Mika")
    assert harness.state.notice is None
    assert harness.state.connection.status is Status.CONNECTED, "the same name is no reason to connect again"


async def test_nobody_is_renamed_before_joining(harness: SessionHarness) -> None:
    harness.session.rename("Ren")
    assert (harness.state.name, harness.identity.name) == (None, None)


async def test_who_is_forgotten_leaves_neither_messages_nor_a_name(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await harness.platform.advance(1.1)  # kept by now
    harness.socket.drop()
    await harness.send("never sent")
    harness.session.forget()
    await harness.platform.settle()
    assert (harness.state.name, harness.state.suggested_name, harness.state.notice) == (None, "", None)
    assert harness.browser.rows("rooms") == harness.browser.rows("outbox") == {}
    assert "Mika" not in str(harness.settings) + str(harness.tab)
    await harness.join()
    assert harness.entries() == []


async def test_a_person_forgotten_in_one_tab_is_forgotten_in_the_others(harness: SessionHarness) -> None:
    await harness.join()
    other = SessionHarness(harness.browser)
    await other.join()
    harness.session.forget()
    other.session.follow_other_tabs()
    await other.platform.settle()
    assert (other.state.name, other.state.connection.status) == (None, Status.CLOSED)
    assert other.tab == {}
    again = other.reloaded()
    again.session.start()
    assert again.state.name is None
