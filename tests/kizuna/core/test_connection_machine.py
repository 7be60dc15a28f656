"""Random events in any order: the rules that always hold for a connection, and that it always reconnects.

`KIZUNA_EXAMPLES=20000 make unit ARGS="-k TestWorld"` tries harder; a smaller number is faster. A failure
prints the shortest sequence of steps that shows it. That it can fail: tests/simulation/test_broken_connections.py.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kizuna.core import Connection, events
from kizuna.core.events import (
    AbandonLink,
    CancelTimer,
    Command,
    Deliver,
    Event,
    FetchToken,
    OpenSocket,
    PrepareLink,
    SendPing,
    SetTimer,
    Timer,
)
from kizuna.core.links import RETRY_LATER_SECONDS, Policy, close_policy
from kizuna.core.states import TIMERS, Status
from kizuna.core.timing import MAX_FACTOR, POSTPONED_BY
from kizuna.wire import ARTICLE, KIZUNA, Numbers
from tests.kizuna.core.machine import READY, Machine, MakeConnection
from tests.support.depth import examples

EXAMPLES = examples(quick=150, deep=10_000)
UNWANTED = {Status.IDLE, Status.REJECTED, Status.CLOSED}
STANDS = {Status.CONNECTED, Status.SUSPECT}
#: The longest nominal delay, in first delays: 1, 2, 4, 8, 16.
LONGEST_STEP = 16
#: Seconds after which a silent link is given up: the next ping, its pong, the probe, and a deadline that is put off.
SILENT_FOR = 30 + 10 + 5 + POSTPONED_BY
#: Deadlines are sums of floats.
TOLERANCE = 1e-6
#: Which of two links: min is the old one, max is the next.
Which = Callable[[set[int]], int]
RETURNS = (events.PageShown, events.WentOnline, events.PageResumed, events.MachineSlept)
PAGE: list[Event] = [
    events.PageShown(),
    events.PageHidden(),
    events.WentOnline(),
    events.WentOffline(),
    events.PageSuspended(),
    events.PageResumed(),
    events.NetworkChanged(),
    events.MachineSlept(),
    events.DoubtRaised(),
]
#: What a server may put into ``bye`` or into a close reason; some of it by mistake.
WORDS: list[dict[str, Any]] = [
    {"retryAfter": 20},
    {"retryAfter": 45.5, "reason": "maintenance"},
    {"retryAfter": 9e9},
    {"reconnect": False},
    {},
    {"retryAfter": 10**400},
    {"retryAfter": -1},
    {"retryAfter": "soon"},
    {"retryAfter": True, "reconnect": None},
    {"reason": {"nested": []}},
]
FRAMES: list[dict[str, Any]] = [
    READY,
    {"type": "pong"},
    {"type": "message"},
    {},
    {"type": None},
    {"type": ["pong"]},
    {"type": "pong", "t": "yesterday"},
    {"type": "pong", "t": 10**400},
    *({"type": "bye", **word} for word in WORDS),
]
#: Close codes that say goodbye, restart, refuse, or mean nothing in particular.
CODES = [1006, 1001, 1013, 4401, 1008, 1000, 1011, 1012, 3000, 3003, 4400, 4403, 4429, 4999]
REASONS = ["", "{", *map(json.dumps, WORDS)]


class World(RuleBasedStateMachine):
    """A model of the network, the server and the page around one Connection."""

    make: MakeConnection = Connection

    @initialize(
        is_up=st.booleans(),
        wire=st.sampled_from([KIZUNA, KIZUNA, ARTICLE]),
        idle_retry_interval=st.sampled_from([0.0, 60.0]),
        max_retries=st.sampled_from([0, 1, 5]),
        jitter=st.sampled_from([0.5, 0.5, 0.0, 1.0]),
        chance=st.sampled_from([0.0, 0.3, 0.999]),
        rollover_after=st.sampled_from([6600.0, 6600.0, 20.0, 3.0, 0.0]),
        rollover_spread=st.sampled_from([0.0, 2.0]),
        throttled=st.booleans(),
    )
    def begin(self, *, is_up: bool, throttled: bool, **options: Any) -> None:
        self.machine = Machine(make=self.make, **options)
        self.throttled = throttled
        self.fetching: set[int] = set()
        self.opening: set[int] = set()
        self.open: set[int] = set()
        self.preparing: set[int] = set()
        self.kept: set[int] = set()  # begun, and not given up
        self.unread: list[events.FrameReceived] = []  # that have arrived
        self.armed: dict[Timer, float] = {}
        self.bounds = delay_bounds(self.machine.options)
        self.visible = self.online = True
        self.offset: float | None = None  # of the wall clock
        self.paid = 0  # retries that the budget must pay for
        self.not_before = -math.inf  # the server does not want us back earlier
        self.tried_by_hand_at = -math.inf
        if is_up:
            self.handle(events.ConnectRequested())
            self.serve()

    # --- what happens ---

    @rule(event=st.sampled_from([events.ConnectRequested(), events.RetryRequested()]))
    def wish(self, event: Event) -> None:
        self.handle(event)

    @rule()
    def disconnect(self) -> None:
        self.handle(events.DisconnectRequested())

    @rule(happened=st.lists(st.sampled_from(PAGE), min_size=1, max_size=3))
    def page(self, happened: list[Event]) -> None:
        self.handle(*happened)

    @precondition(lambda self: self.fetching)
    @rule(outcome=st.sampled_from(["token", "token", "token", "failure", "unauthorized", "busy"]))
    def token(self, outcome: str) -> None:
        link = min(self.fetching)
        if outcome == "token":
            self.handle(events.TokenObtained(link, "t"))
        else:
            retry_after = 20.0 if outcome == "busy" else None
            self.handle(events.TokenFailed(link, outcome == "unauthorized", retry_after=retry_after))

    @precondition(lambda self: self.opening)
    @rule()
    def handshake(self) -> None:
        self.handle(events.SocketOpened(min(self.opening)))

    @precondition(lambda self: self.preparing)
    @rule(fails=st.booleans())
    def prepared(self, fails: bool) -> None:
        link = min(self.preparing)
        self.handle(events.PrepareFailed(link) if fails else events.LinkPrepared(link))

    @precondition(lambda self: self.open)
    @rule(frame=st.just(READY) | st.sampled_from(FRAMES), which=st.sampled_from([min, max]))
    def frame(self, frame: dict[str, Any], which: Which) -> None:
        self.handle(events.FrameReceived(which(self.open), frame))

    @precondition(lambda self: self.open)
    @rule(frame=st.just(READY) | st.sampled_from(FRAMES), which=st.sampled_from([min, max]))
    def frame_that_waits(self, frame: dict[str, Any], which: Which) -> None:
        """It arrives while the page is busy with those before it."""
        link = which(self.open)
        self.unread.append(events.FrameReceived(link, frame, self.machine.now.monotonic))
        self.handle(events.FrameArrived(link))

    @precondition(lambda self: self.unread)
    @rule()
    def frame_that_waited(self) -> None:
        self.handle(self.unread.pop(0))

    @precondition(lambda self: self.open)
    @rule(which=st.sampled_from([min, max]))
    def malformed_frame(self, which: Which) -> None:
        self.handle(events.FrameMalformed(which(self.open), "not JSON"))

    @precondition(lambda self: self.opening | self.open)
    @rule(
        code=st.just(1006) | st.sampled_from(CODES),
        reason=st.just("") | st.sampled_from(REASONS),
        which=st.sampled_from([min, max]),
    )
    def drop(self, code: int, reason: str, which: Which) -> None:
        self.handle(events.SocketClosed(which(self.opening | self.open), code, reason))

    @precondition(lambda self: self.machine.wire is KIZUNA and self.opening | self.open)
    @rule(data=st.data(), which=st.sampled_from([min, max]))
    def unasked(self, data: st.DataObject, which: Which) -> None:
        """Duplicates, and answers to nothing, of a link that lives."""
        link = which(self.opening | self.open)
        is_open = link in self.open
        self.handle(
            data.draw(st.sampled_from(about(link))) if is_open else events.TokenObtained(link, "again")
        )

    @precondition(lambda self: self.machine.link > 0)
    @rule(data=st.data())
    def unknown_link(self, data: st.DataObject) -> None:
        known = {link.number for link in self.machine.connection.links}
        links = [number for number in range(-1, self.machine.link + 2) if number not in known]
        event = data.draw(st.sampled_from(about(data.draw(st.sampled_from(links)))))
        state = self.machine.connection.state
        assert self.machine.handle(event) == []
        assert self.machine.connection.state is state

    @rule(timer=st.sampled_from(Timer))
    def idle_timer(self, timer: Timer) -> None:
        """It fires though it is not armed: at most it shows that the machine slept."""
        if timer not in self.armed:
            slept, state = self.slept(), self.machine.connection.state
            answer = self.handle(events.TimerFired(timer, throttled=self.throttled))
            assert slept or (answer == [] and self.machine.connection.state is state)

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
        before, spent = self.machine.status, self.machine.connection._actions.backoff.spent
        for step in range(steps):
            self.bring_up(following, step)
        assert self.machine.connection.state.link == (following if steps == 4 else old)
        assert self.machine.status is (Status.CONNECTED if steps == 4 else before)
        if then == "next lost" and 0 < steps < 4:
            self.handle(events.SocketClosed(following, 1008))
            assert self.machine.connection.state.link == old
            assert self.machine.status is before, "what fails beside the link that carries costs nothing"
            assert Timer.ROLLOVER in self.armed, "and is tried again"
        elif then == "old lost" and old in self.open:
            self.handle(events.SocketClosed(old, 1006))
            assert self.machine.connection.links[0].number == following
            assert self.machine.status is (Status.CONNECTED if steps == 4 else Status.CONNECTING)
        assert self.machine.connection._actions.backoff.spent <= spent, "a replacement spends no budget"

    def bring_up(self, link: int, step: int) -> None:
        steps: list[Event] = [
            events.TokenObtained(link, "t"),
            events.SocketOpened(link),
            events.FrameReceived(link, READY),
            events.LinkPrepared(link),
        ]
        self.handle(steps[step])

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
            self.handle(events.PageHidden() if not self.visible else events.PageShown())

    @precondition(lambda self: self.machine.status not in UNWANTED)
    @rule()
    def on_a_good_network_try_now_connects_within_two_seconds(self) -> None:
        self.handle(events.PageShown(), events.WentOnline())
        self.time_passes(1.0)
        self.handle(events.RetryRequested())
        self.connects_within(2.0, step=0.1)
        assert self.machine.connection.state.reason is None

    @precondition(lambda self: self.machine.status not in UNWANTED | {Status.EXHAUSTED})
    @rule(is_told=st.booleans())
    def on_a_good_network_a_visible_page_connects_by_itself(self, is_told: bool) -> None:
        """``is_told``: as a browser tells it; else, where nothing of the page itself changes, timers must find out."""
        if is_told or self.machine.status is Status.SUSPENDED or not (self.visible and self.online):
            self.handle(events.WentOnline(), events.PageShown())
        self.connects_within(self.bounds[Timer.RETRY][1] + 1.0, step=1.0)

    @precondition(lambda self: self.machine.status in STANDS and self.machine.wire is KIZUNA)
    @rule()
    def a_silent_link_is_given_up(self) -> None:
        link, deadline = self.machine.connection.state.link, self.machine.now.monotonic + SILENT_FOR
        while link in self.kept:
            assert self.machine.now.monotonic <= deadline, "a dead link is believed in"
            self.time_passes(1.0)

    # --- what must hold ---

    @invariant()
    def one_link_at_most_and_two_only_while_one_replaces_the_other(self) -> None:
        if hasattr(self, "machine"):
            link = self.machine.connection.link
            assert self.kept == {known.number for known in self.machine.connection.links}
            assert self.alive <= self.kept
            assert len(self.alive) <= 2
            if len(self.alive) == 2:
                assert self.armed.keys() & {Timer.CANDIDATE, Timer.RETIRE}
            assert self.preparing <= self.open
            assert link is None or self.machine.status not in UNWANTED | {Status.WAITING, Status.SUSPENDED}

    @invariant()
    def only_the_timers_that_the_status_allows(self) -> None:
        if hasattr(self, "machine"):
            assert self.armed == dict(self.machine.connection.timers), "other timers than were commanded"
            assert self.armed.keys() <= TIMERS[self.machine.status]
            if self.machine.status is Status.CONNECTING:
                assert Timer.CONNECT in self.armed
            if self.machine.status in (Status.WAITING, Status.OFFLINE):
                assert Timer.RETRY in self.armed
            if self.machine.status is Status.SUSPECT:
                asks = self.machine.wire.pong is not None
                assert self.armed.keys() & ({Timer.SILENCE} if asks else {Timer.CANDIDATE, Timer.ROLLOVER})

    @invariant()
    def what_is_shown_is_true(self) -> None:
        if hasattr(self, "machine"):
            state = self.machine.connection.state
            assert state.retry_at == (self.armed.get(Timer.RETRY) if state.status is Status.WAITING else None)
            assert (state.connected_since is not None) == (state.status in STANDS)

    def check(self, event: Event, before: Status, answer: list[Command], slept: bool, asked: float) -> None:
        """After each event, told from events and commands alone. ``asked``: seconds for which the server wants us
        away."""
        after = self.machine.status
        if before in UNWANTED and not isinstance(event, events.ConnectRequested):
            assert after is before or isinstance(event, events.DisconnectRequested), (
                "left without being asked"
            )
            assert answer == [], "acts without being asked"
        if isinstance(event, events.DisconnectRequested):
            assert after in (Status.CLOSED, before)
        if after in UNWANTED:
            assert not self.kept
            assert not self.armed
        attempts = any(isinstance(command, FetchToken) for command in answer)
        self.check_budget(event, before, slept, attempts)
        self.check_who_may_come_back(event, before, slept, attempts)
        ends = any(isinstance(command, AbandonLink) for command in answer)
        if asked > 0 and ends and not attempts:
            self.paid = 0  # a server that names a time is alive
            if after not in UNWANTED | STANDS:
                self.not_before = self.machine.now.monotonic + min(
                    asked, self.machine.options.max_retry_after
                )

    def check_budget(self, event: Event, before: Status, slept: bool, attempts: bool) -> None:
        """It pays for retries on a visible page with a network, and for nothing else."""
        after, options = self.machine.status, self.machine.options
        is_retry = event == events.TimerFired(Timer.RETRY) and not slept
        if is_retry and before is Status.WAITING and after is Status.CONNECTING:
            self.paid += self.visible and self.online
        elif not is_retry and before not in {Status.CONNECTING, *STANDS}:
            comes_back = slept or isinstance(event, RETURNS)
            if after is Status.CONNECTING or (comes_back and after is Status.WAITING):
                self.paid = 0
        ends = events.SocketClosed | events.TokenFailed | events.PrepareFailed | events.FrameReceived
        # Of a link that stands, waking only doubts: a candidate beside it is no new beginning.
        woke = slept and attempts and (before not in {Status.CONNECTING, *STANDS} or isinstance(event, ends))
        proven = after is Status.CONNECTED and before not in STANDS and self.machine.wire is KIZUNA
        if woke or proven or (event == events.TimerFired(Timer.STABLE) and after in STANDS):
            self.paid = 0
        if after is Status.EXHAUSTED and before is not Status.EXHAUSTED:
            assert self.paid >= options.max_retries, "exhausted before the budget is"
        # One attempt is always made when the page comes back, though the server's word may put it off.
        assert self.paid <= max(options.max_retries, 1), "more retries than the budget has"

    def check_who_may_come_back(self, event: Event, before: Status, slept: bool, attempts: bool) -> None:
        """Nobody before the time that the server named, unless a person presses Try now, once a second."""
        now = self.machine.now.monotonic
        if (
            attempts
            and isinstance(event, events.RetryRequested)
            and not slept
            and before is not Status.CONNECTING
        ):
            assert now >= self.tried_by_hand_at + self.machine.options.try_now_interval - TOLERANCE
            self.tried_by_hand_at = now
        if attempts and not isinstance(event, events.RetryRequested | events.ConnectRequested):
            assert now >= self.not_before - TOLERANCE, "back before the server wanted it"
        if attempts or self.machine.status in UNWANTED | STANDS:
            self.not_before = -math.inf

    # --- the model ---

    @property
    def alive(self) -> set[int]:
        return self.fetching | self.opening | self.open

    def next_timer(self) -> Timer | None:
        return min(self.armed, key=lambda timer: self.armed[timer], default=None)

    def fire(self, timer: Timer) -> None:
        self.handle(events.TimerFired(timer, throttled=self.throttled))

    def slept(self) -> bool:
        """Whether the clocks say so, since the last event."""
        now = self.machine.now
        gap = 0.0 if self.offset is None else now.wall - now.monotonic - self.offset
        return gap > self.machine.options.sleep_threshold

    def serve(self) -> None:
        """A good network, a server that works, an application that prepares."""
        while self.fetching:
            self.token("token")
        while self.opening:
            self.handshake()
        for link in sorted(self.open):
            self.handle(events.FrameReceived(link, READY))
        while self.preparing:
            self.prepared(False)

    def connects_within(self, seconds: float, *, step: float) -> None:
        """With a server that serves every ``step`` seconds."""
        deadline = self.machine.now.monotonic + seconds
        while self.machine.status is not Status.CONNECTED:
            assert self.machine.now.monotonic <= deadline, f"still {self.machine.status} after {seconds} s"
            self.serve()
            self.time_passes(step)

    def handle(self, *happened: Event) -> list[Command]:
        """Let these events happen; returns what the connection wants done."""
        given: list[Command] = []
        for event in happened:
            before, slept, asked = self.machine.status, self.slept(), self.asked_by(event)
            primary, spent = self.machine.connection.link, self.machine.connection._actions.backoff.spent
            beside = isinstance(event, events.LinkEvent) and primary and event.link != primary.number
            self.note(event)
            answer = self.machine.handle(event)
            for command in answer:
                self.obey(command, event)
            if beside:
                assert self.machine.status is not Status.REJECTED, "only the link that carries can reject"
            if not (self.visible and self.online):
                assert self.machine.connection._actions.backoff.spent <= spent, "pays while hidden or offline"
            self.check(event, before, answer, slept, asked)
            given += answer
        return given

    def asked_by(self, event: Event) -> float:
        """Seconds for which the server asks us in ``event`` to stay away; 0 if it does not, or not in earnest."""
        word: object = None
        unsaid = 0.0  # the time that a close code asks for by itself
        match event:
            case events.FrameReceived(link=link, frame={"type": "bye"} as frame) if link in self.open:
                word = frame
            case events.TokenFailed(link=link, retry_after=float() as seconds) if link in self.fetching:
                return seconds
            # A refusal that names a time, while the next link is on its way, is no refusal and asks for nothing.
            case events.SocketClosed(link=link, code=code, reason=reason) if (
                link in self.open and close_policy(code) is not Policy.STOP
            ):
                unsaid = RETRY_LATER_SECONDS if close_policy(code) is Policy.RETRY_LATER else 0.0
                with contextlib.suppress(ValueError):
                    word = json.loads(reason)
        match word:
            case {"retryAfter": int() | float() as seconds} if seconds is not True and 0 < seconds < 2**53:
                return float(seconds)
        return unsaid

    def note(self, event: Event) -> None:
        """What ``event`` says of links, page and timers."""
        self.offset = self.machine.now.wall - self.machine.now.monotonic
        match event:
            case events.TokenObtained(link=link) | events.TokenFailed(link=link):
                self.fetching.discard(link)
            case events.SocketOpened(link=link):
                self.opening.discard(link)
                self.open.add(link)
            case events.SocketClosed(link=link):
                self.opening.discard(link)
                self.open.discard(link)
            case events.LinkPrepared(link=link) | events.PrepareFailed(link=link):
                self.preparing.discard(link)
            case events.PageShown() | events.PageHidden():
                self.visible = isinstance(event, events.PageShown)
            case events.WentOnline() | events.WentOffline():
                self.online = isinstance(event, events.WentOnline)
            case events.TimerFired(timer=timer):
                self.armed.pop(timer, None)

    def obey(self, command: Command, event: Event) -> None:
        allowed = 1 if Timer.CANDIDATE in self.armed else 0
        match command:
            case FetchToken(link=link):
                assert link == self.machine.link, "each link has a number of its own"
                assert len(self.alive) == allowed, "the old link is given up first, unless it is replaced"
                self.fetching.add(link)
                self.kept.add(link)
            case OpenSocket(link=link):
                assert isinstance(event, events.TokenObtained)
                assert event.link == link
                assert len(self.opening | self.open) == allowed, "one socket at most"
                self.opening.add(link)
            case PrepareLink(link=link):
                assert link in self.open
                assert link not in self.preparing
                self.preparing.add(link)
            case SendPing(link=link):
                assert link in self.open, "nothing is sent while not open"
            case Deliver(link=link):
                assert link in self.kept, "nothing of a link that was given up"
            case AbandonLink(link=link):
                self.kept.remove(link)
                for links in (self.fetching, self.opening, self.open, self.preparing):
                    links.discard(link)
            case SetTimer(timer=timer, at=at):
                self.check_delay(timer, at - self.machine.now.monotonic, event)
                self.armed[timer] = at
            case CancelTimer(timer=timer):
                was_armed = self.armed.pop(timer, None) is not None
                self.check_cancelled(was_armed or event == events.TimerFired(timer))

    def check_cancelled(self, was_armed: bool) -> None:
        assert was_armed, "cancels a timer that was not armed"

    def check_delay(self, timer: Timer, delay: float, event: Event) -> None:
        least, most = self.bounds.get(timer, (0.0, math.inf))
        if timer is Timer.RETRY and isinstance(event, events.SocketClosed | events.TokenFailed):
            options = self.machine.options
            least = min(options.first_retry_delay, options.idle_retry_interval or math.inf) * (
                1 - options.jitter
            )
        assert least - TOLERANCE <= delay <= most + TOLERANCE, f"{timer} in {delay} s"


def about(link: int) -> list[Event]:
    """Whatever can be said of a link."""
    return [
        events.TokenObtained(link, "t"),
        events.TokenFailed(link, True),
        events.TokenFailed(link, False),
        events.TokenFailed(link, False, retry_after=20),
        events.SocketOpened(link),
        events.FrameArrived(link),
        events.FrameReceived(link, {"type": "bye", "reconnect": False}),
        events.FrameMalformed(link, "?"),
        events.SocketClosed(link, 1006),
        events.SocketClosed(link, 1008),
        events.LinkPrepared(link),
        events.PrepareFailed(link),
    ]


def delay_bounds(numbers: Numbers) -> Mapping[Timer, tuple[float, float]]:
    """How soon, and how late, a timer of each kind may be armed for; seconds."""
    longest = max(
        numbers.first_retry_delay * LONGEST_STEP, numbers.idle_retry_interval, numbers.max_retry_after
    )
    silences = numbers.probe_timeout, numbers.pong_timeout
    return {
        Timer.CONNECT: (0.0, max(MAX_FACTOR * numbers.connect_timeout, numbers.prepare_timeout)),
        Timer.RETRY: (0.0, max(longest * (1 + numbers.jitter), numbers.offline_interval)),
        Timer.HEARTBEAT: (numbers.heartbeat_interval, numbers.heartbeat_interval),
        Timer.SILENCE: (POSTPONED_BY, max(silences)),
        Timer.STABLE: (numbers.stable_after, numbers.stable_after),
        Timer.TICK: (1.0, 1.0),
    }


TestWorld = pytest.mark.timeout(600 + EXAMPLES // 5)(World.TestCase)
TestWorld.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=30, derandomize=True, deadline=None, database=None
)
