"""The native WebSocket, used directly: ``pyscript.WebSocket`` cannot detach a handler and never frees one."""

from __future__ import annotations

from collections.abc import Sequence

import js
from pyodide.ffi import JsException, to_js

from kizuna.browser.proxies import ProxyOwner
from kizuna.platform import SocketListener

#: ``js.WebSocket.OPEN``: reading it twice for each frame would take as long as sending one.
_OPEN = 1


class BrowserSocket:
    """One native socket and the proxies of its handlers.

    Args:
        url: ws:// or wss://.
        listener: The receiver of the socket's events.
        protocols: Subprotocols to offer.

    Raises:
        ValueError: A URL that the browser rejects (syntax, or ws:// from an https page).
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
