"""The screens: the join form, or the room."""

from __future__ import annotations

import js

from chat.protocol import MAX_NAME_CHARACTERS
from chat.store import ChatState
from ui.actions import Actions
from ui.kit.dom import Listeners, by_id
from ui.kit.texts import Texts
from ui.messages.avatars import hue, initial


class ScreenView:
    """The join form, the header with room and person, and the focus after a change."""

    def __init__(self, actions: Actions, texts: Texts, listeners: Listeners) -> None:
        self._actions = actions
        self._texts = texts
        self._join = by_id("join")
        self._room = by_id("room")
        self._form = by_id("join-form")
        self._name_field = by_id("join-name")
        self._name_field.setAttribute("maxlength", str(MAX_NAME_CHARACTERS))
        self._is_joined: bool | None = None  #: as drawn last
        listeners.on(self._form, "submit", self._submit)

    def part(self, state: ChatState) -> object:
        """Return the person and the room."""
        return (state.name, state.user_id, state.room_id, state.suggested_name)

    def draw(self, state: ChatState, now: float) -> float | None:
        """Draw names and the screen."""
        name = state.name
        self._room.hidden = by_id("person").hidden = by_id("place").hidden = name is None
        self._join.hidden = name is not None
        by_id("room-name").textContent = state.room_id
        by_id("join-lead").textContent = self._texts("join.lead", room=state.room_id)
        if name is None and (self._is_joined or not self._name_field.value):
            self._name_field.value = state.suggested_name
        if name is not None:
            by_id("own-name").textContent = name
            avatar = by_id("own-avatar")
            avatar.textContent = initial(name)
            avatar.setAttribute("data-hue", hue(state.user_id or name))
        if (
            self._form.getAttribute("aria-busy") == "true"
        ):  # Join was pressed before Python lived: static/boot/boot.js
            self._form.removeAttribute("aria-busy")
            self._actions.join(self._name_field.value)
        if self._is_joined is not (name is not None):
            self._is_joined = name is not None
            self._focus(self._is_joined)
        return None

    def _focus(self, joined: bool) -> None:
        """Focus the field, but not on a touch screen, which would open its keyboard over the page."""
        if joined is False and self._join.contains(js.document.activeElement):
            return  # the form was in use before Python lived
        if not js.matchMedia("(pointer: coarse)").matches:
            (by_id("composer-text") if joined else self._name_field).focus()

    def _submit(self, event: js.Event) -> None:
        event.preventDefault()
        self._actions.join(self._name_field.value)
