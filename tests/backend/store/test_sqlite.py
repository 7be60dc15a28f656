"""The particulars of SQLite: durability, ownership of the file, and readable errors."""

import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from backend.store import sqlite
from backend.store.base import Conflict, StoreUnavailable
from backend.store.sqlite import SqliteStore, end_of_prefix
from tests.backend.fakes import FakeClock
from tests.support.process import PATIENCE

TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\ud7ff\ue000\U0010ffff"), max_size=5
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "k.sqlite3"


def test_folder_is_made_and_items_survive_reopening(path):
    first = SqliteStore(path)
    first.put({"pk": "p", "sk": "s", "n": 1})
    first.close()
    second = SqliteStore(path)
    assert second.get("p", "s") == {"pk": "p", "sk": "s", "n": 1}
    second.close()


def test_commits_are_durable_and_in_wal(path):
    store = SqliteStore(path)
    assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    store.close()


def test_the_table_has_one_row_per_item_and_no_rowid(path):
    store = SqliteStore(path)
    ((sql,),) = store._writer.execute("SELECT sql FROM sqlite_master WHERE name = 'items'").fetchall()
    assert "WITHOUT ROWID" in sql
    store.close()


def test_a_page_of_a_long_log_is_found_by_the_index(path):
    store = SqliteStore(path)
    for query in (sqlite._QUERY, sqlite._QUERY_BACK):
        plan = store._writer.execute("EXPLAIN QUERY PLAN " + query, ("p", "", b"", 0, 10)).fetchall()
        assert "USING PRIMARY KEY (pk=? AND sk>? AND sk<?)" in plan[0][3]
        assert len(plan) == 1  # nothing is sorted
    store.close()


def test_a_file_that_is_no_database_is_one_clear_error(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear database, " * 100)
    with pytest.raises(StoreUnavailable, match=r"letter\.txt is not a SQLite database"):
        SqliteStore(path)
    assert path.read_text().startswith("Dear")


def test_another_applications_database_is_left_alone(tmp_path):
    path = tmp_path / "other.sqlite3"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(StoreUnavailable, match=r"other\.sqlite3 is a database of another application"):
        SqliteStore(path)


def test_a_newer_schema_is_one_clear_error(path):
    store = SqliteStore(path)
    store._writer.execute("PRAGMA user_version = 7")
    store.close()
    with pytest.raises(StoreUnavailable, match=r"k\.sqlite3 has schema 7; this version of Kizuna knows 1"):
        SqliteStore(path)


def test_a_path_that_cannot_be_made_names_the_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=r"cannot make the folder .*file/deep"):
        SqliteStore(tmp_path / "file" / "deep" / "k.sqlite3")
    with pytest.raises(StoreUnavailable, match="cannot read and write .*: Is a directory"):
        SqliteStore(tmp_path)


def test_only_its_owner_can_read_the_file_because_it_holds_a_secret(path):
    store = SqliteStore(path)
    store.put({"pk": "p", "sk": "s"})
    files = [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600] * 3
    store.close()


def test_a_folder_that_cannot_be_written_names_the_path():
    with pytest.raises(StoreUnavailable, match=r"cannot .*/proc/"):
        SqliteStore("/proc/k.sqlite3")


def test_one_process_at_a_time_uses_a_file(path):
    first = SqliteStore(path)
    with pytest.raises(StoreUnavailable, match=r"k\.sqlite3 is in use by another running server"):
        SqliteStore(path)
    first.close()
    SqliteStore(path).close()


def test_an_opening_that_failed_leaves_no_lock(tmp_path):
    path = tmp_path / "k.sqlite3"
    path.write_bytes(b"x" * 5000)
    with pytest.raises(StoreUnavailable):
        SqliteStore(path)
    path.unlink()
    SqliteStore(path).close()


def test_after_closing_every_call_says_so(path):
    store = SqliteStore(path)
    store.close()
    store.close()
    for call in (
        lambda: store.get("p", "s"),
        lambda: store.put({"pk": "p", "sk": "s"}),
        lambda: store.query("p"),
    ):
        with pytest.raises(StoreUnavailable, match=r"k\.sqlite3 was closed"):
            call()


def test_a_writer_that_another_process_blocks_is_a_conflict(path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.01)
    store = SqliteStore(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Conflict, match=r"k\.sqlite3 is locked"):
        store.put({"pk": "p", "sk": "s"})
    assert store.get("p", "s") is None  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    store.put({"pk": "p", "sk": "s"})
    store.close()


def test_a_broken_file_is_an_error_that_names_it(path):
    store = SqliteStore(path)
    store._writer.execute("DROP TABLE items")
    with pytest.raises(StoreUnavailable, match=r"k\.sqlite3: no such table"):
        store.query("p")
    with pytest.raises(StoreUnavailable, match=r"k\.sqlite3: no such table"):
        store.put({"pk": "p", "sk": "s"})
    store.close()


def test_purging_deletes_the_expired_rows_and_no_others(path):
    clock = FakeClock()
    store = SqliteStore(path, clock=clock)
    store.put({"pk": "p", "sk": "kept"})
    store.put({"pk": "p", "sk": "later", "expiresAt": int(clock.now) + 1})
    store.put({"pk": "p", "sk": "expired", "expiresAt": int(clock.now)})
    assert store.purge_expired() == 1
    assert store.purge_expired() == 0
    assert store._writer.execute("SELECT sk FROM items ORDER BY sk").fetchall() == [("kept",), ("later",)]
    store.close()


def test_partitions_by_prefix(path):
    store = SqliteStore(path)
    for pk in ("CONNECTION#a", "CONNECTION#b", "CONNECTION", "ROOM#a"):
        store.put({"pk": pk, "sk": "1"})
        store.put({"pk": pk, "sk": "2"})
    assert store.partitions("CONNECTION#") == ["CONNECTION#a", "CONNECTION#b"]
    assert store.partitions("") == ["CONNECTION", "CONNECTION#a", "CONNECTION#b", "ROOM#a"]
    store.close()


def test_reader_does_not_wait_for_an_open_transaction(path):
    store = SqliteStore(path)
    store.put({"pk": "p", "sk": "s", "n": 1})
    read = threading.Event()

    def read_meanwhile() -> None:
        assert store.get("p", "s") is not None
        read.set()

    with store._transaction() as writer:
        writer.execute(sqlite._DELETE, ("p", "s"))
        thread = threading.Thread(target=read_meanwhile)
        thread.start()
        assert read.wait(PATIENCE)
    thread.join()
    assert store.get("p", "s") is None
    store.close()


@given(prefix=TEXT, rest=TEXT, other=TEXT)
def test_end_of_a_prefix_follows_all_keys_with_the_prefix(prefix, rest, other):
    end = end_of_prefix(prefix)
    if end is None:
        assert set(prefix) <= {"\U0010ffff"}
        return
    assert (prefix + rest).encode() < end.encode()
    if other.encode() >= prefix.encode() and not other.startswith(prefix):
        assert other.encode() >= end.encode()
