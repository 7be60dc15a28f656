"""The Gateway protocol: posts frames to connections, as API Gateway's ``@connections`` does."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Protocol


class Delivery(Enum):
    """The result of posting one frame to one connection."""

    #: The gateway took it (HTTP 200). Only seq and heads prove that the page has it.
    DELIVERED = "delivered"
    GONE = "gone"  #: there is no such connection (410)
    FAILED = "failed"  #: it exists, but could not take the frame: its buffer is full (429), or an error


class Gateway(Protocol):
    """A poster of frames to connections. Every method may be called from any thread."""

    def post_many(self, connection_ids: Iterable[str], frame: str) -> dict[str, Delivery]:
        """Post one text frame to each connection, concurrently, and say how each went. Never raises for one."""

    def close(self, connection_id: str) -> None:
        """Close a connection after what was posted to it before; no error if it is gone. The page sees code 1000."""
