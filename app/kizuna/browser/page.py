"""The events of a page: shown or hidden, online or offline, suspended or resumed; and those that a worker has, too."""

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
    """Return the page as it is now."""
    return PageState(visible=js.document.visibilityState != "hidden", online=js.navigator.onLine)


class NetworkWatch:
    """The listeners to the network's events, until ``close()``.

    A change of network, such as from Wi-Fi to cellular, is reported where the browser has ``navigator.connection``:
    ``online`` does not change.

    Args:
        scope: What gets ``online`` and ``offline``: the window, or a worker's global object.
        listener: Called for each event.
    """

    def __init__(self, scope: js.EventTarget, listener: Callable[[PageEvent], None]) -> None:
        self._proxies = ProxyOwner()
        self._listeners: list[tuple[Any, str, Any]] = []
        self._listen(scope, "online", lambda event: listener(WentOnline()))
        self._listen(scope, "offline", lambda event: listener(WentOffline()))
        network = getattr(js.navigator, "connection", None)
        if getattr(network, "addEventListener", None):
            self._listen(network, "change", lambda event: listener(NetworkChanged()))

    def close(self) -> None:
        """Remove all listeners."""
        while self._listeners:
            target, kind, proxy = self._listeners.pop()
            target.removeEventListener(kind, proxy)
        self._proxies.release()

    def _listen(self, target: Any, kind: str, listener: Callable[[Any], object]) -> None:
        proxy = self._proxies.hold(listener)
        target.addEventListener(kind, proxy)
        self._listeners.append((target, kind, proxy))


class PageWatch(NetworkWatch):
    """The listeners to all events of the page, until ``close()``.

    ``pagehide`` and ``freeze`` announce that no code will run; ``pageshow`` (of a page from the back/forward cache)
    and ``resume`` end that. None of these keeps a page out of the cache, as ``unload`` would.
    """

    def __init__(self, listener: Callable[[PageEvent], None]) -> None:
        super().__init__(js.window, listener)
        self._listener = listener
        self._listen(js.document, "visibilitychange", lambda event: self._on_visibility())
        self._listen(js.document, "freeze", lambda event: listener(PageSuspended()))
        self._listen(js.document, "resume", lambda event: listener(PageResumed()))
        self._listen(js.window, "pagehide", lambda event: listener(PageSuspended()))
        self._listen(
            js.window, "pageshow", lambda event: listener(PageResumed()) if event.persisted else None
        )

    def _on_visibility(self) -> None:
        self._listener(PageHidden() if js.document.visibilityState == "hidden" else PageShown())
