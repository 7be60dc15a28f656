"""Typing: Enter sends, Shift+Enter breaks the line, an IME's Enter belongs to the IME. And what is no typing: pasting,
dropping, drafts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, expect

from tests.support.user_page import UserPage
from tests.support.waiting import eventually

#: Sets what Control+C copies, once.
COPY = """(text) => document.addEventListener("copy", (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
}, {once: true})"""

PASTE_PICTURE = """(field) => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File(["a picture"], "image.png", {type: "image/png"}));
    const options = {clipboardData, bubbles: true, cancelable: true};
    return field.dispatchEvent(new ClipboardEvent("paste", options));
}"""

#: Enter, and at once an input method begins the next message, before anything can be stored.
ENTER_AND_COMPOSE = """(field) => {
    const enter = {key: "Enter", keyCode: 13, bubbles: true, cancelable: true};
    field.dispatchEvent(new KeyboardEvent("keydown", enter));
    field.dispatchEvent(new CompositionEvent("compositionstart"));
    field.value += "か";
    const inserted = {inputType: "insertCompositionText", data: "か", isComposing: true, bubbles: true};
    field.dispatchEvent(new InputEvent("input", inserted));
}"""


def compose(person: UserPage, text: str) -> None:
    """Let an input method begin to write this."""
    person.message_box.focus()
    end = {"selectionStart": len(text), "selectionEnd": len(text)}
    person.cdp.send("Input.imeSetComposition", {"text": text, **end})
    expect(person.message_box).to_have_value(text)


def drop(person: UserPage, place: Locator, **data: Any) -> None:
    """Drag and drop this from another program to a place of the page."""
    box = place.bounding_box()
    assert box is not None
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    for event in ("dragEnter", "dragOver", "drop"):
        person.cdp.send(
            "Input.dispatchDragEvent",
            {"type": event, **at, "data": {"items": [], "dragOperationsMask": 1, **data}},
        )


def test_enter_sends_and_shift_enter_breaks_the_line(ada: UserPage) -> None:
    ada.message_box.press_sequentially("one")
    ada.message_box.press("Shift+Enter")
    ada.message_box.press_sequentially("two")
    expect(ada.message_box).to_have_value("one\ntwo")
    assert ada.texts == []
    ada.message_box.press("Enter")
    expect(ada.message_box).to_have_value("")
    ada.wait_for_texts("one\ntwo")


def test_the_button_sends_and_the_cursor_stays_in_the_box(ada: UserPage) -> None:
    ada.message_box.fill("by the button")
    ada.send_button.click()
    ada.wait_for_texts("by the button")
    expect(ada.message_box).to_be_focused()
    expect(ada.message_box).to_have_value("")


def test_nothing_but_spaces_is_not_sent(ada: UserPage) -> None:
    for blank in ("", "   ", "\n\n"):
        ada.message_box.fill(blank)
        ada.message_box.press("Enter")
    ada.say("something")
    ada.wait_for_texts("something")


def test_the_enter_that_ends_an_ime_composition_does_not_send(ada: UserPage) -> None:
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


def test_a_composition_that_is_never_said_to_end_keeps_no_message_back(ada: UserPage, room: str) -> None:
    """Chromium sends no end event if a script changes the field, as a change of room does."""
    ada.enter(f"{room}-other")
    compose(ada, "かな")
    ada.enter(room)
    expect(ada.message_box).to_have_value("")
    for text in ("hello", "world"):
        ada.page.keyboard.type(text)
        ada.page.keyboard.press("Enter")
    ada.wait_for_texts("hello", "world")
    expect(ada.message_box).to_have_value("")
    ada.enter(f"{room}-other")
    expect(ada.message_box).to_have_value("かな")
    ada.message_box.fill("")


def test_what_is_composed_while_a_message_is_stored_is_not_written_over(ada: UserPage) -> None:
    ada.message_box.fill("one")
    ada.message_box.evaluate(ENTER_AND_COMPOSE)
    ada.wait_for_text("one", state="sent")
    expect(ada.message_box).to_have_value("か")
    ada.message_box.fill("")


def test_the_button_sends_what_is_being_composed_once_and_keeps_the_focus(ada: UserPage) -> None:
    compose(ada, "こんにちは")
    ada.send_button.evaluate("(button) => button.click()")  # an iPhone moves no focus to a button
    ada.wait_for_texts("こんにちは")
    expect(ada.message_box).to_have_value("")
    expect(ada.message_box).to_be_focused()
    ada.page.keyboard.type("next")
    ada.page.keyboard.press("Enter")
    ada.wait_for_texts("こんにちは", "next")


def test_enter_breaks_the_line_on_a_touch_screen_and_says_so(ada: UserPage) -> None:
    expect(ada.message_box).to_have_attribute("enterkeyhint", "send")
    ada.cdp.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        expect(ada.message_box).to_have_attribute("enterkeyhint", "enter")
        ada.message_box.press_sequentially("one\ntwo")
        expect(ada.message_box).to_have_value("one\ntwo")
        ada.send_button.click()
        ada.message_box.press_sequentially("three")
        ada.message_box.press("Control+Enter")
        ada.wait_for_texts("one\ntwo", "three")
    finally:
        ada.cdp.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
    expect(ada.message_box).to_have_attribute("enterkeyhint", "send")


def test_two_pasted_megabytes_are_refused_and_keys_after_them_arrive(ada: UserPage) -> None:
    told = ada.page.get_by_role("alert").filter(has_text="too long to add")
    ada.page.evaluate(COPY, "a line of a log\n" * 131_072)
    ada.message_box.fill("draft ")
    ada.message_box.press("Control+C")
    ada.message_box.press("Control+V")
    expect(told).to_be_visible()
    expect(ada.message_box).to_have_value("draft ")
    ada.message_box.press_sequentially("stays")
    expect(ada.message_box).to_have_value("draft stays")
    expect(told).to_have_count(0)
    ada.message_box.press("Enter")
    ada.wait_for_texts("draft stays")


def test_text_that_something_fills_in_is_bounded_too(ada: UserPage) -> None:
    ada.message_box.press_sequentially("draft")
    ada.message_box.evaluate(
        "(field) => { field.value += 'x'.repeat(70_000); field.dispatchEvent(new Event('input')); }"
    )
    expect(ada.message_box).to_have_value("draft")
    expect(ada.page.get_by_role("alert").filter(has_text="too long to add")).to_be_visible()
    ada.message_box.fill("")


def test_an_old_draft_that_is_too_long_is_cut_with_words(ada: UserPage, room: str) -> None:
    draft = f"kizuna.draft.{room}-other/{ada.name}"
    ada.page.evaluate("(key) => sessionStorage.setItem(key, 'x'.repeat(2_000_000))", draft)
    ada.enter(f"{room}-other")
    eventually(lambda: len(ada.message_box.input_value()) == 65_536, what="what the field takes of it")
    expect(ada.page.get_by_role("alert").filter(has_text="Only its first 64 KiB")).to_be_visible()
    ada.message_box.press("Backspace")
    ada.enter(room)
    assert ada.page.evaluate("(key) => sessionStorage.getItem(key).length", draft) == 65_535


def test_a_dropped_file_is_told_and_dropped_text_is_taken(ada: UserPage, tmp_path: Path) -> None:
    told = ada.page.get_by_role("alert").filter(has_text="Only text can be sent here.")
    file = tmp_path / "picture.png"
    file.touch()
    for place in (ada.log, ada.message_box):
        drop(ada, place, files=[str(file)])
        expect(told).to_be_visible()
    drop(ada, ada.message_box, items=[{"mimeType": "text/plain", "data": "dropped"}])
    expect(ada.message_box).to_have_value("dropped")
    expect(told).to_have_count(0)
    assert not ada.message_box.evaluate(PASTE_PICTURE)
    expect(told).to_be_visible()
    expect(ada.message_box).to_have_value("dropped")
    ada.message_box.press("Enter")
    ada.wait_for_texts("dropped")
