"""The actions that the status table names: how each transition is done."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from kizuna.core import timing
from kizuna.core.events import SendPing, Timer
from kizuna.core.links import Link, Links
from kizuna.core.states import Action, LinkSignal, ReasonKind, Status
from kizuna.core.timing import AttemptLimits, Backoff, Context
from kizuna.wire import Numbers, Wire

TICK_SECONDS = 1.0


class Actions:
    """What a connection does about a trigger.

    Args:
        context: Where the actions read what is known, and leave commands and the state.
        wire, numbers, random: As Connection has them.
    """

    def __init__(self, context: Context, wire: Wire, numbers: Numbers, random: Callable[[], float]) -> None:
        self._context = context
        self._wire = wire
        self._numbers = numbers
        self._random = random
        self.links = Links(context, needs_ready=wire.ready is not None)
        self.backoff = Backoff(
            first_delay=numbers.first_retry_delay,
            max_retries=numbers.max_retries,
            jitter=numbers.jitter,
            random=random,
        )
        self.limits = AttemptLimits(numbers.connect_timeout, numbers.stale_attempt_after)
        self.sleep = timing.SleepDetector(numbers.sleep_threshold)
        self.token_refusals = 0  #: in a row
        self._try_now_at = -math.inf
        self._candidate_at = -math.inf  # when the last candidate was begun
        self.by_name: Mapping[Action, Callable[[], None]] = {
            action: getattr(self, action) for action in Action if action is not Action.IGNORE
        }

    # --- the actions ---

    def start(self) -> None:
        """Begin anew: the person or the application asked for it."""
        self.backoff.refill()
        self.backoff.reset_delay()
        self.backoff.release()
        self.token_refusals = 0
        self._context.change(attempt=0, reason=None)
        self.attempt()

    def attempt(self) -> None:
        """Open a link."""
        self.links.open(self.limits.deadline)
        self._enter(Status.CONNECTING)

    def retry(self) -> None:
        """Open a link; while the page is visible and online, that costs a retry."""
        if self._context.visible and self._context.online:
            self.backoff.spend()
        self.attempt()

    def attempt_quietly(self) -> None:
        """Open a link while the connection stays exhausted."""
        if self._context.visible and self._context.online:
            self.links.open(self.limits.deadline)
        else:
            self.schedule_idle_retry()

    def restart_stale_attempt(self) -> None:
        """Restart an attempt that has made no progress for long, since the page came back.

        Within the time that the server asked for it goes on: it was begun before, and another one has to wait.
        """
        if self._server_delay_left > 0:
            return
        if self._context.now.monotonic - self.links.required.active_at > self.limits.stale_attempt_after:
            self.limits.note_restart()
            self.links.open(self.limits.deadline)

    def restart_stale_attempt_now(self) -> None:
        """Restart such an attempt because a person wants one now."""
        self.backoff.release()
        self.restart_stale_attempt()

    def restart(self) -> None:
        """Restart the attempt: one that was begun before the sleep is lost.

        Its deadline ends it if the server wants no other one yet.
        """
        if self._server_delay_left <= 0:
            self.links.open(self.limits.deadline)

    def retry_with_full_budget(self) -> None:
        """Open a link with a full budget of retries."""
        self.backoff.refill()
        self._attempt_when_allowed()

    def retry_anew(self) -> None:
        """Open a link with a full budget, and start the delay at its first step."""
        self.backoff.reset_delay()
        self.retry_with_full_budget()

    def try_now(self) -> None:
        """Open a link because a person wants one now, unless they asked a moment ago."""
        now = self._context.now.monotonic
        if now - self._try_now_at < self._numbers.try_now_interval:
            return
        self._try_now_at = now
        self.backoff.release()
        self.retry_anew()

    def become_connected(self) -> None:
        """Deliver over the link that is proven, and look after it."""
        self.limits.note_proven(self.links.required.slowest_step)
        if self._wire.ready is not None:  # without ready, only uptime proves the server
            self.note_success()
        self._enter(Status.CONNECTED)
        self._context.change(attempt=0, reason=None, connected_since=self._context.now.monotonic)
        self._begin_heartbeat()
        self._context.set_timer(Timer.STABLE, self._numbers.stable_after)
        self.set_tick()

    def begin_rollover(self) -> None:
        """Open a candidate beside the current link."""
        self.links.end(self.links.retiring)
        self._context.cancel_timer(Timer.ROLLOVER)  # when a doubt begins it
        self.links.open_candidate(self.limits.deadline)
        self._candidate_at = self._context.now.monotonic

    def promote(self) -> None:
        """Make the candidate the current link; the old link may still deliver frames that are on their way."""
        self.links.promote()
        self._context.cancel_timer(Timer.CANDIDATE)
        self.limits.note_proven(self.links.required.slowest_step)
        if self._wire.has_seq:
            self._context.set_timer(Timer.RETIRE, self._numbers.retire_after)
        else:  # a frame that comes over both would be seen twice
            self.links.end(self.links.retiring)
        self._enter(Status.CONNECTED)
        self._begin_heartbeat()

    def adopt_candidate(self) -> None:
        """Go on with the candidate as the attempt, since the current link ended while it was being prepared."""
        self.links.promote()
        # Of the candidate's current step.
        left = self._context.timers[Timer.CANDIDATE] - self._context.now.monotonic
        self._enter(Status.CONNECTING)
        self._context.change(attempt=1)
        self._context.set_timer(Timer.CONNECT, max(0.0, left))

    def probe(self) -> None:
        """Doubt the link and send a ping that must be answered, where the server answers pings."""
        if self._wire.pong is None:
            return
        link = self.links.required
        link.apply(LinkSignal.DOUBT)
        self._enter(Status.SUSPECT)
        self.ping(link, self._numbers.probe_timeout)

    def doubt(self) -> None:
        """Send a probe, or where the server answers none, open a candidate beside the doubted link."""
        if self._wire.pong is not None:
            self.probe()
            return
        self.links.required.apply(LinkSignal.DOUBT)
        self._enter(Status.SUSPECT)
        if self.links.candidate is None and self._candidate_delay > 0:
            self._context.set_timer(Timer.ROLLOVER, self._candidate_delay)
        elif self.links.candidate is None:
            self.begin_rollover()

    def confirm_alive(self) -> None:
        """End the doubt."""
        self._context.cancel_timer(Timer.SILENCE)
        self._enter(Status.CONNECTED)

    def replace(self) -> None:
        """Replace a doubted link that is lost."""
        reason = self._context.state.reason
        if self._context.online and reason is not None and reason.kind is ReasonKind.SILENCE:
            self._attempt_when_allowed()  # the silence was delay enough
        else:
            self.schedule_retry()

    def schedule_retry(self) -> None:
        """Wait for the next attempt, or go offline, or give up."""
        if not self._context.online:
            self.go_offline()
        elif self._context.visible and self.backoff.exhausted:
            self._enter(Status.EXHAUSTED)
            self.schedule_idle_retry()
        else:
            self._wait(self.backoff.next_delay())

    def schedule_idle_retry(self) -> None:
        """Plan a quiet attempt while the connection is exhausted."""
        if self._numbers.idle_retry_interval > 0:
            self._set_retry(self.backoff.jittered(self._numbers.idle_retry_interval))

    def go_offline(self) -> None:
        """Abandon every link until the network is back; try now and then, since the browser may be wrong."""
        self.links.abandon()
        self._enter(Status.OFFLINE)
        self._set_retry(self._numbers.offline_interval)

    def suspend(self) -> None:
        """Abandon every link until the page is back."""
        self.links.abandon()
        self._enter(Status.SUSPENDED)

    def reject(self) -> None:
        """Stop: the server wants no further attempt."""
        self._enter(Status.REJECTED)

    def close(self) -> None:
        """Stop: the application disconnected."""
        self.links.abandon()
        self._enter(Status.CLOSED)
        self._context.change(attempt=0, reason=None)

    # --- what they are made of ---

    def _attempt_when_allowed(self) -> None:
        if self._server_delay_left > 0:
            self._wait(0.0)
        else:
            self.attempt()

    def _wait(self, seconds: float) -> None:
        self._enter(Status.WAITING)
        self._set_retry(seconds)

    def drop_candidate(self) -> None:
        """Abandon the candidate, which failed or is not wanted yet, and plan another; the current link goes on."""
        self.links.end(self.links.candidate)
        pause = self.backoff.jittered(timing.CANDIDATE_RETRY_AFTER)
        self._context.set_timer(Timer.ROLLOVER, max(pause, self._candidate_delay))

    def _begin_heartbeat(self) -> None:
        """Send the first ping of the link that was just proven, and set the timers of heartbeat and rollover."""
        link = self.links.required
        self.ping(link, self._numbers.pong_timeout)
        self._context.set_timer(Timer.HEARTBEAT, self._numbers.heartbeat_interval)
        due_in = timing.rollover_due_in(self._numbers, link.expires_in, self._random)
        if due_in is not None:
            self._context.set_timer(Timer.ROLLOVER, due_in)

    def ping(self, link: Link, timeout: float | None) -> None:
        """Send a ping; after ``timeout`` seconds silence counts. None: the timer of an earlier ping is set already."""
        link.heartbeat.ping_sent(self._context.now.monotonic)
        self._context.do(SendPing(link.number, self._context.now.monotonic))
        if timeout is not None and self._wire.pong is not None:
            link.is_postponed = False
            self._context.set_timer(Timer.SILENCE, timeout)

    def note_success(self) -> None:
        """Note that the server serves us: the budget is full again and the token is good."""
        self.backoff.refill()
        self.token_refusals = 0

    @property
    def _candidate_delay(self) -> float:
        """Return the seconds until a candidate may be opened: as the server asked, or because of the one before."""
        waits = self._candidate_at + timing.CANDIDATE_INTERVAL - self._context.now.monotonic
        return max(self._server_delay_left, waits if self._wire.pong is None else 0.0)

    @property
    def _server_delay_left(self) -> float:
        """Return for how many more seconds the server wants no attempt."""
        return self.backoff.server_delay_left(self._context.now.monotonic)

    def set_tick(self) -> None:
        """Set the next tick, by which a page without a worker notices that it slept."""
        self.sleep.tick_armed(visible=self._context.visible)
        self._context.set_timer(Timer.TICK, TICK_SECONDS)

    def _set_retry(self, seconds: float) -> None:
        """Set the next attempt in ``seconds``, but not before the time that the server asked for."""
        self._context.set_timer(Timer.RETRY, max(seconds, self._server_delay_left))

    def _enter(self, status: Status) -> None:
        current = self.links.current
        self._context.enter(status, None if current is None else current.number)
