"""Where this program runs: in a page, in a worker, or on CPython; and what it can connect to from there."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, cast
from urllib.parse import urljoin, urlsplit, urlunsplit

from kizuna.errors import ConfigurationError
from kizuna.platform import Platform
from kizuna.wire import Wire

#: Hosts to which browsers allow ws:// from an https page.
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def default_platform() -> Platform:
    """Return a platform for where this program runs.

    Raises:
        ImportError: CPython without ``websockets``.
    """
    if _is_browser():
        return cast(Platform, importlib.import_module("kizuna.browser").browser_platform())
    try:
        return cast(Platform, importlib.import_module("kizuna.aio").AioPlatform())
    except ModuleNotFoundError as error:
        raise ImportError("on CPython the library needs websockets: pip install 'kizuna[aio]'") from error


#: The URL, or the URL and the subprotocols to offer.
Address: TypeAlias = "str | tuple[str, Sequence[str]]"
#: Returns the address for one attempt.
GetAddress: TypeAlias = Callable[[], "Awaitable[Address] | Address"]


def whole_address(address: Address, protocols: Sequence[str] = ()) -> tuple[str, tuple[str, ...]]:
    """Return the ws:// or wss:// URL and the subprotocols that ``address`` means here.

    Args:
        address: A URL as ``whole_url()`` takes it, or that and subprotocols.
        protocols: The subprotocols where the address names none.

    Raises:
        ConfigurationError: What can never work.
    """
    url, protocols = address if isinstance(address, tuple) and len(address) == 2 else (address, protocols)
    if isinstance(protocols, str) or not all(isinstance(protocol, str) for protocol in protocols):
        raise ConfigurationError("protocols", f"must be a list of texts, not {protocols!r}")
    return whole_url(url), tuple(protocols)


def whole_url(url: str) -> str:
    """Return the ws:// or wss:// URL that ``url`` means here.

    Args:
        url: Whole, with ws, wss, http or https; or relative: in a page to the document, in a worker to its origin, and
            then it begins with /.

    Raises:
        ConfigurationError: A URL that can never work.
    """
    if not url or not isinstance(url, str):
        raise ConfigurationError("url", f"must be a text, or a function that returns one, not {url!r}")
    base = str(importlib.import_module("kizuna.browser").base_url()) if _is_browser() else ""
    try:
        parts = urlsplit(urljoin(base, url))
        parts.port  # noqa: B018 - raises if it is not a number
    except ValueError as error:
        raise ConfigurationError("url", f"is not a URL: {error}") from None
    shown = repr(url.partition("?")[0])  # the rest may have a token in it
    if base and not (urlsplit(base).path or urlsplit(url).netloc or url.startswith("/")):
        raise ConfigurationError("url", f"must be whole or begin with / in a worker, not {shown}")
    if parts.scheme not in _SCHEMES or not parts.hostname:
        must = "begin with ws://, wss://, http:// or https:// and name a host"
        raise ConfigurationError("url", f"must {must}, not {shown}")
    scheme = _SCHEMES[parts.scheme]
    if parts.fragment:
        raise ConfigurationError("url", "must have no fragment (#...): WebSockets accept none")
    if base.startswith("https:") and scheme == "ws" and parts.hostname not in _LOOPBACK:
        raise ConfigurationError("url", "must be wss://: no browser opens ws:// from an https page")
    return urlunsplit(parts._replace(scheme=scheme))


def check_arguments(get_access_token: object, codec: object, wire: object) -> None:
    """Check what a type checker would have found, for users without one.

    Raises:
        ConfigurationError: What can never work.
    """
    if get_access_token is not None and not callable(get_access_token):
        raise ConfigurationError(
            "get_access_token", "must be a function that returns the token, sync or async"
        )
    if not (hasattr(codec, "encode") and hasattr(codec, "decode")) or isinstance(codec, str | bytes):
        raise ConfigurationError(
            "codec", f"must have encode() and decode(), as kizuna.TEXT has, not {codec!r}"
        )
    if not isinstance(wire, Wire):
        raise ConfigurationError("wire", f"must be a Wire such as kizuna.PLAIN, not {wire!r}")


def _is_browser() -> bool:
    return sys.platform == "emscripten"
