"""The message field, whose text is kept as a draft until it is sent."""

from __future__ import annotations

from collections.abc import Callable

import js
from pyodide.ffi import JsException

from chat.preferences import Preferences
from chat.store import ChatState, ChatStore, NoticeKind
from ui.actions import Actions
from ui.composer.drafts import DRAFT, move_drafts
from ui.composer.rules import (
    MAX_KIB,
    characters_left,
    cut,
    fits,
    fits_with,
    is_composing_after,
    is_send_key,
    trimmed,
)
from ui.kit.demo_mode import storage_prefix
from ui.kit.dom import Listeners, by_id
from ui.kit.render import RenderScheduler
from ui.kit.texts import Texts

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
        preferences: Preferences,
        scheduler: RenderScheduler,
        listeners: Listeners,
    ) -> None:
        self._actions = actions
        self._preferences = preferences
        self._texts = texts
        self._scheduler = scheduler
        self._form = by_id("composer")
        self._field = by_id("composer-text")
        self._count = by_id("composer-count")
        self._refused = False  #: a notice of _REFUSALS is shown
        self._composing = False  #: an input method is active
        self._touch_screen = js.matchMedia("(pointer: coarse)")
        # CSS sizes the field by its content, where the browser supports it.
        self._sizes_itself = js.CSS.supports("field-sizing", "content")
        self._is_measured = False
        self._text = ""  #: the content of the field
        self._drafts: dict[Place, str] = {}  #: the texts of other places
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
        kind = state.notice.kind if state.notice is not None else None
        self._refused = kind in _REFUSALS
        self._field.setAttribute("aria-invalid", "true" if kind and _REFUSALS.get(kind) else "false")
        if not self._is_measured:
            self._measure()
        return None

    def focus(self) -> None:
        """Focus the field."""
        self._field.focus()

    def close(self) -> None:
        """Unsubscribe from the store."""
        self._unsubscribe()

    # --- the person and the room ---

    def _move(self, place: Place) -> None:
        self._drafts[self._place] = self._text
        move_drafts(self._place[0], place[0])  # of a person who is renamed
        self._enter(place)

    def _enter(self, place: Place) -> None:
        self._place = place
        draft = self._drafts.pop(place, None)
        if draft is None:
            draft = _load_draft(place)
        if not fits(draft):
            draft = cut(draft)
            self._actions.show_notice(NoticeKind.DRAFT_CUT, limit=MAX_KIB)
        self._fill(draft)
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
        self._preferences.on_change(self._name_enter_key)

    @property
    def _enter_breaks(self) -> bool:
        return self._preferences.enter_breaks(touch_screen=self._touch_screen.matches)

    def _name_enter_key(self) -> None:
        breaks = self._enter_breaks
        self._field.setAttribute("enterkeyhint", "enter" if breaks else "send")
        by_id("composer-hint").textContent = self._texts(
            "composer.hint_breaks" if breaks else "composer.hint"
        )

    def _compose(self, event: js.Event) -> None:
        says = getattr(event, "isComposing", None)
        self._composing = is_composing_after(event.type, says, self._composing)

    def _key(self, event: js.KeyboardEvent) -> None:
        self._compose(event)
        if event.key == "Enter" and is_send_key(
            event.key,
            shift=event.shiftKey,
            control=event.ctrlKey or event.metaKey,
            alt=event.altKey,
            composing=event.isComposing,
            key_code=event.keyCode,
            breaks=self._enter_breaks,
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
        inserted = str(event.data or "")
        if inserted and not fits_with(
            self._text, self._field.selectionStart, self._field.selectionEnd, inserted
        ):
            event.preventDefault()
            self._actions.show_notice(NoticeKind.TEXT_TOO_LONG, limit=MAX_KIB)

    def _changed(self, event: js.InputEvent) -> None:
        self._compose(event)
        text = self._field.value
        if len(text) > len(self._text) and not fits(text):  # beforeinput could not refuse it
            self._fill(self._text)
            self._measure()
            self._actions.show_notice(NoticeKind.TEXT_TOO_LONG, limit=MAX_KIB)
            return
        self._text = text
        self._save_draft()
        self._measure()
        if self._refused:
            self._actions.dismiss_notice()
        if text.strip():
            self._actions.notify_typing()

    # --- sending ---

    def _send(self) -> None:
        """Hand the text over. It is kept before the draft is deleted: no moment is without either."""
        self._text = self._field.value  # a program may have set it without an event
        text = trimmed(self._text)
        if not text or not self._actions.send_message(text):
            return
        self._fill("")
        self._save_draft()
        self._measure()
        if self._refused:
            self._actions.dismiss_notice()

    def _fill(self, text: str) -> None:
        self._text = self._field.value = text
        self._composing = False  # this end has no event

    def _measure(self) -> None:
        self._is_measured = True
        text = self._field.value
        if not self._sizes_itself:
            self._field.style.setProperty("height", "auto")
            self._field.style.setProperty("height", f"{self._field.scrollHeight}px")
        left = characters_left(text)
        self._count.hidden = left is None
        if left is not None:
            key = "composer.left" if left >= 0 else "composer.over"
            self._count.textContent = self._texts(key, count=abs(left))
            self._count.toggleAttribute("data-over", left < 0)

    def _save_draft(self) -> None:
        key = _key_of_draft(self._place)
        if key is None:
            return
        try:
            if self._text:
                js.sessionStorage.setItem(key, self._text)
            else:
                js.sessionStorage.removeItem(key)
        except JsException:
            return


def _place(state: ChatState) -> Place:
    return state.name, state.room_id


def _key_of_draft(place: Place) -> str | None:
    """Return the storage key; None before joining, when no draft is stored."""
    name, room_id = place
    return None if name is None else f"{storage_prefix()}{DRAFT}{room_id}/{name}"


def _load_draft(place: Place) -> str:
    key = _key_of_draft(place)
    try:
        return (js.sessionStorage.getItem(key) or "") if key else ""
    except JsException:  # storage may be forbidden
        return ""
