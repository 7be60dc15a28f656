"""One tab of a Chromium with really hidden tabs, shared by the tests of a file."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping

from playwright.sync_api import BrowserContext

from tests.support.fault_proxy import FaultProxy
from tests.support.server import KizunaServer
from tests.support.user_page import UserPage, give_config
from tests.support.waiting import throughout

#: Counts the messages of the page's workers.
COUNT_TICKS = """{
    window.ticksHeard = 0;
    window.Worker = new Proxy(Worker, {construct(target, given, newTarget) {
        const worker = Reflect.construct(target, given, newTarget);
        worker.addEventListener("message", () => { window.ticksHeard += 1; });
        return worker;
    }});
}"""


class Window:
    """A blank tab, and one with the page, which tests share until one fails.

    The page is reloaded for a test with other connection options.
    """

    def __init__(self, context: BrowserContext, server: KizunaServer) -> None:
        self._context = context
        self._server = server
        self._person: UserPage | None = None
        self._config: Mapping[str, float] = {}

    # --- people ---

    def newcomer(self, room: str, config: Mapping[str, float]) -> UserPage:
        """Return a person who has opened the page in this room and not joined."""
        if self._person is not None and (self._is_closed or self._person.status != "idle"):
            self.close()
        return self._show(room, config)

    def person_in(self, room: str, config: Mapping[str, float] | None = None) -> UserPage:
        """Return a person who is in this room alone; without ``config`` with the present options."""
        if self._is_closed:
            self.close()
        person = self._show(room, self._config if config is None else config)
        person.come_back()
        person.enter(room)
        person.leave_other_rooms()
        person.watch.forget()
        return person

    def _show(self, room: str, config: Mapping[str, float]) -> UserPage:
        """Show the page with these options."""
        is_new = self._person is None
        if self._person is None:
            self._person = UserPage(self._context.new_page(), FaultProxy(self._server.port).start(), "Tab")
            self._person.page.add_init_script(COUNT_TICKS)
        person = self._person
        person.show()
        if is_new or config != self._config:
            self._config = config
            give_config(person.page, **config)
            if is_new:
                person.open(room)
            else:
                person.reload()
        return person

    @property
    def _is_closed(self) -> bool:
        return self._person is not None and self._person.page.is_closed()

    def close(self) -> None:
        """Close the page, unless a test did, and its network."""
        self._context.set_offline(False)  # else the next page could not load
        if self._person is not None:
            if not self._is_closed:
                self._person.page.close()
            self._person.network.stop()
            self._person = None

    # --- sleep ---

    def sleep(self, seconds: float) -> None:
        """Stop every process of the browser for some seconds while both clocks go on, as a sleep does."""
        browser = self._context.browser
        assert browser is not None
        tools = browser.new_browser_cdp_session()
        processes = [process["id"] for process in tools.send("SystemInfo.getProcessInfo")["processInfo"]]
        tools.detach()
        try:
            for process in processes:
                os.kill(process, signal.SIGSTOP)
            throughout(lambda: True, seconds, what="a night")
        finally:
            for process in processes:
                with contextlib.suppress(ProcessLookupError):  # it has ended; all others must go on
                    os.kill(process, signal.SIGCONT)
