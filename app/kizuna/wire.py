"""The wire: what ping, pong, ready and bye look like on one kind of server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from kizuna.options import Options


class FrameKind(Enum):
    """What a frame is to the connection. Every frame is delivered to the application."""

    READY = "ready"  #: the server has accepted this link
    PONG = "pong"  #: answer to a ping
    BYE = "bye"  #: the server ends the connection
    OTHER = "other"  #: the application's


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """The frames that belong to the connection itself. None: this server has no such frame.

    Without ``ready`` an open socket counts at once, but only uptime proves it. Without ``pong`` silence proves nothing,
    so a candidate is opened beside a doubted link. Without ``has_seq`` a replaced link closes at once, since the
    application could not recognise a frame that arrives twice.
    """

    name: str
    ping: str = "ping"  #: action of the heartbeat; empty: none is sent
    ready: str | None = None
    pong: str | None = None
    bye: str | None = None
    has_seq: bool = False
    defaults: Options = field(default_factory=Options, hash=False)  #: numbers that this server needs

    def kind_of(self, frame: Any) -> FrameKind:
        """Return what ``frame`` is to the connection."""
        if not isinstance(frame, Mapping):
            return FrameKind.OTHER
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
        """Return the fields of a ping besides its action; ``t``: monotonic seconds."""
        return {"t": round(t * 1000)} if self.pong else {}


# Limits of API Gateway: it closes the connection for a larger frame, and each after two hours.
_GATEWAY = Options(max_frame_bytes=32 * 1024, rollover_after=110 * 60.0)

#: Any server: it is sent nothing, and need say nothing. A half-open connection is not noticed.
PLAIN = Wire(name="plain", ping="")
#: This project's server.
KIZUNA = Wire(name="kizuna", ready="ready", pong="pong", bye="bye", has_seq=True, defaults=_GATEWAY)
#: The article's server: it sends neither ready nor pong. The article tries five times, and then stops.
ARTICLE = Wire(name="article", defaults=Options(**_GATEWAY, max_retries=5, idle_retry_interval=0.0))
