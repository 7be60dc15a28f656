"""A person of the run: a browser context, a network that breaks, and one tab or two."""

from __future__ import annotations

import contextlib

from playwright.sync_api import Browser, Error, Page

from tests.e2e.chaos.chronicle import Chronicle
from tests.e2e.chaos.plan import Player
from tests.e2e.chaos.tab import Tab
from tests.e2e.chaos.trouble import Trouble
from tests.support.fault_proxy import FaultProxy


class Member:
    """Responsible for one person's tabs and network: whose they are, and what they are doing."""

    def __init__(self, player: Player, browser: Browser, upstream_port: int, chronicle: Chronicle) -> None:
        self.name = player.name
        self.network = FaultProxy(upstream_port).start()
        self.trouble = Trouble(self.network)
        self.context = browser.new_context(locale="en-US")
        self.tabs = [Tab(name, player.name, self.context, self.network, chronicle) for name in player.tabs]

    def thread_of(self, page: Page, life: str) -> str | None:
        """The thread that a page types, None if it is not this person's.

        Who has one tab is promised that all texts stand in the order typed, through all lives of the tab. What
        waits in a tab that goes, another tab of the same person may send: then each life is a thread of its own.
        """
        for tab in self.tabs:
            number = tab.number_of_life(page, life)
            if number is not None:
                return self.name if len(self.tabs) == 1 else f"{tab.name}, life {number}"
        return None

    @property
    def is_loading(self) -> bool:
        """Whether a page needs the network to start."""
        return any(tab.is_loading for tab in self.tabs)

    @property
    def last_message(self) -> str | None:
        """The newest message frame that came to the tab opened last."""
        return next((tab.last_message for tab in reversed(self.tabs) if tab.last_message), None)

    def leave(self) -> None:
        """Close everything."""
        self.trouble.end()
        with contextlib.suppress(Error):  # the browser may be gone
            self.context.close()
        self.network.reset()  # those too that were stranded
        self.network.wait_until(lambda seen: not seen.open)
        self.network.stop()
