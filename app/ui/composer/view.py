"""The message field, which keeps a text until it is stored."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import js
from pyodide.ffi import JsException

from chat.store import ChatState, ChatStore, NoticeKind
from ui.actions import Actions
from ui.composer.rules import (
    BUSY_AFTER,
    MAX_KIB,
    BusyDelay,
    bytes_left,
    characters_in,
    cut,
    fits,
    fits_with,
    is_composing_after,
    is_send_key,
    units_of,
)
from ui.composer.send_queue import SendQueue
from ui.kit.demo_mode import storage_prefix
from ui.kit.dom import Listeners, by_id
from ui.kit.render import RenderScheduler
from ui.kit.texts import Texts

_DRAFT = "kizuna.draft."

#: Notices about the field, and whether they mean that its text is invalid.
_REFUSALS = {
    NoticeKind.MESSAGE_REFUSED: True,
    NoticeKind.OUTBOX_FULL: True,
    NoticeKind.TEXT_TOO_LONG: False,
    NoticeKind.DRAFT_CUT: False,
    NoticeKind.ONLY_TEXT: False,
}

#: The person (None before joining) and the room that a text belongs to.
Place = tuple[str | None, str]


class ComposerView:
    """The field: the text of the shown person and room, its draft, keys and size."""

    def __init__(
        self,
        store: ChatStore,
        actions: Actions,
        texts: Texts,
        scheduler: RenderScheduler,
        listeners: Listeners,
    ) -> None:
        self._actions = actions
        self._texts = texts
        self._scheduler = scheduler
        self._form = by_id("composer")
        self._field = by_id("composer-text")
        self._count = by_id("composer-count")
        self._refused = False  #: a notice of _REFUSALS is shown
        self._busy_delay = BusyDelay(BUSY_AFTER)
        self._composing = (
            False  #: an input method is active, and would lose its text if the field were written to
        )
        self._touch_screen = js.matchMedia("(pointer: coarse)")
        # CSS sizes the field by its content, where the browser supports it.
        self._sizes_itself = js.CSS.supports("field-sizing", "content")
        self._is_measured = False
        self._queues: dict[Place, SendQueue] = {}
        self._place = _place(store.state)
        self._enter(self._place)
        # Not at the next frame: a text must not be sent to another room than the one in which Enter was pressed.
        self._unsubscribe = store.subscribe(_place, self._move)
        self._listen(listeners)
        self._name_enter_key()

    def part(self, state: ChatState) -> object:
        """Return what changes the field."""
        return (state.name, state.room_id, state.notice)

    def draw(self, state: ChatState, now: float) -> float | None:
        """Draw the state around the field, and never overwrite typed text."""
        self._clear()
        kind = state.notice.kind if state.notice is not None else None
        self._refused = kind in _REFUSALS
        self._field.setAttribute("aria-invalid", "true" if kind and _REFUSALS.get(kind) else "false")
        if not self._is_measured:
            self._measure()
        busy, wake = self._busy_delay.update(self._queue.is_busy, now)
        self._form.setAttribute("aria-busy", "true" if busy else "false")
        return wake

    def focus(self) -> None:
        """Focus the field."""
        self._field.focus()

    def close(self) -> None:
        """Unsubscribe from the store, and cancel the sending."""
        self._unsubscribe()
        for queue in self._queues.values():
            queue.close()

    # --- the person and the room ---

    @property
    def _queue(self) -> SendQueue:
        return self._queues[self._place]

    def _move(self, place: Place) -> None:
        self._queue.return_unsent()
        self._save_draft(self._place)
        self._enter(place)

    def _enter(self, place: Place) -> None:
        self._place = place
        if place not in self._queues:
            draft = _load_draft(place)
            if not fits(draft):
                draft = cut(draft)
                self._actions.show_notice(NoticeKind.DRAFT_CUT, limit=MAX_KIB)
            self._queues[place] = SendQueue(draft, self._actions.send_message, partial(self._on_done, place))
        self._queue.clear()
        self._fill(self._queue.text)
        self._is_measured = False  # when it is drawn: now it may be hidden
        self._scheduler.mark(self)

    # --- keys ---

    def _listen(self, listeners: Listeners) -> None:
        on: Callable[..., None] = listeners.on
        on(self._form, "submit", self._submit)
        on(self._field, "keydown", self._key)
        on(self._field, "beforeinput", self._changes)
        on(self._field, "input", self._changed)
        for event in ("compositionstart", "compositionend", "blur"):
            on(self._field, event, self._compose)
        on(self._touch_screen, "change", lambda _: self._name_enter_key())

    def _name_enter_key(self) -> None:
        self._field.setAttribute("enterkeyhint", "enter" if self._touch_screen.matches else "send")

    def _compose(self, event: js.Event) -> None:
        was, says = self._composing, getattr(event, "isComposing", None)
        self._composing = is_composing_after(event.type, says, was)
        if was and not self._composing:
            self._scheduler.mark(self)

    def _key(self, event: js.KeyboardEvent) -> None:
        self._compose(event)
        if event.key == "Enter" and is_send_key(
            event.key,
            shift=event.shiftKey,
            control=event.ctrlKey or event.metaKey,
            alt=event.altKey,
            composing=event.isComposing,
            key_code=event.keyCode,
            coarse=self._touch_screen.matches,
        ):
            event.preventDefault()
            self._send()

    def _submit(self, event: js.Event) -> None:
        event.preventDefault()
        if self._composing:
            self._field.blur()  # ends the composition, which belongs to the message
        self._send()
        self._field.focus()

    def _changes(self, event: js.InputEvent) -> None:
        self._compose(event)
        queue, field = self._queue, self._field
        inserted = str(event.data or "")
        if inserted and not fits_with(queue.shown, field.selectionStart, field.selectionEnd, inserted):
            event.preventDefault()
            self._actions.show_notice(NoticeKind.TEXT_TOO_LONG, limit=MAX_KIB)
        elif queue.has_sent_words:
            queue.touch(characters_in(queue.shown, field.selectionStart))

    def _changed(self, event: js.InputEvent) -> None:
        self._compose(event)
        text, shown = self._field.value, self._queue.shown
        if len(text) > len(shown) and not fits(text):  # beforeinput could not refuse it
            self._write(shown)
            self._actions.show_notice(NoticeKind.TEXT_TOO_LONG, limit=MAX_KIB)
            return
        if not getattr(event, "inputType", ""):  # a program set the text
            self._queue.touch(0)
        self._queue.edit(text)
        self._save_draft(self._place)
        self._measure()
        if self._refused:
            self._actions.dismiss_notice()
        if text.strip():
            self._actions.notify_typing()

    # --- sending ---

    def _send(self) -> None:
        self._queue.edit(self._field.value)  # a program may have set it without an event
        self._queue.send()
        self._scheduler.mark(self)

    def _on_done(self, place: Place) -> None:
        self._save_draft(place)
        self._scheduler.mark(self)
        if place == self._place:
            self._clear()

    def _clear(self) -> None:
        """Remove stored texts from the field, as soon as no input method is active."""
        if not self._composing and self._queue.clear():
            self._write(self._queue.text)
            if self._refused:
                self._actions.dismiss_notice()

    def _write(self, text: str) -> None:
        """Remove text from the beginning of the field; the cursor stays between the same characters."""
        field = self._field
        gone = units_of(field.value) - units_of(text)
        start, end = field.selectionStart - gone, field.selectionEnd - gone
        self._fill(text)
        if text and field.matches(":focus"):
            field.setSelectionRange(max(0, start), max(0, end))
        self._measure()

    def _fill(self, text: str) -> None:
        self._field.value = text
        self._composing = False  # this end has no event

    def _measure(self) -> None:
        self._is_measured = True
        text = self._field.value
        if not self._sizes_itself:
            self._field.style.setProperty("height", "auto")
            self._field.style.setProperty("height", f"{self._field.scrollHeight}px")
        left = bytes_left(text)
        self._count.hidden = left is None
        if left is not None:
            key = "composer.left" if left >= 0 else "composer.over"
            self._count.textContent = self._texts(key, count=abs(left))
            self._count.toggleAttribute("data-over", left < 0)

    def _save_draft(self, place: Place) -> None:
        key, text = _key_of_draft(place), self._queues[place].draft
        if key is None:
            return
        try:
            if text:
                js.sessionStorage.setItem(key, text)
            else:
                js.sessionStorage.removeItem(key)
        except JsException:
            return


def _place(state: ChatState) -> Place:
    return state.name, state.room_id


def _key_of_draft(place: Place) -> str | None:
    """Return the storage key; None before joining, when no draft is stored."""
    name, room_id = place
    return None if name is None else f"{storage_prefix()}{_DRAFT}{room_id}/{name}"


def _load_draft(place: Place) -> str:
    key = _key_of_draft(place)
    try:
        return (js.sessionStorage.getItem(key) or "") if key else ""
    except JsException:  # storage may be forbidden
        return ""
