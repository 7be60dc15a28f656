"""The handlers of frames, sync or async: each gets all frames in order, and its errors affect no other."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from kizuna.runtime.error_reports import Report

Item = TypeVar("Item")
Handler = Callable[[Item], Awaitable[object] | object]
CallSoon = Callable[[Callable[[], None]], None]
Received = TypeVar("Received", contravariant=True)


class Receiver(Protocol[Received]):
    """What gets every item."""

    def deliver(self, item: Received, /) -> None:
        """Take an item."""

    def discard_pending(self) -> None:
        """Drop the items that are not begun."""


class Subscribers(Generic[Item]):
    """The handlers of one kind of item.

    Args:
        report: Takes the error of a handler, which affects no other.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._queues: list[Receiver[Item]] = []

    def attach(self, receiver: Receiver[Item]) -> None:
        """Deliver to ``receiver`` as well, from now on. May be called twice."""
        if receiver not in self._queues:
            self._queues.append(receiver)

    def detach(self, receiver: Receiver[Item]) -> bool:
        """Deliver to ``receiver`` no more; return whether it was attached."""
        is_attached = receiver in self._queues
        if is_attached:
            self._queues.remove(receiver)
        return is_attached

    def add(
        self, handler: Handler[Item], waiting: Sequence[Item] = (), call_soon: CallSoon | None = None
    ) -> Callable[[], None]:
        """Call ``handler`` with every item from now on; return the unsubscribe function.

        Args:
            handler: Sync or async.
            waiting: Items that it gets before, by a call that ``call_soon`` makes.
            call_soon: Calls a function soon.
        """
        queue = _HandlerQueue(handler, waiting, self._report)
        if waiting and call_soon is not None:
            call_soon(queue.begin)
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

    def __init__(self, handler: Handler[Item], waiting: Sequence[Item], report: Report) -> None:
        self._report = report
        self._handler = handler
        self._waiting: deque[Item] = deque(waiting)
        self._task: asyncio.Future[Any] | None = None
        self._active = True

    def begin(self) -> None:
        """Begin with the items that waited already."""
        if self._active:
            self._run_next()

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
            except Exception as error:  # noqa: BLE001 - the user's function may raise anything
                self._report("error in a handler", error)
                continue
            if outcome is not None and inspect.isawaitable(outcome):
                self._task = asyncio.ensure_future(outcome)
                self._task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Future[Any]) -> None:
        self._task = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._report("error in an async handler", error)
        self._run_next()


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # outside of any loop
        return None
