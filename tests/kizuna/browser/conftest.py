"""A browser made of plain Python, so that the thin edge of the library can be held to its duties on CPython:
what it attaches it detaches, what it makes for JavaScript it destroys."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from copy import copy
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

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


class Target:
    """An EventTarget."""

    def __init__(self, **properties: Any) -> None:
        self.__dict__.update(properties)
        self.listeners: list[tuple[str, Proxy]] = []

    def addEventListener(self, kind: str, listener: Proxy) -> None:
        self.listeners.append((kind, listener))

    def removeEventListener(self, kind: str, listener: Proxy) -> None:
        self.listeners.remove((kind, listener))

    def dispatch(self, kind: str, **event: Any) -> None:
        for listening, listener in tuple(self.listeners):
            if listening == kind:
                listener(SimpleNamespace(**event))


class WebSocket:
    """A native socket that remembers what was done to it, in order."""

    CONNECTING, OPEN, CLOSING, CLOSED = range(4)
    made: list[WebSocket]
    log: list[tuple[str, Any]]

    def __init__(self, url: str) -> None:
        self.__dict__["log"] = []
        self.url = url
        self.readyState = self.CONNECTING
        self.onopen: Proxy | None = None
        self.onmessage: Proxy | None = None
        self.onclose: Proxy | None = None
        self.onerror: Proxy | None = None

    @classmethod
    def new(cls, url: str) -> WebSocket:
        if not url.startswith(("ws://", "wss://")):
            raise JsException("SyntaxError", f"{url} is no WebSocket's")
        cls.made.append(cls(url))
        return cls.made[-1]

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value
        if name.startswith("on"):
            self.log.append((name, value is not None))

    def send(self, text: str) -> None:
        self.log.append(("send", text))

    def close(self, code: int = 1005, reason: str = "") -> None:
        if code != 1000 and not 3000 <= code <= 4999 and code != 1005:
            raise JsException("InvalidAccessError", "that code is not for pages")
        self.readyState = self.CLOSING
        self.log.append(("close", code))


class Worker:
    """A dedicated worker whose script comes when the test says so, and which remembers what is armed in it."""

    made: list[Worker]

    def __init__(self, url: str) -> None:
        self.url = url
        self.onmessage: Proxy | None = None
        self.onerror: Proxy | None = None
        self.armed: dict[int, float] = {}  #: number -> milliseconds
        self.is_terminated = False

    @classmethod
    def new(cls, url: str, **options: str) -> Worker:
        if url.startswith("http://elsewhere"):
            raise JsException("SecurityError", "that is another origin's")
        cls.made.append(cls(url))
        return cls.made[-1]

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
        assert self.onmessage is not None
        self.onmessage(SimpleNamespace(data=number))

    def fail(self) -> None:
        """Let its script be missing, or forbidden."""
        assert self.onerror is not None
        self.onerror(SimpleNamespace(preventDefault=lambda: None))


class Storage:
    """localStorage, which may be full or forbidden."""

    def __init__(self) -> None:
        self.items: dict[str, str] = {}
        self.error: JsException | None = None

    def _check(self) -> None:
        if self.error:
            raise self.error

    def getItem(self, key: str) -> Any:
        self._check()
        return self.items.get(key, JsNull())

    def setItem(self, key: str, value: str) -> None:
        self._check()
        self.items[key] = value

    def removeItem(self, key: str) -> None:
        self._check()
        self.items.pop(key, None)


class JsNull:
    """JavaScript's null: false, and not None."""

    def __bool__(self) -> bool:
        return False


class Browser(ModuleType):
    """The module ``js``."""

    def __init__(self) -> None:
        super().__init__("js")
        self.document = Target(visibilityState="visible")
        self.window = Target()
        self.navigator = SimpleNamespace(onLine=True)
        self.localStorage, self.sessionStorage = Storage(), Storage()
        self.said: list[tuple[str, str]] = []
        self.console = SimpleNamespace(
            **{level: partial(self._say, level) for level in ("info", "warn", "error")}
        )
        self.JsException = JsException
        WebSocket.made = []
        self.WebSocket = WebSocket
        Worker.made = []
        self.Worker: type[Worker] | None = Worker
        self.Blob = SimpleNamespace(new=lambda parts, **options: "".join(parts))
        self.blobs: dict[str, str] = {}  #: object URLs that were not revoked
        self.URL = SimpleNamespace(createObjectURL=self._make_url, revokeObjectURL=self.blobs.pop)
        self.timeouts: dict[int, tuple[Proxy, float]] = {}
        self._numbers = iter(range(1, 10_000))

    def _say(self, level: str, text: str) -> None:
        self.said.append((level, text))

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


@pytest.fixture
def js(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """The fake browser, in place while ``kizuna.browser`` is imported anew; every proxy must be destroyed."""
    browser = Browser()
    ffi = ModuleType("pyodide.ffi")
    proxies: list[Proxy] = []

    def create_proxy(function: Callable[..., Any]) -> Proxy:
        proxies.append(Proxy(function))
        return proxies[-1]

    ffi.__dict__.update(
        create_proxy=create_proxy,
        JsException=JsException,
        JsDoubleProxy=Proxy,
        JsNull=JsNull,
        JsPromise=asyncio.Future,
        to_js=copy,
    )
    pyodide = ModuleType("pyodide")
    pyodide.__dict__["ffi"] = ffi
    for name in [name for name in sys.modules if name.startswith("kizuna.browser")]:
        monkeypatch.delitem(sys.modules, name)
    for name, module in {"js": browser, "pyodide": pyodide, "pyodide.ffi": ffi}.items():
        monkeypatch.setitem(sys.modules, name, module)
    yield browser
    for name in [name for name in sys.modules if name.startswith("kizuna.browser")]:
        del sys.modules[name]
    assert [proxy for proxy in proxies if not proxy.is_destroyed] == []
