"""The shortest way to a connection: connect() finds out by itself where it runs."""

from __future__ import annotations

from kizuna.codec import JSON, Codec, Value
from kizuna.options import Options
from kizuna.platform import Platform
from kizuna.runtime.environment import whole_url
from kizuna.runtime.transport import GetAccessToken
from kizuna.service import WebSocketService
from kizuna.wire import PLAIN, Wire


def connect(
    url: str,
    *,
    get_access_token: GetAccessToken | None = None,
    codec: Codec[Value] = JSON,
    wire: Wire = PLAIN,
    options: Options | None = None,
    platform: Platform | None = None,
) -> WebSocketService[Value]:
    """Return a service for one connection. Nothing happens before ``async with`` or ``connect()`` of the service.

    Args:
        url: ws:// or wss://, http:// or https://; in a browser also relative to the page, in a worker to its origin.
        get_access_token: Sync or async, called for every attempt; the token goes into the query as ``token``.
        codec: What the frames are: JSON, TEXT, BYTES, or one's own.
        wire: The frames that belong to the connection itself on this server. PLAIN: none.
        options: Numbers that differ from the wire's.
        platform: Where the library runs. None: found by itself.

    Raises:
        ConfigurationError: A URL or an option that can never work.
        ImportError: CPython without ``websockets``.
    """
    return WebSocketService(
        whole_url(url), get_access_token, platform=platform, codec=codec, wire=wire, options=options
    )
