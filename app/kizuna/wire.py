"""How ping, pong, ready and bye look on one kind of server: an option of the library, not literals in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class FrameKind(Enum):
    """What a frame means to the connection; to the application every frame is delivered."""

    READY = "ready"  #: the server has accepted this link
    PONG = "pong"  #: answer to a ping
    BYE = "bye"  #: the server ends the connection
    OTHER = "other"  #: the application's


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """Responsible for the words of the connection itself. None: this server has no such word.

    Without ``ready`` an open socket counts at once, but only uptime proves it. Without ``pong`` silence proves
    nothing, so the next link is opened beside a doubted one. Unless its frames carry a ``seq`` (``has_seq``), by
    which the application knows what it has seen, a link closes as soon as the next one stands.
    """

    name: str
    ping: str = "ping"  #: action of the heartbeat
    ready: str | None = None
    pong: str | None = None
    bye: str | None = None
    has_seq: bool = False

    def kind_of(self, frame: Mapping[str, Any]) -> FrameKind:
        """What ``frame`` means to the connection."""
        match frame.get("type"):
            case None:
                return FrameKind.OTHER
            case self.ready:
                return FrameKind.READY
            case self.pong:
                return FrameKind.PONG
            case self.bye:
                return FrameKind.BYE
        return FrameKind.OTHER

    def ping_data(self, t: float) -> dict[str, Any]:
        """What a ping carries besides its action; ``t`` monotonic seconds."""
        return {"t": round(t * 1000)} if self.pong else {}


#: This project's server.
KIZUNA = Wire(name="kizuna", ready="ready", pong="pong", bye="bye", has_seq=True)
#: The article's server: it answers neither the opening nor a ping.
ARTICLE = Wire(name="article")
