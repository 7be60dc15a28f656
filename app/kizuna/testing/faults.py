"""Faults on command: a platform around the real one, for tests and for programs that show how they heal.

faults = FaultPlatform(AioPlatform())
async with connect("wss://example.org/ws", platform=faults) as connection:
    faults.arm("black hole")                     # nothing goes in or out
    ...
    faults.lift("black hole")
    faults.arm("drop")                           # over at once: nothing to lift

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
    BLACK_HOLE = (
        "black hole"  #: nothing goes in or out, nor opens, nor ends; lifted, all of that goes on, in order
    )
    SLOW = "slow"  #: all that goes in or out takes ``seconds`` longer (1)
    REFUSE = "refuse"  #: no new socket opens (1006), as where no server listens. Those that are open stay
    #: No new socket opens, after ``seconds`` (0.2): something between page and server answers the handshake with 403,
    #: which browsers report as 1006 without a reason. What it answers to the application's own requests, such as
    #: for a token, is the application's to simulate: it asks ``is_armed()``.
    FIREWALL = "firewall"
    OFFLINE = "offline"  #: the browser says that there is no network. It is wrong: sockets work
    #: The wall clock jumps ``seconds`` (60) ahead of the monotonic one, and sleep is reported, as after the
    #: machine slept. Lifted, the wall clock is right again.
    CLOCK_JUMP = "clock jump"
    DUPLICATES = "duplicates"  #: every frame comes in twice
    NO_GOODBYE = "no goodbye"  #: the end of the page is not announced (pagehide, freeze), as in a crash


_OVER_AT_ONCE = frozenset({Fault.DROP})
_SECONDS = {Fault.SLOW: 1.0, Fault.FIREWALL: 0.2, Fault.CLOCK_JUMP: 60.0}
#: Faults that concern each frame of an open socket.
_OF_FRAMES = frozenset({Fault.BLACK_HOLE, Fault.SLOW, Fault.DUPLICATES})
_BROKEN = 1006


class FaultPlatform:
    """A platform around another one, on which faults happen on command.

    Args:
        platform: The real one, or a FakePlatform. Its sockets are this one's sockets; clocks, timers and page too.
    """

    def __init__(self, platform: Platform) -> None:
        self.platform = platform  #: what it is around
        self._armed: dict[Fault, float] = {}  # with its seconds
        self._sockets: dict[FaultSocket, None] = {}  # in the order opened
        self._watchers: list[Callable[[PageEvent], None]] = []

    # --- faults ---

    @property
    def armed(self) -> frozenset[Fault]:
        """Return the faults that are armed."""
        return frozenset(self._armed)

    def is_armed(self, fault: Fault | str) -> bool:
        """Return whether the fault of this name is armed."""
        return Fault(fault) in self._armed

    def arm(self, fault: Fault | str, seconds: float | None = None) -> None:
        """Let a fault happen, until ``lift()``. One that is armed already gets other seconds.

        Args:
            fault: A Fault, or its name.
            seconds: How long something takes, as Fault says. None: the number that stands there.

        Raises:
            ValueError: No fault has this name.
        """
        fault = Fault(fault)
        if fault in _OVER_AT_ONCE:
            self._drop()
            return
        self._armed[fault] = _SECONDS.get(fault, 0.0) if seconds is None else seconds
        if fault is Fault.OFFLINE:
            self._tell(WentOffline())
        elif fault is Fault.CLOCK_JUMP:
            self._tell(MachineSlept())
        self._tune()

    def lift(self, fault: Fault | str) -> None:
        """End a fault. No effect if it is not armed.

        Raises:
            ValueError: No fault has this name.
        """
        fault = Fault(fault)
        if self._armed.pop(fault, None) is None:
            return
        if fault is Fault.OFFLINE and self.page().online:
            self._tell(WentOnline())
        self._tune()

    def lift_all(self) -> None:
        """End every fault."""
        for fault in self.armed:
            self.lift(fault)

    # --- kizuna.Platform ---

    def now(self) -> Instant:
        """Return the current moment; the wall clock is ahead while CLOCK_JUMP is armed."""
        now = self.platform.now()
        jump = self._armed.get(Fault.CLOCK_JUMP) if self._armed else None
        return now if jump is None else Instant(now.monotonic, now.wall + jump)

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return self.platform.random()

    def open_socket(self, url: str, listener: SocketListener, protocols: Sequence[str] = ()) -> Socket:
        """Begin to open a socket, unless a fault prevents it.

        Raises:
            ValueError: A URL that no socket accepts.
        """
        socket = FaultSocket(
            self, lambda ear: self.platform.open_socket(url, ear, protocols), listener, self._forget
        )
        socket.begin()
        self._sockets[socket] = None
        return socket

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call ``callback`` at ``when`` (monotonic seconds)."""
        return self.platform.call_at(when, callback)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once the platform has done what is due before."""
        self.platform.call_soon(callback)

    def page(self) -> PageState:
        """Return the page as it is now; offline while OFFLINE is armed."""
        page = self.platform.page()
        return replace(page, online=False) if Fault.OFFLINE in self._armed else page

    def watch_page(self, listener: Callable[[PageEvent], None]) -> Callable[[], None]:
        """Call ``listener`` for every page event, real or not; return the function that ends it."""

        def heard(event: PageEvent) -> None:
            is_hidden = isinstance(event, WentOnline | WentOffline) and Fault.OFFLINE in self._armed
            is_unannounced = isinstance(event, PageSuspended) and Fault.NO_GOODBYE in self._armed
            if not (is_hidden or is_unannounced):
                listener(event)

        end = self.platform.watch_page(heard)
        self._watchers.append(listener)

        def unwatch() -> None:
            end()
            if listener in self._watchers:
                self._watchers.remove(listener)

        return unwatch

    # --- for the sockets ---

    def seconds_of(self, fault: Fault) -> float | None:
        """Return the seconds of a fault; None if it is not armed."""
        return self._armed.get(fault)

    def _forget(self, socket: FaultSocket) -> None:
        self._sockets.pop(socket, None)

    def _drop(self) -> None:
        for socket in tuple(self._sockets):
            socket.drop()

    def _tune(self) -> None:
        for socket in tuple(self._sockets):
            socket.tune()

    def _tell(self, event: PageEvent) -> None:
        for listener in tuple(self._watchers):
            listener(event)


class FaultSocket:
    """A socket whose frames a fault can hold back.

    Args:
        platform: Knows the faults.
        open_socket: Opens the real socket, with the listener that it gets.
        listener: The receiver of what happens.
        on_end: Called when nothing more happens.
    """

    #: Send one frame, text or binary. Without faults it is the real socket's own method.
    send: Callable[[str | bytes], None]

    def __init__(
        self,
        platform: FaultPlatform,
        open_socket: Callable[[SocketListener], Socket],
        listener: SocketListener,
        on_end: Callable[[FaultSocket], None],
    ) -> None:
        self._platform = platform
        self._open_socket = open_socket
        self._on_end = on_end
        self._listener = listener
        self._socket: Socket | None = None
        self._has_ended = False
        self._into, self._out = _Lane(platform, self.tune), _Lane(platform, self.tune)
        self._ear = _Ear(self._on_open, listener.on_text, listener.on_binary, self._on_close)
        self._refusal: TimerHandle | None = None
        self._is_held = False  # whether it opens once the black hole is lifted
        self.send = self._send_later

    @property
    def is_open(self) -> bool:
        """Return whether the real socket can send now."""
        return not self._has_ended and self._socket is not None and self._socket.is_open

    @property
    def protocol(self) -> str:
        """Return the subprotocol that the server chose; empty if there is none, or the platform does not say."""
        return str(getattr(self._socket, "protocol", ""))

    def begin(self) -> None:
        """Open the real socket, or let the fault happen that prevents it. Raises ValueError, as a platform does."""
        platform = self._platform
        self._is_held = platform.is_armed(Fault.BLACK_HOLE)
        if self._is_held:
            return
        firewall = platform.seconds_of(Fault.FIREWALL)
        if firewall is not None:
            self._refusal = platform.call_at(platform.now().monotonic + firewall, self.drop)
        elif platform.is_armed(Fault.REFUSE):
            platform.call_soon(self.drop)
        else:
            self._open()

    def abandon(self, code: int, reason: str) -> None:
        """Detach the listener, close, and release everything. May be called twice."""
        self._end()
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.abandon(code, reason)

    def drop(self) -> None:
        """Let the connection break, as a network does: the listener hears of it at once."""
        if not self._has_ended:
            self.abandon(1000, "")
            self._listener.on_close(_BROKEN, "")

    def tune(self) -> None:
        """Let frames take the way that the armed faults want, and go on with what was held back."""
        if self._is_held:
            try:
                self.begin()
            except ValueError:  # the program does not wait for it any more
                self.drop()
        self._into.run()
        self._out.run()
        self._choose_ways()

    def _open(self) -> None:
        self._socket = socket = self._open_socket(self._ear)
        if isinstance(socket, PausableSocket):  # so that this one is one, too
            self.pause_reading, self.resume_reading = socket.pause_reading, socket.resume_reading
        self._choose_ways()

    def _choose_ways(self) -> None:
        socket, ear, listener = self._socket, self._ear, self._listener
        if socket is None:
            return
        is_quiet = not (self._platform.armed & _OF_FRAMES)
        is_in_quiet = is_quiet and self._into.is_empty
        ear.on_text = listener.on_text if is_in_quiet else self._hear_text
        ear.on_binary = listener.on_binary if is_in_quiet else self._hear_binary
        self.send = socket.send if is_quiet and self._out.is_empty else self._send_later

    def _send_later(self, data: str | bytes) -> None:
        self._out.put(lambda: self._send_now(data))

    def _send_now(self, data: str | bytes) -> None:
        if self._socket is not None and self._socket.is_open:
            self._socket.send(data)

    def _on_open(self) -> None:
        self._into.put(self._listener.on_open)

    def _hear_text(self, text: str) -> None:
        self._hear(lambda: self._listener.on_text(text))

    def _hear_binary(self, data: bytes) -> None:
        self._hear(lambda: self._listener.on_binary(data))

    def _hear(self, deliver: Callable[[], None]) -> None:
        for _ in range(2 if self._platform.is_armed(Fault.DUPLICATES) else 1):
            self._into.put(deliver)

    def _on_close(self, code: int, reason: str) -> None:
        def end() -> None:
            self._end()
            self._listener.on_close(code, reason)

        self._into.put(end)

    def _end(self) -> None:
        self._has_ended = True
        self._on_end(self)
        self._into.end()
        self._out.end()
        self.send = self._send_later  # into nothing
        if self._refusal is not None:
            self._refusal.cancel()


class _Ear:
    """The listener of a real socket. A frame goes straight to the application's listener while no fault concerns it."""

    def __init__(
        self,
        on_open: Callable[[], None],
        on_text: Callable[[str], None],
        on_binary: Callable[[bytes], None],
        on_close: Callable[[int, str], None],
    ) -> None:
        self.on_open, self.on_text, self.on_binary, self.on_close = on_open, on_text, on_binary, on_close


class _Lane:
    """What goes one way through a socket, in order: at once, or when the faults let it."""

    def __init__(self, platform: FaultPlatform, on_empty: Callable[[], None]) -> None:
        self._platform = platform
        self._on_empty = on_empty
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()  # with the time that it is due at
        self._timer: TimerHandle | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether nothing waits."""
        return not self._waiting

    def put(self, act: Callable[[], None]) -> None:
        """Do ``act`` behind all that waits."""
        delay = self._platform.seconds_of(Fault.SLOW) or 0.0
        self._waiting.append((self._platform.now().monotonic + delay, act))
        if len(self._waiting) == 1:
            self.run()

    def run(self) -> None:
        """Do what is due."""
        self._cancel()
        had_some = bool(self._waiting)
        while self._waiting and not self._platform.is_armed(Fault.BLACK_HOLE):
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
