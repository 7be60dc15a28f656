"""The service: one connection, with the article's names in Python's spelling.

The decisions are made in :class:`~kizuna.core.Connection`; this file carries them out.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Generator, Sequence
from enum import Enum
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from kizuna.codec import JSON, Codec, Value, message_text
from kizuna.core import Connection, events
from kizuna.core.events import Timer
from kizuna.core.states import CONNECTED_STATUSES, ConnectionState, Status
from kizuna.errors import (
    ConnectionFailed,
    Disconnected,
    Exhausted,
    KizunaError,
    NotConnected,
    Rejected,
)
from kizuna.platform import (
    GetAddress,
    Instant,
    PageState,
    Platform,
    TimerHandle,
    default_platform,
    page_after,
    whole_address,
)
from kizuna.runtime.journal import Journal, Statistics, StatisticsRecorder, remedy, remedy_to_send
from kizuna.runtime.subscribers import ErrorReports, FrameQueue, FrameStream, Handler, Subscribers
from kizuna.runtime.transport import (
    CHARACTERS_PER_LOOK,
    SLICE_SECONDS,
    Arrival,
    Arrivals,
    Frame,
    GetAccessToken,
    Home,
    LinkHandle,
    Prepare,
    Transport,
    check_arguments,
    check_ping,
)
from kizuna.store import Store
from kizuna.wire import KIZUNA, Numbers, Options, Wire

logger = logging.getLogger("kizuna.service")

Part = TypeVar("Part")

_FRAME = (str, bytes)


class _Own(Enum):
    """An event of the service itself, of which the connection learns nothing."""

    SLICE_DUE = "slice due"


class WebSocketService(Generic[Value]):
    """One connection on behalf of an application.

    The arguments and errors are those of :func:`kizuna.connect`; the wire is KIZUNA unless another one is given.
    """

    def __init__(
        self,
        url: str | GetAddress,
        get_access_token: GetAccessToken | None = None,
        *,
        protocols: Sequence[str] = (),
        platform: Platform | None = None,
        codec: Codec[Value] = JSON,
        wire: Wire = KIZUNA,
        options: Options | None = None,
    ) -> None:
        self._address = url if callable(url) else whole_address(url, protocols)
        self._home = Home(self._address)
        self._get_access_token = get_access_token
        self.platform = platform = platform or default_platform()  #: where it runs
        check_arguments(get_access_token, codec, wire, options, platform)
        check_ping(wire, codec)
        self._codec = codec
        self._decode = codec.decode
        self.wire = wire  #: which frames are the connection's own
        self._pong_mark = None if wire.pong is None else wire.pong_mark
        self._numbers = Numbers.of(wire.defaults, options or {})
        self._connection = Connection(wire, self._numbers, platform.random)
        self._errors = ErrorReports(platform.now)
        self._only_delivers = self._connection.only_delivers
        self._store = Store(self._connection.state, self._errors.report)
        self._messages: Subscribers[Value] = Subscribers(self._errors.report)
        self._malformed: Subscribers[str] = Subscribers(self._errors.report)
        self._preparations: dict[object, Prepare[Value]] = {}
        self._transports: dict[int, Transport] = {}
        self._recorder = StatisticsRecorder()
        self._unread: FrameQueue[Value] = FrameQueue(self._set_reading)
        self._messages.attach(self._unread)
        self._is_looped = False  # whether a loop over the frames ever began
        self._is_held = False  # whether a socket lets its server wait
        self.journal = Journal()  #: the latest events, for diagnosis
        self._timers: dict[Timer, TimerHandle] = {}
        self._waiters: set[asyncio.Future[ConnectionFailed | None]] = set()
        self._events: deque[events.Event | _Own] = deque()
        self._is_dispatching = False
        self._arrivals = Arrivals(platform, lambda: self._dispatch(_Own.SLICE_DUE))
        self._is_in_slice = False
        self._run_slice: Callable[[Callable[[], None]], None] = _call
        self._stop_watching: Callable[[], None] | None = None
        self._page = PageState()

    # --- connecting ---

    async def connect(self) -> None:
        """Connect, and return once connected; at once if it is connected already.

        Several calls may wait at the same time. Cancelling a call ends the wait, not the attempts.

        Raises:
            Rejected: The server wants no further attempt.
            Disconnected: disconnect() was called meanwhile.
            Exhausted: The retry budget is spent, and ``idle_retry_interval`` is 0: nothing goes on by itself.
        """
        if self._is_dispatching:  # called from a handler by an eager task: the event would only be queued
            await asyncio.sleep(0)
        if self._stop_watching is None:
            self._home.enter()
            self._stop_watching = self.platform.watch_page(self._on_page_event)
        self._read_page()
        self._dispatch(events.ConnectRequested())
        is_over, failure = self._outcome()
        if not is_over:
            failure = await self._wait()
        if failure is not None:
            raise failure

    async def _wait(self) -> ConnectionFailed | None:
        waiter: asyncio.Future[ConnectionFailed | None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            return await waiter
        finally:
            self._waiters.discard(waiter)

    def disconnect(self) -> None:
        """Close on purpose, until connect() is called. Afterwards no timer, listener or task is left.

        Frames that have arrived and were not delivered yet are dropped.
        """
        self._arrivals.forget()
        self._dispatch(events.DisconnectRequested())
        if self._stop_watching is not None:
            self._home.leave()
            self._stop_watching()
            self._stop_watching = None

    def try_now(self) -> None:
        """Make the next attempt now instead of waiting; acts at most once per ``try_now_interval``."""
        self._dispatch(events.RetryRequested())

    def doubt(self) -> None:
        """Send a probe, because the application is missing an answer.

        A link that stays silent for ``probe_timeout`` is replaced, one that answers is kept. No effect without a link.
        """
        self._dispatch(events.DoubtRaised())

    def __await__(self) -> Generator[Any, None, Self]:
        """Connect as ``connect()`` does, and return the service."""
        yield from self.connect().__await__()
        return self

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:  # Exhausted, or cancelled: __aexit__ will not be called
            self.disconnect()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.disconnect()

    # --- frames ---

    def send(self, value: Value) -> None:
        """Send ``value`` now, as the codec encodes it. Nothing is queued: that is the outbox's task.

        Raises:
            NotConnected: No link is open.
            FrameTooLarge: The frame is larger than ``max_frame_bytes``.
            TypeError, ValueError: The codec cannot encode it.
        """
        self._connected_transport.send(self._codec.encode(value))

    def send_message(self, action: str, data: Frame | None = None) -> None:
        """Send ``{"action": action, **data}`` now as JSON, whatever the codec, as the article's servers expect.

        Raises as ``send()`` does.
        """
        self._connected_transport.send(message_text(action, data or {}))

    def on_message(self, handler: Handler[Value]) -> Callable[[], None]:
        """Call ``handler(frame)``, sync or async, for every frame; return the unsubscribe function.

        The first reader, unless it is a loop, also gets the frames that have come before, soon.
        """
        if not callable(handler):
            raise TypeError(f"on_message() needs a function that takes a frame, not {handler!r}")
        waits = not self._is_looped and self._messages.detach(self._unread)
        return self._messages.add(handler, self._unread.take_all() if waits else (), self.platform.call_soon)

    def run_slices_in(self, run: Callable[[Callable[[], None]], None]) -> None:
        """Handle each slice of frames inside of ``run(handle)``, which has to call ``handle()`` once.

        Between two slices, of a few milliseconds, the browser paints. An application that publishes a new state for
        each frame can publish one for a slice instead. A later call replaces ``run``.
        """
        self._run_slice = run

    def __aiter__(self) -> FrameStream[Value]:
        """Iterate over the frames, as ``frames()`` does."""
        return self.frames(self._unread.limit)

    def frames(self, limit: int | None = None) -> FrameStream[Value]:
        """Return an async iterator over the frames: through every drop, until disconnect().

        Frames wait from the first open on. Two loops one after another share them; two at a time raise RuntimeError.
        The iterator raises Rejected, after the unread frames, once the server wants no further attempt. While the
        connection is exhausted it waits. Where the socket can pause, it does so while 1,000 frames are unread.

        Args:
            limit: How many frames may be unread; with one more they are dropped, and the iterator raises Overrun. None:
                any number, with one warning at 10,000.

        Raises:
            NotConnected: The connection was never begun, so no frame would ever come.
        """
        if self._connection.status is Status.IDLE:
            raise NotConnected(
                "never begun: use `async with connect(...)`, or await connect() before the loop"
            )
        self._is_looped = True
        self._unread.limit = limit
        self._messages.attach(self._unread)
        return FrameStream(self._unread)

    def on_malformed_frame(self, handler: Handler[str]) -> Callable[[], None]:
        """Call ``handler(problem)`` for every frame that the codec refused; return the unsubscribe function."""
        return self._malformed.add(handler)

    def before_connected(self, prepare: Prepare[Value]) -> Callable[[], None]:
        """Await ``prepare(link)`` on each new link before it counts as connected; return the unsubscribe function.

        ``prepare`` can say hello and catch up. If it raises, the link is abandoned and another attempt follows.
        """
        if not callable(prepare):
            raise TypeError(f"before_connected() needs a function that takes a link, not {prepare!r}")
        key = object()
        self._preparations[key] = prepare

        def unsubscribe() -> None:
            self._preparations.pop(key, None)

        return unsubscribe

    # --- looking ---

    @property
    def state(self) -> ConnectionState:
        """Return the current state, frozen."""
        return self._store.state

    def statistics(self) -> Statistics:
        """Return the numbers of this connection since the service was made."""
        return self._recorder.snapshot(self.platform.now())

    def subscribe(
        self, selector: Callable[[ConnectionState], Part], listener: Callable[[Part], object]
    ) -> Callable[[], None]:
        """Call ``listener(part)`` whenever ``selector(state)`` changes; return the unsubscribe function."""
        return self._store.subscribe(selector, listener)

    def is_connected(self) -> bool:
        """Return whether a frame can be sent now."""
        return (
            self._connection.status in CONNECTED_STATUSES
            and self._transport is not None
            and self._transport.is_open
        )

    # --- events in ---

    def _dispatch(self, event: events.Event | _Own) -> None:
        """Handle ``event`` and those that it causes, one after the other: handlers may call back into the service."""
        self._home.check()
        self._events.append(event)
        if self._is_dispatching:
            return
        self._is_dispatching = True
        try:
            self._handle_events()
        finally:
            self._is_dispatching = False

    def _handle_events(self) -> None:
        while self._events:
            event = self._events.popleft()
            if not isinstance(event, _Own):
                self._handle(event)
            else:
                try:
                    self._in_slice(self._handle_slice)
                finally:
                    self._arrivals.end_slice()

    def _handle(self, event: events.Event) -> Instant:
        """Handle ``event``, and return the time that it was handled at."""
        before, now = self._connection.state, self.platform.now()
        to_do = self._connection.handle(event, now)
        after = self._connection.state
        self._recorder.record(event, before, after, now)
        # A tick comes every second, and what it was that arrived is recorded when it is handled.
        is_tick = type(event) is events.TimerFired and event.timer is Timer.TICK
        if not is_tick and type(event) is not events.FrameArrived:
            self.journal.record(event, now, after.status)
        for command in to_do:
            self._execute(command)
        self._publish(before.status)
        return now

    # --- what has arrived ---

    def _queue(self, number: int, item: str | bytes | events.SocketClosed) -> None:
        """Let what has arrived over a link wait for a slice; that the link lives is noted at once."""
        link = self._connection.find(number)
        if link is None:
            return
        at, mark = None, self._pong_mark
        if (
            mark is not None
            and link.heartbeat.awaits_pong
            and (type(item) is bytes or (type(item) is str and mark in item))
        ):
            at = self.platform.now().monotonic  # the round trip ends here, however long the pong waits
        self._arrivals.add((number, item, at))
        if not (link.is_heard or isinstance(item, events.SocketClosed)):
            self._dispatch(events.FrameArrived(number))

    def _in_slice(self, handle: Callable[[], None]) -> None:
        self._is_in_slice = True
        try:
            self._run_slice(handle)
        finally:
            self._is_in_slice = False

    def _handle_slice(self) -> None:
        """Handle what has arrived until the time of a slice is over."""
        waiting = self._arrivals.waiting
        now: Instant | None = None  # of the last event that the connection has handled in this slice
        ends_at = self.platform.now().monotonic + SLICE_SECONDS
        unlooked = 0
        while waiting:
            arrival = waiting.popleft()
            now = self._receive(arrival, now)
            if self._events:  # a handler has called the service
                self._handle_events()
            unlooked += len(arrival[1]) if isinstance(arrival[1], _FRAME) else 0
            if unlooked > CHARACTERS_PER_LOOK:
                unlooked = 0
                if self.platform.now().monotonic >= ends_at:
                    break

    def _receive(self, arrival: Arrival, now: Instant | None) -> Instant:
        """Handle one arrival. Return the time of the last event that the connection has handled.

        An application's frame right after another event changes nothing, so it is delivered past the connection, which
        would take most of the time of a frame.
        """
        link, item, at = arrival
        if not isinstance(item, _FRAME):
            return self._handle(item)
        try:
            frame = self._decode(item)
        except Exception as error:  # noqa: BLE001 - a codec of the user
            return self._handle(events.FrameMalformed(link, self._problem_of(error)))
        if now is None or not self._only_delivers(frame):
            return self._handle(events.FrameReceived(link, frame, at))
        self._deliver(link, frame, now)
        return now

    def _deliver(self, link: int, frame: Value, now: Instant) -> None:
        """Do all that handling FrameReceived would lead to, for a frame of the application."""
        self._recorder.record_frame()
        self.journal.record_frame(link, frame, now, self._connection.status)
        self._messages.deliver(frame)

    def _problem_of(self, error: Exception) -> str:
        """Return why the codec refused a frame. Other errors than its own are mistakes in it."""
        if not isinstance(error, ValueError):
            self._errors.report("error in the codec", error)
        return str(error) or type(error).__name__

    def _end_arrivals(self, link: int) -> None:
        """Deliver now what had arrived over a link that is abandoned, before anything of the next link."""
        if not self._arrivals.bring_forward(link):
            return
        if self._is_in_slice:
            self._deliver_rest(link)
        else:
            self._in_slice(lambda: self._deliver_rest(link))

    def _deliver_rest(self, link: int) -> None:
        now = self.platform.now()
        while (arrival := self._arrivals.next_of(link)) is not None:
            _, item, _ = arrival
            if isinstance(item, events.SocketClosed):
                continue
            try:
                frame = self._decode(item)
            except Exception as error:  # noqa: BLE001 - as above
                state, malformed = (
                    self._connection.state,
                    events.FrameMalformed(link, self._problem_of(error)),
                )
                self._recorder.record(malformed, state, state, now)
                self._report_malformed(malformed.problem)
            else:
                self._deliver(link, frame, now)

    def _set_reading(self, reads: bool) -> None:
        """Let the sockets read or wait. A socket that waits is not silent: its frames are unread."""
        if reads and not self._is_held:
            return
        can = [transport.set_reading(reads) for transport in self._transports.values()]
        self._is_held = not reads and any(can)

    def _publish(self, before: Status) -> None:
        state = self._connection.state
        if state.status is not before:
            logger.info(
                "%s -> %s (%s)", before, state.status, state.reason.words if state.reason else "no reason"
            )
            if state.status is Status.EXHAUSTED and state.reason is not None:
                hint = remedy(state.reason, self.wire)
                logger.warning("the connection is exhausted: %s. %s", state.reason.words, hint)
            if state.status is Status.CLOSED:
                self._errors.flush()
                self._messages.discard_pending()
                self._malformed.discard_pending()
                self._unread.end(None)
            elif state.status is Status.REJECTED:
                self._unread.end(Rejected(state.reason.words if state.reason else ""))
            else:
                self._unread.begin()
        self._store.update(lambda _: state)
        for waiter in tuple(self._waiters):
            is_over, failure = self._outcome()
            if is_over and not waiter.done():
                waiter.set_result(failure)

    def _on_page_event(self, event: events.PageEvent) -> None:
        if isinstance(event, events.PageSuspended):
            self._read_page()  # before: no event may follow the suspension
            self._dispatch(event)
        else:
            self._page = page_after(event, self._page)
            self._dispatch(event)
            self._read_page()

    def _on_timer(self, timer: Timer) -> None:
        self._timers.pop(timer, None)
        self._read_page()
        if timer not in self._timers:  # else an event of the page has set it again
            link = self._connection.unproven_link_of(timer)
            unread = link is not None and self._arrivals.has_of(link.number)
            unread |= self._is_held and timer in (Timer.SILENCE, Timer.CONNECT, Timer.CANDIDATE)
            self._dispatch(events.TimerFired(timer, self._page.throttled, unread))

    def _read_page(self) -> None:
        """Read visibility and network as they are, because browsers lose events."""
        before, self._page = self._page, self.platform.page()
        if self._page.visible != before.visible:
            self._dispatch(events.PageShown() if self._page.visible else events.PageHidden())
        if self._page.online != before.online:
            self._dispatch(events.WentOnline() if self._page.online else events.WentOffline())

    def _outcome(self) -> tuple[bool, ConnectionFailed | None]:
        """Return whether connect() ends in the present state, and the error that it raises, if any."""
        state = self._connection.state
        words = state.reason.words if state.reason else ""
        match state.status:
            case Status.CONNECTED | Status.SUSPECT:
                return True, None
            case Status.EXHAUSTED if self._numbers.idle_retry_interval == 0:
                return True, Exhausted(words)
            case Status.REJECTED:
                return True, Rejected(words)
            case Status.CLOSED:
                return True, Disconnected("disconnect() was called")
        return False, None

    # --- commands out ---

    @property
    def _connected_transport(self) -> Transport:
        self._home.check()
        transport, status = self._transport, self._connection.status
        if transport is None or status not in CONNECTED_STATUSES:  # send() asks whether its socket is open
            raise NotConnected(f"nothing was sent, as the connection is {status}: {remedy_to_send(status)}")
        return transport

    @property
    def _transport(self) -> Transport | None:
        """Return the transport of the current link."""
        link = self._connection.link
        return None if link is None else self._transports.get(link.number)

    def _execute(self, command: events.Command) -> None:
        match command:
            case events.FetchToken(link=link):
                self._recorder.record_attempt(self.platform.now())
                self._transports[link] = Transport(
                    link,
                    self.platform,
                    self._dispatch,
                    self._queue,
                    self._numbers.max_frame_bytes,
                    self._errors.report,
                )
                self._transports[link].fetch_token(self._address, self._get_access_token)
            case events.OpenSocket(link=link, token=token):
                self._transports[link].open(token)
            case events.PrepareLink(link=link):
                current = self._connection.link
                replaces = current is not None and current.number != link
                transport = self._transports[link]
                handle = LinkHandle(transport, self._codec, replaces=replaces)
                transport.prepare(self._preparations.values(), handle)
            case events.AbandonLink(link=link, code=code, reason=reason):
                self._transports.pop(link).abandon(code, reason)
                self._end_arrivals(link)
            case events.SendPing(link=link, t=t):
                self._send_ping(link, t)
            case events.Deliver(frame=frame):
                self._messages.deliver(frame)
            case events.ReportMalformed(problem=problem):
                self._report_malformed(problem)
            case events.SetTimer(timer=timer, at=at):
                self._cancel_timer(timer)
                self._timers[timer] = self.platform.call_at(at, lambda: self._on_timer(timer))
            case events.CancelTimer(timer=timer):  # pragma: no branch
                self._cancel_timer(timer)

    def _report_malformed(self, problem: str) -> None:
        level = logging.WARNING if self._recorder.malformed == 1 else logging.INFO
        logger.log(level, "malformed frame: %s (on_malformed_frame() hears of each)", problem)
        self._malformed.deliver(problem)

    def _send_ping(self, link: int, t: float) -> None:
        ping = self.wire.ping_at(t)
        if ping is None:
            return
        try:
            self._transports[link].send(self._codec.encode(ping))
        except KizunaError as error:  # mostly the link is failing: its close, or the silence, follows
            is_trouble = isinstance(error, NotConnected)
            logger.log(logging.INFO if is_trouble else logging.WARNING, "could not send a ping: %s", error)

    def _cancel_timer(self, timer: Timer) -> None:
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()


def _call(handle: Callable[[], None]) -> None:
    handle()
