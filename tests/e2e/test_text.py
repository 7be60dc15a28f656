"""People's texts are never markup, never too much for the page, and never cut."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tests.support.user_page import UserPage
from tests.support.waiting import eventually

MARKUP = (
    """<img src=x onerror="alert('from a message')">""",
    "<script>alert(1)</script>",
    "<svg onload=alert(1)>&lt;b&gt; &amp; &quot;",
    "javascript:alert(1) [x](javascript:alert(1)) ${alert(1)} {{alert(1)}}",
)
BAD_NAME = "<img src=x onerror=alert(1)>"


def test_markup_is_shown_as_the_text_that_it_is(ada: UserPage, server: KizunaServer, room: str) -> None:
    ada.say(*MARKUP)
    ada.wait_for_text(MARKUP[-1], state="sent")
    with Peer(server, room, name=BAD_NAME) as stranger:
        stranger.say(*MARKUP)
        ada.wait_for_texts(*MARKUP, *MARKUP)
    expect(ada.log.get_by_text(BAD_NAME).first).to_be_visible()
    expect(ada.log.locator("img, script, iframe, a")).to_have_count(0)
    assert [url for url in ada.watch.requests if url.endswith("/x")] == []


def test_a_message_of_5000_characters_is_shown_whole_and_breaks_no_layout(
    ada: UserPage, ben: UserPage
) -> None:
    sentence = ("long text, " * 460)[:4990] + " the end."
    one_word = "絆" + "W" * 4999
    for text in (sentence, one_word):
        ada.say(text)
    for person in (ada, ben):
        person.wait_for_texts(sentence, one_word)
        assert fits(person)


def fits(person: UserPage) -> bool:
    """Return whether neither the page nor the log scrolls sideways."""
    return bool(
        person.page.evaluate(
            """() => [document.documentElement, document.querySelector('[role="log"]')]
                .every(element => element.scrollWidth <= element.clientWidth)"""
        )
    )


def test_line_breaks_and_spaces_stay(ada: UserPage, ben: UserPage) -> None:
    text = "first line\n    indented\n\nlast line"
    ada.message_box.fill(text)
    ada.message_box.press("Enter")
    for person in (ada, ben):
        eventually(lambda: person.texts == [text])  # noqa: B023
        shown = person.log.locator('[data-part="content"]').inner_text()
        assert shown.split() == text.split()
        assert shown.count("\n") == 3


def test_40_kib_are_refused_with_a_reason_and_nothing_else_suffers(ada: UserPage, peer: Peer) -> None:
    before = ada.network.counts.websockets
    huge = "絆 " * 10_240  # four bytes each
    ada.message_box.fill(huge)
    ada.message_box.press("Enter")
    complaint = ada.page.get_by_role("alert").filter(visible=True)
    expect(complaint).to_contain_text(re.compile("16|40,960|large|long"))
    expect(ada.message_box).to_have_value(huge)
    assert ada.texts == []

    ada.say("something shorter")
    ada.wait_for_text("something shorter", state="sent")
    expect(complaint).to_have_count(0)
    peer.wait_to_hear("something shorter")
    assert peer.heard == ["something shorter"]
    assert ada.status == "connected"
    assert ada.network.counts.websockets == before


def test_16_kib_are_the_most_and_are_delivered(ada: UserPage, peer: Peer) -> None:
    most = "é" * 8192
    ada.message_box.fill(most + "!")
    ada.message_box.press("Enter")
    expect(ada.page.get_by_role("alert").filter(visible=True)).to_have_count(1)
    ada.say(most)
    ada.wait_for_text(most, state="sent")
    peer.wait_to_hear(most)
    assert peer.heard == [most]


def test_a_link_names_its_real_address_and_turns_nothing_around(ada: UserPage, peer: Peer) -> None:
    peer.say(
        "\u202eこちらhttps://例え.example/絆 を見て https://a@b.example https://a.example:99999 מה https://c.example/"
    )
    article = ada.log.get_by_role("article")
    links = article.get_by_role("link")
    expect(links).to_have_count(2)
    first = links.first
    expect(first).to_have_text("https://例え.example/絆")
    expect(first).to_have_attribute("title", "https://xn--r8jz45g.example/%E7%B5%86")
    assert first.evaluate(
        "link => [getComputedStyle(link).unicodeBidi, getComputedStyle(link).direction]"
    ) == [
        "isolate",
        "ltr",
    ]


def test_a_message_taller_than_thirty_lines_is_folded_until_asked(ada: UserPage, peer: Peer) -> None:
    lines = "\n".join(f"line {number}" for number in range(1500))
    for text in (lines, "wide " * 3000, "\ufdfd" * 5000, "\n".join("short" * 5)):
        peer.say(text)
    articles = ada.log.get_by_role("article")
    expect(articles).to_have_count(4)
    buttons = ada.log.get_by_role("button", name="Show all")
    expect(buttons).to_have_count(3)
    line = articles.last.get_by_role("time").evaluate(
        "e => parseFloat(getComputedStyle(e.closest('.bubble')).lineHeight)"
    )
    heights = articles.evaluate_all(
        "all => all.map(each => each.querySelector('[data-part=content]').clientHeight)"
    )
    assert max(heights) <= 31 * line

    first = articles.first
    first.focus()
    ada.page.keyboard.press("Tab")
    expect(buttons.first).to_be_focused()
    ada.page.keyboard.press("Enter")
    expect(first).to_be_focused()
    expect(buttons).to_have_count(2)
    assert first.evaluate("each => each.clientHeight") > 1500 * line * 0.9
    expect(first).to_be_in_viewport()


def test_names_and_rooms_that_cannot_be_are_told_at_their_fields(ada: UserPage, room: str) -> None:
    field = ada.page.get_by_role("textbox", name="Go to a room")
    field.fill(f"{room}\u3164")
    field.press("Enter")
    expect(field).to_have_accessible_description(re.compile("invisible"))
    expect(field).to_be_focused()
    field.press("Backspace")
    expect(field).to_have_accessible_description("")

    ada.watch.allow("status of 400")
    ada.open_menu()
    ada.page.get_by_role("button", name="Leave", exact=True).click()
    ada.page.route(
        "**/token", lambda route: route.fulfill(status=400, json={"code": "invalid_field", "field": "name"})
    )
    name = ada.page.get_by_role("textbox", name="Your name")
    for refused, reason in (("Ada\u3164", "invisible"), ("Zoë", "doesn't accept it")):
        name.fill(refused)
        name.press("Enter")
        expect(name).to_have_accessible_description(re.compile(reason))
        expect(name).to_have_value(refused)
    ada.page.unroute("**/token")


CODE = """look:
```py
x = 1  # %s
if x != 2: -> `y`
```
and `<b>inline</b>`, www.example.org, ada@example.org"""


def test_code_is_elements_of_its_own_and_changes_no_character(ada: UserPage, peer: Peer) -> None:
    peer.say(CODE % ("a line that scrolls " * 20))
    article = ada.log.get_by_role("article")
    block = article.get_by_role("group", name="Code")
    expect(block).to_have_text(
        "x = 1  # %sif x != 2: -> `y`" % ("a line that scrolls " * 20), use_inner_text=False
    )
    codes = article.locator("code")
    assert codes.all_text_contents()[1:] == ["<b>inline</b>"]
    assert codes.evaluate_all("all => all.map(each => each.getAttribute('translate'))") == ["no", "no"]
    assert codes.first.evaluate("each => getComputedStyle(each).fontVariantLigatures") == "none"
    assert "monospace" in codes.first.evaluate("each => getComputedStyle(each).fontFamily")
    assert fits(ada), "the block scrolls, not the log"
    expect(block).to_have_attribute("tabindex", "0")
    block.focus()
    ada.page.keyboard.press("ArrowRight")
    eventually(lambda: block.evaluate("each => each.scrollLeft > 0"), what="the block scrolls by key")
    links = article.get_by_role("link")
    assert links.evaluate_all("all => all.map(each => [each.textContent, each.getAttribute('href')])") == [
        ["www.example.org", "https://www.example.org"],
        ["ada@example.org", "mailto:ada@example.org"],
    ]


def test_the_time_stands_in_the_last_line_if_there_is_room(ada: UserPage, peer: Peer) -> None:
    peer.say("short", "🎉", "words " * 100 + "\nend")
    articles = ada.log.get_by_role("article")
    expect(articles).to_have_count(3)
    below = """(article) => article.querySelector(".bubble").clientHeight
        - article.querySelector("[data-part=content]").offsetHeight"""
    line = "each => parseFloat(getComputedStyle(each).lineHeight)"
    heights = articles.evaluate_all(f"all => all.map({below})")
    assert max(heights) < 1.2 * articles.first.evaluate(line), "the padding, and no line for the time"
    size = "each => parseFloat(getComputedStyle(each.querySelector('[data-part=content]')).fontSize)"
    assert articles.nth(1).evaluate(size) == 2 * articles.first.evaluate(size)
