"""Presence and typing on the page."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from chat.protocol import Typing
from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tests.support.user_page import UserPage


def is_writing(name: str) -> re.Pattern[str]:
    """Return the text with the name in its direction marks."""
    return re.compile(rf"^\s*\u2068{re.escape(name)}\u2069 is typing…$")


def test_who_comes_and_goes_is_counted(ada: UserPage, server: KizunaServer, room: str) -> None:
    present = ada.page.locator("#present")
    expect(present).to_contain_text("1 person here")
    with Peer(server, room):
        expect(present).to_contain_text("2 people here")
    expect(present).to_contain_text("1 person here")


def test_who_writes_is_shown_until_they_have_said_it(ada: UserPage, ben: UserPage) -> None:
    ben.message_box.fill("I am about to say")
    typing = ada.page.locator("#typing")
    expect(typing).to_have_text(is_writing("Ben"))
    ben.message_box.press("Enter")
    ada.wait_for_text("I am about to say")
    expect(typing).to_have_text("")
    assert ben.page.locator("#typing").inner_text() == ""


def test_a_hostile_name_that_writes_is_text(ada: UserPage, server: KizunaServer, room: str) -> None:
    with Peer(server, room, name="<img src=x onerror=alert(1)>") as peer:
        peer.send(Typing(room_id=room))
        expect(ada.page.locator("#typing")).to_have_text(is_writing("<img src=x onerror=alert(1)>"))
    expect(ada.page.locator("#typing img")).to_have_count(0)
