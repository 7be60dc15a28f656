"""Whether the page is the demo, and where it stores things then. ``?demo`` in its address says so."""

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


def address_of_demo() -> str:
    """Return the page's address with ``?demo`` in it."""
    address = js.URL.new(js.location.href)
    address.searchParams.set(_PARAMETER, "")
    return address.href


def address_without_demo() -> str:
    """Return the page's address without ``?demo``."""
    address = js.URL.new(js.location.href)
    address.searchParams.delete(_PARAMETER)
    return address.href
