"""Whether the page is the demo, and where it stores things then. ``?demo`` in its address says so, at each start, as
it does in static/boot/boot.js."""

from __future__ import annotations

import js

from kizuna.browser import page_prefix

_PARAMETER = "demo"


def is_demo() -> bool:
    """Return whether the address asks for the demo."""
    return js.URLSearchParams.new(js.location.search).has(_PARAMETER)


def storage_prefix() -> str:
    """Return what precedes the names of this page's keys in storage; the demo has its own."""
    return f"{page_prefix()}demo/" if is_demo() else page_prefix()


def become_demo() -> None:
    """Make this page the demo, as if its address had asked for it."""
    address = js.URL.new(js.location.href)
    address.searchParams.set(_PARAMETER, "")
    js.history.replaceState(None, "", address.href)
    js.document.documentElement.setAttribute("data-demo", "")


def address_without_demo() -> str:
    """Return the page's address without ``?demo``."""
    address = js.URL.new(js.location.href)
    address.searchParams.delete(_PARAMETER)
    return address.href
