"""A long room: at most 400 rows on the page, and every message within reach, once."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from chat.room_log import MAX_ROWS
from tests.support.peer import Peer
from tests.support.user_page import UserPage
from tests.support.waiting import eventually

#: The numbers of the messages on the page.
SEQS = "(log) => [...log.querySelectorAll('article')].map((article) => Number(article.dataset.seq))"
TO_TOP = "(log) => { log.scrollTop = 0; }"
#: A little above the end: the next messages are near, but not followed.
NEAR_END = "(log) => { log.scrollTop = log.scrollHeight - log.clientHeight - 250; }"

#: Clicks the button while the scroll event of a movement is still to come.
MOVE_AND_JUMP = """() => {
    document.querySelector("#messages").scrollTop -= 40;
    document.querySelector("#jump-button").click();
}"""
#: Sends so many messages as a person would, one after the other.
TYPE_MANY = """async (count) => {
    const box = document.querySelector("#composer-text");
    for (let number = 1; number <= count; number++) {
        box.value = `own ${number}`;
        box.dispatchEvent(new Event("input", {bubbles: true}));
        box.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}));
        while (box.value !== "") await new Promise((done) => setTimeout(done, 5));
    }
}"""


def rows(ada: UserPage) -> list[int]:
    """The numbers of the messages on the page: few, in order, without a hole."""
    seqs: list[int] = ada.log.evaluate(SEQS)
    assert len(seqs) <= MAX_ROWS
    assert seqs == list(range(seqs[0], seqs[-1] + 1))
    return seqs


def say(peer: Peer, first: int, last: int) -> None:
    peer.say(*(f"number {number}" for number in range(first, last + 1)))


def scroll_up_to(ada: UserPage, seq: int) -> set[int]:
    """Scroll to the top until this message is there. Return all that were on the page on the way."""
    seen = set(rows(ada))
    while seq not in seen:
        moved(ada, TO_TOP, 0)
        seen.update(rows(ada))
    return seen


def texts_above(ada: UserPage, seen: set[str]) -> set[str]:
    """Scroll to the top, and return the texts that come."""
    ada.log.evaluate(TO_TOP)
    return eventually(lambda: set(ada.texts) - seen, what="earlier messages")


def moved(ada: UserPage, scroll: str, at: int) -> None:
    """Scroll, and wait until the message at this end of the list is another one."""
    before = rows(ada)[at]
    ada.log.evaluate(scroll)
    eventually(lambda: rows(ada)[at] != before, what="other messages")


@pytest.fixture
def long_room(ada: UserPage, peer: Peer) -> UserPage:
    """A person at the end of a room of 350 messages."""
    say(peer, 1, 350)
    ada.wait_for_text("number 350")
    return ada


def test_what_scrolled_away_comes_back_once_and_in_order(long_room: UserPage) -> None:
    expect(long_room.log).to_have_attribute("data-count", "350")
    assert len(rows(long_room)) < 300
    assert scroll_up_to(long_room, 1) == set(range(1, 351))
    while not long_room.article("number 350").is_visible():
        moved(long_room, NEAR_END, -1)


def test_who_reads_earlier_messages_stays_there_and_jumps_back(long_room: UserPage, peer: Peer) -> None:
    scroll_up_to(long_room, 150)
    reads = long_room.article("number 150")
    reads.evaluate("(article) => article.scrollIntoView({block: 'center'})")
    long_room.page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    y = reads.evaluate("(article) => article.getBoundingClientRect().top")
    say(peer, 351, 800)
    button = long_room.page.get_by_role("button", name="450 new messages")
    expect(button).to_be_visible()
    assert reads.evaluate("(article) => article.getBoundingClientRect().top") == pytest.approx(y, abs=1)
    assert 800 not in rows(long_room)
    button.click()
    expect(long_room.article("number 800")).to_be_in_viewport()
    expect(button).to_be_hidden()
    say(peer, 801, 801)
    expect(long_room.article("number 801")).to_be_in_viewport()


def test_a_jump_reaches_the_end_while_the_list_still_moves(long_room: UserPage, peer: Peer) -> None:
    scroll_up_to(long_room, 150)
    long_room.article("number 150").evaluate("(article) => article.scrollIntoView({block: 'center'})")
    say(peer, 351, 800)
    expect(long_room.page.get_by_role("button", name="450 new messages")).to_be_visible()
    long_room.page.evaluate(MOVE_AND_JUMP)
    expect(long_room.article("number 800")).to_be_in_viewport()


def test_many_unsent_words_can_be_scrolled_through(ada: UserPage) -> None:
    ada.set_offline(True)
    try:
        ada.page.evaluate(TYPE_MANY, 205)
        expect(ada.log).to_have_attribute("data-count", "205")
        seen = set(ada.texts)
        while "own 1" not in seen:
            seen |= texts_above(ada, seen)
        assert len(seen) == 205
    finally:
        ada.set_offline(False)


def test_end_goes_to_the_newest_message(long_room: UserPage, peer: Peer) -> None:
    scroll_up_to(long_room, 1)
    say(peer, 351, 800)
    expect(long_room.page.get_by_role("button", name="450 new messages")).to_be_visible()
    long_room.log.focus()
    long_room.page.keyboard.press("End")
    expect(long_room.article("number 800")).to_be_focused()
    expect(long_room.article("number 800")).to_be_in_viewport()


def test_own_words_are_shown_wherever_one_reads(long_room: UserPage) -> None:
    scroll_up_to(long_room, 1)
    long_room.say("here I am")
    expect(long_room.article("here I am")).to_be_in_viewport()


def test_the_focus_stays_in_the_list_when_its_message_is_cut(long_room: UserPage, peer: Peer) -> None:
    long_room.article("number 349").focus()
    say(peer, 351, 800)
    long_room.wait_for_text("number 800")
    expect(long_room.article("number 800")).to_be_in_viewport()
    expect(long_room.log).to_be_focused()


def test_a_room_that_is_entered_again_opens_at_its_end(long_room: UserPage, peer: Peer) -> None:
    scroll_up_to(long_room, 100)
    here = long_room.page.evaluate("location.hash")
    long_room.page.evaluate("location.hash = '#/another-room'")
    expect(long_room.log).to_have_attribute("data-count", "0")
    say(peer, 351, 351)
    long_room.page.evaluate("(here) => { location.hash = here; }", here)
    expect(long_room.article("number 351")).to_be_in_viewport()
    assert len(rows(long_room)) < 300
