"""The library on CPython, over ``websockets``: for bots, notebooks, load tests. Needs ``pip install 'kizuna[aio]'``."""

from __future__ import annotations

import asyncio
import importlib
import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kizuna.aio.websocket import AioSocket, Keepalive
from kizuna.platform import Instant, PageEvent, PageState, SocketListener

if TYPE_CHECKING:
    from kizuna.aio.database import SqliteStorage
    from kizuna.aio.locks import FileLocks

__all__ = ["AioPlatform", "AioSocket", "FileLocks", "Keepalive", "SqliteStorage"]

#: Where the names are that a connection alone does not need: name -> module.
_LATER = {"FileLocks": "locks", "SqliteStorage": "database"}


def __getattr__(name: str) -> object:
    """Import a name when it is first used."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)


class AioPlatform:
    """The Platform implementation for CPython: an event loop, which is neither hidden nor suspended.

    Sleep shows in the clocks, and in timers that come late: so the state of the page says that timers may be late.

    Args:
        ping_interval: Seconds between two pings of the WebSocket protocol, which every server answers. None: no pings.
        ping_timeout: Seconds without an answer, and without any frame, until the socket counts as broken.
        connect_options: More arguments of ``websockets.connect``, such as ``additional_headers``, ``ssl`` or ``proxy``.
    """

    def __init__(
        self, *, ping_interval: float | None = 20.0, ping_timeout: float = 20.0, **connect_options: Any
    ) -> None:
        self._keepalive = None if ping_interval is None else Keepalive(ping_interval, ping_timeout)
        self._connect_options = connect_options

    def now(self) -> Instant:
        """Return the current moment."""
        return Instant(time.monotonic(), time.time())

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return random.random()

    def open_socket(self, url: str, listener: SocketListener, protocols: Sequence[str] = ()) -> AioSocket:
        """Begin to open a socket, as :class:`kizuna.Platform` says."""
        return AioSocket(url, listener, protocols, keepalive=self._keepalive, options=self._connect_options)

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Set a timer on the running event loop."""
        return asyncio.get_running_loop().call_later(max(0.0, when - time.monotonic()), callback)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after what the running event loop has to do already."""
        asyncio.get_running_loop().call_soon(callback)

    def page(self) -> PageState:
        """Return a page that is always visible and online."""
        return PageState(visible=True, online=True, throttled=True)

    def watch_page(self, listener: Callable[[PageEvent], None]) -> Callable[[], None]:
        """Do nothing, since no event of a page happens here; neither does the returned function."""
        return lambda: None
