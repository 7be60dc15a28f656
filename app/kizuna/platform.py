"""The platform: what the library needs from the outside, such as clocks, sockets, timers, page events and storage.

The browser's are in :mod:`kizuna.browser`, CPython's in :mod:`kizuna.aio`; tests use
:class:`kizuna.testing.FakePlatform`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias, runtime_checkable


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on two clocks, in seconds. Deadlines are monotonic; the wall clock only shows sleep."""

    monotonic: float
    wall: float


# --- what happens to a page ---


@dataclass(frozen=True, slots=True)
class PageShown:
    """``visibilitychange`` to visible."""


@dataclass(frozen=True, slots=True)
class PageHidden:
    """``visibilitychange`` to hidden."""


@dataclass(frozen=True, slots=True)
class WentOnline:
    """The browser reports a network."""


@dataclass(frozen=True, slots=True)
class WentOffline:
    """The browser reports no network. It may be wrong."""


@dataclass(frozen=True, slots=True)
class PageSuspended:
    """``pagehide`` or ``freeze``: after this, no code may run for a long time."""


@dataclass(frozen=True, slots=True)
class PageResumed:
    """``pageshow`` of a page from the back/forward cache, or ``resume``."""


@dataclass(frozen=True, slots=True)
class NetworkChanged:
    """``navigator.connection`` fired ``change``: another network, or other properties of the same one."""


@dataclass(frozen=True, slots=True)
class MachineSlept:
    """A worker beside the page, which runs even while the page is busy, saw its clocks jump."""


PageEvent: TypeAlias = (
    PageShown
    | PageHidden
    | WentOnline
    | WentOffline
    | PageSuspended
    | PageResumed
    | NetworkChanged
    | MachineSlept
)


# --- what a platform does ---


class SocketListener(Protocol):
    """The receiver of a socket's events."""

    def on_open(self) -> None:
        """Handle the end of a successful handshake."""

    def on_text(self, text: str) -> None:
        """Handle a text frame."""

    def on_binary(self, data: bytes) -> None:
        """Handle a binary frame."""

    def on_close(self, code: int, reason: str) -> None:
        """Handle the end of the socket; nothing follows."""


class Socket(Protocol):
    """One WebSocket."""

    @property
    def is_open(self) -> bool:
        """Return whether the platform can send a frame now."""

    def send(self, data: str | bytes, /) -> None:
        """Send one frame, text or binary. The socket must be open."""

    def abandon(self, code: int, reason: str) -> None:
        """Detach the listener, close, and release everything. May be called twice."""


@runtime_checkable
class PausableSocket(Socket, Protocol):
    """A socket that can leave frames unread: an application that is behind lets the server wait. No browser's can."""

    def pause_reading(self) -> None:
        """Read no more frames until ``resume_reading()``. May be called twice."""

    def resume_reading(self) -> None:
        """Read again. May be called twice."""


class TimerHandle(Protocol):
    """A timer that can be cancelled."""

    def cancel(self) -> None:
        """Cancel the timer; no effect after it has fired."""


@dataclass(frozen=True, slots=True)
class PageState:
    """The page as it is now. Read directly, because browsers lose events."""

    visible: bool = True
    online: bool = True
    #: Timers may come up to a minute late while it is hidden; the default is the careful one.
    throttled: bool = True


def page_after(event: PageEvent, page: PageState) -> PageState:
    """Return the page as it is after ``event``."""
    match event:
        case PageShown():
            return replace(page, visible=True)
        case PageHidden():
            return replace(page, visible=False)
        case WentOnline():
            return replace(page, online=True)
        case WentOffline():
            return replace(page, online=False)
    return page


class Settings(Protocol):
    """Small texts that outlive the page. Where the platform cannot store them they are lost; no call raises."""

    def get(self, key: str) -> str | None:
        """Return the last value of ``key``, or None."""

    def set(self, key: str, value: str) -> None:
        """Store ``value``."""

    def delete(self, key: str) -> None:
        """Delete ``key``."""


class Storage(Protocol):
    """Texts in tables, shared by all pages of one origin, that outlive the pages.

    Every call is one transaction, committed when it returns; the calls of one page happen in the order made. Every call
    raises StorageFailed where the platform cannot store: forbidden, full or broken.
    """

    async def read(self, table: str, prefix: str = "") -> dict[str, str]:
        """Return the rows whose keys begin with ``prefix``, sorted by key."""

    async def keys(self, table: str, prefix: str = "") -> list[str]:
        """Return the keys that begin with ``prefix``, sorted."""

    async def write(self, table: str, puts: Mapping[str, str], deletes: Iterable[str] = ()) -> None:
        """Write and delete rows, all or none. Deleting a missing row is no error."""

    async def change(self, table: str, key: str, change: Callable[[str | None], str | None]) -> str | None:
        """Replace one row by ``change(row)`` in one transaction, and return the row as it was before.

        Args:
            table: The table.
            key: The row's key.
            change: Gets the row, or None if there is none; returns the new row, or None to delete it.
        """


class Locks(Protocol):
    """Named locks, shared by all pages of one origin. Those of a page that is closed or suspended are freed."""

    @property
    def interruptions(self) -> int:
        """Return how often another page may have held this page's locks: after a suspension, or an unchecked grant."""

    async def try_lock(self, name: str) -> Callable[[], None] | None:
        """Take the lock, and return the function that frees it; None if another page holds it.

        A platform without locks grants every one, so what is done under a lock must be harmless when done twice.
        """


class Platform(Protocol):
    """The outside. No other part of the library knows where it runs."""

    def now(self) -> Instant:
        """Return the current moment."""

    def random(self) -> float:
        """Return a number in [0, 1)."""

    def open_socket(self, url: str, listener: SocketListener, protocols: Sequence[str] = ()) -> Socket:
        """Begin to open a socket, and offer the server these subprotocols: one that takes none of them is a failure.

        Raises:
            ValueError: A URL that no socket accepts.
        """

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call ``callback`` at ``when`` (monotonic seconds), or as soon after it as the platform can."""

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once the platform has done what is due before, such as painting, in the order of the calls.

        A hidden page must not hold it back, as browsers do with timers. A frozen page does.
        """

    def page(self) -> PageState:
        """Return the page as it is now."""

    def watch_page(self, listener: Callable[[PageEvent], None]) -> Callable[[], None]:
        """Call ``listener`` for every page event from now on; return the function that ends it."""
