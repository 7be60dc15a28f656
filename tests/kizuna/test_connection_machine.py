"""Whatever happens, in whatever order: what must always hold of a connection, and that it always comes back."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kizuna import events
from kizuna.commands import (
    AbandonLink,
    CancelTimer,
    Command,
    FetchToken,
    OpenSocket,
    PrepareLink,
    SendPing,
    SetTimer,
)
from kizuna.events import Event, Timer
from kizuna.states import TIMERS, Status
from kizuna.wire import ARTICLE, KIZUNA
from tests.kizuna.machine import READY, Machine

UNWANTED = {Status.IDLE, Status.REJECTED, Status.CLOSED}
#: No delay is longer: what a server may ask for at most, jittered.
LONGEST_DELAY = 300 * 1.5
PAGE: list[Event] = [
    events.PageShown(),
    events.PageHidden(),
    events.WentOnline(),
    events.WentOffline(),
    events.PageSuspended(),
    events.PageResumed(),
]


class World(RuleBasedStateMachine):
    """Responsible for a model of the network, the server and the page around one Connection."""

    @initialize(
        wire=st.sampled_from([KIZUNA, KIZUNA, ARTICLE]),
        rest=st.sampled_from([0.0, 60.0]),
        max_retries=st.sampled_from([0, 1, 5]),
        chance=st.sampled_from([0.0, 0.3, 0.999]),
    )
    def begin(self, **options: Any) -> None:
        self.machine = Machine(**options)
        self.fetching: set[int] = set()
        self.opening: set[int] = set()
        self.open: set[int] = set()
        self.preparing: set[int] = set()
        self.armed: dict[Timer, float] = {}
        self.visible = self.online = True

    # --- what happens ---

    @rule(event=st.sampled_from([events.ConnectRequested(), events.RetryRequested()]))
    def wish(self, event: Event) -> None:
        self.tell(event)

    @rule()
    def disconnect(self) -> None:
        self.tell(events.DisconnectRequested())
        assert not self.armed
        assert not self.fetching | self.opening | self.open | self.preparing

    @rule(happened=st.lists(st.sampled_from(PAGE), min_size=1, max_size=3))
    def page(self, happened: list[Event]) -> None:
        before = self.machine.status
        for event in happened:
            self.visible = {events.PageShown: True, events.PageHidden: False}.get(type(event), self.visible)
            self.online = {events.WentOnline: True, events.WentOffline: False}.get(type(event), self.online)
            self.tell(event)
        if before in UNWANTED:
            assert self.machine.status is before

    @precondition(lambda self: self.fetching)
    @rule(outcome=st.sampled_from(["token", "token", "token", "failure", "unauthorized"]))
    def token(self, outcome: str) -> None:
        link = self.fetching.pop()
        if outcome == "token":
            self.tell(events.TokenObtained(link, "t"))
        else:
            self.tell(events.TokenFailed(link, outcome == "unauthorized"))

    @precondition(lambda self: self.opening)
    @rule()
    def handshake(self) -> None:
        link = self.opening.pop()
        self.open.add(link)
        self.tell(events.SocketOpened(link))

    @precondition(lambda self: self.preparing)
    @rule(fails=st.sampled_from([False, False, True]))
    def prepared(self, fails: bool) -> None:
        link = self.preparing.pop()
        self.tell(events.PrepareFailed(link) if fails else events.LinkPrepared(link))

    @precondition(lambda self: self.open)
    @rule(
        frame=st.sampled_from(
            [
                READY,
                READY,
                {"type": "pong"},
                {"type": "message"},
                {"type": "bye", "retryAfter": 20},
                {"type": "bye", "retryAfter": 9e9},
                {"type": "bye", "reconnect": False},
            ]
        )
    )
    def frame(self, frame: dict[str, object]) -> None:
        self.tell(events.FrameReceived(min(self.open), frame))

    @precondition(lambda self: self.opening | self.open)
    @rule(code=st.sampled_from([1006, 1006, 1001, 1013, 4401, 1008]))
    def drop(self, code: int) -> None:
        link = (self.opening | self.open).pop()
        self.opening.discard(link)
        self.open.discard(link)
        self.tell(events.SocketClosed(link, code))

    @precondition(lambda self: self.machine.link > 0)
    @rule(data=st.data())
    def unknown_link(self, data: st.DataObject) -> None:
        known = self.machine.connection.link
        links = [number for number in range(self.machine.link + 2) if known is None or number != known.number]
        link = data.draw(st.sampled_from(links))
        kinds: list[Event] = [
            events.TokenObtained(link, "t"),
            events.TokenFailed(link, True),
            events.SocketOpened(link),
            events.FrameReceived(link, {"type": "bye", "reconnect": False}),
            events.FrameMalformed(link, "?"),
            events.SocketClosed(link, 1008),
            events.LinkPrepared(link),
            events.PrepareFailed(link),
        ]
        state = self.machine.connection.state
        assert self.machine.tell(data.draw(st.sampled_from(kinds))) == []
        assert self.machine.connection.state is state

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 11.0, 31.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        end = self.machine.now.monotonic + seconds
        while (timer := self.next_timer()) is not None and self.armed[timer] <= end:
            self.machine.hang(max(0.0, self.armed[timer] - self.machine.now.monotonic))
            self.fire(timer)
        self.machine.hang(end - self.machine.now.monotonic)

    @rule(seconds=st.sampled_from([0.5, 4.0, 70.0]), data=st.data())
    def the_page_hangs(self, seconds: float, data: st.DataObject) -> None:
        """Afterwards the timers fire late, in any order."""
        self.machine.hang(seconds)
        due = [timer for timer, at in self.armed.items() if at <= self.machine.now.monotonic]
        for timer in data.draw(st.permutations(due)):
            if timer in self.armed and self.armed[timer] <= self.machine.now.monotonic:
                self.fire(timer)

    @rule(seconds=st.sampled_from([-100.0, 2.0, 3600.0]))
    def the_machine_sleeps(self, seconds: float) -> None:
        self.machine.sleep(seconds)
        if self.machine.status in UNWANTED:
            self.tell(events.PageHidden() if not self.visible else events.PageShown())
            assert self.machine.status in UNWANTED

    @precondition(lambda self: self.machine.status not in UNWANTED)
    @rule()
    def on_a_good_network_try_now_connects_within_two_seconds(self) -> None:
        self.visible = self.online = True
        self.tell(events.PageShown(), events.WentOnline())
        self.time_passes(1.0)
        self.tell(events.RetryRequested())
        deadline = self.machine.now.monotonic + 2.0
        while self.machine.status is not Status.CONNECTED:
            assert self.machine.now.monotonic <= deadline
            self.serve()
            self.time_passes(0.1)
        assert self.machine.connection.state.reason is None

    @precondition(lambda self: self.machine.status not in UNWANTED | {Status.EXHAUSTED})
    @rule()
    def on_a_good_network_a_visible_page_connects_by_itself(self) -> None:
        self.visible = self.online = True
        self.tell(events.WentOnline(), events.PageShown())
        deadline = self.machine.now.monotonic + LONGEST_DELAY + 1.0
        while self.machine.status is not Status.CONNECTED:
            assert self.machine.now.monotonic <= deadline
            self.serve()
            self.time_passes(1.0)

    # --- what must hold ---

    @invariant()
    def one_link_at_most(self) -> None:
        if hasattr(self, "machine"):
            link = self.machine.connection.link
            alive = self.fetching | self.opening | self.open
            assert alive <= ({link.number} if link else set())
            assert self.preparing <= self.open
            assert link is None or self.machine.status not in UNWANTED | {Status.WAITING, Status.SUSPENDED}

    @invariant()
    def only_the_timers_that_the_status_allows(self) -> None:
        if hasattr(self, "machine"):
            assert self.armed == dict(self.machine.connection.timers)
            assert self.armed.keys() <= TIMERS[self.machine.status]
            if self.machine.status is Status.CONNECTING:
                assert Timer.CONNECT in self.armed
            if self.machine.status in (Status.WAITING, Status.OFFLINE):
                assert Timer.RETRY in self.armed
            if self.machine.status is Status.SUSPECT:
                assert Timer.SILENCE in self.armed

    @invariant()
    def the_next_attempt_is_within_bounds_and_shown_truly(self) -> None:
        if hasattr(self, "machine"):
            at = self.armed.get(Timer.RETRY)
            assert at is None or at <= self.machine.now.monotonic + LONGEST_DELAY
            shown = at if self.machine.status is Status.WAITING else None
            assert self.machine.connection.state.retry_at == shown

    # --- the model ---

    def next_timer(self) -> Timer | None:
        return min(self.armed, key=lambda timer: self.armed[timer], default=None)

    def fire(self, timer: Timer) -> None:
        del self.armed[timer]
        self.tell(events.TimerFired(timer))

    def serve(self) -> None:
        """A good network, a server that works, an application that prepares."""
        if self.fetching:
            self.token("token")
        if self.opening:
            self.handshake()
        if self.open:
            self.frame(READY)
        if self.preparing:
            self.prepared(False)

    def tell(self, *happened: Event) -> None:
        for event in happened:
            spent = self.machine.connection._backoff.spent
            before = self.machine.status
            for command in self.machine.tell(event):
                self.obey(command)
            if not (self.visible and self.online):
                assert self.machine.connection._backoff.spent <= spent
            if before in UNWANTED and not isinstance(event, events.ConnectRequested):
                assert self.machine.status in (before, Status.CLOSED)

    def obey(self, command: Command) -> None:
        match command:
            case FetchToken(link=link):
                assert not self.fetching | self.opening | self.open, "the old link is given up first"
                self.fetching.add(link)
            case OpenSocket(link=link):
                assert not self.opening | self.open, "one socket at most"
                self.opening.add(link)
            case PrepareLink(link=link):
                assert link in self.open
                assert link not in self.preparing
                self.preparing.add(link)
            case SendPing(link=link):
                assert link in self.open, "nothing is sent while not open"
            case AbandonLink(link=link):
                for links in (self.fetching, self.opening, self.open, self.preparing):
                    links.discard(link)
            case SetTimer(timer=timer, at=at):
                assert at >= self.machine.now.monotonic
                self.armed[timer] = at
            case CancelTimer(timer=timer):
                self.armed.pop(timer, None)  # none, if it is being fired


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=200, stateful_step_count=30, derandomize=True, deadline=None)
