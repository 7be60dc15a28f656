"""The handlers of frames, sync or async: each gets all frames in order, and its errors affect no other."""

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
    """The handlers of one kind of item. An error in a handler is logged."""

    def __init__(self) -> None:
        self._queues: list[_HandlerQueue[Item]] = []

    def add(self, handler: Handler[Item]) -> Callable[[], None]:
        """Call ``handler`` with every item from now on; return the unsubscribe function."""
        queue = _HandlerQueue(handler)
        self._queues.append(queue)

        def unsubscribe() -> None:
            queue.cancel()
            if queue in self._queues:
                self._queues.remove(queue)

        return unsubscribe

    def deliver(self, item: Item) -> None:
        """Pass ``item`` to all handlers."""
        for queue in tuple(self._queues):
            queue.deliver(item)

    def discard_pending(self) -> None:
        """Drop the items that async handlers have not started on, and cancel those that are running."""
        for queue in self._queues:
            queue.discard_pending()


class _HandlerQueue(Generic[Item]):
    """One handler and the items that wait for it: an async handler gets the next item when it is done with the last."""

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
                logger.exception("error in a handler")
                continue
            if outcome is not None and inspect.isawaitable(outcome):
                self._task = asyncio.ensure_future(outcome)
                self._task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Future[Any]) -> None:
        self._task = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("error in an async handler", exc_info=error)
        self._run_next()


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # outside of any loop
        return None
