"""The people of the tests. Starting Python takes a page seconds, so the same few people play in many tests.

Each has a browser context of its own (identity, storage, cache) and a network of its own (a fault proxy, and with
it an origin). A room of its own keeps a test apart from the one before. Whoever was in a test that failed leaves
the cast, and a new page takes the place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Browser

from tests.support.fault_proxy import FaultProxy
from tests.support.server import KizunaServer
from tests.support.user_page import UserPage, give_config

#: Enough of everything to see it happen in a test, and enough patience for a busy machine.
QUICK: Mapping[str, float] = {
    "firstRetryDelay": 0.1,
    "heartbeatInterval": 1,
    "pongTimeout": 2,
    "probeTimeout": 2,
    "connectTimeout": 5,
    "offlineInterval": 600,
    "stableAfter": 1,
    "idleRetryInterval": 0,
}

#: The connection numbers of those who have not the page's own.
CONFIGS: Mapping[str, Mapping[str, float]] = {"Quinn": QUICK}


class SharedPages:
    """Responsible for keeping pages started, and for handing them out in working order."""

    def __init__(self, browser: Browser, server: KizunaServer) -> None:
        self._browser = browser
        self._server = server
        self._people: dict[str, UserPage] = {}

    def get(self, names: list[str]) -> list[UserPage]:
        """These people; who is new has no page open yet."""
        for name in names:
            if name not in self._people:
                self._people[name] = self.new_person(name, CONFIGS.get(name))
        return [self._people[name] for name in names]

    def prepare(self, people: list[UserPage], room: str) -> None:
        """Into a room of their own, connected. Who is new starts Python beside the others."""
        newcomers = [person for person in people if person.page.url == "about:blank"]
        for person in newcomers:
            person.begin_to_open(room)
        for person in newcomers:
            person.wait_until_started()
            person.join()
        for person in people:
            person.come_back()
            person.enter(room)
            person.leave_other_rooms()
            person.watch.forget()

    def new_person(
        self, name: str, config: Mapping[str, float] | None = None, *, keeps: bool = False, **context: Any
    ) -> UserPage:
        """Somebody new, whose page is not open yet; the caller dismisses them. ``keeps``: as UserPage has it."""
        network = FaultProxy(self._server.port).start()
        page = self._browser.new_context(**{"locale": "en-US", **context}).new_page()
        if config is not None:
            give_config(page, **config)
        return UserPage(page, network, name, keeps=keeps)

    def close(self, person: UserPage) -> None:
        """Close the page and its network."""
        self._people = {name: other for name, other in self._people.items() if other is not person}
        person.page.context.close()
        person.network.stop()

    def close_all(self) -> None:
        """At the end."""
        for person in tuple(self._people.values()):
            self.close(person)
