"""A storage that falls back to memory when the platform's storage fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from kizuna.errors import StorageFailed
from kizuna.platform import Storage

logger = logging.getLogger("kizuna.storage")


class FallbackStorage:
    """A storage that keeps in memory what ``storage`` rejects, until the page closes.

    Args:
        storage: The platform's storage.
        on_failure: Called when a row is in memory only, since it is lost when the page closes.
    """

    def __init__(self, storage: Storage, on_failure: Callable[[], None] = lambda: None) -> None:
        self._storage = storage
        self._on_failure = on_failure
        self._is_failing = False
        # None: deleted, though the storage may still have it.
        self._memory: dict[tuple[str, str], str | None] = {}

    async def read(self, table: str, prefix: str = "") -> dict[str, str]:
        """Return the rows whose keys begin with ``prefix``, sorted by key."""
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
        """Return the keys that begin with ``prefix``, sorted."""
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
        """Replace one row by ``change(row)``, and return the row as it was before.

        Raises:
            StorageFailed: The row is in the platform's storage, which failed.
        """
        place = (table, key)
        if place not in self._memory:
            return await self._storage.change(table, key, change)
        before = self._memory[place]
        self._memory[place] = change(before)
        return before

    def _warn_once(self, table: str, error: StorageFailed) -> None:
        """Warn once for each period of failure: the storage is used every few seconds."""
        if not self._is_failing:
            self._is_failing = True
            logger.warning("%s: storage failed, using memory until it works again: %s", table, error)

    def _write_to_memory(self, table: str, rows: Mapping[str, str | None], error: StorageFailed) -> None:
        self._warn_once(table, error)
        for key, text in rows.items():
            self._memory[(table, key)] = text
        if any(text is not None for text in rows.values()):
            self._on_failure()
