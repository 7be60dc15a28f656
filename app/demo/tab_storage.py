"""Tables in the settings of a tab: they outlive a reload, and are gone when the tab is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from kizuna import ListedSettings


class TabStorage:
    """A Storage whose rows are settings. No other page shares them."""

    def __init__(self, settings: ListedSettings) -> None:
        self._settings = settings

    async def read(self, table: str, prefix: str = "") -> dict[str, str]:
        """Return the rows whose keys begin with ``prefix``, sorted by key."""
        rows = {key: self._settings.get(f"{table}/{key}") for key in await self.keys(table, prefix)}
        return {key: row for key, row in rows.items() if row is not None}

    async def keys(self, table: str, prefix: str = "") -> list[str]:
        """Return the keys that begin with ``prefix``, sorted."""
        return sorted(prefix + rest for rest in self._settings.names(f"{table}/{prefix}"))

    async def write(self, table: str, puts: Mapping[str, str], deletes: Iterable[str] = ()) -> None:
        """Write and delete rows."""
        for key in deletes:
            self._settings.delete(f"{table}/{key}")
        for key, row in puts.items():
            self._settings.set(f"{table}/{key}", row)

    async def change(self, table: str, key: str, change: Callable[[str | None], str | None]) -> str | None:
        """Replace one row by ``change(row)``, and return the row as it was before."""
        before = self._settings.get(f"{table}/{key}")
        after = change(before)
        if after is None:
            self._settings.delete(f"{table}/{key}")
        else:
            self._settings.set(f"{table}/{key}", after)
        return before
