"""Handlers of frames: plain or async, each served in order, none able to stop another."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

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


class _Delivery(Generic[Item]):
    """Responsible for one handler. What an async handler has not come to yet waits, so that items never interleave;
    its task lives only while something waits."""

    def __init__(self, handler: Handler[Item]) -> None:
        self._handler = handler
        self._waiting: deque[Item] = deque()
        self._is_async = inspect.iscoroutinefunction(handler)
        self._task: asyncio.Task[None] | None = None
        self._active = True

    def cancel(self) -> None:
        self._active = False
        self._waiting.clear()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def tell(self, item: Item) -> None:
        if not self._active:
            return
        if self._is_async:
            self._waiting.append(item)
            if self._task is None:
                self._task = asyncio.get_running_loop().create_task(self._drain())
            return
        try:
            self._handler(item)
        except Exception:
            logger.exception("a handler failed; the others go on")

    async def _drain(self) -> None:
        try:
            while self._waiting:
                try:
                    outcome = self._handler(self._waiting.popleft())
                    if inspect.isawaitable(outcome):
                        await outcome
                except Exception:
                    logger.exception("an async handler failed; it is served the next frame")
        finally:
            self._task = None
