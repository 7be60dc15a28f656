"""Faults on command: a platform around the real one, for tests and for programs that show how they heal.

faults = FaultPlatform(AioPlatform())
async with connect("wss://example.org/ws", platform=faults) as connection:
    faults.arm("black hole")                     # nothing goes in or out
    ...
    faults.lift("black hole")

Several can be armed at a time. While none is, frames pass by no code of this file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum

from kizuna.platform import (
    Instant,
    MachineSlept,
    PageEvent,
    PageState,
    PageSuspended,
    PausableSocket,
    Platform,
    Socket,
    SocketListener,
    TimerHandle,
    WentOffline,
    WentOnline,
)


class Fault(StrEnum):
    """What can go wrong on command. ``seconds`` is the argument of ``FaultPlatform.arm()``."""

    DROP = "drop"  #: every socket breaks (1006). Over at once
    BLACK_HOLE = "black hole"  #: nothing goes in or out, opens or ends; lifted, all of that goes on, in order
    SLOW = "slow"  #: all that goes in or out takes ``seconds`` longer (1)
    REFUSE = "refuse"  #: no new socket opens (1006), as where no server listens; those that are open stay
    #: No new socket opens, after ``seconds`` (0.2): what lies between program and server answers handshakes with 403,
    #: which browsers report as 1006. Requests of the application, such as for a token, are its own to simulate.
    FIREWALL = "firewall"
    OFFLINE = "offline"  #: the browser says that there is no network, and is wrong
    #: The wall clock jumps ``seconds`` (60) ahead of the monotonic one, and sleep is reported, as after the machine
    #: slept; lifted, it is right again.
    CLOCK_JUMP = "clock jump"
    DUPLICATES = "duplicates"  #: every frame comes in twice
    NO_GOODBYE = "no goodbye"  #: the end of the page is not announced (pagehide, freeze), as in a crash


_SECONDS = {Fault.SLOW: 1.0, Fault.FIREWALL: 0.2, Fault.CLOCK_JUMP: 60.0}
_OF_FRAMES = (Fault.BLACK_HOLE, Fault.SLOW, Fault.DUPLICATES)
_BROKEN = 1006


class FaultPlatform:
    """A platform around another one, on which faults happen on command.

    Args:
        platform: The real one, or a FakePlatform. Sockets, clocks, timers and page are its own.
    """

    def __init__(self, platform: Platform) -> None:
        self.armed: dict[Fault, float] = {}  #: the faults that are armed, with their seconds
        self.random, self.call_at, self.call_soon = platform.random, platform.call_at, platform.call_soon
        self.sockets: dict[FaultSocket, None] = {}  #: those that have not ended, in the order opened
        self._platform = platform
        self._watchers: list[Callable[[PageEvent], None]] = []

    def arm(self, fault: Fault | str, seconds: float | None = None) -> None:
        """Let a fault happen, until ``lift()``.

        Args:
            fault: A Fault, or its name.
            seconds: As Fault says. None: the number that stands there.

        Raises:
            ValueError: No fault has this name.
        """
        fault = Fault(fault)
        if fault is Fault.DROP:
            for socket in tuple(self.sockets):
                socket.drop()
            return
        self.armed[fault] = _SECONDS.get(fault, 0.0) if seconds is None else seconds
        if fault is Fault.OFFLINE:
            self._tell(WentOffline())
        elif fault is Fault.CLOCK_JUMP:
            self._tell(MachineSlept())
        self._tune()

    def lift(self, fault: Fault | str) -> None:
        """End a fault, if it is armed. Raises ValueError if no fault has this name."""
        fault = Fault(fault)
        was_armed = self.armed.pop(fault, None) is not None
        if was_armed and fault is Fault.OFFLINE and self.page().online:
            self._tell(WentOnline())
        self._tune()

    def now(self) -> Instant:
        """Return the current moment."""
        now = self._platform.now()
        return now._replace(wall=now.wall + self.armed.get(Fault.CLOCK_JUMP, 0.0)) if self.armed else now

    def open_socket(self, url: str, listener: SocketListener, protocols: Sequence[str] = ()) -> Socket:
        """Begin to open a socket, unless a fault prevents it. Raises ValueError as the real platform does."""
        socket = FaultSocket(self, lambda ear: self._platform.open_socket(url, ear, protocols), listener)
        socket.begin()
        self.sockets[socket] = None
        return socket

    def page(self) -> PageState:
        """Return the page as it is now."""
        page = self._platform.page()
        return replace(page, online=False) if Fault.OFFLINE in self.armed else page

    def watch_page(self, listener: Callable[[PageEvent], None]) -> Callable[[], None]:
        """Call ``listener`` for every page event, real or not; return the function that ends it."""

        def hear(event: PageEvent) -> None:
            hides = Fault.OFFLINE in self.armed and isinstance(event, WentOnline | WentOffline)
            if not hides and not (Fault.NO_GOODBYE in self.armed and isinstance(event, PageSuspended)):
                listener(event)

        end = self._platform.watch_page(hear)
        self._watchers.append(listener)

        def unwatch() -> None:
            end()
            self._watchers = [watcher for watcher in self._watchers if watcher is not listener]

        return unwatch

    def _tune(self) -> None:
        for socket in tuple(self.sockets):
            socket.tune()

    def _tell(self, event: PageEvent) -> None:
        for listener in tuple(self._watchers):
            listener(event)


class FaultSocket:
    """A socket, and the listener of the real one. Without faults its methods for frames are those of the other side."""

    send: Callable[[str | bytes], None]
    on_text: Callable[[str], None]
    on_binary: Callable[[bytes], None]

    def __init__(
        self, platform: FaultPlatform, open_real: Callable[[SocketListener], Socket], listener: SocketListener
    ) -> None:
        self._platform, self._open_real, self._listener = platform, open_real, listener
        self._socket: Socket | None = None
        self._refusal: TimerHandle | None = None
        self._is_held = self._has_ended = False  # held: it opens once the black hole is lifted
        self._into, self._out = _Lane(platform, self.tune), _Lane(platform, self.tune)
        self._choose_ways()

    # --- kizuna.platform.Socket ---

    @property
    def is_open(self) -> bool:
        """Return whether the real socket can send now."""
        return self._socket is not None and self._socket.is_open

    @property
    def protocol(self) -> str:
        """Return the subprotocol that the server chose, if the real socket says it."""
        return str(getattr(self._socket, "protocol", ""))

    def abandon(self, code: int, reason: str) -> None:
        """Detach the listener, close, and release everything. May be called twice."""
        self._end()
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.abandon(code, reason)
        self._choose_ways()

    # --- kizuna.platform.SocketListener ---

    def on_open(self) -> None:
        """Pass it on."""
        self._into.put(self._listener.on_open)

    def on_close(self, code: int, reason: str) -> None:
        """Pass it on."""

        def end() -> None:
            self._end()
            self._listener.on_close(code, reason)

        self._into.put(end)

    # --- faults ---

    def begin(self) -> None:
        """Open the real socket, or let the fault happen that prevents it."""
        platform, armed = self._platform, self._platform.armed
        self._is_held = Fault.BLACK_HOLE in armed
        if self._is_held:
            return
        if Fault.FIREWALL in armed:
            at = platform.now().monotonic + armed[Fault.FIREWALL]
            self._refusal = platform.call_at(at, self.drop)
        elif Fault.REFUSE in armed:
            platform.call_soon(self.drop)
        else:
            self._socket = socket = self._open_real(self)
            if isinstance(socket, PausableSocket):
                self.pause_reading, self.resume_reading = socket.pause_reading, socket.resume_reading
            self._choose_ways()

    def drop(self) -> None:
        """Let the connection break, as a network does."""
        if not self._has_ended:
            self.abandon(1000, "")
            self._listener.on_close(_BROKEN, "")

    def tune(self) -> None:
        """Let frames take the way that the armed faults want, and go on with what was held back."""
        if self._is_held:
            try:
                self.begin()
            except ValueError:
                self.drop()
        self._into.run()
        self._out.run()
        self._choose_ways()

    def _choose_ways(self) -> None:
        listener, socket = self._listener, self._socket
        is_quiet = not any(fault in self._platform.armed for fault in _OF_FRAMES)
        if is_quiet and self._into.is_empty:
            self.on_text, self.on_binary = listener.on_text, listener.on_binary
        else:
            self.on_text = lambda text: self._receive(lambda: listener.on_text(text))
            self.on_binary = lambda data: self._receive(lambda: listener.on_binary(data))
        is_free = is_quiet and self._out.is_empty
        self.send = socket.send if is_free and socket is not None else self._send_later

    def _send_later(self, data: str | bytes) -> None:
        def send() -> None:
            if self._socket is not None and self._socket.is_open:
                self._socket.send(data)

        self._out.put(send)

    def _receive(self, deliver: Callable[[], None]) -> None:
        self._into.put(deliver)
        if Fault.DUPLICATES in self._platform.armed:
            self._into.put(deliver)

    def _end(self) -> None:
        self._has_ended, self._is_held = True, False
        self._platform.sockets.pop(self, None)
        self._into.end()
        self._out.end()
        if self._refusal is not None:
            self._refusal.cancel()


class _Lane:
    """What goes one way through a socket, in order: at once, or when the faults let it."""

    def __init__(self, platform: FaultPlatform, on_empty: Callable[[], None]) -> None:
        self._platform, self._on_empty = platform, on_empty
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()  # with the time that it is due at
        self._timer: TimerHandle | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether nothing waits."""
        return not self._waiting

    def put(self, act: Callable[[], None]) -> None:
        """Do ``act`` behind all that waits."""
        due = self._platform.now().monotonic + self._platform.armed.get(Fault.SLOW, 0.0)
        self._waiting.append((due, act))
        if len(self._waiting) == 1:
            self.run()

    def run(self) -> None:
        """Do what is due."""
        self._cancel()
        had_some = bool(self._waiting)
        while self._waiting and Fault.BLACK_HOLE not in self._platform.armed:
            due, act = self._waiting[0]
            if due > self._platform.now().monotonic:
                self._timer = self._platform.call_at(due, self.run)
                return
            self._waiting.popleft()
            act()
        if had_some and not self._waiting:
            self._on_empty()

    def end(self) -> None:
        """Drop what waits."""
        self._cancel()
        self._waiting.clear()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
