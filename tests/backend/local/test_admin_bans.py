"""The operator's commands: beside a running server, and on a table of AWS."""

import subprocess
import sys
from pathlib import Path

import pytest

from backend.auth.bans import Bans
from backend.local import admin
from backend.store.dynamodb import DynamoStore
from backend.store.sqlite import SqliteStore
from tests.support.peer import SocketClient, knock
from tests.support.process import PATIENCE
from tests.support.server import ROOT, KizunaServer, post, secret_of


def command(*arguments: str) -> str:
    """Return the output of a command in another process."""
    ended = subprocess.run(
        [sys.executable, "-m", "backend.admin", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_ban_beside_a_running_server_ends_and_refuses_connections(server: KizunaServer) -> None:
    server.start()
    token, url = server.token("Ann"), server.socket_url("Ann")
    ann, bob = SocketClient.enter(url), SocketClient.enter(server.socket_url("Bob"))
    user_id, data = ann.ready["userId"], str(server.data)
    assert command("--data", data, "ban", user_id, "--reason", "spam") == (
        f"Banned {user_id}; connections ended: 1\n"
    )
    bob.say("is she gone?")
    ann.send("ping", t=1)
    while (frame := ann.next())["type"] == "presence":
        pass
    assert (frame["type"], frame["reason"]) == ("bye", "unknown_connection")
    assert ann.closed()[0] == 1000

    assert knock(url) == 403
    for path, body in (
        ("/token", {"name": "Ann", "clientSecret": secret_of("Ann")}),
        ("/ticket", {"token": token}),
    ):
        status, answer = post(server.url + path, body)
        assert (status, answer["code"], answer["reason"]) == (403, "forbidden", "banned")

    assert "spam" in command("--data", data, "banned")
    assert command("--data", data, "unban", user_id) == f"{user_id} may come in again\n"
    assert knock(url) == 101
    bob.leave()
    assert server.stop() == 0
    assert "spam" not in server.output


def test_a_command_works_on_a_table_of_aws(moto: DynamoStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert admin.main(["--table", moto._table, "ban", "u-1"]) == 0
    assert Bans(moto).is_banned("u-1")
    assert admin.main(["--table", moto._table, "banned"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("u-1 ")


def test_the_file_is_the_servers_by_the_same_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA", str(tmp_path / "k.sqlite3"))
    assert admin.main(["banned"]) == 1
    assert capsys.readouterr().err == f"Kizuna cannot do that: there is no file {tmp_path / 'k.sqlite3'}\n"
    SqliteStore(tmp_path / "k.sqlite3").close()
    assert admin.main(["banned"]) == 0


def test_a_file_of_something_else_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ann, this is a letter and no database at all.")
    assert admin.main(["--data", str(tmp_path / "letter.txt"), "ban", "u-1"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_command_it_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert admin.main([]) == 1
    assert "COMMAND" in capsys.readouterr().err
