"""Handlers of frames: plain or async, each served in order, none able to stop another."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

logger = logging.getLogger("kizuna.subscribers")

Item = TypeVar("Item")
Handler = Callable[[Item], Awaitable[object] | object]


class Subscribers(Generic[Item]):
    """Responsible for handing every item to every handler, in order. An error in one is logged."""

    def __init__(self) -> None:
        self._queues: list[_HandlerQueue[Item]] = []

    def add(self, handler: Handler[Item]) -> Callable[[], None]:
        """Call ``handler`` with every item from now on; returns the unsubscribe."""
        queue = _HandlerQueue(handler)
        self._queues.append(queue)

        def unsubscribe() -> None:
            queue.cancel()
            if queue in self._queues:
                self._queues.remove(queue)

        return unsubscribe

    def deliver(self, item: Item) -> None:
        """Hand ``item`` to all."""
        for queue in tuple(self._queues):
            queue.deliver(item)

    def discard_pending(self) -> None:
        """Forget what async handlers have not come to, and stop those that are at task."""
        for queue in self._queues:
            queue.discard_pending()


class _HandlerQueue(Generic[Item]):
    """Responsible for one handler. What an async handler has not come to yet waits, so that items never interleave;
    a task lives only while the handler is at task."""

    def __init__(self, handler: Handler[Item]) -> None:
        self._handler = handler
        self._waiting: deque[Item] = deque()
        self._task: asyncio.Future[Any] | None = None
        self._active = True

    def cancel(self) -> None:
        self._active = False
        self.discard_pending()

    def discard_pending(self) -> None:
        self._waiting.clear()
        if self._task is not None and self._task is not _current_task():
            self._task.cancel()

    def deliver(self, item: Item) -> None:
        if self._active:
            self._waiting.append(item)
            self._run_next()

    def _run_next(self) -> None:
        while self._waiting and self._task is None:
            try:
                outcome = self._handler(self._waiting.popleft())
            except Exception:
                logger.exception("a handler failed; the others go on")
                continue
            if inspect.isawaitable(outcome):
                self._task = asyncio.ensure_future(outcome)
                self._task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Future[Any]) -> None:
        self._task = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("an async handler failed; it is served the next frame", exc_info=error)
        self._run_next()


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # outside of any loop
        return None
