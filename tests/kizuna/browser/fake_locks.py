"""Web Locks made of plain Python: one queue a name, and promises that keep a lock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.kizuna.browser.conftest import JsException, JsNull


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


class AbortController:
    """js.AbortController, whose signal tells one listener."""

    def __init__(self) -> None:
        self.signal = SimpleNamespace(aborted=False, tell=lambda: None)

    @classmethod
    def new(cls) -> AbortController:
        return cls()

    def abort(self) -> None:
        self.signal.aborted = True
        self.signal.tell()


class LockManager:
    """js.navigator.locks, shared by all pages of the test."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.error: JsException | None = None  #: what every request is answered by
        self._waiting: dict[str, list[asyncio.Event]] = {}
        self._stolen: dict[str, asyncio.Future[None]] = {}

    async def request(self, name: str, options: dict[str, Any], callback: Callable[[Any], Any]) -> Any:
        await asyncio.sleep(0)  # as a real one, it never answers at once
        if self.error is not None:
            raise self.error
        if options.get("ifAvailable"):
            assert "signal" not in options, "NotSupportedError"
            if name in self.held:
                return callback(JsNull())
        else:
            await self._wait(name, options["signal"])
        self.held.add(name)
        keeping = callback(SimpleNamespace(name=name))
        try:
            if keeping is not None:
                stolen = self._stolen[name] = asyncio.get_running_loop().create_future()
                await asyncio.wait([keeping, stolen], return_when=asyncio.FIRST_COMPLETED)
                if stolen.done():
                    raise JsException("AbortError", "the lock was stolen")
        finally:
            self.free(name)

    def free(self, name: str) -> None:
        """The holder lets go; the next in the queue is served."""
        self.held.discard(name)
        for turn in self._waiting.get(name, [])[:1]:
            turn.set()

    def steal(self, name: str) -> None:
        """Another page takes the lock by force."""
        self._stolen[name].set_result(None)

    async def _wait(self, name: str, signal: Any) -> None:
        queue = self._waiting.setdefault(name, [])
        if name in self.held and not signal.aborted:
            turn = asyncio.Event()
            signal.tell = turn.set
            queue.append(turn)
            await turn.wait()
            queue.remove(turn)
        if signal.aborted:
            raise JsException("AbortError", "the request was aborted")
