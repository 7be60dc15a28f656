"""The SQLite storage and the locks of files keep their contracts, in one process and among several."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from signal import SIGKILL

import pytest

from kizuna import aio
from kizuna.aio import FileLocks, SqliteStorage, locks as locks_module
from kizuna.errors import StorageFailed
from kizuna.platform import Locks, Storage
from tests.kizuna.delivery import locks_contract, storage_contract
from tests.support.process import ROOT, Process

#: Another process: it counts up from several tasks, then holds a lock until it is killed.
OTHER_PROCESS = """
import asyncio, sys
from kizuna.aio import FileLocks, SqliteStorage

async def main(path, folder):
    storage = SqliteStorage(path)
    print("opened", await storage.read("marks"), flush=True)
    sys.stdin.readline()
    for _ in range(100):
        await storage.change("marks", "count", lambda text: str(int(text or 0) + 1))
    assert await FileLocks(folder).try_lock("tab")
    print("locked", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[tuple[SqliteStorage, SqliteStorage]]:
    """Two views of one file."""
    pages = SqliteStorage(tmp_path / "kizuna.sqlite3"), SqliteStorage(str(tmp_path / "kizuna.sqlite3"))
    yield pages
    for page in pages:
        page.close()


@pytest.fixture
def other_process(tmp_path: Path) -> Iterator[Process]:
    paths = "kizuna.sqlite3", "locks"
    process = Process(
        *(sys.executable, "-c", OTHER_PROCESS, *(str(tmp_path / name) for name in paths)),
        env={**os.environ, "PYTHONPATH": str(ROOT / "app")},
    )
    yield process
    if process.is_running:
        process.end(SIGKILL)


def file_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("duty", storage_contract.CONTRACT, ids=lambda duty: duty.__name__)
async def test_the_contract_of_storage(
    pages: tuple[SqliteStorage, SqliteStorage], duty: Callable[[Storage, Storage], Awaitable[None]]
) -> None:
    await duty(*pages)


@pytest.mark.parametrize("duty", locks_contract.CONTRACT, ids=lambda duty: duty.__name__)
async def test_the_contract_of_locks(tmp_path: Path, duty: Callable[[Locks, Locks], Awaitable[None]]) -> None:
    await duty(FileLocks(tmp_path / "locks"), FileLocks(tmp_path / "locks"))
    assert file_names(tmp_path / "locks") == ["guard"]


async def test_two_processes_that_count_at_once_lose_nothing(
    pages: tuple[SqliteStorage, SqliteStorage], other_process: Process
) -> None:
    storage, _ = pages
    other_process.wait_for("opened")
    other_process.type("\n")
    for _ in range(100):
        await storage.change("marks", "count", lambda text: str(int(text or 0) + 1))
    other_process.wait_for("locked")
    assert await storage.read("marks") == {"count": "200"}


async def test_the_lock_of_a_killed_process_is_free(tmp_path: Path, other_process: Process) -> None:
    other_process.wait_for("opened")
    other_process.type("\n")
    other_process.wait_for("locked")
    locks = FileLocks(tmp_path / "locks")
    assert await locks.try_lock("tab") is None
    other_process.end(SIGKILL)
    release = await locks.try_lock("tab")
    assert release is not None
    assert locks.interruptions == 0
    release()
    assert file_names(tmp_path / "locks") == ["guard"]


async def test_many_who_open_a_new_file_at_once_all_write(tmp_path: Path) -> None:
    pages = [SqliteStorage(tmp_path / "new.sqlite3") for _ in range(8)]
    await asyncio.gather(*(page.write("letters", {str(n): "x"}) for n, page in enumerate(pages)))
    assert len(await pages[0].read("letters")) == 8
    for page in pages:
        page.close()


async def test_what_was_written_outlives_closing(pages: tuple[SqliteStorage, SqliteStorage]) -> None:
    storage, _ = pages
    storage.close()  # never opened
    await storage.write("letters", {"a": "1"})
    storage.close()
    assert await storage.read("letters") == {"a": "1"}
    with sqlite3.connect(storage._path) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


async def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "missing" / "kizuna.sqlite3")
    with pytest.raises(StorageFailed, match="missing/kizuna.sqlite3: unable to open database file"):
        await storage.read("letters")
    (tmp_path / "missing").mkdir()
    assert await storage.read("letters") == {}
    storage.close()


async def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Ada, " * 100, encoding="utf-8")
    storage = SqliteStorage(path)
    with pytest.raises(StorageFailed, match="file is not a database"):
        await storage.write("letters", {"a": "1"})
    storage.close()
    assert path.read_text(encoding="utf-8").startswith("Dear Ada")


async def test_a_full_disk_undoes_the_whole_call(pages: tuple[SqliteStorage, SqliteStorage]) -> None:
    storage, other = pages
    await storage.write("letters", {"small": "before"})
    assert storage._connection is not None
    await storage._run(lambda database: database.execute("PRAGMA max_page_count = 5").fetchall())
    with pytest.raises(StorageFailed, match="full"):
        await storage.write("letters", {"small": "after", "large": "x" * 100_000})
    assert await other.read("letters") == {"small": "before"}
    await storage.write("letters", {"small": "after"})


async def test_text_that_sqlite_cannot_hold_is_a_failure_of_storage(
    pages: tuple[SqliteStorage, SqliteStorage],
) -> None:
    with pytest.raises(StorageFailed, match="surrogates not allowed"):
        await pages[0].write("letters", {"a": "\ud800"})


async def test_without_a_folder_locks_are_granted_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    locks = FileLocks(tmp_path / "file")
    for _ in range(2):
        release = await locks.try_lock("tab")
        assert release is not None
        release()
    assert locks.interruptions == 2
    assert caplog.text.count("locks are granted unchecked") == 1


async def test_a_lock_file_that_cannot_be_opened_grants_unchecked(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)
    release = await locks.try_lock("tab")
    assert release is not None
    (path,) = await asyncio.to_thread(lambda: list(tmp_path.glob("*.lock")))
    release()
    path.mkdir()
    assert await locks.try_lock("tab") is not None
    assert locks.interruptions == 1


async def test_a_lock_whose_folder_is_gone_is_freed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = FileLocks(tmp_path / "locks")
    release = await locks.try_lock("tab")
    assert release is not None
    (tmp_path / "locks").rename(tmp_path / "moved")
    monkeypatch.setattr(locks_module, "GUARD_TIMEOUT", 0.0)
    release()
    (tmp_path / "moved").rename(tmp_path / "locks")
    again = await locks.try_lock("tab")
    assert again is not None
    again()


def test_names_of_later_modules_are_found_and_others_not() -> None:
    with pytest.raises(AttributeError, match="module 'kizuna.aio' has no attribute 'Storage'"):
        _ = aio.Storage
