"""A fake platform: virtual time, sockets without a network, a page that hides on command, storage in memory."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from kizuna.errors import StorageFailed
from kizuna.platform import (
    Instant,
    MachineSlept,
    NetworkChanged,
    PageEvent,
    PageHidden,
    PageResumed,
    PageShown,
    PageState,
    PageSuspended,
    SocketListener,
    WentOffline,
    WentOnline,
)

if TYPE_CHECKING:
    from kizuna.service import WebSocketService


class VirtualClock:
    """A clock and timers that a test moves. Seconds."""

    def __init__(self, *, monotonic: float = 1000.0, wall: float = 1_700_000_000.0) -> None:
        self._now = Instant(monotonic, wall)
        self._timers: list[tuple[float, int, _FakeTimer]] = []
        self._numbers = itertools.count()

    def now(self) -> Instant:
        """Return the current moment."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> _FakeTimer:
        """Call ``callback`` when the clock reaches ``when`` (monotonic seconds)."""
        timer = _FakeTimer(callback)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    @property
    def armed(self) -> int:
        """Return how many timers are set."""
        return sum(not timer.cancelled for _, _, timer in self._timers)

    def next_due(self) -> float | None:
        """Return when the next timer is due; None if none is set."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def move_to(self, monotonic: float) -> None:
        """Move the clocks without calling any timer, as a busy page sees it."""
        passed = max(0.0, monotonic - self._now.monotonic)
        self._now = Instant(self._now.monotonic + passed, self._now.wall + passed)

    def sleep(self, seconds: float) -> None:
        """Let the machine sleep: the wall clock moves, the monotonic one does not."""
        self._now = Instant(self._now.monotonic, self._now.wall + seconds)

    def fire_next(self) -> bool:
        """Call the next timer that is due by now; return whether there was one."""
        due = self.next_due()
        if due is None or due > self._now.monotonic:
            return False
        _, _, timer = heapq.heappop(self._timers)
        timer.cancelled = True
        timer.callback()
        return True


class _FakeTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class SocketServer(Protocol):
    """The server's side of fake sockets."""

    def open(self, socket: FakeSocket, now: Callable[[], Instant]) -> None:
        """Begin the handshake of ``socket``. Calls its methods later, never at once."""

    def take(self, socket: FakeSocket, data: str | bytes) -> None:
        """Take a frame that the page sent."""

    def forget(self, socket: FakeSocket) -> None:
        """Forget a socket that the page has abandoned; its code is ``socket.closed_with``."""

    def raise_error(self) -> None:
        """Raise the first error of a function of the test that the server called, if there is one."""


class FakeSocket:
    """A socket without a network.

    Args:
        url: What the page connects to.
        listener: The receiver of the socket's events.
        run_soon: Called after each thing that happens.
        server: Takes what the page sends. None: the test plays the server.
    """

    def __init__(
        self,
        url: str,
        listener: SocketListener,
        run_soon: Callable[[], None] = lambda: None,
        server: SocketServer | None = None,
    ) -> None:
        self.url = url
        self.sent: list[Any] = []  #: what the page sent: text that is JSON as its value, all else as it is
        self.protocols: tuple[str, ...] = ()  #: subprotocols that the page offered
        self.closed_with: int | None = None  #: the page's close code, once it abandoned the socket
        self.is_open = False
        self._listener: SocketListener | None = listener
        self._run_soon = run_soon  # at the end of what happens
        self._server = server

    @property
    def is_abandoned(self) -> bool:
        """Return whether the page has abandoned the socket, or the network has dropped it."""
        return self._listener is None

    @property
    def actions(self) -> list[str]:
        """Return the actions of the frames that the page sent."""
        return [frame["action"] for frame in self.sent]

    # what the page does

    def send(self, data: str | bytes) -> None:
        """Record a frame."""
        assert self.is_open, "sent on a socket that is not open"
        self.sent.append(_value_of(data))
        if self._server is not None:
            self._server.take(self, data)

    def abandon(self, code: int, reason: str) -> None:
        """Close, as the page's side."""
        self._listener = None
        self.is_open = False
        if self.closed_with is None:
            self.closed_with = code
            if self._server is not None:
                self._server.forget(self)

    # what the test does

    def accept(self) -> None:
        """Let the handshake succeed."""
        if self._listener:
            self.is_open = True
            self._listener.on_open()
            self._run_soon()

    def receive(self, frame: Mapping[str, Any] | str | bytes) -> None:
        """Let a frame arrive: an object as JSON, any text, or bytes."""
        if self._listener is None:
            return
        if isinstance(frame, bytes):
            self._listener.on_binary(frame)
        else:
            self._listener.on_text(frame if isinstance(frame, str) else json.dumps(frame))
        self._run_soon()

    def drop(self, code: int = 1006, reason: str = "") -> None:
        """Let the connection break, or the server close it."""
        self.is_open = False
        if self._listener:
            listener, self._listener = self._listener, None
            listener.on_close(code, reason)
            self._run_soon()


def _value_of(data: str | bytes) -> Any:
    try:
        return json.loads(data) if isinstance(data, str) else data
    except ValueError:
        return data


class FakePlatform:
    """A platform that a test controls.

    Without a server the test plays it, by ``accept()``, ``receive()`` and ``drop()`` of the sockets.

    Frames are handled when they arrive. With ``holds_soon`` they wait, as in a page that has much to do: for
    ``run_next()``, or until the test sets it back and calls ``run_soon()``.

    Args:
        server: Answers the sockets, as FakeServer does.
        chance: What random() returns.
        throttled: Whether this browser, without a worker, may delay the timers of a hidden page.
    """

    def __init__(
        self, server: SocketServer | None = None, *, chance: float = 0.5, throttled: bool = True
    ) -> None:
        self.server = server
        self.clock = VirtualClock()
        self.chance = chance
        self.sockets: list[FakeSocket] = []
        self.watchers: list[Callable[[PageEvent], None]] = []
        self.holds_soon = False  #: whether the callbacks of call_soon() wait for run_next()
        self._soon: deque[Callable[[], None]] = deque()
        self._page = PageState(throttled=throttled)

    @property
    def socket(self) -> FakeSocket:
        """Return the newest socket."""
        return self.sockets[-1]

    @property
    def live_sockets(self) -> list[FakeSocket]:
        """Return the sockets that neither the page has abandoned nor the network has dropped."""
        return [socket for socket in self.sockets if not socket.is_abandoned]

    # what the library asks for

    def now(self) -> Instant:
        """Return the current moment of the virtual clock."""
        return self.clock.now()

    def random(self) -> float:
        """Return ``chance``."""
        return self.chance

    def open_socket(self, url: str, listener: SocketListener, protocols: Sequence[str] = ()) -> FakeSocket:
        """Return a new socket that stays connecting until the server, or the test, accepts it."""
        socket = FakeSocket(url, listener, self.run_soon, self.server)
        socket.protocols = tuple(protocols)
        self.sockets.append(socket)
        if self.server is not None:
            self.server.open(socket, self.now)
        return socket

    def call_at(self, when: float, callback: Callable[[], None]) -> _FakeTimer:
        """Set a timer on the virtual clock."""
        return self.clock.call_at(when, callback)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` at the end of what happens on a socket, or in ``settle()``."""
        self._soon.append(callback)

    def page(self) -> PageState:
        """Return the page as the test set it."""
        return self._page

    def watch_page(self, listener: Callable[[PageEvent], None]) -> Callable[[], None]:
        """Pass page events to ``listener`` until the returned function is called."""
        self.watchers.append(listener)
        return lambda: self.watchers.remove(listener)

    # what the test does

    def run_soon(self) -> None:
        """Call what is due soon, unless ``holds_soon`` is set."""
        while not self.holds_soon and self.run_next():
            pass

    def run_next(self) -> bool:
        """Call the next callback that is due soon, as a slice of frames is; return whether there was one."""
        if not self._soon:
            return False
        self._soon.popleft()()
        return True

    async def settle(self) -> None:
        """Let every task run to its next wait. Raises the first error of the server's functions."""
        for _ in range(20):
            if self._soon:
                self.run_soon()
            await asyncio.sleep(0)
        if self.server is not None:
            self.server.raise_error()

    async def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass, and call every timer when it is due."""
        end = self.clock.now().monotonic + seconds
        await self.settle()
        while await self._pass_to_next(end):
            pass
        self.clock.move_to(end)
        await self.settle()

    async def until(self, holds: Callable[[], object], *, within: float = 300.0) -> None:
        """Let time pass until ``holds()`` is true; at once if it is.

        Args:
            holds: The condition.
            within: Seconds of virtual time that may pass.

        Raises:
            TimeoutError: It is not true by then, or nothing more is due.
        """
        end = self.clock.now().monotonic + within
        await self.settle()
        while not holds():
            if not await self._pass_to_next(end):
                raise TimeoutError(f"it did not come to hold within {within:g} s of virtual time")

    async def connected(self, service: WebSocketService[Any], *, within: float = 300.0) -> None:
        """Connect ``service``, if it is not, and let time pass until it is connected.

        Args:
            service: A service on this platform.
            within: Seconds of virtual time that may pass.

        Raises:
            ConnectionFailed: As its ``connect()`` does: the server wants no further attempt, for example.
            TimeoutError: It is not connected by then.
        """
        connecting = asyncio.ensure_future(service.connect())
        try:
            await self.until(connecting.done, within=within)
            await connecting
        except TimeoutError:
            status = service.state.status
            raise TimeoutError(f"still {status} after {within:g} s of virtual time") from None
        finally:
            connecting.cancel()

    async def _pass_to_next(self, end: float) -> bool:
        """Let time pass until the next timer, if it is due by ``end``; return whether there was one."""
        due = self.clock.next_due()
        if due is None or due > end:
            return False
        self.clock.move_to(due)
        self.clock.fire_next()
        await self.settle()
        return True

    def show(self) -> None:
        """Bring the tab to the front."""
        self._set_page(replace(self._page, visible=True), PageShown())

    def hide(self) -> None:
        """Send the tab to the back."""
        self._set_page(replace(self._page, visible=False), PageHidden())

    def go_online(self) -> None:
        """Let the browser report a network."""
        self._set_page(replace(self._page, online=True), WentOnline())

    def go_offline(self) -> None:
        """Let the browser report no network."""
        self._set_page(replace(self._page, online=False), WentOffline())

    def suspend(self) -> None:
        """Send ``pagehide`` or ``freeze``."""
        self._set_page(self._page, PageSuspended())

    def resume(self) -> None:
        """Send ``pageshow`` or ``resume``."""
        self._set_page(self._page, PageResumed())

    def change_network(self) -> None:
        """Let the browser report another network."""
        self._set_page(self._page, NetworkChanged())

    def wake(self) -> None:
        """Let the worker beside the page report sleep; ``clock.sleep()`` moves the page's clocks."""
        self._set_page(self._page, MachineSlept())

    def _set_page(self, page: PageState, event: PageEvent) -> None:
        self._page = page
        for listener in tuple(self.watchers):
            listener(event)


class MemoryStorage:
    """Tables in memory, which the pages of a test can share.

    ``is_broken``: every call raises StorageFailed. ``is_stuck``: no call returns until ``release()`` is called.
    """

    def __init__(self) -> None:
        self.is_broken = False
        self.is_stuck = False
        self.tables: dict[str, dict[str, str]] = {}
        self._turn = asyncio.Event()

    def release(self) -> None:
        """Let the stuck calls go on."""
        self.is_stuck = False
        self._turn.set()

    async def read(self, table: str, prefix: str = "") -> dict[str, str]:
        """Return the rows whose keys begin with ``prefix``, sorted by key."""
        rows = await self._open(table)
        return {key: rows[key] for key in sorted(rows) if key.startswith(prefix)}

    async def keys(self, table: str, prefix: str = "") -> list[str]:
        """Return the keys that begin with ``prefix``, sorted."""
        return list(await self.read(table, prefix))

    async def write(self, table: str, puts: Mapping[str, str], deletes: Iterable[str] = ()) -> None:
        """Write and delete rows."""
        rows = await self._open(table)
        for key in deletes:
            rows.pop(key, None)
        rows.update(puts)

    async def change(self, table: str, key: str, change: Callable[[str | None], str | None]) -> str | None:
        """Replace one row by ``change(row)``, and return the row as it was before."""
        rows = await self._open(table)
        before = rows.get(key)
        after = change(before)
        if after is not None:
            rows[key] = after
        else:
            rows.pop(key, None)
        return before

    async def _open(self, table: str) -> dict[str, str]:
        await asyncio.sleep(0)  # a real one never answers at once, either
        while self.is_stuck:
            self._turn.clear()
            await self._turn.wait()
        if self.is_broken:
            raise StorageFailed("the test broke the storage")
        return self.tables.setdefault(table, {})


class MemoryLocks:
    """The locks of one page; pages that share ``held`` compete for them."""

    def __init__(self, held: dict[str, object] | None = None) -> None:
        self.held: dict[str, object] = {} if held is None else held
        self.interruptions = 0

    async def try_lock(self, name: str) -> Callable[[], None] | None:
        """Take the lock if it is free."""
        await asyncio.sleep(0)
        if name in self.held:
            return None
        grant = self.held[name] = _Grant(self)

        def release() -> None:
            if self.held.get(name) is grant:
                del self.held[name]

        return release

    def end(self) -> None:
        """Free the locks of this page, as if it was closed or suspended."""
        self.interruptions += 1
        for name, grant in tuple(self.held.items()):
            if isinstance(grant, _Grant) and grant.page is self:
                del self.held[name]


class _Grant:
    def __init__(self, page: MemoryLocks) -> None:
        self.page = page
