"""A page with a real :class:`kizuna.core.Connection`, whose commands it executes."""

from __future__ import annotations

from collections import deque

from kizuna.core import Connection, events
from kizuna.core.events import Command, Event
from kizuna.core.states import Status
from kizuna.wire import Numbers, Wire
from tests.kizuna.core.machine import MakeConnection
from tests.reports.simulated.network import Gateway, Network, Socket
from tests.reports.simulated.page import BrowserPage, Simulation


class Client:
    """Responsible for being to a connection what the service, the chat and the browser are to it in a page: a token is
    at hand, and the chat prepares a link by saying hello and awaiting the batch."""

    def __init__(
        self,
        simulation: Simulation,
        wire: Wire,
        numbers: Numbers,
        *,
        has_worker: bool = False,
        make: MakeConnection = Connection,
    ) -> None:
        self.simulation = simulation
        self.gateway = Gateway(simulation)
        self.network = Network(simulation, self.gateway)
        self.page = BrowserPage(simulation, self.handle, has_worker=has_worker)
        self.attempts = 0
        self._connection = make(wire, numbers, simulation.random.random)
        self._sockets: dict[int, Socket] = {}  # by link; those that the connection has not given up
        self._wire = wire
        self._events: deque[Event] = deque()
        self._is_handling = False

    @property
    def is_connected(self) -> bool:
        """Whether the status is CONNECTED."""
        return self._connection.status is Status.CONNECTED

    @property
    def has_working_link(self) -> bool:
        """Whether a frame sent now would really be answered."""
        return any(socket.works for socket in self._sockets.values())

    @property
    def could_connect(self) -> bool:
        """Whether an attempt made now would really succeed."""
        path = self.network.path
        return self.page.runs and path.is_whole and not path.refused and self.gateway.is_up

    def handle(self, event: Event) -> None:
        """Handle an event, and those that follow from it, one after another."""
        self._events.append(event)
        if self._is_handling:
            return
        self._is_handling = True
        while self._events:
            before = self._connection.status
            for command in self._connection.handle(self._events.popleft(), self.page.instant()):
                self._execute(command)
            if self._connection.status is not before:
                self.simulation.changed()
        self._is_handling = False

    def _execute(self, command: Command) -> None:
        match command:
            case events.SetTimer(timer=timer, at=at):
                self.page.arm(timer, at)
            case events.CancelTimer(timer=timer):
                self.page.disarm(timer)
            case events.SendPing(link=link, t=t):
                self._send(link, self._wire.ping_at(t))
            case events.FetchToken(link=link):
                self.attempts += 1
                self.handle(events.TokenObtained(link, "token"))
            case events.OpenSocket(link=link):
                self._sockets[link] = Socket(
                    self.network, link, lambda event: self.page.deliver(lambda: self.handle(event))
                )
            case events.PrepareLink(link=link):
                self._send(link, {"action": "hello"})
            case events.AbandonLink(link=link):
                if link in self._sockets:
                    self._sockets.pop(link).abandon()
            case events.Deliver(link=link, frame={"type": "batch"}):
                self.handle(events.LinkPrepared(link))
            case events.Deliver():
                pass
            case _:
                raise NotImplementedError(f"the simulation does not know what to do for {command}")

    def _send(self, link: int, frame: dict[str, object]) -> None:
        if link in self._sockets and self._sockets[link].is_open:
            self._sockets[link].send(frame)
