"""What must hold after every event, whatever the world did: told from events and commands alone, as a person with a
packet trace would tell it. Nothing of the connection's inside is read but ``state``, ``status`` and ``timers``."""

from __future__ import annotations

import contextlib
import json
import math
from collections import deque
from collections.abc import Sequence
from enum import Enum

from kizuna import commands, events
from kizuna.commands import Command
from kizuna.connection import Connection
from kizuna.events import Event, Timer
from kizuna.options import Options
from kizuna.platform import Instant
from kizuna.states import TIMERS, Status

#: At most one link lives, and two only while one of these is armed: the next link is coming, or the old one going.
ROLLOVER = frozenset({Timer.CANDIDATE, Timer.RETIRE})
QUIET = frozenset({Status.IDLE, Status.CLOSED, Status.REJECTED})
STANDS = frozenset({Status.CONNECTED, Status.SUSPECT})
#: The longest nominal delay, in first delays: 1, 2, 4, 8, 16.
LONGEST_STEP = 16
#: Deadlines are sums of floats.
TOLERANCE = 1e-6
#: How many events a report shows.
REMEMBERED = 20

#: When (monotonic), what, in which status, leading to which, and what the connection answered.
Happening = tuple[float, Event, Status, Status, Sequence[Command]]


class InvariantBroken(AssertionError):
    """Something happened that must not."""


class Stage(Enum):
    """How far a link is, as seen from outside."""

    ASKED = "a token was asked for"
    OPENING = "a socket was opened"
    OPEN = "the socket said that it is open"
    CLOSED = "the socket said that it is closed"


class Invariants:
    """Responsible for raising InvariantBroken as soon as one does not hold."""

    def __init__(self, connection: Connection, options: Options) -> None:
        self._connection = connection
        self._options = options
        self._bounds = _delay_bounds(options)
        self._shortest_retry = min(options.first_retry_delay, options.rest or math.inf) * (1 - options.jitter)
        self._history: deque[Happening] = deque(maxlen=REMEMBERED)
        self._links: dict[int, Stage] = {}
        self._newest_link = 0
        self._timers: dict[Timer, float] = {}
        self._visible = self._online = True
        self._spent = 0  # retries that the budget must pay for
        self._held_until = -math.inf  # the server does not want us back before
        self._tried_by_hand_at = -math.inf
        self._offset: float | None = None
        self._now = 0.0

    @property
    def history(self) -> list[str]:
        """The last events, one a line."""
        return [
            f"{now:.3f} {event} in {before}: {after}; {', '.join(map(str, answer)) or 'nothing'}"
            for now, event, before, after, answer in self._history
        ]

    def observe(self, event: Event, instant: Instant, before: Status, answer: Sequence[Command]) -> None:
        """One event was handled. An observer of a client."""
        after = self._connection.status
        self._history.append((instant.monotonic, event, before, after, answer))
        self._now = instant.monotonic
        link: int | None = getattr(event, "link", None)
        stage = None if link is None else self._links.get(link)
        is_unknown = link is not None and stage is None
        woke = self._woke(instant, is_noted=not is_unknown)
        self._note_event(event)
        for command in answer:
            self._note_command(command, event)
        self._check_links()
        self._check_timers(after)
        self._check_quiet(event, before, after, answer)
        self._check_budget(event, before, after, answer, woke)
        self._check_server_word(
            event, before, after, answer, _retry_after(event) if stage is Stage.OPEN else 0.0
        )
        if is_unknown and not woke:
            self._require(after is before and not answer, "an event of an unknown link had an effect")

    def _require(self, holds: bool, what_is_wrong: str) -> None:
        if not holds:
            raise InvariantBroken(what_is_wrong)

    def _woke(self, instant: Instant, *, is_noted: bool) -> bool:
        offset, before = instant.wall - instant.monotonic, self._offset
        if is_noted:
            self._offset = offset
        return before is not None and offset - before > self._options.sleep_gap

    # --- what is seen ---

    def _note_event(self, event: Event) -> None:
        match event:
            case events.SocketOpened(link=link) if self._links.get(link) is Stage.OPENING:
                self._links[link] = Stage.OPEN
            case events.SocketClosed(link=link) if link in self._links:
                self._links[link] = Stage.CLOSED
            case events.TimerFired(timer=timer):
                self._timers.pop(timer, None)
            case events.PageShown() | events.PageHidden():
                self._visible = isinstance(event, events.PageShown)
            case events.WentOnline() | events.WentOffline():
                self._online = isinstance(event, events.WentOnline)

    def _note_command(self, command: Command, event: Event) -> None:
        match command:
            case commands.FetchToken(link=link):
                self._require(link > self._newest_link, f"link {link} is not a new number")
                self._newest_link = link
                self._links[link] = Stage.ASKED
            case commands.OpenSocket(link=link):
                stage = self._links.get(link)
                self._require(stage is Stage.ASKED, f"a socket for link {link} of which {_words(stage)}")
                self._links[link] = Stage.OPENING
            case commands.AbandonLink(link=link):
                self._require(self._links.pop(link, None) is not None, f"link {link} was abandoned already")
            case commands.PrepareLink(link=link) | commands.SendPing(link=link):
                stage = self._links.get(link)
                self._require(stage is Stage.OPEN, f"{command} on a link of which {_words(stage)}")
            case commands.Deliver(link=link):
                self._require(link in self._links, f"a frame of link {link}, which does not live")
            case commands.SetTimer(timer=timer, at=at):
                self._timers[timer] = at
                self._check_delay(timer, at - self._now, event)
            case commands.CancelTimer(timer=timer):
                was_armed = self._timers.pop(timer, None) is not None or event == events.TimerFired(timer)
                self._require(was_armed, f"{timer} was not armed")

    # --- what must hold ---

    def _check_links(self) -> None:
        most = 2 if ROLLOVER & self._timers.keys() else 1
        self._require(len(self._links) <= most, f"{len(self._links)} links live: {self._links}")
        self._require(Stage.CLOSED not in self._links.values(), "a closed link was not abandoned")

    def _check_timers(self, after: Status) -> None:
        armed = dict(self._connection.timers)
        self._require(armed == self._timers, f"says timers {armed}, but commanded {self._timers}")
        self._require(armed.keys() <= TIMERS[after], f"timers {sorted(armed)} in {after}")
        state = self._connection.state
        retry_at = armed.get(Timer.RETRY) if after is Status.WAITING else None
        self._require(state.retry_at == retry_at, f"retry_at {state.retry_at}, armed for {retry_at}")
        self._require((after in STANDS) == (state.connected_since is not None), "connected_since is wrong")

    def _check_delay(self, timer: Timer, delay: float, event: Event) -> None:
        least, most = self._bounds.get(timer, (0.0, math.inf))
        if timer is Timer.RETRY and isinstance(event, events.SocketClosed | events.TokenFailed):
            least = self._shortest_retry
        within = least - TOLERANCE <= delay <= most + TOLERANCE
        self._require(within, f"{timer} in {delay:.3f} s, not within {least:.3f} to {most:.3f} s")

    def _check_quiet(self, event: Event, before: Status, after: Status, answer: Sequence[Command]) -> None:
        if after in QUIET:
            self._require(not self._links and not self._timers, f"a link or a timer lives in {after}")
        if before in QUIET and not isinstance(event, events.ConnectRequested | events.DisconnectRequested):
            self._require(after is before and not answer, f"{before} was left, or acted in")
        if isinstance(event, events.DisconnectRequested):
            self._require(after is Status.CLOSED, f"disconnect() led to {after}")

    def _check_budget(
        self, event: Event, before: Status, after: Status, answer: Sequence[Command], woke: bool
    ) -> None:
        """The budget pays for retries on a visible page with a network, and for nothing else."""
        retries = event == events.TimerFired(Timer.RETRY) and not woke
        if before is Status.WAITING and after is Status.CONNECTING and retries:
            self._spent += self._visible and self._online
        elif before not in {Status.CONNECTING, *STANDS} and not retries:
            self._spent = 0 if self._is_rearmed(event, after, woke) else self._spent
        came_back = woke and _attempts(answer) and (before is not Status.CONNECTING or _ends_a_link(event))
        if came_back or self._is_refilled(event, before, after):
            self._spent = 0
        most = self._options.max_retries
        if after is Status.EXHAUSTED and before is not Status.EXHAUSTED:
            self._require(self._spent >= most, f"exhausted after {self._spent} of {most} paid retries")
        # One attempt is always made when the page comes back, though the server's word may put it off.
        self._require(self._spent <= max(most, 1), f"{self._spent} paid retries, the budget is {most}")

    def _is_rearmed(self, event: Event, after: Status, woke: bool) -> bool:
        comes_back = isinstance(event, events.PageShown | events.WentOnline | events.PageResumed) or woke
        return after is Status.CONNECTING or (after is Status.WAITING and comes_back)

    def _is_refilled(self, event: Event, before: Status, after: Status) -> bool:
        proven = after is Status.CONNECTED and before not in STANDS and self._options.wire.ready is not None
        return proven or (event == events.TimerFired(Timer.STABLE) and after in STANDS)

    def _check_server_word(
        self, event: Event, before: Status, after: Status, answer: Sequence[Command], asked: float
    ) -> None:
        """Who was told to come back later does not come earlier, unless a person presses Try now, once a second."""
        by_hand = isinstance(event, events.RetryRequested | events.ConnectRequested)
        attempts = _attempts(answer)
        if attempts and isinstance(event, events.RetryRequested) and before is not Status.CONNECTING:
            self._require(
                self._now - self._tried_by_hand_at >= self._options.manual_interval - TOLERANCE,
                "Try now acted twice within a second",
            )
            self._tried_by_hand_at = self._now
        if attempts and not by_hand:
            self._require(
                self._now >= self._held_until - TOLERANCE,
                f"back {self._held_until - self._now:.1f} s before the server wanted it",
            )
        if attempts or after in {*QUIET, *STANDS}:
            self._held_until = -math.inf
        if asked > 0 and before in {Status.CONNECTING, Status.EXHAUSTED, *STANDS} and not attempts:
            was_heard = any(isinstance(command, commands.AbandonLink) for command in answer)
            if was_heard and after not in QUIET:
                self._held_until = self._now + min(asked, self._options.max_retry_after)
                self._spent = 0  # a server that names a time is alive


def _delay_bounds(options: Options) -> dict[Timer, tuple[float, float]]:
    """How soon, and how late, a timer of each kind may be armed for; seconds."""
    longest = max(options.first_retry_delay * LONGEST_STEP, options.rest, options.max_retry_after)
    silences = options.probe_timeout, options.pong_timeout
    return {
        Timer.CONNECT: (0.0, max(options.connect_timeout, options.prepare_timeout)),
        Timer.RETRY: (0.0, max(longest * (1 + options.jitter), options.offline_interval)),
        Timer.HEARTBEAT: (options.heartbeat_interval, options.heartbeat_interval),
        Timer.SILENCE: (min(silences), max(silences)),
        Timer.STABLE: (options.stable_after, options.stable_after),
        Timer.TICK: (1.0, 1.0),
    }


def _words(stage: Stage | None) -> str:
    return "nothing is known" if stage is None else stage.value


def _attempts(answer: Sequence[Command]) -> bool:
    return any(isinstance(command, commands.FetchToken) for command in answer)


def _ends_a_link(event: Event) -> bool:
    ends = events.SocketClosed | events.TokenFailed | events.PrepareFailed | events.FrameReceived
    return isinstance(event, ends)


def _retry_after(event: Event) -> float:
    """Seconds that the server asked for in ``event``; 0 if it did not, or not in earnest."""
    word: object = None
    match event:
        case events.FrameReceived(frame={"type": "bye"} as frame):
            word = frame
        case events.SocketClosed(reason=reason):
            with contextlib.suppress(ValueError):
                word = json.loads(reason)
    match word:
        case {"retryAfter": bool()}:
            return 0.0
        case {"retryAfter": int() | float() as seconds} if abs(seconds) < 2**53:
            return float(seconds)
    return 0.0
