"""IndexedDB. A request is answered by its event; ``result`` and ``error`` may be read from then on.

Every call may raise JsException, a DOMException whose ``name`` says what went wrong.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from js._dom import Event, EventTarget
from pyodide.ffi import JsDoubleProxy, JsException, JsNull, JsProxy

_T_co = TypeVar("_T_co", covariant=True)

class IDBKeyRange(JsProxy):
    @staticmethod
    def bound(lower: str, upper: str, lower_open: bool = ..., upper_open: bool = ...) -> IDBKeyRange: ...

class IDBRequest(EventTarget, Generic[_T_co]):
    """``on*`` take an owned proxy, or None to detach."""

    onsuccess: JsDoubleProxy[Callable[[Event], object]] | None
    onerror: JsDoubleProxy[Callable[[Event], object]] | None
    @property
    def result(self) -> _T_co: ...
    @property
    def error(self) -> JsException | JsNull: ...

class IDBOpenDBRequest(IDBRequest[IDBDatabase]):
    onblocked: JsDoubleProxy[Callable[[Event], object]] | None
    onupgradeneeded: JsDoubleProxy[Callable[[Event], object]] | None

class IDBObjectStore(JsProxy):
    def get(self, key: str) -> IDBRequest[Any]:
        """Its result is ``undefined``, hence None, where there is no such row."""

    def getAll(self, query: IDBKeyRange) -> IDBRequest[JsProxy]: ...
    def getAllKeys(self, query: IDBKeyRange) -> IDBRequest[JsProxy]: ...
    def put(self, value: str, key: str) -> IDBRequest[Any]: ...
    def delete(self, key: str) -> IDBRequest[None]: ...

class IDBTransaction(EventTarget):
    oncomplete: JsDoubleProxy[Callable[[Event], object]] | None
    onabort: JsDoubleProxy[Callable[[Event], object]] | None
    @property
    def error(self) -> JsException | JsNull: ...
    def objectStore(self, name: str) -> IDBObjectStore: ...
    def abort(self) -> None: ...

class DOMStringList(JsProxy):
    def contains(self, name: str) -> bool: ...

class IDBDatabase(EventTarget):
    onclose: JsDoubleProxy[Callable[[Event], object]] | None
    onversionchange: JsDoubleProxy[Callable[[Event], object]] | None
    @property
    def objectStoreNames(self) -> DOMStringList: ...
    def createObjectStore(self, name: str) -> IDBObjectStore: ...
    def transaction(self, stores: str, mode: str, *, durability: str = ...) -> IDBTransaction: ...
    def close(self) -> None: ...

class IDBFactory(JsProxy):
    def open(self, name: str, version: int = ...) -> IDBOpenDBRequest: ...
    def deleteDatabase(self, name: str) -> IDBOpenDBRequest: ...
