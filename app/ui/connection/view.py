"""The connection on the page: pill, and banner with "Try now". static/boot/updates.js handles its "Reload"."""

from __future__ import annotations

import js
from pyodide.ffi import to_js

from chat.identity import INTERCEPTED
from chat.store import ChatState
from kizuna import Status
from ui.actions import Actions
from ui.connection.banner import BannerText, banner_text
from ui.connection.countdown import Countdown, next_tick
from ui.connection.outage import Outage, connection_part
from ui.connection.status_pill import Pill, pill_for
from ui.connection.try_now import TryNow
from ui.kit.dom import Listeners, by_id, icon
from ui.kit.formats import Formats
from ui.kit.render import RenderScheduler
from ui.kit.texts import Texts


class ConnectionView:
    """The pill, and the banner with the button, which never moves in the document."""

    def __init__(
        self,
        actions: Actions,
        texts: Texts,
        formats: Formats,
        outage: Outage,
        scheduler: RenderScheduler,
        listeners: Listeners,
    ) -> None:
        self._actions = actions
        self._texts = texts
        self._formats = formats
        self._outage = outage
        self._scheduler = scheduler
        self._countdown = Countdown()
        self._button_rule = TryNow()
        self._pill_element = by_id("connection")
        self._pill_words = by_id("connection-words")
        self._button = by_id("try-now")
        self._banner = by_id("banner")
        self._reason: str | None = None
        self._pill: Pill | None = None
        self._banner_drawn: tuple[object, ...] = ()
        self._button_drawn: tuple[bool, bool] | None = None
        listeners.on(self._button, "click", lambda _: self._try_now())

    def part(self, state: ChatState) -> object:
        """Return what all three show."""
        return connection_part(state)

    def draw(self, state: ChatState, now: float) -> float | None:
        """Draw all three."""
        connection = state.connection
        self._tell_worker(state.reason)
        deadline = connection.retry_at if connection.status is Status.WAITING else None
        seconds = self._countdown.seconds(deadline, now)
        self._draw_pill(pill_for(state, seconds))
        wakes = [self._outage.update(state, now), self._button_rule.update(connection.status, now)]
        if deadline is not None:
            # Without a number only the deadline itself changes the text.
            wakes.append(next_tick(deadline, now) if seconds is not None else deadline)
        self._draw_button()
        self._draw_banner(
            banner_text(state, self._outage, self._texts, self._formats.time, js.location.origin)
        )
        return min((wake for wake in wakes if wake is not None and wake > now), default=None)

    def _tell_worker(self, reason: str | None) -> None:
        """Let the service worker load the next page from the host, where the sign-in gate is."""
        if reason == self._reason:
            return
        self._reason = reason
        workers = getattr(js.navigator, "serviceWorker", None)  # undefined without https
        if reason == INTERCEPTED and workers and workers.controller:
            message = to_js({"type": "intercepted"}, dict_converter=js.Object.fromEntries)
            workers.controller.postMessage(message)

    def _draw_pill(self, pill: Pill) -> None:
        if pill == self._pill:
            return
        if self._pill is None or pill.icon != self._pill.icon:
            icon(by_id("connection-icon"), pill.icon)
        self._pill = pill
        self._pill_element.setAttribute("data-kind", pill.kind)
        self._pill_words.textContent = self._texts(pill.key, count=pill.seconds or 0)

    def _draw_button(self) -> None:
        wanted = (self._button_rule.shown, self._button_rule.busy)
        if wanted == self._button_drawn:
            return
        self._button_drawn = wanted
        shown, busy = wanted
        _set_hidden(self._button, not shown)
        # Not `disabled`: that would remove the focus.
        self._button.setAttribute("aria-disabled", "true" if busy else "false")
        self._button.setAttribute("aria-busy", "true" if busy else "false")

    def _draw_banner(self, words: BannerText | None) -> None:
        wanted = (self._outage.phase, words)
        if wanted == self._banner_drawn:
            return
        self._banner_drawn = wanted
        _set_hidden(self._banner, words is None)
        self._banner.setAttribute("data-kind", self._outage.phase)
        if words is not None:
            by_id("banner-title").textContent = words.title
            by_id("banner-text").textContent = words.text
            by_id("banner-reload").hidden = not words.reloads

    def _try_now(self) -> None:
        if self._button_rule.press(self._scheduler.now()):
            self._scheduler.mark(self)
            self._actions.try_now()


def _set_hidden(element: js.Element, hidden: bool) -> None:
    """Hide or show an element. The focus does not get lost with it: it moves to the message field."""
    had_focus = hidden and element.contains(js.document.activeElement)
    element.hidden = hidden
    if had_focus:
        by_id("composer-text").focus()
