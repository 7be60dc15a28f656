"""What was missed is marked: an outage, and the first message that nobody has seen."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tests.support.user_page import UserPage
from tests.support.waiting import PATIENCE, eventually

#: The rows of the list as one text each, with the class of a line between messages before it.
ROWS = """() => [...document.getElementById("rows").children].filter((row) => !row.matches(".day")).map((row) =>
    row.matches("article") ? row.querySelector("[data-part=content]").textContent : row.className)"""

#: Take the window's focus, or give it back: headless pages are always focused.
FOCUS = """(focused) => {
    document.hasFocus = () => focused;
    window.dispatchEvent(new Event(focused ? "focus" : "blur"));
}"""


#: It stays for five seconds, in which a busy machine may look at it never.
RECORD_BANNER = """() => {
    const banner = document.getElementById("banner");
    window.bannerTexts = [];
    const note = () => bannerTexts.push([...banner.querySelectorAll("p")].map((each) => each.textContent).join(""));
    new MutationObserver(note).observe(banner, {subtree: true, childList: true, characterData: true});
}"""


def rows(person: UserPage) -> list[str]:
    return list(person.page.evaluate(ROWS))


def jump(person: UserPage) -> Locator:
    return person.page.get_by_role("button", name="Jump to first unread")


def test_an_outage_is_a_line_in_the_log_and_is_counted(ada: UserPage, peer: Peer) -> None:
    ada.say("before")
    ada.wait_for_text("before", state="sent")
    ada.watch.allow("WebSocket connection to .* failed")
    with ada.network.http_status(503):
        ada.network.reset(only_websockets=True)
        expect(ada.page.locator("#banner")).to_contain_text("Connection lost", timeout=PATIENCE * 1000)
        peer.say("one", "two", "three")
        ada.say("queued")
        ada.page.evaluate(RECORD_BANNER)
    ada.come_back()
    eventually(lambda: "Back online.1 sent, 3 received." in ada.page.evaluate("() => bannerTexts"))
    ada.wait_for_text("queued", state="sent")
    eventually(lambda: rows(ada) == ["before", "gap", "unread", "one", "two", "three", "queued"])
    expect(ada.log.locator(".gap")).to_have_text(re.compile("No connection (at|.* to) .*"))


def test_a_drop_that_heals_within_its_grace_leaves_no_line(ada: UserPage, peer: Peer) -> None:
    ada.say("before")
    ada.wait_for_text("before", state="sent")
    ada.network.reset(only_websockets=True)
    ada.come_back()
    peer.say("after")
    ada.wait_for_texts("before", "after")
    assert rows(ada) == ["before", "after"]


def test_a_window_without_focus_marks_what_it_did_not_see(ada: UserPage, peer: Peer) -> None:
    peer.say("seen")
    ada.wait_for_texts("seen")
    ada.page.evaluate(FOCUS, False)
    peer.say("one", "two")
    eventually(lambda: rows(ada) == ["seen", "unread", "one", "two"], what="a line before the first")
    ada.page.evaluate(FOCUS, True)
    ada.say("answer")
    eventually(lambda: rows(ada) == ["seen", "one", "two", "answer"], what="no line after an answer")


def test_the_way_to_the_first_unread_message_moves_the_focus_there(
    ada: UserPage, server: KizunaServer, room: str
) -> None:
    ada.say("here")
    ada.wait_for_text("here", state="sent")
    ada.enter(f"other-{room}")
    with Peer(server, room) as peer:
        peer.say(*[f"message {number}" for number in range(1, 101)])
        ada.enter(room)
    ada.wait_for_text("message 100")
    expect(jump(ada)).to_be_visible()
    jump(ada).focus()
    ada.page.keyboard.press("Enter")
    first = ada.article("message 1")
    expect(first).to_be_focused()
    expect(first).to_be_in_viewport()
    expect(ada.log.locator(".unread")).to_be_in_viewport()
    expect(jump(ada)).to_be_hidden()
    ada.enter(f"other-{room}")
    ada.enter(room)
    expect(ada.log.locator(".unread")).to_have_count(0)


def test_a_page_that_reopens_marks_what_came_since(
    new_person: Callable[..., UserPage], peer: Peer, room: str
) -> None:
    ada = new_person("Ada")
    ada.open(room)
    ada.join()
    peer.say("seen")
    ada.wait_for_texts("seen")
    eventually(lambda: "seen" in str(ada.kept()["rooms"]), what="the room is kept")
    ada.page.close()
    peer.say("one", "two")
    again = ada.another_tab()
    again.open(room)
    again.wait_for_texts("seen", "one", "two")
    eventually(lambda: rows(again) == ["seen", "unread", "one", "two"], what="a line before the first")
