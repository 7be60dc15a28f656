"""The library in a browser: PyScript or plain Pyodide, in a page or in a worker."""

from __future__ import annotations

import asyncio
import importlib
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

try:
    import js
    from pyodide.ffi import JsException
except ModuleNotFoundError as error:
    raise ImportError(
        "kizuna.browser needs Pyodide, in a page or a worker; on CPython connect() takes kizuna.aio, and tests give it "
        "kizuna.testing.FakePlatform()"
    ) from error

from kizuna.browser.proxies import BrowserSocket, NetworkWatch, PageWatch, Soon, now, page_state
from kizuna.browser.ticks import Ticks
from kizuna.platform import (
    Instant,
    MachineSlept,
    PageEvent,
    PageHidden,
    PageState,
    Socket,
    SocketListener,
    TimerHandle,
)
from kizuna.service import WebSocketService

if TYPE_CHECKING:
    from kizuna.browser.console import ConsoleHandler
    from kizuna.browser.database import IndexedDb
    from kizuna.browser.locks import WebLocks
    from kizuna.browser.storage import LocalSettings, TabSettings, ask_to_persist, page_prefix
    from kizuna.singleton import disconnect_websocket, get_websocket_service

__all__ = [
    "BrowserPlatform",
    "ConsoleHandler",
    "IndexedDb",
    "LocalSettings",
    "TabSettings",
    "WebLocks",
    "WebSocketService",
    "WorkerPlatform",
    "ask_to_persist",
    "browser_platform",
    "disconnect_websocket",
    "get_websocket_service",
    "page_prefix",
]

#: Where the names are that a connection alone does not need: name -> module.
_LATER = {
    "ConsoleHandler": "kizuna.browser.console",
    "IndexedDb": "kizuna.browser.database",
    "LocalSettings": "kizuna.browser.storage",
    "TabSettings": "kizuna.browser.storage",
    "WebLocks": "kizuna.browser.locks",
    "ask_to_persist": "kizuna.browser.storage",
    "page_prefix": "kizuna.browser.storage",
    "disconnect_websocket": "kizuna.singleton",
    "get_websocket_service": "kizuna.singleton",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first used."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATER[name]), name)


def browser_platform(worker_url: str | None = None) -> BrowserPlatform | WorkerPlatform:
    """Return the platform of this page, or of this worker.

    Args:
        worker_url: As BrowserPlatform has it.
    """
    return WorkerPlatform(worker_url) if is_worker() else BrowserPlatform(worker_url)


class _WatchedPlatform:
    """The part that pages and workers share: sockets, and timers set here and in a worker of their own.

    Args:
        worker_url: As BrowserPlatform has it.
    """

    def __init__(self, worker_url: str | None = None) -> None:
        self._ticks = Ticks(worker_url, self._on_slept)
        self._can_reload_worker = worker_url is not None
        self._watches: dict[NetworkWatch, Callable[[PageEvent], None]] = {}

    def now(self) -> Instant:
        """Return the current moment."""
        return now()

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return random.random()

    def open_socket(self, url: str, listener: SocketListener, protocols: Sequence[str] = ()) -> Socket:
        """Begin to open a native WebSocket, as :class:`kizuna.Platform` says, and a worker that could not be loaded."""
        self._restart_ticks()
        return BrowserSocket(url, listener, protocols)

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Set a timer here and, while somebody watches the page, one in the worker of the timers."""
        return self._ticks.call_at(when, callback)

    def _watch(self, watch: NetworkWatch, listener: Callable[[PageEvent], None]) -> Callable[[], None]:
        """Keep a watch until the returned function is called; the worker of the timers runs meanwhile."""
        self._watches[watch] = listener
        self._ticks.start()

        def close() -> None:
            watch.close()
            self._watches.pop(watch, None)
            if not self._watches:
                self._ticks.stop()

        return close

    def _on_slept(self) -> None:
        for listener in tuple(self._watches.values()):
            listener(MachineSlept())

    def _restart_ticks(self) -> None:
        """Try again to start a missing worker. One that was refused as a ``blob:`` would be refused again."""
        if self._watches and self._can_reload_worker:
            self._ticks.start()


class BrowserPlatform(_WatchedPlatform):
    """The Platform implementation for pages, with one worker for all services that share it.

    Args:
        worker_url: Where the page's host serves ``kizuna.browser.ticks.WORKER_SOURCE``, relative to the page, for a
            Content-Security-Policy that allows workers from ``'self'`` alone. None: a ``blob:`` URL.
    """

    def __init__(self, worker_url: str | None = None) -> None:
        super().__init__(worker_url)
        self._soon = Soon()

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after the browser has had its turn, in a hidden page, too."""
        self._soon.call(callback)

    def page(self) -> PageState:
        """Return the page as it is now."""
        return page_state(throttled=not self._ticks.are_on_time)

    def watch_page(self, listener: Callable[[PageEvent], None]) -> Callable[[], None]:
        """Pass page events to ``listener`` until the returned function is called; the worker runs meanwhile."""

        def on_event(event: PageEvent) -> None:
            if isinstance(event, PageHidden):  # from now on timers may be late without a worker
                self._restart_ticks()
            listener(event)

        end = self._watch(PageWatch(on_event), listener)
        self._soon.start()

        def close() -> None:
            end()
            if not self._watches:
                self._soon.stop()

        return close


class WorkerPlatform(_WatchedPlatform):
    """The Platform implementation for web workers.

    A worker has no document, nothing tells it that the page is hidden, and its timers are not held back then. The
    worker of the timers, inside this one, tells a long computation from sleep. When the page is frozen, both stand
    still, and that counts as sleep.

    Args:
        worker_url: As BrowserPlatform has it; relative to the origin.
    """

    def __init__(self, worker_url: str | None = None) -> None:
        super().__init__(worker_url and resolved(worker_url, base_url()))

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after what the running event loop has to do already: a worker paints nothing."""
        asyncio.get_running_loop().call_soon(callback)

    def page(self) -> PageState:
        """Return the page as far as a worker knows: visible, and online unless the browser reports no network."""
        return PageState(visible=True, online=js.navigator.onLine, throttled=not self._ticks.are_on_time)

    def watch_page(self, listener: Callable[[PageEvent], None]) -> Callable[[], None]:
        """Pass the network's events to ``listener``, with exact timers, until the returned function is called."""
        return self._watch(NetworkWatch(js.self, listener), listener)


def is_worker() -> bool:
    """Return whether this is a worker. Not whether it has a document: PyScript lends its workers the page's."""
    return bool(getattr(js, "WorkerGlobalScope", None))


def base_url() -> str:
    """Return what relative URLs are relative to: the document's base, in a worker its origin; empty outside a browser.

    The script of a worker lies anywhere, and that of PyScript or JupyterLite may be a ``blob:``.
    """
    if is_worker():
        return js.self.origin
    return js.document.baseURI if getattr(js, "document", None) else ""


def resolved(url: str, base: str) -> str:
    """Return the URL that ``url`` is, relative to ``base``; ``url`` itself if it cannot be one."""
    try:
        return js.URL.new(url, base).href
    except JsException:
        return url
