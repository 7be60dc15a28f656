"""The wait for what an earlier page stored: messages typed meanwhile wait for it, the connection only for a while."""

from __future__ import annotations

import asyncio

from kizuna import Platform

#: Seconds that the connection waits at most for stored data: a busy browser takes long to answer.
RESTORE_TIMEOUT = 5.0


class RestoreWait:
    """One wait, from joining until the stored data is loaded. It begins when it is made."""

    def __init__(self, platform: Platform) -> None:
        self._restored = asyncio.Event()
        self._may_connect = asyncio.Event()
        self._timer = platform.call_at(platform.now().monotonic + RESTORE_TIMEOUT, self._may_connect.set)

    async def restored(self) -> None:
        """Return when the stored data is loaded, however long that takes."""
        await self._restored.wait()

    async def may_connect(self) -> None:
        """Return when the stored data is loaded, or RESTORE_TIMEOUT is over."""
        await self._may_connect.wait()

    def end(self) -> None:
        """Note that the stored data is loaded, or never will be."""
        self._timer.cancel()
        self._restored.set()
        self._may_connect.set()

    def cancel(self) -> None:
        """Set no timer off any longer: the person left."""
        self._timer.cancel()
