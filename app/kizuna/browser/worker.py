"""The library in a web worker: a worker of PyScript, a plain one that runs Pyodide, or a kernel of JupyterLite.

A worker has no document. Nothing tells it that the page is hidden, and its timers are not held back then; when the page
is frozen it stands still as well, and its late timers are a reason to doubt the connection, as after sleep.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import js

from kizuna.browser import timers
from kizuna.browser.page import NetworkWatch
from kizuna.browser.timers import BrowserTimer
from kizuna.browser.websocket import BrowserSocket
from kizuna.platform import Instant, PageEvent, PageState, SocketListener


def is_worker() -> bool:
    """Return whether this is a worker. Not whether it has a document: PyScript lends its workers the page's."""
    return bool(getattr(js, "WorkerGlobalScope", None))


class WorkerPlatform:
    """The Platform implementation for web workers."""

    def now(self) -> Instant:
        """Return the current moment."""
        return timers.now()

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return random.random()

    def open_socket(self, url: str, listener: SocketListener, protocols: Sequence[str] = ()) -> BrowserSocket:
        """Begin to open a native WebSocket.

        Args:
            url: ws:// or wss://.
            listener: The receiver of the socket's events.
            protocols: Subprotocols to offer.

        Raises:
            ValueError: A URL that the browser rejects.
        """
        return BrowserSocket(url, listener, protocols)

    def call_at(self, when: float, callback: Callable[[], None]) -> BrowserTimer:
        """Set a timer in this worker."""
        return BrowserTimer(when, callback)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after what the running event loop has to do already: a worker paints nothing."""
        asyncio.get_running_loop().call_soon(callback)

    def page(self) -> PageState:
        """Return the page as far as a worker knows: visible, and online unless the browser reports no network."""
        return PageState(visible=True, online=js.navigator.onLine, throttled=True)

    def watch_page(self, listener: Callable[[PageEvent], None]) -> Callable[[], None]:
        """Pass the network's events to ``listener`` until the returned function is called."""
        return NetworkWatch(js.self, listener).close
