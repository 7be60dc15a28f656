"""Named locks among the pages and workers of one origin, by Web Locks.

A page in the back/forward cache would keep its locks, but is removed from it when another page requests one
(Chromium 156). So they are freed when the page is suspended (``pagehide``), and requested again when it comes back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import js
from pyodide.ffi import JsException, JsPromise

from kizuna.browser.proxies import ProxyOwner, js_object
from kizuna.delivery.tasks import TaskSet

if TYPE_CHECKING:
    from pyodide.ffi import JsNull  # since Pyodide 0.29: before, JavaScript's null was None

logger = logging.getLogger("kizuna.locks")

#: Seconds to wait for an answer: it takes milliseconds, on a busy machine seconds, or never comes.
ANSWER_TIMEOUT = 15.0


class WebLocks:
    """The :class:`kizuna.platform.Locks` of a browser: the locks that this page holds.

    Where a browser has no Web Locks (in an insecure context), every lock is granted, with one warning in the log.
    """

    def __init__(self) -> None:
        self.interruptions = 0  #: how often another page may have held this page's locks
        self._held: dict[str, _Lock] = {}
        self._tasks = TaskSet()
        self._proxies = ProxyOwner()
        self._listeners: list[tuple[str, Any]] = []
        self._has_warned = False

    async def try_lock(self, name: str) -> Callable[[], None] | None:
        """Take the lock, and return the function that frees it; None if another page, or this one, holds it."""
        if name in self._held:
            return None
        if not getattr(js.navigator, "locks", None):
            return self._grant_unchecked("this browser has no Web Locks here (only on https and localhost)")
        request = _Request(name)
        self._tasks.start(request.run(wait=False))
        try:
            is_granted = await asyncio.wait_for(request.answer, ANSWER_TIMEOUT)
        except TimeoutError:
            request.end()
            return self._grant_unchecked("the browser does not answer")
        except BaseException:
            request.end()
            raise
        if request.problem:
            return self._grant_unchecked(request.problem)
        return self._add(_Lock(name, request)) if is_granted else None

    def _grant_unchecked(self, why: str) -> Callable[[], None]:
        self.interruptions += 1
        if not self._has_warned:
            self._has_warned = True
            logger.warning("locks are granted unchecked: %s", why)
        return lambda: None

    def _add(self, lock: _Lock) -> Callable[[], None]:
        if not self._held:
            self._listen("pagehide", lambda event: self._release_all())
            self._listen("pageshow", lambda event: self._request_again() if event.persisted else None)
        self._held[lock.name] = lock
        return lambda: self._release(lock)

    def _release(self, lock: _Lock) -> None:
        if self._held.get(lock.name) is not lock:
            return  # freed already
        lock.request.end()
        del self._held[lock.name]
        if not self._held:
            for kind, proxy in self._listeners:
                js.self.removeEventListener(kind, proxy)
            self._listeners.clear()
            self._proxies.release()

    def _release_all(self) -> None:
        self.interruptions += 1
        for lock in self._held.values():
            lock.request.end()

    def _request_again(self) -> None:
        """Request all locks again, without waiting: another page may have taken one meanwhile."""
        for lock in self._held.values():
            lock.request = _Request(lock.name)
            self._tasks.start(lock.request.run(wait=True))

    def _listen(self, kind: str, listener: Callable[[Any], None]) -> None:
        proxy = self._proxies.hold(listener)
        js.self.addEventListener(kind, proxy)
        self._listeners.append((kind, proxy))


@dataclass
class _Lock:
    """A lock that is held, across suspensions of the page."""

    name: str
    request: _Request  #: the latest


class _Request:
    """One request for a lock: it holds the lock until ``end()``, and owns the proxies."""

    def __init__(self, name: str) -> None:
        #: Whether it is granted.
        self.answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.problem = ""  #: why the browser rejected the request
        self._name = name
        self._is_over = False
        self._aborter = js.AbortController.new()
        self._resolve: Callable[[None], None] | None = None  # frees the lock
        self._proxies = ProxyOwner()

    async def run(self, *, wait: bool) -> None:
        """Request the lock; return when it was refused, or is free again.

        ``wait``: whether to wait until other pages free it.
        """
        # The Web Locks specification forbids both together.
        options = js_object(signal=self._aborter.signal) if wait else js_object(ifAvailable=True)
        on_answer = self._proxies.hold(self._on_answer)
        try:
            await js.navigator.locks.request(self._name, options, on_answer)
        except JsException as error:
            if not self._is_over:
                self.problem = f"{error.name}: {error.message}"
                logger.info("the lock %s is not held: %s", self._name, self.problem)
        finally:
            self._proxies.release()
            if not self.answer.done():
                self.answer.set_result(False)

    def end(self) -> None:
        """Free the lock, or stop waiting for it."""
        self._is_over = True
        if self._resolve is not None:
            self._resolve(None)
        else:
            self._aborter.abort()

    def _on_answer(self, lock: js.Lock | JsNull) -> JsPromise[Any] | None:
        if not self.answer.done():
            self.answer.set_result(bool(lock))
        if not lock or self._is_over:
            return None
        return js.Promise.new(self._proxies.hold(self._on_promise))

    def _on_promise(self, resolve: Callable[[None], None], reject: object) -> None:
        self._resolve = resolve
