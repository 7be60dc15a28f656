"""The way between pages and the gateway: what is on its way waits until somebody lets it arrive.

TCP keeps frames in order, but nobody else does: API Gateway handles the frames of one client at once and posts from
several functions at once. So of each direction any of the first few items may arrive next.
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
    from tests.simulation.page import Page

#: How far an item may overtake others.
WINDOW = 4
ABNORMAL = 1006


class Path(Enum):
    """What one page's way to the server does."""

    GOOD = auto()
    STALLED = auto()  #: nothing arrives, nothing is lost
    REFUSED = auto()  #: what is open stays open; nothing new is accepted


class Signal(Enum):
    """What is on its way, beside frames and ends."""

    SHAKE = auto()  #: the page wants to connect
    OPENED = auto()  #: the gateway lets it
    DISCONNECT = auto()  #: the gateway has let go of the line, and is about to say so ($disconnect), or never


@dataclass(frozen=True, slots=True)
class Text:
    """A text frame."""

    text: str


@dataclass(frozen=True, slots=True)
class End:
    """The other side is gone."""

    code: int = ABNORMAL


Item = Signal | Text | End


class Way(Enum):
    """A direction."""

    UP = auto()
    DOWN = auto()


class Line:
    """Responsible for one WebSocket and what is on its way over it."""

    def __init__(self, number: int, host: Page, url: str, listener: SocketListener) -> None:
        self.number = number
        self.host = host
        self.url = url
        self.connection_id = f"connection-{number}="
        self.authorizer: dict[str, str] | None = None  #: what it said of the person, once let in
        self.up: list[Item] = [Signal.SHAKE]
        self.down: list[Item] = []
        self.at_page = True  #: the page has not given it up, nor was it told of its end
        self.is_stranded = False  #: it carries nothing any more, and who is still there is not told
        self.socket = LineSocket(self, url, listener)

    def send(self, way: Way, item: Item) -> None:
        if not self.is_stranded:
            (self.up if way is Way.UP else self.down).append(item)

    def leave(self) -> None:
        """The page is there no more, and closes if the line still carries that."""
        self.at_page = False
        self.down.clear()
        if self.up and self.up[0] is Signal.SHAKE:
            self.up.clear()
        else:
            self.send(Way.UP, End())

    def strand(self, *, keeps_up: bool) -> None:
        """Nothing passes any more. ``keeps_up``: what the page sent before has passed already."""
        self.is_stranded = True
        self.down.clear()
        if not keeps_up or Signal.SHAKE in self.up:
            self.up.clear()

    def tell_gateway(self) -> None:
        """The gateway learns that the page is gone."""
        if not any(isinstance(item, End) or item is Signal.DISCONNECT for item in self.up):
            self.up.append(End())

    def tell_page(self, code: int = ABNORMAL) -> None:
        """The page learns that the gateway is gone."""
        if self.at_page:
            self.at_page = False
            self.down.clear()
            self.host.run(self.socket.drop, code)


class LineSocket(FakeSocket):
    """Responsible for the page's end of a line."""

    def __init__(self, line: Line, url: str, listener: SocketListener) -> None:
        super().__init__(url, listener)
        self._line = line

    def send(self, text: str) -> None:
        assert self.is_open, "sent on a socket that is not open"
        self._line.send(Way.UP, Text(text))

    def abandon(self, code: int, reason: str) -> None:
        super().abandon(code, reason)
        if self._line.at_page:
            self._line.leave()


@dataclass(frozen=True, slots=True)
class Flight:
    """One item on its way that could be the next to arrive."""

    line: Line
    way: Way
    index: int

    @property
    def items(self) -> list[Item]:
        return self.line.up if self.way is Way.UP else self.line.down

    @property
    def item(self) -> Item:
        return self.items[self.index]

    def lose(self) -> None:
        del self.items[self.index]

    def brings(self, kind: str, room_id: str = "") -> bool:
        """Whether it is a frame of this type for the page, about this room or any."""
        if self.way is not Way.DOWN or not isinstance(self.item, Text):
            return False
        frame = json.loads(self.item.text)
        return frame.get("type") == kind and room_id in ("", frame.get("roomId"))


class Network:
    """Responsible for all lines between pages and ``server``."""

    def __init__(self, server: Server) -> None:
        self.lines: list[Line] = []
        self._server = server
        self._numbers = itertools.count(1)

    def open(self, host: Page, url: str, listener: SocketListener) -> LineSocket:
        self.lines.append(Line(next(self._numbers), host, url, listener))
        return self.lines[-1].socket

    def flights(self, window: int = WINDOW) -> Iterator[Flight]:
        """What may arrive next, line by line; of each direction the first few."""
        self.lines = [line for line in self.lines if line.at_page or line.up]
        for line in self.lines:
            if line.host.tab.path is Path.STALLED and not line.is_stranded:
                continue
            for way, items in ((Way.UP, line.up), (Way.DOWN, line.down)):
                if way is Way.UP or not line.host.life.is_frozen:
                    for index in range(min(window, len(items))):
                        yield Flight(line, way, index)

    def arrive(self, flight: Flight, *, again: bool = False) -> None:
        """Let one item arrive. ``again``: and be on its way once more."""
        line, item = flight.line, flight.item
        if not again:
            flight.lose()
        match item:
            case Signal.SHAKE:
                if line.host.tab.path is Path.REFUSED:
                    line.tell_page()
                else:
                    self._server.connect(line)
            case Text(text=text) if flight.way is Way.UP:
                self._server.receive(line, text)
            case End() if flight.way is Way.UP:
                self._server.let_go(line)
                line.up.append(Signal.DISCONNECT)
            case Signal.DISCONNECT:
                self._server.disconnect(line)
            case Signal.OPENED:
                line.host.run(line.socket.accept)
            case Text(text=text):
                line.host.run(line.socket.receive, text)
            case End(code=code):
                line.tell_page(code)
