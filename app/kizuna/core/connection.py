"""The connection: decides what to do about every event. Events in, commands out.

It has no clock, socket or random numbers of its own, so every test of it runs in microseconds and every failure can
be replayed. Where an event leads is data in ``states.py``; the actions named there are methods here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kizuna.core import events, rollover, server_close, sleep, states
from kizuna.core.attempt_limits import AttemptLimits
from kizuna.core.backoff import Backoff
from kizuna.core.close_codes import Policy
from kizuna.core.commands import (
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
from kizuna.core.events import CallerEvent, Event, LinkEvent, Timer
from kizuna.core.link import Link
from kizuna.core.links import Links
from kizuna.core.server_close import ServerClose
from kizuna.core.state import ConnectionState, Reason, ReasonKind
from kizuna.core.states import LinkSignal, LinkState, Status, Trigger
from kizuna.options import Options
from kizuna.platform import Instant, PageEvent
from kizuna.wire import FrameKind

TICK_SECONDS = 1.0


class Connection:
    """The decisions about one connection. Applications use WebSocketService instead.

    Args:
        options: The numbers to decide by.
        random: Returns numbers in [0, 1).
    """

    def __init__(self, options: Options, random: Callable[[], float]) -> None:
        self._options = options
        self._backoff = Backoff(
            first_delay=options.first_retry_delay,
            max_retries=options.max_retries,
            jitter=options.jitter,
            random=random,
        )
        self._random = random
        self._links = Links(needs_ready=options.wire.ready is not None)
        self._state = ConnectionState()
        self._timers: dict[Timer, float] = {}
        self._commands: list[Command] = []
        self._now = Instant(0.0, 0.0)
        self._sleep = sleep.SleepDetector(options.sleep_threshold)
        self._visible = True
        self._online = True
        self._token_renewals = 0  # refusals of a token in a row
        self._try_now_at = -math.inf
        self._limits = AttemptLimits(options.connect_timeout, options.stale_attempt_after)
        self._candidate_at = -math.inf  # when the last candidate was begun

    # --- what others may see ---

    @property
    def state(self) -> ConnectionState:
        """Return the state after the last event."""
        return self._state

    @property
    def status(self) -> Status:
        """Return ``state.status``."""
        return self._state.status

    @property
    def link(self) -> Link | None:
        """Return the current link: it carries the application's frames, or will. None: there is no link."""
        return self._links.current

    @property
    def links(self) -> list[Link]:
        """Return every link that was not abandoned: two during a rollover, else one or none."""
        return self._links.all

    @property
    def timers(self) -> Mapping[Timer, float]:
        """Return the timers that are set and their deadlines (monotonic seconds)."""
        return self._timers

    # --- events in, commands out ---

    def handle(self, event: Event, now: Instant) -> list[Command]:
        """Handle ``event``, and return what to do about it, in order.

        An event that makes no sense now, or belongs to an unknown link, changes nothing.
        """
        self._commands = []
        self._now = now
        if isinstance(event, events.TimerFired):
            self._on_timer_fired(event.timer, throttled=event.throttled)
        elif isinstance(event, events.LinkEvent):
            link = self._links.find(event.link)
            if link is None:
                return []
            slept = self._sleep.slept(now)
            self._on_link_event(event, link)
            if slept:  # after the event: a frame that arrives first was often sent before the sleep
                self._fire(Trigger.WOKE)
        else:
            if self._sleep.slept(now):
                self._fire(Trigger.WOKE)
            self._on_event(event)
        return self._commands

    def _on_timer_fired(self, timer: Timer, *, throttled: bool) -> None:
        due = self._timers.get(timer)
        late = 0.0 if due is None else self._now.monotonic - due
        if self._sleep.slept(self._now):
            self._fire(Trigger.WOKE)
        elif throttled and timer is Timer.TICK and self._sleep.may_have_slept(late):
            self._fire(Trigger.DOUBTED)
        if due is None or self._timers.get(timer) != due:  # waking has cancelled it, or set it again
            return
        del self._timers[timer]
        link = self._links.timed_by(timer)
        was_held_up = late > sleep.LATE and (self._visible or not throttled)  # not only its timers
        if link is not None:
            link.is_postponed = was_held_up and not link.is_postponed
            if link.is_postponed:
                self._arm(timer, sleep.POSTPONED_BY)
                return
        self._on_timer(timer)

    def _on_event(self, event: CallerEvent | PageEvent) -> None:
        match event:
            case events.ConnectRequested():
                self._fire(Trigger.CONNECT)
            case events.DisconnectRequested():
                self._fire(Trigger.DISCONNECT)
            case events.RetryRequested():
                self._fire(Trigger.TRY_NOW)
            case events.DoubtRaised():
                self._fire(Trigger.DOUBTED)
            # It also fires for each new estimate of speed, so without pongs it must not open candidates.
            case events.NetworkChanged() if self._options.wire.pong is not None:
                self._fire(Trigger.DOUBTED)
            case events.PageShown():
                self._visible = True
                self._fire(Trigger.SHOWN)
            case events.PageHidden():
                self._visible = False
                self._sleep.page_hidden()
            case events.WentOnline():
                self._online = True
                self._fire(Trigger.ONLINE)
            case events.WentOffline():
                self._online = False
                self._fire(Trigger.OFFLINE)
            case events.PageSuspended():
                self._fire(Trigger.SUSPENDED)
            case events.PageResumed():
                self._fire(Trigger.RESUMED)
            case events.MachineSlept() if self._sleep.accept_worker_report(self._now):
                self._fire(Trigger.RESUMED)  # not WOKE: an attempt begun after the sleep goes on

    def _on_link_event(self, event: LinkEvent, link: Link) -> None:
        match event:
            case events.TokenObtained(token=token):
                if link.note_token(self._now.monotonic):
                    self._arm(self._links.deadline_of(link), self._limits.deadline)
                    self._do(OpenSocket(link.number, token))
            case events.TokenFailed():
                self._on_server_close(link, server_close.from_token_failure(event))
            case events.SocketOpened():
                if link.note_opened(self._now.monotonic):
                    self._on_opened(link)
            case events.FrameReceived(frame=frame):
                self._on_frame(frame, link)
            case events.FrameMalformed(problem=problem):
                self._mark_alive(link)
                self._do(ReportMalformed(problem))
            case events.SocketClosed(code=code, reason=reason) if link.is_open:
                self._on_server_close(link, server_close.from_close(code, reason))
            case events.SocketClosed(code=code):
                self._link_lost(link, Reason(ReasonKind.UNREACHABLE, "the server cannot be reached", code))
            case events.LinkPrepared():
                if link.note_prepared():
                    self._on_proven(link)
            case events.PrepareFailed(detail=detail):  # pragma: no branch
                words = detail or "the application could not prepare the link"
                self._link_lost(link, Reason(ReasonKind.PREPARE_FAILED, words))

    def _on_opened(self, link: Link) -> None:
        # Without ready on this wire, only the application's preparation is awaited.
        seconds = self._options.prepare_timeout if link.is_ready else self._limits.deadline
        self._arm(self._links.deadline_of(link), seconds)
        self._do(PrepareLink(link.number))

    def _on_frame(self, frame: Mapping[str, Any], link: Link) -> None:
        self._mark_alive(link)
        self._do(Deliver(link.number, frame))
        match self._options.wire.kind_of(frame):
            case FrameKind.READY:
                self._on_ready(frame, link)
            case FrameKind.PONG:
                t = server_close.number(frame.get("t"))
                link.heartbeat.pong_received(self._now.monotonic, None if t is None else t / 1000)
                if link is self._links.current:
                    self._change(rtt=link.heartbeat.rtt)
            case FrameKind.BYE:
                self._on_server_close(link, server_close.from_bye(frame))
            case FrameKind.OTHER:  # pragma: no branch
                pass

    def _on_ready(self, frame: Mapping[str, Any], link: Link) -> None:
        if link.is_ready or link.state is not LinkState.PROVING:
            return
        link.expires_in = server_close.number(frame.get("expiresIn"))
        self._arm(self._links.deadline_of(link), self._options.prepare_timeout)
        if link.note_ready():
            self._on_proven(link)

    def _on_proven(self, link: Link) -> None:
        self._fire(Trigger.PROMOTED if link is self._links.candidate else Trigger.PROVEN)

    def _on_server_close(self, link: Link, end: ServerClose) -> None:
        """Handle the end of a link by the server."""
        # While a candidate is on its way it is no refusal: a server that allows one session closes the older one.
        if link is self._links.current and self._links.candidate is None and self._is_refusal(end.policy):
            unauthorized = end.policy is Policy.RENEW_TOKEN
            self._rejected(replace(end.reason, kind=ReasonKind.UNAUTHORIZED) if unauthorized else end.reason)
            return
        if end.retry_after is not None:
            now = self._now.monotonic
            self._backoff.set_server_delay(now, min(end.retry_after, self._options.max_retry_after))
            candidate = self._links.candidate
            if candidate is not None and not candidate.is_ready:  # the server wants no link yet
                self._drop_candidate()
        if link in self.links:
            self._link_lost(link, end.reason)

    def _is_refusal(self, policy: Policy) -> bool:
        """Return whether the server wants no further attempt, or has refused a token twice in a row."""
        self._token_renewals += policy is Policy.RENEW_TOKEN
        return policy is Policy.STOP or self._token_renewals > 1

    def _on_timer(self, timer: Timer) -> None:
        match timer:
            case Timer.RETRY:
                self._fire(Trigger.RETRY_DUE)
            case Timer.CONNECT:
                self._on_connect_deadline()
            case Timer.HEARTBEAT:
                self._on_heartbeat()
            case Timer.SILENCE:
                self._on_silence()
            case Timer.STABLE:
                self._backoff.reset_delay()
                self._note_success()
            case Timer.ROLLOVER:
                self._fire(Trigger.ROLLOVER_DUE)
            case Timer.CANDIDATE:
                self._note_timeout(self._links.candidate)
                self._drop_candidate()
            case Timer.RETIRE:
                self._end(self._links.retiring)
            case Timer.TICK:  # pragma: no branch
                self._arm_tick()

    def _on_connect_deadline(self) -> None:
        link = self._current_link
        if link.is_open and link.is_ready:
            self._link_lost(link, Reason(ReasonKind.PREPARE_FAILED, "the link was not prepared in time"))
        else:
            self._note_timeout(link)
            self._link_lost(link, Reason(ReasonKind.TIMEOUT, "the server did not answer in time"))

    def _on_heartbeat(self) -> None:
        link = self._current_link
        # The timer of an earlier ping stays: pings that are more frequent would restart it for ever.
        self._ping(link, None if link.heartbeat.is_silent else self._options.pong_timeout)
        self._arm(Timer.HEARTBEAT, self._options.heartbeat_interval)

    def _on_silence(self) -> None:
        match self._current_link.heartbeat.silence_means(self.status):
            case Trigger.DOUBTED:
                self._fire(Trigger.DOUBTED)
            case Trigger.LOST:
                self._link_lost(
                    self._current_link, Reason(ReasonKind.SILENCE, "the server stopped responding")
                )

    # --- the actions named in states.STATUS_TABLE ---

    def _fire(self, trigger: Trigger) -> None:
        row = states.row(self.status, trigger)
        if row is states.IGNORED:
            return
        getattr(self, f"_{row.action}")()
        assert self.status in row.to, f"{row.action} led to {self.status}, which {trigger} does not name"

    def _start(self) -> None:
        self._backoff.refill()
        self._backoff.reset_delay()
        self._backoff.release()
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
            self._schedule_idle_retry()

    def _restart_stale_attempt(self) -> None:
        if self._now.monotonic - self._current_link.active_at > self._limits.stale_attempt_after:
            self._limits.note_restart()
            self._open_link()

    def _restart(self) -> None:
        self._open_link()

    def _retry_with_full_budget(self) -> None:
        self._backoff.refill()
        self._attempt_when_allowed()

    def _attempt_when_allowed(self) -> None:
        if self._server_delay_left > 0:
            self._wait(0.0)
        else:
            self._attempt()

    def _retry_anew(self) -> None:
        self._backoff.reset_delay()
        self._retry_with_full_budget()

    def _try_now(self) -> None:
        now = self._now.monotonic
        if now - self._try_now_at < self._options.try_now_interval:
            return
        self._try_now_at = now
        self._backoff.release()
        self._retry_anew()

    def _become_connected(self) -> None:
        self._limits.note_proven(self._current_link.slowest_step)
        if self._options.wire.ready is not None:  # without ready, only uptime proves the server
            self._note_success()
        self._enter(Status.CONNECTED)
        self._change(attempt=0, reason=None, connected_since=self._now.wall)
        self._begin_heartbeat()
        self._arm(Timer.STABLE, self._options.stable_after)
        self._arm_tick()

    def _begin_rollover(self) -> None:
        self._end(self._links.retiring)
        self._disarm(Timer.ROLLOVER)  # when a doubt begins it
        candidate = self._links.candidate = self._links.create(self._now.monotonic)
        self._candidate_at = self._now.monotonic
        self._arm(Timer.CANDIDATE, self._limits.deadline)
        self._do(FetchToken(candidate.number))

    def _promote(self) -> None:
        """Make the candidate the current link; the old link may still deliver frames that are on their way."""
        self._links.promote()
        self._disarm(Timer.CANDIDATE)
        self._limits.note_proven(self._current_link.slowest_step)
        if self._options.wire.has_seq:
            self._arm(Timer.RETIRE, self._options.retire_after)
        else:  # a frame that comes over both would be seen twice
            self._end(self._links.retiring)
        self._enter(Status.CONNECTED)
        self._begin_heartbeat()

    def _adopt_candidate(self) -> None:
        """Go on with the candidate as the attempt, since the current link ended while it was being prepared."""
        self._links.promote()
        left = self._timers[Timer.CANDIDATE] - self._now.monotonic  # of the candidate's current step
        self._enter(Status.CONNECTING)
        self._change(attempt=1)
        self._arm(Timer.CONNECT, max(0.0, left))

    def _probe(self) -> None:
        if self._options.wire.pong is None:
            return
        link = self._current_link
        link.apply(LinkSignal.DOUBT)
        self._enter(Status.SUSPECT)
        self._ping(link, self._options.probe_timeout)

    def _doubt(self) -> None:
        """Send a probe, or where the server answers none, open a candidate beside the doubted link."""
        if self._options.wire.pong is not None:
            self._probe()
            return
        self._current_link.apply(LinkSignal.DOUBT)
        self._enter(Status.SUSPECT)
        if self._links.candidate is None and self._doubt_delay > 0:
            self._arm(Timer.ROLLOVER, self._doubt_delay)
        elif self._links.candidate is None:
            self._begin_rollover()

    @property
    def _doubt_delay(self) -> float:
        """Return the seconds until a doubt may open another candidate, where the server answers no probe."""
        waits = self._candidate_at + rollover.DOUBT_INTERVAL - self._now.monotonic
        return max(self._server_delay_left, waits if self._options.wire.pong is None else 0.0)

    def _confirm_alive(self) -> None:
        self._disarm(Timer.SILENCE)
        self._enter(Status.CONNECTED)

    def _replace(self) -> None:
        reason = self._state.reason
        if self._online and reason is not None and reason.kind is ReasonKind.SILENCE:
            self._attempt_when_allowed()  # the silence was delay enough
        else:
            self._schedule_retry()

    def _schedule_retry(self) -> None:
        if not self._online:
            self._go_offline()
        elif self._visible and self._backoff.exhausted:
            self._enter(Status.EXHAUSTED)
            self._schedule_idle_retry()
        else:
            self._wait(self._backoff.next_delay())

    def _wait(self, seconds: float) -> None:
        self._enter(Status.WAITING)
        self._arm_retry(seconds)

    def _schedule_idle_retry(self) -> None:
        if self._options.idle_retry_interval > 0:
            self._arm_retry(self._backoff.jittered(self._options.idle_retry_interval))

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
    def _server_delay_left(self) -> float:
        """Return for how many more seconds the server wants no attempt."""
        return self._backoff.server_delay_left(self._now.monotonic)

    @property
    def _current_link(self) -> Link:
        """Return the current link, in a status that always has one."""
        assert self._links.current is not None
        return self._links.current

    def _open_link(self) -> None:
        self._abandon()
        link = self._links.current = self._links.create(self._now.monotonic)
        self._change(attempt=self._state.attempt + 1)
        self._arm(Timer.CONNECT, self._limits.deadline)
        self._do(FetchToken(link.number))

    def _abandon(self) -> None:
        """Abandon every link."""
        for link in self._links.all:
            self._end(link)

    def _drop_candidate(self) -> None:
        """Abandon the candidate that failed and plan another; the current link goes on."""
        self._end(self._links.candidate)
        pause = self._backoff.jittered(rollover.RETRY_AFTER)
        self._arm(Timer.ROLLOVER, max(pause, self._doubt_delay))

    def _end(self, link: Link | None) -> None:
        if link is not None:
            self._disarm(self._links.remove(link))
            link.apply(LinkSignal.ENDED)
            self._do(AbandonLink(link.number))

    def _link_lost(self, link: Link, reason: Reason) -> None:
        if link is self._links.candidate:
            self._drop_candidate()
        elif link is self._links.retiring:
            self._end(self._links.retiring)
        elif self._links.candidate is not None:
            self._end(link)
            self._change(reason=reason)
            self._fire(Trigger.ADOPTED)
        else:
            self._abandon()
            self._change(reason=reason)
            self._fire(Trigger.LOST)

    def _rejected(self, reason: Reason) -> None:
        self._abandon()
        self._change(reason=reason)
        self._fire(Trigger.REFUSED)

    def _mark_alive(self, link: Link) -> None:
        if link.note_frame(self._now.monotonic) and link is self._links.current:
            self._fire(Trigger.TRUSTED)

    def _begin_heartbeat(self) -> None:
        """Send the first ping of the link that was just proven, and set the timers of heartbeat and rollover."""
        link = self._current_link
        self._ping(link, self._options.pong_timeout)
        self._arm(Timer.HEARTBEAT, self._options.heartbeat_interval)
        due_in = rollover.due_in(self._options, link.expires_in, self._random)
        if due_in is not None:
            self._arm(Timer.ROLLOVER, due_in)

    def _ping(self, link: Link, timeout: float | None) -> None:
        """Send a ping; after ``timeout`` seconds silence counts. None: the timer of an earlier ping is set already."""
        link.heartbeat.ping_sent(self._now.monotonic)
        self._do(SendPing(link.number, self._now.monotonic))
        if timeout is not None and self._options.wire.pong is not None:
            link.is_postponed = False
            self._arm(Timer.SILENCE, timeout)

    def _note_timeout(self, link: Link | None) -> None:
        """Count a timeout, unless the link is ready: then the application was slow, not the network."""
        if link is not None and not (link.is_open and link.is_ready):
            self._limits.note_timeout()

    def _note_success(self) -> None:
        """Note that the server serves us: the budget is full again and the token is good."""
        self._backoff.refill()
        self._token_renewals = 0

    def _enter(self, status: Status) -> None:
        for timer in self._timers.keys() - states.TIMERS[status]:
            self._disarm(timer)
        is_connected = status in states.CONNECTED_STATUSES
        self._change(
            status=status,
            link=self._links.current.number if is_connected and self._links.current is not None else None,
            retry_at=None,
            rtt=self._state.rtt if is_connected else None,
            connected_since=self._state.connected_since if is_connected else None,
        )

    def _arm(self, timer: Timer, seconds: float) -> None:
        at = self._now.monotonic + seconds
        self._timers[timer] = at
        self._do(SetTimer(timer, at))
        if timer is Timer.RETRY and self.status is Status.WAITING:
            self._change(retry_at=at)

    def _arm_tick(self) -> None:
        self._sleep.tick_armed(visible=self._visible)
        self._arm(Timer.TICK, TICK_SECONDS)

    def _arm_retry(self, seconds: float) -> None:
        """Set the next attempt in ``seconds``, but not before the time that the server asked for."""
        self._arm(Timer.RETRY, max(seconds, self._server_delay_left))

    def _disarm(self, timer: Timer) -> None:
        if self._timers.pop(timer, None) is not None:
            self._do(CancelTimer(timer))

    def _do(self, command: Command) -> None:
        self._commands.append(command)

    def _change(self, **parts: Any) -> None:
        self._state = replace(self._state, **parts)
