"""The library in a browser: PyScript or plain Pyodide, in a page or in a worker.

from kizuna.browser import WebSocketService

async with WebSocketService("wss://example.org/prod", get_access_token=fetch_token) as service:
    unsubscribe = service.on_message(show)
    service.send_message("sendMessage", {"roomId": "general", "content": "こんにちは"})
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import js

from kizuna import singleton
from kizuna.browser import page, timers
from kizuna.browser.page import PageWatch
from kizuna.browser.soon import Soon
from kizuna.browser.ticks import Tick, Ticks
from kizuna.browser.websocket import BrowserSocket
from kizuna.browser.worker import WorkerPlatform, is_worker
from kizuna.codec import JSON, Codec, Value
from kizuna.options import Options
from kizuna.platform import Instant, MachineSlept, PageEvent, PageHidden, PageState, Platform, SocketListener
from kizuna.runtime.transport import GetAccessToken
from kizuna.service import WebSocketService
from kizuna.singleton import disconnect_websocket
from kizuna.wire import KIZUNA, Wire

if TYPE_CHECKING:
    from kizuna.browser.console import ConsoleHandler
    from kizuna.browser.database import IndexedDb
    from kizuna.browser.locks import WebLocks
    from kizuna.browser.storage import LocalSettings, TabSettings, ask_to_persist

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
]

#: Where the names are that a connection alone does not need: name -> module.
_LATER = {
    "ConsoleHandler": "console",
    "IndexedDb": "database",
    "LocalSettings": "storage",
    "TabSettings": "storage",
    "WebLocks": "locks",
    "ask_to_persist": "storage",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first used."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)


def browser_platform(worker_url: str | None = None) -> BrowserPlatform | WorkerPlatform:
    """Return the platform of this page, or of this worker.

    Args:
        worker_url: As BrowserPlatform has it. A worker needs none.
    """
    return WorkerPlatform() if is_worker() else BrowserPlatform(worker_url)


class BrowserPlatform:
    """The Platform implementation for pages, with one worker for all services that share it.

    Args:
        worker_url: Where the page's host serves ``kizuna.browser.ticks.WORKER_SOURCE``, relative to the page, for a
            Content-Security-Policy that allows workers from ``'self'`` alone. None: a ``blob:`` URL.
    """

    def __init__(self, worker_url: str | None = None) -> None:
        self._ticks = Ticks(worker_url, self._on_slept)
        self._soon = Soon()
        self._can_reload_worker = worker_url is not None
        self._watches: dict[PageWatch, Callable[[PageEvent], None]] = {}

    def now(self) -> Instant:
        """Return the current moment."""
        return timers.now()

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return random.random()

    def open_socket(self, url: str, listener: SocketListener, protocols: Sequence[str] = ()) -> BrowserSocket:
        """Begin to open a native WebSocket, and try again to start a worker that could not be loaded.

        Args:
            url: ws:// or wss://.
            listener: The receiver of the socket's events.
            protocols: Subprotocols to offer.

        Raises:
            ValueError: A URL that the browser rejects.
        """
        self._restart_ticks()
        return BrowserSocket(url, listener, protocols)

    def call_at(self, when: float, callback: Callable[[], None]) -> Tick:
        """Set a timer in the page and, while the page is watched, one in the worker."""
        return self._ticks.call_at(when, callback)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after the browser has had its turn, in a hidden page, too."""
        self._soon.call(callback)

    def page(self) -> PageState:
        """Return the page as it is now."""
        return replace(page.state(), throttled=not self._ticks.are_on_time)

    def watch_page(self, listener: Callable[[PageEvent], None]) -> Callable[[], None]:
        """Pass page events to ``listener`` until the returned function is called; the worker runs meanwhile."""

        def on_event(event: PageEvent) -> None:
            if isinstance(event, PageHidden):  # from now on timers may be late without a worker
                self._restart_ticks()
            listener(event)

        watch = PageWatch(on_event)
        self._watches[watch] = listener
        self._ticks.start()
        self._soon.start()

        def close() -> None:
            watch.close()
            self._watches.pop(watch, None)
            if not self._watches:
                self._ticks.stop()
                self._soon.stop()

        return close

    def _on_slept(self) -> None:
        for listener in tuple(self._watches.values()):
            listener(MachineSlept())

    def _restart_ticks(self) -> None:
        """Try again to start a missing worker. One that was refused as a ``blob:`` would be refused again."""
        if self._watches and self._can_reload_worker:
            self._ticks.start()


def base_url() -> str:
    """Return what relative URLs are relative to: the document's base, in a worker its origin; empty outside a browser.

    The script of a worker lies anywhere, and that of PyScript or JupyterLite may be a ``blob:``.
    """
    if is_worker():
        return js.self.origin
    return js.document.baseURI if getattr(js, "document", None) else ""


def get_websocket_service(
    url: str | None = None,
    get_access_token: GetAccessToken | None = None,
    *,
    platform: Platform | None = None,
    codec: Codec[Value] = JSON,
    wire: Wire = KIZUNA,
    options: Options | None = None,
) -> WebSocketService[Value]:
    """Return the page's one service, made at the first call, which needs ``url``.

    Raises:
        ConfigurationError: ``url`` is missing at the first call, cannot work, or is another one at a later call.
    """
    if url is None:
        return singleton.get_or_create(None)
    return singleton.get_or_create(
        lambda: WebSocketService(
            url, get_access_token, platform=platform, codec=codec, wire=wire, options=options
        ),
        url,
    )
