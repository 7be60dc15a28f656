"""Kizuna: keeps one WebSocket connection up in spite of what networks, browsers and servers do.

Begin with :func:`connect`. Tests begin with :mod:`kizuna.testing`.
"""

import sys

# Before all other modules of the library: MicroPython fails at their first line, and its error does not say why.
if sys.implementation.name == "micropython":
    raise ImportError(
        'Kizuna needs CPython or Pyodide, and this is MicroPython: in PyScript, write type="py" instead of type="mpy"'
    )

from collections.abc import Sequence

from kizuna.codec import BYTES, JSON, JSON_OBJECTS, TEXT, Codec, Value
from kizuna.core.states import (
    ConnectionState,
    Reason,
    ReasonKind,
    Status,
    Transition,
    Trigger,
    transitions,
)
from kizuna.errors import (
    ConfigurationError,
    ConnectionFailed,
    Disconnected,
    Exhausted,
    FrameTooLarge,
    KizunaError,
    NotConnected,
    Overrun,
    Rejected,
    StorageFailed,
    TryLater,
    Unauthorized,
)
from kizuna.platform import (
    Address,
    GetAddress,
    Instant,
    ListedSettings,
    Locks,
    PageEvent,
    PageState,
    Platform,
    Settings,
    Socket,
    SocketListener,
    Storage,
    TimerHandle,
)
from kizuna.runtime.journal import JournalEntry, Statistics
from kizuna.runtime.subscribers import FrameStream, Handler
from kizuna.runtime.transport import Frame, GetAccessToken, LinkHandle, Prepare
from kizuna.service import WebSocketService
from kizuna.store import Store
from kizuna.wire import ARTICLE, KIZUNA, PLAIN, FrameKind, Numbers, Options, Wire

__all__ = [
    "ARTICLE",
    "BYTES",
    "JSON",
    "JSON_OBJECTS",
    "KIZUNA",
    "PLAIN",
    "TEXT",
    "Address",
    "Codec",
    "ConfigurationError",
    "ConnectionFailed",
    "ConnectionState",
    "Disconnected",
    "Exhausted",
    "Frame",
    "FrameKind",
    "FrameStream",
    "FrameTooLarge",
    "GetAccessToken",
    "GetAddress",
    "Handler",
    "Instant",
    "JournalEntry",
    "KizunaError",
    "LinkHandle",
    "ListedSettings",
    "Locks",
    "NotConnected",
    "Numbers",
    "Options",
    "Overrun",
    "PageEvent",
    "PageState",
    "Platform",
    "Prepare",
    "Reason",
    "ReasonKind",
    "Rejected",
    "Settings",
    "Socket",
    "SocketListener",
    "Statistics",
    "Status",
    "Storage",
    "StorageFailed",
    "Store",
    "TimerHandle",
    "Transition",
    "Trigger",
    "TryLater",
    "Unauthorized",
    "WebSocketService",
    "Wire",
    "connect",
    "transitions",
]

__version__ = "0.1.0"


def connect(
    url: "str | GetAddress",
    *,
    get_access_token: "GetAccessToken | None" = None,
    protocols: "Sequence[str]" = (),
    codec: "Codec[Value]" = JSON,
    wire: "Wire" = PLAIN,
    options: "Options | None" = None,
    platform: "Platform | None" = None,
) -> "WebSocketService[Value]":
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
