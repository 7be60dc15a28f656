"""What the built site tells a browser about itself: the rules for its content, and how long to keep what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backend.local.static_files import ASK_AGAIN, FOR_EVER, SECURITY_HEADERS, addresses_in, content_policy
from tools.build.assets import ASSETS
from tools.build.errors import BuildError

#: Directives that a browser takes from a header alone, and complains about in a page.
_HEADER_ONLY = ("frame-ancestors",)


def connect_sources(config: Path, host: str = "") -> tuple[str, ...]:
    """Whom the page may talk to: its own host, and what the configuration names.

    ``host``: where the page will be, such as chat.example.org; browsers of before 2022 do not count the WebSockets
    of the page's own host as its own.

    Raises BuildError for an address that no rule can name: the page could never reach it.
    """
    origins = []
    for address, origin in addresses_in(config).items():
        if origin is None:
            raise BuildError(
                f"{config}: {address!r} is no address that a page can be allowed to ask: wss: or https:, and "
                "a host of letters, digits, dots and hyphens (others as xn--...), and perhaps a port"
            )
        origins.append(origin)
    own = (f"ws://{host}", f"wss://{host}") if host else ()
    return ("'self'", *own, *dict.fromkeys(origins))


def policy_for_header(connect: Sequence[str]) -> str:
    """The Content-Security-Policy as a header."""
    return content_policy(connect)


def policy_for_page(connect: Sequence[str]) -> str:
    """The Content-Security-Policy as a <meta> of the page: for hosts that send no headers of ours."""
    rules = (rule.strip() for rule in content_policy(connect).split(";"))
    return "; ".join(rule for rule in rules if not rule.startswith(_HEADER_ONLY))


def headers_file(connect: Sequence[str]) -> str:
    """The file _headers, as Netlify and Cloudflare Pages read it. No two rules name the same header for a path: one
    of the hosts would join the two, the other would take the later."""
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
