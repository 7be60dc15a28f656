"""The owners of PyProxies, and a count of those that are alive.

A Python callable that JavaScript keeps (a listener, a handler, a timer's callback) exists until ``destroy()``: no
garbage collector on either side frees it in time. So each is made here, by an owner that destroys it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import js
from pyodide.ffi import JsDoubleProxy, JsProxy, create_proxy, to_js

Function = TypeVar("Function", bound=Callable[..., Any])

_alive = 0


def alive() -> int:
    """Return how many proxies of this library are alive, for the tests of leaks."""
    return _alive


def js_object(**fields: object) -> JsProxy:
    """Return a plain object with these fields: before Pyodide 0.29 a dict becomes a Map unless told otherwise."""
    return to_js(fields, dict_converter=js.Object.fromEntries)


class ProxyOwner:
    """The proxies of one socket, timer or set of listeners."""

    def __init__(self) -> None:
        self._proxies: list[JsDoubleProxy[Any]] = []

    def hold(self, function: Function) -> JsDoubleProxy[Function]:
        """Return ``function`` as a proxy that JavaScript may keep until release()."""
        global _alive
        proxy = create_proxy(function)
        self._proxies.append(proxy)
        _alive += 1
        return proxy

    def release(self) -> None:
        """Destroy all proxies. JavaScript must not hold any of them. May be called twice."""
        global _alive
        while self._proxies:
            self._proxies.pop().destroy()
            _alive -= 1
