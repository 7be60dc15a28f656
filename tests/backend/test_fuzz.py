"""Any frames from one connection: each is answered by name, and others notice nothing."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from backend.auth.tokens import Tokens
from backend.messaging.handlers import Backend
from backend.store.base import Item
from backend.store.sqlite import SqliteStore
from chat.protocol import (
    MAX_FRAME_BYTES,
    Bye,
    DownFrame,
    Error,
    Nack,
    ProtocolError,
    decode,
    parse_down,
    parse_up,
)
from tests.backend.conftest import SECRET
from tests.backend.fakes import FakeClock, FakeGateway, Ids, Person, event
from tests.support.depth import examples

Fields = dict[str, Any]

FUZZ = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=examples(quick=20, deep=1000),
)


class FuzzedConnection:
    """One connection that sends anything, and Bob's, which must not be affected.

    Both are in room general, Mallory only with ``said_hello``.
    """

    def __init__(self, path: Path, *, said_hello: bool) -> None:
        clock = FakeClock()
        self.store = SqliteStore(path, clock=clock)
        self.store._writer.execute("PRAGMA synchronous = OFF")  # many small steps, and no power loss
        self.gateway = FakeGateway()
        tokens = Tokens(SECRET, clock=clock)
        self.backend = Backend(self.store, self.gateway, clock=clock, new_id=Ids())
        self.bob = Person(self.backend, self.gateway, tokens, "Bob", None)
        self.mallory = Person(self.backend, self.gateway, tokens, "Mallory", None)
        self.bob.connect()
        self.bob.hello("general")
        self._said_hello = said_hello
        self._numbers = Ids("b-")

    def begin(self) -> dict[tuple[str, str], Item]:
        """Open a new connection of Mallory's and return every record."""
        self.mallory.disconnect()
        self.gateway.closed.clear()
        self.gateway.gone.clear()
        self.mallory.connect()
        if self._said_hello:
            self.mallory.hello("general")
        self.gateway.clear()
        return self.everything()

    def send(self, body: Any) -> list[DownFrame]:
        """Let Mallory send ``body``; what comes back, having checked that all of it is frames of a good size."""
        response = self.backend.handle(
            event("MESSAGE", self.mallory.id, body, authorizer=self.mallory.authorizer)
        )
        assert response["statusCode"] == 200
        texts = [json.dumps(frame, ensure_ascii=False) for frame in self.mallory.got()]
        texts += [response["body"]] if "body" in response else []
        assert all(len(text.encode()) <= MAX_FRAME_BYTES for text in texts)
        return [parse_down(json.loads(text)) for text in texts]

    def everything(self) -> dict[tuple[str, str], Item]:
        """Return every record."""
        return {
            (item["pk"], item["sk"]): item
            for pk in self.store.partitions("")
            for item in self.store.query(pk)
        }

    def bobs(self) -> dict[tuple[str, str], Item]:
        """Return every record of Bob's connection and messages."""
        return {
            key: item
            for key, item in self.everything().items()
            if self.bob.id in key[0] + key[1] or self.bob.user_id in json.dumps(item)
        }

    def check_that_bob_goes_on(self) -> None:
        """Let Bob send a message, receive it, and find the room unchanged."""
        self.gateway.clear()
        client_message_id = self._numbers()
        assert self.bob.send("all is well", client_message_id) is None
        (ack,), (message,) = self.bob.got("ack"), self.bob.got("message")
        assert (message["clientMessageId"], message["seq"]) == (client_message_id, ack["seq"])
        pong = self.bob.say({"action": "ping", "t": 1})
        assert pong is not None
        assert [(head["roomId"], head["seq"]) for head in pong["heads"]] == [("general", ack["seq"])]

    def close(self) -> None:
        """Let go of the file."""
        self.backend.close()
        self.store.close()


@pytest.fixture(params=["before hello", "after hello"])
def suspect(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FuzzedConnection]:
    made = FuzzedConnection(tmp_path / "k.sqlite3", said_hello=request.param == "after hello")
    yield made
    made.close()


# --- what a frame looks like, and how each of its fields can be wrong ---

ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["general", "c-1", "\ud800", "\x00", 2**53, -(2**63), 1e300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
FRAMES: Mapping[str, Fields] = {
    "hello": {"v": 1, "rooms": [{"roomId": "general", "after": None, "epoch": None}]},
    "join": {"roomId": "general", "after": 0, "epoch": None, "ref": "r-1"},
    "leave": {"roomId": "general"},
    "sendMessage": {"clientMessageId": "m-1", "roomId": "general", "content": "hi"},
    "sync": {"roomId": "general", "after": 0, "epoch": "e-1", "ref": "r-1"},
    "history": {"roomId": "general", "before": 5, "limit": 10, "ref": "r-1"},
    "ping": {"t": 5},
    "typing": {"roomId": "general"},
}
OBJECTS = st.dictionaries(st.text(max_size=5), ANY, max_size=3)
LISTS = st.lists(ANY, max_size=3)
FLAGS = st.booleans()
FRACTIONS = st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: not value.is_integer())
NO_TEXT = st.none() | FLAGS | st.integers() | FRACTIONS | LISTS | OBJECTS
NO_NUMBER = FLAGS | st.text(max_size=5) | LISTS | OBJECTS
TOO_LONG_NUMBERS = st.integers(min_value=2**53) | st.sampled_from([1e300, 10**4000])

WRONG_ID = (
    NO_TEXT.filter(lambda value: value is not None)
    | st.sampled_from(["", "a b", "é", "x" * 65, "x" * 30_000, "a\n", "\x7f", "\ud800"])
    | st.text(st.characters(min_codepoint=0x7F), min_size=1)
)
WRONG_ROOM = NO_TEXT | st.sampled_from(
    ["", " ", "a b", "-a", ".a", "a#b", "a/b", "a" * 65, "e\u0301", "\ud800", "\x00", "a\n", "g" * 30_000]
)
WRONG_SEQ = NO_NUMBER | FRACTIONS | TOO_LONG_NUMBERS | st.integers(max_value=-1)
WRONG_CONTENT = (
    NO_TEXT
    | st.text(st.sampled_from(" \n\t\u3000"), max_size=5)
    | st.sampled_from(["\ud83d", "hi \udc00", "x" * 16_385, "\x01" * 6_000, '"' * 16_000, "絆" * 5_462])
)
WRONG: Mapping[str, st.SearchStrategy[Any]] = {
    "clientMessageId": WRONG_ID | st.none(),
    "roomId": WRONG_ROOM,
    "content": WRONG_CONTENT,
    "after": WRONG_SEQ,
    "before": WRONG_SEQ | st.sampled_from([None, 0]),
    "limit": WRONG_SEQ | st.sampled_from([None, 0, 101]),
    "epoch": WRONG_ID,
    "ref": WRONG_ID,
    "t": NO_NUMBER | TOO_LONG_NUMBERS | st.integers(max_value=-(2**53)),
    "v": WRONG_SEQ | st.sampled_from([None, 0, 1001]),
    "rooms": st.none() | FLAGS | st.integers() | st.text(max_size=5) | OBJECTS,
}
REQUIRED = {"v", "roomId", "clientMessageId", "content", "before"}


@st.composite
def spoiled_frames(draw: st.DrawFn) -> tuple[str, Fields]:
    """Return a frame of a known shape in which one field is wrong or missing, and that field's name on the wire."""
    action = draw(st.sampled_from(sorted(FRAMES)))
    fields = json.loads(json.dumps(FRAMES[action]))
    path, holder = "", fields
    if action == "hello" and draw(st.booleans()):
        path, holder = "rooms[0].", fields["rooms"][0]
    name = draw(st.sampled_from(sorted(holder)))
    if name in REQUIRED and draw(st.integers(0, 3)) == 0:
        del holder[name]
    else:
        holder[name] = draw(WRONG[name])
    return path + name, {"action": action, **fields}


# --- one field wrong ---


@FUZZ
@given(spoiled=spoiled_frames())
def test_one_wrong_field_is_answered_by_its_name_and_changes_nothing(suspect: FuzzedConnection, spoiled):
    name, frame = spoiled
    before = suspect.begin()
    (answer,) = suspect.send(json.dumps(frame))
    is_named = frame["action"] == "sendMessage" and name != "clientMessageId"
    assert isinstance(answer, Nack if is_named else Error)
    assert answer.code == "invalid_field"
    assert answer.message.startswith(f"{name}: ")
    assert suspect.everything() == before
    assert suspect.bob.got() == []
    suspect.check_that_bob_goes_on()


@FUZZ
@given(
    frame=st.sampled_from(sorted(FRAMES)).map(lambda action: {"action": action, **FRAMES[action]}),
    data=st.data(),
)
def test_of_a_name_that_comes_twice_the_last_counts(suspect: FuzzedConnection, frame, data):
    name = data.draw(st.sampled_from(sorted(set(frame) - {"action", "rooms"}) or ["v"]))
    wrong = data.draw(WRONG[name])
    text = json.dumps(frame)[:-1] + f", {json.dumps(name)}: {json.dumps(wrong)}}}"
    before = suspect.begin()
    (answer,) = suspect.send(text)
    assert isinstance(answer, Error | Nack)
    assert answer.message.startswith(f"{name}: ")
    assert suspect.everything() == before


@FUZZ
@given(
    action=ANY | st.text(st.characters(), max_size=40) | st.sampled_from(["x" * 20_000, "Hello", "$connect"])
)
def test_a_wrong_action_is_named(suspect: FuzzedConnection, action):
    if isinstance(action, str) and action in FRAMES:
        return
    before = suspect.begin()
    (answer,) = suspect.send(json.dumps({**FRAMES["sendMessage"], "action": action, "ref": "r-1"}))
    assert isinstance(answer, Error)
    assert answer.ref == "r-1"
    assert answer.message.startswith("unknown action " if isinstance(action, str) else "action: ")
    assert suspect.everything() == before


# --- nothing like a frame ---


def nested(opening: str, closing: str, depth: int) -> str:
    return opening * depth + "1" + closing * depth


NO_JSON = (
    st.text(st.characters(), max_size=60)
    | st.binary(max_size=60).map(lambda data: data.decode("latin-1"))
    | st.sampled_from(
        ["", " ", "{", "}", "null", "\ufeff{}", "{'action': 'ping'}", '{"action":"ping",}', "\x00"]
    )
    | st.sampled_from(
        ['{"action":"ping","t":NaN}', '{"action":"ping","t":-Infinity}', '{"t":' + "9" * 5000 + "}"]
    )
    | st.builds(nested, st.just("["), st.just("]"), st.sampled_from([1, 500, 900, 1100, 16_000, 100_000]))
    | st.builds(nested, st.just('{"a":'), st.just("}"), st.sampled_from([1, 500, 900, 1100, 5_000, 50_000]))
)


@FUZZ
@given(body=NO_JSON | ANY.map(json.dumps))
@example(body='{"action":"ping","x":' + "[" * 100_000)
@example(body='{"action":"sendMessage","clientMessageId":"\\ud800","roomId":"\\ud800","content":"\\ud800"}')
def test_what_is_no_frame_is_answered_by_one_error_and_changes_nothing(suspect: FuzzedConnection, body):
    try:
        parse_up(decode(body))
    except ProtocolError:
        pass
    else:
        return
    before = suspect.begin()
    (answer,) = suspect.send(body)
    assert isinstance(answer, Error)
    assert answer.code in ("malformed_frame", "invalid_field", "unknown_frame")
    assert suspect.everything() == before
    assert suspect.bob.got() == []
    suspect.check_that_bob_goes_on()


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "[{}, NaN]"])
def test_number_outside_json_is_malformed_even_in_unused_fields(suspect: FuzzedConnection, value):
    before = suspect.begin()
    (answer,) = suspect.send('{"action":"ping","t":1,"x":' + value + "}")
    assert isinstance(answer, Error)
    assert answer.code == "malformed_frame"
    assert suspect.everything() == before


def test_an_event_without_a_body_is_a_malformed_frame(suspect: FuzzedConnection):
    suspect.begin()
    (answer,) = suspect.send(None)
    assert isinstance(answer, Error)
    assert answer.code == "malformed_frame"


# --- nearly a frame, or one after all ---

NAMES = sorted(
    {name for fields in FRAMES.values() for name in fields} | {"extra", "type", "senderId", "action"}
)
NEAR = st.builds(
    lambda action, fields, changes: {"action": action, **fields, **changes},
    st.sampled_from(sorted(FRAMES)),
    st.sampled_from(sorted(FRAMES)).map(FRAMES.__getitem__),
    st.dictionaries(st.sampled_from(NAMES), ANY, max_size=3),
)


@FUZZ
@given(frame=NEAR)
def test_no_frame_touches_records_of_others_or_impersonates_them(suspect: FuzzedConnection, frame):
    suspect.begin()
    before = suspect.bobs()
    answers = suspect.send(json.dumps(frame))
    assert {answer.type for answer in answers} <= {
        *("error", "nack", "bye", "ready", "batch", "pong", "ack", "message", "presence")
    }
    assert suspect.bobs() == before
    for heard in suspect.bob.got():
        assert heard["type"] in ("message", "typing", "presence")
        assert heard.get("senderId", suspect.mallory.user_id) == suspect.mallory.user_id
        assert heard.get("senderName", "Mallory") == "Mallory"
    suspect.check_that_bob_goes_on()


@FUZZ
@given(version=st.integers(2, 1000), more=st.dictionaries(st.sampled_from(NAMES[:5]), ANY, max_size=2))
def test_a_version_that_nobody_speaks_is_a_farewell(suspect: FuzzedConnection, version, more):
    frame = {**FRAMES["hello"], "x": more, "action": "hello", "v": version}
    before = suspect.begin()
    (answer,) = suspect.send(json.dumps(frame))
    assert answer == Bye(reason="unsupported", reconnect=False)
    assert suspect.gateway.closed == [suspect.mallory.id]
    assert suspect.everything() == before
    suspect.check_that_bob_goes_on()
