"""The frame stream: frames as an async iterator."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic

from kizuna.codec import Value
from kizuna.runtime.subscribers import Handler


class FrameStream(Generic[Value]):
    """A queue of at most ``limit`` unread frames for one reader.

    When it is full the oldest frame is dropped and counted in :attr:`dropped`. It ends when the service is
    disconnected, or by ``close()``.
    """

    def __init__(self, subscribe: Callable[[Handler[Value]], Callable[[], None]], limit: int) -> None:
        self._unread: deque[Value] = deque()
        self._limit = limit
        self._changed = asyncio.Event()
        self.is_closed = False
        self.dropped = 0  #: frames that the reader was too slow for
        self._unsubscribe = subscribe(self._append)

    def close(self) -> None:
        """Accept no further frame; unread ones can still be read."""
        self.is_closed = True
        self._unsubscribe()
        self._changed.set()

    def __aiter__(self) -> FrameStream[Value]:
        return self

    async def __anext__(self) -> Value:
        while not self._unread:
            if self.is_closed:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._unread.popleft()

    def _append(self, frame: Value) -> None:
        if len(self._unread) >= self._limit:
            self._unread.popleft()
            self.dropped += 1
        self._unread.append(frame)
        self._changed.set()
