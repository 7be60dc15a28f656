"""One service per page, reachable from anywhere: the article's accessor.

React's effects and hot reloads opened second sockets there; a single accessor prevents that.
"""

from __future__ import annotations

from collections.abc import Callable

from kizuna.errors import ConfigurationError
from kizuna.service import WebSocketService

_service: WebSocketService | None = None
_url: object = None


def get_or_create(create: Callable[[], WebSocketService] | None, url: object = None) -> WebSocketService:
    """Return the page's service, made by ``create`` at the first call.

    Args:
        create: Makes the service.
        url: Where the caller wants it to connect; None: wherever it does.

    Raises:
        ConfigurationError: There is no service yet and ``create`` is None, or it has another URL.
    """
    global _service, _url
    if _service is None:
        if create is None:
            raise ConfigurationError("url", "WebSocketService not initialized: the first call needs the URL")
        _service, _url = create(), url
    elif url is not None and url != _url:
        hint = "call disconnect_websocket() before, or use connect() for a second connection"
        raise ConfigurationError("url", f"the page's one service has another URL: {hint}")
    return _service


def disconnect_websocket() -> None:
    """Disconnect the page's service and drop it: the next get makes a new one."""
    global _service
    if _service is not None:
        _service.disconnect()
        _service = None
