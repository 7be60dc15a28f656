"""One service per page, reachable from anywhere: the article's accessor.

React's effects and hot reloads opened second sockets there; a single accessor prevents that.
"""

from __future__ import annotations

from collections.abc import Callable

from kizuna.codec import JSON, Codec, Value
from kizuna.errors import ConfigurationError
from kizuna.platform import Platform
from kizuna.runtime.transport import GetAccessToken
from kizuna.service import WebSocketService
from kizuna.wire import KIZUNA, Options, Wire

_service: WebSocketService | None = None
_url: object = None


def get_or_create(create: Callable[[], WebSocketService] | None, url: object = None) -> WebSocketService:
    """Return the page's service, made by ``create`` at the first call.

    Raises:
        ConfigurationError: There is none yet and ``create`` is None, or it has another URL than ``url``; None: any.
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


def get_websocket_service(
    url: str | None = None,
    get_access_token: GetAccessToken | None = None,
    *,
    platform: Platform | None = None,
    codec: Codec[Value] = JSON,
    wire: Wire = KIZUNA,
    options: Options | None = None,
) -> WebSocketService[Value]:
    """Return the page's one service, made at the first call, which needs ``url``.

    Raises:
        ConfigurationError: ``url`` is missing at the first call, cannot work, or is another one at a later call.
    """
    if url is None:
        return get_or_create(None)
    return get_or_create(
        lambda: WebSocketService(
            url, get_access_token, platform=platform, codec=codec, wire=wire, options=options
        ),
        url,
    )
