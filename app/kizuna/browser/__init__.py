"""The library in a browser: PyScript or plain Pyodide, on the main thread.

from kizuna.browser import WebSocketService

async with WebSocketService("wss://example.org/prod", get_access_token=fetch_token) as service:
    unsubscribe = service.on_message(show)
    service.send_message("sendMessage", {"roomId": "general", "content": "こんにちは"})
"""

from __future__ import annotations

import random
from collections.abc import Callable

from kizuna import service, singleton
from kizuna.browser import page, timers
from kizuna.browser.database import IndexedDb
from kizuna.browser.locks import WebLocks
from kizuna.browser.page import PageWatch
from kizuna.browser.storage import LocalSettings, TabSettings
from kizuna.browser.timers import BrowserTimer
from kizuna.browser.websocket import BrowserSocket
from kizuna.events import PageEvent
from kizuna.options import Options
from kizuna.platform import Instant, PageState, SocketListener
from kizuna.singleton import disconnect_websocket
from kizuna.transport import GetAccessToken

__all__ = [
    "BrowserPlatform",
    "IndexedDb",
    "LocalSettings",
    "TabSettings",
    "WebLocks",
    "WebSocketService",
    "disconnect_websocket",
    "get_websocket_service",
]


class BrowserPlatform:
    """Responsible for being the outside in a browser."""

    def now(self) -> Instant:
        """This moment."""
        return timers.now()

    def random(self) -> float:
        """A number in [0, 1)."""
        return random.random()

    def open_socket(self, url: str, listener: SocketListener) -> BrowserSocket:
        """A native WebSocket."""
        return BrowserSocket(url, listener)

    def call_at(self, when: float, callback: Callable[[], None]) -> BrowserTimer:
        """A setTimeout."""
        return BrowserTimer(when, callback)

    def page(self) -> PageState:
        """The page as it is now."""
        return page.state()

    def watch_page(self, tell: Callable[[PageEvent], None]) -> Callable[[], None]:
        """Listen to the page until the returned function is called."""
        return PageWatch(tell).close


class WebSocketService(service.WebSocketService):
    """:class:`kizuna.service.WebSocketService` on the browser's platform."""

    def __init__(
        self,
        url: str,
        get_access_token: GetAccessToken | None = None,
        *,
        platform: BrowserPlatform | None = None,
        options: Options | None = None,
    ) -> None:
        super().__init__(url, get_access_token, platform=platform or BrowserPlatform(), options=options)


def get_websocket_service(
    url: str | None = None,
    get_access_token: GetAccessToken | None = None,
    *,
    options: Options | None = None,
) -> service.WebSocketService:
    """The page's one service: made at the first call, which needs ``url``; the same at every further one."""
    create = None if url is None else lambda: WebSocketService(url, get_access_token, options=options)
    return singleton.get_or_create(create)
