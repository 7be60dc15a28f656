"""Named locks among the pages of one origin, as browsers know them (Web Locks).

A browser frees the locks of a page that is gone, whatever ended it. A page in the back/forward cache keeps its own,
but as soon as another page asks for one of them the browser throws it out of the cache (Chromium 156 does): so they
are let go when the page is put aside (``pagehide``), and asked for again when it comes back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import js
from pyodide.ffi import JsException, JsNull, JsPromise, to_js

from kizuna.browser.proxies import ProxyOwner
from kizuna.runtime.tasks import TaskSet

logger = logging.getLogger("kizuna.locks")

#: Seconds that a browser may take to answer: milliseconds, on a busy machine seconds, unless it never answers at all.
ANSWER_TIMEOUT = 15.0


class WebLocks:
    """Responsible for being :class:`kizuna.platform.Locks` in a browser: the locks that this page holds.

    Where browsers offer none (in an insecure context), every lock is granted, and the log says so once.
    """

    def __init__(self) -> None:
        self.interruptions = 0  #: how often others may have held what this page holds
        self._held: dict[str, _Lock] = {}
        self._tasks = TaskSet()
        self._proxies = ProxyOwner()
        self._listeners: list[tuple[str, Any]] = []
        self._has_warned = False

    async def try_lock(self, name: str) -> Callable[[], None] | None:
        """Hold the lock until the returned function is called; None if another page, or this one, holds it."""
        if name in self._held:
            return None
        if not getattr(js.navigator, "locks", None):
            return self._grant_unchecked("this browser has no Web Locks, or only on https and localhost")
        request = _Request(name)
        self._tasks.start(request.run(wait=False))
        try:
            is_granted = await asyncio.wait_for(request.answer, ANSWER_TIMEOUT)
        except TimeoutError:
            request.end()
            return self._grant_unchecked("the browser does not answer")
        except BaseException:
            request.end()  # nobody waits for it any more
            raise
        if request.problem:
            return self._grant_unchecked(request.problem)
        return self._add(_Lock(name, request)) if is_granted else None

    def _grant_unchecked(self, why: str) -> Callable[[], None]:
        self.interruptions += 1
        if not self._has_warned:
            self._has_warned = True
            logger.warning("locks are granted without asking other tabs: %s", why)
        return lambda: None

    def _add(self, lock: _Lock) -> Callable[[], None]:
        if not self._held:
            self._listen("pagehide", lambda event: self._release_all())
            self._listen("pageshow", lambda event: self._request_again() if event.persisted else None)
        self._held[lock.name] = lock
        return lambda: self._release(lock)

    def _release(self, lock: _Lock) -> None:
        if self._held.get(lock.name) is not lock:
            return  # it was called before
        lock.request.end()
        del self._held[lock.name]
        if not self._held:
            for kind, proxy in self._listeners:
                js.window.removeEventListener(kind, proxy)
            self._listeners.clear()
            self._proxies.release()

    def _release_all(self) -> None:
        self.interruptions += 1
        for lock in self._held.values():
            lock.request.end()

    def _request_again(self) -> None:
        """In the background: meanwhile another page may have taken one, and may keep it for long."""
        for lock in self._held.values():
            lock.request = _Request(lock.name)
            self._tasks.start(lock.request.run(wait=True))

    def _listen(self, kind: str, listener: Callable[[Any], None]) -> None:
        proxy = self._proxies.hold(listener)
        js.window.addEventListener(kind, proxy)
        self._listeners.append((kind, proxy))


@dataclass
class _Lock:
    """Responsible for what a holder holds, in the lives of the page before and after it was put aside."""

    name: str
    request: _Request  #: the one of the moment


class _Request:
    """Responsible for asking for a lock once, for holding it until ``end()``, and for the proxies of both."""

    def __init__(self, name: str) -> None:
        self.answer: asyncio.Future[bool] = (
            asyncio.get_running_loop().create_future()
        )  #: whether it is granted
        self.problem = ""  #: why the browser would not even answer
        self._name = name
        self._is_over = False
        self._aborter = js.AbortController.new()
        self._resolve: Callable[[None], None] | None = None  # the promise that keeps the lock
        self._proxies = ProxyOwner()

    async def run(self, *, wait: bool) -> None:
        """Ask, ``wait`` or not until others let it go; returns when it was refused, or is free again."""
        options = (
            {"signal": self._aborter.signal} if wait else {"ifAvailable": True}
        )  # never both, says the norm
        on_answer = self._proxies.hold(self._on_answer)
        try:
            await js.navigator.locks.request(self._name, to_js(options), on_answer)
        except JsException as error:
            if not self._is_over:
                self.problem = f"{error.name}: {error.message}"
                logger.info("the lock %s is not held: %s", self._name, self.problem)
        finally:
            self._proxies.release()
            if not self.answer.done():
                self.answer.set_result(False)

    def end(self) -> None:
        """Free the lock, or wait for it no more."""
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
