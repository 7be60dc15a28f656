"""The network between pages and the gateway, in which each item waits until a test lets it arrive.

TCP keeps frames in order, but API Gateway handles the frames of one client concurrently and posts from several
functions at once. So any of the first few items of each direction may arrive next.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from kizuna.platform import SocketListener
from kizuna.testing import FakeSocket

if TYPE_CHECKING:
    from tests.simulation.gateway import Server
    from tests.simulation.page import ChatPage

#: The number of items of one direction that may arrive next.
WINDOW = 4
ABNORMAL = 1006


class Path(Enum):
    """The state of one tab's path to the server."""

    GOOD = auto()
    STALLED = auto()  #: nothing arrives, nothing is lost
    REFUSED = auto()  #: open links stay open; new ones are refused


class Signal(Enum):
    """Items that are neither frames nor ends."""

    SHAKE = auto()  #: the page's handshake
    OPENED = auto()  #: the gateway accepted it
    DISCONNECT = auto()  #: the gateway has dropped the link; $disconnect follows, or is lost


@dataclass(frozen=True, slots=True)
class Text:
    """A text frame."""

    text: str


@dataclass(frozen=True, slots=True)
class End:
    """The end of a link."""

    code: int = ABNORMAL


Item = Signal | Text | End


class Way(Enum):
    """A direction."""

    UP = auto()
    DOWN = auto()


class SimulatedLink:
    """One WebSocket, and the items on their way over it."""

    def __init__(self, number: int, host: ChatPage, url: str, listener: SocketListener) -> None:
        self.number = number
        self.host = host
        self.url = url
        self.connection_id = f"connection-{number}="
        self.authorizer: dict[str, str] | None = (
            None  #: the authorizer's context of the person, once accepted
        )
        self.up: list[Item] = [Signal.SHAKE]
        self.down: list[Item] = []
        self.at_page = True  #: the page has neither abandoned it nor learned of its end
        self.is_stranded = False  #: nothing passes, and neither end is told
        self.socket = LinkSocket(self, url, listener)

    def send(self, way: Way, item: Item) -> None:
        if not self.is_stranded:
            (self.up if way is Way.UP else self.down).append(item)

    def leave(self) -> None:
        """The page abandons the link, and the gateway learns of it if anything still passes."""
        self.at_page = False
        self.down.clear()
        if self.up and self.up[0] is Signal.SHAKE:
            self.up.clear()
        else:
            self.send(Way.UP, End())

    def strand(self, *, keeps_up: bool) -> None:
        """Let nothing pass from now on. ``keeps_up``: what the page has sent still arrives."""
        self.is_stranded = True
        self.down.clear()
        if not keeps_up or Signal.SHAKE in self.up:
            self.up.clear()

    def tell_gateway(self) -> None:
        """Let the gateway learn that the page is gone."""
        if not any(isinstance(item, End) or item is Signal.DISCONNECT for item in self.up):
            self.up.append(End())

    def tell_page(self, code: int = ABNORMAL) -> None:
        """Let the page learn that the link is closed."""
        if self.at_page:
            self.at_page = False
            self.down.clear()
            self.host.run(self.socket.drop, code)


class LinkSocket(FakeSocket):
    """The page's end of a link."""

    def __init__(self, link: SimulatedLink, url: str, listener: SocketListener) -> None:
        super().__init__(url, listener)
        self._link = link

    def send(self, data: str | bytes) -> None:
        assert self.is_open, "sent on a socket that is not open"
        assert isinstance(data, str)
        self._link.send(Way.UP, Text(data))

    def abandon(self, code: int, reason: str) -> None:
        super().abandon(code, reason)
        if self._link.at_page:
            self._link.leave()


@dataclass(frozen=True, slots=True)
class Flight:
    """One item that could be the next to arrive."""

    link: SimulatedLink
    way: Way
    index: int

    @property
    def items(self) -> list[Item]:
        return self.link.up if self.way is Way.UP else self.link.down

    @property
    def item(self) -> Item:
        return self.items[self.index]

    def lose(self) -> None:
        del self.items[self.index]

    def brings(self, kind: str, room_id: str = "") -> bool:
        """Return whether it is a frame of this type for the page, about this room or any."""
        if self.way is not Way.DOWN or not isinstance(self.item, Text):
            return False
        frame = json.loads(self.item.text)
        return frame.get("type") == kind and room_id in ("", frame.get("roomId"))


class Network:
    """All links between pages and ``server``."""

    def __init__(self, server: Server) -> None:
        self.links: list[SimulatedLink] = []
        self._server = server
        self._numbers = itertools.count(1)

    def open(self, host: ChatPage, url: str, listener: SocketListener) -> LinkSocket:
        self.links.append(SimulatedLink(next(self._numbers), host, url, listener))
        return self.links[-1].socket

    def flights(self, window: int = WINDOW) -> Iterator[Flight]:
        """Yield the items that may arrive next: the first few of each direction of each link."""
        self.links = [link for link in self.links if link.at_page or link.up]
        for link in self.links:
            if link.host.tab.path is Path.STALLED and not link.is_stranded:
                continue
            for way, items in ((Way.UP, link.up), (Way.DOWN, link.down)):
                if way is Way.UP or not link.host.lifetime.is_frozen:
                    for index in range(min(window, len(items))):
                        yield Flight(link, way, index)

    def arrive(self, flight: Flight, *, again: bool = False) -> None:
        """Let one item arrive. ``again``: it will arrive a second time."""
        link, item = flight.link, flight.item
        if not again:
            flight.lose()
        match item:
            case Signal.SHAKE:
                if link.host.tab.path is Path.REFUSED:
                    link.tell_page()
                else:
                    self._server.connect(link)
            case Text(text=text) if flight.way is Way.UP:
                self._server.receive(link, text)
            case End() if flight.way is Way.UP:
                self._server.forget(link)
                link.up.append(Signal.DISCONNECT)
            case Signal.DISCONNECT:
                self._server.disconnect(link)
            case Signal.OPENED:
                link.host.run(link.socket.accept)
            case Text(text=text):
                link.host.run(link.socket.receive, text)
            case End(code=code):
                link.tell_page(code)
