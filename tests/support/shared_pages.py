"""Started pages that many tests share, since starting Python takes seconds.

Each person has a browser context (identity, storage, cache) and a network (a fault proxy, and so an origin). Each test
has a new room. After a failed test its pages are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Browser

from tests.support.fault_proxy import FaultProxy
from tests.support.server import KizunaServer
from tests.support.user_page import UserPage, give_config

#: Connection options that are short enough for a test, and long enough for a busy machine.
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

#: Person -> connection options that differ from the page's.
CONFIGS: Mapping[str, Mapping[str, float]] = {"Quinn": QUICK}


class SharedPages:
    """Started pages by person, handed out connected and in an empty room."""

    def __init__(self, browser: Browser, server: KizunaServer) -> None:
        self._browser = browser
        self._server = server
        self._people: dict[str, UserPage] = {}

    def get(self, names: list[str]) -> list[UserPage]:
        """Return these people; the page of a new one is not open yet."""
        for name in names:
            if name not in self._people:
                self._people[name] = self.new_person(name, CONFIGS.get(name))
        return [self._people[name] for name in names]

    def prepare(self, people: list[UserPage], room: str) -> None:
        """Let these people be connected in a room; new pages start Python at the same time."""
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
        """Close all pages and networks."""
        for person in tuple(self._people.values()):
            self.close(person)
