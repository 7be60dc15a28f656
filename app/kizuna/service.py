"""The public face: one WebSocket that stays, with the article's names in Python's spelling.

    async with WebSocketService(url, get_access_token, platform=platform) as service:
        unsubscribe = service.on_message(show)
        service.send_message("sendMessage", {"roomId": "general", "content": "こんにちは"})

In a browser ``kizuna.browser.WebSocketService`` brings its platform along. Decisions are made in
:class:`~kizuna.connection.Connection`; this file only carries them out.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

from kizuna import commands, events
from kizuna.connection import Connection, ConnectionState
from kizuna.errors import (
    ConfigurationError,
    ConnectionFailed,
    Disconnected,
    Exhausted,
    FrameTooLarge,
    KizunaError,
    NotConnected,
    Rejected,
    Unauthorized,
)
from kizuna.events import Timer
from kizuna.frame_text import NotAFrame, read_frame
from kizuna.options import Options
from kizuna.platform import PageState, Platform, Socket, TimerHandle
from kizuna.states import Status
from kizuna.store import Store
from kizuna.subscribers import Handler, Subscribers

logger = logging.getLogger("kizuna.service")

Frame: TypeAlias = Mapping[str, Any]
#: Gives the token for one attempt, or None for a server that wants none. Raises Unauthorized to end it all,
#: OSError when its endpoint cannot be reached.
GetAccessToken: TypeAlias = Callable[[], "Awaitable[str | None] | str | None"]
Part = TypeVar("Part")

_CONNECTED = (Status.CONNECTED, Status.SUSPECT)


class LinkHandle:
    """Responsible for letting ``prepare`` speak on a link that does not count as connected yet."""

    def __init__(self, send: Callable[[str, Frame], None]) -> None:
        self._send = send

    def send_message(self, action: str, data: Frame | None = None) -> None:
        """As WebSocketService.send_message, on this link. Raises NotConnected once it is gone."""
        self._send(action, data or {})


Prepare: TypeAlias = Callable[[LinkHandle], Awaitable[None] | None]


class WebSocketService:
    """Responsible for one connection on behalf of an application.

    ``url``: ws:// or wss://. ``get_access_token``: sync or async, called for every attempt; the token goes into the
    query as ``token``. Raises ConfigurationError for a URL that cannot work.
    """

    def __init__(
        self,
        url: str,
        get_access_token: GetAccessToken | None = None,
        *,
        platform: Platform,
        options: Options | None = None,
    ) -> None:
        self._url = _checked_url(url)
        self._get_access_token = get_access_token
        self._platform = platform
        self._options = options or Options()
        self._connection = Connection(self._options, platform.random)
        self._store = Store(self._connection.state)
        self._messages: Subscribers[Frame] = Subscribers()
        self._malformed: Subscribers[str] = Subscribers()
        self._prepares: dict[object, Prepare] = {}
        self._socket: Socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[Timer, TimerHandle] = {}
        self._waiters: set[asyncio.Future[ConnectionFailed | None]] = set()
        self._events: deque[events.Event] = deque()
        self._is_dispatching = False
        self._unwatch: Callable[[], None] | None = None
        self._page = PageState()

    # --- connecting ---

    async def connect(self) -> None:
        """Connect, and return once connected. While connecting it joins; while connected it returns at once.

        Raises Exhausted, Rejected or Disconnected. Cancelling the wait stops nothing.
        """
        if self._is_dispatching:  # an eager task that a handler started: the wish would only be queued
            await asyncio.sleep(0)
        if self._unwatch is None:
            self._unwatch = self._platform.watch_page(self._on_page_event)
        self._read_page()
        self._dispatch(events.ConnectRequested())
        is_over, failure = _outcome(self._connection.state)
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
        """Close on purpose: nothing comes back until connect(). Afterwards no timer, listener or task is left."""
        self._dispatch(events.DisconnectRequested())
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None

    def try_now(self) -> None:
        """Attempt at once instead of waiting; acts at most once a second."""
        self._dispatch(events.RetryRequested())

    async def __aenter__(self) -> WebSocketService:
        try:
            await self.connect()
        except BaseException:  # Exhausted, or cancelled: nobody will leave a block that was not entered
            self.disconnect()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.disconnect()

    # --- frames ---

    def send_message(self, action: str, data: Frame | None = None) -> None:
        """Send ``{"action": action, **data}`` now. Raises NotConnected or FrameTooLarge; nothing is kept for later,
        that is the outbox's work."""
        if not self.is_connected():
            raise NotConnected("there is no open connection to send on")
        self._send(action, data or {})

    def on_message(self, handler: Handler[Frame]) -> Callable[[], None]:
        """Call ``handler(frame)``, def or async def, for every frame; returns the unsubscribe."""
        return self._messages.add(handler)

    def on_malformed_frame(self, handler: Handler[str]) -> Callable[[], None]:
        """Call ``handler(problem)`` for every frame that is not one JSON object; returns the unsubscribe."""
        return self._malformed.add(handler)

    def on_open(self, prepare: Prepare) -> Callable[[], None]:
        """Await ``prepare(link)`` on each new link before it counts as connected: the place to say hello and to
        catch up. If it raises, the link is given up and tried again. Returns the unsubscribe."""
        key = object()
        self._prepares[key] = prepare

        def unsubscribe() -> None:
            self._prepares.pop(key, None)

        return unsubscribe

    # --- looking ---

    @property
    def state(self) -> ConnectionState:
        """The state now: frozen."""
        return self._store.state

    def subscribe(
        self, selector: Callable[[ConnectionState], Part], listener: Callable[[Part], object]
    ) -> Callable[[], None]:
        """Call ``listener(part)`` whenever ``selector(state)`` changes; returns the unsubscribe."""
        return self._store.subscribe(selector, listener)

    def is_connected(self) -> bool:
        """Whether a frame can be sent now."""
        return self._connection.status in _CONNECTED and self._socket is not None and self._socket.is_open

    # --- events in ---

    def _dispatch(self, event: events.Event) -> None:
        """Handle ``event``, and whatever it leads to, one after the other: handlers may call back into us."""
        self._events.append(event)
        if self._is_dispatching:
            return
        self._is_dispatching = True
        try:
            while self._events:
                before = self._connection.status
                for command in self._connection.handle(self._events.popleft(), self._platform.now()):
                    self._execute(command)
                self._publish(before)
        finally:
            self._is_dispatching = False

    def _publish(self, before: Status) -> None:
        state = self._connection.state
        if state.status is not before:
            logger.info(
                "%s -> %s (%s)", before, state.status, state.reason.words if state.reason else "no reason"
            )
            if state.status is Status.CLOSED:
                self._messages.drop_waiting()
                self._malformed.drop_waiting()
        self._store.update(lambda _: state)
        for waiter in tuple(self._waiters):
            is_over, failure = _outcome(state)
            if is_over and not waiter.done():
                waiter.set_result(failure)

    def _on_page_event(self, event: events.PageEvent) -> None:
        if isinstance(event, events.PageSuspended):
            self._read_page()  # before, since nothing may wake what is put aside
            self._dispatch(event)
        else:
            self._page = _page_after(event, self._page)
            self._dispatch(event)
            self._read_page()

    def _on_timer(self, timer: Timer) -> None:
        self._timers.pop(timer, None)
        self._read_page()
        if timer not in self._timers:  # else what the page told has armed it anew
            self._dispatch(events.TimerFired(timer))

    def _read_page(self) -> None:
        """Levels, because browsers lose edges."""
        before, self._page = self._page, self._platform.page()
        if self._page.visible != before.visible:
            self._dispatch(events.PageShown() if self._page.visible else events.PageHidden())
        if self._page.online != before.online:
            self._dispatch(events.WentOnline() if self._page.online else events.WentOffline())

    # --- commands out ---

    def _execute(self, command: commands.Command) -> None:
        match command:
            case commands.FetchToken(link=link):
                self._fetch_token(link)
            case commands.OpenSocket(link=link, token=token):
                self._open_socket(link, token)
            case commands.PrepareLink(link=link):
                self._spawn(self._prepare(link))
            case commands.AbandonLink(code=code, reason=reason):
                self._abandon(code, reason)
            case commands.SendPing(t=t):
                self._send_ping(t)
            case commands.Deliver(frame=frame):
                self._messages.tell(frame)
            case commands.ReportMalformed(problem=problem):
                logger.warning("a frame could not be read: %s", problem)
                self._malformed.tell(problem)
            case commands.SetTimer(timer=timer, at=at):
                self._cancel_timer(timer)
                self._timers[timer] = self._platform.call_at(at, lambda: self._on_timer(timer))
            case commands.CancelTimer(timer=timer):  # pragma: no branch
                self._cancel_timer(timer)

    def _fetch_token(self, link: int) -> None:
        if self._get_access_token is None:
            self._dispatch(events.TokenObtained(link, None))
            return
        try:
            token = self._get_access_token()
        except Exception as error:  # noqa: BLE001 - a provider may raise anything; it becomes the attempt's reason
            self._dispatch(_token_failure(link, error))
            return
        if inspect.isawaitable(token):
            self._spawn(self._await_token(link, token), token)
        else:
            self._dispatch(_token_event(link, token))

    async def _await_token(self, link: int, token: Awaitable[str | None]) -> None:
        try:
            event = _token_event(link, await token)
        except Exception as error:  # noqa: BLE001 - as above
            event = _token_failure(link, error)
        self._dispatch(event)

    def _open_socket(self, link: int, token: str | None) -> None:
        try:
            url = _with_token(self._url, token)
            self._socket = self._platform.open_socket(url, _Listener(link, self._dispatch))
        except Exception as error:  # noqa: BLE001 - a failed attempt; its message may hold the URL, and so the token
            logger.warning("the platform opens no socket: %s", type(error).__name__)
            self._dispatch(events.SocketClosed(link, 1006))

    async def _prepare(self, link: int) -> None:
        def send(action: str, data: Frame) -> None:
            current = self._connection.link
            if current is None or current.number != link:
                raise NotConnected("this link is gone")
            self._send(action, data)

        handle = LinkHandle(send)
        try:
            for prepare in tuple(self._prepares.values()):
                preparing = prepare(handle)
                if preparing is not None:
                    await preparing
        except Exception as error:
            logger.exception("prepare failed")
            self._dispatch(events.PrepareFailed(link, str(error)))
        else:
            self._dispatch(events.LinkPrepared(link))

    def _abandon(self, code: int, reason: str) -> None:
        for task in tuple(self._tasks):  # also the one that we may be called from: it ends at its next await
            task.cancel()
        self._tasks.clear()
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.abandon(code, reason)

    def _send_ping(self, t: float) -> None:
        wire = self._options.wire
        try:
            self._send(wire.ping, wire.ping_data(t))
        except KizunaError as error:  # the link is on its way out: its close, or the silence, will tell
            logger.warning("no ping was sent: %s", error)

    def _send(self, action: str, data: Frame) -> None:
        text = json.dumps({"action": action, **data}, ensure_ascii=False, separators=(",", ":"))
        # Half a surrogate pair goes out as U+FFFD, which has three bytes as well.
        size = len(text.encode(errors="surrogatepass"))
        if size > self._options.max_frame_bytes:
            raise FrameTooLarge(size, self._options.max_frame_bytes)
        if self._socket is None or not self._socket.is_open:
            raise NotConnected("the socket is not open")
        try:
            self._socket.send(text)
        except Exception as error:
            raise NotConnected("the socket took no frame") from error

    def _spawn(self, work: Coroutine[Any, Any, None], awaited: object = None) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if inspect.iscoroutine(awaited):  # a task that is cancelled before it began would leave it to warn
            task.add_done_callback(lambda _: awaited.close())

    def _cancel_timer(self, timer: Timer) -> None:
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()


class _Listener:
    """Responsible for turning what one socket says into events of its link."""

    def __init__(self, link: int, dispatch: Callable[[events.Event], None]) -> None:
        self._link = link
        self._dispatch = dispatch

    def on_open(self) -> None:
        self._dispatch(events.SocketOpened(self._link))

    def on_text(self, text: str) -> None:
        try:
            event: events.Event = events.FrameReceived(self._link, read_frame(text))
        except NotAFrame as error:
            event = events.FrameMalformed(self._link, str(error))
        self._dispatch(event)

    def on_binary(self) -> None:
        self._dispatch(events.FrameMalformed(self._link, "a binary frame"))

    def on_close(self, code: int, reason: str) -> None:
        self._dispatch(events.SocketClosed(self._link, code, reason))


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for one that is no number
    except ValueError as error:
        raise ConfigurationError("url", f"is no URL: {error}") from None
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ConfigurationError("url", f"must begin with ws:// or wss:// and name a host, not {url!r}")
    if parts.fragment:
        raise ConfigurationError("url", "must have no fragment (#...): no WebSocket takes one")
    return url


def _with_token(url: str, token: str | None) -> str:
    if token is None:
        return url
    return f"{url}{'&' if '?' in url else '?'}token={quote(token, safe='')}"


def _token_event(link: int, token: Any) -> events.TokenObtained | events.TokenFailed:
    if token is None or isinstance(token, str):
        return events.TokenObtained(link, token)
    return _token_failure(link, TypeError())


def _token_failure(link: int, error: Exception) -> events.TokenFailed:
    """Only the error's kind goes further: its words may hold an address with a secret in it."""
    kind = type(error).__name__
    logger.info("no token: %s", kind)
    return events.TokenFailed(
        link,
        isinstance(error, Unauthorized),
        f"no token could be fetched ({kind})",
        unreachable=isinstance(error, OSError),
    )


def _page_after(event: events.PageEvent, page: PageState) -> PageState:
    """What is known of the page once ``event`` is told."""
    match event:
        case events.PageShown():
            return replace(page, visible=True)
        case events.PageHidden():
            return replace(page, visible=False)
        case events.WentOnline():
            return replace(page, online=True)
        case events.WentOffline():
            return replace(page, online=False)
    return page


def _outcome(state: ConnectionState) -> tuple[bool, ConnectionFailed | None]:
    """Whether connect() ends in this state, and the error that it ends with, if any."""
    words = state.reason.words if state.reason else ""
    match state.status:
        case Status.CONNECTED | Status.SUSPECT:
            return True, None
        case Status.EXHAUSTED:
            return True, Exhausted(words)
        case Status.REJECTED:
            return True, Rejected(words)
        case Status.CLOSED:
            return True, Disconnected("disconnect() was called")
    return False, None
