"""The browser's timers and its two clocks."""

from __future__ import annotations

import time
from collections.abc import Callable

import js

from kizuna.browser.proxies import ProxyOwner
from kizuna.platform import Instant

#: setTimeout counts in 32 bits: a longer delay would fire at once.
MAX_DELAY_MS = 2**31 - 1


def now() -> Instant:
    """Return the current moment; in a browser ``time.monotonic()`` is ``performance.now()``."""
    return Instant(time.monotonic(), time.time())


def delay_until(when: float) -> float:
    """Return the milliseconds from now to ``when`` (monotonic seconds), for setTimeout."""
    return min(max(0.0, (when - time.monotonic()) * 1000), MAX_DELAY_MS)


class BrowserTimer:
    """One setTimeout and the proxy of its callback, which asyncio would keep until the timer fires."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback
        self._proxies = ProxyOwner()
        self._id: int | None = js.setTimeout(self._proxies.hold(self._fire), delay_until(when))

    def cancel(self) -> None:
        """Cancel the timer; no effect after it has fired."""
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
        self._callback = None  # it may refer to this timer: break the cycle
        self._proxies.release()
