"""The platform: what the library needs from the outside, and what an address means there."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Protocol, TypeAlias, cast, dataclass_transform, runtime_checkable

from kizuna.errors import ConfigurationError


@dataclass_transform(frozen_default=True)
class Record:
    """An immutable value: annotated fields, equal to a value of its type with equal fields.

    It is what a frozen dataclass is, which takes a page a millisecond to make, since it compiles its functions.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, object]] = {}

    def __init_subclass__(cls) -> None:
        own = cls.__annotations__
        cls._fields = (*cls._fields, *own)
        cls._defaults = cls._defaults | {name: getattr(cls, name) for name in own if name in cls.__dict__}

    def __init__(self, *values: object, **named: object) -> None:
        fields = self.__dict__
        if len(values) < len(self._fields):  # else a frame would pay for what it does not need
            fields.update(self._defaults)
        fields.update(zip(self._fields, values, strict=False))
        if named:
            fields.update(named)
        if len(fields) != len(self._fields) or len(values) > len(fields):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self._fields) or 'nothing'}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: cannot set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: cannot delete {name}")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *map(self.__dict__.get, self._fields)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({shown})"


class Instant(NamedTuple):
    """One moment on two clocks, in seconds. Deadlines are monotonic; the wall clock only shows sleep."""

    monotonic: float
    wall: float


# --- what happens to a page ---


class PageShown(Record):
    """``visibilitychange`` to visible."""


class PageHidden(Record):
    """``visibilitychange`` to hidden."""


class WentOnline(Record):
    """The browser reports a network."""


class WentOffline(Record):
    """The browser reports no network. It may be wrong."""


class PageSuspended(Record):
    """``pagehide`` or ``freeze``: after this, no code may run for a long time."""


class PageResumed(Record):
    """``pageshow`` of a page from the back/forward cache, or ``resume``."""


class NetworkChanged(Record):
    """``navigator.connection`` fired ``change``: another network, or other properties of the same one."""


class MachineSlept(Record):
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


class ListedSettings(Settings, Protocol):
    """Settings that can list their keys."""

    def names(self, prefix: str) -> list[str]:
        """Return, for each key that begins with ``prefix``, the rest of the key."""


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

        ``change`` gets the row, or None if there is none, and returns the new row, or None to delete it.
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


#: Hosts to which browsers allow ws:// from an https page.
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
MAX_PORT = 65535
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
#: RFC 3986, appendix B. A page would need longer to import ``urllib.parse`` than half of this library.
_URL = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^#]*)(?:#(.*))?", re.DOTALL)
_HOST = re.compile(r"(?:[^@]*@)?(\[[0-9a-f:.%]+\]|[^:\[\]@\s]+)(?::(\d*))?", re.IGNORECASE)


def default_platform() -> Platform:
    """Return a platform for where this program runs.

    Raises:
        ImportError: CPython without ``websockets``.
    """
    if _is_browser():
        return cast(Platform, importlib.import_module("kizuna.browser").browser_platform())
    try:
        return cast(Platform, importlib.import_module("kizuna.aio").AioPlatform())
    except ModuleNotFoundError as error:
        raise ImportError("on CPython the library needs websockets: pip install 'kizuna[aio]'") from error


#: The URL, or the URL and the subprotocols to offer.
Address: TypeAlias = "str | tuple[str, Sequence[str]]"
#: Returns the address for one attempt.
GetAddress: TypeAlias = Callable[[], "Awaitable[Address] | Address"]


def whole_address(address: Address, protocols: Sequence[str] = ()) -> tuple[str, tuple[str, ...]]:
    """Return the ws:// or wss:// URL and the subprotocols that ``address`` means here.

    Args:
        address: A URL as ``whole_url()`` takes it, or that and subprotocols.
        protocols: The subprotocols where the address names none.

    Raises:
        ConfigurationError: What can never work.
    """
    url, protocols = address if isinstance(address, tuple) and len(address) == 2 else (address, protocols)
    if isinstance(protocols, str) or not all(isinstance(protocol, str) for protocol in protocols):
        raise ConfigurationError("protocols", f"must be a list of texts, not {protocols!r}")
    return whole_url(url), tuple(protocols)


def whole_url(url: str) -> str:
    """Return the ws:// or wss:// URL that ``url`` means here.

    Args:
        url: Whole, with ws, wss, http or https; or relative: in a page to the document, in a worker to its origin, and
            then it begins with /.

    Raises:
        ConfigurationError: A URL that can never work.
    """
    if not url or not isinstance(url, str):
        raise ConfigurationError("url", f"must be a text, or a function that returns one, not {url!r}")
    shown = repr(url.partition("?")[0])  # the rest may have a token in it
    base, whole = "", url
    if _is_browser():
        browser = importlib.import_module("kizuna.browser")
        base = str(browser.base_url())
        if base and not _SCHEME.match(url):
            if base.count("/") < 3 and not url.startswith("/"):
                raise ConfigurationError("url", f"must be whole or begin with / in a worker, not {shown}")
            whole = browser.resolved(url, base)
    found = _URL.fullmatch(whole)
    assert found is not None  # it matches every text
    scheme, authority, rest, fragment = (found[1] or "").lower(), found[2] or "", found[3], found[4]
    host = _HOST.fullmatch(authority)
    if scheme not in _SCHEMES or not authority:
        must = "begin with ws://, wss://, http:// or https:// and name a host"
        raise ConfigurationError("url", f"must {must}, not {shown}")
    if host is None or int(host[2] or 0) > MAX_PORT:
        raise ConfigurationError("url", f"is not a URL, for its host or its port: {shown}")
    scheme = _SCHEMES[scheme]
    if fragment is not None:
        raise ConfigurationError("url", "must have no fragment (#...): WebSockets accept none")
    if base.startswith("https:") and scheme == "ws" and host[1].lower() not in _LOOPBACK:
        raise ConfigurationError("url", "must be wss://: no browser opens ws:// from an https page")
    return f"{scheme}://{authority}{rest}"


def _is_browser() -> bool:
    return sys.platform == "emscripten"
