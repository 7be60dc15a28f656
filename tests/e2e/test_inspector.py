"""The inspector in a real page: opened by keyboard, read, and used to break the connection."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.support.user_page import UserPage


def inspector_of(person: UserPage) -> Locator:
    """Return the inspector."""
    return person.page.get_by_role("complementary", name="Connection")


def open_by_keyboard(person: UserPage) -> Locator:
    """Open the inspector with the keyboard, and return it."""
    pill = person.page.get_by_role("status").get_by_role("button", name="Connected", exact=True)
    pill.focus()
    pill.press("Enter")
    inspector = inspector_of(person)
    expect(inspector.get_by_role("heading", name="Connection", exact=True)).to_be_focused()
    return inspector


def test_the_pill_opens_the_inspector_and_escape_closes_it(ada: UserPage) -> None:
    button = ada.page.locator("#connection-button")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(inspector_of(ada)).to_be_hidden()
    inspector = open_by_keyboard(ada)
    expect(button).to_have_attribute("aria-expanded", "true")
    ada.message_box.focus()
    ada.message_box.press("Escape")  # of another part
    expect(inspector).to_be_visible()
    inspector.get_by_role("button", name="Close", exact=True).press("Escape")
    expect(inspector).to_be_hidden()
    expect(button).to_be_focused()
    assert ada.run("() => document.getElementById('inspector').childElementCount") == 0
    ada.say("still here")
    ada.wait_for_text("still here", state="sent")


def test_on_a_phone_a_sheet_covers_the_rest_until_it_is_closed(ada: UserPage) -> None:
    size = ada.page.viewport_size
    assert size is not None
    ada.page.set_viewport_size({"width": 360, "height": 740})
    try:
        inspector = open_by_keyboard(ada)
        assert ada.run("() => document.querySelector('main').inert")
        ada.page.set_viewport_size(size)
        expect(ada.page.locator("main[inert]")).to_have_count(0)
        inspector.get_by_role("button", name="Close", exact=True).click()
        expect(ada.page.locator("#connection-button")).to_be_focused()
    finally:
        ada.page.set_viewport_size(size)
