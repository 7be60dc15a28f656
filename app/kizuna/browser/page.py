"""What the browser tells about the page: in front or not, on a network or not, put aside or taken up again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import js

from kizuna.browser.proxies import ProxyOwner
from kizuna.platform import (
    NetworkChanged,
    PageEvent,
    PageHidden,
    PageResumed,
    PageShown,
    PageState,
    PageSuspended,
    WentOffline,
    WentOnline,
)


def state() -> PageState:
    """The page as it is now."""
    return PageState(visible=js.document.visibilityState != "hidden", online=js.navigator.onLine)


class PageWatch:
    """Responsible for the page's events, from its making until ``close()``.

    ``pagehide`` and ``freeze`` announce a life without code; ``pageshow`` (of a page that was kept) and ``resume``
    end it. None of them keeps a page out of the back/forward cache, as ``unload`` would. A change of network, from
    Wi-Fi to cellular say, is told where the browser has ``navigator.connection``: ``online`` stays as it is then.
    """

    def __init__(self, listener: Callable[[PageEvent], None]) -> None:
        self._listener = listener
        self._proxies = ProxyOwner()
        self._listeners: list[tuple[Any, str, Any]] = []
        self._listen(js.document, "visibilitychange", lambda event: self._on_visibility())
        self._listen(js.document, "freeze", lambda event: listener(PageSuspended()))
        self._listen(js.document, "resume", lambda event: listener(PageResumed()))
        self._listen(js.window, "online", lambda event: listener(WentOnline()))
        self._listen(js.window, "offline", lambda event: listener(WentOffline()))
        self._listen(js.window, "pagehide", lambda event: listener(PageSuspended()))
        self._listen(
            js.window, "pageshow", lambda event: listener(PageResumed()) if event.persisted else None
        )
        network = getattr(js.navigator, "connection", None)
        if getattr(network, "addEventListener", None):
            self._listen(network, "change", lambda event: listener(NetworkChanged()))

    def close(self) -> None:
        """Listen no more."""
        while self._listeners:
            target, kind, proxy = self._listeners.pop()
            target.removeEventListener(kind, proxy)
        self._proxies.release()

    def _listen(self, target: Any, kind: str, listener: Callable[[Any], object]) -> None:
        proxy = self._proxies.hold(listener)
        target.addEventListener(kind, proxy)
        self._listeners.append((target, kind, proxy))

    def _on_visibility(self) -> None:
        self._listener(PageHidden() if js.document.visibilityState == "hidden" else PageShown())
