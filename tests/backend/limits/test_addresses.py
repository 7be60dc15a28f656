"""The limits of an address for tokens and tickets."""

import contextlib

import httpx
import pytest

from backend.auth.keys import SharedSecret
from backend.auth.tokens import AUDIENCE
from backend.auth.verification import JwtVerifier
from backend.aws.app import Cloud, Settings
from backend.limits.addresses import MAX_WAIT_SECONDS, Addresses, InvalidProxy, proxies_in, trusted_hosts
from backend.local.app import Options
from backend.local.web import create_app
from tests.backend.conftest import SECRET
from tests.backend.fakes import ApiGateway, FakeClock, FakeGateway
from tests.support.server import KizunaServer, post, secret_of

ANN = {"name": "Ann", "clientSecret": secret_of("Ann")}


@pytest.fixture
def monotonic():
    return FakeClock(0)


@pytest.fixture
def addresses(monotonic):
    return Addresses({"/token": 1, "/ticket": 5}, monotonic=monotonic)


def served(addresses, path, *whose):
    """Return how many requests of each of these addresses in turn pass, until one does not."""
    count = 0
    while not any(addresses.wait(path, address) for address in whose):
        count += 1
        assert count < 1000
    return count


def test_so_many_pass_at_once_and_then_so_many_a_second(addresses, monotonic):
    assert served(addresses, "/token", "192.0.2.1") == 60
    assert served(addresses, "/ticket", "192.0.2.1") == 120
    monotonic.advance(2)
    assert served(addresses, "/token", "192.0.2.1") == 2
    assert served(addresses, "/ticket", "192.0.2.1") == 10


def test_each_address_has_a_bucket_and_ipv6_counts_by_network(addresses):
    assert served(addresses, "/token", "192.0.2.1") == 60
    assert served(addresses, "/token", "192.0.2.2") == 60
    assert served(addresses, "/token", "2001:db8::1", "2001:db8::ffff:2") == 30
    assert served(addresses, "/token", "2001:db8:0:1::1") == 60
    assert addresses.wait("/token", "::ffff:192.0.2.1") > 0  # as a socket sees it that takes both


def test_who_is_refused_is_told_to_come_one_after_the_other(addresses, monotonic):
    assert served(addresses, "/token", "192.0.2.1") == 60
    assert [addresses.wait("/token", "192.0.2.1") for _ in range(3)] == [2, 3, 4]
    for _ in range(100):
        longest = addresses.wait("/token", "192.0.2.1")
    assert longest == MAX_WAIT_SECONDS
    monotonic.advance(MAX_WAIT_SECONDS)
    assert served(addresses, "/token", "192.0.2.1") == 60


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_not_bounded(addresses, address):
    assert {addresses.wait("/token", address) for _ in range(500)} == {0}


@pytest.mark.parametrize("address", ["127.0.0.2", "10.0.0.1", "testclient", "", None])
def test_every_other_address_is(addresses, address):
    assert served(addresses, "/token", address) == 60


def test_this_machine_is_bounded_where_it_is_named_as_proxy(monotonic):
    addresses = Addresses({"/token": 1}, monotonic=monotonic, proxies=proxies_in("127.0.0.1"))
    assert served(addresses, "/token", "127.0.0.1") == 60


def test_each_limit_can_be_off(monotonic):
    addresses = Addresses({"/token": 0, "/ticket": 0}, monotonic=monotonic)
    assert {addresses.wait("/token", "192.0.2.1") for _ in range(500)} == {0}


def test_the_log_names_an_address_that_asks_too_often_once_a_minute(addresses, monotonic, caplog):
    for _ in range(70):
        addresses.wait("/token", "192.0.2.1")
    (message,) = caplog.messages
    assert message.startswith("192.0.2.1 asks /token too often and is answered by 429.")
    assert "PROXIES" in message
    monotonic.advance(59)
    served(addresses, "/token", "192.0.2.1")
    assert len(caplog.messages) == 1
    monotonic.advance(1)
    served(addresses, "/token", "192.0.2.1")
    assert len(caplog.messages) == 2


def test_untrusted_local_proxy_is_logged_once(addresses, monotonic, caplog):
    for _ in range(3):
        addresses.wait("/token", "192.0.2.1", forwarded=True)
        addresses.wait("/token", "127.0.0.1")
    assert caplog.messages == []
    for _ in range(3):
        addresses.wait("/token", "127.0.0.1", forwarded=True)
    (message,) = caplog.messages
    assert "set PROXIES" in message


def test_proxies_are_addresses_and_networks():
    assert proxies_in("") == ()
    assert [str(proxy) for proxy in proxies_in("127.0.0.1, 10.0.0.0/8 ::1")] == [
        "127.0.0.1/32",
        "10.0.0.0/8",
        "::1/128",
    ]
    for text in ("nginx", "*", "10.0.0.1/8", "127.0.0.1:80"):
        with pytest.raises(InvalidProxy, match=r"^\S+$"):
            proxies_in(f"10.0.0.1 {text}")
    assert trusted_hosts(proxies_in("10.0.0.0/8 ::1")) == ["10.0.0.0/8", "::1/128", "::ffff:10.0.0.0/104"]


# --- one machine ---

ORIGIN = "https://chat.example.org"


@contextlib.asynccontextmanager
async def asking(tmp_path, **options):
    """Return a function that asks a server of these options from this machine for status, code and headers."""
    (tmp_path / "index.html").write_text("the page")
    app = create_app(Options(data=tmp_path / "k.sqlite3", root=tmp_path, **options))
    transport = httpx.ASGITransport(app=app)
    client = httpx.AsyncClient(transport=transport, base_url="http://chat.example")

    async def ask(forwarded_for, path="/token"):
        headers = {"X-Forwarded-For": forwarded_for, "Origin": ORIGIN}
        answer = await client.post(path, json=ANN, headers=headers)
        return answer.status_code, answer.json().get("code"), answer.headers

    async with app.router.lifespan_context(app), client:
        yield ask


async def test_behind_a_named_proxy_the_address_counts_that_it_adds(tmp_path):
    """What a client writes itself stands before that, and is not believed."""
    options = {"token_limit": 0.01, "proxies": proxies_in("127.0.0.1 10.0.0.0/8")}
    async with asking(tmp_path, allowed_origins=frozenset({ORIGIN}), **options) as ask:
        assert (await ask("192.0.2.1"))[0] == 200
        for spoofed in ("192.0.2.1", "198.51.100.7, 192.0.2.1", "127.0.0.1, 192.0.2.1, 10.1.2.3"):
            assert (await ask(spoofed))[:2] == (429, "too_many_requests")
        assert (await ask("192.0.2.1, 192.0.2.2"))[0] == 200


async def test_a_refused_page_of_another_host_can_read_when_to_ask_again(tmp_path):
    options = {"ticket_limit": 0.05, "proxies": proxies_in("127.0.0.1")}
    async with asking(tmp_path, allowed_origins=frozenset({ORIGIN}), **options) as ask:
        assert (await ask("192.0.2.1", "/ticket"))[:2] == (401, "unauthorized")
        status, code, headers = await ask("192.0.2.1", "/ticket")
        assert (status, code, headers["Retry-After"]) == (429, "too_many_requests", "20")
        assert headers["Access-Control-Allow-Origin"] == ORIGIN
        assert headers["Access-Control-Expose-Headers"] == "Retry-After"


def test_without_the_setting_nobody_is_believed(tmp_path):
    """Neither by this server nor by uvicorn, which of itself believes this machine."""
    with KizunaServer(tmp_path / "k.sqlite3", TOKEN_LIMIT="0.001") as server:
        forwarded = {"X-Forwarded-For": "192.0.2.1"}
        assert {post(f"{server.url}/token", ANN, **forwarded)[0] for _ in range(5)} == {200}
        assert server.output.count("set PROXIES") == 1


# --- AWS ---


def test_on_aws_the_address_is_the_one_that_the_gateway_names(sqlite, clock, monotonic):
    settings = Settings(table="t", allowed_origins=frozenset(), ticket_limit=0.05)
    verifier = JwtVerifier(SharedSecret(lambda: SECRET), audience=AUDIENCE, issuer=None, clock=clock)
    cloud = Cloud(
        settings, sqlite, verifier, lambda endpoint: FakeGateway(), clock=clock, monotonic=monotonic
    )

    def run(event):
        event["requestContext"]["http"]["sourceIp"] = address
        return cloud.handle(event)

    api = ApiGateway(run)
    address = "192.0.2.1"
    assert api.post()[0] == 401
    status, body, headers = api.post()
    assert (status, body["code"], headers["Retry-After"]) == (429, "too_many_requests", "20")
    address = "192.0.2.2"
    assert api.post()[0] == 401
