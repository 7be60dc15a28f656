"""Calls after the browser has had its turn.

They come by messages of the page to itself. Unlike the timers of a hidden page, browsers do not hold those back; in a
visible page they let painting and input go first. While no service runs, or in a browser without MessageChannel, the
event loop's own ``call_soon`` does: Pyodide, too, avoids timers for it, but needs more time for a call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import js

from kizuna.browser.proxies import ProxyOwner


class Soon:
    """The calls that are due soon, in order, and the channel for them from ``start()`` to ``stop()``."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._channel: js.MessageChannel | None = None
        self._proxies = ProxyOwner()

    def start(self) -> None:
        """Open the channel, unless it is open."""
        if self._channel is None and getattr(js, "MessageChannel", None):
            self._channel = js.MessageChannel.new()
            self._channel.port1.onmessage = self._proxies.hold(lambda event: self._call_next())

    def stop(self) -> None:
        """Close the channel. What still waits is called by the event loop."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.port1.onmessage = None
            channel.port1.close()
            self._proxies.release()
            for _ in self._waiting:
                self._post()

    def call(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` soon."""
        self._waiting.append(callback)
        self._post()

    def _post(self) -> None:
        if self._channel is not None:
            self._channel.port2.postMessage(None)
        else:
            asyncio.get_running_loop().call_soon(self._call_next)

    def _call_next(self) -> None:
        self._waiting.popleft()()
