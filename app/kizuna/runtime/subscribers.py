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
        self._deliveries: list[_Delivery[Item]] = []

    def add(self, handler: Handler[Item]) -> Callable[[], None]:
        """Call ``handler`` with every item from now on; returns the unsubscribe."""
        delivery = _Delivery(handler)
        self._deliveries.append(delivery)

        def unsubscribe() -> None:
            delivery.cancel()
            if delivery in self._deliveries:
                self._deliveries.remove(delivery)

        return unsubscribe

    def tell(self, item: Item) -> None:
        """Hand ``item`` to all."""
        for delivery in tuple(self._deliveries):
            delivery.tell(item)

    def drop_waiting(self) -> None:
        """Forget what async handlers have not come to, and stop those that are at work."""
        for delivery in self._deliveries:
            delivery.drop_waiting()


class _Delivery(Generic[Item]):
    """Responsible for one handler. What an async handler has not come to yet waits, so that items never interleave;
    a task lives only while the handler is at work."""

    def __init__(self, handler: Handler[Item]) -> None:
        self._handler = handler
        self._waiting: deque[Item] = deque()
        self._work: asyncio.Future[Any] | None = None
        self._active = True

    def cancel(self) -> None:
        self._active = False
        self.drop_waiting()

    def drop_waiting(self) -> None:
        self._waiting.clear()
        if self._work is not None and self._work is not _current_task():
            self._work.cancel()

    def tell(self, item: Item) -> None:
        if self._active:
            self._waiting.append(item)
            self._serve()

    def _serve(self) -> None:
        while self._waiting and self._work is None:
            try:
                outcome = self._handler(self._waiting.popleft())
            except Exception:
                logger.exception("a handler failed; the others go on")
                continue
            if inspect.isawaitable(outcome):
                self._work = asyncio.ensure_future(outcome)
                self._work.add_done_callback(self._on_served)

    def _on_served(self, work: asyncio.Future[Any]) -> None:
        self._work = None
        error = None if work.cancelled() else work.exception()
        if error is not None:
            logger.error("an async handler failed; it is served the next frame", exc_info=error)
        self._serve()


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # outside of any loop
        return None
