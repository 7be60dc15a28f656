"""Timers and the two clocks of the browser."""

from __future__ import annotations

import time
from collections.abc import Callable

import js

from kizuna.browser.proxies import ProxyOwner
from kizuna.platform import Instant

#: setTimeout counts in 32 bits: a longer delay would fire at once.
MAX_DELAY_MS = 2**31 - 1


def now() -> Instant:
    """This moment; in a browser ``time.monotonic()`` is ``performance.now()``."""
    return Instant(time.monotonic(), time.time())


def delay_until(when: float) -> float:
    """Milliseconds from now to ``when`` (monotonic seconds), as a timeout takes them."""
    return min(max(0.0, (when - time.monotonic()) * 1000), MAX_DELAY_MS)


class BrowserTimer:
    """Responsible for one setTimeout and the proxy of its callback: asyncio's would keep both until the end."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback
        self._proxies = ProxyOwner()
        self._id: int | None = js.setTimeout(self._proxies.hold(self._fire), delay_until(when))

    def cancel(self) -> None:
        """Disarm. Without effect on a timer that has fired."""
        if self._id is not None:
            js.clearTimeout(self._id)
            self._end()

    def _fire(self) -> None:
        callback = self._callback
        self._end()
        if callback is not None:
            callback()

    def _end(self) -> None:
        self._id = None
        self._callback = None  # it may hold this timer: memory is free at once, and waits for no collector
        self._proxies.release()
