"""A simulated world: three people in four tabs, their browsers, the network and the server."""

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
from kizuna.testing import VirtualClock
from kizuna.wire import Options
from tests.simulation import network
from tests.simulation.browser_profile import BrowserProfile
from tests.simulation.gateway import ImmediateExecutor, InjectedFault, Server, TimedOut
from tests.simulation.loop import MAX_TURNS, StepLoop
from tests.simulation.network import Flight, Network, SimulatedLink
from tests.simulation.page import ChatPage, Tab
from tests.simulation.sent_messages import SentMessages
from tests.simulation.temporary_store import TemporaryStore

ROOMS = ("general", "tea")
#: Tab -> person. Ada has two tabs in one browser.
TABS = {"ada-1": "Ada", "ada-2": "Ada", "ben": "Ben", "cy": "Cy"}
#: As the chat is configured (static/config.json).
REST = 30.0
#: Seconds without faults after which everything must be settled: the longest pauses of a retry (24 s), an idle retry
#: (45 s), a message (60 s) and a heartbeat (30 s) may follow each other.
PATIENCE = 300.0
#: Small values of the constants in backend.messaging.message_log and chat.session: a few messages reach them.
PAGE_MESSAGES = 4
MAX_GAP = 9
MIN_VISIBLE_MESSAGES = 6
#: Seconds between two messages of a very fast person.
KEY_STROKE = 0.01
#: More items than ever arrive at once: beyond it pages and server answer each other without end.
MAX_ARRIVALS = 3_000


class ChatWorld(ExitStack):
    """Everything that is simulated, and its time. The same calls give the same results.

    ``rollover_after``: seconds until a link is replaced.
    """

    def __init__(self, *, rollover_after: float = 6600.0) -> None:
        super().__init__()
        patch = self.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(rooms, "PAGE_MESSAGES", PAGE_MESSAGES)
        patch.setattr(rooms, "MAX_GAP", MAX_GAP)
        patch.setattr(session, "MIN_VISIBLE_MESSAGES", MIN_VISIBLE_MESSAGES)
        patch.setattr(delivery, "ThreadPoolExecutor", ImmediateExecutor)
        self._logged = LoggedErrors(patch)
        self.clock = VirtualClock()
        store = TemporaryStore(self._wall)
        self.callback(store.close)
        self.server = Server(store, self._wall)
        self.network = Network(self.server)
        self.loop = StepLoop()
        self.callback(self.loop.close)
        self.options = Options(idle_retry_interval=REST, rollover_after=rollover_after, rollover_spread=0.0)
        browsers = {person: BrowserProfile() for person in TABS.values()}
        self.tabs = {name: Tab(name, person, browsers[person]) for name, person in TABS.items()}
        self.sent = SentMessages({name for name in TABS.values() if list(TABS.values()).count(name) > 1})
        self.shown_as_sent: set[str] = set()  #: ids of messages that any page showed as sent
        self.problems: list[str] = []  #: what pages showed and never may
        self._pages = itertools.count(1)

    def _wall(self) -> float:
        return self.clock.now().wall

    # --- state ---

    @property
    def pages(self) -> list[ChatPage]:
        return [tab.page for tab in self.tabs.values() if tab.page is not None]

    @property
    def now(self) -> float:
        return self.clock.now().monotonic

    def flights(self) -> list[Flight]:
        return list(self.network.flights())

    def links(self) -> list[SimulatedLink]:
        """Return the links that their page holds and over which items pass."""
        return [link for link in self.network.links if link.at_page and not link.is_stranded]

    # --- pages ---

    def open_all(self) -> None:
        """Open a page in every tab, in room general."""
        for name in self.tabs:
            self.open(name)
        self.advance(1.0)

    def page_of(self, name: str) -> ChatPage:
        """Return the page of a tab, which is open."""
        page = self.tabs[name].page
        assert page is not None
        return page

    def end_well(self) -> None:
        """End all faults, and assert that nothing is lost, duplicated or out of order."""
        self.check()
        self.settle()
        self.check_end()

    def open(self, name: str) -> ChatPage:
        """Open a page in a tab; its person joins."""
        tab = self.tabs[name]
        assert tab.page is None
        tab.page = page = ChatPage(tab, next(self._pages), self)
        if not page.is_joined:
            page.run(page.session.join, tab.person)
        return page

    def close_page(self, page: ChatPage) -> None:
        """Close a page, which gets its last event but no time for anything else."""
        page.freeze(aside=False)
        page.die()

    def say(self, page: ChatPage, text: str) -> None:
        """Type a text and press Enter."""
        if page.is_joined and not page.lifetime.is_frozen:
            self.clock.move_to(self.now + KEY_STROKE)
            page.say(self.sent.say(text, page.state.room_id, page.tab.person, page.number))

    def discard(self, page: ChatPage, client_message_id: str) -> None:
        """Discard a pending message."""
        page.run(page.session.dismiss_notice)
        page.run(page.session.discard, client_message_id)
        said = self.sent.of(client_message_id)
        said.is_discarded = True
        storage = page.tab.browser.storage  # a crash undoes what is not committed
        notice = page.state.notice
        is_told = notice is not None and notice.kind is NoticeKind.MAY_HAVE_ARRIVED
        said.is_warned = said.is_warned or is_told or storage.is_stuck or storage.is_broken

    def retry(self, page: ChatPage) -> None:
        """Retry all failed messages of the shown room."""
        for entry in page.state.timeline.failed:
            self.sent.of(entry.client_message_id or "").is_retried = True
        page.run(page.session.retry_all)

    # --- time and the network ---

    def run(self, turns: int = MAX_TURNS) -> None:
        """Run all code that can run, or ``turns`` callbacks of it."""
        for page in self.pages:
            if not page.lifetime.is_frozen:
                page.locks.take_again()
        self.loop.run(turns)

    def arrive(self, flight: Flight, *, again: bool = False, injected: InjectedFault | None = None) -> None:
        """Let one item arrive, without running the page's code."""
        self.server.injected = injected
        self.network.arrive(flight, again=again)
        self.server.injected = None

    def flow(self, lost_for: Collection[str] = (), *, window: int = 1) -> None:
        """Let everything arrive, and what follows from it.

        ``lost_for``: tabs that no broadcast reaches. ``window``: of this many items of a link the last arrives first.
        """
        self.run()
        for _ in range(MAX_ARRIVALS):
            # Of those of one line and direction the last one counts.
            flights = {(flight.link.number, flight.way): flight for flight in self.network.flights(window)}
            if not flights:
                return
            for flight in flights.values():
                if flight.index >= len(flight.items):
                    continue  # an earlier arrival has changed the queue
                if flight.link.host.tab.name in lost_for and flight.brings("message"):
                    flight.lose()
                else:
                    self.arrive(flight)
                    self.run()
        raise AssertionError("pages and server answer each other without end")

    def advance(self, seconds: float, *, flows: bool = True) -> None:
        """Let time pass. ``flows``: items arrive at once; else nothing arrives."""
        settle = self.flow if flows else self.run
        end = self.now + seconds
        settle()
        while (due := self.clock.next_due()) is not None and due <= end:
            self.clock.move_to(due)
            while self.clock.fire_next():
                pass
            settle()
        self.clock.move_to(end)

    def cut(self, link: SimulatedLink, *, page_notices: bool, gateway_notices: bool, keeps_up: bool) -> None:
        """Break a link; either end is told now or has to notice."""
        link.strand(keeps_up=keeps_up)
        if gateway_notices:
            link.tell_gateway()
        if page_notices:
            link.tell_page()

    # --- the end ---

    def heal(self) -> None:
        """End all faults: the server runs, all paths work, and every tab has a visible page."""
        self.server.start()
        self.server.posts_to_fail = 0
        for tab in self.tabs.values():
            tab.path = network.Path.GOOD
            tab.browser.storage.release()
            if tab.browser.was_broken and tab.page is not None:
                tab.page.die()  # only a reload reads pending messages again
        for browser in {tab.browser for tab in self.tabs.values()}:
            browser.storage.is_broken = browser.was_broken = False
        for link in self.network.links:
            if link.is_stranded:
                link.tell_gateway()
        for tab in self.tabs.values():
            page = tab.page or self.open(tab.name)
            page.thaw()
            page.run(page.platform.show)
            page.run(page.platform.go_online)
            if not page.is_joined:
                page.run(page.session.join, tab.person)

    def settle(self) -> None:
        """Let time pass until every page is settled; AssertionError after PATIENCE."""
        begun = self.now
        self.heal()
        self.advance(1.0)
        while problem := self._unsettled():
            assert self.now - begun <= PATIENCE, f"after {PATIENCE} s without faults: {problem}"
            self.advance(5.0)

    def _unsettled(self) -> str | None:
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
        """All problems that were noticed so far."""
        return self.problems + self.loop.errors + self._logged.heard

    def check(self) -> None:
        """Assert what must hold at any time."""
        assert not self.wrong, self.wrong
        for page in self.pages:
            problem = page.problem_of_rows()
            assert problem is None, f"{page.tab.name} {problem}"

    def delete(self, room_id: str, which: int) -> None:
        """Delete a message, as an operator does beside the running server."""
        log = self.server.log(room_id)
        if log:
            item = log[which % len(log)]
            self.sent.deleted.setdefault(item["messageId"], item["clientMessageId"])
            self.server.delete(room_id, int(item["sk"]))

    def restore(self, backup: list[Item]) -> None:
        """Restore a backup. Messages stored since then may be lost."""
        self.sent.may_be_lost |= self._stored()
        self.server.restore(backup)
        self.sent.may_be_lost -= self._stored()

    def _stored(self) -> set[str]:
        return {self.sent.id_of(item) for room_id in ROOMS for item in self.server.log(room_id)}

    def check_end(self) -> None:
        """Assert what must hold when everything is settled, in every room of every page and in the log."""
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
        self.sent.check({room_id: self.server.log(room_id) for room_id in ROOMS}, self.shown_as_sent)
        stored = self._stored()
        for tab in self.tabs.values():  # a row of a broken disk would be sent as a duplicate
            left = {key.split("/")[-1] for key in tab.browser.rows(TABLE)} - stored
            assert not left, f"rows are left that no page sends: {left}"
            assert not tab.browser.drafts, f"drafts are left: {tab.browser.drafts}"


class LoggedErrors(logging.Handler):
    """The errors that were logged: none is allowed."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        """Replace all other handlers, whose formatting would take most of the time."""
        super().__init__(logging.ERROR)
        self.heard: list[str] = []
        for name in ("kizuna", "backend"):
            patch.setattr(logging.getLogger(name), "handlers", [self])
            patch.setattr(logging.getLogger(name), "propagate", False)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, TimedOut | Conflict | KizunaError):
            return  # caused by an injected fault or the network
        self.heard.append(f"{record.name}: {record.getMessage()} {error!r}")


def _described(state: ChatState) -> str:
    entries = (f"{entry.seq}:{entry.content}:{entry.state}" for entry in state.timeline.entries)
    return (
        f"{state.connection.status}, caught up {state.caught_up}, waiting {state.waiting}, "
        f"{state.room_id} of {[room.room_id for room in state.rooms]}: {' '.join(entries)}"
    )
