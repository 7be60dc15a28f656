"""The page as a whole: its content policy, languages and layout."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import Error, ViewportSize, expect

from tests.e2e.test_text import fits
from tests.support.artifacts import keep_picture
from tests.support.peer import Peer
from tests.support.process import PATIENCE
from tests.support.server import ROOT, KizunaServer
from tests.support.user_page import UserPage

PHONE: ViewportSize = {"width": 360, "height": 640}
DESKTOP: ViewportSize = {"width": 1280, "height": 720}


def test_the_rules_for_content_allow_nothing_unsafe(server: KizunaServer) -> None:
    """Every test checks that the page obeys its policy: a violation is an error in the console."""
    with urllib.request.urlopen(server.url, timeout=PATIENCE) as answer:
        policy = answer.headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";") if rule.strip())
    assert rules["default-src"] == "'self'"
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert rules["style-src"] == "'self'"
    assert not re.search(
        r"'unsafe-|\*|data:", rules["script-src"] + rules["style-src"].replace("'wasm-unsafe-", "")
    )


def test_no_text_becomes_html(ada: UserPage) -> None:
    with pytest.raises(Error, match="TrustedHTML"):
        ada.page.evaluate("() => { document.createElement('p').innerHTML = '<b>bold</b>'; }")
    with pytest.raises(Error, match="TrustedScriptURL"):
        ada.page.evaluate("() => { new Worker('static/boot/boot.js'); }")
    ada.page.title()  # lets events arrive
    ada.watch.forget()


def test_what_breaks_the_rules_is_noticed_by_these_tests(ada: UserPage) -> None:
    ada.page.evaluate(
        "document.body.append(Object.assign(document.createElement('img'), {src: 'http://127.0.0.1:1/x'}))"
    )
    expect(ada.page.locator("img")).to_have_count(1)
    assert any("Content Security Policy" in problem or "CSP" in problem for problem in ada.watch.problems)
    ada.page.locator("img").evaluate("image => image.remove()")
    ada.watch.forget()


def test_japanese_words_on_a_phone_in_the_dark(new_person: Callable[..., UserPage], room: str) -> None:
    words = json.loads((ROOT / "static" / "i18n" / "ja.json").read_text())
    newcomer = new_person("Hanako", viewport=PHONE, color_scheme="dark")
    newcomer.open(room, query="?lang=ja")
    expect(newcomer.root).to_have_attribute("lang", "ja")
    expect(newcomer.page.get_by_role("button", name=words["join.button"], exact=True)).to_be_visible()
    assert fits(newcomer)
    keep_picture(newcomer, "join-dark-phone-ja")
    newcomer.page.get_by_role("textbox").fill("花子")
    newcomer.page.get_by_role("textbox").press("Enter")
    newcomer.wait_until_in()
    newcomer.page.get_by_role("textbox", name=words["composer.label"], exact=True).fill("こんにちは")
    newcomer.page.get_by_role("button", name=words["composer.send"], exact=True).click()
    expect(newcomer.page.get_by_role("article")).to_contain_text("こんにちは")
    newcomer.open_menu()
    expect(newcomer.page.get_by_role("button", name=words["leave"], exact=True)).to_be_visible()
    keep_picture(newcomer, "menu-dark-phone-ja")
    newcomer.page.keyboard.press("Escape")
    assert fits(newcomer)
    keep_picture(newcomer, "room-dark-phone-ja")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_scrolls_sideways_on_a_phone_in_any_state(ada: UserPage, peer: Peer, scheme: str) -> None:
    ada.watch.allow_network_trouble()
    ada.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    ada.page.set_viewport_size(PHONE)
    try:
        assert fits(ada)
        peer.say("A word from somebody else", "https://example.org/" + "very-long-path/" * 20, "絆" * 60)
        ada.say("Short", "Something longer that surely needs more than one line on a telephone")
        ada.wait_for_text("Short", state="sent")
        assert fits(ada)
        keep_picture(ada, f"room-{scheme}-phone")
        with ada.network.down():
            ada.wait_for_status("waiting")
            ada.say("Typed while nobody answers")
            expect(ada.try_now_button).to_be_visible()
            assert fits(ada)
            keep_picture(ada, f"waiting-{scheme}-phone")
            ada.page.set_viewport_size(DESKTOP)
            keep_picture(ada, f"waiting-{scheme}-desktop")
        ada.come_back()
        keep_picture(ada, f"room-{scheme}-desktop")
    finally:
        ada.page.set_viewport_size(DESKTOP)
        ada.page.emulate_media(color_scheme="light")
