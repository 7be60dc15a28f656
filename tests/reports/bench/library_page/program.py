"""What the page of the benchmark of the library runs: imports it, receives and sends beside sockets written by hand.

Each way handles a frame as a program of a few lines would: JSON is read, and a function is called with the value.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import js
from pyodide.ffi import create_proxy

from tests.reports.bench.library_message import MESSAGE

Receive = Callable[[Any], object]


class Count:
    """Counts frames. ``reached`` ends when there were as many as ``begin()`` was told to await."""

    def __init__(self) -> None:
        self.ends_at = 0.0
        self.reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.last: Any = None
        self._missing = 0

    def begin(self, count: int) -> None:
        self._missing = count
        self.reached = asyncio.get_running_loop().create_future()

    def take(self, frame: Any) -> None:
        self._missing -= 1
        if self._missing == 0:
            self.ends_at = time.perf_counter()
            self.last = frame
            self.reached.set_result(None)


class Way:
    """One way to a socket: ``send`` sends a value, ``send_many`` so many messages in a loop as a program would."""

    async def open(self, url: str, receive: Receive) -> None:
        raise NotImplementedError

    def send(self, value: Any) -> None:
        raise NotImplementedError

    def send_many(self, count: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Kizuna(Way):
    """``connection.on_message(receive)`` and ``connection.send(value)``."""

    async def open(self, url: str, receive: Receive) -> None:
        from kizuna import connect

        self.connection = await connect(url)
        self.read(receive)

    def read(self, receive: Receive) -> None:
        self.connection.on_message(receive)

    def send(self, value: Any) -> None:
        self.connection.send(value)

    def send_many(self, count: int) -> None:
        connection = self.connection
        for _ in range(count):
            connection.send(MESSAGE)

    def close(self) -> None:
        self.connection.disconnect()


class KizunaLoop(Kizuna):
    """``async for value in connection``."""

    def read(self, receive: Receive) -> None:
        async def loop() -> None:
            async for value in self.connection:
                receive(value)

        self.task = asyncio.ensure_future(loop())


class ByHand(Way):
    """``js.WebSocket`` and a proxy of a Python function."""

    async def open(self, url: str, receive: Receive) -> None:
        opened = asyncio.get_running_loop().create_future()

        def on_message(event: Any) -> None:
            receive(json.loads(event.data))

        self.socket: Any = js.WebSocket.new(url)
        self.proxies = [create_proxy(on_message), create_proxy(lambda event: opened.set_result(None))]
        self.socket.onmessage, self.socket.onopen = self.proxies
        await opened

    def send(self, value: Any) -> None:
        self.socket.send(json.dumps(value))

    def send_many(self, count: int) -> None:
        socket = self.socket
        for _ in range(count):
            socket.send(json.dumps(MESSAGE))

    def close(self) -> None:
        self.socket.onmessage = self.socket.onopen = None
        self.socket.close()
        for proxy in self.proxies:
            proxy.destroy()


class PyScript(ByHand):
    """``pyscript.WebSocket``, which makes the proxies itself."""

    async def open(self, url: str, receive: Receive) -> None:
        opened = asyncio.get_running_loop().create_future()

        def on_message(event: Any) -> None:
            receive(json.loads(event.data))

        self.socket = importlib.import_module("pyscript").WebSocket(
            url=url, onmessage=on_message, onopen=lambda event: opened.set_result(None)
        )
        self.proxies = []
        await opened

    def close(self) -> None:
        self.socket.close()


WAYS: dict[str, Callable[[], Way]] = {
    "on_message": Kizuna,
    "async for": KizunaLoop,
    "js": ByHand,
    "pyscript": PyScript,
}


#: The socket that is measured, and what comes over it; of a page that measures one after the other.
opened: list[tuple[Way, Count]] = []


async def open_with(name: str, url: str) -> None:
    """Open a socket in one of the WAYS."""
    way, count = WAYS[name](), Count()
    await way.open(url, count.take)
    opened.append((way, count))


async def receive(number: int) -> float:
    """Return the microseconds for each of so many messages: from the request for them until the last is handled."""
    way, count = opened[-1]
    count.begin(number)
    begun = time.perf_counter()
    way.send(["flood", number])
    await count.reached
    return 1e6 * (count.ends_at - begun) / number


async def send(number: int) -> float:
    """Return the microseconds for each of so many messages that are sent in a loop."""
    way, _ = opened[-1]
    begun = time.perf_counter()
    way.send_many(number)
    return 1e6 * (time.perf_counter() - begun) / number


async def server_counted() -> int:
    """Return how many messages the server has had over this socket."""
    way, count = opened[-1]
    count.begin(1)
    way.send(["count"])
    await count.reached
    return int(count.last)


async def close() -> None:
    """Close the socket."""
    opened.pop()[0].close()


async def import_library(url: str) -> dict[str, float]:
    """Return the milliseconds until a connection could be begun with all that is loaded for it, and the modules."""
    begun = time.perf_counter()
    library = importlib.import_module("kizuna")
    if hasattr(library, "connect"):
        library.connect(url)
    else:  # before there was connect()
        importlib.import_module("kizuna.browser").WebSocketService(url)
    taken = time.perf_counter() - begun
    loaded = [name for name in sys.modules if name.partition(".")[0] == "kizuna"]
    return {"milliseconds": 1e3 * taken, "modules": len(loaded)}


CALLS: dict[str, Callable[..., Awaitable[Any]]] = {
    "import": import_library,
    "open": open_with,
    "receive": receive,
    "send": send,
    "count": server_counted,
    "close": close,
}


async def measure(call: str, arguments: str) -> str:
    """Return what one of the calls returns, as JSON; its arguments are JSON as well."""
    return json.dumps(await CALLS[call](*json.loads(arguments)))


window: Any = js.window
window.measure = create_proxy(measure)
js.document.documentElement.setAttribute("data-ready", "")
