"""The handlers and loops of the application that get frames, and reports of their errors."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from kizuna.codec import Value
from kizuna.errors import ConnectionFailed, Overrun
from kizuna.platform import Instant

logger = logging.getLogger("kizuna.subscribers")

#: Takes where an error happened, in words, and the error.
Report: TypeAlias = Callable[[str, BaseException], None]

#: Seconds between two counts.
INTERVAL = 1.0
#: Places of errors that are told apart.
MAX_PLACES = 100
#: Errors whose texts name only what the program itself is written with.
_HARMLESS = (NameError, AttributeError, TypeError, ImportError)


class WithoutText(Exception):
    """An error in a function that handles secrets, with its traceback but without its text."""


def without_secrets(error: Exception) -> Exception:
    """Return an error with the traceback of ``error``, and with its text only where that cannot hold a secret."""
    text = f": {error}" if isinstance(error, _HARMLESS) else ""
    return WithoutText(f"{type(error).__name__}{text}").with_traceback(error.__traceback__)


class ErrorReports:
    """The reports of errors in the functions of a user, for one connection.

    They go to the event loop's exception handler: the first error of a place in full, then a count, once a second.

    Args:
        now: Returns the current moment.
    """

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self._places: set[tuple[object, ...]] = set()
        self._count = 0
        self._last = ""
        self._counted_at = -INTERVAL

    def report(self, where: str, error: BaseException) -> None:
        """Report that ``error`` was raised, in words such as "error in a handler"."""
        place = (where, type(error), *_place_of(error))
        self._last = f"{where}: {type(error).__name__}"
        if place not in self._places and len(self._places) < MAX_PLACES:
            self._places.add(place)
            _call_exception_handler(where, error)
            return
        self._count += 1
        now = self._now().monotonic
        if now - self._counted_at >= INTERVAL:
            self._counted_at = now
            self.flush()

    def flush(self) -> None:
        """Report the count of the errors since the last report."""
        if self._count:
            count, self._count = self._count, 0
            _call_exception_handler(f"{count:,} more errors like those before, the last: {self._last}", None)


def _place_of(error: BaseException) -> tuple[object, ...]:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return () if traceback is None else (traceback.tb_frame.f_code, traceback.tb_lineno)


def _call_exception_handler(message: str, error: BaseException | None) -> None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # called outside of any loop
        logger.error("%s", message, exc_info=error)
        return
    loop.call_exception_handler({"message": message, **({} if error is None else {"exception": error})})


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

        ``waiting``: items that it gets before, by a call that ``call_soon`` makes.
        """
        if not callable(handler):
            raise TypeError(f"a handler must be a function that takes one argument, not {handler!r}")
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


#: Unread frames at which it is said once that nobody keeps up.
WARN_AT = 10_000
#: Unread frames from which on a socket that can pause lets the server wait, and at which it reads again.
PAUSE_AT, RESUME_AT = 1_000, 500


class FrameQueue(Generic[Value]):
    """The unread frames of a connection, and the loop that waits for the next one.

    Frames wait from the first open on, so that none is lost before a loop, or a handler, reads. A later loop goes on
    where the last one ended.

    Args:
        set_reading: Called with False when the reader is far behind, perhaps often, and with True when it is not.
    """

    def __init__(self, set_reading: Callable[[bool], None]) -> None:
        self.limit: int | None = None  #: unread frames that are kept; None: all
        self._set_reading = set_reading
        self._unread: deque[Value] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._is_ended = False
        self._failure: ConnectionFailed | None = None
        self._overrun: Overrun | None = None
        self._has_warned = False

    def deliver(self, frame: Value) -> None:
        """Add a frame."""
        if self._overrun is not None:
            return
        self._unread.append(frame)
        count = len(self._unread)
        if self.limit is not None and count > self.limit:
            self._overrun = Overrun(self.limit)
            self._unread.clear()
            self._set_reading(True)
        elif count >= PAUSE_AT:
            self._set_reading(False)
            if count >= WARN_AT and not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "%s frames are unread: read them with `async for frame in connection` or on_message(), "
                    "or bound them with frames(limit=...)",
                    f"{count:,}",
                )
        self._wake()

    def discard_pending(self) -> None:
        """Keep the unread frames: a loop may still read them after ``disconnect()``."""

    def begin(self) -> None:
        """Let a loop wait for frames (again)."""
        self._is_ended, self._failure = False, None

    def end(self, failure: ConnectionFailed | None) -> None:
        """End the loop after the unread frames, or raise ``failure`` there."""
        self._is_ended, self._failure = True, failure
        self._wake()

    def take_all(self) -> list[Value]:
        """Remove and return the unread frames."""
        frames = list(self._unread)
        self._unread.clear()
        self._set_reading(True)
        return frames

    async def next(self) -> Value:
        """Remove and return the next frame; wait for it.

        Raises:
            StopAsyncIteration: The connection is closed.
            ConnectionFailed: The server wants no further attempt.
            Overrun: More frames were unread than may be; they are dropped.
            RuntimeError: Another loop waits for frames.
        """
        if self._waiter is not None:
            raise RuntimeError("another loop reads this connection's frames: there can be one at a time")
        while not self._unread:
            if self._overrun is not None:
                overrun, self._overrun = self._overrun, None
                raise overrun
            if self._failure is not None:
                raise self._failure
            if self._is_ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        frame = self._unread.popleft()
        if len(self._unread) == RESUME_AT:
            self._set_reading(True)
        return frame

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class FrameStream(Generic[Value]):
    """One loop over the frames of a connection.

    Args:
        queue: The connection's queue.
    """

    def __init__(self, queue: FrameQueue[Value]) -> None:
        self._queue = queue

    def __aiter__(self) -> FrameStream[Value]:
        return self

    async def __anext__(self) -> Value:
        return await self._queue.next()
