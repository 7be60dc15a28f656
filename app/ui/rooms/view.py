"""The rooms, at the side or in a drawer, and the form for another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import js

from chat.protocol import InvalidField, check_room
from chat.store import ChatState, NoticeKind, RoomSummary
from ui.actions import Actions
from ui.kit.dom import Listeners, Template, by_id, part
from ui.kit.texts import Texts
from ui.messages.failures import refusal_text
from ui.rooms.address import address_of, room_from_input, room_of
from ui.rooms.rules import badge, only_appends

#: As in static/css/shell.css.
_AT_THE_SIDE = "(min-width: 64rem)"


class RoomsView:
    """The list of rooms, whose links and form change the address, which the page follows. In narrow windows it is a
    drawer, which the browser opens and closes: a popover."""

    def __init__(
        self, actions: Actions, texts: Texts, listeners: Listeners, focus_composer: Callable[[], None]
    ) -> None:
        """``focus_composer`` moves the focus when the requested room is shown."""
        self._actions = actions
        self._texts = texts
        self._focus_composer = focus_composer
        self._rooms = by_id("rooms")
        self._button = by_id("rooms-button")
        self._unread = by_id("rooms-unread")
        self._list = by_id("room-list")
        self._field = by_id("go-room")
        self._problem = by_id("go-problem")
        self._template = Template("template-room", texts)
        self._items: dict[str, Any] = {}
        self._shown = ""
        self._requested_room = ""  #: the room typed into the form
        listeners.on(self._list, "click", self._click)
        listeners.on(by_id("go"), "submit", self._submit)
        listeners.on(self._field, "input", lambda _: self._show_problem(""))
        # At the side it is no popover, which would lie over the messages.
        listeners.on(js.matchMedia(_AT_THE_SIDE), "change", lambda _: self._close_drawer())

    def part(self, state: ChatState) -> object:
        """Return the rooms."""
        return (state.name is None, state.rooms, state.room_id)

    def draw(self, state: ChatState, now: float) -> float | None:
        """Draw the rooms, and which one is shown."""
        self._rooms.hidden = self._button.hidden = state.name is None
        self._draw_unread(state.unread_everywhere - state.unread)
        had_focus = self._list.contains(js.document.activeElement)
        self._place([room.room_id for room in state.rooms])
        for room in state.rooms:
            self._draw_room(room, is_shown=room.room_id == state.room_id, alone=len(state.rooms) == 1)
        if had_focus and not self._list.contains(js.document.activeElement):
            self._focus(state.room_id)
        if state.room_id != self._shown:
            self._room_shown(state.room_id)
        return None

    def _draw_unread(self, count: int) -> None:
        """Draw the unread messages of the rooms that are not shown, on the button of the drawer."""
        self._unread.hidden = not badge(count)
        by_id("rooms-unread-number").textContent = badge(count)
        by_id("rooms-unread-words").textContent = self._texts("rooms.unread", count=count)

    def _place(self, rooms: list[str]) -> None:
        before = list(self._items)
        if rooms == before:
            return
        for gone in set(before) - set(rooms):
            self._items.pop(gone).remove()
        self._items = {room: self._items.get(room) or self._make(room) for room in rooms}
        if only_appends(before, rooms):
            self._list.append(*[item for room, item in self._items.items() if room not in before])
        else:
            self._list.replaceChildren(*self._items.values())

    def _make(self, room_id: str) -> Any:
        item = self._template.make()
        link = part(item, "link")
        link.setAttribute("href", address_of(room_id))
        link.title = part(item, "room").textContent = room_id
        leave = part(item, "leave-room")
        leave.setAttribute("data-room", room_id)
        leave.title = self._texts("rooms.leave", room=room_id)
        leave.setAttribute("aria-label", leave.title)
        return item

    def _draw_room(self, room: RoomSummary, *, is_shown: bool, alone: bool) -> None:
        item = self._items[room.room_id]
        if is_shown:
            part(item, "link").setAttribute("aria-current", "page")
        else:
            part(item, "link").removeAttribute("aria-current")
        part(item, "unread").hidden = not badge(room.unread)
        part(item, "unread-number").textContent = badge(room.unread)
        part(item, "unread-words").textContent = self._texts("rooms.unread", count=room.unread)
        part(item, "leave-room").hidden = alone

    def _room_shown(self, room_id: str) -> None:
        """Scroll to the shown room; if it was typed into the form, focus the message field."""
        self._shown = room_id
        item = self._items.get(room_id)
        if item is not None:
            item.scrollIntoView(block="nearest", inline="nearest")
        self._close_drawer()
        if room_id == self._requested_room:
            self._requested_room = self._field.value = ""
            self._focus_composer()

    def _focus(self, room_id: str) -> None:
        """Focus the link of a room, after the focused element was removed."""
        item = self._items.get(room_id)
        if item is not None:
            part(item, "link").focus()

    def _click(self, event: js.Event) -> None:
        button = event.target.closest("[data-room]")
        if button:
            self._actions.leave_room(str(button.getAttribute("data-room")))
        elif event.target.closest("[aria-current]"):
            self._close_drawer()  # another room does so when it is shown

    def _close_drawer(self) -> None:
        if self._rooms.matches(":popover-open"):
            self._rooms.hidePopover()  # the browser gives the focus back to the button

    def _submit(self, event: js.Event) -> None:
        event.preventDefault()
        name = room_from_input(self._field.value)
        if not name:
            self._field.focus()
            return
        room_id = room_of(address_of(name)) or ""
        try:
            check_room("room", room_id)
        except InvalidField as error:
            params = {"room": room_id, "problem": error.reason, **error.params}
            self._show_problem(refusal_text(f"notice.{NoticeKind.ROOM_REFUSED}", params, self._texts))
            return
        self._requested_room = room_id
        if self._requested_room == self._shown:
            self._room_shown(self._shown)
        else:
            js.location.hash = address_of(name)

    def _show_problem(self, problem: str) -> None:
        """Show why a typed name is invalid; it does not get into the address."""
        self._problem.textContent = problem
