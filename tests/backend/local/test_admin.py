"""The operator's commands, on both stores, beside a server."""

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import pytest

from backend.local import admin
from backend.local.app import Options
from backend.messaging.message_log import Rooms, Sender
from backend.store.base import Store
from backend.store.dynamodb import DynamoStore
from backend.store.sqlite import SqliteStore
from chat.protocol import SendMessage
from tests.backend.fakes import Ids
from tests.backend.store.dynamodb import create_table
from tests.support.peer import SocketClient
from tests.support.process import PATIENCE
from tests.support.server import ROOT

ANN = Sender("ann", "Ann")
DAY = 24 * 3600


@dataclass
class DataLocation:
    """The place of the data: the flags that name it, and the store of a running server."""

    flags: list[str]
    store: Store

    @property
    def rooms(self):
        return Rooms(self.store, clock=time.time, new_id=Ids(f"{id(self)}-"))

    def say(self, *texts, room="general"):
        for text in texts:
            self.rooms.append(ANN, SendMessage(client_message_id=f"c-{text[:9]}", room_id=room, content=text))


@pytest.fixture(params=["sqlite", "dynamodb"])
def place(request, tmp_path, monkeypatch):
    if request.param == "sqlite":
        path = tmp_path / "k.sqlite3"
        store: Store = SqliteStore(path)
        yield DataLocation(["--data", str(path)], store)
        store.close()
        return
    client: Any = request.getfixturevalue("local_dynamodb")
    table = create_table(client)

    class Shared:
        """The client of all tests, which a command must not close."""

        def __getattr__(self, name):
            return getattr(client, name)

        def close(self):
            pass

    monkeypatch.setattr(admin, "dynamodb_client", Shared)
    yield DataLocation(["--table", table], DynamoStore(client, table))
    client.delete_table(TableName=table)


@pytest.fixture
def run(place, capsys):
    """Run a command; returns its lines."""

    def run(*arguments):
        assert admin.main([*arguments, *place.flags], {}) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out.splitlines()

    return run


@pytest.fixture
def refusal(capsys):
    """Run a command that refuses; returns its one line."""

    def run(*arguments, environment=None):
        assert admin.main([str(argument) for argument in arguments], environment or {}) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        (line,) = captured.err.splitlines()
        assert line.startswith("Kizuna cannot do that: ")
        return line

    return run


def test_messages_are_shown_with_what_an_operator_needs_of_each(place, run):
    place.say("hello", "two\nlines \x1b[31m\u202eand more", "x" * 100)
    lines = run("messages", "general")
    assert [line.split("  ")[0] for line in lines] == ["1", "2", "3"]
    number, said_at, user_id, name, words = lines[0].split("  ")
    assert (number, user_id, name, words) == ("1", "ann", "Ann", "hello")
    assert said_at.endswith("Z")
    assert lines[1].endswith("  two lines [31m and more")
    assert lines[2].endswith("  " + "x" * 59 + "…")
    assert run("messages", "general", "--last", "2") == lines[1:]


def test_a_message_is_deleted_beside_the_server_which_tells_it_so(place, run):
    place.say("first", "a secret")
    epoch = place.rooms.head("general").epoch
    assert run("delete", "general", "2") == [
        "Deleted message 2 in general. Backups made before still hold it"
    ]
    batch = place.rooms.read_after("general", 2, epoch)
    assert [(item.content, item.deleted) for item in batch.messages] == [
        ("first", False),
        ("[deleted]", True),
    ]
    assert batch.epoch != epoch
    assert run("delete", "general", "2") == ["Message 2 in general was deleted before"]


def test_messages_are_kept_for_days_and_for_ever(place, run):
    place.say("first", "second")
    assert run("keep", "general", "30") == [
        "Messages in general are kept for 30 days; older ones that were changed: 2"
    ]
    items = place.store.query("ROOM#general#LOG")
    assert [item["expiresAt"] for item in items] == [item["timestamp"] // 1000 + 30 * DAY for item in items]
    assert run("keep", "general", "forever") == [
        "Messages in general are kept forever; older ones that were changed: 2"
    ]
    assert not [item for item in place.store.query("ROOM#general#LOG") if "expiresAt" in item]


def test_what_cannot_be_done_is_one_line(place, refusal):
    place.say("first")
    assert "there are no messages in tea" in refusal("messages", "tea", *place.flags)
    assert "no message 7 in general" in refusal("delete", "general", "7", *place.flags)
    assert "at least 4 days" in refusal("keep", "general", "3", *place.flags)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["destroy"], "destroy"),
        (["delete", "general"], "SEQ"),
        (["delete", "general", "last"], "last"),
        (["delete", "two words", "1"], "ROOM"),
        (["keep", "general", "soon"], "whole number"),
        (["keep", "general", "36501"], "whole number"),
        (["keep", "general", "-5"], "whole number"),
        (["messages", "general", "--last", "0"], "from 1 to"),
        (["messages", "general", "--table", "no such/table"], "no name of a table"),
        (["messages", "general", "--table", "a-table", "--data", "a-file"], "not allowed with"),
    ],
)
def test_arguments_that_make_no_sense_are_one_line(refusal, arguments, words):
    assert words in refusal(*arguments)


def test_a_file_that_is_not_there_or_not_kizunas_is_left_alone(refusal, tmp_path):
    missing, empty, other = tmp_path / "missing", tmp_path / "empty", tmp_path / "other"
    empty.touch()
    other.write_text("no database at all, whatever it is called")
    assert f"there is no file {missing}" in refusal("messages", "general", "--data", missing)
    assert "empty: no Kizuna database" in refusal("messages", "general", "--data", empty)
    assert "is not a SQLite database" in refusal("messages", "general", "--data", other)
    assert not missing.exists()
    assert empty.stat().st_size == 0
    assert not list(tmp_path.glob("*.lock"))


def test_the_data_is_where_the_server_has_it(refusal, tmp_path):
    assert Options().data.as_posix() == admin.DATA
    named = tmp_path / "named by DATA"
    line = refusal("messages", "general", environment={"DATA": str(named)})
    assert line.endswith(f"there is no file {named}")


def test_what_is_not_installed_is_named(refusal, monkeypatch):
    def fail():
        raise ModuleNotFoundError("No module named 'boto3'", name="boto3")

    monkeypatch.setattr(admin, "dynamodb_client", fail)
    assert refusal("messages", "general", "--table", "a-table").endswith(
        "needs boto3, which is not installed"
    )


def test_people_who_are_connected_learn_of_a_deletion_with_their_next_ping(server):
    server.start()
    ann = SocketClient.enter(server.socket_url("Ann"))
    epoch = ann.say("a secret", "c-1")["epoch"]
    command = [sys.executable, "-m", "backend.admin", "delete", "general", "1", "--data", str(server.data)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout.startswith("Deleted message 1 in general.")
    ann.send("ping", t=1)
    (head,) = ann.read("pong")["heads"]
    assert head["epoch"] != epoch
    ann.send("sync", roomId="general", after=1, epoch=epoch, ref="r-1")
    (message,) = ann.read("batch", ref="r-1")["messages"]
    assert (message["deleted"], message["content"]) == (True, "[deleted]")
    ann.leave()
