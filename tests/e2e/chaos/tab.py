"""One tab with all its pages, and its owner: a browser context and a network with faults."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Sequence

from playwright.sync_api import Browser, Error, Page, WebSocket

from tests.e2e.chaos.delivery_check import LogEntry
from tests.e2e.chaos.event_log import EventLog
from tests.e2e.chaos.plan import PersonSetup
from tests.support.fault_proxy import FaultProxy
from tests.support.page_driver import Screen
from tests.support.shared_pages import QUICK
from tests.support.user_page import UserPage, give_config

#: Nobody presses Try now: an exhausted connection tries again after a second.
CONFIG = {**QUICK, "idleRetryInterval": 1.0}

#: States of messages that the server does not have (docs/contract.md).
NOT_STORED = ("queued", "sending", "failed")

#: Scrolls from the end to the first message of the room. Returns what the list shows on the way: list by list, the text
#: and the seq of each message.
READ_BACK = """async (seconds) => {
    const log = document.querySelector("[role=log]"), lists = [];
    const until = performance.now() + seconds * 1000;
    const turn = () => new Promise((resolve) => setTimeout(resolve, 30));
    const shown = () => [...log.querySelectorAll("article")].map((article) =>
        [article.querySelector('[data-part="content"]').textContent, Number(article.dataset.seq) || null]);
    const isAtEnd = () => shown().some(([, seq]) => String(seq ?? "") === log.dataset.lastSeq);
    while (!isAtEnd() && performance.now() < until) {
        log.scrollTop = log.scrollHeight;
        await turn();
    }
    for (;;) {
        const list = shown();
        if (list[0]?.[1] !== lists.at(-1)?.[0]?.[1] || !lists.length) lists.push(list);
        if (list[0]?.[1] === 1 || log.dataset.count === "0" || performance.now() > until) return lists;
        log.scrollTop = log.scrollTop ? 0 : 1;  // only a change is a scroll event
        await turn();
    }
}"""


class Tab:
    """A participant's tab and its page."""

    def __init__(self, name: str, participant: Participant) -> None:
        self.name = name
        self.participant = participant
        self.is_live = False  #: Python runs and the user types
        self.has_crashed = False
        self.links = 0  #: number of links that the server called ready
        self.lives: dict[str, int] = {}  #: id of each page in which the user typed -> its number
        self._person: UserPage | None = None  # None while the tab is closed
        self._complaints: list[str] = []  # problems of earlier pages

    @property
    def is_open(self) -> bool:
        """Whether there is a page, started or not."""
        return self._person is not None

    @property
    def person(self) -> UserPage:
        """The page's driver. Raises AssertionError while the tab is closed."""
        assert self._person is not None, f"{self.name} is closed"
        return self._person

    # --- opening and closing ---

    def open(self, room: str, query: str) -> None:
        """Open a new page."""
        page = self.participant.context.new_page()
        give_config(page, **CONFIG)
        page.on("websocket", self._listen)
        page.on("crash", lambda _: self._note_crash())
        self.has_crashed = False
        self._person = UserPage(page, self.participant.network, self.participant.name)
        self.person.watch.allow_network_trouble()
        self.person.begin_to_open(room, query)

    def join(self) -> None:
        """Wait until the page has started, and join: a person's further tabs then join by themselves."""
        self.person.wait_until_started()
        self.person.join()

    def reload(self) -> None:
        """Load the page again."""
        self.is_live = False
        self.person.page.reload(wait_until="commit")

    def crash(self) -> None:
        """Crash the renderer's process and close the tab."""
        with self.person.page.expect_event("crash"), contextlib.suppress(Error):  # the page does not answer
            self.person.page.goto("chrome://crash")
        self.close("the page (crashed|does not answer)")

    def close(self, expected: str = "^$") -> None:
        """Close the tab without its unload handlers. ``expected``: a pattern of problems that are no complaint."""
        self._complaints += [
            problem for problem in self.person.watch.problems if not re.match(expected, problem)
        ]
        self.person.page.close()
        self._person = None
        self.is_live = self.has_crashed = False

    def life_number(self, page: Page, life: str) -> int | None:
        """Return the number of a page in this tab, counted from 1; None for a page of another tab."""
        if not self.is_open or page != self.person.page:
            return None
        if life not in self.lives:
            self.lives[life] = len(self.lives) + 1
            self.is_live = True
            self._note(f"life {self.lives[life]} begins")
        return self.lives[life]

    # --- reading ---

    def look(self) -> Screen | None:
        """Return the screen, None while there is no page."""
        if not self.is_live:
            return None
        try:
            return self.read_screen()
        except (Error, AssertionError) as error:  # the page is being replaced
            self._note(f"no look: {error}")
            return None

    def read_screen(self) -> Screen:
        """Return the screen. Raises Error or AssertionError while the page is being replaced."""
        return self.person.screen

    def read_back(self, within: float) -> list[LogEntry]:
        """Scroll back to the first message, for at most ``within`` seconds, and return the entries."""
        return merged([LogEntry(*each) for each in shown] for shown in self.person.run(READ_BACK, within))

    @property
    def problems(self) -> list[str]:
        """The problems of all pages of this tab, closed ones included."""
        now = self.person.watch.problems if self.is_open else []
        return [f"{self.name}: {problem}" for problem in (*self._complaints, *now)]

    # --- inside ---

    def _note(self, what: str) -> None:
        self.participant.event_log.note(self.name, what)

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
            self.participant.last_message = frame
        elif kind == "ready":
            self.links += 1
            self.participant.is_back = True


class Participant:
    """One person's tabs, browser context and network."""

    def __init__(
        self,
        person: PersonSetup,
        browser: Browser,
        upstream_port: int,
        event_log: EventLog,
        tab_type: type[Tab] = Tab,
    ) -> None:
        self.name = person.name
        self.network = FaultProxy(upstream_port).start()
        self.context = browser.new_context(locale="en-US")
        self.event_log = event_log
        self.tabs = [tab_type(name, self) for name in person.tabs]
        self.last_message: str | None = None  #: the newest message frame that was received
        self.is_back = True  #: a tab has had a link since the last fault that ended its link
        self.is_faulty = False  #: the network has a fault
        self.is_reserved = False  #: the network must have no fault, since a tab has one

    def leave(self) -> None:
        """Close everything."""
        with contextlib.suppress(Error):  # the browser may be gone
            self.context.close()
        self.network.reset()  # stranded connections too
        self.network.stop()


def merged(lists: Iterable[Sequence[LogEntry]]) -> list[LogEntry]:
    """Return the entries of overlapping lists, the newest list first. A message that one list shows twice or out of
    order, or two lists with different texts, is returned as often and there, for the check to find it."""
    entries: list[LogEntry] = []
    for shown in lists:
        known = set(shown)
        overlap = [entry for entry in entries if entry in known]
        is_same = entries[: len(overlap)] == overlap == list(shown[len(shown) - len(overlap) :])
        entries = [*shown, *(entries[len(overlap) :] if is_same else entries)]
    return entries


def entries_of(screen: Screen) -> list[LogEntry]:
    """Return the messages of a screen as log entries."""
    return [LogEntry(shown.text, int(shown.seq) if shown.seq else None) for shown in screen.messages]


def unsettled_parts(screen: Screen) -> str:
    """Return what keeps a page from being settled; empty if nothing does."""
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
