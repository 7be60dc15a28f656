"""A storage that goes on when the platform's fails: in memory, for as long as the page lives."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from kizuna.errors import StorageFailed
from kizuna.platform import Storage

logger = logging.getLogger("kizuna.storage")


class FallbackStorage:
    """Responsible for going on: what ``storage`` does not take is kept here, and is read back as if it had.

    ``on_failure`` is called when only memory keeps a row: it ends with the page, and the person should know.
    """

    def __init__(self, storage: Storage, on_failure: Callable[[], None] = lambda: None) -> None:
        self._storage = storage
        self._on_failure = on_failure
        self._is_failing = False
        self._memory: dict[
            tuple[str, str], str | None
        ] = {}  # None: deleted, though the storage may still have it

    async def read(self, table: str, prefix: str = "") -> dict[str, str]:
        """The rows whose keys begin so, in the order of their keys."""
        try:
            rows = await self._storage.read(table, prefix)
        except StorageFailed as error:
            self._warn_once(table, error)
            rows = {}
        else:
            self._is_failing = False
        for (of, key), text in self._memory.items():
            if of == table and key.startswith(prefix):
                rows.pop(key, None)
                if text is not None:
                    rows[key] = text
        return {key: rows[key] for key in sorted(rows)}

    async def keys(self, table: str, prefix: str = "") -> list[str]:
        """The keys that begin so, in order."""
        try:
            found = set(await self._storage.keys(table, prefix))
        except StorageFailed as error:
            self._warn_once(table, error)
            found = set()
        for (of, key), text in self._memory.items():
            if of == table and key.startswith(prefix):
                found.discard(key)
                if text is not None:
                    found.add(key)
        return sorted(found)

    async def write(self, table: str, puts: Mapping[str, str], deletes: Iterable[str] = ()) -> None:
        """Write and delete rows."""
        deletes = tuple(deletes)
        try:
            await self._storage.write(table, puts, deletes)
        except StorageFailed as error:
            self._write_to_memory(table, {**dict.fromkeys(deletes), **puts}, error)
        else:
            for key in (*puts, *deletes):
                self._memory.pop((table, key), None)

    async def change(self, table: str, key: str, change: Callable[[str | None], str | None]) -> str | None:
        """Put what ``change`` makes of a row in its place. Raises StorageFailed for one that only the
        platform has."""
        place = (table, key)
        if place not in self._memory:
            return await self._storage.change(table, key, change)
        before = self._memory[place]
        self._memory[place] = change(before)
        return before

    def _warn_once(self, table: str, error: StorageFailed) -> None:
        """Once for each time that it fails: it is asked every few seconds."""
        if not self._is_failing:
            self._is_failing = True
            logger.warning("%s: until it works again, rows are kept in memory alone: %s", table, error)

    def _write_to_memory(self, table: str, rows: Mapping[str, str | None], error: StorageFailed) -> None:
        self._warn_once(table, error)
        for key, text in rows.items():
            self._memory[(table, key)] = text
        if any(text is not None for text in rows.values()):
            self._on_failure()
