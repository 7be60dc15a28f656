"""Copies of a SQLite store, made with SQLite's own backup: consistent, whatever is written meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from backend.store.base import Conflict, StoreUnavailable
from backend.store.sqlite import check_owner, connect, translated


def take(source: Path, target: Path) -> None:
    """Copy the store in ``source`` into the new file ``target``: one file, readable only by its owner, complete or not
    there.

    Raises StoreUnavailable, naming the file, if ``source`` is no Kizuna database or damaged, or if ``target`` exists
    or cannot be written.
    """
    check(source)
    if target.exists():
        raise StoreUnavailable(f"{target} exists already; choose another name")
    with folder_beside(target) as folder:
        draft = folder / target.name
        copy(source, draft)
        _make_one_file(draft)
        check(draft)
        draft.chmod(0o600)  # it holds the secret that signs tokens
        with _writing(target):
            draft.replace(target)
            _sync(target.parent)


def copy(source: Path, target: Path) -> None:
    """Make ``target`` hold what the store in ``source`` holds, in one transaction.

    Raises StoreUnavailable if ``target`` holds something that is not Kizuna's, Conflict if it stays locked.
    """
    with _opened(target) as connection:
        check_owner(target, connection)
    with _reading(source) as reader, _opened(target) as writer:
        reader.backup(writer, progress=lambda status, _, __: _refuse_locked(target, status))


def check(path: Path) -> None:
    """Raise StoreUnavailable unless there is a whole Kizuna database at ``path``."""
    with _reading(path) as connection:
        if not check_owner(path, connection):
            raise StoreUnavailable(f"{path} is empty: no Kizuna database")
        ((verdict,), *_) = connection.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise StoreUnavailable(f"{path} is damaged: {' '.join(verdict.split())}")


@contextlib.contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """Make a temporary folder on the same disk as ``path``; it is removed with its content."""
    with _writing(path):
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise StoreUnavailable(f"there is no file {path}")
    with _opened(path) as connection:
        yield connection


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with translated(path), contextlib.closing(connect(path)) as connection:
        yield connection


def _refuse_locked(path: Path, status: int) -> None:
    """Give up after the timeout of one step: sqlite3 itself would try without end."""
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise Conflict(f"{path} is locked by another process")


def _make_one_file(path: Path) -> None:
    """Turn WAL off in an unused copy, so that it can be read from anywhere. A server turns it on again."""
    with _opened(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"cannot write {path}: {error.strerror or error}") from None


def _sync(folder: Path) -> None:
    """Let a new name survive a power loss."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
