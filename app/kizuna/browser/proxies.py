"""Who owns which PyProxy, and how many are alive.

A Python callable that JavaScript keeps (a listener, a handler, a timer's callback) lives until ``destroy()``: no
garbage collector on either side frees it in time. So every one of them is made here, by an owner that releases it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pyodide.ffi import JsDoubleProxy, create_proxy

Function = TypeVar("Function", bound=Callable[..., Any])

_alive = 0


def alive() -> int:
    """How many proxies of this library are alive: the figure of the leak gate."""
    return _alive


class ProxyOwner:
    """Responsible for the proxies of one socket, timer or set of listeners."""

    def __init__(self) -> None:
        self._proxies: list[JsDoubleProxy[Any]] = []

    def hold(self, function: Function) -> JsDoubleProxy[Function]:
        """``function`` as JavaScript may keep it, until release()."""
        global _alive
        proxy = create_proxy(function)
        self._proxies.append(proxy)
        _alive += 1
        return proxy

    def release(self) -> None:
        """Destroy all. JavaScript must not hold any of them any more. May be called twice."""
        global _alive
        while self._proxies:
            self._proxies.pop().destroy()
            _alive -= 1
