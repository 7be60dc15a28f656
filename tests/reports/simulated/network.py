"""The way between one page and the gateway, and the sockets on it.

TCP is modelled as far as a page can tell: a handshake in a black hole hangs and is retried at SYN's intervals; frames
that meet a broken way are held and sent again when it is whole, after up to as long again (retransmission doubles
its pauses); a socket whose address is gone stays open and silent for ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tests.reports.simulated.world import MINUTE, World

#: Seconds after the first SYN at which Linux sends it again.
SYN_RETRIES = (1.0, 3.0, 7.0, 15.0, 31.0)
#: Ways until a WebSocket is open: there and back for TCP, TLS 1.3 and the upgrade.
HANDSHAKE = 6
#: Retransmission waits at most this long, once the way is whole again.
LONGEST_RETRANSMISSION = MINUTE
Frame = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Path:
    """What the way does. ``latency`` seconds one way."""

    up: bool = True  #: frames of the page reach the gateway
    down: bool = True  #: frames of the gateway reach the page
    refused: bool = False  #: new connections are refused at once
    latency: float = 0.04

    @property
    def is_whole(self) -> bool:
        """Whether both directions pass."""
        return self.up and self.down


GOOD = Path()
BLACK_HOLE = Path(up=False, down=False)
DEAF = Path(down=False)
MUTE = Path(up=False)
REFUSED = Path(refused=True)
SLOW = Path(latency=1.0)


class Page(Protocol):
    """The page's end of a socket."""

    def on_open(self) -> None: ...
    def on_frame(self, frame: Frame) -> None: ...
    def on_close(self, code: int, reason: str) -> None: ...


class Server(Protocol):
    """The gateway's end of every socket."""

    def admits(self, socket: Socket) -> bool: ...
    def on_frame(self, socket: Socket, frame: Frame) -> None: ...
    def on_close(self, socket: Socket) -> None: ...


class Network:
    """Responsible for one page's way to the gateway."""

    def __init__(self, world: World, server: Server) -> None:
        self.world = world
        self.server = server
        self.path = GOOD
        self.whole_since = 0.0  #: since when the path is whole, if it is
        self.sockets: list[Socket] = []  #: those that either end still holds open
        self._broken_since = 0.0

    def become(self, path: Path) -> None:
        """Change what the way does, for sockets old and new."""
        was_whole, self.path = self.path.is_whole, path
        if was_whole and not path.is_whole:
            self._broken_since = self.world.now
        elif path.is_whole and not was_whole:
            self.whole_since = self.world.now
            outage = min(self.world.now - self._broken_since, LONGEST_RETRANSMISSION)
            for socket in tuple(self.sockets):
                socket.stall(self.world.random.uniform(0, outage))
        for socket in tuple(self.sockets):
            socket.flush()
        self.world.changed()

    @contextlib.contextmanager
    def being(self, path: Path) -> Iterator[None]:
        """For a while, another way; then a good one."""
        self.become(path)
        yield
        self.become(GOOD)

    def reset(self) -> None:
        """RST to both ends of every socket."""
        for socket in tuple(self.sockets):
            socket.break_off()
        self.world.changed()

    def strand(self, *, tells: bool = False) -> None:
        """The page's address, or a NAT's memory of it, is gone: every socket stays open and carries nothing. One that
        ``tells`` answers the next frame of the page with RST."""
        for socket in self.sockets:
            socket.is_stranded, socket.tells = True, tells
        self.world.changed()


class Socket:
    """Responsible for one WebSocket: ``page`` at one end, the network's server at the other."""

    def __init__(self, network: Network, page: Page) -> None:
        self._network = network
        self._world = network.world
        self._page: Page | None = page  #: None once the page gave it up, or was told of its end
        self.is_open = False  #: the page was told that it is
        self.is_served = False  #: the gateway holds its end
        self.is_stranded = False
        self.tells = False
        self._stalled_until = 0.0
        self._up: list[Callable[[], None]] = []  # held back, to the gateway
        self._down: list[Callable[[], None]] = []  # held back, to the page
        self._last_up = self._last_down = 0.0  # arrivals, so that no frame overtakes another
        network.sockets.append(self)
        for pause in (0.0, *SYN_RETRIES):
            self._world.after(pause, self._shake_hands)

    @property
    def works(self) -> bool:
        """Whether a frame sent now would be answered: the truth, which the page cannot see."""
        return (
            self.is_open
            and self.is_served
            and self._page is not None
            and not self.is_stranded
            and self._network.path.is_whole
            and self._world.now >= self._stalled_until
        )

    # --- the page's end ---

    def send(self, frame: Frame) -> None:
        """A frame from the page."""
        assert self.is_open, "sent on a socket that is not open"
        if self.is_stranded:
            if self.tells:
                self._world.after(self._network.path.latency, self.break_off)
            return
        self._up.append(
            lambda: self._network.server.on_frame(self, frame) if self.is_served else self._answer_rst()
        )
        self.flush()

    def abandon(self) -> None:
        """The page wants to hear no more of it, and closes it if the way allows."""
        self._page, self.is_open = None, False
        if self.is_served and not self.is_stranded:
            self._up.append(self._leave)
            self.flush()
        elif not self.is_served:
            self._forget()
        self._world.changed()

    # --- the gateway's end ---

    def push(self, frame: Frame) -> None:
        """A frame from the gateway."""
        self._down.append(lambda: self._page.on_frame(frame) if self._page else None)
        self.flush()

    def cut(self, code: int, reason: str = "") -> None:
        """The gateway closes; the page learns it when the way allows."""
        self.is_served = False
        if self._page is None:
            self._forget()
            return
        self._down.append(lambda: self._end(code, reason))
        self.flush()
        self._world.changed()

    # --- the way ---

    def break_off(self) -> None:
        """RST to both ends, at once."""
        self._leave()
        self._end(1006, "")

    def stall(self, seconds: float) -> None:
        """Hold everything back for ``seconds``: retransmission has not noticed yet that the way is whole."""
        self._stalled_until = self._world.now + seconds
        self._world.after(seconds, self._resume)

    def _resume(self) -> None:
        self.flush()
        self._world.changed()

    def flush(self) -> None:
        """Send what is held back, as far as the way allows."""
        if self.is_stranded or self._world.now < self._stalled_until:
            return
        path = self._network.path
        if path.up and self._up:
            self._last_up = max(self._last_up, self._world.now + path.latency)
            for arrive in self._up:
                self._world.at(self._last_up, arrive)
            self._up.clear()
        if path.down and self._down:
            self._last_down = max(self._last_down, self._world.now + path.latency)
            for arrive in self._down:
                self._world.at(self._last_down, arrive)
            self._down.clear()

    def _shake_hands(self) -> None:
        path = self._network.path
        if self._page is None or self.is_open or self.is_served:
            return
        if path.refused:
            self._world.after(2 * path.latency, lambda: self._end(1006, ""))
        elif path.is_whole and not self.is_stranded:
            if self._network.server.admits(self):
                self.is_served = True
                self._down.append(self._opened)
                self._last_down = self._world.now + HANDSHAKE * path.latency
                self.flush()
            else:
                self._world.after(HANDSHAKE * path.latency, lambda: self._end(1006, ""))

    def _opened(self) -> None:
        if self._page is not None:
            self.is_open = True
            self._page.on_open()
            self._world.changed()

    def _end(self, code: int, reason: str) -> None:
        page, self._page, self.is_open = self._page, None, False
        if not self.is_served:
            self._forget()
        if page is not None:
            page.on_close(code, reason)
        self._world.changed()

    def _answer_rst(self) -> None:
        self._world.after(self._network.path.latency, lambda: self._end(1006, ""))

    def _leave(self) -> None:
        if self.is_served:
            self.is_served = False
            self._network.server.on_close(self)
        self._forget()

    def _forget(self) -> None:
        if self in self._network.sockets:
            self._network.sockets.remove(self)
