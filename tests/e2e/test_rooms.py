"""Several rooms at once: messages of other rooms are counted, and shown on entering."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tests.support.user_page import UserPage
from tests.support.waiting import eventually


def link_to(person: UserPage, room: str) -> Locator:
    rooms = person.page.get_by_role("navigation", name="Rooms")
    return rooms.get_by_role("link", name=re.compile(rf"^#?{re.escape(room)}(?! *-)"))


def test_what_is_said_in_another_room_is_counted_until_one_looks(
    ada: UserPage, server: KizunaServer, room: str
) -> None:
    ada.say("here")
    ada.enter(f"other-{room}")
    with Peer(server, room) as peer:
        peer.say("one", "two")
        expect(link_to(ada, room)).to_contain_text("2 unread")
    link_to(ada, room).click()
    ada.wait_for_texts("here", "one", "two")
    expect(ada.page.get_by_role("link", name="unread")).to_have_count(0)
    expect(link_to(ada, room)).to_have_attribute("aria-current", "page")


def test_what_one_tab_reads_is_read_in_the_other(
    new_person: Callable[..., UserPage], peer: Peer, room: str
) -> None:
    first = new_person("Reader")
    first.open(room)
    first.join()
    first.enter(f"other-{room}")
    first.wait_until_in()
    peer.say("one", "two")
    expect(link_to(first, room)).to_contain_text("2 unread")
    expect(first.page).to_have_title(f"(2) #other-{room} · Kizuna")
    second = first.another_tab()
    second.open(room)
    second.wait_for_texts("one", "two")
    expect(first.page.get_by_role("link", name="unread")).to_have_count(0)
    expect(first.page).to_have_title(f"#other-{room} · Kizuna")


def test_a_reload_comes_back_to_every_room(ada: UserPage, room: str, peer: Peer) -> None:
    ada.enter(f"other-{room}")
    ada.say("over there")
    ada.wait_for_text("over there", state="sent")
    eventually(lambda: "over there" in str(ada.kept()["rooms"]), what="the rooms are kept")
    ada.reload()
    ada.wait_until_in()
    ada.wait_for_texts("over there")
    peer.say("over here")
    expect(link_to(ada, room)).to_contain_text("1 unread")
    link_to(ada, room).click()
    ada.wait_for_texts("over here")


def test_going_to_a_room_by_name_and_leaving_it_again(ada: UserPage, room: str) -> None:
    ada.page.get_by_role("textbox", name="Go to a room").fill("お茶")
    ada.page.keyboard.press("Enter")
    expect(ada.page.locator("#room-name")).to_have_text("お茶")
    ada.page.get_by_role("button", name="Leave #お茶").click()
    expect(ada.page.locator("#room-name")).to_have_text(room)
    assert ada.page.url.endswith(f"#/{room}")
    expect(link_to(ada, "お茶")).to_have_count(0)


def test_the_skip_link_moves_the_focus_and_enters_no_room(ada: UserPage, room: str) -> None:
    address = ada.page.url
    ada.page.get_by_role("link", name="Skip").focus()
    ada.page.keyboard.press("Enter")
    expect(ada.message_box).to_be_focused()
    assert ada.page.url == address
    expect(ada.page.locator("#room-name")).to_have_text(room)


def test_a_fragment_of_somebody_else_enters_no_room_and_back_still_works(ada: UserPage, room: str) -> None:
    ada.enter(f"other-{room}")
    ada.page.evaluate("() => { location.hash = '#access_token=secret'; }")
    ada.page.wait_for_url(f"**#/other-{room}")
    expect(link_to(ada, "access_token=secret")).to_have_count(0)
    ada.page.go_back()
    ada.page.go_back()
    expect(ada.page.locator("#room-name")).to_have_text(room)
