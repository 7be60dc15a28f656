"""The whole policy of keeping one connection alive, as a pure machine: events in, commands out.

``Connection.handle(event, now)`` decides; it has no clock, no socket and no chance of its own, so every test of it
runs in microseconds and every failure can be replayed. Where to go is data in ``states.py``; each action named
there is a method here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from kizuna import close_codes, events, states
from kizuna.backoff import Backoff
from kizuna.commands import (
    AbandonLink,
    CancelTimer,
    Command,
    Deliver,
    FetchToken,
    OpenSocket,
    PrepareLink,
    ReportMalformed,
    SendPing,
    SetTimer,
)
from kizuna.events import Event, LinkEvent, PageEvent, Timer, Wish
from kizuna.frame_text import NotAFrame, read_frame
from kizuna.heartbeat import Heartbeat
from kizuna.link import Link
from kizuna.options import Options
from kizuna.platform import Instant
from kizuna.states import LinkSignal, LinkState, Status, Trigger
from kizuna.wire import Meaning

TICK_SECONDS = 1.0
#: How late a tick of a hidden page may come: Chromium lets the timers of such a page run once a minute.
THROTTLE_SECONDS = 60.0


class ReasonKind(StrEnum):
    """Why a connection does not stand, for programs; :attr:`Reason.words` is for a person."""

    UNREACHABLE = "unreachable"  #: the socket never opened
    TIMEOUT = "timeout"  #: token, opening and ready took too long
    CLOSED_BY_SERVER = "closed_by_server"
    SERVER_RESTARTING = "server_restarting"  #: it said bye and that we may come back
    SILENCE = "silence"  #: no answer to a probe
    TOKEN_UNAVAILABLE = "token_unavailable"
    UNAUTHORIZED = "unauthorized"
    REJECTED = "rejected"
    PREPARE_FAILED = "prepare_failed"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a connection does not stand. ``code`` is the WebSocket close code, where there was one."""

    kind: ReasonKind
    words: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """What may be shown. ``retry_at`` monotonic seconds; ``rtt`` seconds; ``connected_since`` seconds since 1970."""

    status: Status = Status.IDLE
    attempt: int = 0  #: attempts since the connection last stood
    retry_at: float | None = None
    rtt: float | None = None
    reason: Reason | None = None
    connected_since: float | None = None


class Connection:
    """Responsible for deciding what to do about every event. Users talk to WebSocketService instead.

    ``random`` returns numbers in [0, 1).
    """

    def __init__(self, options: Options, random: Callable[[], float]) -> None:
        self._options = options
        self._backoff = Backoff(
            first_delay=options.first_retry_delay,
            max_retries=options.max_retries,
            jitter=options.jitter,
            random=random,
        )
        self._link: Link | None = None
        self._link_count = 0
        self._state = ConnectionState()
        self._timers: dict[Timer, float] = {}
        self._commands: list[Command] = []
        self._now = Instant(0.0, 0.0)
        self._clock_offset: float | None = None
        self._tick_throttled = False  # the page was hidden at some time since the tick was armed
        self._visible = True
        self._online = True
        self._not_before: float | None = None  # the server asked not to come back earlier
        self._token_renewals = 0  # refusals of a token in a row
        self._tried_by_hand_at: float | None = None
        self._probed_again = False

    # --- what others may see ---

    @property
    def state(self) -> ConnectionState:
        """The state as it stands after the last event."""
        return self._state

    @property
    def status(self) -> Status:
        """Short for ``state.status``."""
        return self._state.status

    @property
    def link(self) -> Link | None:
        """The one link, if there is any."""
        return self._link

    @property
    def timers(self) -> Mapping[Timer, float]:
        """The armed timers and their deadlines, monotonic seconds."""
        return self._timers

    # --- events in, commands out ---

    def handle(self, event: Event, now: Instant) -> list[Command]:
        """Take note of ``event``; returns what to do about it, in order. Never raises for what a network or a
        browser does: events that make no sense now, or that belong to an unknown link, change nothing."""
        self._commands = []
        self._now = now
        if isinstance(event, events.TimerFired):
            self._on_timer_fired(event.timer)
        elif isinstance(event, events.LinkEvent):
            if self._link is None or event.link != self._link.number:
                return []
            slept = self._slept()
            self._on_link_event(event, self._link)
            if slept:  # afterwards: what arrives first was often sent before the sleep, and proves nothing
                self._fire(Trigger.WOKE)
        else:
            if self._slept():
                self._fire(Trigger.WOKE)
            self._on_event(event)
        return self._commands

    def _slept(self, late: float = 0.0) -> bool:
        """Whether the machine slept: the monotonic clock stood still meanwhile, or a tick is too ``late``."""
        offset = self._now.wall - self._now.monotonic
        drift = 0.0 if self._clock_offset is None else offset - self._clock_offset
        self._clock_offset = offset
        allowed = THROTTLE_SECONDS if self._tick_throttled else 0.0
        return max(drift, late - allowed) > self._options.sleep_gap

    def _on_timer_fired(self, timer: Timer) -> None:
        due = self._timers.get(timer)
        late = 0.0 if due is None else self._now.monotonic - due
        if self._slept(late if timer is Timer.TICK else 0.0):
            self._fire(Trigger.WOKE)
        if due is not None and self._timers.get(timer) == due:  # else waking disarmed it, or armed it anew
            del self._timers[timer]
            self._on_timer(timer, late)

    def _on_event(self, event: Wish | PageEvent) -> None:
        match event:
            case events.ConnectRequested():
                self._fire(Trigger.CONNECT)
            case events.DisconnectRequested():
                self._fire(Trigger.DISCONNECT)
            case events.RetryRequested():
                self._fire(Trigger.TRY_NOW)
            case events.PageShown():
                self._visible = True
                self._fire(Trigger.SHOWN)
            case events.PageHidden():
                self._visible = False
                self._tick_throttled = True
            case events.WentOnline():
                self._online = True
                self._fire(Trigger.ONLINE)
            case events.WentOffline():
                self._online = False
                self._fire(Trigger.OFFLINE)
            case events.PageSuspended():
                self._fire(Trigger.SUSPENDED)
            case events.PageResumed():  # pragma: no branch
                self._fire(Trigger.RESUMED)

    def _on_link_event(self, event: LinkEvent, link: Link) -> None:
        match event:
            case events.TokenObtained(token=token):
                if link.note_token():
                    self._do(OpenSocket(link.number, token))
            case events.TokenFailed(unauthorized=True):
                self._refuse(Reason(ReasonKind.UNAUTHORIZED, "the identity provider refused a token"))
            case events.TokenFailed(unreachable=True):
                self._lose(Reason(ReasonKind.UNREACHABLE, "the server cannot be reached"))
            case events.TokenFailed(detail=detail):
                self._lose(Reason(ReasonKind.TOKEN_UNAVAILABLE, detail or "no token could be fetched"))
            case events.SocketOpened():
                if link.note_opened(self._now.monotonic):
                    self._on_opened(link)
            case events.FrameReceived(frame=frame):
                self._on_frame(frame, link)
            case events.FrameMalformed(problem=problem):
                self._hear(link)
                self._do(ReportMalformed(problem))
            case events.SocketClosed(code=code, reason=reason):
                self._on_closed(code, reason, link)
            case events.LinkPrepared():
                if link.note_prepared():
                    self._fire(Trigger.PROVEN)
            case events.PrepareFailed(detail=detail):  # pragma: no branch
                self._lose(
                    Reason(ReasonKind.PREPARE_FAILED, detail or "the application could not prepare the link")
                )

    def _on_opened(self, link: Link) -> None:
        if link.is_ready:  # this wire has no ready: the application's preparation is all that is awaited
            self._arm(Timer.CONNECT, self._options.prepare_timeout)
        self._do(PrepareLink(link.number))

    def _on_frame(self, frame: Mapping[str, Any], link: Link) -> None:
        self._hear(link)
        self._do(Deliver(link.number, frame))
        match self._options.wire.meaning(frame):
            case Meaning.READY:
                if link.state is LinkState.PROVING and not link.is_ready:
                    self._arm(Timer.CONNECT, self._options.prepare_timeout)
                if link.note_ready():
                    self._fire(Trigger.PROVEN)
            case Meaning.PONG:
                t = _number(frame.get("t"))
                link.heartbeat.answered(self._now.monotonic, None if t is None else t / 1000)
                self._change(rtt=link.heartbeat.rtt)
            case Meaning.BYE:
                words = _text(frame.get("reason")) or "the server said goodbye"
                self._on_farewell(
                    Reason(ReasonKind.SERVER_RESTARTING, words), frame, close_codes.Policy.RETRY
                )
            case Meaning.OTHER:  # pragma: no branch
                pass

    def _on_closed(self, code: int, text: str, link: Link) -> None:
        if not link.is_open:
            self._lose(Reason(ReasonKind.UNREACHABLE, "the server cannot be reached", code))
            return
        word = _parse_word(text)
        kind = ReasonKind.SERVER_RESTARTING if word else ReasonKind.CLOSED_BY_SERVER
        words = _text(word.get("reason")) or close_codes.words(code)
        self._on_farewell(Reason(kind, words, code), word, close_codes.policy(code))

    def _on_farewell(self, reason: Reason, word: Mapping[str, Any], policy: close_codes.Policy) -> None:
        """The server ended the link. Whether to come back, and when at the earliest, is for its word to say; what
        the word leaves open is for the policy."""
        match word.get("reconnect"):
            case False:
                policy = close_codes.Policy.STOP
            case True:
                policy = close_codes.Policy.RETRY
        if policy is close_codes.Policy.STOP:
            self._refuse(replace(reason, kind=ReasonKind.REJECTED))
            return
        if policy is close_codes.Policy.RENEW_TOKEN:
            self._token_renewals += 1
            if self._token_renewals > 1:
                self._refuse(replace(reason, kind=ReasonKind.UNAUTHORIZED))
                return
        retry_after = _number(word.get("retryAfter"))
        if retry_after is None and policy is close_codes.Policy.RETRY_LATER:
            retry_after = close_codes.RETRY_LATER_SECONDS
        if retry_after is not None:
            self._hold_back(min(retry_after, self._options.max_retry_after))
        self._lose(reason)

    def _on_timer(self, timer: Timer, late: float) -> None:
        match timer:
            case Timer.RETRY:
                self._fire(Trigger.RETRY_DUE)
            case Timer.CONNECT:
                self._on_connect_deadline()
            case Timer.HEARTBEAT:
                self._on_heartbeat()
            case Timer.SILENCE:
                self._on_silence(late)
            case Timer.STABLE:
                self._backoff.start_again()
                self._note_served()
            case Timer.TICK:  # pragma: no branch
                self._arm_tick()

    def _on_connect_deadline(self) -> None:
        link = self._standing_link
        if link.is_open and link.is_ready:
            self._lose(Reason(ReasonKind.PREPARE_FAILED, "the application was not prepared in time"))
        else:
            self._lose(Reason(ReasonKind.TIMEOUT, "the server did not answer in time"))

    def _on_heartbeat(self) -> None:
        link = self._standing_link
        # The deadline of an earlier question stands: else pings more frequent than it would put it off for ever.
        self._ping(link, None if link.heartbeat.is_silent else self._options.pong_timeout)
        self._arm(Timer.HEARTBEAT, self._options.heartbeat_interval)

    def _on_silence(self, late: float) -> None:
        if not self._standing_link.heartbeat.is_silent:
            return
        if self.status is Status.CONNECTED:
            self._fire(Trigger.DOUBTED)
        elif late > self._options.sleep_gap and not self._probed_again:
            # The page was held up, so the answer may lie unread: ask once more before believing the silence.
            self._probed_again = True
            self._fire(Trigger.WOKE)
        else:
            self._lose(Reason(ReasonKind.SILENCE, "the server does not answer any more"))

    # --- the actions named in states.STATUS_TABLE ---

    def _fire(self, trigger: Trigger) -> None:
        row = states.row(self.status, trigger)
        if row is states.IGNORED:
            return
        getattr(self, f"_{row.action}")()
        assert self.status in row.to, f"{row.action} led to {self.status}, which {trigger} does not name"

    def _begin(self) -> None:
        self._backoff.refill()
        self._backoff.start_again()
        self._not_before = None
        self._token_renewals = 0
        self._change(attempt=0, reason=None)
        self._attempt()

    def _attempt(self) -> None:
        self._open_link()
        self._enter(Status.CONNECTING)

    def _retry(self) -> None:
        if self._visible and self._online:
            self._backoff.spend()
        self._attempt()

    def _attempt_quietly(self) -> None:
        if self._visible and self._online:
            self._open_link()
        else:
            self._rest()

    def _hurry(self) -> None:
        if self._now.monotonic - self._standing_link.active_at > self._options.impatience:
            self._open_link()

    def _restart(self) -> None:
        self._open_link()

    def _come_back(self) -> None:
        if self._not_before is not None and self._now.monotonic < self._not_before:
            self._enter(Status.WAITING)
            self._arm_retry(0.0)
            return
        self._backoff.refill()
        self._attempt()

    def _rearm(self) -> None:
        self._backoff.start_again()
        self._come_back()

    def _try_now(self) -> None:
        now = self._now.monotonic
        if (
            self._tried_by_hand_at is not None
            and now - self._tried_by_hand_at < self._options.manual_interval
        ):
            return
        self._tried_by_hand_at = now
        self._not_before = None
        self._rearm()

    def _settle(self) -> None:
        self._probed_again = False
        if self._options.wire.ready is not None:  # elsewhere only uptime proves that the server serves
            self._note_served()
        self._enter(Status.CONNECTED)
        self._change(attempt=0, reason=None, connected_since=self._now.wall)
        self._ping(self._standing_link, self._options.pong_timeout)
        self._arm(Timer.HEARTBEAT, self._options.heartbeat_interval)
        self._arm(Timer.STABLE, self._options.stable_after)
        self._arm_tick()

    def _probe(self) -> None:
        if self._options.wire.pong is None:  # nothing would answer
            return
        link = self._standing_link
        link.apply(LinkSignal.DOUBT)
        self._enter(Status.SUSPECT)
        self._ping(link, self._options.probe_timeout)

    def _probe_or_replace(self) -> None:
        if self._options.wire.pong is None:
            self._attempt()
        else:
            self._probe()

    def _trust(self) -> None:
        self._probed_again = False
        self._disarm(Timer.SILENCE)
        self._enter(Status.CONNECTED)

    def _replace(self) -> None:
        reason = self._state.reason
        if self._online and reason is not None and reason.kind is ReasonKind.SILENCE:
            self._attempt()  # finding out took long enough
        else:
            self._retreat()

    def _retreat(self) -> None:
        if not self._online:
            self._go_offline()
        elif self._visible and self._backoff.exhausted:
            self._enter(Status.EXHAUSTED)
            self._rest()
        else:
            self._enter(Status.WAITING)
            self._arm_retry(self._backoff.next_delay())

    def _rest(self) -> None:
        if self._options.rest > 0:
            self._arm_retry(self._backoff.spread(self._options.rest))

    def _go_offline(self) -> None:
        self._abandon()
        self._enter(Status.OFFLINE)
        self._arm_retry(self._options.offline_interval)

    def _suspend(self) -> None:
        self._abandon()
        self._enter(Status.SUSPENDED)

    def _reject(self) -> None:
        self._enter(Status.REJECTED)

    def _close(self) -> None:
        self._abandon()
        self._enter(Status.CLOSED)
        self._change(attempt=0, reason=None)

    # --- what actions are made of ---

    @property
    def _standing_link(self) -> Link:
        """The link, in a status that cannot be without one."""
        assert self._link is not None
        return self._link

    def _open_link(self) -> None:
        self._abandon()
        self._link_count += 1
        self._link = Link(
            self._link_count,
            self._now.monotonic,
            Heartbeat(),
            needs_ready=self._options.wire.ready is not None,
        )
        self._change(attempt=self._state.attempt + 1)
        self._arm(Timer.CONNECT, self._options.connect_timeout)
        self._do(FetchToken(self._link_count))

    def _abandon(self) -> None:
        if self._link is not None:
            self._link.apply(LinkSignal.ENDED)
            self._do(AbandonLink(self._link.number))
            self._link = None
            self._disarm(Timer.CONNECT)

    def _lose(self, reason: Reason) -> None:
        self._abandon()
        self._change(reason=reason)
        self._fire(Trigger.LOST)

    def _refuse(self, reason: Reason) -> None:
        self._abandon()
        self._change(reason=reason)
        self._fire(Trigger.REFUSED)

    def _hear(self, link: Link) -> None:
        if link.note_heard(self._now.monotonic):
            self._fire(Trigger.TRUSTED)

    def _ping(self, link: Link, patience: float | None) -> None:
        """Ask for an answer; ``patience`` seconds until silence means something, None: that is running already."""
        link.heartbeat.asked(self._now.monotonic)
        self._do(SendPing(link.number, self._now.monotonic))
        if patience is not None and self._options.wire.pong is not None:
            self._arm(Timer.SILENCE, patience)

    def _note_served(self) -> None:
        """The server serves us: the budget is whole again, and the token is a good one."""
        self._backoff.refill()
        self._token_renewals = 0

    def _hold_back(self, seconds: float) -> None:
        self._not_before = self._now.monotonic + self._backoff.spread_up(seconds)

    def _enter(self, status: Status) -> None:
        for timer in self._timers.keys() - states.TIMERS[status]:
            self._disarm(timer)
        stands = status in (Status.CONNECTED, Status.SUSPECT)
        self._change(
            status=status,
            retry_at=None,
            rtt=self._state.rtt if stands else None,
            connected_since=self._state.connected_since if stands else None,
        )

    def _arm(self, timer: Timer, seconds: float) -> None:
        self._arm_at(timer, self._now.monotonic + seconds)

    def _arm_tick(self) -> None:
        self._tick_throttled = not self._visible
        self._arm(Timer.TICK, TICK_SECONDS)

    def _arm_retry(self, seconds: float) -> None:
        """Attempt in ``seconds``, but not before the time that the server asked for."""
        at = self._now.monotonic + seconds
        self._arm_at(Timer.RETRY, at if self._not_before is None else max(at, self._not_before))

    def _arm_at(self, timer: Timer, at: float) -> None:
        self._timers[timer] = at
        self._do(SetTimer(timer, at))
        if timer is Timer.RETRY and self.status is Status.WAITING:
            self._change(retry_at=at)

    def _disarm(self, timer: Timer) -> None:
        if self._timers.pop(timer, None) is not None:
            self._do(CancelTimer(timer))

    def _do(self, command: Command) -> None:
        self._commands.append(command)

    def _change(self, **parts: Any) -> None:
        self._state = replace(self._state, **parts)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    """``value`` if it is a finite number that a float can hold; servers may send anything."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        return None
    return value


def _parse_word(text: str) -> Mapping[str, Any]:
    """The server's word in a close reason: a JSON object as in a ``bye`` frame; empty if it is none."""
    try:
        return read_frame(text)
    except NotAFrame:
        return {}
