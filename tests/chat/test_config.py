"""config.json: empty means beside the page; anything wrong names the file and the key."""

from __future__ import annotations

from typing import Any

import pytest

from chat.config import parse_config
from kizuna.errors import ConfigurationError
from kizuna.wire import ARTICLE, KIZUNA, Numbers


@pytest.mark.parametrize(
    ("page", "beside"),
    [
        ("https://chat.example.org/", "chat.example.org"),
        ("https://chat.example.org/?lang=ja#/general", "chat.example.org"),
        ("https://chat.example.org/chat/", "chat.example.org/chat"),
        ("https://chat.example.org/a/b/index.html?ws=wss://evil.example#/x/y", "chat.example.org/a/b"),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000"),
        ("http://my_chat:8000/%E7%B5%86/", "my_chat:8000/%E7%B5%86"),
    ],
)
@pytest.mark.parametrize("empty", [{}, {"webSocketUrl": "", "tokenUrl": "", "ticketUrl": ""}])
def test_empty_addresses_mean_beside_the_page(page: str, beside: str, empty: dict[str, str]) -> None:
    config, secure = parse_config(empty, page), "s" if page.startswith("https") else ""
    assert config.web_socket_url == f"ws{secure}://{beside}/ws"
    assert config.token_url == f"http{secure}://{beside}/token"
    assert config.ticket_url == f"http{secure}://{beside}/ticket"


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("/live/ws", "chat.example.org/live/ws"),
        ("./ws", "chat.example.org/a/ws"),
        ("ws", "chat.example.org/a/ws"),
        ("../b/ws", "chat.example.org/b/ws"),
        ("ws?v=1", "chat.example.org/a/ws?v=1"),
        ("a/b.c/d", "chat.example.org/a/a/b.c/d"),
    ],
)
def test_addresses_may_be_relative_to_the_page(address: str, whole: str) -> None:
    data = {"webSocketUrl": address, "tokenUrl": address, "ticketUrl": address}
    for secure in ("", "s"):
        config = parse_config(data, f"http{secure}://chat.example.org/a/#/general")
        assert config.web_socket_url == f"ws{secure}://{whole}"
        assert config.token_url == config.ticket_url == f"http{secure}://{whole}"


def test_named_urls_are_taken_as_they_are() -> None:
    urls = {"webSocketUrl": "wss://a.example.org/prod", "tokenUrl": "https://b.example.org/token"}
    config = parse_config(urls, "https://page.example.org")
    assert (config.web_socket_url, config.token_url) == (urls["webSocketUrl"], urls["tokenUrl"])


OWN = "https://page.example.org"
TOKENS, TICKETS = "https://id.example.org/token", "https://chat.example.org/ticket"


@pytest.mark.parametrize(
    ("data", "ticket_url"),
    [
        ({}, f"{OWN}/ticket"),
        ({"ticketUrl": ""}, f"{OWN}/ticket"),
        ({"webSocketUrl": "wss://a.example.org", "tokenUrl": "", "ticketUrl": ""}, f"{OWN}/ticket"),
        ({"ticketUrl": TICKETS}, TICKETS),
        ({"tokenUrl": TOKENS, "ticketUrl": TICKETS}, TICKETS),
        ({"wire": "article", "ticketUrl": TICKETS}, TICKETS),
        ({"tokenUrl": "./token"}, f"{OWN}/ticket"),
        ({"tokenUrl": "/token", "wire": "article"}, None),
        ({"tokenUrl": TOKENS}, None),
        ({"tokenUrl": TOKENS, "ticketUrl": ""}, None),
        ({"wire": "article"}, None),
        ({"wire": "article", "tokenUrl": "", "ticketUrl": ""}, None),
    ],
)
def test_ticket_url_is_configured_beside_the_token_url_or_absent(
    data: dict[str, Any], ticket_url: str | None
) -> None:
    assert parse_config(data, OWN).ticket_url == ticket_url


def test_connection_numbers_become_options() -> None:
    config = parse_config({"connection": {"firstRetryDelay": 0.1, "maxRetries": 3}}, "http://x")
    assert config.options == {"first_retry_delay": 0.1, "max_retries": 3}
    assert (config.wire, parse_config({"wire": "article"}, "http://x").wire) == (KIZUNA, ARTICLE)


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        ({}, 30),
        ({"connection": {"maxRetries": 3}}, 30),
        ({"connection": {"idleRetryInterval": 7}}, 7),
        ({"wire": "article"}, 0),
        ({"wire": "article", "connection": {"idleRetryInterval": 7}}, 7),
    ],
)
def test_quiet_attempts_go_on_unless_configuration_or_article_say_otherwise(
    data: Any, seconds: float
) -> None:
    config = parse_config(data, "http://x")
    assert Numbers.of(config.wire.defaults, config.options).idle_retry_interval == seconds


@pytest.mark.parametrize(
    ("earlier", "name"),
    [
        ("impatience", "stale_attempt_after"),
        ("manualInterval", "try_now_interval"),
        ("rest", "idle_retry_interval"),
        ("sleepGap", "sleep_threshold"),
    ],
)
def test_an_earlier_name_of_a_number_is_read_with_a_warning(earlier: str, name: str) -> None:
    with pytest.warns(FutureWarning, match=f"connection.{earlier} is now called .*: rename it$"):
        options = parse_config({"connection": {earlier: 7}}, "http://x").options
    assert options == {name: 7}


def test_a_site_without_a_server_is_a_demo() -> None:
    assert parse_config({"demo": True, "webSocketUrl": ""}, OWN).demo
    assert not parse_config({"demo": False, "tokenUrl": TOKENS}, OWN).demo
    assert not parse_config({}, OWN).demo


def test_a_wrong_number_is_named_as_it_was_written() -> None:
    with (
        pytest.warns(FutureWarning),
        pytest.raises(ConfigurationError, match="connection.rest: must be a number"),
    ):
        parse_config({"connection": {"rest": True}}, "http://x")


def test_earlier_and_present_name_of_one_number_together_are_refused() -> None:
    numbers = {"rest": 60, "idleRetryInterval": 60}
    with pytest.raises(ConfigurationError, match="connection.rest: is the earlier name of idleRetryInterval"):
        parse_config({"connection": numbers}, "http://x")


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ([], "static/config.json"),
        ({"webSocketURL": ""}, "webSocketURL"),
        ({"webSocketUrl": "https://example.org"}, "webSocketUrl"),
        ({"webSocketUrl": "wss://"}, "webSocketUrl"),
        ({"webSocketUrl": "wss://[broken"}, "webSocketUrl"),
        ({"webSocketUrl": "wss://example.org/#part"}, "webSocketUrl"),
        ({"webSocketUrl": "//example.org/ws"}, "webSocketUrl"),
        ({"webSocketUrl": "chat.example.org/ws"}, "webSocketUrl"),
        ({"webSocketUrl": "localhost:8000/ws"}, "webSocketUrl"),
        ({"webSocketUrl": "./ws#part"}, "webSocketUrl"),
        ({"webSocketUrl": "wss:ws"}, "webSocketUrl"),
        ({"tokenUrl": "javascript:alert(1)"}, "tokenUrl"),
        ({"tokenUrl": "data:,x"}, "tokenUrl"),
        ({"webSocketUrl": 3}, "webSocketUrl"),
        ({"tokenUrl": "ftp://example.org"}, "tokenUrl"),
        ({"ticketUrl": "wss://example.org"}, "ticketUrl"),
        ({"ticketUrl": None}, "ticketUrl"),
        ({"wire": "carrier pigeon"}, "wire"),
        ({"wire": ["article"]}, "wire"),
        ({"demo": 1}, "demo: must be true or false"),
        (
            {"demo": True, "ticketUrl": "./ticket"},
            "demo: must be false where a server is named, as in ticketUrl",
        ),
        ({"connection": []}, "connection"),
        ({"connection": {"maxRetrys": 3}}, "connection.maxRetrys"),
        ({"connection": {"maxRetries": "five"}}, "connection.maxRetries"),
        ({"connection": {"maxRetries": 2.5}}, "connection.maxRetries"),
        ({"connection": {"heartbeatInterval": 0}}, "connection.heartbeatInterval"),
        ({"connection": {"firstRetryDelay": -1}}, "connection.firstRetryDelay"),
        ({"connection": {"jitter": 2}}, "connection.jitter"),
        ({"connection": {"max_retries": 1}}, "connection.max_retries"),
        ({"connection": {"wire": 1}}, "connection.wire"),
        ({"connection": {"idleRetryInterval": True}}, "connection.idleRetryInterval"),
    ],
)
def test_what_is_wrong_is_named(data: Any, key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_config(data, "http://x")
    assert "static/config.json" in str(caught.value)
    assert key in str(caught.value)
