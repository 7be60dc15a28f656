"""IndexedDB made of plain Python, as strict about transactions as browsers are: what is asked of one outside its
callbacks is refused, and it commits by itself. Transactions of one database run one after another, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.kizuna.browser.conftest import JsException, JsNull

Event = SimpleNamespace


def dispatch(target: Any, kind: str) -> None:
    """Call the handler of an event, if there is one."""
    handler = getattr(target, f"on{kind}")
    if handler is not None:
        handler(Event(preventDefault=lambda: None))


def later(step: Callable[[], None]) -> None:
    """As a task of its own, as browsers do everything."""
    asyncio.get_running_loop().call_soon(step)


def utf16(key: str) -> bytes:
    """What JavaScript compares texts by."""
    return key.encode("utf-16-be", "surrogatepass")


class KeyRange:
    """js.IDBKeyRange."""

    def __init__(self, lower: str, upper: str) -> None:
        self._lower, self._upper = utf16(lower), utf16(upper)

    @classmethod
    def bound(cls, lower: str, upper: str) -> KeyRange:
        return cls(lower, upper)

    def holds(self, key: str) -> bool:
        return self._lower <= utf16(key) <= self._upper


class Request:
    """What was asked, and its answer once there is one."""

    def __init__(self, work: Callable[[], Any] = lambda: None) -> None:
        self.onsuccess = self.onerror = self.onblocked = self.onupgradeneeded = None
        self.error: JsException | JsNull = JsNull()
        self.is_answered = False
        self._work = work
        self._result: Any = None

    @property
    def result(self) -> Any:
        if not self.is_answered:
            raise JsException("InvalidStateError", "the request has not finished")
        return self._result

    def answer(self, result: Any) -> None:
        self.is_answered = True
        self._result = result

    def run(self) -> None:
        self.answer(self._work())


class Transaction:
    """From its making, when it takes requests, until it is committed or undone."""

    def __init__(self, connection: Connection, table: str, options: dict[str, Any]) -> None:
        self.oncomplete = self.onabort = None
        self.error: JsException | JsNull = JsNull()
        self.options = options
        self._home = connection.home
        self._rows = connection.home.tables[table]
        self._requests: list[Request] = []
        self._undo: list[tuple[str, str | None]] = []
        self._is_active = True
        self._is_over = False
        self._home.transactions.append(self)
        later(self._end_of_task)

    def objectStore(self, table: str) -> Transaction:
        return self  # one table a transaction is all that is needed

    # the store

    def get(self, key: str) -> Request:
        return self._ask(lambda: self._rows.get(key))

    def getAllKeys(self, within: KeyRange) -> Request:
        return self._ask(lambda: Array(self._select(within)))

    def getAll(self, within: KeyRange) -> Request:
        return self._ask(lambda: Array([self._rows[key] for key in self._select(within)]))

    def put(self, text: Any, key: str) -> Request:
        if not isinstance(text, str):
            raise JsException("DataCloneError", f"{text} could not be cloned")
        return self._ask(lambda: self._set(key, text))

    def delete(self, key: str) -> Request:
        return self._ask(lambda: self._set(key, None))

    def _select(self, within: KeyRange) -> list[str]:
        return sorted(filter(within.holds, self._rows), key=utf16)

    def _set(self, key: str, text: str | None) -> None:
        if error := self._home.full_for.get(key):
            raise error
        self._undo.append((key, self._rows.pop(key, None)))
        if text is not None:
            self._rows[key] = text

    def _ask(self, work: Callable[[], Any]) -> Request:
        if not self._is_active:
            raise JsException("TransactionInactiveError", "asked outside of its callbacks")
        self._requests.append(Request(work))
        return self._requests[-1]

    # its life

    def abort(self, error: JsException | None = None) -> None:
        if self._is_over:
            raise JsException("InvalidStateError", "the transaction is over")
        for key, text in reversed(self._undo):
            self._rows.pop(key, None)
            if text is not None:
                self._rows[key] = text
        self.error = error or JsNull()
        self._end("abort")

    def go_on(self) -> None:
        """The next step, when no older transaction is under way."""
        if self._is_active or self._is_over or self._home.transactions[0] is not self or self._home.is_stuck:
            return
        if not self._requests:
            self._commit()
            return
        request = self._requests.pop(0)
        try:
            request.run()
        except JsException as error:
            self.abort(error)
            return
        self._is_active = True
        dispatch(request, "success")
        self._end_of_task()

    def _commit(self) -> None:
        error, self._home.commit_error = self._home.commit_error, None
        if error is not None:
            self.abort(error)
        else:
            self._end("complete")

    def _end(self, how: str) -> None:
        self._is_over = True
        self._home.transactions.remove(self)
        if how == "complete":
            self._home.on_commit()
        later(lambda: dispatch(self, how))
        for other in self._home.transactions[:1]:
            later(other.go_on)

    def _end_of_task(self) -> None:
        self._is_active = False
        later(self.go_on)


class Array:
    """A JavaScript array."""

    def __init__(self, items: list[str]) -> None:
        self._items = items

    def to_py(self) -> list[str]:
        return list(self._items)


class Connection:
    """js.IDBDatabase."""

    def __init__(self, home: Home) -> None:
        self.onclose = self.onversionchange = None
        self.home = home
        self.is_closed = False
        self.transactions: list[Transaction] = []  #: all that were ever made on it
        self.objectStoreNames = SimpleNamespace(contains=lambda table: table in home.tables)

    def createObjectStore(self, table: str) -> None:
        self.home.tables[table] = {}

    def transaction(self, table: str, mode: str, **options: Any) -> Transaction:
        if self.is_closed:
            raise JsException("InvalidStateError", "the connection is closing")
        if table not in self.home.tables:
            raise JsException("NotFoundError", "no such table")
        self.transactions.append(Transaction(self, table, {"mode": mode, **options}))
        return self.transactions[-1]

    def close(self) -> None:
        self.is_closed = True
        if self in self.home.connections:
            self.home.connections.remove(self)
        for opening in tuple(self.home.waiting):
            later(opening)


class Home:
    """One database, where all its connections meet, and the faults that a test wishes."""

    def __init__(self) -> None:
        self.version = 0
        self.tables: dict[str, dict[str, str]] = {}
        self.connections: list[Connection] = []
        self.transactions: list[Transaction] = []  #: those under way, the oldest first
        self.waiting: list[Callable[[], None]] = []  #: openings that others block
        self.full_for: dict[str, JsException] = {}  #: rows that cannot be written
        self.commit_error: JsException | None = None  #: what the next commit ends with
        self.on_commit: Callable[[], object] = lambda: None  #: called before any page hears of it
        self.is_stuck = False  #: transactions get no answer

    def close_by_force(self, *, silently: bool = False) -> None:
        """What a browser does when it clears a site's data, or when the disk breaks."""
        for connection in tuple(self.connections):
            connection.close()
            for transaction in connection.transactions:
                if transaction in self.transactions:
                    transaction.abort()
            if not silently:
                later(lambda connection=connection: dispatch(connection, "close"))  # type: ignore[misc]


class IndexedDbFactory:
    """js.indexedDB."""

    def __init__(self) -> None:
        self.homes: dict[str, Home] = {}
        self.opened = 0
        self.error: JsException | None = None  #: what open() throws
        self.is_silent = False  #: no opening is answered until ``speak()``
        self._held_back: list[Callable[[], None]] = []

    def home(self, name: str) -> Home:
        return self.homes.setdefault(name, Home())

    def open(self, name: str, version: int) -> Request:
        if self.error is not None:
            raise self.error
        self.opened += 1
        request = Request()
        step = Opening(request, self.home(name), version).step
        if self.is_silent:
            self._held_back.append(step)
        else:
            later(step)
        return request

    def speak(self) -> None:
        """Answer at last."""
        self.is_silent = False
        while self._held_back:
            later(self._held_back.pop(0))


class Opening:
    """One request to open a database."""

    def __init__(self, request: Request, home: Home, version: int) -> None:
        self._request, self._home, self._version = request, home, version
        self._has_asked = False
        self._is_done = False

    def step(self) -> None:
        if self._is_done:
            return
        if self._home.version > self._version:
            self._is_done = True
            self._request.error = JsException("VersionError", "the version is less than the existing one")
            dispatch(self._request, "error")
        elif self._home.version == self._version:
            self._succeed()
        elif not self._has_asked:
            self._has_asked = True
            for connection in tuple(self._home.connections):
                dispatch(connection, "versionchange")
            self._home.waiting.append(self.step)
            if self._home.connections:
                dispatch(self._request, "blocked")
            later(self.step)
        elif not self._home.connections:
            self._home.waiting.remove(self.step)
            self._upgrade()

    def _upgrade(self) -> None:
        self._is_done = True
        self._home.version = self._version
        self._request.answer(Connection(self._home))
        dispatch(self._request, "upgradeneeded")
        self._home.connections.append(self._request.result)
        later(lambda: dispatch(self._request, "success"))

    def _succeed(self) -> None:
        self._is_done = True
        self._request.answer(Connection(self._home))
        self._home.connections.append(self._request.result)
        dispatch(self._request, "success")
