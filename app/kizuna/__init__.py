"""Kizuna: keeps one WebSocket connection up in spite of what networks, browsers and servers do.

In a browser, begin with :class:`kizuna.browser.WebSocketService`. Tests begin with :mod:`kizuna.testing`.
"""

import logging

from kizuna.core.state import ConnectionState, Reason, ReasonKind
from kizuna.core.states import Status
from kizuna.errors import (
    ConfigurationError,
    ConnectionFailed,
    Disconnected,
    Exhausted,
    FrameTooLarge,
    KizunaError,
    NotConnected,
    Rejected,
    TryLater,
    Unauthorized,
)
from kizuna.options import Options
from kizuna.service import WebSocketService
from kizuna.wire import ARTICLE, KIZUNA, Wire

__all__ = [
    "ARTICLE",
    "KIZUNA",
    "ConfigurationError",
    "ConnectionFailed",
    "ConnectionState",
    "Disconnected",
    "Exhausted",
    "FrameTooLarge",
    "KizunaError",
    "NotConnected",
    "Options",
    "Reason",
    "ReasonKind",
    "Rejected",
    "Status",
    "TryLater",
    "Unauthorized",
    "WebSocketService",
    "Wire",
]

logging.getLogger("kizuna").addHandler(logging.NullHandler())
