"""What a platform gives to the library: instants, chance, sockets, timers, page events, small settings.

The browser's is :class:`kizuna.browser.BrowserPlatform`; :class:`kizuna.testing.FakePlatform` obeys a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on two clocks, in seconds. Deadlines are monotonic; the wall clock only reveals sleep."""

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
    """The browser says that there is a network."""


@dataclass(frozen=True, slots=True)
class WentOffline:
    """The browser says that there is none. It may be wrong."""


@dataclass(frozen=True, slots=True)
class PageSuspended:
    """``pagehide`` or ``freeze``: no code may run for long after this."""


@dataclass(frozen=True, slots=True)
class PageResumed:
    """``pageshow`` of a page that was kept, or ``resume``."""


@dataclass(frozen=True, slots=True)
class NetworkChanged:
    """``navigator.connection`` says ``change``: another network, or the same one otherwise."""


@dataclass(frozen=True, slots=True)
class MachineSlept:
    """A worker beside the page saw its clocks jump. It keeps running while the page is busy."""


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
    """Who is told what happens to a socket."""

    def on_open(self) -> None:
        """The handshake succeeded."""

    def on_text(self, text: str) -> None:
        """A text frame arrived."""

    def on_binary(self) -> None:
        """A binary frame arrived, which no wire of this library uses."""

    def on_close(self, code: int, reason: str) -> None:
        """The socket is gone; nothing follows."""


class Socket(Protocol):
    """One WebSocket."""

    @property
    def is_open(self) -> bool:
        """Whether the platform says that a frame could be sent now."""

    def send(self, text: str) -> None:
        """Send one text frame. The socket must be open."""

    def abandon(self, code: int, reason: str) -> None:
        """Tell the listener nothing any more, then close, then release everything. May be called twice."""


class TimerHandle(Protocol):
    """A timer that can be disarmed."""

    def cancel(self) -> None:
        """Disarm. Without effect on a timer that has fired."""


@dataclass(frozen=True, slots=True)
class PageState:
    """What the page is right now. Read as a level, because edges get lost."""

    visible: bool = True
    online: bool = True
    throttled: bool = (
        True  #: timers may come up to a minute late while it is hidden: so careful unless known better
    )


class Settings(Protocol):
    """Small texts that outlive the page. A platform without room for them forgets; it never raises."""

    def get(self, key: str) -> str | None:
        """What was set last, or None."""

    def set(self, key: str, value: str) -> None:
        """Remember ``value``."""

    def delete(self, key: str) -> None:
        """Forget it."""


class Storage(Protocol):
    """Texts in tables, shared by all pages of one origin, which outlive them all.

    Every call is one transaction, committed when it returns; calls of one page happen in the order made. Raises
    StorageFailed where the platform keeps nothing: forbidden, full, broken.
    """

    async def read(self, table: str, prefix: str = "") -> dict[str, str]:
        """The rows whose keys begin so, in the order of their keys."""

    async def keys(self, table: str, prefix: str = "") -> list[str]:
        """The keys that begin so, in order, without their rows."""

    async def write(self, table: str, puts: Mapping[str, str], deletes: Iterable[str] = ()) -> None:
        """Write and delete rows, all or none. Deleting what is not there is no error."""

    async def change(self, table: str, key: str, change: Callable[[str | None], str | None]) -> str | None:
        """Read one row and put what ``change`` makes of it in its place (None: no row), with nobody in between.
        Returns the row as it was before."""


class Locks(Protocol):
    """Named locks among all pages of one origin. The platform frees those of a page that is gone or put aside."""

    @property
    def interruptions(self) -> int:
        """How often others may have held what this page holds: it was put aside, or a lock was granted blindly."""

    async def try_lock(self, name: str) -> Callable[[], None] | None:
        """Hold the lock until the returned function is called; None if another page holds it. A platform without
        locks grants every one, so what is done under a lock must be harmless when done twice."""


class Platform(Protocol):
    """Everything outside: no other part of the library knows where it runs."""

    def now(self) -> Instant:
        """This moment."""

    def random(self) -> float:
        """A number in [0, 1)."""

    def open_socket(self, url: str, listener: SocketListener) -> Socket:
        """Begin to open a socket. Raises ValueError for a URL that no socket takes."""

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call back at ``when`` (monotonic seconds), or as soon after it as the platform can."""

    def page(self) -> PageState:
        """The page as it is now."""

    def watch_page(self, listener: Callable[[PageEvent], None]) -> Callable[[], None]:
        """Tell every page event from now on; returns the function that ends it."""
