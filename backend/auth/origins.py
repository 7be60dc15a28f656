"""Origins of pages, as browsers spell them (RFC 6454), and the hosts in requests."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

# Browsers open hosts with underscores, as Docker Compose and Swarm name them, though no host name of the DNS has one.
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class InvalidOrigin(ValueError):
    """A text that is no origin; it is the error's text."""


def is_host(text: str) -> bool:
    """Return whether this is a host name or address, with or without a port."""
    return _HOST.fullmatch(text) is not None


def host_name(host: str) -> str:
    """Return the name or the address in a Host header, lower case, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_loopback(name: str) -> bool:
    """Return whether a name or an address means the machine itself, without a DNS request."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def origin_of(url: str, schemes: tuple[str, ...] = ("http", "https")) -> str | None:
    """Return ``scheme://host[:port]`` of a URL, without the scheme's default port; None if it has no such origin."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in schemes or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    return f"{parts.scheme}://{host}" if is_host(host) else None


def origins_in(text: str) -> frozenset[str]:
    """Return the origins in a list with commas or spaces between them. Raises InvalidOrigin."""
    origins = text.replace(",", " ").split()
    for origin in origins:
        if origin_of(origin) != origin:
            raise InvalidOrigin(origin)
    return frozenset(origins)
