"""A fake IndexedDB in plain Python, as strict about transactions as browsers are.

A request outside its transaction's callbacks is refused, and a transaction commits by itself. Transactions of one
database run one after another, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.kizuna.browser.conftest import JsException, JsNull


def dispatch(target: Any, kind: str) -> None:
    """Call the handler of an event, if there is one."""
    handler = getattr(target, f"on{kind}")
    if handler is not None:
        handler(SimpleNamespace(preventDefault=lambda: None))


def dispatch_later(target: Any, kind: str) -> None:
    """As a task of its own, as browsers do everything."""
    asyncio.get_running_loop().call_soon(dispatch, target, kind)


def utf16(key: str) -> bytes:
    """What JavaScript compares texts by."""
    return key.encode("utf-16-be", "surrogatepass")


def bound(lower: str, upper: str) -> Callable[[str], bool]:
    """js.IDBKeyRange.bound. A range tells of a key whether it lies inside."""
    return lambda key: utf16(lower) <= utf16(key) <= utf16(upper)


def array(items: list[str]) -> SimpleNamespace:
    """A JavaScript array."""
    return SimpleNamespace(to_py=lambda: items)


class Request:
    """What was asked; ``result`` is there once it is answered."""

    result: Any

    def __init__(self, work: Any = None) -> None:
        self.onsuccess = self.onerror = self.onblocked = self.onupgradeneeded = None
        self.error: JsException | JsNull = JsNull()
        self.work = work  #: a function, or the task that opens a database


class Transaction:
    """From its making, when it takes requests, until it is committed or undone."""

    def __init__(self, database: Database, table: str, options: dict[str, str]) -> None:
        self.oncomplete = self.onabort = None
        self.error: JsException | JsNull = JsNull()
        self.options = options
        self.is_over = False
        self._database = database
        self._table = table
        self._before: dict[str, str] | None = None  # the rows, once it has begun
        self._requests: list[Request] = []
        self._is_active = True
        self._running = asyncio.create_task(self._run())

    def objectStore(self, table: str) -> Transaction:
        return self  # one table a transaction is all that is needed

    # the store

    def get(self, key: str) -> Request:
        return self._ask(lambda: self._rows.get(key))

    def getAllKeys(self, within: Callable[[str], bool]) -> Request:
        return self._ask(lambda: array(self._select(within)))

    def getAll(self, within: Callable[[str], bool]) -> Request:
        return self._ask(lambda: array([self._rows[key] for key in self._select(within)]))

    def put(self, text: Any, key: str) -> Request:
        if not isinstance(text, str):
            raise JsException("DataCloneError", f"{text} could not be cloned")

        def write() -> None:
            self._database.fail_at(key)
            self._rows[key] = text

        return self._ask(write)

    def delete(self, key: str) -> Request:
        return self._ask(lambda: self._rows.pop(key, None))

    @property
    def _rows(self) -> dict[str, str]:
        return self._database.tables[self._table]

    def _select(self, within: Callable[[str], bool]) -> list[str]:
        return sorted(filter(within, self._rows), key=utf16)

    def _ask(self, work: Callable[[], Any]) -> Request:
        if not self._is_active:
            raise JsException("TransactionInactiveError", "asked outside of its callbacks")
        self._requests.append(Request(work))
        return self._requests[-1]

    # its life

    def abort(self, error: JsException | None = None) -> None:
        if self.is_over:
            raise JsException("InvalidStateError", "the transaction is over")
        if self._before is not None:
            self._database.tables[self._table] = self._before
        self.error = error or JsNull()
        self._end("abort")

    async def _run(self) -> None:
        """As a task of its own: it begins when the one that made the transaction has ended."""
        database, self._is_active = self._database, False
        async with database.turn:
            await database.answers.wait()
            self._before = dict(self._rows)
            while not self.is_over:
                try:
                    self._step()
                except JsException as error:
                    self.abort(error)
                await asyncio.sleep(0)

    def _step(self) -> None:
        if self._requests:
            request = self._requests.pop(0)
            request.result = request.work()
            self._is_active = True
            dispatch(request, "success")
            self._is_active = False
        else:
            self._database.fail_at("commit")
            self._end("complete")
            self._database.on_commit()

    def _end(self, how: str) -> None:
        self.is_over = True
        dispatch_later(self, how)


class Connection:
    """js.IDBDatabase."""

    def __init__(self, database: Database) -> None:
        self.onclose = self.onversionchange = None
        self._database = database
        self._is_closed = False
        self.objectStoreNames = SimpleNamespace(contains=lambda table: table in database.tables)

    def createObjectStore(self, table: str) -> None:
        self._database.tables[table] = {}

    def transaction(self, table: str, mode: str, **options: str) -> Transaction:
        if self._is_closed:
            raise JsException("InvalidStateError", "the connection is closing")
        if table not in self._database.tables:
            raise JsException("NotFoundError", "no such table")
        self._database.transactions.append(Transaction(self._database, table, {"mode": mode, **options}))
        return self._database.transactions[-1]

    def close(self) -> None:
        self._is_closed = True
        if self in self._database.connections:
            self._database.connections.remove(self)
            self._database.was_closed.set()


class Database:
    """js.indexedDB and the one database in it, where all connections meet, with the faults that a test wishes."""

    def __init__(self) -> None:
        self.version = 0
        self.tables: dict[str, dict[str, str]] = {}
        self.opened: list[str] = []  #: the names that were asked for
        self.connections: list[Connection] = []
        self.transactions: list[Transaction] = []  #: all that were ever made
        self.turn, self._opening = asyncio.Lock(), asyncio.Lock()
        self.was_closed = asyncio.Event()  # a connection
        self.answers = asyncio.Event()  #: while cleared, neither openings nor transactions get an answer
        self.answers.set()
        self.errors: dict[str, JsException] = {}  #: what goes wrong once: "open", "commit", or a row's key
        self.on_commit: Callable[[], object] = lambda: None  #: called before any page hears of it

    def open(self, name: str, version: int) -> Request:
        self.fail_at("open")
        self.opened.append(name)
        request = Request()
        request.work = asyncio.create_task(self._answer(request, version))
        return request

    def fail_at(self, step: str) -> None:
        """Raise what the test wishes to go wrong here."""
        if step in self.errors:
            raise self.errors.pop(step)

    def close_by_force(self, *, silently: bool = False) -> None:
        """What a browser does when it clears a site's data, or when the disk breaks."""
        for transaction in self.transactions:
            if not transaction.is_over:
                transaction.abort()
        for connection in tuple(self.connections):
            connection.close()
            if not silently:
                dispatch_later(connection, "close")

    async def _answer(self, request: Request, version: int) -> None:
        """One opening after another."""
        async with self._opening:
            await self.answers.wait()
            if self.version > version:
                request.error = JsException("VersionError", "the version is less than the existing one")
                dispatch(request, "error")
                return
            is_new = self.version < version
            for connection in tuple(self.connections) if is_new else ():
                dispatch(connection, "versionchange")
            if is_new and self.connections:
                dispatch(request, "blocked")
            while is_new and self.connections:
                self.was_closed.clear()
                await self.was_closed.wait()
            self.version = version
            self.connections.append(Connection(self))
            request.result = self.connections[-1]
            if is_new:
                dispatch(request, "upgradeneeded")
                await asyncio.sleep(0)
            dispatch(request, "success")
