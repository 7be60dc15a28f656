"""What delivery needs of a connection. A WebSocketService has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Link(Protocol):
    """A link that is being prepared. ``replaces``: another link still carries the frames."""

    @property
    def replaces(self) -> bool:
        """Return whether the link is a candidate."""

    def send_message(self, action: str, data: Mapping[str, Any] | None = None, /) -> None:
        """Send ``{"action": action, **data}``.

        Raises:
            NotConnected: The link is closed.
            FrameTooLarge: The frame is too large.
        """


class Carrier(Protocol):
    """A connection over wire KIZUNA, or over one without acknowledgements."""

    def send_message(self, action: str, data: Mapping[str, Any] | None = None, /) -> None:
        """Send ``{"action": action, **data}`` now.

        Raises:
            NotConnected: No link is open.
            FrameTooLarge: The frame is too large.
        """

    def is_connected(self) -> bool:
        """Return whether a frame can be sent now."""

    def doubt(self) -> None:
        """Send a probe, because an answer is missing."""
