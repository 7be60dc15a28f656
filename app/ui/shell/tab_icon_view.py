"""The icon of the tab, and the number on the icon of the installed page."""

from __future__ import annotations

import contextlib

import js
from pyodide.ffi import JsException

from chat.store import ChatState
from kizuna.delivery import TaskSet
from ui.connection.outage import Outage, connection_part
from ui.kit.dom import by_id
from ui.shell.tab_icon import tab_icon


class TabIconView:
    """Shows unread messages and a lost connection on both icons. The addresses of the tab's icons are in index.html."""

    def __init__(self, outage: Outage) -> None:
        self._outage = outage
        self._link = by_id("tab-icon")
        self._plain = str(self._link.getAttribute("href"))
        self._drawn = ""
        self._number = 0
        self._tasks = TaskSet()

    def part(self, state: ChatState) -> object:
        """Return what the icons show."""
        return (connection_part(state), state.unread_everywhere)

    def draw(self, state: ChatState, now: float) -> float | None:
        """Draw both."""
        wake = self._outage.update(state, now)
        unread = state.unread_everywhere if state.name is not None else 0
        icon = tab_icon(unread, in_trouble=self._outage.in_trouble)
        if icon != self._drawn:
            self._drawn = icon
            address = self._link.getAttribute(f"data-{icon}") if icon else self._plain
            self._link.setAttribute("href", str(address))
        if unread != self._number:
            self._number = unread
            self._tasks.start(_set_badge(unread))
        return wake


async def _set_badge(number: int) -> None:
    """Set the number on the icon of the installed page, where the browser has one."""
    with contextlib.suppress(JsException, AttributeError):
        await js.navigator.setAppBadge(number)  # 0: none
