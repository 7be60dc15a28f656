"""One tab of one person, through all its lives, and the person: a browser context and a network that breaks."""

from __future__ import annotations

import contextlib
import json
import re

from playwright.sync_api import Browser, Error, Page, WebSocket

from tests.e2e.chaos.chronicle import Chronicle
from tests.e2e.chaos.plan import Player
from tests.e2e.chaos.verdict import Line
from tests.support.cast import QUICK
from tests.support.fault_proxy import FaultProxy
from tests.support.page_driver import Screen
from tests.support.person import Person, give_config

#: Nobody presses Try now: who is exhausted comes back by a rest of a second.
CONFIG = {**QUICK, "rest": 1.0}

#: States of messages that the server does not have yet, or never will (docs/contract.md).
NOT_STORED = ("queued", "sending", "failed")

#: As a person reads back: to the top, and again when more is there, until the first message of all is.
READ_BACK = """async (seconds) => {
    const log = document.querySelector("[role=log]");
    const end = performance.now() + seconds * 1000;
    const isWhole = () => log.querySelector("article")?.dataset.seq === "1" || log.dataset.count === "0";
    while (!isWhole() && performance.now() < end) {
        log.scrollTop = log.scrollTop ? 0 : 1;  // a place that does not change is no scrolling
        await new Promise((resolve) => setTimeout(resolve, 30));
    }
}"""


class Tab:
    """Responsible for the page of one tab of a member, and for knowing whether somebody types in it."""

    def __init__(self, name: str, member: Member) -> None:
        self.name = name
        self.member = member
        self.is_live = False  #: Python runs and somebody types
        self.has_crashed = False
        self.links = 0  #: that the server called ready
        self.lives: dict[str, int] = {}  #: what each page that somebody typed in calls itself, and its number
        self._person: Person | None = None  # in front of the page; None while the tab is closed
        self._complaints: list[str] = []  # of pages that are gone

    @property
    def is_open(self) -> bool:
        """Whether there is a page, started or not."""
        return self._person is not None

    @property
    def person(self) -> Person:
        """In front of the page. AssertionError while the tab is closed."""
        assert self._person is not None, f"{self.name} is closed"
        return self._person

    # --- what befalls it ---

    def open(self, room: str, query: str) -> None:
        """A new page."""
        page = self.member.context.new_page()
        give_config(page, **CONFIG)
        page.on("websocket", self._listen)
        page.on("crash", lambda _: self._note_crash())
        self.has_crashed = False
        self._person = Person(page, self.member.network, self.member.name)
        self.person.watch.allow_network_trouble()
        self.person.begin_to_open(room, query)

    def reload(self) -> None:
        """Load the page again."""
        self.is_live = False
        self.person.page.reload(wait_until="commit")

    def crash(self) -> None:
        """The renderer's process dies; the tab is closed."""
        with self.person.page.expect_event("crash"), contextlib.suppress(Error):  # nobody is left to answer
            self.person.page.goto("chrome://crash")
        self.close("the page (crashed|does not answer)")

    def close(self, expected: str = "^$") -> None:
        """Close the tab, without asking the page. What is ``expected`` of it is no complaint."""
        self._complaints += [
            problem for problem in self.person.watch.problems if not re.match(expected, problem)
        ]
        self.person.page.close()
        self._person = None
        self.is_live = self.has_crashed = False

    def number_of_life(self, page: Page, life: str) -> int | None:
        """Somebody types in a page: which of this tab's lives it is, counted from 1; None for a page of others."""
        if not self.is_open or page != self.person.page:
            return None
        if life not in self.lives:
            self.lives[life] = len(self.lives) + 1
            self.is_live = True
            self._note(f"life {self.lives[life]} begins")
        return self.lives[life]

    # --- looking at it ---

    def look(self) -> Screen | None:
        """The screen, None while there is none to look at."""
        if not self.is_live:
            return None
        try:
            return self.person.screen
        except (Error, AssertionError) as error:  # it goes away at this moment
            self._note(f"no look: {error}")
            return None

    def read_back(self, within: float) -> list[Line]:
        """What stands there once the reader has gone back to the very first message, or has tried for so long."""
        self.person.run(READ_BACK, within)
        return lines_of(self.person.screen)

    @property
    def problems(self) -> list[str]:
        """What the pages of this tab did wrong, those that are gone included."""
        now = self.person.watch.problems if self.is_open else []
        return [f"{self.name}: {problem}" for problem in (*self._complaints, *now)]

    # --- inside ---

    def _note(self, what: str) -> None:
        self.member.chronicle.note(self.name, what)

    def _note_crash(self) -> None:
        self.has_crashed = True
        self._note("crashed")

    def _listen(self, socket: WebSocket) -> None:
        self._note("opens a socket")
        socket.on("framesent", lambda frame: self._note(f"> {frame!s}"))
        socket.on("framereceived", lambda frame: self._hear(str(frame)))
        socket.on("close", lambda _: self._note("its socket is closed"))

    def _hear(self, frame: str) -> None:
        self._note(f"< {frame}")
        kind = json.loads(frame).get("type")
        if kind == "message":
            self.member.last_message = frame
        elif kind == "ready":
            self.links += 1
            self.member.is_back = True


class Member:
    """Responsible for one person's tabs and network: whose they are, and what they are doing."""

    def __init__(self, player: Player, browser: Browser, upstream_port: int, chronicle: Chronicle) -> None:
        self.name = player.name
        self.network = FaultProxy(upstream_port).start()
        self.context = browser.new_context(locale="en-US")
        self.chronicle = chronicle
        self.tabs = [Tab(name, self) for name in player.tabs]
        self.last_message: str | None = None  #: the newest message frame that came
        self.is_back = True  #: a tab has had a link since the last fault that no link survives
        self.is_in_trouble = False  #: a fault holds in its network
        self.is_reserved = False  #: its network is left alone: something befalls a tab

    def leave(self) -> None:
        """Close everything."""
        with contextlib.suppress(Error):  # the browser may be gone
            self.context.close()
        self.network.reset()  # those too that were stranded
        self.network.stop()


def lines_of(screen: Screen) -> list[Line]:
    """The messages of a screen, for the verdict."""
    return [Line(shown.text, int(shown.seq) if shown.seq else None) for shown in screen.messages]


def unrest_of(screen: Screen) -> str:
    """What is not yet as it is when all is well; empty when nothing is left to wait for."""
    waiting = [f"{shown.text!r} {shown.state}" for shown in screen.messages if shown.state in NOT_STORED]
    parts = [screen.status] * (screen.status != "connected")
    parts += ["not caught up"] * (not screen.caught_up)
    if waiting:
        parts.append(f"{len(waiting)} waiting ({', '.join(waiting[:5])})")
    if screen.draft:
        parts.append(f"{screen.draft!r} in the composer")
    if parts and screen.notice:
        parts.append(f"a notice: {screen.notice}")
    return ", ".join(parts)
