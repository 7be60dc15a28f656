"""The network between one page and the gateway, its sockets, and a gateway that behaves like API Gateway.

TCP is modelled as far as a page can tell: a handshake in a black hole hangs and is retried at SYN's intervals; frames
that meet a broken way are held and sent again when it is whole, after up to as long again (retransmission doubles
its pauses); a socket whose address is gone stays open and silent for ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kizuna.core.events import FrameArrived, FrameReceived, LinkEvent, SocketClosed, SocketOpened
from tests.reports.simulated.page import HOUR, MINUTE, Simulation

#: API Gateway: new connections per second, account and region. More are answered by 429 at once.
CONNECTIONS_PER_SECOND = 500
IDLE_CUT = 10 * MINUTE
HARD_CUT = 2 * HOUR
#: Seconds from the ``bye`` of a deploy to the close.
GRACE = 5.0
GOING_AWAY, ABNORMAL, RESTART = 1001, 1006, 1012
#: Seconds after the first SYN at which Linux sends it again.
SYN_RETRIES = (1.0, 3.0, 7.0, 15.0, 31.0)
#: One-way delays until a WebSocket is open: both ways for TCP, TLS 1.3 and the upgrade.
HANDSHAKE = 6
#: Retransmission waits at most this long after the network works again.
MAX_RETRANSMISSION_DELAY = MINUTE
Frame = Mapping[str, Any]


class ConnectionLimit:
    """A limit of ``per_second`` connections in each second."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._second = -1
        self._let_through = 0

    def admits(self, now: float) -> bool:
        """Return whether one more is admitted at ``now``."""
        if int(now) != self._second:
            self._second, self._let_through = int(now), 0
        self._let_through += 1
        return self._let_through <= self._per_second


class Gateway:
    """The other end of every socket: ``hello`` -> ``ready`` and ``batch``, ``ping`` -> ``pong``."""

    def __init__(self, simulation: Simulation, *, per_second: int = CONNECTIONS_PER_SECOND) -> None:
        self._simulation = simulation
        self._limit = ConnectionLimit(per_second)
        self.active_at: dict[Socket, float] = {}  #: when a frame passed last, for each connection
        self.is_up = True

    @contextlib.contextmanager
    def while_down(self) -> Iterator[None]:
        """Reset every connection, and refuse new ones until the context ends."""
        for socket in tuple(self.active_at):
            socket.break_off()
        self.is_up = False
        self._simulation.changed()
        yield
        self.is_up = True
        self._simulation.changed()

    def deploy(self, *, retry_after: float) -> None:
        """Send ``bye`` and close after a grace period; another instance already listens."""
        bye = {"type": "bye", "reason": "deploy", "reconnect": True, "retryAfter": retry_after}
        for socket in tuple(self.active_at):
            self._push(socket, bye)
            self._simulation.after(GRACE, partial(self._cut, socket, RESTART))

    def admits(self, socket: Socket) -> bool:
        """Return whether the upgrade is answered by 101, and not by 429 or 503."""
        if not self.is_up or not self._limit.admits(self._simulation.now):
            return False
        self.active_at[socket] = self._simulation.now
        self._simulation.after(HARD_CUT, lambda: self._cut(socket, GOING_AWAY))
        self._simulation.after(IDLE_CUT, lambda: self._cut_if_idle(socket))
        return True

    def on_frame(self, socket: Socket, frame: Frame) -> None:
        self.active_at[socket] = self._simulation.now
        match frame:
            case {"action": "ping", "t": t}:
                self._push(socket, {"type": "pong", "t": t})
            case {"action": "hello"}:
                self._push(socket, {"type": "ready"})
                self._push(socket, {"type": "batch"})

    def _push(self, socket: Socket, frame: Frame) -> None:
        self.active_at[socket] = self._simulation.now
        socket.push(frame)

    def _cut(self, socket: Socket, code: int) -> None:
        if self.active_at.pop(socket, None) is not None:
            socket.cut(code)

    def _cut_if_idle(self, socket: Socket) -> None:
        if socket not in self.active_at:
            return
        idle_at = self.active_at[socket] + IDLE_CUT
        if idle_at <= self._simulation.now:
            self._cut(socket, GOING_AWAY)
        else:
            self._simulation.at(idle_at, lambda: self._cut_if_idle(socket))


@dataclass(frozen=True, slots=True)
class Path:
    """The state of the network. ``latency``: seconds one way."""

    up: bool = True  #: frames of the page reach the gateway
    down: bool = True  #: frames of the gateway reach the page
    refused: bool = False  #: new connections are refused at once
    latency: float = 0.04

    @property
    def is_whole(self) -> bool:
        return self.up and self.down


GOOD = Path()
BLACK_HOLE = Path(up=False, down=False)
DEAF = Path(down=False)
MUTE = Path(up=False)
REFUSED = Path(refused=True)
SLOW = Path(latency=1.0)


class Network:
    """One page's network to the gateway."""

    def __init__(self, simulation: Simulation, gateway: Gateway) -> None:
        self.simulation = simulation
        self.gateway = gateway
        self.path = GOOD
        self.sockets: list[Socket] = []  #: those that are open at either end
        self._broken_since = 0.0

    def set_path(self, path: Path) -> None:
        """Change the state of the network, for old and new sockets."""
        was_whole, self.path = self.path.is_whole, path
        if was_whole and not path.is_whole:
            self._broken_since = self.simulation.now
        elif path.is_whole and not was_whole:
            outage = min(self.simulation.now - self._broken_since, MAX_RETRANSMISSION_DELAY)
            for socket in self.sockets:
                socket.stall(self.simulation.random.uniform(0, outage))
        for socket in self.sockets:
            socket.flush()
        self.simulation.changed()

    @contextlib.contextmanager
    def during(self, path: Path) -> Iterator[None]:
        """Have this state until the context ends, then a good one."""
        self.set_path(path)
        yield
        self.set_path(GOOD)

    def reset(self) -> None:
        """Send RST to both ends of every socket."""
        for socket in tuple(self.sockets):
            socket.break_off()

    def strand(self, *, tells: bool = False) -> None:
        """The page's address, or a NAT's memory of it, is gone: every socket stays open and carries nothing. One that
        ``tells`` answers the next frame of the page with RST."""
        for socket in self.sockets:
            socket.is_stranded, socket.tells = True, tells
        self.simulation.changed()


@dataclass(slots=True)
class Direction:
    """The held frames of one direction."""

    held: list[Callable[[], None]] = field(default_factory=list)
    last: float = 0.0  #: arrival, so that no frame overtakes another


class Socket:
    """One WebSocket between a page and the gateway. ``tell``: gets its events as those of ``link``."""

    def __init__(self, network: Network, link: int, tell: Callable[[LinkEvent], None]) -> None:
        self.is_open = False  #: as the page knows it
        self.is_stranded = False
        self.tells = False
        self._network = network
        self._simulation = network.simulation
        self._link = link
        self._tell: Callable[[LinkEvent], None] | None = tell  # None: abandoned by the page
        self._stalled_until = 0.0
        self._up, self._down = Direction(), Direction()
        network.sockets.append(self)
        for pause in (0.0, *SYN_RETRIES):
            self._simulation.after(pause, self._shake_hands)

    @property
    def is_served(self) -> bool:
        """Whether it is open at the gateway."""
        return self in self._network.gateway.active_at

    @property
    def works(self) -> bool:
        """Whether a frame sent now would really be answered."""
        return self.is_open and self.is_served and self._network.path.is_whole and self._flows

    @property
    def _flows(self) -> bool:
        return not self.is_stranded and self._simulation.now >= self._stalled_until

    # --- the page's end ---

    def send(self, frame: Frame) -> None:
        assert self.is_open, "sent on a socket that is not open"
        if not self.is_stranded:
            self._put(self._up, lambda: self._arrive_above(frame))
        elif self.tells:
            self._simulation.after(self._network.path.latency, self.break_off)

    def abandon(self) -> None:
        """Abandon the socket, and close it if the network works."""
        self._tell, self.is_open = None, False
        if not self.is_served:
            self._forget()
        elif not self.is_stranded:
            self._put(self._up, self._leave)
        self._simulation.changed()

    # --- the gateway's end ---

    def push(self, frame: Frame) -> None:
        self._put(self._down, lambda: self._arrive_below(frame))

    def cut(self, code: int) -> None:
        """Close at the gateway; the page learns it if the network works."""
        if self._tell is None:
            self._forget()
        else:
            self._put(self._down, lambda: self._end(code))
            self._simulation.changed()

    # --- the network ---

    def break_off(self) -> None:
        """Send RST to both ends at once."""
        self._leave()
        self._end()

    def stall(self, seconds: float) -> None:
        """Hold everything for ``seconds``, until retransmission."""
        self._stalled_until = self._simulation.now + seconds
        self._simulation.after(seconds, self._resume)

    def flush(self) -> None:
        """Send what is held, as far as the network works."""
        path = self._network.path
        for passes, direction in ((path.up, self._up), (path.down, self._down)):
            if passes and self._flows and direction.held:
                direction.last = max(direction.last, self._simulation.now + path.latency)
                for arrive in direction.held:
                    self._simulation.at(direction.last, arrive)
                direction.held.clear()

    def _put(self, direction: Direction, arrive: Callable[[], None]) -> None:
        direction.held.append(arrive)
        self.flush()

    def _resume(self) -> None:
        self.flush()
        self._simulation.changed()

    def _arrive_above(self, frame: Frame) -> None:
        if self.is_served:
            self._network.gateway.on_frame(self, frame)
        else:
            self._simulation.after(self._network.path.latency, self._end)

    def _arrive_below(self, frame: Frame) -> None:
        if self._tell is not None:
            self._tell(FrameArrived(self._link))
        if self._tell is not None:
            self._tell(FrameReceived(self._link, frame))

    def _shake_hands(self) -> None:
        path = self._network.path
        if self._tell is None or self.is_open or self.is_served:
            return
        if path.refused:
            self._simulation.after(2 * path.latency, self._end)
        elif path.is_whole and not self.is_stranded:
            if self._network.gateway.admits(self):
                self._down.last = self._simulation.now + HANDSHAKE * path.latency
                self._put(self._down, self._opened)
            else:
                self._simulation.after(HANDSHAKE * path.latency, self._end)

    def _opened(self) -> None:
        if self._tell is not None:
            self.is_open = True
            self._tell(SocketOpened(self._link))
            self._simulation.changed()

    def _end(self, code: int = ABNORMAL) -> None:
        tell, self._tell, self.is_open = self._tell, None, False
        if not self.is_served:
            self._forget()
        if tell is not None:
            tell(SocketClosed(self._link, code))
        self._simulation.changed()

    def _leave(self) -> None:
        self._network.gateway.active_at.pop(self, None)
        self._forget()

    def _forget(self) -> None:
        if self in self._network.sockets:
            self._network.sockets.remove(self)
