"""Typing: relayed to all others in the room, and never stored."""

import pytest

from backend.messaging.presence import MAX_PRESENCE_RECIPIENTS
from tests.backend.fakes import FakeGateway

TYPING = {"action": "typing", "roomId": "general"}


def test_the_others_in_the_room_hear_who_is_writing(ann, person):
    bob, eve = person("Bob"), person("Eve")
    assert ann.say(TYPING) is None
    expected = {"type": "typing", "roomId": "general", "senderId": ann.user_id, "senderName": "Ann"}
    assert bob.got("typing") == eve.got("typing") == [expected]


def test_ones_own_connection_hears_nothing_of_it(ann, person):
    person("Bob")
    ann.say(TYPING)
    assert ann.got("typing") == []


def test_other_connection_of_the_same_person_gets_typing_with_user_id(ann, person):
    second = person("Ann", connection_id="second=")
    ann.say(TYPING)
    (notice,) = second.got("typing")
    assert notice["senderId"] == second.user_id


def test_other_rooms_hear_nothing_of_it(ann, person):
    bob = person("Bob", "other")
    ann.say(TYPING)
    assert bob.got("typing") == []


def test_nothing_is_stored_and_the_room_does_not_even_begin(ann, person, store, backend):
    person("Bob")
    head = backend.rooms.head("general")
    ann.say(TYPING)
    assert backend.rooms.head("general") == head
    assert store.query("ROOM#general#LOG") == []


def test_in_a_crowd_nobody_is_told_and_a_message_still_is(ann, person, gateway):
    crowd = [person("Bob", connection_id=f"b{number}=") for number in range(MAX_PRESENCE_RECIPIENTS - 1)]
    ann.say(TYPING)
    assert len(crowd[-1].got("typing")) == 1
    one_too_many = person("Eve")
    gateway.clear()
    assert ann.say(TYPING) is None
    assert gateway.attempts == []
    ann.send("hi")
    assert one_too_many.texts() == ["hi"]


@pytest.mark.parametrize("room", ["other", "never-was"])
def test_whoever_is_not_in_the_room_cannot_be_writing_there(ann, person, room):
    bob = person("Bob", "other")
    answer = ann.say({**TYPING, "roomId": room})
    assert answer == {
        "type": "error",
        "code": "not_in_room",
        "message": f"roomId: enter {room} before you type there",
        "ref": None,
        "roomId": room,
    }
    assert bob.got("typing") == []


def test_whoever_left_cannot_be_writing_there_any_more(ann, person):
    bob = person("Bob")
    ann.say({"action": "leave", "roomId": "general"})
    assert ann.say(TYPING)["code"] == "not_in_room"
    assert bob.got("typing") == []


def test_the_name_is_the_one_of_the_token_whatever_the_frame_says(ann, person):
    bob = person("Bob")
    bob.say({**TYPING, "senderId": ann.user_id, "senderName": "Ann"})
    assert ann.got("typing")[0]["senderName"] == "Bob"


def test_typing_removes_gone_connections_and_announces_them(ann, person, backend, gateway: FakeGateway):
    bob, eve = person("Bob"), person("Eve")
    gateway.gone.add(bob.id)
    gateway.clear()
    assert ann.say(TYPING) is None
    assert backend.connections.get(bob.id) is None
    assert set(backend.connections.members("general")) == {ann.id, eve.id}
    assert [frame["left"] for frame in eve.got("presence")] == [["Bob"]]


def test_one_that_is_too_slow_keeps_nobody_else_from_hearing_it(ann, person, backend, gateway):
    bob, eve = person("Bob"), person("Eve")
    gateway.failing.add(bob.id)
    ann.say(TYPING)
    assert len(eve.got("typing")) == 1
    assert backend.connections.get(bob.id).active
