"""A fake browser in plain Python, to test on CPython that listeners are removed and proxies destroyed."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from types import SimpleNamespace
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import pytest


class JsException(Exception):
    """What JavaScript throws."""

    def __init__(self, name: str = "Error", message: str = "") -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class Proxy:
    """A PyProxy: callable until it is destroyed."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function: Callable[..., Any] | None = function

    @property
    def is_destroyed(self) -> bool:
        return self._function is None

    def __call__(self, *args: Any) -> Any:
        assert self._function is not None, "JavaScript called a proxy that was destroyed"
        return self._function(*args)

    def destroy(self) -> None:
        assert self._function is not None, "a proxy was destroyed twice"
        self._function = None


class Target(SimpleNamespace):
    """An EventTarget."""

    listeners: list[tuple[str, Proxy]]

    def addEventListener(self, kind: str, listener: Proxy) -> None:
        self.listeners.append((kind, listener))

    def removeEventListener(self, kind: str, listener: Proxy) -> None:
        self.listeners.remove((kind, listener))

    def dispatch(self, kind: str, **event: Any) -> None:
        for listening, listener in tuple(self.listeners):
            if listening == kind:
                listener(SimpleNamespace(**event))


class JsObject:
    """A class that JavaScript constructs by ``new``; ``made`` has all its objects."""

    made: list[Any]

    @classmethod
    def new(cls, *args: Any, **options: Any) -> Self:
        cls.made.append(cls(*args))
        return cls.made[-1]  # type: ignore[no-any-return]


class WebSocket(JsObject):
    """A native socket that remembers what was done to it, in order."""

    CONNECTING, OPEN, CLOSING, CLOSED = range(4)

    def __init__(self, url: str, protocols: Sequence[str]) -> None:
        if not url.startswith(("ws://", "wss://")):
            raise JsException("SyntaxError", f"{url} is no WebSocket's")
        self.log: list[tuple[str, Any]] = []
        self.url = url
        self.protocol = protocols[0] if protocols else ""
        self.readyState = self.CONNECTING

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name.startswith("on"):
            self.log.append((name, value is not None))

    def send(self, data: Any) -> None:
        self.log.append(("send", data))

    def close(self, code: int = 1005, reason: str = "") -> None:
        if code != 1000 and not 3000 <= code <= 4999 and code != 1005:
            raise JsException("InvalidAccessError", "that code is not for pages")
        self.readyState = self.CLOSING
        self.log.append(("close", code))


class Worker(JsObject):
    """A dedicated worker whose script comes when the test says so, and which remembers what is armed in it."""

    def __init__(self, url: str) -> None:
        if url.startswith("http://elsewhere"):
            raise JsException("SecurityError", "that is another origin's")
        self.url = url
        self.onmessage: Any = None
        self.onerror: Any = None
        self.armed: dict[int, float] = {}  #: number -> milliseconds
        self.is_terminated = False

    def postMessage(self, message: dict[str, Any]) -> None:
        assert not self.is_terminated
        if "delay" in message:
            self.armed[message["id"]] = message["delay"]
        else:
            del self.armed[message["id"]]

    def terminate(self) -> None:
        self.is_terminated = True

    def tick(self, number: int) -> None:
        """Let one come due."""
        self.armed.pop(number, None)
        self.onmessage(SimpleNamespace(data=number))

    def fail(self) -> None:
        """Let its script be missing, or forbidden."""
        self.onerror(SimpleNamespace(preventDefault=lambda: None))


class MessageChannel(JsObject):
    """A channel whose messages arrive in a later turn of the event loop, unless it is closed by then."""

    def __init__(self) -> None:
        self.is_closed = False
        self.port1 = SimpleNamespace(onmessage=None, close=self._close)
        self.port2 = SimpleNamespace(postMessage=self._post)

    def _close(self) -> None:
        self.is_closed = True

    def _post(self, message: object) -> None:
        assert not self.is_closed
        asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        if not self.is_closed:
            self.port1.onmessage(SimpleNamespace(data=None))


class Storage:
    """localStorage, which may be full or forbidden."""

    def __init__(self) -> None:
        self.error: JsException | None = None
        self._items: dict[str, str] = {}

    def _open(self) -> dict[str, str]:
        if self.error:
            raise self.error
        return self._items

    @property
    def length(self) -> int:
        return len(self._open())

    def key(self, index: int) -> str:
        return list(self._open())[index]

    def getItem(self, key: str) -> Any:
        return self._open().get(key, JsNull())

    def setItem(self, key: str, value: str) -> None:
        self._open()[key] = value

    def removeItem(self, key: str) -> None:
        self._open().pop(key, None)


class JsNull:
    """JavaScript's null: false, and not None."""

    def __bool__(self) -> bool:
        return False


class Promise:
    """js.Promise."""

    @staticmethod
    def new(executor: Callable[[Any, Any], None]) -> asyncio.Future[Any]:
        promise: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def resolve(value: object) -> None:
            if not promise.done():  # JavaScript's, too, settle once
                promise.set_result(value)

        executor(resolve, promise.set_exception)
        return promise


class AbortController(JsObject):
    """js.AbortController."""

    def __init__(self) -> None:
        self.signal = SimpleNamespace(aborted=False)

    def abort(self) -> None:
        self.signal.aborted = True


class LockManager:
    """js.navigator.locks, shared by all pages of the test."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.error: JsException | None = None  #: what every request is answered by
        self._stolen: dict[str, asyncio.Future[None]] = {}

    async def request(self, name: str, options: dict[str, Any], callback: Callable[[Any], Any]) -> Any:
        await asyncio.sleep(0)  # as a real one, it never answers at once
        if self.error is not None:
            raise self.error
        assert options.keys() in ({"ifAvailable"}, {"signal"}), "NotSupportedError"
        if "ifAvailable" in options and name in self.held:
            return callback(JsNull())
        while name in self.held and not options["signal"].aborted:  # noqa: ASYNC110 - two things end it
            await asyncio.sleep(0)
        if "signal" in options and options["signal"].aborted:
            raise JsException("AbortError", "the request was aborted")
        self.held.add(name)
        keeping = callback(SimpleNamespace(name=name))
        try:
            if keeping is not None:
                stolen = self._stolen[name] = asyncio.get_running_loop().create_future()
                await asyncio.wait([keeping, stolen], return_when=asyncio.FIRST_COMPLETED)
                if stolen.done():
                    raise JsException("AbortError", "the lock was stolen")
        finally:
            self.held.discard(name)

    def steal(self, name: str) -> None:
        """Another page takes the lock by force."""
        self._stolen[name].set_result(None)


class Browser:
    """The module ``js``."""

    def __init__(self) -> None:
        self.document = Target(listeners=[], visibilityState="visible", baseURI="http://127.0.0.1/")
        self.window, self.self = Target(listeners=[]), Target(listeners=[], origin="https://example.org")
        self.navigator = SimpleNamespace(onLine=True)
        self.localStorage, self.sessionStorage = Storage(), Storage()
        self.said: list[tuple[str, str]] = []
        levels = ("info", "warn", "error")
        self.console = SimpleNamespace(
            **{level: lambda text, level=level: self.said.append((level, text)) for level in levels}
        )
        self.JsException, self.null = JsException, JsNull()
        for kind in (WebSocket, Worker, MessageChannel, AbortController):
            kind.made = []
        self.WebSocket = WebSocket
        self.Worker: type[Worker] | None = Worker
        self.MessageChannel: type[MessageChannel] | None = MessageChannel
        self.Promise, self.AbortController = Promise, AbortController
        self.Object = SimpleNamespace(fromEntries=dict)
        self.Blob = SimpleNamespace(new=lambda parts, **options: "".join(parts))
        self.blobs: dict[str, str] = {}  #: object URLs that were not revoked
        self.URL = SimpleNamespace(
            createObjectURL=self._make_url, revokeObjectURL=self.blobs.pop, new=resolved_url
        )
        self.timeouts: dict[int, tuple[Proxy, float]] = {}
        self._numbers = itertools.count(1)

    def _make_url(self, blob: str) -> str:
        url = f"blob:{next(self._numbers)}"
        self.blobs[url] = blob
        return url

    def setTimeout(self, callback: Proxy, milliseconds: float) -> int:
        number = next(self._numbers)
        self.timeouts[number] = (callback, milliseconds)
        return number

    def clearTimeout(self, number: int) -> None:
        self.timeouts.pop(number, None)

    def fire(self, number: int) -> None:
        """Let a timeout come due."""
        callback, _ = self.timeouts.pop(number)
        callback()


def resolved_url(url: str, base: str) -> SimpleNamespace:
    """JavaScript's ``new URL(url, base)``."""
    try:
        whole = urlsplit(urljoin(base, url))
        assert whole.port != 0  # raises if it is no number
    except ValueError:
        raise JsException("TypeError", "Invalid URL") from None
    return SimpleNamespace(href=whole.geturl())


@pytest.fixture
def js(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """The fake browser, in place while ``kizuna.browser`` is imported anew; every proxy must be destroyed."""
    browser = Browser()
    proxies: list[Proxy] = []

    def create_proxy(function: Callable[..., Any]) -> Proxy:
        proxies.append(Proxy(function))
        return proxies[-1]

    ffi = SimpleNamespace(
        create_proxy=create_proxy,
        JsException=JsException,
        JsDoubleProxy=Proxy,
        JsProxy=object,
        JsNull=JsNull,
        JsPromise=asyncio.Future,
        to_js=lambda value, *, dict_converter=copy: (
            dict_converter(value) if isinstance(value, dict) else copy(value)
        ),
    )
    for name, module in {"js": browser, "pyodide": SimpleNamespace(), "pyodide.ffi": ffi}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys, "platform", "emscripten")
    yield browser
    for name in [name for name in sys.modules if name.startswith(("kizuna.browser", "ui.kit.http"))]:
        del sys.modules[name]
    assert [proxy for proxy in proxies if not proxy.is_destroyed] == []
