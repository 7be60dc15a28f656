"""One service per page, reachable from anywhere: the article's accessor.

React's effects and hot reloads opened second sockets there; a single accessor prevents that.
"""

from __future__ import annotations

from collections.abc import Callable

from kizuna.errors import ConfigurationError
from kizuna.service import WebSocketService

_service: WebSocketService | None = None


def get_or_create(create: Callable[[], WebSocketService] | None) -> WebSocketService:
    """Return the page's service, made by ``create`` at the first call.

    Raises:
        ConfigurationError: There is no service yet and ``create`` is None.
    """
    global _service
    if _service is None:
        if create is None:
            raise ConfigurationError("url", "WebSocketService not initialized: the first call needs the URL")
        _service = create()
    return _service


def disconnect_websocket() -> None:
    """Disconnect the page's service and drop it: the next get makes a new one."""
    global _service
    if _service is not None:
        _service.disconnect()
        _service = None
