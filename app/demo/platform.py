"""The browser's platform, with sockets that reach a server in the page."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from kizuna import Instant, PageEvent, PageState, Platform, SocketListener, TimerHandle
from kizuna.testing import FakeSocket, SocketServer

#: Seconds that a frame takes in each direction, as to a server in the same country.
LATENCY = 0.03


class DemoSocket(FakeSocket):
    """A socket to a server in the page. What happens on it arrives after LATENCY, in order.

    Args:
        url: What the page connects to.
        listener: The receiver of the socket's events.
        server: Takes what the page sends.
        platform: The clock and the timers.
    """

    def __init__(self, url: str, listener: SocketListener, server: SocketServer, platform: Platform) -> None:
        super().__init__(url, listener, server=server)
        self._platform = platform
        self._under_way: deque[tuple[float, Callable[[], None]]] = deque()
        self._is_armed = False

    def send(self, data: str | bytes) -> None:
        """Send a frame. It is lost if the socket ends before the frame arrives."""
        self._after_latency(partial(self._take, data))

    def accept(self) -> None:
        """Let the handshake succeed."""
        self._after_latency(super().accept)

    def receive(self, frame: Mapping[str, Any] | str | bytes) -> None:
        """Let a frame of the server arrive."""
        self._after_latency(partial(super().receive, frame))

    def drop(self, code: int = 1006, reason: str = "") -> None:
        """Let the connection break, or the server close it."""
        self._after_latency(partial(super().drop, code, reason))

    def _take(self, data: str | bytes) -> None:
        if self.is_open:
            super().send(data)
            self.sent.clear()  # a test would read it; a page may be open for days

    def _after_latency(self, action: Callable[[], None]) -> None:
        self._under_way.append((self._platform.now().monotonic + LATENCY, action))
        self._arm()

    def _arm(self) -> None:
        if self._under_way and not self._is_armed:
            self._is_armed = True
            self._platform.call_at(self._under_way[0][0], self._arrive)

    def _arrive(self) -> None:
        now = self._platform.now().monotonic
        while self._under_way and self._under_way[0][0] <= now:
            self._under_way.popleft()[1]()
        self._is_armed = False
        self._arm()


class DemoPlatform:
    """The platform ``browser``, with sockets to ``server``. They break when the browser reports no network."""

    def __init__(self, browser: Platform, server: SocketServer) -> None:
        self._browser = browser
        self._server = server
        self._sockets: list[DemoSocket] = []

    def now(self) -> Instant:
        """Return the current moment."""
        return self._browser.now()

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return self._browser.random()

    def open_socket(self, url: str, listener: SocketListener, protocols: Sequence[str] = ()) -> DemoSocket:
        """Begin to open a socket. It fails while the browser reports no network."""
        socket = DemoSocket(url, listener, self._server, self._browser)
        self._sockets = [socket, *(each for each in self._sockets if not each.is_abandoned)]
        if self._browser.page().online:
            self._server.open(socket, self.now)
        else:
            socket.drop()
        return socket

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Set a timer."""
        return self._browser.call_at(when, callback)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after the browser has had its turn."""
        self._browser.call_soon(callback)

    def page(self) -> PageState:
        """Return the page as it is now."""
        return self._browser.page()

    def watch_page(self, listener: Callable[[PageEvent], None]) -> Callable[[], None]:
        """Pass page events to ``listener`` until the returned function is called."""

        def on_event(event: PageEvent) -> None:
            if not self._browser.page().online:
                self._break_sockets()
            listener(event)

        return self._browser.watch_page(on_event)

    def _break_sockets(self) -> None:
        for socket in self._sockets:
            if not socket.is_abandoned:
                self._server.forget(socket)
                socket.drop()
