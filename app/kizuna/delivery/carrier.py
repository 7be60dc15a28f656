"""What delivery needs of a connection. A WebSocketService has it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from kizuna.platform import Instant, TimerHandle
from kizuna.wire import Wire


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


class Clock(Protocol):
    """The time and the timers of a platform."""

    def now(self) -> Instant:
        """Return the current moment."""

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call ``callback`` at ``when`` (monotonic seconds)."""


class Connection(Carrier, Protocol):
    """A connection as ``Channels`` uses it."""

    @property
    def platform(self) -> Clock:
        """Return where it runs."""

    @property
    def wire(self) -> Wire:
        """Return the frames of its server."""

    @property
    def state(self) -> Any:
        """Return its state: ``status``, ``link`` and ``reason``."""

    def before_connected(self, prepare: Callable[[Any], Awaitable[None]], /) -> Callable[[], None]:
        """Await ``prepare(link)`` on each new link; return the unsubscribe function."""

    def on_message(self, handler: Callable[[Any], object], /) -> Callable[[], None]:
        """Call ``handler(frame)`` for every frame; return the unsubscribe function."""

    def subscribe(
        self, selector: Callable[[Any], Any], listener: Callable[[Any], object], /
    ) -> Callable[[], None]:
        """Call ``listener`` whenever ``selector(state)`` changes; return the unsubscribe function."""
