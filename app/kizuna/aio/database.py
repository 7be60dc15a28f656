"""The SQLite storage: tables of texts in one file, which outlive the process and are shared by all that open it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kizuna.errors import StorageFailed

Result = TypeVar("Result")

#: Seconds to wait for the transaction of another process.
BUSY_TIMEOUT = 10.0
#: The last character, as SQLite compares: no key begins with it.
_LAST = "\U0010ffff"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS kizuna ("table" TEXT, key TEXT, text TEXT, PRIMARY KEY ("table", key)) WITHOUT ROWID
"""
_WITHIN = 'FROM kizuna WHERE "table" = ? AND key BETWEEN ? AND ? ORDER BY key'


class SqliteStorage:
    """The :class:`kizuna.platform.Storage` of CPython: one file of SQLite, opened at the first call.

    Every call is one transaction, committed to the disk, in a thread of its own; so is what ``change()`` is given.

    Args:
        path: The file, in a folder of this machine that exists. It is made when it is missing, with two beside it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._thread: ThreadPoolExecutor | None = None  # one thread: calls happen in the order made
        self._connection: sqlite3.Connection | None = None

    async def read(self, table: str, prefix: str = "") -> dict[str, str]:
        """Return the rows whose keys begin with ``prefix``, sorted by key."""
        return await self._run(
            lambda database: dict(
                database.execute(f"SELECT key, text {_WITHIN}", (table, prefix, prefix + _LAST))
            )
        )

    async def keys(self, table: str, prefix: str = "") -> list[str]:
        """Return the keys that begin with ``prefix``, sorted."""
        return await self._run(
            lambda database: [
                key for (key,) in database.execute(f"SELECT key {_WITHIN}", (table, prefix, prefix + _LAST))
            ]
        )

    async def write(self, table: str, puts: Mapping[str, str], deletes: Iterable[str] = ()) -> None:
        """Write and delete rows, all or none."""
        gone = [(table, key) for key in deletes]
        rows = [(table, key, text) for key, text in puts.items()]

        def write(database: sqlite3.Connection) -> None:
            with _transaction(database):
                database.executemany('DELETE FROM kizuna WHERE "table" = ? AND key = ?', gone)
                database.executemany("REPLACE INTO kizuna VALUES (?, ?, ?)", rows)

        await self._run(write)

    async def change(self, table: str, key: str, change: Callable[[str | None], str | None]) -> str | None:
        """Replace one row by ``change(row)``, and return the row as it was before.

        What ``change`` raises reaches the caller, and nothing is changed.
        """

        def replace(database: sqlite3.Connection) -> str | None:
            with _transaction(database):
                place = (table, key)
                found = database.execute('SELECT text FROM kizuna WHERE "table" = ? AND key = ?', place)
                before: str | None = next(iter(found), (None,))[0]
                after = change(before)
                if after is None:
                    database.execute('DELETE FROM kizuna WHERE "table" = ? AND key = ?', place)
                else:
                    database.execute("REPLACE INTO kizuna VALUES (?, ?, ?)", (*place, after))
            return before

        return await self._run(replace)

    def close(self) -> None:
        """Close the file once the calls so far are over. The next call opens it again."""
        if self._thread is not None:
            self._thread.submit(self._close)
            self._thread.shutdown()
            self._thread = None

    async def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Return what ``work`` returns in the thread."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="kizuna storage")

        def run() -> Result:
            try:
                return work(self._open())
            except (sqlite3.Error, UnicodeEncodeError) as error:  # a lone surrogate is no text for SQLite
                raise StorageFailed(f"{self._path}: {error}") from None

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            database = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT, isolation_level=None)
            try:
                database.execute(_SCHEMA)
                # Another process that opens it at the same time may be in the way: then the next one does it.
                with contextlib.suppress(sqlite3.OperationalError):
                    database.execute("PRAGMA journal_mode = WAL")
            except BaseException:
                database.close()
                raise
            self._connection = database
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Write alone among all processes, and commit, or undo what was written."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # SQLite itself has undone it when the disk is full
            database.execute("ROLLBACK")
        raise
