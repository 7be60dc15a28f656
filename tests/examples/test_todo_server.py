"""The server of examples/todo speaks wire KIZUNA: numbers, pages, duplicates, refusals, and its own end."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

import pytest

from tests.examples.todo_server import Server
from tests.support.peer import Frame, SocketClient

PAGE = 100


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("todo") / "todo.sqlite3").start()
    yield server
    for client in server.clients:
        client.leave()
    server.process.end(SIGTERM)


@pytest.fixture
def room() -> str:
    return secrets.token_hex(4)


def seqs(batch: Frame) -> list[int]:
    return [item["seq"] for item in batch["messages"]]


def ask(client: SocketClient, action: str, **fields: Any) -> Frame:
    """Send a request, and return its answer."""
    ref = secrets.token_hex(4)
    client.send(action, ref=ref, **fields)
    return client.read(ref=ref, kind="batch")


def test_hello_is_answered_by_ready_and_a_batch_of_each_room(server: Server, room: str) -> None:
    client = server.enter(room)
    assert client.received[0]["type"] == "ready"
    client.send("hello", v=1, rooms=[{"roomId": name, "after": None} for name in (room, f"{room}-2")])
    assert client.next()["type"] == "ready"
    assert [client.next()["roomId"] for _ in range(2)] == [room, f"{room}-2"]
    expected = {"messages": [], "head": 0, "complete": True, "limited": False, "ref": None}
    assert expected.items() <= client.batch.items()


def test_a_message_is_acknowledged_then_sent_to_all_members(server: Server, room: str) -> None:
    sender, member, other = server.enter(room), server.enter(room), server.enter(f"{room}-2")
    sender.send("sendMessage", clientMessageId="c1", roomId=room, add="milk", seq=7, ref="x")
    ack, item = sender.next(), sender.next()
    assert (ack["type"], ack["seq"], ack["duplicate"]) == ("ack", 1, False)
    about = {"type": "message", "roomId": room, "epoch": sender.batch["epoch"], "seq": 1}
    assert item == {**about, "clientMessageId": "c1", "add": "milk"} == member.next()
    other.send("ping", t=5)
    assert other.next()["type"] == "pong"


def test_a_message_is_stored_once_however_often_it_is_sent(server: Server, room: str) -> None:
    first = server.enter(room)
    first.say("milk", "c1")
    first.vanish()
    second = server.enter(room)
    assert second.say("milk", "c1")["duplicate"]
    assert second.say("milk", "c2")["seq"] == 2
    assert server.enter(f"{room}-2").say("another room", "c1")["seq"] == 1


def test_the_beginning_is_served_in_pages_without_a_gap(server: Server, room: str) -> None:
    writer = server.enter(room)
    for number in range(PAGE * 2 + 50):
        writer.send("sendMessage", clientMessageId=str(number), roomId=room, n=number)
    writer.read("ack", seq=PAGE * 2 + 50)
    reader = server.enter(room, after=0, epoch=None)
    batches = [reader.batch]
    while not batches[-1]["complete"]:
        after = batches[-1]["next"]
        batches.append(ask(reader, "sync", roomId=room, after=after, epoch=batches[-1]["epoch"]))
    assert [seq for batch in batches for seq in seqs(batch)] == list(range(1, PAGE * 2 + 51))
    assert [item["n"] for batch in batches for item in batch["messages"]] == list(range(PAGE * 2 + 50))
    assert not any(batch["limited"] for batch in batches)
    newest = ask(reader, "join", roomId=room, after=None, epoch=None)
    assert (seqs(newest), newest["complete"]) == (list(range(PAGE + 51, PAGE * 2 + 51)), True)


def test_history_goes_back_to_the_first_item(server: Server, room: str) -> None:
    client = server.enter(room)
    for number in range(5):
        client.say(str(number))
    page = ask(client, "history", roomId=room, before=5, limit=2)
    assert (seqs(page), page["complete"], page["next"]) == ([3, 4], False, 3)
    page = ask(client, "history", roomId=room, before=3, limit=1000)
    assert (seqs(page), page["complete"]) == ([1, 2], True)
    assert seqs(ask(client, "history", roomId=room, before=0, limit=-1)) == []


def test_another_history_is_served_from_its_first_item(server: Server, room: str) -> None:
    client = server.enter(room)
    client.say("milk")
    for known in ({"after": 1, "epoch": "another"}, {"after": 7, "epoch": client.batch["epoch"]}):
        assert seqs(server.enter(room, **known).batch) == [1]
    assert seqs(server.enter(room, after=1, epoch=client.batch["epoch"]).batch) == []


def test_a_pong_names_the_rooms_of_the_connection_and_their_heads(server: Server, room: str) -> None:
    client = server.enter(room)
    client.say("milk")
    client.send("join", roomId=f"{room}-2", after=None, epoch=None, ref="r")
    client.send("leave", roomId=room)
    client.send("ping", t=5)
    head = {"roomId": f"{room}-2", "epoch": client.batch["epoch"], "seq": 0}
    assert client.read("pong") == {"type": "pong", "t": 5, "heads": [head]}


@pytest.mark.parametrize(
    "broken",
    [
        *("", "no JSON", "[]", "7", "null", '"hello"', "{}", "[" * 50_000),
        *('{"action": "dance"}', '{"action": 7}', '{"action": {}}', '{"action": "hello"}'),
        *('{"action": "hello", "rooms": 7}', '{"action": "hello", "rooms": [7]}'),
        *('{"action": "join"}', '{"action": "join", "roomId": 7}', '{"action": "leave", "roomId": {}}'),
        '{"action": "sync", "roomId": "r", "after": "1"}',
        '{"action": "history", "roomId": "r", "before": 1e400, "limit": 1}',
        '{"action": "sendMessage", "roomId": "r"}',
        b"\xff\xfe",
    ],
)
def test_a_broken_frame_is_an_error_and_ends_nothing(server: Server, broken: str | bytes) -> None:
    client = server.enter("broken")
    client.raw(broken)
    error = client.read()
    while error["type"] in ("ready", "batch"):  # of the part that was right
        error = client.read()
    assert (error["type"], error["code"]) == ("error", "invalid")
    client.send("ping", t=1)
    assert client.read("pong")


@pytest.mark.parametrize("message", [{"add": "x" * 20_000}, {"roomId": 7}, {"roomId": "\ud800"}])
def test_a_message_that_is_refused_is_named(server: Server, room: str, message: Frame) -> None:
    client = server.enter(room)
    client.raw(json.dumps({"action": "sendMessage", "clientMessageId": "c", "roomId": room, **message}))
    nack = client.next()
    assert (nack["type"], nack["clientMessageId"], nack["retryable"]) == ("nack", "c", False)


@pytest.mark.parametrize("by", [SIGTERM, SIGKILL])
def test_items_and_epoch_outlive_the_server(tmp_path: Path, by: int) -> None:
    server = Server(tmp_path / "todo.sqlite3").start()
    client = server.enter("todo")
    client.say("milk", "c1")
    server.process.end(by)
    assert client.closed()[0] == (1012 if by == SIGTERM else 1006)
    client.leave()
    server.start()
    again = server.enter("todo", after=0, epoch=client.batch["epoch"])
    assert (seqs(again.batch), again.batch["epoch"]) == ([1], client.batch["epoch"])
    assert again.say("milk", "c1")["duplicate"]
    again.leave()
    server.process.end(SIGTERM)


def test_a_restored_backup_gets_another_epoch(tmp_path: Path) -> None:
    server = Server(tmp_path / "todo.sqlite3").start()
    before = server.enter("todo")
    before.say("milk")
    before.leave()
    server.process.end(SIGTERM)
    with closing(sqlite3.connect(server.data)) as database:
        database.execute("DELETE FROM life")
        database.commit()
    server.start()
    after = server.enter("todo", after=1, epoch=before.batch["epoch"])
    assert after.batch["epoch"] != before.batch["epoch"]
    assert seqs(after.batch) == [1]
    after.leave()
    server.process.end(SIGTERM)
