"""Reading: the scroll position and the focus."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.support.peer import Peer
from tests.support.user_page import UserPage
from tests.support.waiting import eventually

WORDS = "some words that are long enough to need more lines where the page is narrow, as it is on a phone"

#: A message's distance from the window's top.
Y = "(article) => article.getBoundingClientRect().top"

#: The text of the first message whose top is visible.
FIRST_IN_SIGHT = """(log) => [...log.querySelectorAll("article")]
    .find((article) => article.getBoundingClientRect().top >= log.getBoundingClientRect().top)
    .querySelector('[data-part="content"]').textContent"""

#: Resolves after the next layout and paint.
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"

NOTICE = """(field) => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File(["a picture"], "image.png"));
    field.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true}));
}"""


def read_back(ada: UserPage, peer: Peer) -> None:
    """Scroll to the middle of sixty messages."""
    peer.say(*(f"{number}: {WORDS}" for number in range(60)))
    ada.wait_for_text(f"59: {WORDS}")
    ada.log.evaluate("(log) => { log.scrollTop = log.scrollHeight / 2; }")
    expect(ada.page.get_by_role("button", name="Latest messages")).to_be_visible()


def test_the_message_one_reads_stays_in_sight_when_the_window_changes(ada: UserPage, peer: Peer) -> None:
    size = ada.page.viewport_size
    assert size is not None
    read_back(ada, peer)
    reads = ada.article(ada.log.evaluate(FIRST_IN_SIGHT))
    try:
        for width in (360, size["width"]):
            ada.page.set_viewport_size({"width": width, "height": size["height"]})
            ada.page.evaluate(DRAWN)
            expect(reads).to_be_in_viewport()
    finally:
        ada.page.set_viewport_size(size)


def test_the_message_one_reads_stands_still_when_words_come_above_it(ada: UserPage, peer: Peer) -> None:
    read_back(ada, peer)
    dismiss = ada.page.locator("#notice").get_by_role("button", name="Dismiss")
    if dismiss.is_visible():  # what an earlier test has left
        dismiss.click()
    expect(dismiss).to_be_hidden()
    expect(ada.page.locator("#banner")).to_be_hidden()  # as "Back online."
    reads = ada.article(ada.log.evaluate(FIRST_IN_SIGHT))
    top_of_log, y = ada.log.evaluate(Y), reads.evaluate(Y)
    ada.message_box.evaluate(NOTICE)
    eventually(lambda: ada.log.evaluate(Y) > top_of_log, what="a notice above the messages")
    assert reads.evaluate(Y) == pytest.approx(y, abs=1)
    dismiss.click()
    eventually(lambda: ada.log.evaluate(Y) == top_of_log, what="no notice any longer")
    assert reads.evaluate(Y) == pytest.approx(y, abs=1)


def test_who_goes_to_new_messages_by_key_reads_on_at_the_first(ada: UserPage, peer: Peer) -> None:
    read_back(ada, peer)
    peer.say("new one", "new two")
    button = ada.page.get_by_role("button", name="2 new messages")
    button.press("Enter")
    expect(button).to_be_hidden()
    expect(ada.article("new one")).to_be_focused()
    ada.page.keyboard.press("ArrowDown")
    expect(ada.article("new two")).to_be_focused()
    expect(ada.article("new two")).to_be_in_viewport()


SELECT = """([first, last]) => {
    const content = (text) => [...document.querySelectorAll("[data-part=content]")]
        .find((each) => each.textContent === text).firstChild;
    const range = document.createRange();
    range.setStart(content(first), 1);
    range.setEnd(content(last), 2);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    const clipboardData = new DataTransfer();
    document.body.dispatchEvent(new ClipboardEvent("copy", {clipboardData, bubbles: true, cancelable: true}));
    return clipboardData.getData("text/plain");
}"""


def test_several_messages_are_copied_as_lines_with_time_and_name(ada: UserPage, peer: Peer) -> None:
    peer.say("first", "second")
    ada.say("third")
    ada.wait_for_texts("first", "second", "third")
    times = ada.log.locator("time[data-part=time]").all_text_contents()
    copied = ada.page.evaluate(SELECT, ["first", "third"])
    assert copied == "\n".join(
        f"[{time}] {line}"
        for time, line in zip(times, ["Peer: irst", "Peer: second", "Ada: th"], strict=True)
    )
    assert ada.page.evaluate(SELECT, ["first", "first"]) == "", "what is in one message is copied as it is"


def test_messages_have_names_and_links_are_reached_through_them(ada: UserPage, peer: Peer) -> None:
    peer.say("https://a.example/ https://b.example/", "last")
    ada.wait_for_texts("https://a.example/ https://b.example/", "last")
    article = ada.log.get_by_role("article", name=re.compile(r"^Peer, \d+:\d\d")).first
    ada.message_box.focus()
    ada.page.keyboard.press("Shift+Tab")
    expect(ada.log).to_be_focused()
    ada.page.keyboard.press("Home")
    expect(article).to_be_focused()
    ada.page.keyboard.press("Tab")
    expect(article.get_by_role("link").first).to_be_focused()


def test_a_letter_typed_on_a_message_is_written_in_the_field(ada: UserPage, peer: Peer) -> None:
    peer.say("read me")
    ada.article("read me").focus()
    ada.page.keyboard.press("h")
    expect(ada.message_box).to_be_focused()
    ada.page.keyboard.type("ello")
    expect(ada.message_box).to_have_value("hello")
    ada.message_box.fill("")
