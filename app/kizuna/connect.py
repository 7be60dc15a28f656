"""The shortest way to a connection: connect() finds out by itself where it runs."""

from __future__ import annotations

from collections.abc import Sequence

from kizuna.codec import JSON, Codec, Value
from kizuna.options import Options
from kizuna.platform import Platform
from kizuna.runtime.environment import GetAddress
from kizuna.runtime.transport import GetAccessToken
from kizuna.service import WebSocketService
from kizuna.wire import PLAIN, Wire


def connect(
    url: str | GetAddress,
    *,
    get_access_token: GetAccessToken | None = None,
    protocols: Sequence[str] = (),
    codec: Codec[Value] = JSON,
    wire: Wire = PLAIN,
    options: Options | None = None,
    platform: Platform | None = None,
) -> WebSocketService[Value]:
    """Return a service for one connection. Nothing runs before ``async with``, ``await`` or its ``connect()``.

    Args:
        url: ws:// or wss://, http:// or https://; in a browser also relative to the page, in a worker to its origin. Or
            a function, sync or async, asked for each attempt, that returns such a URL, or a URL and subprotocols.
        get_access_token: Sync or async, called for every attempt; the token goes into the query as ``token``.
        protocols: Subprotocols to offer the server.
        codec: What the frames are: JSON, TEXT, BYTES, or one's own.
        wire: The frames that belong to the connection itself on this server. PLAIN: none.
        options: Numbers that differ from the wire's.
        platform: Where the library runs. None: found by itself.

    Raises:
        ConfigurationError: A URL or an option that can never work.
        ImportError: CPython without ``websockets``.
    """
    return WebSocketService(
        url,
        get_access_token,
        protocols=protocols,
        platform=platform,
        codec=codec,
        wire=wire,
        options=options,
    )
