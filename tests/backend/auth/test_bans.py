"""Bans: a banned person is not admitted and gets no broadcasts, and the counts are right again."""

import argparse
from collections.abc import Callable

import pytest

from backend.auth.bans import Ban, Banned, Bans
from backend.auth.tokens import Identity
from backend.local.admin import COMMANDS
from backend.messaging.connections import Connections
from backend.store.base import Store
from tests.backend.fakes import START, FakeClock, FakeGateway, Person

Run = Callable[..., str]


@pytest.fixture
def bans(store: Store, clock: FakeClock) -> Bans:
    return Bans(store, clock=clock)


@pytest.fixture
def run(store: Store) -> Run:
    """Run a command of the operator: what it prints."""

    def command(*arguments: str) -> str:
        parser = argparse.ArgumentParser()
        COMMANDS[arguments[0]].accept(parser)
        chosen = parser.parse_args(arguments[1:])
        return "\n".join(COMMANDS[arguments[0]].run(store, chosen))

    return command


def counts(person: Person) -> list[int]:
    """Return the counts of the presence frames that a connection got."""
    return [frame["count"] for frame in person.got("presence")]


def test_who_is_banned_is_known_listed_and_let_in_again(bans: Bans, clock: FakeClock) -> None:
    assert bans.all() == []
    bans.ban("u-2", "spam")
    clock.advance(1)
    bans.ban("u-1")
    assert bans.all() == [Ban("u-1", START * 1000 + 1000, ""), Ban("u-2", START * 1000, "spam")]
    assert bans.is_banned("u-1")
    assert not bans.is_banned("u")
    assert bans.unban("u-1")
    assert not bans.unban("u-1")
    assert not bans.is_banned("u-1")
    assert bans.is_banned("u-2")


def test_a_second_ban_replaces_the_reason(bans: Bans) -> None:
    bans.ban("u-1", "spam")
    bans.ban("u-1", "spam, again")
    assert [ban.reason for ban in bans.all()] == ["spam, again"]


def test_no_connection_of_a_banned_person_is_recorded(bans: Bans, store: Store, clock: FakeClock) -> None:
    bans.ban("u-1")
    connections = Connections(store, clock=clock)
    with pytest.raises(Banned):
        connections.open("c=", Identity("u-1", "Ann", START + 60))
    assert connections.get("c=") is None
    assert connections.of_person("u-1") == []
    connections.open("d=", Identity("u-2", "Ann", START + 60))
    assert connections.of_person("u-2") == ["d="]


def test_who_is_banned_between_authorizer_and_connect_is_not_let_in(
    person: Callable[..., Person], run: Run
) -> None:
    bob = person("Bob", None)
    bob.disconnect()
    run("ban", bob.user_id)
    assert bob.connect() == {"statusCode": 403, "body": "Forbidden"}
    run("unban", bob.user_id)
    assert bob.connect() == {"statusCode": 200}


def test_a_ban_deletes_every_record_of_the_persons_connections_and_nobody_elses(
    ann: Person, person: Callable[..., Person], run: Run, store: Store
) -> None:
    bob, second = person("Bob"), person("Bob", connection_id="second=")
    waiting = person("Bob", None, connection_id="pending=")
    assert run("ban", bob.user_id, "--reason", "spam") == (f"Banned {bob.user_id}; connections ended: 3")
    for connection in (bob, second, waiting):
        assert store.query(f"CONNECTION#{connection.id}") == []
    assert store.query(f"USER#{bob.user_id}") == []
    assert [item["connectionId"] for item in store.query("ROOM#general")] == [ann.id]


def test_banned_person_gets_no_broadcast_and_bye_at_the_next_frame(
    ann: Person, person: Callable[..., Person], run: Run, gateway: FakeGateway
) -> None:
    bob = person("Bob")
    run("ban", bob.user_id)
    gateway.clear()
    assert ann.send("hi") is None
    assert bob.got() == []
    bob.send("let me in", "c-9")
    assert [(frame["type"], frame["reason"], frame["reconnect"]) for frame in bob.got()] == [
        ("bye", "unknown_connection", True)
    ]
    assert gateway.closed == [bob.id]
    assert bob.connect()["statusCode"] == 403
    assert ann.texts() == ["hi"]


def test_ban_sends_no_departure_but_the_next_count_is_right(
    ann: Person, person: Callable[..., Person], run: Run
) -> None:
    bob = person("Bob")
    assert counts(ann) == [1, 2]
    run("ban", bob.user_id)
    bob.disconnect()
    assert counts(ann) == [1, 2]
    eve = person("Eve")
    assert counts(ann) == [1, 2, 2]
    assert counts(eve) == [2]


def test_bans_are_listed_with_their_reasons(run: Run) -> None:
    assert run("banned") == "Nobody is banned"
    run("ban", "u-1", "--reason", "spam in #general")
    run("ban", "u-2")
    first, second = run("banned").splitlines()
    assert first.startswith("u-1  since 20")
    assert first.endswith("UTC  spam in #general")
    assert second.endswith("UTC")
    assert run("unban", "u-1") == "u-1 may come in again"
    assert run("unban", "u-1") == "u-1 was not banned"
    assert len(run("banned").splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [["ban", "two words"], ["ban", ""], ["unban", "x" * 65], ["ban", "u", "--reason", "x" * 1025]],
)
def test_what_no_user_id_or_reason_can_be_is_refused(run: Run, arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        run(*arguments)
