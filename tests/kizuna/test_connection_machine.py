"""Whatever happens, in whatever order: what must always hold of a connection, and that it always comes back.

`KIZUNA_EXAMPLES=20000 make unit ARGS="-k TestWorld"` tries harder; a smaller number is for the impatient.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
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

EXAMPLES = int(os.environ.get("KIZUNA_EXAMPLES", "2000"))
UNWANTED = {Status.IDLE, Status.REJECTED, Status.CLOSED}
#: No delay is longer: what a server may ask for at most, jittered.
LONGEST_DELAY = 300 * 1.5
#: Which of two links: min is the old one, max is the next.
Which = Callable[[set[int]], int]
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
        is_up=st.booleans(),
        wire=st.sampled_from([KIZUNA, KIZUNA, ARTICLE]),
        rest=st.sampled_from([0.0, 60.0]),
        max_retries=st.sampled_from([0, 1, 5]),
        chance=st.sampled_from([0.0, 0.3, 0.999]),
        rollover_after=st.sampled_from([6600.0, 6600.0, 20.0, 3.0]),
        rollover_spread=st.sampled_from([0.0, 2.0]),
    )
    def begin(self, *, is_up: bool, **options: Any) -> None:
        self.machine = Machine(**options)
        self.fetching: set[int] = set()
        self.opening: set[int] = set()
        self.open: set[int] = set()
        self.preparing: set[int] = set()
        self.armed: dict[Timer, float] = {}
        self.visible = self.online = True
        if is_up:
            self.tell(events.ConnectRequested())
            self.serve()

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
        link = min(self.fetching)
        self.fetching.remove(link)
        if outcome == "token":
            self.tell(events.TokenObtained(link, "t"))
        else:
            self.tell(events.TokenFailed(link, outcome == "unauthorized"))

    @precondition(lambda self: self.opening)
    @rule()
    def handshake(self) -> None:
        link = min(self.opening)
        self.opening.remove(link)
        self.open.add(link)
        self.tell(events.SocketOpened(link))

    @precondition(lambda self: self.preparing)
    @rule(fails=st.sampled_from([False, False, True]))
    def prepared(self, fails: bool) -> None:
        link = min(self.preparing)
        self.preparing.remove(link)
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
        ),
        which=st.sampled_from([min, max]),
    )
    def frame(self, frame: dict[str, object], which: Which) -> None:
        self.tell(events.FrameReceived(which(self.open), frame))

    @precondition(lambda self: self.opening | self.open)
    @rule(code=st.sampled_from([1006, 1006, 1001, 1013, 4401, 1008]), which=st.sampled_from([min, max]))
    def drop(self, code: int, which: Which) -> None:
        self.close(which(self.opening | self.open), code)

    def close(self, link: int, code: int) -> None:
        self.opening.discard(link)
        self.open.discard(link)
        self.tell(events.SocketClosed(link, code))

    @precondition(lambda self: self.machine.link > 0)
    @rule(data=st.data())
    def unknown_link(self, data: st.DataObject) -> None:
        known = {link.number for link in self.machine.connection.links}
        links = [number for number in range(self.machine.link + 2) if number not in known]
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

    @precondition(lambda self: Timer.ROLLOVER in self.armed)
    @rule(
        steps=st.sampled_from([4, 4, 3, 2, 1, 0]),
        then=st.sampled_from(["goes on", "goes on", "next lost", "old lost"]),
    )
    def the_link_is_replaced(self, steps: int, then: str) -> None:
        """The next link gets so far; then the world goes on, or one of the two dies."""
        self.fire(Timer.ROLLOVER)
        if Timer.CANDIDATE not in self.armed:
            return  # the machine had slept, and this wire begins anew then
        old, following = self.machine.connection.state.link, self.machine.link
        assert old is not None
        assert old < following
        before, spent = self.machine.status, self.machine.connection._backoff.spent
        for step in range(steps):
            self.bring_up(following, step)
        assert self.machine.connection.state.link == (following if steps == 4 else old)
        assert self.machine.status is (Status.CONNECTED if steps == 4 else before)
        if then == "next lost" and 0 < steps < 4:
            self.close(following, 1008)
            assert self.machine.connection.state.link == old
            assert self.machine.status is before, "what fails beside the link that carries costs nothing"
            assert Timer.ROLLOVER in self.armed, "and is tried again"
        elif then == "old lost" and old in self.open:
            self.close(old, 1006)
            assert self.machine.connection.links[0].number == following
            assert self.machine.status is (Status.CONNECTED if steps == 4 else Status.CONNECTING)
        assert self.machine.connection._backoff.spent <= spent, "a replacement spends no budget"

    def bring_up(self, link: int, step: int) -> None:
        match step:
            case 0:
                self.fetching.remove(link)
                self.tell(events.TokenObtained(link, "t"))
            case 1:
                self.opening.remove(link)
                self.open.add(link)
                self.tell(events.SocketOpened(link))
            case 2:
                self.tell(events.FrameReceived(link, READY))
            case 3:
                self.preparing.remove(link)
                self.tell(events.LinkPrepared(link))

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
    def one_link_at_most_and_two_only_while_one_replaces_the_other(self) -> None:
        if hasattr(self, "machine"):
            link = self.machine.connection.link
            assert self.alive <= {known.number for known in self.machine.connection.links}
            assert len(self.alive) <= 2
            if len(self.alive) == 2:
                assert self.armed.keys() & {Timer.CANDIDATE, Timer.RETIRE}
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

    @property
    def alive(self) -> set[int]:
        return self.fetching | self.opening | self.open

    def next_timer(self) -> Timer | None:
        return min(self.armed, key=lambda timer: self.armed[timer], default=None)

    def fire(self, timer: Timer) -> None:
        del self.armed[timer]
        self.tell(events.TimerFired(timer))

    def serve(self) -> None:
        """A good network, a server that works, an application that prepares."""
        while self.fetching:
            self.token("token")
        while self.opening:
            self.handshake()
        for link in sorted(self.open):
            self.tell(events.FrameReceived(link, READY))
        while self.preparing:
            self.prepared(False)

    def tell(self, *happened: Event) -> None:
        for event in happened:
            spent = self.machine.connection._backoff.spent
            before = self.machine.status
            primary = self.machine.connection.link
            beside = isinstance(event, events.LinkEvent) and primary and event.link != primary.number
            for command in self.machine.tell(event):
                self.obey(command)
            if beside:
                assert self.machine.status is not Status.REJECTED, "only the link that carries can reject"
            if not (self.visible and self.online):
                assert self.machine.connection._backoff.spent <= spent
            if before in UNWANTED and not isinstance(event, events.ConnectRequested):
                assert self.machine.status in (before, Status.CLOSED)

    def obey(self, command: Command) -> None:
        match command:
            case FetchToken(link=link):
                allowed = 1 if Timer.CANDIDATE in self.armed else 0
                assert len(self.alive) == allowed, "the old link is given up first, unless it is replaced"
                self.fetching.add(link)
            case OpenSocket(link=link):
                allowed = 1 if Timer.CANDIDATE in self.armed else 0
                assert len(self.opening | self.open) == allowed, "one socket at most"
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


TestWorld = pytest.mark.timeout(max(300, EXAMPLES // 5))(World.TestCase)
TestWorld.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=30, derandomize=True, deadline=None, database=None
)
