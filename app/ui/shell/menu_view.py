"""The menu behind the person's name: another name, preferences, leaving. The browser opens and closes it: a popover."""

from __future__ import annotations

from typing import Any

import js

from chat.preferences import (
    ENTER_BREAKS,
    ENTER_SENDS,
    NOTIFY_TEXT,
    NOTIFY_WHO,
    Preference,
    Preferences,
)
from chat.store import ChatState, NoticeKind
from kizuna.delivery import TaskSet
from ui.actions import Actions
from ui.composer.drafts import delete_drafts
from ui.kit.dom import Listeners, by_id
from ui.kit.texts import Texts
from ui.shell.menu_keys import focus_after
from ui.shell.notifier_view import can_notify, may_notify

_CONTROLS = "input, select, button"


class MenuView:
    """The menu, and the question before messages that wait are deleted."""

    def __init__(
        self, actions: Actions, texts: Texts, preferences: Preferences, listeners: Listeners
    ) -> None:
        self._actions = actions
        self._texts = texts
        self._preferences = preferences
        self._button = by_id("person")
        self._menu = by_id("menu")
        self._name_field = by_id("rename-name")
        self._question = by_id("forget-question")
        self._touch_screen = js.matchMedia("(pointer: coarse)")
        self._name: str | None = None
        self._waiting = 0
        self._notify = by_id("notify")
        self._notify_text = by_id("notify-text")
        self._tasks = TaskSet()
        by_id("notify-switches").hidden = not can_notify()
        listeners.on(self._button, "keydown", self._open_by_key)
        listeners.on(self._menu, "beforetoggle", self._before_toggle)
        listeners.on(self._menu, "keydown", self._key)
        listeners.on(self._menu, "change", self._choose)
        listeners.on(by_id("rename"), "submit", self._rename)
        listeners.on(by_id("leave"), "click", lambda _: self._leave())
        listeners.on(by_id("forget"), "click", lambda _: self._forget())
        listeners.on(self._question, "close", lambda _: self._answer())

    def part(self, state: ChatState) -> object:
        """Return the person, how many messages wait, and whether a name was refused."""
        return (state.name, state.waiting, state.notice)

    def draw(self, state: ChatState, now: float) -> float | None:
        """Remember what the menu needs; nothing of it changes while it is open."""
        if state.name != self._name:
            self._name = state.name
            self._close()
        self._waiting = state.waiting
        refused = state.notice is not None and state.notice.kind is NoticeKind.RENAME_REFUSED
        self._name_field.setAttribute("aria-invalid", "true" if refused else "false")
        return None

    def _before_toggle(self, event: Any) -> None:
        if event.newState != "open":
            return
        self._name_field.value = self._name or ""
        for select in self._menu.querySelectorAll("select"):
            select.value = self._value_of(Preference(select.getAttribute("data-preference")))
        by_id("notify-problem").textContent = ""
        self._draw_switches()

    def _draw_switches(self) -> None:
        choice = self._preferences.get(Preference.NOTIFY)
        self._notify.checked = bool(choice)
        self._notify_text.checked = choice == NOTIFY_TEXT
        self._notify_text.disabled = not choice

    def _value_of(self, preference: Preference) -> str:
        if preference is Preference.ENTER:
            breaks = self._preferences.enter_breaks(touch_screen=self._touch_screen.matches)
            return ENTER_BREAKS if breaks else ENTER_SENDS
        return self._preferences.get(preference)

    def _close(self) -> None:
        if self._menu.matches(":popover-open"):
            self._menu.hidePopover()  # the browser gives the focus back to the button

    # --- keys ---

    def _open_by_key(self, event: js.KeyboardEvent) -> None:
        if event.key in ("ArrowDown", "ArrowUp"):
            event.preventDefault()
            self._menu.showPopover()
            self._controls()[0 if event.key == "ArrowDown" else -1].focus()

    def _key(self, event: js.KeyboardEvent) -> None:
        controls = self._controls()
        is_at = [index for index, control in enumerate(controls) if control.isSameNode(event.target)]
        target = focus_after(
            event.key, is_at[0] if is_at else None, len(controls), str(event.target.tagName).lower()
        )
        if target is not None:
            event.preventDefault()
            controls[target].focus()

    def _controls(self) -> list[Any]:
        return list(self._menu.querySelectorAll(_CONTROLS))

    # --- choices ---

    def _choose(self, event: js.Event) -> None:
        key = event.target.getAttribute("data-preference")
        if event.target.matches("[role=switch]"):
            self._tasks.start(self._choose_notifications())
        if not key:
            return
        preference = Preference(str(key))
        self._preferences.set(preference, str(event.target.value))
        if preference is Preference.THEME:
            root = js.document.documentElement
            root.setAttribute("data-theme", self._preferences.get(preference) or "system")
        elif preference is Preference.LANGUAGE:
            address = js.URL.new(js.location.href)
            address.searchParams.delete("lang")  # it would win
            js.history.replaceState(None, "", address.href)
            js.location.reload()  # nothing is lost: unsent messages and the draft are stored

    async def _choose_notifications(self) -> None:
        """Store what the switches say. The browser asks the person for the permission, now and only now."""
        choice = (NOTIFY_TEXT if self._notify_text.checked else NOTIFY_WHO) if self._notify.checked else ""
        is_denied = bool(choice) and not await may_notify()
        self._preferences.set(Preference.NOTIFY, "" if is_denied else choice)
        by_id("notify-problem").textContent = self._texts("menu.notify_denied") if is_denied else ""
        self._draw_switches()

    def _rename(self, event: js.Event) -> None:
        event.preventDefault()
        self._actions.rename(str(self._name_field.value))

    def _leave(self) -> None:
        self._close()
        self._actions.leave()

    def _forget(self) -> None:
        self._close()
        if self._waiting:
            by_id("forget-words").textContent = self._texts("forget.words", count=self._waiting)
            self._question.returnValue = ""
            self._question.showModal()
        else:
            self._do_forget()

    def _answer(self) -> None:
        if self._question.returnValue == "forget":
            self._do_forget()

    def _do_forget(self) -> None:
        name = self._name or ""
        self._actions.forget()
        delete_drafts(name)
