"""Storage, settings and locks of one process, for programs that need not outlive it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping


class MemoryStorage:
    """Tables in memory. They end with the process."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, str]] = {}

    async def read(self, table: str, prefix: str = "") -> dict[str, str]:
        """Return the rows whose keys begin with ``prefix``, sorted by key."""
        rows = self.tables.get(table, {})
        return {key: rows[key] for key in sorted(rows) if key.startswith(prefix)}

    async def keys(self, table: str, prefix: str = "") -> list[str]:
        """Return the keys that begin with ``prefix``, sorted."""
        return list(await self.read(table, prefix))

    async def write(self, table: str, puts: Mapping[str, str], deletes: Iterable[str] = ()) -> None:
        """Write and delete rows."""
        rows = self.tables.setdefault(table, {})
        for key in deletes:
            rows.pop(key, None)
        rows.update(puts)

    async def change(self, table: str, key: str, change: Callable[[str | None], str | None]) -> str | None:
        """Replace one row by ``change(row)``, and return the row as it was before."""
        rows = self.tables.setdefault(table, {})
        before = rows.pop(key, None)
        after = change(before)
        if after is not None:
            rows[key] = after
        return before


class MemorySettings:
    """Settings in memory. They end with the process."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        """Return the last value of ``key``, or None."""
        return self._values.get(key)

    def set(self, key: str, value: str) -> None:
        """Store ``value``."""
        self._values[key] = value

    def delete(self, key: str) -> None:
        """Delete ``key``."""
        self._values.pop(key, None)

    def names(self, prefix: str) -> list[str]:
        """Return, for each key that begins with ``prefix``, the rest of the key."""
        return [key.removeprefix(prefix) for key in self._values if key.startswith(prefix)]


class NoLocks:
    """Locks where nobody competes: each one is granted."""

    interruptions = 0

    async def try_lock(self, name: str) -> Callable[[], None] | None:
        """Grant the lock, and return a function that does nothing."""
        return lambda: None
