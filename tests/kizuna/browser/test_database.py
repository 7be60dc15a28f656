"""IndexedDB as a Storage: the contract, every failure of a browser, nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from kizuna.errors import StorageFailed
from kizuna.platform import Storage
from tests.kizuna.browser.conftest import JsNull
from tests.kizuna.browser.fake_indexeddb import Connection, Database, bound
from tests.kizuna.delivery.storage_contract import CONTRACT, TABLES


class StorageHarness:
    """The fake database and the pages that use it."""

    def __init__(self, js: Any, module: ModuleType, proxies: ModuleType) -> None:
        self.js = js
        self.database = js.indexedDB = Database()
        js.IDBKeyRange = SimpleNamespace(bound=bound)
        self._module, self._proxies = module, proxies
        self._opened: list[Any] = []

    @property
    def alive(self) -> int:
        """Proxies alive."""
        return int(self._proxies.alive())

    def open(self, version: int = 1) -> Any:
        """One page's storage."""
        self._opened.append(self._module.IndexedDb("chat", TABLES, version))
        return self._opened[-1]

    async def settle(self) -> None:
        """Let the browser do all that it has to do."""
        for _ in range(50):
            await asyncio.sleep(0)

    def fire_deadline(self) -> None:
        """Let the only timeout come due."""
        ((number, _),) = self.js.timeouts.items()
        self.js.fire(number)

    async def end(self) -> None:
        """Close all pages."""
        for storage in self._opened:
            storage.close()
        await self.settle()


@pytest.fixture
async def harness(js: Any) -> AsyncIterator[StorageHarness]:
    from kizuna.browser import database, proxies

    harness = StorageHarness(js, database, proxies)
    yield harness
    await harness.end()
    assert (harness.alive, js.timeouts, harness.database.connections) == (0, {}, [])


@pytest.mark.parametrize("duty", CONTRACT, ids=lambda duty: duty.__name__)
async def test_the_contract(
    harness: StorageHarness, duty: Callable[[Storage, Storage], Awaitable[None]]
) -> None:
    await duty(harness.open(), harness.open())


async def test_the_database_is_opened_once_and_only_when_it_is_needed(harness: StorageHarness) -> None:
    storage = harness.open()
    assert harness.database.opened == []
    await asyncio.gather(*(storage.write("letters", {str(n): "x"}) for n in range(5)))
    assert harness.database.opened == ["chat"]
    assert set(harness.database.tables) == set(TABLES)


async def test_a_call_leaves_no_proxy_behind_however_it_ends(harness: StorageHarness) -> None:
    storage = harness.open()
    await storage.read("letters")
    connected = harness.alive  # onversionchange and onclose
    await storage.write("letters", {"a": "1"})
    await storage.change("letters", "a", lambda text: text)
    harness.database.errors["commit"] = harness.js.JsException("UnknownError")
    with pytest.raises(StorageFailed):
        await storage.write("letters", {"a": "2"})
    with pytest.raises(ZeroDivisionError):
        await storage.change("letters", "a", lambda text: str(1 / 0))
    with pytest.raises(StorageFailed):
        await storage.read("no such table")
    assert harness.alive == connected == 2
    assert harness.js.timeouts == {}


async def test_what_is_written_is_on_the_disk_when_the_call_returns(harness: StorageHarness) -> None:
    storage = harness.open()
    await storage.write("letters", {"a": "1"})
    (transaction,) = harness.database.transactions
    assert transaction.options == {"mode": "readwrite", "durability": "strict"}


# --- what fails says why, and leaves the rows as they were ---


async def test_rows_are_written_all_or_none(harness: StorageHarness) -> None:
    storage = harness.open()
    await storage.write("letters", {"a": "1", "b": "1"})
    harness.database.errors["c"] = harness.js.JsException("QuotaExceededError")
    with pytest.raises(StorageFailed, match=r"chat: .*is full \(QuotaExceededError\)"):
        await storage.write("letters", {"a": "2", "c": "2"}, ["b"])
    assert await storage.read("letters") == {"a": "1", "b": "1"}


async def test_a_commit_that_fails_is_no_success(harness: StorageHarness) -> None:
    storage = harness.open()
    harness.database.errors["commit"] = harness.js.JsException("UnknownError", "the disk is broken")
    with pytest.raises(StorageFailed, match="chat: UnknownError: the disk is broken"):
        await storage.write("letters", {"a": "1"})
    assert await storage.read("letters") == {}


async def test_a_value_that_browsers_do_not_store_changes_nothing(harness: StorageHarness) -> None:
    storage = harness.open()
    await storage.write("letters", {"a": "1"})
    with pytest.raises(StorageFailed, match="DataCloneError"):
        await storage.write("letters", {"a": "2", "b": object()})
    with pytest.raises(StorageFailed, match="DataCloneError"):
        await storage.change("letters", "a", lambda text: object())
    assert await storage.read("letters") == {"a": "1"}


async def test_an_undone_transaction_without_a_reason_fails_too(harness: StorageHarness) -> None:
    storage = harness.open()
    await storage.read("letters")
    writing = asyncio.create_task(storage.write("letters", {"a": "1"}))
    await asyncio.sleep(0)
    harness.database.close_by_force()
    with pytest.raises(StorageFailed, match="gave no reason"):
        await writing


async def test_without_indexeddb_every_call_fails_in_words(harness: StorageHarness) -> None:
    for missing in (None, JsNull()):
        harness.js.indexedDB = missing
        with pytest.raises(StorageFailed, match="this browser has no IndexedDB"):
            await harness.open().read("letters")
    del harness.js.indexedDB
    with pytest.raises(StorageFailed, match="this browser has no IndexedDB"):
        await harness.open().read("letters")


async def test_forbidden_storage_raises_storage_failed(harness: StorageHarness) -> None:
    harness.database.errors["open"] = harness.js.JsException("SecurityError")
    with pytest.raises(StorageFailed, match="does not allow this page to store data"):
        await harness.open().read("letters")


async def test_a_database_of_a_newer_version_asks_for_a_reload(harness: StorageHarness) -> None:
    await harness.open(version=2).read("letters")
    older = harness.open(version=1)
    for _ in range(2):  # asked anew each time: the newer one may be gone
        with pytest.raises(StorageFailed, match="reload"):
            await older.read("letters")


async def test_an_opening_that_is_never_answered_fails_at_its_deadline(harness: StorageHarness) -> None:
    harness.database.answers.clear()
    storage = harness.open()
    first, second = (asyncio.create_task(storage.write("letters", {name: "1"})) for name in "ab")
    await harness.settle()
    harness.fire_deadline()
    for call in (first, second):
        with pytest.raises(StorageFailed, match="did not open it within 3 s"):
            await call
    with pytest.raises(StorageFailed, match="did not open it within 3 s"):
        await storage.read("letters")  # at once, without a deadline of its own
    assert harness.database.opened == ["chat"]

    harness.database.answers.set()
    await harness.settle()
    assert await storage.read("letters") == {}  # a late answer is taken
    assert harness.database.opened == ["chat"]


async def test_what_opens_after_its_page_closed_it_is_closed_at_once(harness: StorageHarness) -> None:
    harness.database.answers.clear()
    storage = harness.open()
    reading = asyncio.create_task(storage.read("letters"))
    await harness.settle()
    reading.cancel()
    storage.close()
    harness.database.answers.set()
    await harness.settle()
    assert harness.database.connections == []
    assert reading.cancelled()


async def test_a_transaction_that_is_never_answered_is_undone_at_its_deadline(
    harness: StorageHarness,
) -> None:
    storage = harness.open()
    await storage.read("letters")
    harness.database.answers.clear()
    writing = asyncio.create_task(storage.write("letters", {"a": "1"}))
    await harness.settle()
    harness.fire_deadline()
    with pytest.raises(StorageFailed, match="did not answer within 10 s"):
        await writing
    harness.database.answers.set()
    assert await storage.read("letters") == {}


async def test_a_deadline_cannot_undo_what_is_being_committed(harness: StorageHarness) -> None:
    storage = harness.open()
    await storage.read("letters")
    writing = asyncio.create_task(storage.write("letters", {"a": "1"}))
    harness.database.on_commit = harness.fire_deadline  # before the browser says that it is committed
    await writing
    assert await storage.read("letters") == {"a": "1"}


async def test_a_call_that_is_cancelled_writes_nothing(harness: StorageHarness) -> None:
    storage = harness.open()
    await storage.read("letters")
    writing = asyncio.create_task(storage.write("letters", {"a": "1"}))
    await asyncio.sleep(0)
    assert not harness.database.transactions[-1].is_over
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await storage.read("letters") == {}


# --- other tabs, and a browser that closes ---


async def test_another_tab_may_upgrade_the_database_at_any_time(harness: StorageHarness) -> None:
    older, newer = harness.open(version=1), harness.open(version=2)
    await older.write("letters", {"a": "1"})
    assert await newer.read("letters") == {"a": "1"}


async def test_upgrade_blocked_by_an_older_tab_is_reported(harness: StorageHarness) -> None:
    await harness.open(version=1).write("letters", {"a": "1"})
    stubborn = Connection(harness.database)
    harness.database.connections.append(stubborn)
    newer = harness.open(version=2)
    for _ in range(2):
        with pytest.raises(StorageFailed, match="older version of the page, open in another tab"):
            await newer.read("letters")
    stubborn.close()
    await harness.settle()
    assert await newer.read("letters") == {"a": "1"}
    assert harness.database.opened == ["chat", "chat"]  # the one opening was answered in the end


async def test_a_connection_that_the_browser_closed_is_opened_anew(harness: StorageHarness) -> None:
    storage = harness.open()
    await storage.write("letters", {"a": "1"})
    harness.database.close_by_force()
    await harness.settle()
    assert harness.alive == 0
    assert await storage.read("letters") == {"a": "1"}


async def test_a_connection_that_the_browser_closed_without_a_word_is_opened_anew(
    harness: StorageHarness,
) -> None:
    storage = harness.open()
    await storage.write("letters", {"a": "1"})
    harness.database.close_by_force(silently=True)
    await storage.write("letters", {"b": "1"})
    assert await storage.read("letters") == {"a": "1", "b": "1"}


async def test_a_browser_that_closes_every_connection_is_not_asked_for_ever(harness: StorageHarness) -> None:
    storage = harness.open()
    await storage.read("letters")
    harness.database.close_by_force(silently=True)
    refusing = harness.js.JsException("InvalidStateError")
    harness.database.errors["open"] = refusing
    with pytest.raises(StorageFailed, match="has closed the database"):
        await storage.read("letters")


async def test_a_storage_that_was_closed_opens_again(harness: StorageHarness) -> None:
    storage = harness.open()
    storage.close()
    await storage.write("letters", {"a": "1"})
    storage.close()
    assert harness.alive == 0
    assert await storage.read("letters") == {"a": "1"}
