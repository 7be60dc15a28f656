"""A full disk: acknowledged messages stay, others are refused for now, and work goes on when there is room."""

import contextlib
import http.client
import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.messaging.handlers import UNAVAILABLE_RETRY_SECONDS
from backend.store.sqlite import SqliteStore
from tests.backend.fakes import FakeGateway, Person
from tests.support.peer import SocketClient, knock
from tests.support.process import PATIENCE
from tests.support.server import LOOPBACK, KizunaServer, post
from tests.support.waiting import eventually

TEXT = "x" * 8000


# --- in this process: SQLite itself is told to take no more pages ---


@pytest.fixture
def limited(sqlite: SqliteStore) -> SqliteStore:
    """Return a store whose file may grow by a few pages more."""
    ((pages,),) = sqlite._writer.execute("PRAGMA page_count").fetchall()
    sqlite._writer.execute(f"PRAGMA max_page_count = {pages + 40}")
    return sqlite


def free(store: SqliteStore) -> None:
    """Let the file grow again."""
    store._writer.execute("PRAGMA max_page_count = 1000000")


def test_full_disk_is_busy_and_acknowledged_messages_stay(
    limited: SqliteStore, ann: Person, gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    nack = None
    stored = 0
    while nack is None:
        nack = ann.send(TEXT, f"c-{stored + 1}")
        stored += nack is None
    assert stored > 0
    assert nack == {
        "type": "nack",
        "clientMessageId": f"c-{stored + 1}",
        "code": "busy",
        "message": "nothing can be stored now, try again",
        "retryable": True,
        "retryAfter": UNAVAILABLE_RETRY_SECONDS,
    }
    (line,) = [message for message in caplog.messages if "cannot be stored" in message]
    assert "full" in line
    assert TEXT not in caplog.text
    assert [ack["clientMessageId"] for ack in ann.got("ack")] == [f"c-{n}" for n in range(1, stored + 1)]

    free(limited)
    assert ann.send(TEXT, f"c-{stored + 1}") is None
    assert ann.send("the last", f"c-{stored + 2}") is None
    assert [ack["seq"] for ack in ann.got("ack")] == list(range(1, stored + 3))
    assert not any(ack["duplicate"] for ack in ann.got("ack"))
    page = ann.say({"action": "history", "roomId": "general", "before": stored + 3})
    assert page is not None
    assert page["messages"][-1]["content"] == "the last"


def test_a_handshake_that_cannot_be_recorded_is_503(limited: SqliteStore, ann: Person, person) -> None:
    while ann.send(TEXT, f"c-{len(ann.got('ack'))}") is None:
        pass
    for number in range(1000):
        late = person("Late", None, connection_id="x" * 500 + f"{number}=")
        if late.connect()["statusCode"] != 200:
            break
    assert late.connect() == {"statusCode": 503, "body": "Service Unavailable"}
    free(limited)
    assert late.connect() == {"statusCode": 200}


# --- the real server on a small file system ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Take all the room that is left."""
    with contextlib.suppress(OSError), (folder / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)


def health(server: KizunaServer) -> int:
    """Return the status of /health."""
    with contextlib.closing(
        http.client.HTTPConnection(LOOPBACK, server.port, timeout=PATIENCE)
    ) as connection:
        connection.request("GET", "/health")
        return connection.getresponse().status


def answer_to(person: SocketClient, client_message_id: str) -> dict[str, Any]:
    """Send a long message, and how the server answers it."""
    person.send("sendMessage", clientMessageId=client_message_id, roomId="general", content=TEXT)
    while (answer := person.next()).get("clientMessageId") != client_message_id or answer[
        "type"
    ] == "message":
        pass
    return answer


def test_server_reports_a_full_disk_and_loses_nothing(small_disk: Path) -> None:
    with KizunaServer(small_disk / "k.sqlite3", RATE_LIMIT="0") as server:
        token = server.token("Zoe")
        ann = SocketClient.enter(server.socket_url("Ann"))
        acked = 3
        for number in range(acked):
            assert answer_to(ann, f"c-{number}")["type"] == "ack"
        fill(small_disk)
        for number in range(acked, acked + 2):
            nack = answer_to(ann, f"c-{number}")
            assert (nack["type"], nack["code"], nack["retryable"]) == ("nack", "busy", True)
            assert nack["retryAfter"] == UNAVAILABLE_RETRY_SECONDS

        assert eventually(lambda: health(server) == 503, what="/health 503")
        assert post(server.url + "/ticket", {"token": token})[0] == 503
        assert knock(f"{server.url.replace('http', 'ws')}/ws?token={token}") == 503

        (small_disk / "ballast").unlink()
        assert answer_to(ann, f"c-{acked}")["seq"] == acked + 1
        assert eventually(lambda: health(server) == 200, what="/health 200")
        assert knock(f"{server.url.replace('http', 'ws')}/ws?token={token}") == 101
        ann.leave()
        assert server.stop() == 0
        store = SqliteStore(small_disk / "k.sqlite3")
        assert len(store.query("ROOM#general#LOG")) == acked + 1
        store.close()
