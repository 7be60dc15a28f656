"""The Content-Security-Policy of the page, and the other security headers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from backend.auth.origins import is_host, origin_of

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# 'wasm-unsafe-eval' lets WebAssembly compile, and nothing else be evaluated. Trusted Types: no text becomes HTML or a
# script, but for the addresses of two workers (app/kizuna/browser/ticks.py, static/boot/updates.js).
_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; "
    "connect-src {connect}; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'; require-trusted-types-for 'script'; trusted-types kizuna-ticks kizuna-updates"
)


class Policy:
    """The Content-Security-Policy: the page may talk to its own host and to those in static/config.json."""

    def __init__(self, root: Path) -> None:
        self._config = root / "static" / "config.json"
        self._stamp: tuple[int, int] | None = None
        self._origins: tuple[str, ...] = ()

    def headers(self, host: str | None) -> dict[str, str]:
        """Return all security headers of one answer. ``host`` is the request's; an invalid one is left out."""
        connect = ["'self'"]
        if host and is_host(host) and _can_be_named(host):
            # Older WebKit does not count ws: of the same host as 'self'.
            connect += [f"ws://{host}", f"wss://{host}"]
        connect += self._configured()
        return {"Content-Security-Policy": content_policy(connect), **SECURITY_HEADERS}

    def _configured(self) -> tuple[str, ...]:
        """Return the origins in config.json, read again when the file changes. The page reports a broken one."""
        try:
            status = self._config.stat()
        except OSError:
            return ()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._origins = origins_in(self._config)
            self._stamp = stamp
        return self._origins


def content_policy(connect: Iterable[str]) -> str:
    """Return the Content-Security-Policy of a page that may talk to these sources, as connect-src spells them."""
    return _POLICY.format(connect=" ".join(connect))


def origins_in(path: Path) -> tuple[str, ...]:
    """Return the origins in a config.json; none if it cannot be read, which the page reports."""
    return tuple(dict.fromkeys(origin for origin in addresses_in(path).values() if origin))


def addresses_in(path: Path) -> dict[str, str | None]:
    """Return each absolute URL in a config.json with its origin; None as origin if no policy can name it. Relative URLs
    need no rule."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(config, Mapping):
        return {}
    urls = (config.get(key) for key in ("webSocketUrl", "tokenUrl", "ticketUrl"))
    found = {}
    for url in urls:
        if isinstance(url, str) and url and not _is_relative(url):
            origin = origin_of(url, ("ws", "wss", "http", "https"))
            found[url] = origin if origin and _can_be_named(origin) else None
    return found


def _is_relative(address: str) -> bool:
    """Return whether a URL is relative to the page's host; chat.config reads it in the same way."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    first = parts.path.partition("/")[0]
    return not parts.scheme and not parts.netloc and ("." not in first or first in (".", ".."))


def _can_be_named(host: str) -> bool:
    """Return whether a Content-Security-Policy can name a host: its hosts have no underscores (CSP 3, 2.3.1)."""
    return "_" not in host
