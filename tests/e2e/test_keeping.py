"""Stored messages, sent and pending, survive a page; after leaving nothing does."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Error, expect

from tests.support.fault_proxy import Way
from tests.support.peer import Peer
from tests.support.user_page import UserPage, give_config
from tests.support.waiting import eventually

NewPerson = Callable[..., UserPage]

#: Only the chat's database: Pyodide has its own, and does not start without it.
FORBID_DATABASE = """{
    const open = IDBFactory.prototype.open;
    IDBFactory.prototype.open = function (name, ...rest) {
        if (name === "kizuna") throw new DOMException("not here", "SecurityError");
        return open.call(this, name, ...rest);
    };
}"""


#: Holds the outbox, so that no page can commit to it, until the page with this script is closed.
HOLD_OUTBOX = """() => new Promise((held, failed) => {
    const opening = indexedDB.open("kizuna");
    opening.onerror = () => failed(opening.error);
    opening.onsuccess = () => {
        const store = opening.result.transaction("outbox", "readwrite").objectStore("outbox");
        const hold = () => {
            store.count().onsuccess = hold;
            held();
        };
        hold();
    };
})"""


@pytest.mark.deep
def test_a_reload_shows_what_was_said_before_any_connection(
    new_person: NewPerson, server: object, room: str
) -> None:
    ada = new_person("Ada")
    ada.open(room)
    ada.join()
    ada.say("one", "two")
    ada.wait_for_text("two", state="sent")
    eventually(lambda: "two" in str(ada.kept()["rooms"]), what="the room is kept")
    with ada.network.http_status(503):
        ada.watch.allow("WebSocket connection to .* failed")
        ada.reload()
        ada.wait_for_texts("one", "two")
        assert ada.status != "connected"
        assert [shown.state for shown in ada.messages] == ["sent", "sent"]
    ada.try_now_if_shown()
    ada.wait_until_in()
    ada.wait_for_texts("one", "two")


def test_what_is_typed_while_down_outlives_a_crash_of_the_tab(
    new_person: NewPerson, room: str, peer: Peer
) -> None:
    ada = new_person("Ada")
    give_config(ada.page, firstRetryDelay=0.2)
    ada.open(room)
    ada.join()
    ada.watch.allow("WebSocket connection to .* failed")
    with ada.network.http_status(503):
        ada.network.reset(only_websockets=True)
        ada.say("first", "second")
        eventually(lambda: len(ada.kept()["outbox"]) == 2, what="both are kept")
        ada.watch.allow("the page crashed")
        with pytest.raises(Error):
            ada.page.goto("chrome://crash")
        ada.page.close()
    after = ada.another_tab()
    after.open(room)
    after.wait_until_in()
    peer.wait_to_hear("second")
    assert peer.heard == ["first", "second"]
    after.wait_for_texts("first", "second")
    eventually(lambda: after.kept()["outbox"] == [], what="nothing is left to send")


@pytest.mark.parametrize("end", ["crash", "close"])
def test_a_page_that_ends_before_the_commit_sends_each_message_once(
    new_person: NewPerson, room: str, peer: Peer, end: str
) -> None:
    ada = new_person("Ada")
    ada.open(room)
    ada.join()
    holder = ada.page.context.new_page()
    holder.goto(f"{ada.home}/static/config.json")
    holder.evaluate(HOLD_OUTBOX)
    texts = ["one", "two", "three"]
    for text in texts:
        ada.message_box.press_sequentially(text)
        ada.message_box.press("Enter")
        expect(ada.message_box).to_have_value("")
    ada.wait_for_texts(*texts)
    assert {shown.state for shown in ada.messages} == {"queued"}
    if end == "crash":
        ada.watch.allow("the page crashed")
        with pytest.raises(Error):
            ada.page.goto("chrome://crash")
    ada.page.close()
    holder.close()
    after = ada.another_tab()
    after.open(room)
    after.wait_until_in()
    peer.wait_to_hear("three")
    assert peer.heard == texts
    after.wait_for_texts(*texts)
    eventually(lambda: after.kept()["outbox"] == [], what="nothing is left to send")
    assert (
        after.page.evaluate("() => Object.keys(localStorage).filter((key) => key.includes('unstored'))") == []
    )


def test_what_a_closed_tab_was_sending_is_sent_by_the_other_one(
    new_person: NewPerson, room: str, peer: Peer
) -> None:
    first = new_person("Ada")
    first.open(room)
    first.join()
    second = first.another_tab()
    second.open(room)
    second.wait_until_in()
    with first.network.black_hole(Way.UP):
        first.say("did it arrive?")
        first.wait_for_text("did it arrive?", state="sending")
        first.page.close()
        second.wait_for_text("did it arrive?")
    second.come_back()
    second.wait_for_text("did it arrive?", state="sent")
    peer.wait_to_hear("did it arrive?")
    assert peer.heard == ["did it arrive?"]


def test_a_browser_that_keeps_nothing_chats_all_the_same_and_says_so(
    new_person: NewPerson, room: str, peer: Peer
) -> None:
    ada = new_person("Ada")
    ada.page.add_init_script(FORBID_DATABASE)
    ada.watch.allow("kizuna.storage")
    ada.open(room)
    ada.join()
    ada.say("hello")
    ada.wait_for_text("hello", state="sent")
    expect(ada.page.get_by_role("alert").filter(has_text="This browser can't save data")).to_be_visible()
    peer.wait_to_hear("hello")


def test_a_message_deleted_before_its_answer_says_that_it_may_have_arrived(ada: UserPage, peer: Peer) -> None:
    with ada.network.black_hole(Way.DOWN):
        ada.say("better not")
        ada.wait_for_text("better not", state="sending")
        peer.wait_to_hear("better not")
        ada.article("better not").hover()
        ada.article("better not").get_by_role("button", name="Delete").click()
        expect(ada.article("better not")).to_have_count(0)
        expect(ada.page.get_by_text("it may have been delivered already")).to_be_visible()
    ada.wait_for_text("better not", state="sent")  # it was sent already


def test_all_that_failed_is_sent_again_in_the_order_typed(ada: UserPage, peer: Peer) -> None:
    texts = ["one", "two", "three"]
    with ada.network.black_hole(Way.UP):
        for text in texts:
            ada.say(text)
            ada.wait_for_text(text, state="sending")
            refused = {"type": "nack", "code": "busy", "message": "not now", "retryable": False}
            (shown,) = [shown for shown in ada.messages if shown.text == text]
            ada.network.inject(json.dumps({**refused, "clientMessageId": shown.client_message_id}))
            ada.wait_for_text(text, state="failed")
        ada.network.strand(Way.UP, only_websockets=True)
    ada.page.get_by_role("button", name="Retry all").click()
    ada.network.reset(only_websockets=True)
    ada.come_back()
    for text in texts:
        ada.wait_for_text(text, state="sent")
        peer.wait_to_hear(text)
    assert peer.heard == texts
    ada.wait_for_texts(*texts)
