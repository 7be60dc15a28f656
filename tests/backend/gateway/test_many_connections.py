"""Connections of one person beyond the limit: the oldest are closed, and far too many are refused."""

from collections.abc import Callable

import pytest

from backend.messaging.connections import MAX_CONNECTION_SECONDS
from backend.messaging.handlers import Backend
from tests.backend.fakes import Ids, Person
from tests.support.peer import SocketClient, knock
from tests.support.server import KizunaServer

MOST = 3


@pytest.fixture
def backend(store, gateway, clock, retry):
    made = Backend(store, gateway, clock=clock, new_id=Ids(), most_connections=MOST, retry=retry)
    yield made
    made.close()


@pytest.fixture
def enter(backend, gateway, clock, tokens):
    """Open a connection of Ann, or another person, in room general, a second after the one before."""

    def connect(number: int, name: str = "Ann") -> Person:
        clock.advance(1)
        # Neither the order of the ids nor that of the records is the order in which they opened.
        someone = Person(backend, gateway, tokens, name, f"{name}{number * 7 % 10}=")
        assert someone.connect() == {"statusCode": 200}
        someone.hello("general")
        return someone

    return connect


Enter = Callable[..., Person]
BYE = {"type": "bye", "reason": "too_many_connections", "reconnect": True, "retryAfter": 60}


def test_hello_beyond_the_limit_closes_the_oldest_connection_with_retry_after(enter: Enter, gateway):
    bob = enter(0, "Bob")
    tabs = [enter(number) for number in range(1, MOST + 1)]
    assert gateway.closed == []
    for number in (1, 2):
        tabs.append(enter(MOST + number))
        gone = tabs[number - 1]
        assert gone.got("bye") == [BYE]
        assert gateway.closed[-1] == gone.id
        gone.disconnect()
    assert len(gateway.closed) == 2
    assert bob.got("bye") == []
    assert all(tab.got("bye") == [] for tab in tabs[2:])
    assert tabs[-1].send("hi") is None
    assert bob.texts() == tabs[2].texts() == ["hi"]


def test_one_that_is_gone_already_is_forgotten_with_its_rooms(enter: Enter, backend, gateway):
    tabs = [enter(number) for number in range(1, MOST + 1)]
    gateway.gone.add(tabs[0].id)
    enter(MOST + 1)
    assert backend.connections.get(tabs[0].id) is None
    assert tabs[0].id not in backend.connections.members("general")
    assert gateway.closed == []


def test_one_that_an_earlier_version_recorded_counts_by_its_second(enter: Enter, backend, gateway, store):
    tabs = [enter(number) for number in range(1, MOST + 1)]
    for tab in tabs:
        record = store.get(f"USER#{tab.user_id}", f"CONNECTION#{tab.id}")
        del record["openedAt"]
        store.put(record)
    enter(MOST + 1)
    assert gateway.closed == [tabs[0].id]


def test_records_that_the_end_of_a_connection_never_reached_keep_nobody_out(backend, gateway, tokens, clock):
    """On AWS $disconnect is not certain; what it misses stays for a day."""
    lost = [Person(backend, gateway, tokens, "Ann", f"s{number}=") for number in range(2 * MOST)]
    assert {tab.connect()["statusCode"] for tab in lost} == {200}
    clock.advance(MAX_CONNECTION_SECONDS + 1)
    late = Person(backend, gateway, tokens, "Ann", "late=")
    assert late.connect()["statusCode"] == 200


def test_beyond_twice_as_many_the_handshake_is_refused(backend, gateway, tokens, clock):
    """Those that never say hello are not closed by anybody's hello."""
    silent = [Person(backend, gateway, tokens, "Ann", f"s{number}=") for number in range(2 * MOST)]
    assert {tab.connect()["statusCode"] for tab in silent} == {200}
    late = Person(backend, gateway, tokens, "Ann", "late=")
    assert late.connect() == {"statusCode": 429, "body": "Too many connections"}
    assert backend.connections.get("late=") is None
    bob = Person(backend, gateway, tokens, "Bob", None)
    assert bob.connect() == {"statusCode": 200}
    silent[0].disconnect()
    clock.advance(1)
    assert late.connect() == {"statusCode": 200}
    # The oldest go first, though they have never spoken.
    late.hello("general")
    assert set(gateway.closed) == {tab.id for tab in silent[1 : MOST + 1]}


def test_without_the_limit_anybody_may_have_any_number(store, gateway, tokens, clock):
    backend = Backend(store, gateway, clock=clock)
    tabs = [Person(backend, gateway, tokens, "Ann", f"a{number}=") for number in range(50)]
    for tab in tabs:
        assert tab.connect() == {"statusCode": 200}
        tab.hello("general")
    assert gateway.closed == []
    backend.close()


def test_a_server_keeps_so_many_connections_of_one_person(tmp_path):
    with KizunaServer(tmp_path / "kizuna.sqlite3", MOST_CONNECTIONS="2") as server:
        url = server.socket_url("Ann")
        oldest, *others = (SocketClient.enter(url) for _ in range(3))
        bye = oldest.read("bye")
        assert (bye["reason"], bye["retryAfter"]) == ("too_many_connections", 60)
        assert oldest.closed()[0] == 1000
        assert others[0].say("hi")["seq"] == 1
        silent = [SocketClient(url) for _ in range(2)]
        assert knock(url) == 429
        for client in (oldest, *others, *silent):
            client.leave()
