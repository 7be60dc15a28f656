"""Notifications of the system, while the page is hidden."""

from __future__ import annotations

import contextlib
from typing import Any

import js
from pyodide.ffi import JsException, JsProxy, to_js

from chat.preferences import Preference, Preferences
from chat.store import ChatState
from kizuna.delivery import TaskSet
from ui.kit.dom import Listeners, by_id
from ui.kit.texts import Texts
from ui.rooms.address import address_of
from ui.shell.notifier import Notification, Notifier

GRANTED = "granted"


def can_notify() -> bool:
    """Return whether the browser has notifications."""
    return hasattr(js, "Notification")


async def may_notify() -> bool:
    """Ask the person for the permission, if the browser has not asked yet. Call it when they press something."""
    with contextlib.suppress(JsException):
        return bool(await js.Notification.requestPermission() == GRANTED)
    return False


class NotifierView:
    """Gives notifications, and removes them when the page is seen."""

    def __init__(self, texts: Texts, preferences: Preferences, listeners: Listeners) -> None:
        self._notifier = Notifier(texts)
        self._preferences = preferences
        self._given: dict[str, Any] = {}
        self._on_click = listeners.keep(self._go)  # one for all notifications
        self._tasks = TaskSet()

    def part(self, state: ChatState) -> object:
        """Return what notifications are about."""
        return (state.name, state.room_id, state.rooms, state.timeline.arrivals, state.caught_up)

    def draw(self, state: ChatState, now: float) -> float | None:
        """Give those that are due."""
        hidden = js.document.hidden
        # What a visible page shows is no reason to read the preference.
        choice = self._preferences.get(Preference.NOTIFY) if hidden and can_notify() else ""
        for notification in self._notifier.update(state, choice, hidden=hidden):
            if js.Notification.permission == GRANTED:
                self._give(notification)
        if not hidden:
            for given in self._given.values():
                given.close()
            self._given.clear()
        return None

    def _give(self, notification: Notification) -> None:
        options = to_js(
            {
                "body": notification.text,
                "tag": f"{js.document.baseURI} {notification.room_id}",
                "icon": str(by_id("tab-icon").href),
                "data": notification.room_id,
            },
            dict_converter=js.Object.fromEntries,
        )
        try:
            given = js.Notification.new(notification.title, options)
        except JsException:  # on a phone only the service worker may
            self._tasks.start(_give_by_worker(notification.title, options))
            return
        given.addEventListener("click", self._on_click)
        self._given[notification.room_id] = given

    def _go(self, event: js.Event) -> None:
        room_id = str(event.target.data)
        js.window.focus()
        js.location.hash = address_of(room_id)
        self._given.pop(room_id).close()


async def _give_by_worker(title: str, options: JsProxy) -> None:
    with contextlib.suppress(JsException, AttributeError):
        registration = await js.navigator.serviceWorker.ready
        await registration.showNotification(title, options)
