"""What calls Python from JavaScript: sockets, timers, messages, events.

A Python callable that JavaScript keeps exists until ``destroy()``: no garbage collector frees it in time. So each is
made by an owner that destroys it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import js
from pyodide.ffi import JsDoubleProxy, JsException, JsProxy, create_proxy, to_js

from kizuna.platform import (
    Instant,
    NetworkChanged,
    PageEvent,
    PageHidden,
    PageResumed,
    PageShown,
    PageState,
    PageSuspended,
    SocketListener,
    WentOffline,
    WentOnline,
)

Function = TypeVar("Function", bound=Callable[..., Any])

_alive = 0


def alive() -> int:
    """Return how many proxies of this library are alive, for the tests of leaks."""
    return _alive


def js_object(**fields: object) -> JsProxy:
    """Return a plain object with these fields: before Pyodide 0.29 a dict becomes a Map unless told otherwise."""
    return to_js(fields, dict_converter=js.Object.fromEntries)


class ProxyOwner:
    """The proxies of one socket, timer or set of listeners."""

    def __init__(self) -> None:
        self._proxies: list[JsDoubleProxy[Any]] = []

    def hold(self, function: Function) -> JsDoubleProxy[Function]:
        """Return ``function`` as a proxy that JavaScript may keep until release()."""
        global _alive
        proxy = create_proxy(function)
        self._proxies.append(proxy)
        _alive += 1
        return proxy

    def release(self) -> None:
        """Destroy all proxies. JavaScript must not hold any of them. May be called twice."""
        global _alive
        while self._proxies:
            self._proxies.pop().destroy()
            _alive -= 1


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


class Soon:
    """The calls that are due soon, in order, after the browser has had its turn.

    From ``start()`` to ``stop()`` they come by messages of the page to itself: a hidden page gets these in time, and a
    visible one paints and takes input first. Else the event loop's ``call_soon`` does it, which takes longer.
    """

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


#: ``js.WebSocket.OPEN``: reading it for each frame would take as long as sending one.
_OPEN = 1


class BrowserSocket:
    """One native socket, with :class:`kizuna.Platform`'s arguments and errors of ``open_socket()``.

    ``pyscript.WebSocket`` cannot detach a handler and never frees one.
    """

    def __init__(self, url: str, listener: SocketListener, protocols: Sequence[str] = ()) -> None:
        try:
            socket = js.WebSocket.new(url, to_js(list(protocols)))
        except JsException as error:
            # Not its message: it holds the URL with the token.
            raise ValueError(f"{error.name}: the browser rejects this URL") from None
        self._socket: js.WebSocket | None = socket
        self._proxies = ProxyOwner()
        self._listener = listener
        socket.binaryType = "arraybuffer"
        socket.onopen = self._proxies.hold(lambda event: listener.on_open())
        socket.onmessage = self._proxies.hold(self._on_message)
        socket.onclose = self._proxies.hold(self._on_close)
        # No onerror: a close follows every error, and says more.

    @property
    def is_open(self) -> bool:
        """Return whether the socket's state is OPEN."""
        return self._socket is not None and self._socket.readyState == _OPEN

    @property
    def protocol(self) -> str:
        """Return the subprotocol that the server chose; empty if there is none."""
        return "" if self._socket is None else self._socket.protocol

    def send(self, data: str | bytes) -> None:
        """Send one frame, text or binary. The socket must have opened; without effect once it is closed."""
        if self._socket is not None:
            self._socket.send(data if isinstance(data, str) else to_js(data))

    def abandon(self, code: int, reason: str) -> None:
        """Detach the handlers and close. Closing may take the browser a minute; nothing waits for it."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        socket.onopen = socket.onmessage = socket.onclose = socket.onerror = None
        self._proxies.release()
        try:
            socket.close(code, reason)
        except JsException:  # a code or reason that browsers reject
            socket.close()

    def _on_message(self, event: js.MessageEvent) -> None:
        data = event.data
        if isinstance(data, str):
            self._listener.on_text(data)
        else:
            self._listener.on_binary(data.to_bytes())

    def _on_close(self, event: js.CloseEvent) -> None:
        self._listener.on_close(event.code, event.reason)


def page_state(*, throttled: bool = True) -> PageState:
    """Return the page as it is now."""
    return PageState(js.document.visibilityState != "hidden", js.navigator.onLine, throttled)


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
