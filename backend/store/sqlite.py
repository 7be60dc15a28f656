"""The Store on one SQLite file: what ``make run`` uses, and enough for a small team.

Durability: WAL with ``synchronous=FULL``, so a transaction that returned survives kill -9 and power loss.
Concurrency: one writing connection behind a lock and ``BEGIN IMMEDIATE`` (a condition and its write are one step,
as in DynamoDB), and a pool of reading connections that never wait for the writer. One process at a time owns
the file (see :class:`Lock`): a second server would purge the first one's connection records. A tool may write
``beside`` the owner, or while there is none.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from backend.store.base import (
    Action,
    AttributeEquals,
    Check,
    Condition,
    ConditionFailed,
    Conflict,
    Delete,
    Exists,
    Item,
    Key,
    Put,
    StoreUnavailable,
    check_actions,
    check_keys,
    check_query,
)

SCHEMA_VERSION = 1
# "Kizu" in ASCII: tells a Kizuna file from another application's database.
APPLICATION_ID = 0x4B697A75
# How long a statement waits for a lock held by another process (a backup, the sqlite3 shell). Below the 5 s
# after which the page asks again.
BUSY_TIMEOUT_SECONDS = 4.0
# Rows deleted by one purge, so that it never holds the writer for long.
PURGE_ROWS = 1_000
# WAL left on disk after a checkpoint; SQLite otherwise never shrinks it.
JOURNAL_BYTES = 16 * 1024 * 1024

_SCHEMA = """
CREATE TABLE items (
    pk TEXT NOT NULL,
    sk TEXT NOT NULL,
    attributes TEXT NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (pk, sk)
) WITHOUT ROWID;
CREATE INDEX items_by_expiry ON items (expires_at) WHERE expires_at IS NOT NULL;
"""
_GET = """
SELECT pk, sk, attributes, expires_at FROM items
WHERE pk = ? AND sk = ? AND (expires_at IS NULL OR expires_at > ?)
"""
_QUERY = """
SELECT pk, sk, attributes, expires_at FROM items
WHERE pk = ? AND sk >= ? AND sk < ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY sk LIMIT ?
"""
_QUERY_BACK = _QUERY.replace("ORDER BY sk", "ORDER BY sk DESC")
_PARTITIONS = "SELECT DISTINCT pk FROM items WHERE pk >= ? AND pk < ?"
_PUT = "INSERT OR REPLACE INTO items (pk, sk, attributes, expires_at) VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM items WHERE pk = ? AND sk = ?"
_PURGE = "DELETE FROM items WHERE (pk, sk) IN (SELECT pk, sk FROM items WHERE expires_at <= ? LIMIT ?)"
# SQLite sorts every BLOB after every TEXT.
_AFTER_ALL_TEXT = b""
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class SqliteStore:
    """The items in one SQLite file, created with its folder if absent.

    ``clock`` gives epoch seconds and decides what is expired. Raises StoreUnavailable, in words that name the
    path, for a folder that cannot be written, a file that is no Kizuna database, a newer schema, or a file that
    another server uses. ``beside``: another process may own the file, which must exist.
    """

    def __init__(
        self, path: str | Path, *, clock: Callable[[], float] = time.time, beside: bool = False
    ) -> None:
        self.path = Path(path)
        self._clock = clock
        self._write_lock = threading.Lock()
        self._readers: list[sqlite3.Connection] = []
        self._readers_lock = threading.Lock()
        self._closed = False
        if beside:
            check_is_used(self.path)
        else:
            make_file(self.path)
        self._owner = None if beside else Lock(self.path)
        try:
            self._writer = _open(self.path)
        except BaseException:
            self._release()
            raise

    # --- reading ---

    def get(self, pk: str, sk: str) -> Item | None:
        """Return the item at a key, or None."""
        return self.get_many([Key(pk, sk)]).get(Key(pk, sk))

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Return the existing ones of at most 100 items."""
        wanted = list(keys)
        check_keys(wanted)
        found = {}
        with self._reader() as reader:
            for key in wanted:
                if (item := self._find(reader, key)) is not None:
                    found[key] = item
        return found

    def query(
        self,
        pk: str,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> list[Item]:
        """Return the items of a partition in order of their sort keys; see :class:`backend.store.base.Store`."""
        check_query(prefix, after, before, limit)
        low = prefix if after is None else after + "\0"  # nothing sorts between a text and itself with a NUL
        high = end_of_prefix(prefix) if before is None else before
        bounds = (pk, low, _AFTER_ALL_TEXT if high is None else high)
        most = -1 if limit is None else limit
        with self._reader() as reader:
            rows = reader.execute(_QUERY_BACK if reverse else _QUERY, (*bounds, self._now(), most)).fetchall()
        return [_to_item(*row) for row in rows]

    def partitions(self, prefix: str) -> list[str]:
        """Return the partition keys that begin with ``prefix``. Not in the protocol: DynamoDB would have to scan."""
        with self._reader() as reader:
            return [
                pk
                for (pk,) in reader.execute(
                    _PARTITIONS, (prefix, end_of_prefix(prefix) or _AFTER_ALL_TEXT)
                ).fetchall()
            ]

    # --- writing ---

    def put(self, item: Item, condition: Condition | None = None) -> None:
        """Write one item. Raises ConditionFailed."""
        self.transact([Put(item, condition)])

    def delete(self, pk: str, sk: str, condition: Condition | None = None) -> None:
        """Remove one item if it is there. Raises ConditionFailed."""
        self.transact([Delete(pk, sk, condition)])

    def transact(self, actions: Sequence[Action]) -> None:
        """Do 1 to 100 actions at different keys, all or none. Raises ConditionFailed or Conflict."""
        check_actions(actions)
        with self._transaction() as writer:
            failed = [action.key for action in actions if not self._holds(writer, action)]
            if failed:
                raise ConditionFailed(failed)
            for action in actions:
                _apply(writer, action)

    def purge_expired(self) -> int:
        """Delete at most 1,000 expired rows and return how many. The server calls it now and then."""
        with self._transaction() as writer:
            return writer.execute(_PURGE, (self._now(), PURGE_ROWS)).rowcount

    def close(self) -> None:
        """Release the file. Threads still inside a read finish it; later calls raise StoreUnavailable."""
        with self._write_lock, self._readers_lock:
            if self._closed:
                return
            self._closed = True
            for reader in self._readers:
                reader.close()
            self._readers.clear()
            self._writer.close()
            self._release()

    # --- inside ---

    def _release(self) -> None:
        if self._owner is not None:
            self._owner.release()

    def _find(self, connection: sqlite3.Connection, key: Key) -> Item | None:
        row = connection.execute(_GET, (*key, self._now())).fetchone()
        return None if row is None else _to_item(*row)

    def _holds(self, writer: sqlite3.Connection, action: Action) -> bool:
        if action.condition is None:
            return True
        item = self._find(writer, action.key)
        if isinstance(action.condition, AttributeEquals):
            value = None if item is None else item.get(action.condition.name)
            # To Python True is 1; to DynamoDB, and in JSON, they are two things.
            return type(value) is type(action.condition.value) and value == action.condition.value
        return (item is not None) == isinstance(action.condition, Exists)

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for one read."""
        with self._readers_lock:
            self._refuse_if_closed()
            reader = self._readers.pop() if self._readers else None
        with translated(self.path):
            reader = reader or connect(self.path)
            try:
                yield reader
            except BaseException:
                reader.close()
                raise
        with self._readers_lock:
            if self._closed:
                reader.close()
            else:
                self._readers.append(reader)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._write_lock, translated(self.path):
            self._refuse_if_closed()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def _now(self) -> int:
        return int(self._clock())

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"{self.path} was closed")


class Lock:
    """A lock on a file for one process at a time. The system releases it however the process ends.

    Raises StoreUnavailable when another holds it. The lock is a file beside the database, because SQLite's own
    locks on the database belong to the process and closing any other handle would drop them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._file: IO[str] | None = None
        try:
            file = self._path.open("a")
        except OSError as error:
            raise StoreUnavailable(f"cannot write {path}: {_reason(error)}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise StoreUnavailable(f"{path} is in use by another running server") from None
        self._file = file

    def release(self) -> None:
        """Release the lock. The empty file stays: deleting it would race with the next process."""
        if self._file is not None:
            self._file.close()
            self._file = None


def make_file(path: Path) -> None:
    """Make an empty file with its folder, unless it is there. Raises StoreUnavailable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"cannot make the folder {path.parent}: {_reason(error)}") from None
    try:
        # Readable only by its owner: it holds the secret that signs tokens. SQLite gives its other files the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"cannot read and write {path}: {_reason(error)}") from None


def _open(path: Path) -> sqlite3.Connection:
    with translated(path):
        connection = connect(path)
        try:
            _prepare(path, connection)
        except BaseException:
            connection.close()
            raise
        return connection


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection that commits durably. The owner of the file has not been checked."""
    connection = sqlite3.connect(
        path,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=64,
    )
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def check_owner(path: Path, connection: sqlite3.Connection) -> bool:
    """Return whether the database has been used. Raises StoreUnavailable if it is not Kizuna's, or too new."""
    version, application, tables = (
        connection.execute(sql).fetchone()[0]
        for sql in ("PRAGMA user_version", "PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
    )
    if tables and application != APPLICATION_ID:
        raise StoreUnavailable(f"{path} is a database of another application")
    if version > SCHEMA_VERSION:
        raise StoreUnavailable(
            f"{path} has schema {version}; this version of Kizuna knows {SCHEMA_VERSION} and older"
        )
    return bool(tables)


def check_is_used(path: Path) -> None:
    """Raise StoreUnavailable unless Kizuna has written into the file at ``path``."""
    if not path.is_file():
        raise StoreUnavailable(f"there is no file {path}")
    with translated(path), contextlib.closing(connect(path)) as connection:
        if not check_owner(path, connection):
            raise StoreUnavailable(f"{path} is empty: no Kizuna database")


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    """Check the owner of the file, then bring it to this version's schema."""
    is_used = check_owner(path, connection)
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreUnavailable(
            f"{path} lies on a file system that cannot do SQLite's WAL (journal mode {mode})"
        )
    connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
    if not is_used:
        marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {marks} COMMIT;")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Translate sqlite3's errors into the store's own, naming the file."""
    try:
        yield
    except sqlite3.Error as error:
        # Errors of Python's own module have no code.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Conflict(f"{path} is locked by another process") from error
        if code == sqlite3.SQLITE_NOTADB:
            raise StoreUnavailable(f"{path} is not a SQLite database") from error
        raise StoreUnavailable(f"{path}: {error}") from error


def _apply(writer: sqlite3.Connection, action: Action) -> None:
    if isinstance(action, Delete):
        writer.execute(_DELETE, action.key)
    elif isinstance(action, Put):
        rest = {name: value for name, value in action.item.items() if name not in ("pk", "sk", "expiresAt")}
        attributes = json.dumps(rest, ensure_ascii=False, separators=(",", ":"))
        row = (*action.key, attributes, action.item.get("expiresAt"))
        writer.execute(_PUT, row)
    else:
        assert isinstance(action, Check)


def _to_item(pk: str, sk: str, attributes: str, expires_at: int | None) -> Item:
    item: Item = {"pk": pk, "sk": sk, **json.loads(attributes)}
    if expires_at is not None:
        item["expiresAt"] = expires_at
    return item


def end_of_prefix(prefix: str) -> str | None:
    """Return the smallest text after everything that begins with ``prefix``; None if there is none."""
    while prefix:
        following = ord(prefix[-1]) + 1
        if following in _SURROGATES:
            following = _SURROGATES.stop
        if following <= _LAST_CODE_POINT:
            return prefix[:-1] + chr(following)
        prefix = prefix[:-1]
    return None


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
