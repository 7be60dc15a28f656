"""sendMessage: stored once, acknowledged at once, broadcast to the room."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.messaging.message_log import Rooms
from backend.store.base import Conflict, StoreUnavailable
from tests.backend.fakes import START

# --- ack and broadcast ---


def test_a_message_is_acknowledged_and_broadcast_to_all_the_sender_too(ann, person):
    bob = person("Bob")
    assert ann.send("こんにちは") is None
    (ack,) = ann.got("ack")
    expected = {
        "type": "message",
        "roomId": "general",
        "messageId": ack["messageId"],
        "senderId": ann.user_id,
        "senderName": "Ann",
        "content": "こんにちは",
        "timestamp": START * 1000,
        "epoch": ack["epoch"],
        "seq": 1,
        "clientMessageId": "c-1",
    }
    assert ann.got("message") == bob.got("message") == [expected]
    assert (ack["seq"], ack["duplicate"], ack["clientMessageId"]) == (1, False, "c-1")
    assert bob.got("ack") == []


def test_every_connection_of_a_person_hears_what_the_person_says(ann, person):
    second = person("Ann", connection_id="second=")
    ann.send("hi")
    assert second.texts() == ["hi"]
    assert second.got("ack") == []


def test_only_the_members_of_the_room_hear_it(ann, person):
    bob = person("Bob", "other")
    ann.send("hi")
    assert bob.got("message") == []


def test_the_ack_waits_for_nobody(ann, person, gateway):
    slow = threading.Event()
    acknowledged = threading.Event()

    def post(ids, frame):
        if frame["type"] == "ack":
            acknowledged.set()
        if frame["type"] == "message":
            slow.wait(10)

    gateway.before_post = post
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(ann.send, "hi")
        assert acknowledged.wait(10)
        assert not sending.done()  # the broadcast has not even begun to arrive
        slow.set()
        assert sending.result() is None


def test_a_message_is_stored_even_if_ack_and_broadcast_reach_nobody(ann, gateway):
    gateway.gone.add(ann.id)
    assert ann.send("hi") is None
    gateway.gone.clear()
    assert ann.send("hi") is None
    assert ann.got("ack")[0]["duplicate"]


def test_a_message_sent_again_is_acknowledged_again_and_not_broadcast_again(ann, person):
    bob = person("Bob")
    ann.send("hi")
    ann.send("hi")
    first, second = ann.got("ack")
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert first["seq"] == second["seq"]
    assert first["messageId"] == second["messageId"]
    assert bob.texts() == ["hi"]


def test_ok_twice_in_a_row_are_two_messages(ann, person):
    bob = person("Bob")
    ann.send("ok", "c-1")
    ann.send("ok", "c-2")
    assert [ack["duplicate"] for ack in ann.got("ack")] == [False, False]
    assert [(message["content"], message["seq"]) for message in bob.got("message")] == [("ok", 1), ("ok", 2)]


def test_a_retry_after_a_lost_ack_returns_the_first_answer(ann, person, gateway):
    bob = person("Bob")
    lost = []
    gateway.before_post = lambda ids, frame: lost.append(frame) if frame["type"] == "ack" else None
    gateway.failing.add(ann.id)
    ann.send("hi")
    assert ann.got("ack") == []
    gateway.failing.clear()
    bob.send("in between", "b-1")
    ann.send("hi")
    assert ann.got("ack") == [{**lost[0], "duplicate": True}]


def test_the_same_id_with_other_words_or_in_another_room_is_refused(ann):
    ann.send("hi")
    for answer in (ann.send("other words"), ann.send("hi", room="other")):
        assert answer == {
            "type": "nack",
            "clientMessageId": "c-1",
            "code": "invalid_field",
            "message": "clientMessageId: was used before, for another message",
            "retryable": False,
            "retryAfter": None,
        }


def test_a_room_that_stays_too_busy_asks_to_come_back(ann, monkeypatch):
    def conflict(*args):
        raise Conflict("busy")

    monkeypatch.setattr(Rooms, "append", conflict)
    answer = ann.send("hi")
    assert (answer["type"], answer["code"], answer["retryable"], answer["retryAfter"]) == (
        "nack",
        "busy",
        True,
        1.0,
    )


def test_members_are_read_after_the_commit(ann, person, backend, monkeypatch):
    bob = person("Bob", None)
    append = Rooms.append

    def append_and_let_bob_in(rooms, *args):
        appended = append(rooms, *args)
        bob.hello("general")
        return appended

    monkeypatch.setattr(Rooms, "append", append_and_let_bob_in)
    ann.send("hi")
    assert bob.texts() == ["hi"]


def test_unexpected_error_leaves_the_handler(ann, monkeypatch):
    def broken(*args):
        raise RuntimeError("a bug")

    monkeypatch.setattr(Rooms, "append", broken)
    with pytest.raises(RuntimeError):
        ann.send("hi")


def test_what_sixteen_threads_say_at_once_everybody_hears_once(ann, person):
    bob = person("Bob")
    start = threading.Barrier(16)

    def send(thread):
        start.wait()
        for number in range(3):
            while ann.send(f"{thread}", f"{thread}-{number}") is not None:
                pass  # too busy: the page would send it again

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(send, range(16)))
    assert sorted(message["seq"] for message in bob.got("message")) == list(range(1, 49))
    assert len({message["clientMessageId"] for message in bob.got("message")}) == 48


# --- gone ---


def test_of_a_hundred_connections_thirty_are_gone_and_exactly_those_are_forgotten(
    ann, person, backend, gateway
):
    others = [person("Bob", connection_id=f"b{number:02d}=") for number in range(99)]
    gateway.clear()
    gateway.gone.update(other.id for other in others[:30])
    ann.send("hi")
    assert set(backend.connections.members("general")) == {ann.id, *(other.id for other in others[30:])}
    assert all(backend.connections.get(other.id) is None for other in others[:30])
    assert all(other.texts() == ["hi"] for other in others[30:])
    gateway.clear()
    ann.send("again", "c-2")
    assert not gateway.gone.intersection(gateway.attempts)


def test_a_failure_stops_no_other_delivery_and_deletes_nothing(ann, person, backend, gateway, caplog):
    bob, eve = person("Bob"), person("Eve")
    gateway.failing.add(bob.id)
    ann.send("hi")
    assert eve.texts() == ann.texts() == ["hi"]
    assert backend.connections.get(bob.id).active
    assert "reached 2 of 3 connections" in caplog.text


def test_a_removal_that_fails_stops_no_other(ann, person, backend, gateway, monkeypatch, caplog):
    bob, eve = person("Bob"), person("Eve")
    gateway.gone.update([bob.id, eve.id])
    remove_gone = backend.connections.remove_gone

    def fail_for_bob(connection_id):
        if connection_id == bob.id:
            raise StoreUnavailable("no disk")
        return remove_gone(connection_id)

    monkeypatch.setattr(backend.connections, "remove_gone", fail_for_bob)
    assert ann.send("hi") is None
    assert backend.connections.get(eve.id) is None
    assert backend.connections.get(bob.id) is not None
    assert "could not remove gone connection Bob=" in caplog.text


def test_gone_never_deletes_the_senders_records(ann, person, backend, gateway):
    bob = person("Bob")
    gateway.gone.update([ann.id, bob.id])
    ann.send("hi")
    assert backend.connections.get(ann.id).active
    assert backend.connections.get(bob.id) is None


def test_gone_for_a_pending_connection_deletes_nothing(ann, person, backend, gateway, store):
    bob = person("Bob", None)
    # Nothing puts a pending connection into a room; should something ever do, its 410 means that it is being born.
    store.put(
        {
            "pk": "ROOM#general",
            "sk": f"CONNECTION#{bob.id}",
            "connectionId": bob.id,
            "userId": bob.user_id,
            "name": "Bob",
            "since": START * 1000,
        }
    )
    gateway.gone.add(bob.id)
    ann.send("hi")
    assert backend.connections.get(bob.id) is not None
    gateway.gone.clear()
    bob.hello("general")
    assert [message["content"] for message in bob.got("batch")[0]["messages"]] == ["hi"]


def test_a_broadcast_during_anothers_connect_deletes_nothing(ann, person, backend, gateway, monkeypatch):
    person("Bob", connection_id="earlier=")  # so that Bob, by his user id, is in the room
    opening = backend.connections.open

    def open_while_somebody_speaks(connection_id, identity):
        opening(connection_id, identity)
        gateway.gone.add(connection_id)  # its socket does not exist yet
        ann.send("hi")
        gateway.gone.clear()

    monkeypatch.setattr(backend.connections, "open", open_while_somebody_speaks)
    bob = person("Bob", None)
    assert backend.connections.get(bob.id) is not None
    bob.hello("general")
    assert [message["content"] for message in bob.got("batch")[0]["messages"]] == ["hi"]
    ann.send("ho", "c-2")
    assert bob.texts() == ["ho"]


def test_expired_connections_are_not_even_tried(ann, person, clock, gateway, tokens):
    person("Bob")
    clock.advance(24 * 3600)
    eve = person("Eve", connection_id="eve=")  # her token is new
    gateway.clear()
    eve.send("hi")
    assert set(gateway.attempts) == {eve.id}
