"""Named locks among the processes of one machine, by the locks that SQLite takes on files.

The operating system frees the locks of a process that ends, for whatever reason. SQLite knows how each system locks a
file, and that two threads of one process must exclude each other as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger("kizuna.locks")

#: Seconds to wait for another process that takes or frees a lock of the same folder: it takes milliseconds.
GUARD_TIMEOUT = 5.0


class FileLocks:
    """The :class:`kizuna.platform.Locks` of CPython: a file for each lock that is held.

    Where the folder cannot be used, every lock is granted, with one warning in the log.

    Args:
        folder: A folder of this machine for these files alone, made when it is missing. A lock that a killed process
            held leaves an empty file there.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.interruptions = 0  #: how often a lock was granted unchecked
        self._folder = Path(folder)

    async def try_lock(self, name: str) -> Callable[[], None] | None:
        """Take the lock, and return the function that frees it; None if another process, or this one, holds it."""
        try:
            lock = await asyncio.to_thread(_take, self._folder, name)
        except (sqlite3.Error, OSError) as error:
            if not self.interruptions:
                logger.warning("locks are granted unchecked: %s: %s", self._folder, error)
            self.interruptions += 1
            return lambda: None
        return None if lock is None else lock.free


class _Lock:
    """A lock that is held."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_held = True
        self._connection = _lock_file(path, 0.0)

    def free(self) -> None:
        """Delete the file and free the lock. May be called twice."""
        if not self._is_held:
            return
        self._is_held = False
        try:
            with _guard(self._path.parent):
                self._connection.close()
                self._path.unlink()
        except (sqlite3.Error, OSError) as error:
            logger.info("the file of a lock stays: %s", error)
        finally:
            self._connection.close()


def _take(folder: Path, name: str) -> _Lock | None:
    folder.mkdir(parents=True, exist_ok=True)
    with _guard(folder):
        try:
            return _Lock(folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            return None


def _guard(folder: Path) -> contextlib.closing[sqlite3.Connection]:
    """Exclude others while a lock is taken or freed: nobody opens a file that is about to be deleted."""
    return contextlib.closing(_lock_file(folder / "guard", GUARD_TIMEOUT))


def _lock_file(path: Path, timeout: float) -> sqlite3.Connection:
    """Lock a file, and return the connection that holds the lock until it is closed."""
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except BaseException:
        connection.close()
        raise
    return connection
