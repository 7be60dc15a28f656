"""One person's page with a real :class:`kizuna.connection.Connection` in it: carries out its commands."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kizuna import commands, events
from kizuna.commands import Command
from kizuna.connection import Connection
from kizuna.events import Event, Timer
from kizuna.options import Options
from kizuna.platform import Instant
from kizuna.states import Status
from tests.reports.simulated.gateway import Gateway
from tests.reports.simulated.network import Frame, Network, Socket
from tests.reports.simulated.page import Page
from tests.reports.simulated.world import World

#: Told of every event: what it was, the moment, the status before, and what the connection answered.
Observer = Callable[[Event, Instant, Status, Sequence[Command]], None]
ConnectionFactory = Callable[[Options, Callable[[], float]], Connection]


@dataclass(slots=True)
class Habits:
    """How the application around the connection behaves."""

    token_seconds: float = (
        0.0  #: 0: the provider answers at once; else it asks over the network for this long
    )
    token: str = "given"  #: given, failing, or unauthorized
    prepares_at_once: bool = False  #: else it says hello and awaits the batch, as the chat does


class Client:
    """Responsible for being to a connection what the service and the browser are to it in a page."""

    def __init__(
        self,
        world: World,
        gateway: Gateway,
        options: Options,
        *,
        habits: Habits | None = None,
        has_worker: bool = False,
        make: ConnectionFactory = Connection,
    ) -> None:
        self.world = world
        self.gateway = gateway
        self.habits = habits or Habits()
        self.network = Network(world, gateway)
        self.page = Page(world, has_worker=has_worker)
        self.page.tell = self._on_page_event
        self.page.fire = self._on_timer
        self.connection = make(options, world.random.random)
        self.sockets: dict[int, Socket] = {}  #: by link; those that the connection has not given up
        self.attempts = 0  #: tokens asked for
        self.sockets_opened = 0
        self.observers: list[Observer] = []
        self._wire = options.wire
        self._told = self.page.visible, self.page.online
        self._events: deque[Event] = deque()
        self._is_handling = False

    @property
    def status(self) -> Status:
        """What the connection says."""
        return self.connection.status

    @property
    def has_working_link(self) -> bool:
        """The truth: whether a frame sent now would be answered."""
        return any(socket.works for socket in self.sockets.values())

    @property
    def could_connect(self) -> bool:
        """The truth: whether an attempt made now would succeed."""
        path = self.network.path
        return self.page.runs and path.is_whole and not path.refused and self.gateway.is_up

    def handle(self, event: Event) -> None:
        """Hand ``event`` to the connection, and whatever follows from it, one after the other."""
        self._events.append(event)
        if self._is_handling:
            return
        self._is_handling = True
        try:
            while self._events:
                event = self._events.popleft()
                now, before = self.page.instant(), self.connection.status
                answer = self.connection.handle(event, now)
                for observe in self.observers:
                    observe(event, now, before, answer)
                for command in answer:
                    self._execute(command)
                if self.connection.status is not before:
                    self.world.changed()
        finally:
            self._is_handling = False

    def _on_page_event(self, event: events.PageEvent) -> None:
        self._told = self.page.visible, self.page.online
        self.handle(event)

    def _on_timer(self, timer: Timer) -> None:
        visible, online = self._told
        if self.page.visible is not visible:  # an edge got lost: read the level, as the service does
            self._on_page_event(events.PageShown() if self.page.visible else events.PageHidden())
        if self.page.online is not online:
            self._on_page_event(events.WentOnline() if self.page.online else events.WentOffline())
        self.handle(events.TimerFired(timer, throttled=self.page.throttled))

    def _execute(self, command: Command) -> None:
        match command:
            case commands.SetTimer(timer=timer, at=at):
                self.page.arm(timer, at)
            case commands.CancelTimer(timer=timer):
                self.page.disarm(timer)
            case commands.SendPing(link=link, t=t):
                if link in self.sockets and self.sockets[link].is_open:
                    self.sockets[link].send({"action": self._wire.ping, **self._wire.ping_data(t)})
            case commands.FetchToken(link=link):
                self._fetch_token(link)
            case commands.OpenSocket(link=link):
                self.sockets_opened += 1
                self.sockets[link] = Socket(self.network, _Listener(self, link))
            case commands.PrepareLink(link=link):
                self._prepare(link)
            case commands.AbandonLink(link=link):
                socket = self.sockets.pop(link, None)
                if socket is not None:
                    socket.abandon()
            case commands.Deliver(link=link, frame=frame):
                if frame.get("type") == "batch" and not self.habits.prepares_at_once:
                    self.handle(events.LinkPrepared(link))
            case commands.ReportMalformed():
                pass
            case _:
                raise NotImplementedError(f"the simulation does not know what to do for {command}")

    def _fetch_token(self, link: int) -> None:
        self.attempts += 1
        match self.habits.token:
            case "given":
                answer: Event = events.TokenObtained(link, "token")
            case failure:
                answer = events.TokenFailed(link, unauthorized=failure == "unauthorized")
        if self.habits.token_seconds == 0:
            self.handle(answer)
        elif self.network.path.is_whole:
            self.world.after(
                self.habits.token_seconds, lambda: self.page.deliver(lambda: self.handle(answer))
            )

    def _prepare(self, link: int) -> None:
        if link in self.sockets and self.sockets[link].is_open:
            self.sockets[link].send({"action": "hello"})
        if self.habits.prepares_at_once:
            self.handle(events.LinkPrepared(link))


class _Listener:
    """Responsible for turning what one socket says into events of its link."""

    def __init__(self, client: Client, link: int) -> None:
        self._client = client
        self._link = link

    def on_open(self) -> None:
        self._tell(events.SocketOpened(self._link))

    def on_frame(self, frame: Frame) -> None:
        self._tell(events.FrameReceived(self._link, frame))

    def on_close(self, code: int, reason: str) -> None:
        self._tell(events.SocketClosed(self._link, code, reason))

    def _tell(self, event: Event) -> None:
        self._client.page.deliver(lambda: self._client.handle(event))
