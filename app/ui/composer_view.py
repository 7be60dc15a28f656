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
    """Responsible for the field, its draft per person and room, and its size."""

    def __init__(self, actions: Actions, texts: Texts, listeners: Listeners) -> None:
        self._actions = actions
        self._texts = texts
        self._field = by_id("composer-text")
        self._count = by_id("composer-count")
        self._place: tuple[str | None, str] | None = (
            None  #: the person and the room that the draft belongs to
        )
        self._refused = False  #: a notice about what is in the field is showing
        # Where CSS sizes the field by its content (field-sizing), nothing is left to do.
        self._sizes_itself = js.CSS.supports("field-sizing", "content")
        listeners.on(by_id("composer"), "submit", self._submit)
        listeners.on(self._field, "keydown", self._key)
        listeners.on(self._field, "input", lambda _: self._changed())

    def draw(self, state: ChatState, now: float) -> float | None:
        """The person's draft of the room that they are in; what is typed is never drawn over."""
        notice = state.notice
        self._refused = notice is not None and notice.kind in (
            NoticeKind.MESSAGE_REFUSED,
            NoticeKind.OUTBOX_FULL,
        )
        self._field.setAttribute("aria-invalid", "true" if self._refused else "false")
        if (state.name, state.room_id) != self._place:
            self._place = (state.name, state.room_id)
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

    @property
    def _key_of_draft(self) -> str | None:
        """Nobody's draft is kept before somebody has joined."""
        name, room_id = self._place or (None, "")
        return None if name is None else f"{_DRAFT}{room_id}/{name}"

    def _load_draft(self) -> str:
        key = self._key_of_draft
        try:
            return (js.sessionStorage.getItem(key) or "") if key else ""
        except JsException:  # storage may be forbidden; then a draft lives as long as the page
            return ""

    def _save_draft(self, text: str) -> None:
        key = self._key_of_draft
        if key is None:
            return
        try:
            if text:
                js.sessionStorage.setItem(key, text)
            else:
                js.sessionStorage.removeItem(key)
        except JsException:
            return
