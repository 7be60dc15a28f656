"""/token, /ticket, /health and /ws over HTTP, in this process."""

import asyncio
import contextlib
import json
import logging
import time
from unittest.mock import patch

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Mount
from starlette.types import Message

from backend.auth.tokens import Tokens
from backend.local.app import Options, Service
from backend.local.content_policy import SECURITY_HEADERS
from backend.local.web import Origins, create_app
from backend.messaging.message_log import Sender
from backend.store.base import StoreUnavailable
from chat.protocol import SendMessage
from tests.support.process import PATIENCE

MINE = "0123456789abcdef"
ELSEWHERE = "https://page.example"
MOUNTED = "http://chat.example:8000/team/chat/"


class AppClient(httpx.AsyncClient):
    """A client that also knows the application and its service."""

    app: Starlette
    service: Service


@contextlib.asynccontextmanager
async def serving(tmp_path, host="192.0.2.1", **options):
    """Run a server that accepts every Host; another ``host`` is the address it is bound to."""
    (tmp_path / "index.html").write_text("the page")
    app = create_app(Options(host=host, data=tmp_path / "k.sqlite3", root=tmp_path, **options))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    # A busy machine may take longer to end its threads than a stop allows.
    with patch("backend.local.web.CLOSE_SECONDS", PATIENCE):
        async with (
            app.router.lifespan_context(app),
            AppClient(transport=transport, base_url="http://chat.example:8000") as client,
        ):
            client.app, client.service = app, app.state.service
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


async def test_a_body_of_more_than_16_kib_is_413_announced_or_not(client):
    headers = {"Content-Type": "application/json"}
    body = json.dumps({"name": "Ann", "clientSecret": MINE, "more": "x" * 16_384}).encode()

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


# --- tickets, and what they are for ---


async def token_of(client, name="Ann"):
    return (await client.post("/token", json={"name": name, "clientSecret": MINE})).json()


async def ticket_for(client, token, **headers):
    return await client.post("/ticket", json={}, headers={"Authorization": f"Bearer {token}", **headers})


async def enter(client, token, path="/ws"):
    """Return /ws's first answer to this ticket or token and a hello: a frame, or the status of a refusal."""
    to_server: asyncio.Queue[Message] = asyncio.Queue()
    to_client: asyncio.Queue[Message] = asyncio.Queue()
    scope = {
        "type": "websocket",
        "path": path,
        "query_string": f"token={token}".encode(),
        "headers": [(b"host", b"chat.example:8000"), (b"origin", b"http://chat.example:8000")],
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    to_server.put_nowait({"type": "websocket.connect"})
    serving = asyncio.create_task(client.app(scope, to_server.get, to_client.put))
    answer = await to_client.get()
    if answer["type"] == "websocket.accept":
        hello = {"action": "hello", "v": 1, "rooms": [{"roomId": "general", "after": None}]}
        to_server.put_nowait({"type": "websocket.receive", "text": json.dumps(hello)})
        said = json.loads((await to_client.get())["text"])
        to_server.put_nowait({"type": "websocket.disconnect", "code": 1001})
    else:
        said = answer["status"]
    await serving
    return said


async def test_a_ticket_admits_the_person_of_its_token_once(client):
    token = await token_of(client)
    answer = await ticket_for(client, token["token"])
    assert answer.status_code == 200
    assert sorted(answer.json()) == ["expiresIn", "ticket"]
    assert answer.json()["expiresIn"] == 30
    assert answer.headers["cache-control"] == "no-store"
    ready = await enter(client, answer.json()["ticket"])
    assert (ready["type"], ready["userId"]) == ("ready", token["userId"])
    assert 3590 < ready["expiresIn"] <= 3600  # the token's life, not the ticket's
    assert await enter(client, answer.json()["ticket"]) == 403
    assert (await enter(client, token["token"]))["type"] == "ready"  # a token admits as often as it is shown


async def test_tickets_that_were_asked_for_at_once_are_several(client):
    token = (await token_of(client))["token"]
    answers = await asyncio.gather(*(ticket_for(client, token) for _ in range(5)))
    tickets = {answer.json()["ticket"] for answer in answers}
    assert len(tickets) == 5
    assert [(await enter(client, ticket))["type"] for ticket in tickets] == ["ready"] * 5


async def test_ticket_without_a_good_token_is_401_with_the_scheme(client):
    ticket = (await ticket_for(client, (await token_of(client))["token"])).json()["ticket"]
    elsewhere = Tokens(b"the secret of another server....", clock=time.time).issue("Ann", MINE).token
    old = Tokens(client.service.tokens._secret, clock=lambda: time.time() - 7200).issue("Ann", MINE).token
    for bad in (elsewhere, old, ticket, "x.y.z", ""):
        answer = await ticket_for(client, bad)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert bad == "" or bad not in answer.text
    assert (await client.post("/ticket", json={})).status_code == 401
    assert (await client.get("/ticket")).status_code == 405


async def test_neither_a_token_nor_a_ticket_stands_in_any_log_line(client, caplog):
    caplog.set_level(logging.DEBUG)
    token = (await token_of(client))["token"]
    ticket = (await ticket_for(client, token)).json()["ticket"]
    await ticket_for(client, token + "x")
    await client.post("/ticket?token=" + token, headers={"Authorization": token})
    for _ in range(2):
        await enter(client, ticket)
    await enter(client, token)
    assert "POST /ticket 200" in caplog.text
    assert "POST /ticket 401" in caplog.text
    assert "connection refused: ticket refused" in caplog.text
    own = "\n".join(line.getMessage() for line in caplog.records if not line.name.startswith("httpx"))
    for secret in (token, ticket, MINE):
        assert secret not in own


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
        ("http://my_chat:8000", "my_chat:8000", 200),
        ("http://my_chat", "my_other_chat", 403),
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


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "chat_backend"])
async def test_a_proxy_that_hides_the_host_is_named_in_the_log(client, caplog, host):
    """nginx sends the name of its upstream, unless it is told to pass the browser's Host on."""
    for _ in range(3):
        assert (await ask(client, "https://chat.example.org", host)).status_code == 403
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "'https://chat.example.org'" in warning
    assert f"Host: '{host}'" in warning
    assert "set ALLOWED_ORIGINS to" in warning


def test_forbidden_origin_is_logged_once_a_minute_and_forges_no_line(caplog):
    time_is = [0.0]
    origins = Origins(frozenset(), lambda: time_is[0])
    headers = [(b"origin", b"https://a\r\nforged"), (b"host", b"x" * 5000)]
    for now in (0.0, 59.0, 60.0, 61.0):
        time_is[0] = now
        assert not origins.admit(HTTPConnection({"type": "http", "headers": headers}))
    assert len(caplog.messages) == 2
    assert all("\n" not in line and len(line) < 1000 for line in caplog.messages)


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:8000", None, 200),
        ("localhost:9000", "http://localhost:9000", 200),
        ("LOCALHOST", None, 200),
        ("chat.localhost:8000", None, 200),
        ("[::1]:8000", "http://[::1]:8000", 200),
        ("127.0.0.2", None, 200),
        ("page.example", ELSEWHERE, 200),
        ("page.example:8000", None, 200),
        ("server.example", ELSEWHERE, 200),  # an allowed page may reach it by any name
        ("server.example", None, 403),
        ("evil.example:8000", "http://evil.example:8000", 403),
        ("127.0.0.1.evil.example", None, 403),
        ("192.0.2.1:8000", "http://192.0.2.1:8000", 403),
        ("", None, 403),
        ("[::1", None, 403),
        ("a b", None, 403),
    ],
)
async def test_a_server_bound_to_loopback_answers_to_known_hosts_alone(tmp_path, host, origin, status):
    """A name that its owner lets point at 127.0.0.1 makes the owner's page one of the same origin."""
    async with serving(tmp_path, "127.0.0.1", allowed_origins=frozenset({ELSEWHERE})) as client:
        assert (await ask(client, origin, host)).status_code == status
        headers = {"Host": host} | ({} if origin is None else {"Origin": origin})
        assert (await client.get("/", headers=headers)).status_code == status
        assert (await client.get("/health", headers=headers)).status_code == status


async def test_a_refused_host_is_told_the_setting_in_page_answer_and_log(tmp_path, caplog):
    async with serving(tmp_path, "localhost") as client:
        page = await client.get("/", headers={"Host": "chat.example.org"})
        assert "set ALLOWED_ORIGINS=https://chat.example.org," in page.text
        assert page.headers["content-type"].startswith("text/plain")
        answer = (await ask(client, "http://chat.example.org:81", "chat_backend")).json()
        assert (
            answer["code"] == "forbidden_origin"
        )  # pages know it, and name the setting with their own origin
        assert "set ALLOWED_ORIGINS=http://chat.example.org:81," in answer["message"]
        await client.get("/", headers={"Host": 'evil.example"><script>'})
        (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert "Host: 'chat.example.org'" in warning
        assert "set ALLOWED_ORIGINS=https://chat.example.org," in warning


async def test_no_host_at_all_comes_from_no_browser_and_is_answered(tmp_path):
    """Health checks of load balancers speak HTTP/1.0."""
    async with serving(tmp_path, "127.0.0.1") as client:
        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/health", "headers": [], "query_string": b""}
        await client.app(scope, None, send)
        assert sent[0]["status"] == 200


async def test_a_listed_origin_may_ask_and_read_the_answer(tmp_path):
    async with serving(tmp_path, allowed_origins=frozenset({ELSEWHERE})) as client:
        preflight = await client.options(
            "/token", headers={"Origin": ELSEWHERE, "Access-Control-Request-Method": "POST"}
        )
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == ELSEWHERE
        assert preflight.headers["access-control-allow-methods"] == "POST"
        assert "content-type" in preflight.headers["access-control-allow-headers"].lower()
        answer = await ask(client, ELSEWHERE)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == ELSEWHERE
        assert answer.headers["access-control-expose-headers"] == "Retry-After"
        assert answer.headers["vary"] == "Origin"
        bad = await client.post("/token", json={}, headers={"Origin": ELSEWHERE})
        assert bad.headers["access-control-allow-origin"] == ELSEWHERE  # the page can read what was wrong
        assert (await ask(client, "https://other.example")).status_code == 403


async def test_listed_origin_may_send_its_token_and_read_the_ticket(tmp_path):
    async with serving(tmp_path, allowed_origins=frozenset({ELSEWHERE})) as client:
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        preflight = await client.options("/ticket", headers={"Origin": ELSEWHERE, **asks})
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == ELSEWHERE
        assert "authorization" in preflight.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in preflight.headers
        token = (await token_of(client))["token"]
        for shown, status in ((token, 200), ("x.y.z", 401)):  # the page can read what was wrong, too
            answer = await ticket_for(client, shown, Origin=ELSEWHERE)
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == ELSEWHERE
            assert answer.headers["vary"] == "Origin"
        for origin in ("https://other.example", "null"):
            assert (await ticket_for(client, token, Origin=origin)).status_code == 403
            preflight = await client.options("/ticket", headers={"Origin": origin, **asks})
            assert preflight.status_code == 403
            assert "access-control-allow-origin" not in preflight.headers


async def test_who_is_refused_is_a_line_with_their_address(client, caplog):
    caplog.set_level(logging.INFO, "backend.auth.refusals")
    assert (await ask(client, "http://evil.example")).status_code == 403
    assert (await client.post("/token", content=b"x" * 20_000)).status_code == 413
    assert (await ticket_for(client, "x.y.z")).status_code == 401
    assert await enter(client, "nonsense") == 403
    lines = [record.getMessage() for record in caplog.records if record.name == "backend.auth.refusals"]
    assert lines == [
        "/token refused: a page of another origin (127.0.0.1)",
        "/token refused: a body that is too large (127.0.0.1)",
        "no ticket: token refused: DecodeError (127.0.0.1)",
        "connection refused: ticket refused: unknown, expired or used (127.0.0.1)",
    ]


# --- under a path ---


async def test_the_whole_server_works_under_a_path(tmp_path):
    (tmp_path / "index.html").write_text("the page")
    inner = create_app(Options(host="192.0.2.1", data=tmp_path / "k.sqlite3", root=tmp_path))
    outer = Starlette(routes=[Mount("/team/chat", inner)])
    transport = httpx.ASGITransport(app=outer, raise_app_exceptions=False)
    async with (
        inner.router.lifespan_context(inner),
        AppClient(transport=transport, base_url=MOUNTED) as client,
    ):
        client.app = outer
        assert (await client.get("")).text == "the page"
        assert (await client.get("health")).json() == {"status": "ok"}
        token = (await client.post("token", json={"name": "Ann", "clientSecret": MINE})).json()
        answer = await client.post("ticket", json={"token": token["token"]})
        ready = await enter(client, answer.json()["ticket"], "/team/chat/ws")
        assert (ready["type"], ready["userId"]) == ("ready", token["userId"])


# --- the rest ---


async def test_health_really_writes_to_the_store(client):
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"
    assert client.service.store.get("CONFIG", "HEALTH") is not None


async def test_health_is_503_when_the_store_takes_no_write(client, monkeypatch):
    def broken(*args):
        raise StoreUnavailable("no disk")

    monkeypatch.setattr(client.service.store, "put", broken)
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})
    assert answer.headers["cache-control"] == "no-store"


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


async def test_start_purges_old_connection_records_and_keeps_messages(tmp_path):
    async with serving(tmp_path) as client:
        token = (await client.post("/token", json={"name": "Ann", "clientSecret": MINE})).json()["token"]
        connections = client.service.backend.connections
        connections.open("old=", client.service.tokens.verify(token))
        connections.activate(connections.get("old="), ["general"])
        said = SendMessage(client_message_id="c-1", room_id="general", content="hi")
        client.service.backend.rooms.append(Sender("ann", "Ann"), said)
        head = client.service.backend.rooms.head("general")
    async with serving(tmp_path) as client:
        assert client.service.backend.connections.get("old=") is None
        assert client.service.backend.connections.members("general") == []
        assert client.service.backend.rooms.head("general") == head


async def test_the_house_is_kept_while_it_is_open(tmp_path, monkeypatch):
    monkeypatch.setattr("backend.local.app.SWEEP_SECONDS", 0)
    async with serving(tmp_path) as client:
        swept = client.service.gateway.sweep
        calls = []
        monkeypatch.setattr(client.service.gateway, "sweep", lambda: calls.append(swept()))
        while len(calls) < 2:
            await client.get("/health")


async def test_data_that_cannot_be_used_is_an_error_at_once(tmp_path):
    with pytest.raises(StoreUnavailable):
        create_app(Options(data=tmp_path, root=tmp_path))
