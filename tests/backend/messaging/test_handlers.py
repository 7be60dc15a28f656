"""The answer to each frame, through events alone: no socket, no event loop."""

import json
import logging

import pytest

from backend.messaging.handlers import Backend
from backend.messaging.message_log import Rooms
from chat.protocol import MAX_FRAME_BYTES, UP_FRAMES
from tests.backend.fakes import START, Ids, Person, event

HELLO = {"action": "hello", "v": 1, "rooms": []}


# --- $connect and $disconnect ---


def test_a_good_token_is_let_in_and_recorded_as_pending(backend, person, gateway):
    ann = person("Ann", None)
    connection = backend.connections.get(ann.id)
    assert (connection.user_id, connection.name, connection.active) == (ann.user_id, "Ann", False)
    assert gateway.attempts == []  # nothing may be posted: the socket does not exist yet


@pytest.mark.parametrize("authorizer", [None, {}, {"principalId": "somebody-else"}])
def test_handshake_without_authorizer_is_refused_and_not_recorded(backend, tokens, authorizer, caplog):
    token = tokens.issue("Ann", "x" * 16).token
    refused = event("CONNECT", "c=", query={"token": token}, authorizer=authorizer)
    assert backend.handle(refused)["statusCode"] == 401
    assert backend.connections.get("c=") is None
    assert "the route $connect has no authorizer" in caplog.text


def test_a_frame_that_the_gateway_gives_to_another_person_is_not_handled(backend, gateway, ann, person):
    bob = person("Bob")
    frame = {"action": "sendMessage", "clientMessageId": "c-1", "roomId": "general", "content": "I am Ann"}
    backend.handle(event("MESSAGE", ann.id, frame, authorizer=bob.authorizer))
    backend.handle(event("MESSAGE", ann.id, frame))
    assert gateway.frames(bob.id, "message") == []
    assert [frame["reason"] for frame in gateway.frames(ann.id, "bye")] == ["unknown_connection"]


def test_name_and_person_come_from_the_token_not_the_frame(ann, person):
    bob = person("Bob")
    bob.say(
        {
            "action": "sendMessage",
            "clientMessageId": "c-1",
            "roomId": "general",
            "content": "hi",
            "senderId": ann.user_id,
            "senderName": "Ann",
        }
    )
    (message,) = ann.got("message")
    assert (message["senderId"], message["senderName"]) == (bob.user_id, "Bob")


def test_disconnect_removes_the_connection_and_again_is_no_error(backend, ann, person):
    ann.disconnect()
    ann.disconnect()
    assert backend.connections.get(ann.id) is None
    assert backend.connections.members("general") == []


# --- hello ---


def test_hello_is_answered_by_ready_and_then_one_batch_for_each_room(ann, person):
    ann.send("before")
    bob = person("Bob", None)
    bob.hello("general", "other")
    ready, first, second = bob.got()[:3]
    assert ready == {
        "type": "ready",
        "connectionId": "Bob=",
        "userId": bob.user_id,
        "serverTime": START * 1000,
        "expiresIn": 3600,
        "v": 1,
    }
    assert (first["roomId"], [m["content"] for m in first["messages"]]) == ("general", ["before"])
    assert (second["roomId"], second["messages"], second["complete"]) == ("other", [], True)


def test_expires_in_counts_down_with_the_token(person, clock):
    ann = person("Ann", None)
    clock.advance(600)
    ann.hello()
    assert ann.got("ready")[0]["expiresIn"] == 3000


def test_hello_brings_what_was_missed_after_the_watermark(ann, person):
    for number in range(1, 6):
        ann.send(f"m{number}", f"c-{number}")
    bob = person("Bob", None)
    bob.hello({"roomId": "general", "after": 3})
    assert [message["seq"] for message in bob.got("batch")[0]["messages"]] == [4, 5]


@pytest.mark.parametrize("version", [2, 1000])
def test_page_of_another_version_gets_bye_without_reconnect(backend, person, gateway, version):
    ann = person("Ann", None)
    assert ann.say({"action": "hello", "v": version, "rooms": [{"roomId": "general"}]}) is None
    assert ann.got() == [{"type": "bye", "reason": "unsupported", "reconnect": False, "retryAfter": None}]
    assert gateway.closed == [ann.id]
    assert not backend.connections.get(ann.id).active
    assert backend.connections.members("general") == []


def test_hello_again_is_answered_again(ann):
    ann.hello("general")
    assert len(ann.got("ready")) == 2
    assert len(ann.got("batch")) == 2


def test_a_room_named_twice_in_hello_is_answered_once(person):
    ann = person("Ann", None)
    ann.hello("general", "general")
    assert len(ann.got("batch")) == 1


def test_hello_enters_the_room_before_reading_it(backend, person, monkeypatch):
    bob = person("Bob")
    read_after = Rooms.read_after
    ann = person("Ann", None)

    def read_and_lose_the_race(rooms, *args):
        batch = read_after(rooms, *args)
        bob.send("in between")
        return batch

    monkeypatch.setattr(Rooms, "read_after", read_and_lose_the_race)
    ann.hello("general")
    assert ann.got("batch")[0]["messages"] == []
    assert ann.texts() == ["in between"]


def test_join_enters_the_room_before_reading_it(ann, person, monkeypatch):
    bob = person("Bob", "other")
    read_after = Rooms.read_after

    def read_and_lose_the_race(rooms, *args):
        batch = read_after(rooms, *args)
        bob.send("in between", room="other")
        return batch

    monkeypatch.setattr(Rooms, "read_after", read_and_lose_the_race)
    ann.say({"action": "join", "roomId": "other"})
    assert ann.got("batch")[-1]["messages"] == []
    assert ann.texts() == ["in between"]


def test_hello_of_fifty_rooms_with_much_to_say_stays_within_frames(ann, person, gateway):
    rooms = [f"r{number}" for number in range(50)]
    for room in rooms:
        ann.send("x" * 16_000, f"{room}-1", room)
        ann.send("x" * 16_000, f"{room}-2", room)
        ann.send("x" * 16_000, f"{room}-3", room)
    bob = person("Bob", None)
    bob.hello(*({"roomId": room, "after": 0} for room in rooms))
    batches = bob.got("batch")
    assert [batch["roomId"] for batch in batches] == rooms
    assert all(not batch["complete"] and batch["next"] for batch in batches)
    assert max(len(json.dumps(batch)) for batch in batches) <= MAX_FRAME_BYTES


def test_a_connection_that_is_gone_already_gets_no_batches(person, gateway):
    ann = person("Ann", None)
    gateway.gone.add(ann.id)
    ann.hello("general", "other")
    assert gateway.attempts == [ann.id]


def test_a_connection_too_slow_for_a_batch_is_spared_the_rest(person, gateway):
    ann = person("Ann", None)
    batches = []

    def fail_at_the_first(ids, frame):
        if frame["type"] == "batch":
            batches.extend(ids)
            gateway.failing.update(ids)

    gateway.before_post = fail_at_the_first
    ann.hello("general", "other")
    assert [frame["type"] for frame in ann.got()] == ["ready"]
    assert batches == [ann.id]


def test_a_room_that_cannot_be_read_keeps_nobody_out_of_the_others(person, backend, monkeypatch):
    read = backend.rooms.read_after

    def fail_for_one(room_id, *args):
        if room_id == "broken":
            raise OSError("a damaged page")
        return read(room_id, *args)

    monkeypatch.setattr(backend.rooms, "read_after", fail_for_one)
    ann = person("Ann", None)
    ann.hello("broken", "general")
    (error,), (batch,) = ann.got("error"), ann.got("batch")
    assert (error["code"], error["roomId"], batch["roomId"]) == ("internal", "broken", "general")


def test_before_hello_everything_but_ping_is_refused(person, gateway):
    ann = person("Ann", None)
    for frame in (
        {"action": "sync", "roomId": "general", "after": 0, "ref": "r-1"},
        {"action": "join", "roomId": "general", "ref": "r-1"},
    ):
        answer = ann.say(frame)
        assert (answer["type"], answer["code"], answer["ref"]) == ("error", "hello_first", "r-1")
    assert ann.send("too early")["code"] == "hello_first"
    assert ann.say({"action": "ping", "t": 5}) == {"type": "pong", "t": 5, "heads": []}
    ann.hello("general")
    assert ann.got("batch")[0]["messages"] == []
    assert ann.send("in time") is None


def test_disconnect_that_overtakes_hello_leaves_no_ghost(backend, person, gateway):
    ann = person("Ann", None)
    ann.disconnect()
    assert ann.say({**HELLO, "rooms": [{"roomId": "general"}]}) is None
    assert backend.connections.get(ann.id) is None
    assert backend.connections.members("general") == []


# --- a connection that must come back ---


def test_a_connection_without_a_record_is_told_to_come_back_and_closed(ann, backend, gateway):
    backend.connections.remove(ann.id)
    gateway.clear()
    assert ann.say({"action": "ping"}) is None
    assert ann.got() == [
        {"type": "bye", "reason": "unknown_connection", "reconnect": True, "retryAfter": None}
    ]
    assert gateway.closed == [ann.id]


def test_a_connection_whose_token_expired_is_told_to_come_back_and_closed(ann, clock, gateway, backend):
    clock.advance(3599)
    assert ann.say({"action": "ping"})["type"] == "pong"
    clock.advance(1)
    assert ann.send("too late") is None
    assert ann.got("bye") == [
        {"type": "bye", "reason": "token_expired", "reconnect": True, "retryAfter": None}
    ]
    assert gateway.closed == [ann.id]
    assert backend.rooms.head("general").seq == 0


# --- the other requests ---


def test_join_enters_the_room_then_answers_with_what_was_missed(ann, person):
    bob = person("Bob", "other")
    bob.send("hi", room="other")
    assert ann.say({"action": "join", "roomId": "other", "ref": "r-1"}) is None
    answer = ann.got("batch")[-1]
    assert (answer["roomId"], answer["ref"]) == ("other", "r-1")
    assert [message["content"] for message in answer["messages"]] == ["hi"]
    bob.send("more", "c-2", room="other")
    assert ann.texts() == ["more"]


def test_the_fifty_first_room_is_refused(person):
    ann = person("Ann", None)
    ann.hello(*(f"r{number}" for number in range(50)))
    answer = ann.say({"action": "join", "roomId": "one-more", "ref": "r-1"})
    assert (answer["type"], answer["code"], answer["ref"]) == ("error", "too_many_rooms", "r-1")
    assert len(ann.say({"action": "ping"})["heads"]) == 50


def test_leave_ends_the_messages_of_that_room_alone(ann, person):
    bob = person("Bob")
    assert ann.say({"action": "leave", "roomId": "general"}) is None
    bob.send("hi")
    assert ann.got("message") == []
    assert ann.say({"action": "ping"})["heads"] == []


def test_sync_answers_from_the_log_with_its_ref(ann):
    for number in range(1, 4):
        ann.send(f"m{number}", f"c-{number}")
    answer = ann.say({"action": "sync", "roomId": "general", "after": 1, "ref": "r-1"})
    assert ([message["seq"] for message in answer["messages"]], answer["ref"]) == ([2, 3], "r-1")
    assert answer["complete"]
    other = ann.say({"action": "sync", "roomId": "general", "after": 1, "epoch": "another"})
    assert [message["seq"] for message in other["messages"]] == [1, 2, 3]


def test_history_goes_back_page_by_page(ann):
    for number in range(1, 6):
        ann.send(f"m{number}", f"c-{number}")
    answer = ann.say({"action": "history", "roomId": "general", "before": 5, "limit": 2, "ref": "r-1"})
    assert ([message["seq"] for message in answer["messages"]], answer["next"]) == ([3, 4], 3)


@pytest.mark.parametrize("ask", [{"action": "sync", "after": 0}, {"action": "history", "before": 9}])
@pytest.mark.parametrize("was_in", [False, True])
def test_a_room_is_read_by_those_who_are_in_it(ann, person, ask, was_in):
    bob = person("Bob", "other")
    bob.send("for those in here", room="other")
    frame = {**ask, "roomId": "other", "ref": "r-1"}
    if was_in:
        ann.say({"action": "join", "roomId": "other"})
        assert [message["content"] for message in ann.say(frame)["messages"]] == ["for those in here"]
        ann.say({"action": "leave", "roomId": "other"})
    answer = ann.say(frame)
    assert (answer["type"], answer["code"], answer["ref"]) == ("error", "not_in_room", "r-1")
    assert answer["roomId"] == "other"
    assert "for those" not in json.dumps(answer)


def test_message_for_a_room_that_was_left_is_stored_and_broadcast(ann, person):
    bob = person("Bob", "other")
    ann.say({"action": "join", "roomId": "other"})
    ann.say({"action": "leave", "roomId": "other"})
    assert ann.send("it waited", room="other") is None
    assert bob.texts() == ["it waited"]
    assert [ack["seq"] for ack in ann.got("ack")] == [1]


def test_pong_brings_the_clients_time_back_and_the_heads_of_its_rooms(ann, person):
    person("Bob", "other").send("hi", room="other")
    ann.say({"action": "join", "roomId": "other"})
    ann.send("hi")
    ann.send("ho", "c-2")
    pong = ann.say({"action": "ping", "t": 12.5})
    assert pong["t"] == 12.5
    assert [(head["roomId"], head["seq"]) for head in pong["heads"]] == [("general", 2), ("other", 1)]
    assert pong["heads"][0]["epoch"] == ann.got("ack")[0]["epoch"]


# --- who may ---


@pytest.fixture
def guarded(store, gateway, clock, retry):
    """Return a backend whose room ``secret`` is closed to all."""
    made = Backend(
        store,
        gateway,
        clock=clock,
        new_id=Ids(),
        retry=retry,
        may_join=lambda user_id, room_id: room_id != "secret",
    )
    yield made
    made.close()


def test_closed_room_can_be_neither_entered_nor_read_nor_written(guarded, gateway, tokens, monkeypatch):
    ann = Person(guarded, gateway, tokens, "Ann", None)
    ann.connect()
    ann.hello("secret", "general")
    assert [frame["type"] for frame in ann.got()] == ["ready", "error", "batch", "presence"]
    assert ann.got("error") == [
        {
            "type": "error",
            "code": "forbidden",
            "message": "roomId: you may not enter secret",
            "ref": None,
            "roomId": "secret",
        }
    ]
    for action, more in (("join", {}), ("sync", {"after": 0}), ("history", {"before": 5})):
        answer = ann.say({"action": action, "roomId": "secret", "ref": "r-1", **more})
        assert answer == {**ann.got("error")[0], "ref": "r-1"}
    answer = ann.send("hi", room="secret")
    assert answer is not None
    assert (answer["type"], answer["code"], answer["retryable"]) == ("nack", "forbidden", False)
    assert guarded.connections.members("secret") == []
    assert guarded.rooms.head("secret").seq == 0


# --- frames that are not right ---


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ("", "malformed_frame", "not valid JSON"),
        ("{", "malformed_frame", "not valid JSON"),
        ("[]", "malformed_frame", "must be one JSON object"),
        ("{}", "invalid_field", "action: "),
        ({"action": 5}, "invalid_field", "action: "),
        ({"action": "dance"}, "unknown_frame", "unknown action 'dance'"),
        ({"action": "$connect"}, "unknown_frame", "unknown action"),
        ({"action": "sync", "after": 0}, "invalid_field", "roomId: is missing"),
        ({"action": "sync", "roomId": "a b"}, "invalid_field", "roomId: "),
        ({"action": "sync", "roomId": "a", "after": -1}, "invalid_field", "after: "),
        ({"action": "history", "roomId": "a", "before": 0}, "invalid_field", "before: "),
        ({"action": "hello"}, "invalid_field", "v: is missing"),
        ({"action": "hello", "v": 1, "rooms": [{}]}, "invalid_field", "rooms[0].roomId: is missing"),
        (
            {"action": "sendMessage", "roomId": "a", "content": "hi"},
            "invalid_field",
            "clientMessageId: is missing",
        ),
    ],
)
def test_a_bad_frame_is_answered_by_an_error_that_names_the_field(ann, body, code, words):
    answer = ann.say(body)
    assert (answer["type"], answer["code"]) == ("error", code)
    assert answer["message"].startswith(words)
    assert ann.say({"action": "ping"})["type"] == "pong"


def test_error_names_the_room_of_the_request(person):
    ann = person("Ann", None)
    ann.hello(*(f"r{number}" for number in range(50)))
    assert ann.say({"action": "join", "roomId": "one-more"})["roomId"] == "one-more"
    assert ann.say({"action": "sync", "roomId": "r1", "after": -1})["roomId"] == "r1"
    assert ann.say({"action": "sync", "roomId": "no room"})["roomId"] is None


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        ({"content": "x" * 16_385}, "content: takes 16,385 bytes"),
        ({"content": " "}, "content: must not be blank"),
        ({"content": "\ud800"}, "content: contains half of a surrogate pair"),
        ({"roomId": "a b"}, "roomId: "),
        ({"content": None}, "content: must be text, not null"),
    ],
)
def test_a_bad_message_is_answered_by_a_nack_that_names_the_field(ann, spoiled, words):
    answer = ann.say(
        {"action": "sendMessage", "clientMessageId": "c-1", "roomId": "general", "content": "hi", **spoiled}
    )
    assert (answer["type"], answer["clientMessageId"], answer["retryable"]) == ("nack", "c-1", False)
    assert answer["message"].startswith(words)


def test_error_returns_a_valid_ref_and_omits_a_bad_one(ann):
    assert ann.say({"action": "sync", "roomId": "", "ref": "r-1"})["ref"] == "r-1"
    answer = ann.say({"action": "sync", "roomId": "a", "ref": "a b"})
    assert (answer["ref"], answer["message"][:5]) == (None, "ref: ")


def test_no_log_line_holds_a_token_or_what_somebody_wrote(ann, person, gateway, caplog, backend):
    caplog.set_level(logging.DEBUG)
    bob = person("Bob")
    gateway.gone.add(bob.id)
    ann.send("a very private thought")
    backend.handle(event("CONNECT", "x=", query={"token": ann.token}))
    assert "removed" in caplog.text
    assert "refused" in caplog.text
    assert "private" not in caplog.text
    assert ann.token[:40] not in caplog.text


def test_every_action_of_the_protocol_has_a_route(backend):
    assert backend.routes == {"$connect", "$disconnect", "$default", *UP_FRAMES}
