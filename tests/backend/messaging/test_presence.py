"""Presence: arrivals and departures, one count for a person, and nothing waits for it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.messaging.presence import MAX_PRESENCE_RECIPIENTS
from backend.store.base import StoreUnavailable
from tests.backend.fakes import authorizer_of


def told(someone, room="general"):
    """Return (count, joined, left) of each presence frame of a person."""
    return [
        (frame["count"], frame["joined"], frame["left"])
        for frame in someone.got("presence")
        if frame["roomId"] == room
    ]


def crowd(person, count):
    """Return so many people in the room, each with one connection."""
    return [person(f"P{number}") for number in range(count)]


# --- coming ---


def test_whoever_comes_is_announced_to_all_and_everybody_knows_the_count(ann, person):
    bob = person("Bob")
    assert told(ann) == [(1, ["Ann"], []), (2, ["Bob"], [])]
    assert told(bob) == [(2, ["Bob"], [])]


def test_second_connection_of_a_person_gets_only_the_count(ann, person):
    bob = person("Bob")
    second = person("Ann", connection_id="second=")
    assert told(second) == [(2, [], [])]
    assert len(told(ann)) == 2
    assert len(told(bob)) == 1


def test_two_people_of_one_name_are_two(ann, person, tokens):
    namesake = person("Bob", None)
    namesake.disconnect()
    token = tokens.issue("Ann", "another secret, another person").token
    namesake.authorizer = authorizer_of(tokens, token)
    namesake.connect()
    namesake.hello("general")
    assert told(ann)[-1] == (2, ["Ann"], [])


def test_each_room_of_a_hello_hears_for_itself(ann, person):
    bob = person("Bob", "other")
    eve = person("Eve", None)
    eve.hello("general", "other", "empty")
    assert told(ann)[-1] == (2, ["Eve"], [])
    assert told(bob, "other")[-1] == (2, ["Eve"], [])
    assert told(eve, "empty") == [(1, ["Eve"], [])]


def test_join_announces_as_hello_does(ann, person):
    bob = person("Bob", "other")
    ann.say({"action": "join", "roomId": "other"})
    assert told(bob, "other")[-1] == told(ann, "other")[-1] == (2, ["Ann"], [])


@pytest.mark.parametrize(
    "again",
    [
        {"action": "join", "roomId": "general"},
        {"action": "hello", "v": 1, "rooms": [{"roomId": "general"}]},
    ],
)
def test_entering_again_is_told_to_oneself_alone(ann, person, again):
    bob = person("Bob")
    ann.say(again)
    assert told(ann)[-1] == (2, [], [])
    assert len(told(bob)) == 1


def test_a_closed_room_is_not_announced_and_not_counted(person, backend, monkeypatch):
    monkeypatch.setattr(backend, "_may_join", lambda user_id, room_id: room_id != "secret")
    ann = person("Ann", None)
    ann.hello("secret", "general")
    ann.say({"action": "join", "roomId": "secret"})
    assert told(ann, "secret") == []


def test_two_connections_of_one_person_that_enter_at_once_are_announced_once(
    ann, person, backend, monkeypatch
):
    first, second = (person("Bob", None, connection_id=f"bob-{number}=") for number in (1, 2))
    both_are_in = threading.Barrier(2)
    activate = backend.connections.activate

    def activate_and_wait(*args):
        entered = activate(*args)
        both_are_in.wait(10)
        return entered

    monkeypatch.setattr(backend.connections, "activate", activate_and_wait)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda someone: someone.hello("general"), (first, second)))
    assert told(ann)[1:] == [(2, ["Bob"], [])]


# --- leaving ---


def test_leave_is_told_to_those_who_stay(ann, person):
    bob = person("Bob")
    bob.say({"action": "leave", "roomId": "general"})
    assert told(ann)[-1] == (1, [], ["Bob"])
    assert told(bob)[-1] == (2, ["Bob"], [])


def test_leaving_twice_or_an_unentered_room_sends_nothing(ann, person):
    bob = person("Bob")
    bob.say({"action": "leave", "roomId": "general"})
    heard = len(told(ann))
    bob.say({"action": "leave", "roomId": "general"})
    person("Eve", "other").say({"action": "leave", "roomId": "general"})
    assert len(told(ann)) == heard


def test_disconnect_is_told_in_every_room_once(ann, person):
    bob, eve = person("Bob", None), person("Eve", "other")
    bob.hello("general", "other")
    bob.disconnect()
    bob.disconnect()
    assert told(ann)[1:] == [(2, ["Bob"], []), (1, [], ["Bob"])]
    assert told(eve, "other")[-1] == (1, [], ["Bob"])


def test_a_person_leaves_with_the_last_connection(ann, person):
    first, second = person("Bob"), person("Bob", connection_id="second=")
    first.disconnect()
    assert len(told(ann)) == 2
    second.disconnect()
    assert told(ann)[-1] == (1, [], ["Bob"])


def test_the_rollover_of_a_link_is_noticed_by_nobody(ann, person):
    old = person("Bob")
    heard = told(ann)
    person("Bob", connection_id="next=")
    old.disconnect()
    assert told(ann) == heard


def test_a_connection_that_never_said_hello_leaves_unnoticed(ann, person):
    heard = told(ann)
    person("Bob", None).disconnect()
    assert told(ann) == heard


def test_gone_connections_of_a_broadcast_depart_in_one_frame(ann, person, gateway):
    bob, eve, kim = person("Bob"), person("Eve"), person("Kim")
    person("Kim", connection_id="second=")
    gateway.gone.update([bob.id, eve.id, kim.id])
    gateway.clear()
    ann.send("hi")
    assert [frame["type"] for frame in ann.got()] == ["ack", "message", "presence"]
    (count, joined, left) = told(ann)[0]
    assert (count, joined, sorted(left)) == (2, [], ["Bob", "Eve"])


def test_gone_and_disconnect_at_once_are_told_once(ann, person, gateway, backend, monkeypatch):
    bob = person("Bob")
    remove_gone = backend.connections.remove_gone

    def lose_the_race(connection_id):
        bob.disconnect()
        return remove_gone(connection_id)

    monkeypatch.setattr(backend.connections, "remove_gone", lose_the_race)
    gateway.gone.add(bob.id)
    ann.send("hi")
    assert told(ann)[2:] == [(1, [], ["Bob"])]


def test_departure_of_a_crowd_names_a_hundred_and_counts_all(ann, person, gateway):
    lost = crowd(person, 130)
    gateway.gone.update(someone.id for someone in lost)
    ann.send("hi")
    count, _, left = told(ann)[-1]
    assert (count, len(left), len(set(left))) == (1, 100, 100)


# --- large rooms ---


def test_up_to_a_hundred_connections_all_hear_of_each(ann, person):
    others = crowd(person, MAX_PRESENCE_RECIPIENTS - 1)
    assert told(ann)[-1] == (MAX_PRESENCE_RECIPIENTS, [others[-1].name], [])
    others[5].disconnect()
    assert told(ann)[-1] == told(others[0])[-1] == (MAX_PRESENCE_RECIPIENTS - 1, [], [others[5].name])


def test_large_room_sends_the_minimum_count_only_to_the_newcomer(ann, person, gateway):
    others = crowd(person, MAX_PRESENCE_RECIPIENTS - 1)
    assert told(others[-1])[-1][0] == MAX_PRESENCE_RECIPIENTS
    assert not others[-1].got("presence")[-1]["more"]
    gateway.clear()
    last = person("Last")
    assert told(last) == [(MAX_PRESENCE_RECIPIENTS, [], [])]
    another = person("Another")
    assert told(another) == [(MAX_PRESENCE_RECIPIENTS, [], [])]
    assert [frame["more"] for frame in (*last.got("presence"), *another.got("presence"))] == [True, True]
    another.disconnect()
    assert told(ann) == told(others[0]) == []
    assert len(told(last)) == 1


def test_large_room_of_few_people_counts_few_or_more(ann, person):
    for number in range(MAX_PRESENCE_RECIPIENTS):
        person("Bob", connection_id=f"bob-{number}=")
    newcomer = person("Zoe", connection_id="~behind all others=")
    assert told(newcomer) == [(3, [], [])]
    assert newcomer.got("presence")[0]["more"]


def test_the_count_is_exact_again_when_a_crowd_has_gone(ann, person):
    others = crowd(person, MAX_PRESENCE_RECIPIENTS)
    for someone in others[:2]:
        someone.disconnect()
    assert told(ann)[-1] == (MAX_PRESENCE_RECIPIENTS - 1, [], [others[1].name])
    assert not ann.got("presence")[-1]["more"]


def test_three_hundred_who_come_back_to_one_room_are_no_storm(person, gateway):
    crowd(person, 300)
    frames = sum(frame["type"] == "presence" for _, frame in gateway.posts)
    assert frames == MAX_PRESENCE_RECIPIENTS * (MAX_PRESENCE_RECIPIENTS + 1) // 2 + 200


# --- never in the way ---


def test_presence_comes_after_the_batches_of_hello(person):
    ann = person("Ann", None)
    ann.hello("general", "other")
    assert [frame["type"] for frame in ann.got()] == ["ready", "batch", "batch", "presence", "presence"]


def test_presence_comes_after_the_batch_of_join(ann, gateway):
    gateway.clear()
    ann.say({"action": "join", "roomId": "other", "ref": "r-1"})
    assert [(frame["type"], frame.get("ref")) for frame in ann.got()] == [
        ("batch", "r-1"),
        ("presence", None),
    ]


def test_a_connection_that_is_gone_before_it_was_greeted_is_not_announced(ann, person, gateway):
    bob = person("Bob", None)
    eve = person("Eve", "other")
    heard = told(ann)
    gateway.gone.update([bob.id, eve.id])
    bob.hello("general")
    assert eve.say({"action": "join", "roomId": "general"}) is None
    assert told(ann) == heard


def test_connection_too_slow_for_its_batches_is_still_in_the_room(ann, person, gateway):
    bob = person("Bob", None)
    gateway.failing.add(bob.id)
    bob.hello("general")
    assert told(ann)[-1] == (2, ["Bob"], [])


@pytest.fixture
def broken_counting(backend, monkeypatch):
    """Make the query of a room's members fail from now on."""

    def broken(*args, **kwargs):
        raise StoreUnavailable("no disk")

    return lambda: monkeypatch.setattr(backend.connections, "present", broken)


def test_a_failure_of_presence_is_logged_and_stops_nothing(ann, person, broken_counting, caplog):
    bob, eve = person("Bob"), person("Eve", None)
    broken_counting()
    eve.hello("general", "other")
    assert [frame["type"] for frame in eve.got()] == ["ready", "batch", "batch"]
    assert ann.say({"action": "join", "roomId": "other"}) is None
    assert ann.say({"action": "leave", "roomId": "other"}) is None
    bob.disconnect()
    assert ann.send("hi") is None
    assert eve.texts() == ["hi"]
    assert caplog.text.count("presence broadcast failed") == 5


def test_a_gateway_that_fails_presence_fails_nothing_else(ann, person, backend, gateway, caplog):
    def refuse_presence(ids, frame):
        if frame["type"] == "presence":
            raise RuntimeError("a bug")

    gateway.before_post = refuse_presence
    bob = person("Bob")
    assert [frame["type"] for frame in bob.got()] == ["ready", "batch"]
    ann.send("hi")
    assert bob.texts() == ["hi"]
    assert "presence broadcast failed" in caplog.text


def test_presence_for_one_that_is_gone_removes_nothing(ann, person, backend, gateway):
    bob = person("Bob")
    gateway.gone.add(bob.id)
    person("Eve")
    assert backend.connections.get(bob.id) is not None


def test_counting_and_sending_is_one_step(ann, person, gateway):
    people = [person(f"P{number}", None) for number in range(20)]
    start = threading.Barrier(20)

    def enter(someone):
        start.wait()
        someone.hello("general")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(enter, people))
    counts = [count for count, _, _ in told(ann)]
    assert counts == sorted(counts)
    assert {told(someone)[-1][0] for someone in (ann, *people)} == {21}
    assert sorted(name for _, joined, _ in told(ann)[1:] for name in joined) == sorted(p.name for p in people)
