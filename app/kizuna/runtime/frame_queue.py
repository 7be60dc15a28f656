"""The queue of a connection's unread frames, for ``async for``.

Frames wait from the first open on, so that none is lost before somebody reads: a loop, or a handler, which then gets
what waits. There is one queue and one reader at a time; a later loop goes on where the last one ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Generic

from kizuna.codec import Value
from kizuna.errors import ConnectionFailed, Overrun

logger = logging.getLogger("kizuna.frames")

#: Unread frames at which it is said once that nobody keeps up.
WARN_AT = 10_000
#: Unread frames from which on a socket that can pause lets the server wait, and at which it reads again.
PAUSE_AT, RESUME_AT = 1_000, 500


class FrameQueue(Generic[Value]):
    """The unread frames, and the loop that waits for the next one.

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
