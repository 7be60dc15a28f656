"""The layout: one row above the messages, room for them in every state, the drawer of rooms, the menu."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from playwright.sync_api import ViewportSize, expect

from tests.e2e.test_cached_view import hold_python_back
from tests.e2e.test_reading import NOTICE
from tests.e2e.test_rooms import link_to
from tests.support.artifacts import keep_picture
from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tests.support.user_page import UserPage
from tests.support.waiting import eventually

ZOOMED: ViewportSize = {"width": 320, "height": 256}  #: a window of 1280 x 1024 at 400 %
PHONE: ViewportSize = {"width": 360, "height": 640}

#: The share of the window's height that the messages have; 0 if the composer is not in sight or the page scrolls.
SHARE = """() => {
    const box = document.getElementById("composer").querySelector(".composer-box").getBoundingClientRect();
    const root = document.documentElement;
    const isWhole = root.scrollWidth <= innerWidth && root.scrollHeight <= innerHeight;
    if (!isWhole || box.top < 0 || box.bottom > innerHeight) return 0;
    return document.getElementById("messages").clientHeight / innerHeight;
}"""


@contextlib.contextmanager
def window(person: UserPage, size: ViewportSize) -> Iterator[None]:
    """Give the page another size for a while."""
    before = person.page.viewport_size
    assert before is not None
    person.page.set_viewport_size(size)
    try:
        yield
    finally:
        person.page.set_viewport_size(before)


def has_room(person: UserPage, state: str) -> None:
    """Assert that the messages have two fifths of the height, and the composer is in sight."""
    eventually(lambda: person.run(SHARE) >= 0.4, what=f"two fifths of the height for messages: {state}")
    keep_picture(person, f"zoomed-{state}")


def test_at_400_percent_messages_have_two_fifths_in_every_state(quinn: UserPage) -> None:
    quinn.watch.allow_network_trouble()
    with window(quinn, ZOOMED):
        has_room(quinn, "connected")
        quinn.message_box.evaluate(NOTICE)
        expect(quinn.page.locator("#notice-text")).not_to_be_empty()
        has_room(quinn, "notice")
        with quinn.network.down():
            quinn.say("Typed while away")
            expect(quinn.page.locator("#banner")).to_be_visible()
            quinn.message_box.evaluate(NOTICE)
            expect(quinn.page.locator("#notice-text")).not_to_be_empty()
            has_room(quinn, "waiting and notice")
            quinn.page.get_by_role("button", name="Dismiss").click()
            has_room(quinn, "waiting")
            quinn.message_box.fill("one\ntwo\nthree\nfour\nfive\nsix")
            has_room(quinn, "waiting with a long draft")
            quinn.message_box.fill("絆 " * 10_240)
            quinn.message_box.press("Enter")
            expect(quinn.page.locator("#composer-problem")).not_to_be_empty()
            has_room(quinn, "waiting and too long")
            quinn.message_box.fill("")
            quinn.wait_for_status("exhausted")
            expect(quinn.try_now_button).to_be_in_viewport(ratio=0.9)
            has_room(quinn, "exhausted")
        quinn.try_now_button.click()
        quinn.wait_until_in()
        expect(quinn.page.locator("#banner[data-kind=success]")).to_be_visible()
        has_room(quinn, "success")


def test_narrow_windows_have_the_rooms_and_their_unread_in_a_drawer(
    ada: UserPage, server: KizunaServer, room: str
) -> None:
    ada.enter(f"other-{room}")
    ada.enter(f"third-{room}")
    button = ada.page.get_by_role("button", name="Rooms")
    expect(button).to_be_hidden()
    with window(ada, PHONE):
        with Peer(server, room) as one, Peer(server, f"other-{room}") as other:
            one.say("one", "two")
            other.say("three")
            expect(button).to_have_accessible_name("Rooms 3 unread")
        expect(link_to(ada, room)).to_be_hidden()
        button.press("Enter")
        expect(link_to(ada, room)).to_be_visible()
        keep_picture(ada, "drawer")
        ada.page.keyboard.press("Escape")
        expect(link_to(ada, room)).to_be_hidden()
        expect(button).to_be_focused()
        button.click()
        link_to(ada, room).click()
        ada.wait_for_texts("one", "two")
        expect(link_to(ada, room)).to_be_hidden()
        button.click()
        expect(link_to(ada, room)).to_be_visible()
    expect(ada.page.locator("#rooms:popover-open")).to_have_count(0)  # at the side it is none
    expect(link_to(ada, room)).to_be_visible()


def test_another_room_is_announced_with_its_unread_messages(
    ada: UserPage, server: KizunaServer, room: str
) -> None:
    other = f"other-{room}"
    ada.enter(other)
    ada.enter(room)
    with Peer(server, other) as peer:
        peer.say("one", "two")
        expect(link_to(ada, other)).to_contain_text("2 unread")
    link_to(ada, other).click()
    expect(ada.page.locator("#say-politely").get_by_text(f"#{other}, 2 unread", exact=True)).to_have_count(1)
    expect(ada.page.get_by_role("heading", level=2, name=other)).to_be_visible()


def test_what_is_seen_first_in_the_header_comes_first_by_keyboard(ada: UserPage) -> None:
    order = """() => [...document.querySelectorAll("#top > :is(h1, div, button)")]
        .filter((part) => part.offsetWidth > 1 && !part.matches("[popover]"))
        .map((part) => part.getBoundingClientRect().left)"""
    for size in (PHONE, {"width": 1280, "height": 720}):
        with window(ada, {"width": size["width"], "height": size["height"]}):
            lefts = ada.run(order)
            assert lefts == sorted(lefts)
            assert len(lefts) >= 4


def test_the_menu_opens_by_arrow_and_escape_returns_the_focus(ada: UserPage) -> None:
    person = ada.page.get_by_role("button", name="Ada Menu")
    person.focus()
    ada.page.keyboard.press("ArrowUp")
    expect(ada.page.get_by_role("button", name="Leave and forget me here")).to_be_focused()
    ada.page.keyboard.press("ArrowUp")
    expect(ada.page.get_by_role("button", name="Leave", exact=True)).to_be_focused()
    ada.page.keyboard.press("Escape")
    expect(ada.page.get_by_role("dialog", name="Menu")).to_be_hidden()
    expect(person).to_be_focused()


def test_a_theme_and_a_language_are_remembered_before_python(
    new_person: Callable[..., UserPage], room: str
) -> None:
    person = new_person("Thea")
    person.open(room)
    person.join()
    person.open_menu()
    person.page.get_by_label("Theme").select_option("Dark")
    ground = "() => getComputedStyle(document.documentElement).backgroundColor"
    dark = person.run(ground)
    assert dark == "rgb(18, 20, 27)"
    person.page.get_by_label("Language").select_option("日本語")
    expect(person.page.get_by_role("textbox", name="メッセージ", exact=True)).to_be_visible()
    let_python_come = hold_python_back(person)
    person.page.reload(wait_until="domcontentloaded")
    expect(person.root).to_have_attribute("lang", "ja")
    assert person.run(ground) == dark
    let_python_come()


def test_enter_breaks_the_line_once_it_is_chosen(new_person: Callable[..., UserPage], room: str) -> None:
    person = new_person("Eve")
    person.open(room)
    person.join()
    person.open_menu()
    person.page.get_by_label("Enter key").select_option("Starts a new line")
    person.page.keyboard.press("Escape")
    person.message_box.fill("one")
    person.message_box.press("Enter")
    person.message_box.press("t")
    expect(person.message_box).to_have_value("one\nt")
    person.message_box.press("Control+Enter")
    person.wait_for_texts("one\nt")


#: Notifications that a test can read: permission is given when the page asks.
FAKE_NOTIFICATIONS = """
window.notifications = [];
window.Notification = class extends EventTarget {
    static permission = "default";
    static async requestPermission() { return (Notification.permission = "granted"); }
    constructor(title, { body, data }) {
        super();
        Object.assign(window.newest = this, { data });
        notifications.push([title, body]);
    }
    close() { notifications.push(["closed"]); }
};
"""
PRETEND = """(hidden) => {
    Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_only_a_hidden_page_notifies_and_only_by_choice(
    new_person: Callable[..., UserPage], peer: Peer, room: str
) -> None:
    person = new_person("Nell")
    person.page.add_init_script(FAKE_NOTIFICATIONS)
    person.open(room)
    person.join()
    notifications = "() => window.notifications"
    assert person.run("() => Notification.permission") == "default", "nobody was asked at the start"
    person.run(PRETEND, True)
    peer.say("not chosen yet")
    person.wait_for_text("not chosen yet")
    person.run(PRETEND, False)
    person.open_menu()
    person.page.get_by_role("switch", name="Notify me while this tab is hidden").check()
    expect(person.page.get_by_role("switch", name="Show the text of messages")).to_be_enabled()
    peer.say("seen")
    person.wait_for_text("seen")
    assert person.run(notifications) == []
    person.run(PRETEND, True)
    peer.say("a secret")
    told = [f"#{room}", "1 new message from Peer"]
    eventually(lambda: person.run(notifications) == [told], what="a notification without the text")
    person.run("() => { window.newest.dispatchEvent(new Event('click')); }")
    eventually(lambda: person.run(notifications) == [told, ["closed"]], what="it goes when it is pressed")
    assert person.address.endswith(f"#/{room}")
    peer.say("another one")
    eventually(lambda: person.run(notifications) == [told, ["closed"], told], what="another one")
    person.run(PRETEND, False)
    eventually(
        lambda: person.run(notifications) == [told, ["closed"]] * 2, what="it goes when the page is seen"
    )


def test_a_renamed_person_keeps_messages_and_draft(
    new_person: Callable[..., UserPage], peer: Peer, room: str
) -> None:
    person = new_person("Rena")
    person.open(room)
    person.join()
    person.say("as Rena")
    person.wait_for_text("as Rena", state="sent")
    person.message_box.fill("a draft")
    person.open_menu()
    person.page.get_by_role("textbox", name="Another name").fill("Renate")
    person.page.get_by_role("button", name="Rename").click()
    expect(person.page.locator("#own-name")).to_have_text("Renate")
    person.wait_until_in()
    expect(person.message_box).to_have_value("a draft")
    person.send_button.click()
    person.wait_for_texts("as Rena", "a draft")
    assert {
        message.sender_id for message in [peer.wait_to_hear("as Rena"), peer.wait_to_hear("a draft")]
    } == {peer.wait_to_hear("as Rena").sender_id}
    assert peer.wait_to_hear("a draft").sender_name == "Renate"


def test_who_is_forgotten_is_asked_only_if_messages_wait(
    new_person: Callable[..., UserPage], room: str
) -> None:
    person = new_person("Fay")
    person.watch.allow_network_trouble()
    person.open(room)
    person.join()
    forget = person.page.get_by_role("button", name="Leave and forget me here")
    question = person.page.get_by_role("dialog", name="Delete messages that were not sent?")
    with person.network.down():
        person.say("never sent")
        person.open_menu()
        forget.click()
        expect(question).to_contain_text("1 message has not been sent yet")
        question.get_by_role("button", name="Cancel").click()
        expect(question).to_be_hidden()
        person.wait_for_texts("never sent")
        person.open_menu()
        forget.click()
        question.get_by_role("button", name="Delete and forget me").click()
        expect(person.name_box).to_be_visible()
        expect(person.name_box).to_have_value("")
        eventually(lambda: not any(person.kept().values()), what="nothing is kept")
    assert "Fay" not in str(
        person.run("() => [JSON.stringify(localStorage), JSON.stringify(sessionStorage)]")
    )
    person.join()
    person.open_menu()
    forget.click()
    expect(person.name_box).to_be_visible()
    expect(question).to_be_hidden()
