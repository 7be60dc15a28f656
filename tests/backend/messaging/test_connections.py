"""Records of connections: both ways, by room, without stale ones."""

import pytest

from backend.auth.tokens import Identity
from backend.messaging.connections import (
    EXPIRY_SECONDS,
    MAX_ROOMS,
    Connections,
    Departure,
    Member,
    TooManyRooms,
    UnknownConnection,
    connection_id_of,
)
from backend.store.base import Conflict, Key, StoreUnavailable
from tests.backend.fakes import START

ANN = Identity(user_id="ann", name="Ann", expires_at=START + 3600)


@pytest.fixture
def connections(store, clock, retry):
    return Connections(store, clock=clock, retry=retry)


@pytest.fixture
def active(connections):
    """Return Ann's connection ``c=``, active in rooms a and b."""
    connections.open("c=", ANN)
    connections.activate(connections.get("c="), ["a", "b"])
    return connections.get("c=")


ROOMS = [f"r{number:02d}" for number in range(50)]
PARTITIONS = [
    "CONNECTION#c=",
    "CONNECTION#d=",
    "USER#ann",
    *(f"ROOM#{room}" for room in ["a", "b", "late", *ROOMS]),
]


def items(store):
    """Return every item that these tests can have written. A store need not list its partitions."""
    return [item for pk in PARTITIONS for item in store.query(pk)]


def everything(store):
    """Return the keys of every item, sorted."""
    return sorted((item["pk"], item["sk"]) for item in items(store))


class Interrupted:
    """A store that calls a function before the n-th transaction."""

    def __init__(self, store, at, action):
        self._store = store
        self._left = at
        self._action = action

    def __getattr__(self, name):
        return getattr(self._store, name)

    def transact(self, actions):
        self._left -= 1
        if self._left == 0:
            self._action()
        self._store.transact(actions)


# --- opening and activating ---


def test_a_new_connection_is_pending_recorded_both_ways_and_in_no_room(connections, store):
    connections.open("c=", ANN)
    connection = connections.get("c=")
    assert not connection.active
    assert (connection.user_id, connection.name, connection.token_expires_at) == ("ann", "Ann", START + 3600)
    assert everything(store) == [("CONNECTION#c=", "METADATA"), ("USER#ann", "CONNECTION#c=")]


def test_hello_makes_it_active_and_records_its_rooms_both_ways(connections, active, store):
    assert active.active
    assert everything(store) == [
        ("CONNECTION#c=", "METADATA"),
        ("CONNECTION#c=", "ROOM#a"),
        ("CONNECTION#c=", "ROOM#b"),
        ("ROOM#a", "CONNECTION#c="),
        ("ROOM#b", "CONNECTION#c="),
        ("USER#ann", "CONNECTION#c="),
    ]
    assert connections.rooms_of("c=") == ["a", "b"]
    assert connections.members("a") == ["c="]


def test_hello_without_rooms_activates_too(connections):
    connections.open("c=", ANN)
    connections.activate(connections.get("c="), [])
    assert connections.get("c=").active


def test_hello_again_keeps_the_rooms_and_adds_new_ones(connections, active):
    connections.activate(active, ["b", "c", "c"])
    assert connections.rooms_of("c=") == ["a", "b", "c"]


def test_hello_with_fifty_rooms_needs_more_than_one_transaction_and_gets_it(connections):
    connections.open("c=", ANN)
    connections.activate(connections.get("c="), ROOMS)
    assert connections.rooms_of("c=") == ROOMS
    assert all(connections.members(room) == ["c="] for room in ROOMS)


def test_a_connection_is_in_at_most_fifty_rooms(connections, active):
    connections.activate(active, ROOMS[: MAX_ROOMS - 2])
    with pytest.raises(TooManyRooms, match="at most 50 rooms"):
        connections.join(active, "one-more")
    connections.join(active, "a")  # where it is already


def test_a_room_holds_the_connections_of_all_who_are_in_it(connections, active):
    connections.open("d=", Identity("bob", "Bob", START + 60))
    connections.join(connections.get("d="), "a")
    assert connections.members("a") == ["c=", "d="]
    assert connections.members("b") == ["c="]


def test_leaving_takes_it_out_of_one_room_and_twice_is_no_error(connections, active):
    assert connections.leave("c=", "a")
    assert not connections.leave("c=", "a")
    assert connections.rooms_of("c=") == ["b"]
    assert connections.members("a") == []


def test_entering_says_where_it_was_not_before(connections, active):
    assert connections.activate(active, ["b", "c", "d"]) == {"c", "d"}
    assert connections.join(active, "e")
    assert not connections.join(active, "e")


def test_it_is_in_the_rooms_that_it_entered_and_in_no_other(connections, active):
    assert connections.is_in("c=", "a")
    assert not connections.is_in("c=", "other")
    assert not connections.is_in("d=", "a")
    connections.leave("c=", "a")
    assert not connections.is_in("c=", "a")


def test_who_is_present_is_known_by_person_name_and_since_when(connections, active, clock):
    clock.advance(1.5)
    connections.open("d=", Identity("bob", "Bob", START + 60))
    connections.join(connections.get("d="), "a")
    ann, bob = Member("c=", "ann", "Ann", START * 1000), Member("d=", "bob", "Bob", START * 1000 + 1500)
    assert connections.present("a") == [ann, bob]
    assert connections.present("a", limit=1) == [ann]


# --- removal ---


def test_removal_deletes_every_record_and_says_once_who_left_which_rooms(connections, active, store):
    assert connections.remove("c=") == Departure("ann", "Ann", ("a", "b"))
    assert everything(store) == []
    assert connections.remove("c=") is None


def test_removal_leaves_everybody_else(connections, active, store):
    connections.open("d=", ANN)
    connections.activate(connections.get("d="), ["a"])
    connections.remove("c=")
    assert everything(store) == [
        ("CONNECTION#d=", "METADATA"),
        ("CONNECTION#d=", "ROOM#a"),
        ("ROOM#a", "CONNECTION#d="),
        ("USER#ann", "CONNECTION#d="),
    ]


def test_a_connection_in_fifty_rooms_is_removed_whole(connections, active, store):
    connections.activate(active, ROOMS[:48])
    assert connections.remove("c=") == Departure("ann", "Ann", ("a", "b", *ROOMS[:48]))
    assert everything(store) == []


def test_gone_removes_an_active_connection(connections, active, store):
    assert connections.remove_gone("c=") == Departure("ann", "Ann", ("a", "b"))
    assert everything(store) == []


def test_gone_deletes_nothing_of_a_pending_connection(connections, store):
    connections.open("c=", ANN)
    before = everything(store)
    assert connections.remove_gone("c=") is None
    assert everything(store) == before


def test_gone_for_what_was_removed_already_is_no_error(connections, active):
    connections.remove("c=")
    assert connections.remove_gone("c=") is None


def test_gone_finishes_a_removal_that_broke_off_after_metadata(connections, active, store):
    store.delete("CONNECTION#c=", "METADATA")
    assert connections.remove_gone("c=") is None
    assert everything(store) == [("USER#ann", "CONNECTION#c=")]  # dies by expiry: its owner is not known


# --- races ---


def test_hello_after_disconnect_leaves_no_ghost(connections, store):
    connections.open("c=", ANN)
    pending = connections.get("c=")
    connections.remove("c=")
    with pytest.raises(UnknownConnection):
        connections.activate(pending, ["a"])
    assert everything(store) == []


def test_join_after_disconnect_leaves_no_ghost(connections, active, store):
    connections.remove("c=")
    with pytest.raises(UnknownConnection):
        connections.join(active, "late")
    assert everything(store) == []


def test_disconnect_during_a_hello_of_fifty_rooms_leaves_no_records(store, clock, retry):
    plain = Connections(store, clock=clock, retry=retry)
    plain.open("c=", ANN)
    pending = plain.get("c=")
    assert pending is not None
    store_with_race = Interrupted(store, 2, lambda: plain.remove("c="))
    with pytest.raises(UnknownConnection):
        Connections(store_with_race, clock=clock, retry=retry).activate(pending, ROOMS)
    assert everything(store) == []


def test_a_join_in_the_middle_of_a_removal_is_removed_too(connections, active, store, clock, retry):
    store_with_race = Interrupted(store, 1, lambda: connections.join(active, "late"))
    departure = Connections(store_with_race, clock=clock, retry=retry).remove("c=")
    assert departure == Departure("ann", "Ann", ("a", "b", "late"))
    assert everything(store) == []


@pytest.mark.parametrize("late", [Connections.remove, Connections.remove_gone])
def test_two_removals_at_once_are_one_and_one_of_them_knows(connections, active, store, clock, retry, late):
    first = []
    store_with_race = Interrupted(store, 1, lambda: first.append(connections.remove("c=")))
    assert late(Connections(store_with_race, clock=clock, retry=retry), "c=") is None
    assert first == [Departure("ann", "Ann", ("a", "b"))]
    assert everything(store) == []


def test_a_conflict_is_tried_again_and_another_error_is_not(store, clock, retry):
    def conflict():
        raise Conflict("busy")

    def broken():
        raise StoreUnavailable("no disk")

    Connections(Interrupted(store, 1, conflict), clock=clock, retry=retry).open("c=", ANN)
    assert store.get("CONNECTION#c=", "METADATA") is not None
    with pytest.raises(StoreUnavailable):
        Connections(Interrupted(store, 1, broken), clock=clock, retry=retry).open("d=", ANN)


# --- expiry and restart ---


def test_every_record_expires_after_24_hours_and_is_invisible_from_then_on(connections, store, clock):
    connections.open("c=", Identity("ann", "Ann", START + 48 * 3600))
    connections.activate(connections.get("c="), ["a", "b"])
    assert {item["expiresAt"] for item in items(store)} == {START + EXPIRY_SECONDS}
    clock.advance(EXPIRY_SECONDS - 1)
    assert connections.members("a") == ["c="]
    clock.advance(1)
    assert connections.get("c=") is None
    assert connections.members("a") == []
    assert connections.rooms_of("c=") == []


def test_a_late_join_does_not_outlive_its_connection(connections, active, store, clock):
    clock.advance(1000)
    connections.join(active, "late")
    (item,) = store.get_many([Key("CONNECTION#c=", "ROOM#late")]).values()
    assert item["expiresAt"] == START + EXPIRY_SECONDS


def test_who_stays_silent_hears_nothing_beyond_the_end_of_the_token(connections, store, clock):
    connections.open("short=", Identity("ann", "Ann", START + 600))
    connections.activate(connections.get("short="), ["a"])
    clock.advance(599)
    assert connections.members("a") == ["short="]
    clock.advance(1)
    assert connections.members("a") == []
    assert connections.remove("short=").rooms == ("a",)  # those who stay hear of it


def test_a_restart_purges_the_connections_of_the_earlier_life_and_nothing_else(connections, store):
    store.put({"pk": "ROOM#a#LOG", "sk": "1"})
    for number in range(60):
        connections.open(f"c{number}=", ANN)
        connections.activate(connections.get(f"c{number}="), ["a", "b"])
    connections.purge(f"c{number}=" for number in range(60))
    assert everything(store) == []
    assert all(connections.get(f"c{number}=") is None for number in range(60))
    assert store.get("ROOM#a#LOG", "1") is not None


def test_a_connection_id_is_read_back_from_its_partition():
    assert connection_id_of("CONNECTION#BFaT_fALIAMCKug=") == "BFaT_fALIAMCKug="
