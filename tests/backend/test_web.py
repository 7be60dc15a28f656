"""/token, /health and /ws over HTTP, in this process."""

import contextlib
import json
import logging

import httpx
import pytest

from backend.pages import SECURITY_HEADERS
from backend.service import Options, Service
from backend.store.base import StoreUnavailable
from backend.web import create_app

MINE = "0123456789abcdef"
ELSEWHERE = "https://page.example"


class Browser(httpx.AsyncClient):
    """A client that also knows the service behind what it asks."""

    service: Service


@contextlib.asynccontextmanager
async def serving(tmp_path, **options):
    (tmp_path / "index.html").write_text("the page")
    app = create_app(Options(data=tmp_path / "k.sqlite3", root=tmp_path, **options))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with Browser(transport=transport, base_url="http://chat.example:8000") as client:
            client.service = app.state.service
            yield client
    assert not app.state.hung


@pytest.fixture
async def client(tmp_path):
    async with serving(tmp_path) as made:
        yield made


async def test_a_name_and_a_secret_give_a_token(client):
    answer = await client.post("/token", json={"name": " Ann ", "clientSecret": MINE})
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"token", "userId", "expiresIn"}
    identity = client.service.tokens.verify(body["token"])
    assert (identity.name, identity.user_id) == ("Ann", body["userId"])
    assert body["expiresIn"] == 3600
    assert answer.headers["cache-control"] == "no-store"


async def test_tokens_and_people_survive_a_restart(tmp_path):
    async with serving(tmp_path) as client:
        first = (await client.post("/token", json={"name": "Ann", "clientSecret": MINE})).json()
    async with serving(tmp_path, token_lifetime=60) as client:
        assert client.service.tokens.verify(first["token"]).user_id == first["userId"]
        second = (await client.post("/token", json={"name": "Ann", "clientSecret": MINE})).json()
    assert (second["userId"], second["expiresIn"]) == (first["userId"], 60)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "invalid_field", "name"),
        ({"name": "Ann"}, "invalid_field", "clientSecret"),
        ({"name": "", "clientSecret": MINE}, "invalid_field", "name"),
        ({"name": "Ann", "clientSecret": "short"}, "invalid_field", "clientSecret"),
        ({"name": "Ann", "clientSecret": "\ud800" * 20}, "invalid_field", "clientSecret"),
        ([], "malformed_body", None),
        ("x", "malformed_body", None),
        (b"{", "malformed_body", None),
        (b"", "malformed_body", None),
        (b"\xff\xff\xff\xff", "malformed_body", None),
        (b"[" * 4000, "malformed_body", None),
    ],
)
async def test_a_bad_body_is_400_and_names_the_field(client, body, code, field):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await client.post("/token", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["field"]) == (code, field)
    assert answer.json()["message"].startswith(field or "the body: ")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_body_of_more_than_4_kib_is_413_announced_or_not(client):
    headers = {"Content-Type": "application/json"}
    body = json.dumps({"name": "Ann", "clientSecret": MINE, "more": "x" * 4096}).encode()

    async def piecemeal():
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    for content in (body, piecemeal()):
        answer = await client.post("/token", content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_what_is_not_json_is_415(client):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = await client.post("/token", content=b"{}", headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    good = json.dumps({"name": "Ann", "clientSecret": MINE}).encode()
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert (await client.post("/token", content=good, headers=headers)).status_code == 200


async def test_a_token_is_not_got(client):
    assert (await client.get("/token")).status_code == 405


# --- pages of other hosts ---


async def ask(client, origin, host="chat.example:8000"):
    headers = {"Origin": origin, "Host": host} if origin else {"Host": host}
    return await client.post("/token", json={"name": "Ann", "clientSecret": MINE}, headers=headers)


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        (None, "chat.example:8000", 200),
        ("http://chat.example:8000", "chat.example:8000", 200),
        ("https://chat.example", "chat.example", 200),
        ("https://chat.example", "chat.example:443", 200),
        ("http://[::1]:8000", "[::1]:8000", 200),
        ("http://evil.example", "chat.example:8000", 403),
        ("http://chat.example:8001", "chat.example:8000", 403),
        ("http://chat.example", "chat.example:8000", 403),
        ("http://chat.example.evil.example:8000", "chat.example:8000", 403),
        ("null", "chat.example:8000", 403),
        ("file://", "chat.example:8000", 403),
        ("", "chat.example:8000", 200),
    ],
)
async def test_by_default_only_the_servers_own_pages_get_tokens(client, origin, host, status):
    answer = await ask(client, origin, host)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers
    if status == 403:
        assert answer.json()["code"] == "forbidden_origin"


async def test_a_listed_origin_may_ask_and_read_the_answer(tmp_path):
    async with serving(tmp_path, allowed_origins=frozenset({ELSEWHERE})) as client:
        preflight = await client.options(
            "/token", headers={"Origin": ELSEWHERE, "Access-Control-Request-Method": "POST"}
        )
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == ELSEWHERE
        assert preflight.headers["access-control-allow-methods"] == "POST"
        assert preflight.headers["access-control-allow-headers"] == "authorization, content-type"
        answer = await ask(client, ELSEWHERE)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == ELSEWHERE
        assert answer.headers["vary"] == "Origin"
        bad = await client.post("/token", json={}, headers={"Origin": ELSEWHERE})
        assert bad.headers["access-control-allow-origin"] == ELSEWHERE  # the page can read what was wrong
        assert (await ask(client, "https://other.example")).status_code == 403


# --- the rest ---


async def test_health_really_reads_the_store(client, monkeypatch):
    assert (await client.get("/health")).json() == {"status": "ok"}

    def broken(*args):
        raise StoreUnavailable("no disk")

    monkeypatch.setattr(client.service.store, "get", broken)
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})


async def test_every_answer_has_the_security_headers(client):
    for answer in (
        await client.get("/"),
        await client.get("/missing"),
        await client.get("/health"),
        await client.post("/token", json={}),
    ):
        for name, value in SECURITY_HEADERS.items():
            assert answer.headers[name] == value
        assert "ws://chat.example:8000" in answer.headers["content-security-policy"]


async def test_the_access_log_has_no_query_and_cannot_be_forged(client, caplog):
    caplog.set_level(logging.INFO, "backend.access")
    await client.get("/?token=verysecret")
    await client.get("/a%0d%0aforged")
    lines = [record.getMessage() for record in caplog.records if record.name == "backend.access"]
    assert lines[0].startswith("GET / 200 ")
    assert lines[1].startswith("GET /a%0D%0Aforged 404 ")
    assert "verysecret" not in caplog.text


async def test_records_of_an_earlier_life_are_purged_at_the_start_and_messages_stay(tmp_path):
    async with serving(tmp_path) as client:
        token = (await client.post("/token", json={"name": "Ann", "clientSecret": MINE})).json()["token"]
        connections = client.service.backend.connections
        connections.open("old=", client.service.tokens.verify(token))
        connections.activate(connections.get("old="), ["general"])
        head = client.service.backend.rooms.head("general")
    async with serving(tmp_path) as client:
        assert client.service.backend.connections.get("old=") is None
        assert client.service.backend.connections.members("general") == []
        assert client.service.backend.rooms.head("general") == head


async def test_the_house_is_kept_while_it_is_open(tmp_path, monkeypatch):
    monkeypatch.setattr("backend.service.SWEEP_SECONDS", 0)
    async with serving(tmp_path) as client:
        swept = client.service.gateway.sweep
        calls = []
        monkeypatch.setattr(client.service.gateway, "sweep", lambda: calls.append(swept()))
        while len(calls) < 2:
            await client.get("/health")


async def test_data_that_cannot_be_used_is_an_error_at_once(tmp_path):
    with pytest.raises(StoreUnavailable):
        create_app(Options(data=tmp_path, root=tmp_path))
