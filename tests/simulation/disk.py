"""What a browser keeps for its pages: settings, tables and locks, which outlive each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from kizuna.testing import MemoryLocks, MemoryStorage
from tests.chat.stage import MemorySettings
from tests.simulation.loop import OUTSIDE, Life, StepLoop

T = TypeVar("T")


class Browser:
    """Responsible for what all pages of one browser share."""

    def __init__(self) -> None:
        self.settings = MemorySettings()
        self.storage = MemoryStorage()
        self.held: dict[str, object] = {}
        self.was_broken = False  #: the tables could not be read or written, at least for a while

    def rows(self, table: str) -> dict[str, str]:
        """What is committed in a table."""
        return self.storage.tables.get(table, {})


class PageStorage:
    """Responsible for one page's access to its browser's tables.

    The browser does the work, not the page: what a page asked for just before it died is committed all the same, or
    is not (``drop()``), but never by half.
    """

    def __init__(self, loop: StepLoop, browser: Browser, life: Life) -> None:
        self._loop = loop
        self._storage = browser.storage
        self._life = life
        self._work: set[asyncio.Task[Any]] = set()

    def drop(self) -> None:
        """What is not committed yet never will be."""
        for task in self._work:
            task.cancel()

    async def read(self, table: str, prefix: str = "") -> dict[str, str]:
        return await self._submit(self._storage.read(table, prefix))

    async def keys(self, table: str, prefix: str = "") -> list[str]:
        return await self._submit(self._storage.keys(table, prefix))

    async def write(self, table: str, puts: Mapping[str, str], deletes: Iterable[str] = ()) -> None:
        await self._submit(self._storage.write(table, dict(puts), tuple(deletes)))

    async def change(self, table: str, key: str, change: Callable[[str | None], str | None]) -> str | None:
        """Put what ``change`` makes of a row in its place: the page's own code, so a dead page changes nothing."""
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
    """Responsible for one page's locks among those of its browser: free while the page is put aside for going back,
    taken again when it returns."""

    def __init__(self, held: dict[str, object]) -> None:
        super().__init__(held)
        self._mine: dict[str, object] = {}

    async def try_lock(self, name: str) -> Callable[[], None] | None:
        """Hold the lock if nobody does."""
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
        """The page is back: it waits for its locks, which others hold for moments only. Called again and again."""
        for name, grant in self._mine.items():
            self.held.setdefault(name, grant)
