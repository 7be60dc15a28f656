"""One tab of one person, through all its lives: opened, reloaded, crashed, closed, opened again."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Error, Page, WebSocket

from tests.e2e.chaos.chronicle import Chronicle
from tests.e2e.chaos.screen import Screen, look
from tests.support.cast import QUICK
from tests.support.fault_proxy import FaultProxy
from tests.support.person import Person, give_config

#: Nobody presses Try now: who is exhausted comes back by a rest of a second.
CONFIG = {**QUICK, "rest": 1.0}
#: A page that has not started in so many seconds met a fault on its way, and is loaded again.
PATIENCE = 30.0


class Tab:
    """Responsible for the page of one tab, and for knowing whether somebody types in it."""

    def __init__(
        self, name: str, owner: str, context: BrowserContext, network: FaultProxy, chronicle: Chronicle
    ) -> None:
        self.name = name
        self.owner = owner
        self.person: Person | None = None  #: in front of the page; None while the tab is closed
        self.is_live = False  #: Python runs and somebody types
        self.last_message: str | None = None  #: the newest message frame that came
        self.complaints: list[str] = []  #: of pages that are gone
        self._context = context
        self._network = network
        self._chronicle = chronicle
        self._lives: dict[str, int] = {}  # what the page calls each, and its number
        self._loading_since = 0.0
        self._has_crashed = False

    @property
    def is_open(self) -> bool:
        """Whether there is a page, started or not."""
        return self.person is not None

    @property
    def is_loading(self) -> bool:
        """Whether there is a page that nobody types in yet."""
        return self.person is not None and not self.is_live

    @property
    def lives(self) -> int:
        """How many pages somebody has typed in."""
        return len(self._lives)

    # --- what befalls it ---

    def open(self, room: str) -> None:
        """A new page."""
        page = self._context.new_page()
        give_config(page, **CONFIG)
        page.on("websocket", self._listen)
        page.on("crash", lambda _: self._note_crash())
        self.person = person = Person(page, self._network, self.owner)
        person.watch.allow_network_trouble()
        self._load(lambda: person.begin_to_open(room))

    def reload(self) -> None:
        """Load the page again."""
        self._load(lambda: self._page.reload(wait_until="commit"))

    def crash(self) -> None:
        """The renderer's process dies; the tab is closed."""
        with contextlib.suppress(Error):  # nobody is left to answer
            self._page.goto("chrome://crash", timeout=5000)
        if not self._has_crashed:
            self._page.wait_for_event("crash", timeout=5000)
        self._leave(crashed=True)

    def close(self) -> None:
        """Close the tab, without asking the page."""
        self._leave(crashed=False)

    def has_crashed_by_itself(self) -> bool:
        """Whether the page is dead that should live."""
        return self.person is not None and self._has_crashed

    def load_again_if_stuck(self) -> bool:
        """Whether the page did not start in time; it is loaded again then."""
        if not self.is_loading or self._chronicle.seconds - self._loading_since < PATIENCE:
            return False
        self.reload()
        return True

    def number_of_life(self, page: Page, life: str) -> int | None:
        """Somebody types in a page: which of this tab's lives it is, counted from 1; None for a page of others."""
        if self.person is None or page != self.person.page:
            return None
        if life not in self._lives:
            self._lives[life] = len(self._lives) + 1
            self.is_live = True
            self._chronicle.note(self.name, f"life {self._lives[life]} begins")
        return self._lives[life]

    # --- looking at it ---

    def look(self) -> Screen | None:
        """The screen, None while there is none to look at."""
        if not self.is_live:
            return None
        try:
            return look(self._page)
        except Error as error:  # it goes away at this moment
            self._chronicle.note(self.name, f"no look: {error.message}")
            return None

    @property
    def problems(self) -> list[str]:
        """What the pages of this tab did wrong, those that are gone included."""
        now = [] if self.person is None else self.person.watch.problems
        return [f"{self.name}: {problem}" for problem in (*self.complaints, *now)]

    # --- inside ---

    @property
    def _page(self) -> Page:
        assert self.person is not None, f"{self.name} is closed"
        return self.person.page

    def _load(self, begin: Callable[[], object]) -> None:
        self.is_live = False
        self._has_crashed = False
        self._loading_since = self._chronicle.seconds
        try:
            begin()
        except Error as error:  # a fault is in its way: it is tried again when it should have started
            self._chronicle.note(self.name, f"does not load: {error.message}")

    def _leave(self, *, crashed: bool) -> None:
        assert self.person is not None, f"{self.name} is closed"
        problems = self.person.watch.problems
        if crashed:
            problems = [each for each in problems if not re.match("the page (crashed|does not answer)", each)]
        self.complaints += problems
        self._page.close()
        self.person = None
        self.is_live = False

    def _note_crash(self) -> None:
        self._has_crashed = True
        self._chronicle.note(self.name, "crashed")

    def _listen(self, socket: WebSocket) -> None:
        self._chronicle.note(self.name, "opens a socket")
        socket.on("framesent", lambda frame: self._chronicle.note(self.name, "> " + str(frame)))
        socket.on("framereceived", lambda frame: self._on_frame(str(frame)))
        socket.on("close", self._on_close)

    def _on_close(self, socket: WebSocket) -> None:
        self._chronicle.note(self.name, "its socket is closed")

    def _on_frame(self, frame: str) -> None:
        self._chronicle.note(self.name, f"< {frame}")
        kind = json.loads(frame).get("type")
        if kind == "message":
            self.last_message = frame
        elif kind == "ready":
            self._chronicle.count("links")
