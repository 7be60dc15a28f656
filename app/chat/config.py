"""What the host of the page decides: ``static/config.json``.

    {
      "webSocketUrl": "wss://chat.example.org/ws",
      "tokenUrl": "https://chat.example.org/token",
      "ticketUrl": "https://chat.example.org/ticket",
      "connection": {}
    }

An empty URL means the page's own origin; an empty ``ticketUrl`` beside a token's from elsewhere, or beside the wire
``article``, means that there are no tickets. Only this file, never the page's address, says where a token goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kizuna.errors import ConfigurationError
from kizuna.options import Options
from kizuna.wire import ARTICLE, KIZUNA

#: Where the file lies, relative to the page.
CONFIG_FILE = "static/config.json"

_KEYS = ("webSocketUrl", "tokenUrl", "ticketUrl", "wire", "connection")
_WIRES = {"kizuna": KIZUNA, "article": ARTICLE}


@dataclass(frozen=True, slots=True)
class Config:
    """The checked configuration; URLs are absolute. ``ticket_url``: None where there are no tickets."""

    web_socket_url: str
    token_url: str
    ticket_url: str | None
    options: Options


def parse_config(data: Any, origin: str) -> Config:
    """The configuration in ``data`` for a page at ``origin`` (such as ``https://example.org``).

    Raises ConfigurationError, which names the file and the key.
    """
    if not isinstance(data, Mapping):
        raise ConfigurationError(CONFIG_FILE, "must be a JSON object")
    for key in data:
        if key not in _KEYS:
            raise _wrong(key, f"is not known; known are {', '.join(_KEYS)}")
    connection = data.get("connection", {})
    if not isinstance(connection, Mapping):
        raise _wrong("connection", "must be an object of numbers")
    wire = data.get("wire", "kizuna")
    if not isinstance(wire, str) or wire not in _WIRES:
        raise _wrong("wire", f"must be one of {', '.join(_WIRES)}")
    own_tickets = "" if data.get("tokenUrl") or wire == "article" else origin + "/ticket"
    return Config(
        web_socket_url=_url(data, "webSocketUrl", ("ws", "wss"), "ws" + origin.removeprefix("http") + "/ws"),
        token_url=_url(data, "tokenUrl", ("http", "https"), origin + "/token"),
        ticket_url=_url(data, "ticketUrl", ("http", "https"), own_tickets) or None,
        options=Options.from_mapping(connection, prefix=f"{CONFIG_FILE}: connection.", wire=_WIRES[wire]),
    )


def _url(data: Mapping[str, Any], key: str, schemes: tuple[str, ...], default: str) -> str:
    value = data.get(key, "")
    if not isinstance(value, str):
        raise _wrong(key, "must be text")
    if not value:
        return default
    try:
        parts = urlsplit(value)
        usable = parts.scheme in schemes and bool(parts.hostname) and not parts.fragment
    except ValueError:
        usable = False
    if not usable:
        names = " or ".join(f"{scheme}://" for scheme in schemes)
        raise _wrong(key, f"must be empty (the page's own origin) or begin with {names} and name a host")
    return value


def _wrong(key: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"{CONFIG_FILE}: {key}", problem)
