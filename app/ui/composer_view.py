"""Where one writes: a field that keeps what is typed until it is sent."""

from __future__ import annotations

import js
from pyodide.ffi import JsException

from chat.store import ChatState, NoticeKind
from ui.actions import Actions
from ui.composing import bytes_left, sends, to_send
from ui.dom import Listeners, by_id
from ui.texts import Texts

_DRAFT = "kizuna.draft."


class ComposerView:
    """Responsible for the field, its draft per room, and its size."""

    def __init__(self, actions: Actions, texts: Texts, listeners: Listeners) -> None:
        self._actions = actions
        self._texts = texts
        self._field = by_id("composer-text")
        self._count = by_id("composer-count")
        self._room: str | None = None
        self._refused = False  #: a notice about what is in the field is showing
        # Where CSS sizes the field by its content (field-sizing), nothing is left to do.
        self._sizes_itself = js.CSS.supports("field-sizing", "content")
        listeners.on(by_id("composer"), "submit", self._submit)
        listeners.on(self._field, "keydown", self._key)
        listeners.on(self._field, "input", lambda _: self._changed())

    def draw(self, state: ChatState, now: float) -> float | None:
        """The draft of the room that one is in; what is typed belongs to the person and is never drawn."""
        notice = state.notice
        self._refused = notice is not None and notice.kind in (
            NoticeKind.MESSAGE_REFUSED,
            NoticeKind.OUTBOX_FULL,
        )
        self._field.setAttribute("aria-invalid", "true" if self._refused else "false")
        if state.room_id != self._room:
            self._room = state.room_id
            self._field.value = self._load_draft()
            self._measure(self._field.value)
        return None

    def focus(self) -> None:
        """Let the person write."""
        self._field.focus()

    def _key(self, event: js.KeyboardEvent) -> None:
        if event.key == "Enter" and sends(
            event.key,
            shift=event.shiftKey,
            other_modifier=event.ctrlKey or event.altKey or event.metaKey,
            composing=event.isComposing,
            key_code=event.keyCode,
        ):
            event.preventDefault()
            self._send()

    def _submit(self, event: js.Event) -> None:
        event.preventDefault()
        self._send()
        self._field.focus()

    def _send(self) -> None:
        text = to_send(self._field.value)
        if text and self._actions.say(text):
            self._field.value = ""
            self._changed()

    def _changed(self) -> None:
        text = self._field.value
        self._save_draft(text)
        self._measure(text)
        if self._refused:
            self._actions.dismiss_notice()

    def _measure(self, text: str) -> None:
        if not self._sizes_itself:
            self._field.style.setProperty("height", "auto")
            self._field.style.setProperty("height", f"{self._field.scrollHeight}px")
        left = bytes_left(text)
        self._count.hidden = left is None
        if left is not None:
            key = "composer.left" if left >= 0 else "composer.over"
            self._count.textContent = self._texts(key, count=abs(left))
            self._count.toggleAttribute("data-over", left < 0)

    def _load_draft(self) -> str:
        try:
            return js.sessionStorage.getItem(f"{_DRAFT}{self._room}") or ""
        except JsException:  # storage may be forbidden; then a draft lives as long as the page
            return ""

    def _save_draft(self, text: str) -> None:
        try:
            if text:
                js.sessionStorage.setItem(f"{_DRAFT}{self._room}", text)
            else:
                js.sessionStorage.removeItem(f"{_DRAFT}{self._room}")
        except JsException:
            return
