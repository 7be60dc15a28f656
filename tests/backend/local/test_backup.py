"""Backup beside a running server, and restore under new epochs."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.auth.tokens import Tokens, load_secret
from backend.local import backup, restore
from backend.messaging.handlers import Backend
from backend.store import sqlite
from backend.store.sqlite import SqliteStore
from tests.backend.fakes import FakeGateway, Person
from tests.support.peer import SocketClient
from tests.support.process import PATIENCE
from tests.support.server import ROOT


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data" / "kizuna.sqlite3"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return tmp_path / "monday.sqlite3"


class ServerRun:
    """One run of a server on a file, driven by events."""

    def __init__(self, data: Path) -> None:
        self.store = SqliteStore(data)
        self.gateway = FakeGateway()
        self.tokens = Tokens(load_secret(self.store), clock=time.time)
        self.backend = Backend(self.store, self.gateway)

    def person(self, name: str) -> Person:
        """Return a person who is connected and has sent nothing."""
        someone = Person(self.backend, self.gateway, self.tokens, name, None)
        someone.connect()
        return someone

    def end(self) -> None:
        """Stop the server."""
        self.backend.close()
        self.store.close()


@pytest.fixture
def life(data) -> Iterator[Callable[[], ServerRun]]:
    """Begin a life on the data; lives that a test does not end are ended after it."""
    lives: list[ServerRun] = []

    def begin() -> ServerRun:
        lives.append(ServerRun(data))
        return lives[-1]

    yield begin
    for each in lives:
        each.end()


def talk(someone: Person, first: int, last: int) -> None:
    for number in range(first, last + 1):
        assert someone.send(f"m{number}", f"c-{number}") is None


def save(data: Path, saved: Path) -> None:
    assert backup.main([str(data), str(saved)]) == 0


def bring_back(saved: Path, data: Path) -> None:
    assert restore.main([str(saved), str(data)]) == 0


def refusal(command, *paths: Path, capsys) -> str:
    """Return the one line with which a command refuses."""
    assert command.main([str(path) for path in paths]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    line: str = captured.err.rstrip("\n")
    return line


# --- saving ---


def test_what_is_saved_beside_a_running_server_is_everything_of_one_moment(data, saved, life):
    running = life()
    ann = running.person("Ann")
    ann.hello("general", "other")
    talk(ann, 1, 3)
    save(data, saved)
    talk(ann, 4, 5)  # the server goes on
    copy = SqliteStore(saved)
    assert [item["content"] for item in copy.query("ROOM#general#LOG")] == ["m1", "m2", "m3"]
    assert load_secret(copy) == load_secret(running.store)
    copy.close()


def test_a_backup_is_one_file_that_its_owner_alone_can_read(data, saved, life):
    life()
    save(data, saved)
    assert saved.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in saved.parent.iterdir()) == ["data", "monday.sqlite3"]
    readable = sqlite3.connect(f"file:{saved}?immutable=1", uri=True)
    assert readable.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    readable.close()


def test_what_a_killed_server_left_in_its_wal_is_saved_too(data, saved, life, tmp_path):
    running = life()
    ann = running.person("Ann")
    ann.hello("general")
    talk(ann, 1, 3)
    # As a kill leaves them: copied while the server has not tidied up.
    killed = tmp_path / "killed.sqlite3"
    for suffix in ("", "-wal"):
        killed.with_name(killed.name + suffix).write_bytes(data.with_name(data.name + suffix).read_bytes())
    save(killed, saved)
    copy = SqliteStore(saved)
    assert len(copy.query("ROOM#general#LOG")) == 3
    copy.close()


def test_backup_overwrites_nothing_even_with_swapped_names(data, saved, life, capsys):
    life()
    save(data, saved)
    capsys.readouterr()
    before = saved.read_bytes()
    assert refusal(backup, data, saved, capsys=capsys) == (
        f"Kizuna cannot save: {saved} exists already; choose another name"
    )
    assert saved.read_bytes() == before


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Return another application's database."""
    path = tmp_path / "theirs.sqlite3"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    return path


@pytest.fixture
def damaged(data, saved: Path, life) -> Path:
    """Return a backup of which a part was overwritten."""
    first = life()
    ann = first.person("Ann")
    ann.hello("general")
    for number in range(50):
        ann.send("x" * 1000, f"c-{number}")
    first.end()
    save(data, saved)
    content = bytearray(saved.read_bytes())
    content[8192:32768] = b"\x5a" * (32768 - 8192)
    saved.write_bytes(content)
    return saved


@pytest.mark.parametrize("command", [backup, restore])
def test_what_is_no_kizuna_database_is_refused_in_one_line(command, tmp_path, foreign, capsys):
    target = tmp_path / "target.sqlite3"
    letter, empty = tmp_path / "letter.txt", tmp_path / "empty"
    letter.write_text("Dear database, " * 100)
    empty.touch()
    for source, words in (
        (tmp_path / "nowhere", f"there is no file {tmp_path}/nowhere"),
        (tmp_path, f"there is no file {tmp_path}"),
        (letter, f"{letter} is not a SQLite database"),
        (empty, f"{empty} is empty: no Kizuna database"),
        (foreign, f"{foreign} is a database of another application"),
    ):
        assert refusal(command, source, target, capsys=capsys).endswith(f": {words}")
        assert not target.exists()


@pytest.mark.parametrize("command", [backup, restore])
def test_a_damaged_database_is_neither_saved_nor_brought_back(command, damaged, tmp_path, capsys):
    capsys.readouterr()
    target = tmp_path / "target.sqlite3"
    said = refusal(command, damaged, target, capsys=capsys)
    assert f"{damaged} is damaged: " in said
    assert not target.exists()


def test_a_folder_that_is_not_there_is_named(data, life, tmp_path, capsys):
    life()
    nowhere = tmp_path / "no" / "such" / "folder"
    said = refusal(backup, data, nowhere, capsys=capsys)
    assert said == f"Kizuna cannot save: cannot write {nowhere}: No such file or directory"


def test_locked_data_file_is_refused_after_the_timeout(data, saved, life, capsys, monkeypatch):
    life().end()
    save(data, saved)
    capsys.readouterr()
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.01)
    shell = sqlite3.connect(data, isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    assert refusal(restore, saved, data, capsys=capsys) == (
        f"Kizuna cannot restore: {data} is locked by another process"
    )
    shell.close()


# --- bringing back ---


def test_client_ahead_of_the_backup_gets_the_newest_page(data, saved, life):
    first = life()
    ann = first.person("Ann")
    ann.hello("general")
    talk(ann, 1, 3)
    save(data, saved)
    talk(ann, 4, 5)
    epoch = ann.got("ack")[0]["epoch"]
    first.end()
    bring_back(saved, data)

    ann = life().person("Ann")
    ann.hello({"roomId": "general", "after": 5, "epoch": epoch})
    (batch,) = ann.got("batch")
    answer = ann.say({"action": "sync", "roomId": "general", "after": 5, "epoch": epoch, "ref": "r-1"})
    assert answer == {**batch, "ref": "r-1"}
    assert batch["epoch"] != epoch
    assert {message["epoch"] for message in batch["messages"]} == {batch["epoch"]}
    assert [message["content"] for message in batch["messages"]] == ["m1", "m2", "m3"]
    assert (batch["head"], batch["complete"], batch["limited"]) == (3, True, False)
    # The numbers 4 and 5 are given anew, to other words; the epoch tells them apart.
    ann.send("another fourth", "d-4")
    assert (ann.got("ack")[0]["seq"], ann.got("ack")[0]["epoch"]) == (4, batch["epoch"])


def test_client_behind_the_backup_gets_the_new_epoch(data, saved, life):
    first = life()
    ann = first.person("Ann")
    ann.hello("general")
    talk(ann, 1, 3)
    epoch = ann.got("ack")[0]["epoch"]
    first.end()
    save(data, saved)
    bring_back(saved, data)
    ann = life().person("Ann")
    ann.hello({"roomId": "general", "after": 2, "epoch": epoch})
    (batch,) = ann.got("batch")
    assert [message["seq"] for message in batch["messages"]] == [1, 2, 3]
    assert ann.say({"action": "ping"})["heads"][0]["epoch"] == batch["epoch"] != epoch


def test_messages_in_the_backup_are_duplicates_and_later_ones_are_not(data, saved, life):
    first = life()
    ann = first.person("Ann")
    ann.hello("general")
    talk(ann, 1, 3)
    save(data, saved)
    talk(ann, 4, 5)
    first.end()
    bring_back(saved, data)
    ann = life().person("Ann")
    ann.hello("general")
    talk(ann, 3, 5)
    assert [(ack["seq"], ack["duplicate"]) for ack in ann.got("ack")] == [(3, True), (4, False), (5, False)]


def test_restore_begins_an_epoch_in_every_room_and_keeps_people(data, saved, life, capsys):
    first = life()
    ann = first.person("Ann")
    rooms = [f"r{number}" for number in range(150)]
    ann.hello()
    for number, room in enumerate(rooms):
        ann.send("first", f"c-{number}", room)
    before = {room: first.backend.rooms.head(room).epoch for room in rooms}
    first.end()
    save(data, saved)
    capsys.readouterr()
    bring_back(saved, data)
    assert capsys.readouterr().out == f"Restored {data} from {saved}; rooms that begin a new epoch: 150\n"
    second = life()
    after = {room: second.backend.rooms.head(room).epoch for room in rooms}
    assert len(set(after.values()) - set(before.values())) == 150
    assert second.tokens.verify(ann.token).user_id == ann.user_id


def test_connections_of_the_backups_moment_are_dropped(data, saved, life):
    first = life()
    for name in ("Ann", "Bob"):
        first.person(name).hello("general", "other")
    save(data, saved)
    first.end()
    bring_back(saved, data)
    store = life().store
    assert store.partitions("CONNECTION#") == []
    assert store.partitions("USER#") == []
    assert store.query("ROOM#general") == []


def test_it_makes_the_data_where_there_was_none(data, saved, life):
    life().end()
    save(data, saved)
    elsewhere = saved.parent / "new" / "k.sqlite3"
    bring_back(saved, elsewhere)
    assert elsewhere.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in elsewhere.parent.iterdir()) == ["k.sqlite3", "k.sqlite3.lock"]
    SqliteStore(elsewhere).close()


def test_nothing_of_what_a_killed_server_left_in_its_wal_comes_through(data, saved, life, tmp_path):
    first = life()
    ann = first.person("Ann")
    ann.hello("general")
    talk(ann, 1, 3)
    save(data, saved)
    talk(ann, 4, 50)
    killed = tmp_path / "killed.sqlite3"
    for suffix in ("", "-wal"):
        killed.with_name(killed.name + suffix).write_bytes(data.with_name(data.name + suffix).read_bytes())
    bring_back(saved, killed)
    store = SqliteStore(killed)
    assert len(store.query("ROOM#general#LOG")) == 3
    store.close()


def test_data_that_a_server_uses_is_left_alone(data, saved, life, capsys):
    running = life()
    save(data, saved)
    capsys.readouterr()
    assert refusal(restore, saved, data, capsys=capsys) == (
        f"Kizuna cannot restore: {data} is in use by another running server"
    )
    running.person("Ann").hello("general")


def test_another_applications_database_is_not_overwritten(data, saved, life, foreign, capsys):
    life().end()
    save(data, saved)
    capsys.readouterr()
    before = foreign.read_bytes()
    said = refusal(restore, saved, foreign, capsys=capsys)
    assert said == f"Kizuna cannot restore: {foreign} is a database of another application"
    assert foreign.read_bytes() == before


# --- as commands, beside the real server ---


def run(command: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"backend.{command}", *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_a_server_that_goes_on_speaking_is_saved_stopped_and_restored(server, tmp_path):
    server.start()
    saved = tmp_path / "saved.sqlite3"
    ann = SocketClient.enter(server.socket_url("Ann"))
    first = ann.say("before", "c-1")
    ended = run("backup", server.data, saved)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"Saved {server.data} in {saved}\n", "")
    ann.say("after", "c-2")
    ended = run("restore", saved, server.data)
    assert ended.returncode == 1
    assert ended.stderr == f"Kizuna cannot restore: {server.data} is in use by another running server\n"
    assert server.stop() == 0
    ended = run("restore", saved, server.data)
    assert (ended.returncode, ended.stderr) == (0, "")
    server.start()
    again = SocketClient.enter(server.socket_url("Ann"))
    assert [message["content"] for message in again.batch["messages"]] == ["before"]
    assert again.batch["epoch"] != first["epoch"]
    again.leave()
    ann.leave()
