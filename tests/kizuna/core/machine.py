"""A Connection on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from kizuna.core import Connection, events
from kizuna.core.events import CancelTimer, Command, Event, FetchToken, SendPing, SetTimer, Timer
from kizuna.core.states import Status
from kizuna.platform import Instant
from kizuna.wire import KIZUNA, Numbers, Options, Wire

Kind = TypeVar("Kind")
MakeConnection = Callable[[Wire, Numbers, Callable[[], float]], Connection]

READY = {"type": "ready"}


class Machine:
    """A Connection that gets events at chosen times, and the commands that it returned.

    ``chance`` is what the Connection draws: 0.5 puts every jittered delay at its nominal value.
    """

    def __init__(
        self, *, chance: float = 0.5, make: MakeConnection = Connection, wire: Wire = KIZUNA, **options: Any
    ) -> None:
        self.chance = chance
        self.wire = wire
        # No quiet attempts, unless a test wants them: after the last retry nothing happens.
        self.options = Numbers.of(wire.defaults, Options(idle_retry_interval=0.0), options)
        self.connection = make(wire, self.options, lambda: self.chance)
        self.now = Instant(1000.0, 1_700_000_000.0)
        self.commands: list[Command] = []  #: all since the beginning

    # events

    def handle(self, *happened: Event) -> list[Command]:
        """Handle these events at this moment; return the commands."""
        given: list[Command] = []
        for event in happened:
            for each in with_arrival(event):
                given += self.connection.handle(each, self.now)
        self.commands += given
        return given

    def wait(self, seconds: float) -> list[Command]:
        """Let time pass, with each timer fired when it is due."""
        end = self.now.monotonic + seconds
        given: list[Command] = []
        while (due := self._next_due(end)) is not None:
            timer, at = due
            self._move(max(0.0, at - self.now.monotonic))
            given += self.handle(events.TimerFired(timer))
        self._move(end - self.now.monotonic)
        return given

    def retry(self) -> float | None:
        """Wait for the next attempt, if one is to come; returns how long that took."""
        delay = self.armed(Timer.RETRY)
        self.wait(delay or 0.0)
        return delay

    def hang(self, seconds: float) -> None:
        """Let time pass without firing anything: a busy page."""
        self._move(seconds)

    def sleep(self, seconds: float) -> None:
        """Let the machine sleep: only the wall clock goes on."""
        self.now = Instant(self.now.monotonic, self.now.wall + seconds)

    def fire(self, timer: Timer) -> list[Command]:
        """Fire ``timer`` now, due or not."""
        return self.handle(events.TimerFired(timer))

    def receive(self, frame: Mapping[str, Any]) -> list[Command]:
        """Let a frame arrive on the newest link."""
        return self.handle(events.FrameReceived(self.link, frame))

    def drop(self, code: int = 1006, reason: str = "") -> list[Command]:
        """Let the newest link's socket close."""
        return self.handle(events.SocketClosed(self.link, code, reason))

    def open(self) -> list[Command]:
        """Open the newest link; ready and prepare are awaited."""
        return self.handle(events.TokenObtained(self.link, "token"), events.SocketOpened(self.link))

    def settle(self) -> list[Command]:
        """Open and prove the newest link."""
        given = self.open()
        if self.wire.ready is not None:
            given += self.receive(READY)
        return given + self.handle(events.LinkPrepared(self.link))

    def pong(self) -> list[Command]:
        ping = [command for command in self.commands if isinstance(command, SendPing)][-1]
        return self.receive({"type": "pong", "t": round(ping.t * 1000)})

    # results

    @property
    def status(self) -> Status:
        return self.connection.status

    @property
    def link(self) -> int:
        """The number of the newest link, alive or not."""
        return max((command.link for command in self.commands if isinstance(command, FetchToken)), default=0)

    @property
    def attempts(self) -> int:
        return sum(isinstance(command, FetchToken) for command in self.commands)

    def armed(self, timer: Timer) -> float | None:
        """In how many seconds ``timer`` is due; None if it is not armed."""
        at = self.connection.timers.get(timer)
        return None if at is None else at - self.now.monotonic

    def commanded(self, timer: Timer) -> float | None:
        """When ``timer`` fires by the commands given so far; None if it is not set."""
        at = None
        for command in self.commands:
            if isinstance(command, SetTimer) and command.timer is timer:
                at = command.at
            elif isinstance(command, CancelTimer) and command.timer is timer:
                at = None
        return at

    def _next_due(self, end: float) -> tuple[Timer, float] | None:
        due = min(self.connection.timers.items(), key=lambda item: item[1], default=None)
        return due if due is not None and due[1] <= end else None

    def _move(self, seconds: float) -> None:
        self.now = Instant(self.now.monotonic + seconds, self.now.wall + seconds)


def with_arrival(event: Event) -> list[Event]:
    """Return the event of a frame that arrives now behind the one of its arrival; other events alone."""
    match event:
        case events.FrameReceived(link=link, at=None) | events.FrameMalformed(link=link):
            return [events.FrameArrived(link), event]
    return [event]


def only(commands: list[Command], kind: type[Kind]) -> list[Kind]:
    return [command for command in commands if isinstance(command, kind)]


def without_timers(commands: list[Command]) -> list[Command]:
    """The commands that touch the network or the application."""
    return [command for command in commands if not isinstance(command, SetTimer | CancelTimer)]


def machine_in(status: Status, **options: Any) -> Machine:
    """A machine that real events have brought to ``status``."""
    machine = Machine(**options)
    if status is Status.IDLE:
        return machine
    machine.handle(events.ConnectRequested())
    if status in _BY_DROPS:
        machine.drop()
    elif status is not Status.CONNECTING:
        machine.settle()
    match status:
        case Status.SUSPECT:
            machine.handle(events.PageShown())
        case Status.OFFLINE:
            machine.handle(events.WentOffline())
        case Status.SUSPENDED:
            machine.handle(events.PageSuspended())
        case Status.EXHAUSTED:
            while machine.status is not Status.EXHAUSTED:
                machine.retry()
                machine.drop()
        case Status.REJECTED:
            machine.drop(1008)
        case Status.CLOSED:
            machine.handle(events.DisconnectRequested())
    assert machine.status is status
    return machine


_BY_DROPS = (Status.WAITING, Status.OFFLINE, Status.EXHAUSTED)
