"""The headers of the built site: content policy and caching."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backend.local.content_policy import SECURITY_HEADERS, addresses_in, content_policy
from backend.local.static_files import ASK_AGAIN, FOR_EVER
from tools.build.assets import ASSETS
from tools.build.errors import BuildError

#: Directives that browsers accept in a header alone; in a page they are errors.
_HEADER_ONLY = ("frame-ancestors",)


def connect_sources(config: Path, host: str = "") -> tuple[str, ...]:
    """Return the hosts that the page may contact: its own, and those in the configuration.

    ``host``: the page's host, such as chat.example.org, for browsers before 2022, for which 'self' excludes WebSockets.

    Raises BuildError for an address that no rule can contain.
    """
    origins = []
    for address, origin in addresses_in(config).items():
        if origin is None:
            raise BuildError(
                f"{config}: {address!r} cannot be allowed by a Content-Security-Policy: use wss: or https:, "
                "a host of letters, digits, dots and hyphens (others as xn--...), and an optional port"
            )
        origins.append(origin)
    own = (f"ws://{host}", f"wss://{host}") if host else ()
    return ("'self'", *own, *dict.fromkeys(origins))


def policy_for_header(connect: Sequence[str]) -> str:
    """Return the Content-Security-Policy as a header."""
    return content_policy(connect)


def policy_for_page(connect: Sequence[str]) -> str:
    """Return the Content-Security-Policy as a <meta> of the page, for hosts without headers."""
    rules = (rule.strip() for rule in content_policy(connect).split(";"))
    return "; ".join(rule for rule in rules if not rule.startswith(_HEADER_ONLY))


def headers_file(connect: Sequence[str]) -> str:
    """Return the file _headers for Netlify and Cloudflare Pages.

    No two rules set the same header for a path, since one host would join the values, and the other take the last.
    """
    everywhere = {"Content-Security-Policy": policy_for_header(connect), **SECURITY_HEADERS}
    rules = {
        "/*": everywhere,
        "/": {"Cache-Control": ASK_AGAIN},
        "/index.html": {"Cache-Control": ASK_AGAIN},
        "/service-worker.js": {"Cache-Control": ASK_AGAIN},
        "/static/*": {"Cache-Control": ASK_AGAIN},
        f"/{ASSETS}/*": {"Cache-Control": FOR_EVER},
    }
    return "\n".join(
        "\n".join([path, *(f"  {name}: {value}" for name, value in headers.items())])
        for path, headers in rules.items()
    )
