"""Kizuna: keeps one WebSocket connection up in spite of what networks, browsers and servers do.

Begin with :func:`connect`. Tests begin with :mod:`kizuna.testing`.
"""

import logging

from kizuna.codec import BYTES, JSON, JSON_OBJECTS, TEXT, Codec
from kizuna.connect import connect
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
    Overrun,
    Rejected,
    TryLater,
    Unauthorized,
)
from kizuna.options import Options
from kizuna.platform import Platform
from kizuna.runtime.environment import Address, GetAddress
from kizuna.runtime.frame_queue import FrameStream
from kizuna.runtime.statistics import Statistics
from kizuna.runtime.transport import Frame, GetAccessToken, LinkHandle, Prepare
from kizuna.service import WebSocketService
from kizuna.wire import ARTICLE, KIZUNA, PLAIN, Wire

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
    "FrameStream",
    "FrameTooLarge",
    "GetAccessToken",
    "GetAddress",
    "KizunaError",
    "LinkHandle",
    "NotConnected",
    "Options",
    "Overrun",
    "Platform",
    "Prepare",
    "Reason",
    "ReasonKind",
    "Rejected",
    "Statistics",
    "Status",
    "TryLater",
    "Unauthorized",
    "WebSocketService",
    "Wire",
    "connect",
]

__version__ = "0.1.0"

logging.getLogger("kizuna").addHandler(logging.NullHandler())
