"""config.json from the variables of a repository, or one line that says what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chat.config import parse_config
from tools.build.page_config import UnusableConfig, main, page_config

URLS = {
    "webSocketUrl": "wss://chat.example.org/ws",
    "tokenUrl": "https://chat.example.org/token",
    "ticketUrl": "https://chat.example.org/ticket",
}


@pytest.mark.parametrize("backend", ["https://chat.example.org", "https://chat.example.org/ "])
def test_the_addresses_follow_from_the_servers(backend: str):
    assert page_config({"KIZUNA_BACKEND": backend, "KIZUNA_CONFIG": ""}) == URLS


def test_a_server_may_lie_under_a_path():
    assert page_config({"KIZUNA_BACKEND": "https://a.example:8443/chat"}) == {
        "webSocketUrl": "wss://a.example:8443/chat/ws",
        "tokenUrl": "https://a.example:8443/chat/token",
        "ticketUrl": "https://a.example:8443/chat/ticket",
    }


def test_a_whole_configuration_is_taken_as_it_is():
    config = {**URLS, "connection": {"idleRetryInterval": 60}}
    assert page_config({"KIZUNA_CONFIG": json.dumps(config)}) == config


@pytest.mark.parametrize("environment", [{}, {"KIZUNA_BACKEND": " ", "KIZUNA_CONFIG": ""}])
def test_a_repository_that_names_no_server_gets_a_demo(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "page.json"
    assert main(["--to", str(path)], environment) == 0
    assert parse_config(json.loads(path.read_text(encoding="utf-8")), "https://page.example/").demo
    assert "the page is a demo" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"KIZUNA_CONFIG": '{"demo": true, "tokenUrl": "https://a.example/token"}'}, "tokenUrl"),
        ({"KIZUNA_BACKEND": "https://a.example", "KIZUNA_CONFIG": "{}"}, "both set"),
        ({"KIZUNA_BACKEND": "http://a.example"}, "must be an address such as https://chat.example.org"),
        ({"KIZUNA_BACKEND": "chat.example.org"}, "must be an address"),
        ({"KIZUNA_BACKEND": "https://a.example/?x=1"}, "must be an address"),
        ({"KIZUNA_BACKEND": "https://me:secret@a.example"}, "must be an address"),
        ({"KIZUNA_CONFIG": "{"}, "KIZUNA_CONFIG is no JSON"),
        ({"KIZUNA_CONFIG": "[]"}, "must be a JSON object"),
        ({"KIZUNA_CONFIG": "{}"}, "names no webSocketUrl"),
        ({"KIZUNA_CONFIG": '{"webSocketUrl": "wss://a.example/ws"}'}, "names no tokenUrl"),
        ({"KIZUNA_CONFIG": '{"webSocketUrl": "./ws", "tokenUrl": "./token"}'}, "names no webSocketUrl"),
        ({"KIZUNA_CONFIG": '{"webSocketURL": "wss://a.example/ws"}'}, "webSocketURL"),
        ({"KIZUNA_CONFIG": '{"webSocketUrl": "ws://a.example/ws"}'}, "wss:// and https:// only"),
    ],
)
def test_what_cannot_work_is_said(environment: dict[str, str], told: str):
    with pytest.raises(UnusableConfig, match=told):
        page_config(environment)


def test_the_exit_code_says_whether_the_file_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "page.json"
    assert main(["--to", str(path)], {"GITHUB_ACTIONS": "true", "KIZUNA_BACKEND": "here"}) == 1
    assert capsys.readouterr().err.startswith("::error::The page cannot be built: KIZUNA_BACKEND must be")
    assert not path.exists()
    assert main(["--to", str(path)], {"KIZUNA_BACKEND": "https://chat.example.org"}) == 0
    assert json.loads(path.read_text(encoding="utf-8")) == URLS
