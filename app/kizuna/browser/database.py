"""The IndexedDB storage: tables of texts that outlive the page, shared by all pages of its origin.

The browser commits a transaction as soon as the callbacks of its last request have returned, and a coroutine that
awaits continues later. So nothing here awaits between the first and the last request of a transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import js
from pyodide.ffi import JsException

from kizuna.browser.proxies import BrowserTimer, ProxyOwner, now
from kizuna.delivery.outbox_storage import TABLE as OUTBOX
from kizuna.errors import StorageFailed

if TYPE_CHECKING:
    from pyodide.ffi import JsNull  # since Pyodide 0.29: before, JavaScript's null was None

Result = TypeVar("Result")

#: Seconds to wait for the database to open: it takes milliseconds, or the browser never answers.
OPEN_TIMEOUT = 3.0
#: Seconds until a transaction without an answer is aborted: a person waits for it before typing on.
TRANSACTION_TIMEOUT = 10.0

#: The last character, as IndexedDB compares: no key begins with it.
_LAST = "\uffff"

_MEANINGS = {
    "InvalidStateError": "the browser has closed the database",
    "NotFoundError": "a table is missing: another version of the page created the database",
    "QuotaExceededError": "the disk, or the browser's quota for this page, is full",
    "SecurityError": "the browser does not allow this page to store data",
    "VersionError": "a newer version of the page has upgraded it: reload this one",
}


class IndexedDb:
    """The :class:`kizuna.platform.Storage` of a browser: one database, opened at the first call, in a page or worker.

    A connection that the browser closed is opened again at the next call.

    Args:
        name: The database, one of this origin.
        tables: Its tables; by default the one of the outbox.
        version: A new table needs a higher one.
    """

    def __init__(self, name: str, tables: Iterable[str] = (OUTBOX,), version: int = 1) -> None:
        self._name = name
        self._tables = tuple(tables)
        self._version = version
        self._connection: _Connection | None = None
        self._turn = asyncio.Lock()  # its waiters run in order, and so do the transactions

    async def read(self, table: str, prefix: str = "") -> dict[str, str]:
        """Return the rows whose keys begin with ``prefix``, sorted by key (by code point, as Python compares)."""

        def make_requests(transaction: _Transaction[Any]) -> tuple[js.IDBRequest[Any], js.IDBRequest[Any]]:
            within = js.IDBKeyRange.bound(prefix, prefix + _LAST)
            return transaction.store.getAllKeys(within), transaction.store.getAll(within)

        keys, values = await self._transact(table, "readonly", make_requests)
        return dict(sorted(zip(keys.result.to_py(), values.result.to_py(), strict=True)))

    async def keys(self, table: str, prefix: str = "") -> list[str]:
        """Return the keys that begin with ``prefix``, sorted (by code point, as Python compares)."""

        def make_requests(transaction: _Transaction[Any]) -> js.IDBRequest[Any]:
            return transaction.store.getAllKeys(js.IDBKeyRange.bound(prefix, prefix + _LAST))

        keys = await self._transact(table, "readonly", make_requests)
        return sorted(keys.result.to_py())

    async def write(self, table: str, puts: Mapping[str, str], deletes: Iterable[str] = ()) -> None:
        """Write and delete rows, all or none."""

        def make_requests(transaction: _Transaction[Any]) -> None:
            for key in deletes:
                transaction.store.delete(key)
            for key, text in puts.items():
                transaction.store.put(text, key)

        await self._transact(table, "readwrite", make_requests)

    async def change(self, table: str, key: str, change: Callable[[str | None], str | None]) -> str | None:
        """Replace one row by ``change(row)``, and return the row as it was before.

        What ``change`` raises reaches the caller, and nothing is changed.
        """
        before: str | None = None

        def replace(transaction: _Transaction[Any], found: str | None) -> None:
            nonlocal before
            before = found
            after = change(before)
            if after is None:
                transaction.store.delete(key)
            else:
                transaction.store.put(after, key)

        await self._transact(table, "readwrite", lambda it: it.on_result(it.store.get(key), replace))
        return before

    def close(self) -> None:
        """Close the connection once its transactions are over. The next call opens it again."""
        if self._connection is not None:
            self._connection.close()

    async def _transact(
        self, table: str, mode: str, make_requests: Callable[[_Transaction[Result]], Result]
    ) -> Result:
        """Make the requests of one transaction, and return what ``make_requests`` returned, after the commit."""
        async with self._turn:
            try:
                transaction = await self._begin(table, mode, make_requests)
            except JsException as error:
                raise self._failed(error) from None
        try:
            return await transaction.committed()
        except _Aborted as undone:
            raise self._failed(undone.why) from None
        except JsException as error:  # of a request that was made inside, such as for an invalid key
            raise self._failed(error) from None

    async def _begin(
        self, table: str, mode: str, make_requests: Callable[[_Transaction[Result]], Result]
    ) -> _Transaction[Result]:
        try:
            return _Transaction(await self._open(), table, mode, make_requests)
        except JsException as error:
            if error.name != "InvalidStateError":
                raise
        # The browser closed the connection and has not reported it yet. Nothing was requested on it.
        self.close()
        return _Transaction(await self._open(), table, mode, make_requests)

    async def _open(self) -> js.IDBDatabase:
        if self._connection is None or self._connection.is_over:
            factory = getattr(js, "indexedDB", None)
            if not factory:
                raise self._failed("this browser has no IndexedDB")
            self._connection = _Connection(factory.open(self._name, self._version), self._tables)
        database = await self._connection.opened()
        if database is None:
            raise self._failed(self._connection.problem)
        return database

    def _failed(self, why: str | JsException | JsNull) -> StorageFailed:
        return StorageFailed(f"{self._name}: {why if isinstance(why, str) else _explain(why)}")


class _Connection:
    """One connection, from the request to open it until either side closes it, and its proxies."""

    def __init__(self, request: js.IDBOpenDBRequest, tables: Iterable[str]) -> None:
        self.is_over = False
        self.problem: str | JsException | JsNull = ""  #: why there is no database
        self._tables = tables
        self._request = request
        self._database: js.IDBDatabase | None = None
        self._answered = asyncio.Event()
        self._proxies = ProxyOwner()
        request.onupgradeneeded = self._proxies.hold(self._on_upgrade)
        request.onsuccess = self._proxies.hold(self._on_success)
        request.onerror = self._proxies.hold(self._on_error)
        request.onblocked = self._proxies.hold(
            lambda event: self._answer("an older version of the page, open in another tab, blocks it")
        )
        self._deadline = BrowserTimer(
            now().monotonic + OPEN_TIMEOUT,
            lambda: self._answer(f"the browser did not open it within {OPEN_TIMEOUT:g} s"),
        )

    async def opened(self) -> js.IDBDatabase | None:
        """Return the database; None while there is none, with the reason in ``problem``.

        After a timeout a late answer is still used: browsers answer in order, so another request would not help.
        """
        await self._answered.wait()
        return self._database

    def close(self) -> None:
        """Close now, or as soon as it is open."""
        self.is_over = True
        if self._database is not None:
            self._detach()
            self._database.close()

    def _on_upgrade(self, event: js.Event) -> None:
        database = self._request.result
        for table in self._tables:
            if not database.objectStoreNames.contains(table):
                database.createObjectStore(table)

    def _on_success(self, event: js.Event) -> None:
        database = self._database = self._request.result
        self._detach()
        if self.is_over:
            database.close()
        else:
            # Without this, no other tab could upgrade or delete the database.
            database.onversionchange = self._proxies.hold(lambda event: self.close())
            database.onclose = self._proxies.hold(lambda event: self.close())
        self._answer("")

    def _on_error(self, event: js.Event) -> None:
        event.preventDefault()  # else Firefox reports an error of the page
        self._detach()
        self.is_over = True
        self._answer(self._request.error)

    def _answer(self, problem: str | JsException | JsNull) -> None:
        self._deadline.cancel()
        self.problem = problem
        self._answered.set()

    def _detach(self) -> None:
        request, database = self._request, self._database
        request.onupgradeneeded = request.onsuccess = request.onerror = request.onblocked = None
        if database is not None:
            database.onversionchange = database.onclose = None
        self._proxies.release()


class _Aborted(Exception):
    """The browser aborted a transaction."""

    def __init__(self, why: str | JsException | JsNull) -> None:
        super().__init__(why)
        self.why = why


class _Transaction(Generic[Result]):
    """One transaction and its proxies, until it is committed or aborted.

    ``make_requests`` is called at once. Raises what it raises, and JsException if the browser rejects the transaction.
    """

    def __init__(
        self,
        database: js.IDBDatabase,
        table: str,
        mode: str,
        make_requests: Callable[[_Transaction[Result]], Result],
    ) -> None:
        # "strict": committed means that it is on the disk.
        self._transaction = database.transaction(table, mode, durability="strict")
        self.store = self._transaction.objectStore(table)
        self._proxies = ProxyOwner()
        self._awaited: list[js.IDBRequest[Any]] = []
        self._over = asyncio.Event()
        self._failure: Exception | None = None
        try:
            self._result = make_requests(self)
        except BaseException:
            self._abort()
            self._detach()
            raise
        self._transaction.oncomplete = self._proxies.hold(lambda event: self._over.set())
        self._transaction.onabort = self._proxies.hold(self._on_abort)
        self._deadline = BrowserTimer(now().monotonic + TRANSACTION_TIMEOUT, self._on_deadline)

    def on_result(
        self, request: js.IDBRequest[Any], callback: Callable[[_Transaction[Result], Any], None]
    ) -> None:
        """Call ``callback`` with the result, inside the transaction. If it raises, the transaction is aborted."""

        def answer(event: js.Event) -> None:
            try:
                callback(self, request.result)
            except Exception as error:  # noqa: BLE001 - committed() raises it
                self._failure = error
                self._abort()

        request.onsuccess = self._proxies.hold(answer)
        self._awaited.append(request)

    async def committed(self) -> Result:
        """Return what ``make_requests`` returned, after the commit. Raises _Aborted, or what ``callback`` raised.

        Cancelling the wait aborts the transaction, if that is still possible.
        """
        try:
            await self._over.wait()
        except BaseException:
            self._abort()
            raise
        finally:
            self._deadline.cancel()
            self._detach()
        if self._failure is not None:
            raise self._failure
        return self._result

    def _on_abort(self, event: js.Event) -> None:
        if self._failure is None:
            self._failure = _Aborted(self._transaction.error)
        self._over.set()

    def _on_deadline(self) -> None:
        if self._abort():
            self._failure = _Aborted(f"the browser did not answer within {TRANSACTION_TIMEOUT:g} s")
            self._over.set()

    def _abort(self) -> bool:
        """Abort. Return False if it is being committed already: then the browser reports how that ends."""
        with contextlib.suppress(JsException):
            self._transaction.abort()
            return True
        return False

    def _detach(self) -> None:
        self._transaction.oncomplete = self._transaction.onabort = None
        for request in self._awaited:
            request.onsuccess = None
        self._awaited.clear()
        self._proxies.release()


def _explain(error: JsException | JsNull) -> str:
    if not error:  # as when the browser closes the connection
        return "the browser gave no reason"
    meaning = _MEANINGS.get(error.name)
    return f"{meaning} ({error.name})" if meaning else f"{error.name}: {error.message}"
