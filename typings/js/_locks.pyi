"""Web Locks, which exist only in a secure context (https, localhost)."""

from collections.abc import Callable
from typing import Any

from pyodide.ffi import JsDoubleProxy, JsNull, JsPromise, JsProxy

class Lock(JsProxy):
    @property
    def name(self) -> str: ...
    @property
    def mode(self) -> str: ...

class LockManager(JsProxy):
    def request(
        self, name: str, options: JsProxy, callback: JsDoubleProxy[Callable[[Lock | JsNull], Any]], /
    ) -> JsPromise[Any]:
        """``callback`` is called with the lock, which is held until the promise that it returns is settled; with
        null when the lock was asked for only if available, and is not. Raises JsException through its promise."""

class Promise(JsProxy):
    @classmethod
    def new(cls, executor: JsDoubleProxy[Callable[[Any, Any], None]]) -> JsPromise[Any]:
        """``executor`` is called at once, with the functions that resolve and reject."""
