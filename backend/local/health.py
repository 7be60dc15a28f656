"""The health check: the server is healthy when the store takes a write.

CONFIG  HEALTH    nothing but when it expires
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor

from backend.store.base import Store, StoreError

log = logging.getLogger(__name__)

# A write that takes longer has failed: a load balancer asks again after some seconds.
HEALTH_SECONDS = 2.0
# Earlier requests share the last write's answer, so that requests cannot keep the disk busy.
SHARED_SECONDS = 1.0
# The row has no content and may expire.
ROW_SECONDS = 60


class Health:
    """A check of whether ``store`` takes a write, in a thread of ``workers``, which handlers use too.

    ``monotonic`` (seconds) measures the age of an answer, ``wall`` gives epoch seconds.
    """

    def __init__(
        self,
        store: Store,
        workers: Executor,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._workers = workers
        self._monotonic = monotonic
        self._wall = wall
        self._writing: asyncio.Future[str] | None = None
        self._began = 0.0
        self._is_reported = False

    async def is_good(self) -> bool:
        """Return whether a write that began at most a second ago has succeeded, within 2 s. A failure is logged once.

        While one write is stuck no other begins, so that checks take one thread at most.
        """
        now = self._monotonic()
        if self._writing is None or (self._writing.done() and now - self._began >= SHARED_SECONDS):
            self._began, self._is_reported = now, False
            try:
                self._writing = asyncio.get_running_loop().run_in_executor(self._workers, self._write)
            except RuntimeError:  # the server ends, and its threads have gone
                return False
        try:
            problem = await asyncio.wait_for(asyncio.shield(self._writing), HEALTH_SECONDS)
        except TimeoutError:
            problem = f"a write has taken more than {HEALTH_SECONDS:g} s"
        if problem and not self._is_reported:
            self._is_reported = True
            log.error("unhealthy: %s", problem)
        return not problem

    def _write(self) -> str:
        """Write a row; return why that failed, empty if it did not."""
        try:
            self._store.put({"pk": "CONFIG", "sk": "HEALTH", "expiresAt": int(self._wall()) + ROW_SECONDS})
        except StoreError as error:
            return f"{type(error).__name__} {error}"
        return ""
