"""A Hypothesis state machine whose rules are what people, browsers, network and server may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chat.timeline import Delivery
from tests.simulation.gateway import FaultKind, InjectedFault
from tests.simulation.network import Flight, Path, Signal, Text, Way
from tests.simulation.page import ChatPage
from tests.simulation.world import ROOMS, TABS, ChatWorld

T = TypeVar("T")
#: An index, taken modulo the number of things, so that it shrinks to the first.
WHICH = st.integers(0, 11)
TAB = st.sampled_from(list(TABS))
SECONDS = st.sampled_from([0.1, 0.3, 1.0, 2.5, 6.0, 11.0, 16.0, 31.0, 65.0])
#: Rare events: ``leave`` twice, since the second one joins again.
RARE = ["server", "machine", "restart", "sleep", "long sleep", "days", "slow disk", "broken disk"]
RARE += 2 * ["leave"]
OFTEN = st.sampled_from([True, True, False])
PAGE_EVENTS = ["hide", "show", "go_offline", "go_online", "freeze", "put aside"]
#: Steps of a handler: the longest has about twenty.
STEP = st.integers(0, 20)


class ChatMachine(RuleBasedStateMachine):
    """A state machine that draws what happens to a :class:`ChatWorld`."""

    world: ChatWorld

    @initialize(
        rollover_after=st.sampled_from([6600.0, 6600.0, 20.0]),
        both_rooms=st.booleans(),
        last=st.tuples(TAB, st.sets(TAB, max_size=2)),
    )
    def begin(self, rollover_after: float, both_rooms: bool, last: tuple[str, set[str]]) -> None:
        self._words = 0
        self._last = last
        self.world = ChatWorld(rollover_after=rollover_after)
        for name in TABS:
            page = self.world.open(name)
            if both_rooms:
                self.world.run()
                page.run(page.session.enter_room, "tea")
                page.run(page.session.enter_room, "general")
        self.world.advance(1.0)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            if not self.world.wrong:
                self.world.settle()
                self.say_and_somebody_misses_it(*self._last)  # everything still works
                self.world.settle()
                self.world.check_end()
        finally:
            self.world.close()

    # --- people ---

    @rule(tab=TAB, again=st.booleans(), flows=st.booleans())
    def say(self, tab: str, again: bool, flows: bool) -> None:
        self._say(tab, again)
        self._go_on(flows)

    @rule(said=st.lists(st.tuples(TAB, st.booleans()), min_size=2, max_size=5), flows=st.booleans())
    def talk(self, said: list[tuple[str, bool]], flows: bool) -> None:
        """Several people send before anything arrives."""
        for tab, again in said:
            self._say(tab, again)
            self.world.run()
        self._go_on(flows)

    @rule(tab=TAB, count=st.integers(2, 4), window=st.integers(1, 4))
    def go_on_and_on(self, tab: str, count: int, window: int) -> None:
        """One person sends faster than the network delivers, which changes the order where it can."""
        for _ in range(count):
            self._say(tab, again=False)
            self.world.run()
        self.world.flow(window=window)

    @rule(tab=TAB, lost_for=st.sets(TAB, min_size=1, max_size=2))
    def say_and_somebody_misses_it(self, tab: str, lost_for: set[str]) -> None:
        self._say(tab, again=False)
        self.world.flow(lost_for=lost_for)

    @rule(tab=TAB, picks=st.lists(WHICH, max_size=4))
    def say_and_think_better_of_it(self, tab: str, picks: list[int]) -> None:
        """A person sends a message and discards it, before or after it left the page."""
        self._say(tab, again=False)
        self.world.run()
        self.some_arrive(picks)
        self.press_a_button(tab, -1, "discard")

    @rule(tab=TAB, turns=st.integers(0, 12), loses=st.booleans(), reopens=st.booleans())
    def crash_while_saying(self, tab: str, turns: int, loses: bool, reopens: bool) -> None:
        page = self.world.tabs[tab].page
        if page is not None:
            self._say(tab, again=False)
            self.world.run(turns)
            page.die(loses=loses)
            if reopens:
                self.world.open(tab)
            self.world.run()

    @rule(tab=TAB, room=st.sampled_from(ROOMS), enters=OFTEN, flows=st.booleans())
    def enter_or_leave_room(self, tab: str, room: str, enters: bool, flows: bool) -> None:
        page = self._running_page(tab)
        if page is not None:
            page.run(page.session.enter_room if enters else page.session.leave_room, room)
            self._go_on(flows)

    @rule(tab=TAB, room=st.sampled_from(ROOMS), picks=st.lists(WHICH, max_size=6))
    def hesitate_at_the_door(self, tab: str, room: str, picks: list[int]) -> None:
        """A person enters, leaves and enters a room again before anything arrives."""
        page = self._running_page(tab)
        if page is not None:
            for wish in (page.session.enter_room, page.session.leave_room, page.session.enter_room):
                page.run(wish, room)
            self.world.run()
            self.some_arrive(picks)

    @rule(tab=TAB, which=WHICH, what=st.sampled_from(["retry", "discard", "try now", "scroll"]))
    def press_a_button(self, tab: str, which: int, what: str) -> None:
        page = self._running_page(tab)
        if page is None:
            return
        waiting = [e for e in page.state.timeline.pending if e.state is not Delivery.SENT]
        if what == "retry":
            self.world.retry(page)
        elif what == "try now":
            page.run(page.session.try_now)
        elif what == "scroll":
            page.run(page.session.show_earlier)
        elif waiting:
            self.world.discard(page, waiting[which % len(waiting)].client_message_id or "")
        self.world.run()

    # --- browsers ---

    @rule(tab=TAB, how=st.sampled_from(["crash", "close", "reload", "reload"]), flows=st.booleans())
    def end_or_open(self, tab: str, how: str, flows: bool) -> None:
        page = self.world.tabs[tab].page
        if page is None:
            self.world.open(tab)
        elif how == "crash":
            page.die()
        else:
            self.world.close_page(page)
            if how == "reload":
                self.world.open(tab)
        self._go_on(flows)

    @rule(tab=TAB, what=st.sampled_from(PAGE_EVENTS), flows=st.booleans())
    def page_event(self, tab: str, what: str, flows: bool) -> None:
        page = self.world.tabs[tab].page
        if page is None:
            return
        if page.lifetime.is_frozen:
            page.thaw()
        elif what in ("freeze", "put aside"):
            page.freeze(aside=what == "put aside")
        else:
            page.run(getattr(page.platform, what))
        self._go_on(flows)

    # --- time and the network ---

    @rule(seconds=SECONDS, flows=OFTEN)
    def time_passes(self, seconds: float, flows: bool) -> None:
        self.world.advance(seconds, flows=flows)

    @rule(picks=st.lists(WHICH, max_size=6))
    def some_arrive(self, picks: list[int]) -> None:
        """Some items arrive in any order."""
        for which in picks:
            self._pick(which, self.world.flights(), self.world.arrive)
            self.world.run()

    @rule(window=st.integers(1, 4))
    def all_arrive(self, window: int) -> None:
        """All items arrive, in order or nearly in reverse."""
        self.world.flow(window=window)

    @rule(which=WHICH, what=st.sampled_from(["twice", "lost", "failed"]), flows=st.booleans())
    def a_frame_is_ill_served(self, which: int, what: str, flows: bool) -> None:
        """A frame arrives twice (a function was invoked twice), or a post is lost or fails."""
        if what == "failed":
            self.world.server.posts_to_fail = 1 + which % 3
        elif what == "twice":
            self._pick(which, self._texts(), lambda flight: self.world.arrive(flight, again=True))
        else:
            lossy = [f for f in self.world.flights() if f.item is Signal.DISCONNECT]
            self._pick(which, lossy + self._texts(Way.DOWN), Flight.lose)
        self._go_on(flows)

    @rule(which=WHICH, page=st.booleans(), gateway=st.booleans(), keeps_up=st.booleans(), flows=st.booleans())
    def the_line_breaks(self, which: int, page: bool, gateway: bool, keeps_up: bool, flows: bool) -> None:
        how = {"page_notices": page, "gateway_notices": gateway, "keeps_up": keeps_up}
        self._pick(which, self.world.links(), lambda link: self.world.cut(link, **how))
        self._go_on(flows)

    @rule(tab=TAB, page=st.booleans(), gateway=st.booleans())
    def the_line_breaks_behind_ones_words(self, tab: str, page: bool, gateway: bool) -> None:
        """A link breaks so that a message arrives and its acknowledgement does not."""
        self._say(tab, again=False)
        self.world.run()
        for link in self.world.links():
            if link.host is self.world.tabs[tab].page:
                self.world.cut(link, page_notices=page, gateway_notices=gateway, keeps_up=True)
        self.world.flow()

    @rule(tab=TAB, path=st.sampled_from([Path.GOOD, Path.STALLED, Path.REFUSED]))
    def the_way_is(self, tab: str, path: Path) -> None:
        self.world.tabs[tab].path = path

    # --- the server ---

    @rule(
        which=WHICH,
        fault=st.sampled_from(list(FaultKind)),
        step=STEP,
        other=WHICH,
        twice=st.booleans(),
        window=st.integers(0, 3),
    )
    def a_handler_has_a_mishap(
        self, which: int, fault: FaultKind, step: int, other: int, twice: bool, window: int
    ) -> None:
        """``twice``: another handler gets the same frame without a fault. ``window`` 0: nothing arrives afterwards."""

        def meanwhile() -> None:
            self._pick(other, [f for f in self.world.flights() if f.way is Way.UP], self.world.arrive)

        injected = InjectedFault(fault, step, meanwhile)
        self._pick(
            which,
            self._texts(Way.UP),
            lambda flight: self.world.arrive(flight, again=twice, injected=injected),
        )
        if window:
            self.world.flow(window=window)
        else:
            self.world.run()

    @rule(what=st.sampled_from(RARE), tab=TAB, flows=st.booleans())
    def something_rare(self, what: str, tab: str, flows: bool) -> None:
        match what:
            case "server" | "machine" | "restart" if not self.world.server.is_up:
                self.world.server.start()
            case "restart":
                self.world.server.shut_down()
            case "server" | "machine":
                self.world.server.kill(notices=what == "server")
            case "sleep" | "long sleep" | "days":
                self.world.clock.sleep({"sleep": 10.0, "long sleep": 4000.0, "days": 4 * 86400.0}[what])
            case "slow disk" | "broken disk":
                self._toggle_disk(tab, breaks=what == "broken disk")
            case _ if (page := self._running_page(tab)) is not None and page.is_joined:
                page.run(page.session.leave)
            case _ if page is not None:
                page.run(page.session.join, page.tab.person)
        self._go_on(flows)

    # --- invariants ---

    @invariant()
    def nothing_wrong_was_shown(self) -> None:
        self.world.check()

    # --- helpers ---

    def _say(self, tab: str, again: bool) -> None:
        """Send a new text, or ``again`` the same short one."""
        page = self.world.tabs[tab].page
        if page is not None:
            self._words += 1
            self.world.say(page, "ok" if again else f"words {self._words}")

    def _toggle_disk(self, tab: str, *, breaks: bool) -> None:
        storage = self.world.tabs[tab].browser.storage
        if storage.is_stuck or storage.is_broken:
            storage.is_broken = False
            storage.release()
        elif breaks:
            self.world.tabs[tab].browser.was_broken = storage.is_broken = True
        else:
            storage.is_stuck = True

    def _texts(self, way: Way | None = None) -> list[Flight]:
        return [f for f in self.world.flights() if isinstance(f.item, Text) and way in (None, f.way)]

    def _pick(self, which: int, things: list[T], act: Callable[[T], None]) -> None:
        if things:
            act(things[which % len(things)])

    def _go_on(self, flows: bool) -> None:
        if flows:
            self.world.flow()
        else:
            self.world.run()

    def _running_page(self, tab: str) -> ChatPage | None:
        page = self.world.tabs[tab].page
        return None if page is None or page.lifetime.is_frozen else page


def machine_settings(**parts: Any) -> dict[str, Any]:
    """Return the settings of all runs of the machine: reproducible, and without deadlines."""
    return {"derandomize": True, "deadline": None, "database": None, **parts}
