"""Typing: Enter sends, Shift+Enter breaks the line, and an IME's Enter belongs to the IME."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.person import Person


def test_enter_sends_and_shift_enter_breaks_the_line(ada: Person) -> None:
    ada.message_box.press_sequentially("one")
    ada.message_box.press("Shift+Enter")
    ada.message_box.press_sequentially("two")
    expect(ada.message_box).to_have_value("one\ntwo")
    assert ada.texts == []
    ada.message_box.press("Enter")
    expect(ada.message_box).to_have_value("")
    ada.wait_for_texts("one\ntwo")


def test_the_button_sends_and_the_cursor_stays_in_the_box(ada: Person) -> None:
    ada.message_box.fill("by the button")
    ada.send_button.click()
    ada.wait_for_texts("by the button")
    expect(ada.message_box).to_be_focused()
    expect(ada.message_box).to_have_value("")


def test_nothing_but_spaces_is_not_sent(ada: Person) -> None:
    for blank in ("", "   ", "\n\n"):
        ada.message_box.fill(blank)
        ada.message_box.press("Enter")
    ada.say("something")
    ada.wait_for_texts("something")


def test_the_enter_that_ends_an_ime_composition_does_not_send(ada: Person) -> None:
    ada.message_box.focus()
    compose = {"selectionStart": 5, "selectionEnd": 5}
    ada.cdp.send("Input.imeSetComposition", {"text": "こんにちは", **compose})
    expect(ada.message_box).to_have_value("こんにちは")
    enter = {"key": "Enter", "code": "Enter"}
    # While a candidate is chosen, Chromium gives the key code 229; what counts for the page is isComposing.
    ada.cdp.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", "windowsVirtualKeyCode": 229, **enter})
    ada.cdp.send("Input.insertText", {"text": "こんにちは"})
    ada.cdp.send("Input.dispatchKeyEvent", {"type": "keyUp", "windowsVirtualKeyCode": 13, **enter})
    expect(ada.message_box).to_have_value("こんにちは")
    assert ada.texts == []
    # Safari ends the composition before this key: only the key code tells.
    ada.message_box.dispatch_event("keydown", {**enter, "keyCode": 229, "bubbles": True, "cancelable": True})
    assert ada.texts == []
    ada.message_box.press("Enter")
    ada.wait_for_texts("こんにちは")
