"""Three people in four tabs, their browsers, the network and the server: what may happen, and what must hold."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection
from contextlib import ExitStack

import pytest

from backend.messaging import broadcast as delivery, message_log as rooms
from backend.store.base import Conflict, Item
from chat import session
from chat.store import ChatState, NoticeKind
from chat.timeline import Delivery
from kizuna.delivery.outbox_storage import TABLE
from kizuna.errors import KizunaError
from kizuna.options import Options
from kizuna.testing import VirtualClock
from tests.simulation import network
from tests.simulation.disk import Browser
from tests.simulation.gateway import AtOnce, Mishap, Server, TimedOut
from tests.simulation.ledger import Ledger
from tests.simulation.loop import MOST_TURNS, StepLoop
from tests.simulation.network import Flight, Line, Network
from tests.simulation.page import Page, Tab
from tests.simulation.passing_store import PassingStore

ROOMS = ("general", "tea")
#: Whose browser each tab is in: Ada has two in one.
TABS = {"ada-1": "Ada", "ada-2": "Ada", "ben": "Ben", "cy": "Cy"}
#: As the chat is configured (static/config.json).
REST = 30.0
#: Seconds of good weather after which everybody must know everything: the longest pause between two tries of an
#: attempt (24 s), of a rest (45 s), of a message (60 s) and of a heartbeat (30 s) follow each other at most.
PATIENCE = 300.0
#: As in backend.messaging.message_log and chat.session, but small: so that a page of messages is full, a gap too
#: large, and a screen filled, after a few.
PAGE_MESSAGES = 4
MAX_GAP = 9
FIRST_SIGHT = 6
#: Seconds between two messages of a very fast person.
KEY_STROKE = 0.01
#: Items that arrive in one go at most: beyond it pages and server answer each other for ever.
MOST_ARRIVALS = 3_000


class World(ExitStack):
    """Responsible for all of it, and for time. Deterministic: the same calls give the same world.

    ``rollover_after``: seconds until a link is replaced.
    """

    def __init__(self, *, rollover_after: float = 6600.0) -> None:
        super().__init__()
        patch = self.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(rooms, "PAGE_MESSAGES", PAGE_MESSAGES)
        patch.setattr(rooms, "MAX_GAP", MAX_GAP)
        patch.setattr(session, "FIRST_SIGHT", FIRST_SIGHT)
        patch.setattr(delivery, "ThreadPoolExecutor", AtOnce)
        self._complaints = Complaints(patch)
        self.clock = VirtualClock()
        store = PassingStore(self._wall)
        self.callback(store.close)
        self.server = Server(store, self._wall)
        self.network = Network(self.server)
        self.loop = StepLoop()
        self.callback(self.loop.close)
        self.options = Options(idle_retry_interval=REST, rollover_after=rollover_after, rollover_spread=0.0)
        browsers = {person: Browser() for person in TABS.values()}
        self.tabs = {name: Tab(name, person, browsers[person]) for name, person in TABS.items()}
        self.ledger = Ledger({name for name in TABS.values() if list(TABS.values()).count(name) > 1})
        self.seen_as_sent: set[str] = set()  #: ids of messages that any page called sent
        self.problems: list[str] = []  #: what no page may ever show
        self._pages = itertools.count(1)

    def _wall(self) -> float:
        return self.clock.now().wall

    # --- looking ---

    @property
    def pages(self) -> list[Page]:
        return [tab.page for tab in self.tabs.values() if tab.page is not None]

    @property
    def now(self) -> float:
        return self.clock.now().monotonic

    def flights(self) -> list[Flight]:
        return list(self.network.flights())

    def lines(self) -> list[Line]:
        """The lines whose page is there, and that carry something."""
        return [line for line in self.network.lines if line.at_page and not line.is_stranded]

    # --- pages ---

    def open_all(self) -> None:
        """Let everybody be in room general."""
        for name in self.tabs:
            self.open(name)
        self.advance(1.0)

    def page_of(self, name: str) -> Page:
        """The page in somebody's tab, which is open."""
        page = self.tabs[name].page
        assert page is not None
        return page

    def end_well(self) -> None:
        """Let all faults be over: everybody settles, and nothing is lost, doubled or out of order."""
        self.check()
        self.settle()
        self.check_end()

    def open(self, name: str) -> Page:
        """A page in this tab; its person joins, unless they left on purpose."""
        tab = self.tabs[name]
        assert tab.page is None
        tab.page = page = Page(tab, next(self._pages), self)
        if not page.is_joined:
            page.run(page.session.join, tab.person)
        return page

    def close_page(self, page: Page) -> None:
        """The page is closed, or reloaded: it hears of it, and has no time for more."""
        page.freeze(aside=False)
        page.die()

    def say(self, page: Page, text: str) -> None:
        """Somebody types and presses Enter, if nothing typed before is still being kept."""
        if page.is_joined and page.saying is None and not page.life.is_frozen:
            self.clock.move_to(self.now + KEY_STROKE)
            page.say(self.ledger.say(text, page.state.room_id, page.tab.person, page.number))

    def discard(self, page: Page, client_message_id: str) -> None:
        """Somebody deletes one of their messages that is not stored yet."""
        page.run(page.session.dismiss_notice)
        page.run(page.session.discard, client_message_id)
        said = self.ledger.of(client_message_id)
        said.is_discarded = True
        storage = page.tab.browser.storage  # what it has not heard of yet, a crash takes back
        notice = page.state.notice
        is_told = notice is not None and notice.kind is NoticeKind.MAY_HAVE_ARRIVED
        said.is_warned = said.is_warned or is_told or storage.is_stuck or storage.is_broken

    def retry(self, page: Page) -> None:
        """Somebody sends all failed messages of the shown room again."""
        for entry in page.state.timeline.failed:
            self.ledger.of(entry.client_message_id or "").is_retried = True
        page.run(page.session.retry_all)

    # --- time, and what is on its way ---

    def run(self, turns: int = MOST_TURNS) -> None:
        """Let all code run that can, or so many callbacks of it."""
        for page in self.pages:
            if not page.life.is_frozen:
                page.locks.take_again()
        self.loop.run(turns)

    def arrive(self, flight: Flight, *, again: bool = False, mishap: Mishap | None = None) -> None:
        """Let one item arrive. What follows from it does not happen yet."""
        self.server.mishap = mishap
        self.network.arrive(flight, again=again)
        self.server.mishap = None

    def flow(self, lost_for: Collection[str] = (), *, window: int = 1) -> None:
        """Let everything arrive that is on its way, and what follows from it: in order, or of so many at once on a
        line the last one first. ``lost_for``: the tabs that no broadcast reaches."""
        self.run()
        for _ in range(MOST_ARRIVALS):
            # Of those of one line and direction the last one counts.
            flights = {(flight.line.number, flight.way): flight for flight in self.network.flights(window)}
            if not flights:
                return
            for flight in flights.values():
                if flight.index >= len(flight.items):
                    continue  # what arrived before has changed that
                if flight.line.host.tab.name in lost_for and flight.brings("message"):
                    flight.lose()
                else:
                    self.arrive(flight)
                    self.run()
        raise AssertionError("pages and server answer each other for ever")

    def advance(self, seconds: float, *, flows: bool = True) -> None:
        """Let time pass. ``flows``: what is sent arrives at once; else nothing arrives."""
        settle = self.flow if flows else self.run
        end = self.now + seconds
        settle()
        while (due := self.clock.next_due()) is not None and due <= end:
            self.clock.move_to(due)
            while self.clock.fire_next():
                pass
            settle()
        self.clock.move_to(end)

    def cut(self, line: Line, *, page_notices: bool, gateway_notices: bool, keeps_up: bool) -> None:
        """The connection breaks, and either end hears of it now, or has to find out."""
        line.strand(keeps_up=keeps_up)
        if gateway_notices:
            line.tell_gateway()
        if page_notices:
            line.tell_page()

    # --- in the end ---

    def heal(self) -> None:
        """Faults stop: the server serves, the way is free, every tab has a page that somebody looks at."""
        self.server.boot()
        self.server.posts_to_fail = 0
        for tab in self.tabs.values():
            tab.path = network.Path.GOOD
            tab.browser.storage.release()
            if tab.browser.was_broken and tab.page is not None:
                tab.page.die()  # a page that could not read what waits looks for it when it is reloaded
        for browser in {tab.browser for tab in self.tabs.values()}:
            browser.storage.is_broken = browser.was_broken = False
        for line in self.network.lines:
            if line.is_stranded:
                line.tell_gateway()
        for tab in self.tabs.values():
            page = tab.page or self.open(tab.name)
            page.thaw()
            page.run(page.platform.show)
            page.run(page.platform.go_online)
            if not page.is_joined:
                page.run(page.session.join, tab.person)

    def settle(self) -> None:
        """Let time pass until every page knows all and nothing waits. Fails if it does not come to that."""
        begun = self.now
        self.heal()
        self.advance(1.0)
        while problem := self._unrest():
            assert self.now - begun <= PATIENCE, f"after {PATIENCE} s of good weather: {problem}"
            self.advance(5.0)

    def _unrest(self) -> str | None:
        for page in self.pages:
            state, log = page.state, self.server.log(page.state.room_id)
            if not page.is_settled:
                return f"{page.tab.name} is not settled: {_described(state)}"
            shown = [(entry.message_id, entry.deleted) for entry in state.timeline.confirmed]
            stored = [(item["messageId"], item.get("deleted", False)) for item in log]
            if shown != stored[-len(shown) :] or (log and not shown):
                return f"{page.tab.name} does not show the end of {state.room_id}: {_described(state)}"
            waits = [entry.content for entry in state.timeline.pending if entry.state is not Delivery.FAILED]
            if waits:
                return f"{page.tab.name} shows as not sent: {waits}"
        return None

    @property
    def wrong(self) -> list[str]:
        """What was seen so far that must not be."""
        return self.problems + self.loop.complaints + self._complaints.heard

    def check(self) -> None:
        """What must hold at any time, so far as pages have shown it."""
        assert not self.wrong, self.wrong
        for page in self.pages:
            problem = page.wrong_with_rows()
            assert problem is None, f"{page.tab.name} {problem}"

    def delete(self, room_id: str, which: int) -> None:
        """An operator takes a message away, beside the running server."""
        log = self.server.log(room_id)
        if log:
            item = log[which % len(log)]
            self.ledger.deleted.setdefault(item["messageId"], item["clientMessageId"])
            self.server.delete(room_id, int(item["sk"]))

    def restore(self, backup: list[Item]) -> None:
        """The server comes back with an earlier history. What was stored since then may be gone."""
        self.ledger.forgiven |= self._stored()
        self.server.restore(backup)
        self.ledger.forgiven -= self._stored()

    def _stored(self) -> set[str]:
        return {self.ledger.id_of(item) for room_id in ROOMS for item in self.server.log(room_id)}

    def check_end(self) -> None:
        """What must hold when all is quiet, in every room of every page, and in the server's log."""
        for room_id in ROOMS:
            for page in self.pages:
                page.run(page.session.enter_room, room_id)
            self.settle()
            if any(page.state.timeline.failed for page in self.pages):
                for page in self.pages:
                    self.retry(page)
                self.settle()
            for page in self.pages:
                assert not page.state.timeline.pending
        self.check()
        self.ledger.check({room_id: self.server.log(room_id) for room_id in ROOMS}, self.seen_as_sent)
        stored = self._stored()
        for tab in self.tabs.values():  # a broken disk may have kept a row; sent again, it is a duplicate
            left = {key.split("/")[-1] for key in tab.browser.rows(TABLE)} - stored
            assert not left, f"rows are left that no page sends: {left}"


class Complaints(logging.Handler):
    """Responsible for hearing what was logged as an error: nothing here may fail unseen."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        """Hear, and let nobody else: formatting what nobody reads takes most of the time."""
        super().__init__(logging.ERROR)
        self.heard: list[str] = []
        for name in ("kizuna", "backend"):
            patch.setattr(logging.getLogger(name), "handlers", [self])
            patch.setattr(logging.getLogger(name), "propagate", False)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, TimedOut | Conflict | KizunaError):
            return  # the test's own doing, or what a bad network does
        self.heard.append(f"{record.name}: {record.getMessage()} {error!r}")


def _described(state: ChatState) -> str:
    entries = (f"{entry.seq}:{entry.content}:{entry.state}" for entry in state.timeline.entries)
    return (
        f"{state.link.status}, caught up {state.caught_up}, waiting {state.waiting}, "
        f"{state.room_id} of {[room.room_id for room in state.rooms]}: {' '.join(entries)}"
    )
