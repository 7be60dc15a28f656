"""The backend's SQLite store on a temporary file, without waiting for the disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from backend.store.base import Item
from backend.store.sqlite import SqliteStore


class TemporaryStore(SqliteStore):
    """A SQLite store whose file is deleted with it. ``clock``: returns epoch seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._folder = tempfile.mkdtemp()
        super().__init__(Path(self._folder) / "store.sqlite3", clock=clock)
        self._writer.execute("PRAGMA synchronous = OFF")

    def items(self) -> list[Item]:
        """Return all items."""
        return [item for pk in self.partitions("") for item in SqliteStore.query(self, pk)]

    def replace_all(self, items: list[Item]) -> None:
        for item in self.items():
            self.delete(item["pk"], item["sk"])
        for item in items:
            self.put(item)

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __del__(self) -> None:
        self.close()
