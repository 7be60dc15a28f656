"""The core: the decisions of a connection, without clock, socket, random numbers or asyncio.

``Connection.handle(event, now)`` returns commands, which ``WebSocketService`` carries out. An event becomes a trigger;
the row of ``states.STATUS_TABLE`` for status and trigger names a method of ``Actions``, and the statuses that it may
lead to. ``docs/architecture.md`` tells the theory of operation, ``docs/states.md`` the rollover step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kizuna.core import events, states, timing
from kizuna.core.actions import Actions
from kizuna.core.events import (
    CallerEvent,
    Command,
    Deliver,
    Event,
    LinkEvent,
    OpenSocket,
    PrepareLink,
    ReportMalformed,
    Timer,
)
from kizuna.core.links import Link, Policy, ServerClose, from_bye, from_close, from_token_failure
from kizuna.core.states import ConnectionState, LinkState, Reason, ReasonKind, Status, Trigger
from kizuna.core.timing import Context
from kizuna.platform import Instant, PageEvent
from kizuna.wire import FrameKind, Numbers, Wire, finite_number


class Connection:
    """The decisions about one connection. Applications use WebSocketService instead.

    Args:
        wire: The frames that belong to the connection itself.
        numbers: The numbers to decide by.
        random: Returns numbers in [0, 1).
    """

    def __init__(self, wire: Wire, numbers: Numbers, random: Callable[[], float]) -> None:
        self._wire = wire
        self._numbers = numbers
        self._context = Context()
        self._actions = Actions(self._context, wire, numbers, random)
        self._links = self._actions.links
        #: Whether FrameReceived with a frame would deliver it and do nothing else. That holds for a link that was not
        #: abandoned, at the moment of the event before: then no time has passed, and so no sleep. Thousands of frames
        #: may come at one moment, and handling an event costs more than asking this.
        self.only_delivers = wire.ordinary_test()

    # --- what others may see ---

    @property
    def state(self) -> ConnectionState:
        """Return the state after the last event."""
        return self._context.state

    @property
    def status(self) -> Status:
        """Return ``state.status``."""
        return self._context.state.status

    @property
    def link(self) -> Link | None:
        """Return the current link: it carries the application's frames, or will. None: there is no link."""
        return self._links.current

    @property
    def links(self) -> list[Link]:
        """Return every link that was not abandoned: two during a rollover, else one or none."""
        return self._links.all

    def find(self, number: int) -> Link | None:
        """Return the link of this number; None for one that was abandoned."""
        return self._links.find(number)

    def unproven_link_of(self, timer: Timer) -> Link | None:
        """Return the link whose next step ``timer`` limits, if it is not proven yet."""
        link = self._links.timed_by(timer)
        return link if link is not None and link.state in (LinkState.OPENING, LinkState.PROVING) else None

    @property
    def timers(self) -> Mapping[Timer, float]:
        """Return the timers that are set and their deadlines (monotonic seconds)."""
        return self._context.timers

    # --- events in, commands out ---

    def handle(self, event: Event, now: Instant) -> list[Command]:
        """Handle ``event``, and return what to do about it, in order.

        An event that makes no sense now, or belongs to an unknown link, changes nothing.
        """
        self._context.begin(now)
        if isinstance(event, events.TimerFired):
            self._on_timer_fired(event.timer, throttled=event.throttled, unread=event.unread)
        elif isinstance(event, events.LinkEvent):
            link = self._links.find(event.link)
            if link is None:
                return []
            slept = self._actions.sleep.slept(now)
            self._on_link_event(event, link)
            if slept:  # after the event: a frame that arrives first was often sent before the sleep
                self._fire(Trigger.WOKE)
        else:
            if self._actions.sleep.slept(now):
                self._fire(Trigger.WOKE)
            self._on_event(event)
        return self._context.commands

    def _on_timer_fired(self, timer: Timer, *, throttled: bool, unread: bool) -> None:
        due = self._context.timers.get(timer)
        late = 0.0 if due is None else self._context.now.monotonic - due
        if self._actions.sleep.slept(self._context.now):
            self._fire(Trigger.WOKE)
        elif throttled and timer is Timer.TICK and self._actions.sleep.may_have_slept(late):
            self._fire(Trigger.DOUBTED)
        if due is None or timer in self._context.changed_timers:  # waking has cancelled it, or set it again
            return
        del self._context.timers[timer]
        link = self._links.timed_by(timer)
        was_held_up = late > timing.LATE and (self._context.visible or not throttled)  # not only its timers
        if link is not None:
            link.is_postponed = unread or (was_held_up and not link.is_postponed)
            if link.is_postponed:
                self._context.set_timer(timer, timing.POSTPONED_BY)
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
            case events.NetworkChanged() if self._wire.pong is not None:
                self._fire(Trigger.DOUBTED)
            case events.PageShown():
                self._context.visible = True
                self._fire(Trigger.SHOWN)
            case events.PageHidden():
                self._context.visible = False
                self._actions.sleep.page_hidden()
            case events.WentOnline():
                self._context.online = True
                self._fire(Trigger.ONLINE)
            case events.WentOffline():
                self._context.online = False
                self._fire(Trigger.OFFLINE)
            case events.PageSuspended():
                self._fire(Trigger.SUSPENDED)
            case events.PageResumed():
                self._fire(Trigger.RESUMED)
            case events.MachineSlept() if self._actions.sleep.accept_worker_report(self._context.now):
                self._fire(Trigger.RESUMED)  # not WOKE: an attempt begun after the sleep goes on

    def _on_link_event(self, event: LinkEvent, link: Link) -> None:
        match event:
            case events.TokenObtained(token=token):
                if link.note_token(self._context.now.monotonic):
                    self._context.set_timer(self._links.deadline_of(link), self._actions.limits.deadline)
                    self._context.do(OpenSocket(link.number, token))
            case events.TokenFailed():
                self._on_server_close(link, from_token_failure(event))
            case events.SocketOpened():
                if link.note_opened(self._context.now.monotonic):
                    self._on_opened(link)
            case events.FrameArrived():
                if link.note_frame(self._context.now.monotonic) and link is self._links.current:
                    self._fire(Trigger.TRUSTED)
            case events.FrameReceived():
                self._on_frame(event, link)
            case events.FrameMalformed(problem=problem):
                self._context.do(ReportMalformed(problem))
            case events.SocketClosed(code=code, reason=reason) if link.is_open:
                self._on_server_close(link, from_close(code, reason))
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
        seconds = self._numbers.prepare_timeout if link.is_ready else self._actions.limits.deadline
        self._context.set_timer(self._links.deadline_of(link), seconds)
        self._context.do(PrepareLink(link.number))

    def _on_frame(self, event: events.FrameReceived, link: Link) -> None:
        frame = event.frame
        self._context.do(Deliver(link.number, frame))
        if self.only_delivers(frame):
            return
        said: Mapping[str, Any] = frame if isinstance(frame, Mapping) else {}
        match self._wire.kind_of(frame):
            case FrameKind.READY:
                self._on_ready(said, link)
            case FrameKind.PONG:
                arrived_at = self._context.now.monotonic if event.at is None else event.at
                self._on_pong(said, link, arrived_at)
            case FrameKind.BYE:  # pragma: no branch
                self._on_server_close(link, from_bye(said))

    def _on_pong(self, pong: Mapping[str, Any], link: Link, arrived_at: float) -> None:
        t = finite_number(pong.get("t"))
        if callable(self._wire.ping):
            link.heartbeat.pong_received(arrived_at, None if t is None else t / 1000)
        else:
            link.heartbeat.pong_without_time_received(arrived_at)
        if link is self._links.current:
            self._context.change(rtt=link.heartbeat.rtt)

    def _on_ready(self, frame: Mapping[str, Any], link: Link) -> None:
        if link.is_ready or link.state is not LinkState.PROVING:
            return
        link.expires_in = finite_number(frame.get("expiresIn"))
        self._context.set_timer(self._links.deadline_of(link), self._numbers.prepare_timeout)
        if link.note_ready():
            self._on_proven(link)

    def _on_proven(self, link: Link) -> None:
        self._fire(Trigger.PROMOTED if link is self._links.candidate else Trigger.PROVEN)

    def _on_server_close(self, link: Link, end: ServerClose) -> None:
        """Handle the end of a link by the server."""
        # While a candidate is on its way it is no refusal: a server that allows one session closes the older one.
        if link is self._links.current and self._links.candidate is None and self._is_refusal(end.policy):
            unauthorized = end.policy is Policy.RENEW_TOKEN
            self._rejected(end.reason._replace(kind=ReasonKind.UNAUTHORIZED) if unauthorized else end.reason)
            return
        if end.retry_after is not None and end.policy is not Policy.STOP:
            now = self._context.now.monotonic
            self._actions.backoff.set_server_delay(now, min(end.retry_after, self._numbers.max_retry_after))
            candidate = self._links.candidate
            if candidate is not None and not candidate.is_accepted:  # the server wants no link yet
                self._actions.drop_candidate()
        if link in self.links:
            self._link_lost(link, end.reason)

    def _is_refusal(self, policy: Policy) -> bool:
        """Return whether the server wants no further attempt, or has refused a token twice in a row."""
        self._actions.token_refusals += policy is Policy.RENEW_TOKEN
        return policy is Policy.STOP or self._actions.token_refusals > 1

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
                self._actions.backoff.reset_delay()
                self._actions.note_success()
            case Timer.ROLLOVER:
                self._fire(Trigger.ROLLOVER_DUE)
            case Timer.CANDIDATE:
                self._note_timeout(self._links.candidate)
                self._actions.drop_candidate()
            case Timer.RETIRE:
                self._links.end(self._links.retiring)
            case Timer.TICK:  # pragma: no branch
                self._actions.set_tick()

    def _on_connect_deadline(self) -> None:
        link = self._links.required
        if link.is_accepted:
            self._link_lost(link, Reason(ReasonKind.PREPARE_FAILED, "the link was not prepared in time"))
        else:
            self._note_timeout(link)
            self._link_lost(link, Reason(ReasonKind.TIMEOUT, "the server did not answer in time"))

    def _on_heartbeat(self) -> None:
        link = self._links.required
        # The timer of an earlier ping stays: pings that are more frequent would restart it for ever.
        self._actions.ping(link, None if link.heartbeat.is_silent else self._numbers.pong_timeout)
        self._context.set_timer(Timer.HEARTBEAT, self._numbers.heartbeat_interval)

    def _on_silence(self) -> None:
        match self._links.required.heartbeat.silence_means(self.status):
            case Trigger.DOUBTED:
                self._fire(Trigger.DOUBTED)
            case Trigger.LOST:
                self._link_lost(
                    self._links.required, Reason(ReasonKind.SILENCE, "the server stopped responding")
                )

    # --- triggers ---

    def _fire(self, trigger: Trigger) -> None:
        row = states.row(self.status, trigger)
        if row is states.IGNORED:
            return
        self._actions.by_name[row.action]()
        assert self.status in row.to, f"{row.action} led to {self.status}, which {trigger} does not name"

    def _link_lost(self, link: Link, reason: Reason) -> None:
        if link is self._links.candidate:
            self._actions.drop_candidate()
        elif link is self._links.retiring:
            self._links.end(self._links.retiring)
        elif self._links.candidate is not None:
            self._links.end(link)
            self._context.change(reason=reason)
            self._fire(Trigger.ADOPTED)
        else:
            self._links.abandon()
            self._context.change(reason=reason)
            self._fire(Trigger.LOST)

    def _rejected(self, reason: Reason) -> None:
        self._links.abandon()
        self._context.change(reason=reason)
        self._fire(Trigger.REFUSED)

    def _note_timeout(self, link: Link | None) -> None:
        """Count a timeout, unless the link is accepted: then the application was slow, not the network."""
        if link is not None and not link.is_accepted:
            self._actions.limits.note_timeout()
