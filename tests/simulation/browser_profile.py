"""The data that a browser keeps for its pages: settings, tables and locks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from kizuna.testing import MemoryLocks, MemoryStorage
from tests.chat.session_harness import MemorySettings
from tests.simulation.loop import OUTSIDE, Lifetime, StepLoop

T = TypeVar("T")


class BrowserProfile:
    """The data that all pages of one browser share."""

    def __init__(self) -> None:
        self.settings = MemorySettings()
        self.storage = MemoryStorage()
        self.held: dict[str, object] = {}
        self.was_broken = False  #: the tables could not be read or written, at least for some time

    def rows(self, table: str) -> dict[str, str]:
        """Return the committed rows of a table."""
        return self.storage.tables.get(table, {})

    @property
    def drafts(self) -> set[str]:
        """The ids of messages that are kept and not stored yet."""
        return {key.split("/")[-1] for key in self.settings.names("kizuna.unstored.")}


class PageStorage:
    """One page's access to its browser's tables.

    The browser does the work, so a write that was requested just before the page ended is committed as a whole, or not
    at all (after ``drop()``).
    """

    def __init__(self, loop: StepLoop, browser: BrowserProfile, lifetime: Lifetime) -> None:
        self._loop = loop
        self._storage = browser.storage
        self._life = lifetime
        self._work: set[asyncio.Task[Any]] = set()

    def drop(self) -> None:
        """Cancel everything that is not committed yet."""
        for task in self._work:
            task.cancel()

    async def read(self, table: str, prefix: str = "") -> dict[str, str]:
        return await self._submit(self._storage.read(table, prefix))

    async def keys(self, table: str, prefix: str = "") -> list[str]:
        return await self._submit(self._storage.keys(table, prefix))

    async def write(self, table: str, puts: Mapping[str, str], deletes: Iterable[str] = ()) -> None:
        await self._submit(self._storage.write(table, dict(puts), tuple(deletes)))

    async def change(self, table: str, key: str, change: Callable[[str | None], str | None]) -> str | None:
        """Replace a row by what ``change`` makes of it; without effect once the page has ended."""
        return await self._submit(
            self._storage.change(table, key, lambda text: text if self._life.is_over else change(text))
        )

    async def _submit(self, work: Coroutine[Any, Any, T]) -> T:
        task = self._loop.create_task(work, context=OUTSIDE.copy())
        self._work.add(task)
        task.add_done_callback(self._work.discard, context=OUTSIDE.copy())
        result: T = await asyncio.shield(task)
        return result


class PageLocks(MemoryLocks):
    """One page's locks: released while the page is in the back/forward cache, taken again when it returns."""

    def __init__(self, held: dict[str, object]) -> None:
        super().__init__(held)
        self._mine: dict[str, object] = {}

    async def try_lock(self, name: str) -> Callable[[], None] | None:
        """Take the lock if it is free."""
        release = await super().try_lock(name)
        if release is None:
            return None
        grant = self._mine[name] = self.held[name]

        def give_back() -> None:
            if self._mine.get(name) is grant:
                del self._mine[name]
                release()

        return give_back

    def take_again(self) -> None:
        """Take back the page's locks that are free; call it again for those that are not."""
        for name, grant in self._mine.items():
            self.held.setdefault(name, grant)
