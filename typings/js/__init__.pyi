"""The browser's globals, as far as Kizuna uses them. Names and shapes are JavaScript's.

Keyword arguments of a call reach JavaScript as one options object, the last argument:
``fetch(url, method="POST")`` is ``fetch(url, {method: "POST"})``.
"""

from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias

from js import Intl as Intl
from js._database import (
    IDBDatabase as IDBDatabase,
    IDBFactory as IDBFactory,
    IDBKeyRange as IDBKeyRange,
    IDBObjectStore as IDBObjectStore,
    IDBOpenDBRequest as IDBOpenDBRequest,
    IDBRequest as IDBRequest,
    IDBTransaction as IDBTransaction,
)
from js._dom import (
    ClipboardEvent as ClipboardEvent,
    CustomEvent as CustomEvent,
    DataTransfer as DataTransfer,
    Document as Document,
    DocumentFragment as DocumentFragment,
    DOMRect as DOMRect,
    DOMTokenList as DOMTokenList,
    DragEvent as DragEvent,
    Element as Element,
    Event as Event,
    EventTarget as EventTarget,
    HashChangeEvent as HashChangeEvent,
    HTMLButtonElement as HTMLButtonElement,
    HTMLFormElement as HTMLFormElement,
    HTMLInputElement as HTMLInputElement,
    HTMLTemplateElement as HTMLTemplateElement,
    HTMLTextAreaElement as HTMLTextAreaElement,
    InputEvent as InputEvent,
    KeyboardEvent as KeyboardEvent,
    MediaQueryList as MediaQueryList,
    Node as Node,
    PageTransitionEvent as PageTransitionEvent,
    PointerEvent as PointerEvent,
    ResizeObserver as ResizeObserver,
    Text as Text,
    Window as Window,
)
from js._locks import Lock as Lock, LockManager as LockManager, Promise as Promise
from js._net import (
    URL as URL,
    AbortController as AbortController,
    AbortSignal as AbortSignal,
    Blob as Blob,
    CloseEvent as CloseEvent,
    Headers as Headers,
    MessageChannel as MessageChannel,
    MessageEvent as MessageEvent,
    Response as Response,
    TrustedScriptURL as TrustedScriptURL,
    TrustedTypePolicy as TrustedTypePolicy,
    TrustedTypePolicyFactory as TrustedTypePolicyFactory,
    URLSearchParams as URLSearchParams,
    WebSocket as WebSocket,
    Worker as Worker,
)
from pyodide.ffi import JsDoubleProxy, JsNull, JsPromise, JsProxy

Callback: TypeAlias = JsDoubleProxy[Any]

class Location(JsProxy):
    href: str
    hash: str
    search: str
    @property
    def origin(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def hostname(self) -> str: ...
    @property
    def pathname(self) -> str: ...
    def reload(self) -> None: ...
    def replace(self, url: str) -> None: ...

class StorageManager(JsProxy):
    async def persist(self) -> bool: ...

class Clipboard(JsProxy):
    async def writeText(self, text: str) -> None: ...

class Navigator(JsProxy):
    @property
    def clipboard(self) -> Clipboard: ...
    @property
    def onLine(self) -> bool: ...
    @property
    def language(self) -> str: ...
    @property
    def languages(self) -> Iterable[str]: ...
    @property
    def storage(self) -> StorageManager: ...
    @property
    def userAgent(self) -> str: ...
    @property
    def locks(self) -> LockManager: ...
    @property
    def connection(self) -> EventTarget: ...
    @property
    def serviceWorker(self) -> ServiceWorkerContainer:
        """Only in a secure context (https, localhost)."""
    async def setAppBadge(self, number: int, /) -> None:
        """Only in some browsers."""

class ServiceWorkerRegistration(JsProxy):
    async def showNotification(self, title: str, options: JsProxy) -> None: ...

class ServiceWorkerContainer(JsProxy):
    @property
    def controller(self) -> Worker | None: ...
    @property
    def ready(self) -> JsPromise[ServiceWorkerRegistration]: ...

class Notification(EventTarget):
    permission: str
    @classmethod
    def new(cls, title: str, options: JsProxy) -> Notification:
        """Raises JsException (TypeError) on phones, where only a service worker may give notifications."""
    @staticmethod
    async def requestPermission() -> str: ...
    def close(self) -> None: ...

class Performance(JsProxy):
    def now(self) -> float: ...
    def mark(self, name: str) -> None: ...
    @property
    def timeOrigin(self) -> float: ...

class Storage(JsProxy):
    """localStorage, sessionStorage. Every call may raise JsException (SecurityError, QuotaExceededError)."""

    @property
    def length(self) -> int: ...
    def key(self, index: int) -> str | JsNull: ...
    def getItem(self, key: str) -> str | JsNull: ...
    def setItem(self, key: str, value: str) -> None: ...
    def removeItem(self, key: str) -> None: ...

class Crypto(JsProxy):
    def randomUUID(self) -> str:
        """Only in a secure context (https, localhost)."""

class Console(JsProxy):
    def debug(self, *values: object) -> None: ...
    def log(self, *values: object) -> None: ...
    def info(self, *values: object) -> None: ...
    def warn(self, *values: object) -> None: ...
    def error(self, *values: object) -> None: ...

class History(JsProxy):
    def pushState(self, state: object, unused: str, url: str) -> None: ...
    def replaceState(self, state: object, unused: str, url: str) -> None: ...

class _JSON(Protocol):
    def parse(self, text: str) -> Any: ...
    def stringify(self, value: object) -> str: ...

class _CSS(Protocol):
    def supports(self, property: str, value: str) -> bool: ...

class _Object(Protocol):
    def new(self) -> JsProxy: ...
    def fromEntries(self, entries: object) -> JsProxy: ...

class Date(JsProxy):
    @classmethod
    def new(cls, year_or_milliseconds: float = ..., month: int = ..., day: int = ...) -> Date: ...
    @staticmethod
    def now() -> float: ...
    @staticmethod
    def parse(date: str, /) -> float: ...
    def getFullYear(self) -> int: ...
    def getMonth(self) -> int: ...
    def getDate(self) -> int: ...
    def getTime(self) -> float: ...
    def toISOString(self) -> str: ...

window: Window
document: Document
globalThis: Window
self: Window  # a worker's global object, too
location: Location
navigator: Navigator
indexedDB: IDBFactory
performance: Performance
localStorage: Storage
sessionStorage: Storage
crypto: Crypto
console: Console
history: History
CSS: _CSS
JSON: _JSON
Object: _Object
String: JsProxy
trustedTypes: TrustedTypePolicyFactory

def setTimeout(callback: Callback, milliseconds: float = ..., /) -> int: ...
def clearTimeout(timer: int, /) -> None: ...
def setInterval(callback: Callback, milliseconds: float = ..., /) -> int: ...
def clearInterval(timer: int, /) -> None: ...
def requestAnimationFrame(callback: Callback, /) -> int: ...
def cancelAnimationFrame(frame: int, /) -> None: ...
def queueMicrotask(callback: Callback, /) -> None: ...
def matchMedia(query: str, /) -> MediaQueryList: ...
def getSelection() -> Any: ...
def getComputedStyle(element: Element, /) -> Any: ...
def encodeURIComponent(text: str, /) -> str: ...
def decodeURIComponent(text: str, /) -> str: ...
def fetch(
    url: str,
    /,
    *,
    method: str = ...,
    headers: Headers | JsProxy = ...,
    body: str = ...,
    cache: str = ...,
    credentials: str = ...,
    redirect: str = ...,
    signal: AbortSignal = ...,
) -> JsPromise[Response]: ...
def addEventListener(
    type: str,
    listener: Callback,
    /,
    *,
    capture: bool = ...,
    once: bool = ...,
    passive: bool = ...,
    signal: AbortSignal = ...,
) -> None: ...
def removeEventListener(type: str, listener: Callback, /, *, capture: bool = ...) -> None: ...
