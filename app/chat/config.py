"""The page's configuration: ``static/config.json``.

    {
      "webSocketUrl": "wss://chat.example.org/ws",
      "tokenUrl": "https://chat.example.org/token",
      "ticketUrl": "https://chat.example.org/ticket",
      "connection": {}
    }

An address may be relative to the page, as in a link: ``/ws``, ``./ws``, ``ws``. An empty one means ``ws``, ``token`` or
``ticket`` beside the page. There are no tickets if ``ticketUrl`` is empty and either ``tokenUrl`` is absolute or the
wire is ``article``. Only this file, never the page's address, decides where a token is sent.

``{"demo": true}`` is the file of a site without a server, which always shows the demo.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

from chat.protocol import camel_case
from kizuna import ARTICLE, KIZUNA, ConfigurationError, Numbers, Options, Wire

#: The file's address, relative to the page.
CONFIG_FILE = "static/config.json"

_URLS = ("webSocketUrl", "tokenUrl", "ticketUrl")
_KEYS = (*_URLS, "wire", "connection", "demo")
_WS, _HTTP = ("ws", "wss"), ("http", "https")
_WIRES = {"kizuna": KIZUNA, "article": ARTICLE}

#: Earlier names of numbers of the connection, which are still read.
_RENAMED = {
    "impatience": "staleAttemptAfter",
    "manualInterval": "tryNowInterval",
    "rest": "idleRetryInterval",
    "sleepGap": "sleepThreshold",
}


@dataclass(frozen=True, slots=True)
class Config:
    """The checked configuration, with absolute URLs. ``ticket_url``: None if there are no tickets. ``demo``: the site
    has no server, only the demo."""

    web_socket_url: str
    token_url: str
    ticket_url: str | None
    wire: Wire
    options: Options
    demo: bool = False


def parse_config(data: Any, page_url: str) -> Config:
    """Return the configuration in ``data`` for the page at ``page_url`` (such as ``https://example.org/chat/``).

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
    token_address = _address(data, "tokenUrl", _HTTP) or "token"
    own_tickets = "" if _is_whole(token_address) or wire == "article" else "ticket"
    ticket_address = _address(data, "ticketUrl", _HTTP) or own_tickets
    socket_url = urljoin(page_url, _address(data, "webSocketUrl", _WS) or "ws")
    return Config(
        web_socket_url=f"ws{socket_url.removeprefix('http')}"
        if socket_url.startswith("http")
        else socket_url,
        token_url=urljoin(page_url, token_address),
        ticket_url=urljoin(page_url, ticket_address) if ticket_address else None,
        wire=_WIRES[wire],
        options=_options(connection),
        demo=_demo(data),
    )


def _demo(data: Mapping[str, Any]) -> bool:
    """Return whether the site is a demo, which names no server."""
    demo = data.get("demo", False)
    if not isinstance(demo, bool):
        raise _wrong("demo", "must be true or false")
    named = [key for key in _URLS if data.get(key)]
    if demo and named:
        raise _wrong(
            "demo", f"must be false where a server is named, as in {named[0]}: ?demo opens the demo there"
        )
    return demo


def _options(numbers: Mapping[str, Any]) -> Options:
    """Return the options with these numbers; an earlier name of one is read with a warning."""
    names = {camel_case(name): name for name in Options.__annotations__}
    options: dict[str, Any] = {}
    written = {}  # the name of an option -> its key in the file
    for key, value in numbers.items():
        present = _RENAMED.get(key, key)
        if present not in names:
            raise _wrong(f"connection.{key}", f"is not known; known are {', '.join(names)}")
        if present != key:
            if present in numbers:
                raise _wrong(f"connection.{key}", f"is the earlier name of {present}: give only {present}")
            warnings.warn(
                f"{CONFIG_FILE}: connection.{key} is now called {present}: rename it",
                FutureWarning,
                stacklevel=3,
            )
        options[names[present]] = value
        written[names[present]] = key
    try:
        Numbers.of(options)
    except ConfigurationError as error:
        raise _wrong(f"connection.{written[error.key]}", error.problem) from None
    return cast(Options, options)


def _address(data: Mapping[str, Any], key: str, schemes: tuple[str, ...]) -> str:
    """Return the address under ``key``: absolute, relative or empty."""
    value = data.get(key, "")
    if not isinstance(value, str):
        raise _wrong(key, "must be text")
    try:
        parts = urlsplit(value)
        if _is_whole(value) or parts.scheme:
            usable = parts.scheme in schemes and bool(parts.hostname)
        else:
            # Reject a host without a scheme, which would be read as a folder.
            first = parts.path.partition("/")[0]
            usable = not parts.netloc and ("." not in first or first in (".", ".."))
    except ValueError:
        usable = False
    if not usable or parts.fragment:
        names = " or ".join(f"{scheme}://" for scheme in schemes)
        raise _wrong(
            key,
            f"must be empty, a path such as ./{key.removesuffix('Url')}, or begin with {names} and name a host",
        )
    return value


def _is_whole(address: str) -> bool:
    return "://" in address


def _wrong(key: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"{CONFIG_FILE}: {key}", problem)
