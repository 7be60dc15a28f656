"""A server that behaves as API Gateway does: a turnstile, an idle cut, a hard cut; restarts and rolling deploys."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

from tests.reports.simulated.network import Frame, Socket
from tests.reports.simulated.world import HOUR, MINUTE, World

#: API Gateway: new connections per second, account and region. What is too much gets 429 at once, nothing queues.
CONNECTIONS_PER_SECOND = 500
IDLE_CUT = 10 * MINUTE
HARD_CUT = 2 * HOUR
GOING_AWAY = 1001
RESTART = 1012


class Turnstile:
    """Responsible for letting through at most ``per_second`` in each second."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._second = -1
        self._let_through = 0

    def admits(self, now: float) -> bool:
        """Whether one more gets through at ``now``."""
        second = int(now)
        if second != self._second:
            self._second, self._let_through = second, 0
        if self._let_through >= self._per_second:
            return False
        self._let_through += 1
        return True


class Gateway:
    """Responsible for the other end of every socket: ``hello`` -> ``ready`` and ``batch``, ``ping`` -> ``pong``."""

    def __init__(self, world: World, *, per_second: int = CONNECTIONS_PER_SECOND) -> None:
        self._world = world
        self._turnstile = Turnstile(per_second)
        self.active_at: dict[Socket, float] = {}  #: when a frame passed last, for each connection
        self.is_up = True

    # --- what happens to it ---

    @contextlib.contextmanager
    def being_down(self) -> Iterator[None]:
        """Killed: every connection gets RST, and for a while nothing listens: new connections are refused."""
        for socket in tuple(self.active_at):
            socket.break_off()
        self.is_up = False
        self._world.changed()
        yield
        self.is_up = True
        self._world.changed()

    def deploy(self, *, retry_after: float, grace: float = 5.0) -> None:
        """This instance says ``bye`` and closes after ``grace`` seconds; another one already listens."""
        for socket in tuple(self.active_at):
            self._push(
                socket, {"type": "bye", "reason": "deploy", "reconnect": True, "retryAfter": retry_after}
            )
            self._world.after(grace, partial(self._cut, socket, RESTART))

    # --- what sockets do ---

    def admits(self, socket: Socket) -> bool:
        """Whether the upgrade is answered by 101, and not by 429 or 503."""
        if not self.is_up or not self._turnstile.admits(self._world.now):
            return False
        self.active_at[socket] = self._world.now
        self._world.after(HARD_CUT, lambda: self._cut(socket, GOING_AWAY))
        self._world.after(IDLE_CUT, lambda: self._cut_if_idle(socket))
        return True

    def on_frame(self, socket: Socket, frame: Frame) -> None:
        if socket not in self.active_at:
            return
        self.active_at[socket] = self._world.now
        match frame:
            case {"action": "ping", "t": t}:
                self._push(socket, {"type": "pong", "t": t})
            case {"action": "hello"}:
                self._push(socket, {"type": "ready"})
                self._push(socket, {"type": "batch"})

    def on_close(self, socket: Socket) -> None:
        """The page closed, or the connection broke."""
        self.active_at.pop(socket, None)

    def _push(self, socket: Socket, frame: Frame) -> None:
        self.active_at[socket] = self._world.now
        socket.push(frame)

    def _cut(self, socket: Socket, code: int) -> None:
        if self.active_at.pop(socket, None) is not None:
            socket.cut(code)

    def _cut_if_idle(self, socket: Socket) -> None:
        if socket not in self.active_at:
            return
        idle_at = self.active_at[socket] + IDLE_CUT
        if idle_at <= self._world.now:
            self._cut(socket, GOING_AWAY)
        else:
            self._world.at(idle_at, lambda: self._cut_if_idle(socket))
