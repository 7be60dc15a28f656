"""The headers of the built site, and the rules that its page carries itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.local.content_policy import Policy
from tools.build.errors import BuildError
from tools.build.policy import connect_sources, headers_file, policy_for_header, policy_for_page


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text('{"webSocketUrl": "wss://ws.example/prod", "tokenUrl": "https://id.example/token"}')
    return path


def rules(policy: str) -> dict[str, str]:
    return dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))


def test_the_page_may_contact_its_host_and_configured_ones(config: Path):
    connect = connect_sources(config)
    assert connect == ("'self'", "wss://ws.example", "https://id.example")
    for policy in (policy_for_header(connect), policy_for_page(connect)):
        assert rules(policy)["connect-src"] == "'self' wss://ws.example https://id.example"


def test_without_addresses_only_its_host_remains(tmp_path: Path):
    config = tmp_path / "config.json"
    config.write_text('{"webSocketUrl": "./ws", "tokenUrl": "", "ticketUrl": "/chat/ticket"}')
    assert connect_sources(config) == ("'self'",)
    assert connect_sources(config, "chat.example") == ("'self'", "ws://chat.example", "wss://chat.example")


@pytest.mark.parametrize(
    "url",
    ["wss://m\u00fcnchen.example/ws", "https://chat_server.example/", "wss://a:99999/", "chat.example/ws"],
)
def test_an_address_that_no_rule_can_contain_is_an_error(tmp_path: Path, url: str):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"webSocketUrl": url, "tokenUrl": ""}))
    with pytest.raises(BuildError, match=r"config\.json: .* cannot be allowed"):
        connect_sources(config)


def test_the_page_has_all_rules_except_header_only_ones(config: Path):
    header, page = (rules(policy(connect_sources(config))) for policy in (policy_for_header, policy_for_page))
    assert header.keys() - page.keys() == {"frame-ancestors"}
    assert page.items() <= header.items()
    assert page["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert page["style-src"] == "'self'"


def test_the_rules_are_those_of_the_server(tmp_path: Path):
    served = Policy(tmp_path).headers(None)["Content-Security-Policy"]
    assert policy_for_header(connect_sources(tmp_path / "config.json")) == served


def test_immutable_files_are_cached_and_others_revalidated(config: Path):
    text = headers_file(connect_sources(config))
    by_path: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("/"):
            headers = by_path[line] = {}
        else:
            name, _, value = line.strip().partition(": ")
            headers[name] = value
    assert by_path["/assets/*"] == {"Cache-Control": "public, max-age=31536000, immutable"}
    for path in ("/", "/index.html", "/service-worker.js", "/static/*"):
        assert by_path[path] == {"Cache-Control": "no-cache"}
    assert rules(by_path["/*"]["Content-Security-Policy"])["frame-ancestors"] == "'none'"
    assert by_path["/*"]["X-Content-Type-Options"] == "nosniff"
    # Two hosts disagree about two rules that name one header for one path.
    assert "Cache-Control" not in by_path["/*"]
