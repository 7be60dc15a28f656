"""The wire: every frame survives the round trip, and everything else is refused by name."""

import contextlib
import dataclasses
import json
import string
import unicodedata

import pytest
from hypothesis import example, given, strategies as st

from chat import protocol
from chat.protocol import (
    DOWN_FRAMES,
    MAX_CONTENT_BYTES,
    MAX_ESCAPED_CONTENT_BYTES,
    MAX_FRAME_BYTES,
    MAX_INTEGER,
    MAX_NAME_CHARACTERS,
    UP_FRAMES,
    Ack,
    Batch,
    GatewayError,
    Hello,
    InvalidField,
    MalformedFrame,
    Message,
    Ping,
    Pong,
    ProtocolError,
    RoomPosition,
    SendMessage,
    UnknownFrame,
    check_content,
    check_id,
    check_integer,
    check_person_name,
    check_room,
    decode,
    encode,
    parse_down,
    parse_up,
    to_object,
)

IDS = st.text(alphabet=string.ascii_letters + string.digits + string.punctuation, min_size=1, max_size=64)
ROOMS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", fullmatch=True) | st.sampled_from(
    ["general", "絆", "部屋-2", "été"]
)
SEQS = st.integers(1, MAX_INTEGER)
COUNTS = st.integers(0, MAX_INTEGER)
SHORT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
CONTENTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300).filter(str.strip)
NUMBERS = st.floats(-MAX_INTEGER, MAX_INTEGER, allow_nan=False) | st.integers(-MAX_INTEGER, MAX_INTEGER)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def frames(cls, **fields):
    """Frames of a class; a field whose strategy is missing keeps its default or is drawn as None."""
    return st.builds(cls, **fields)


MAYBE_ID = st.none() | IDS
MESSAGES = frames(
    Message,
    room_id=ROOMS,
    message_id=IDS,
    sender_id=IDS,
    sender_name=SHORT,
    content=CONTENTS,
    timestamp=COUNTS,
    epoch=MAYBE_ID,
    seq=st.none() | SEQS,
    client_message_id=MAYBE_ID,
)
POSITIONS = st.builds(RoomPosition, room_id=ROOMS, after=st.none() | COUNTS, epoch=MAYBE_ID)
UP = st.one_of(
    frames(Hello, v=st.integers(1, 1000), rooms=st.lists(POSITIONS, max_size=3).map(tuple)),
    frames(protocol.Join, room_id=ROOMS, after=st.none() | COUNTS, epoch=MAYBE_ID, ref=MAYBE_ID),
    frames(protocol.Leave, room_id=ROOMS),
    frames(SendMessage, client_message_id=IDS, room_id=ROOMS, content=CONTENTS),
    frames(protocol.Sync, room_id=ROOMS, after=st.none() | COUNTS, epoch=MAYBE_ID, ref=MAYBE_ID),
    frames(protocol.History, room_id=ROOMS, before=SEQS, limit=st.integers(1, 100), ref=MAYBE_ID),
    frames(Ping, t=st.none() | NUMBERS),
    frames(protocol.Typing, room_id=ROOMS),
)
HEADS = st.builds(protocol.RoomHead, room_id=ROOMS, epoch=IDS, seq=COUNTS)
DOWN = st.one_of(
    MESSAGES,
    frames(
        protocol.Ready,
        connection_id=IDS,
        user_id=IDS,
        server_time=COUNTS,
        expires_in=st.none() | NUMBERS,
        v=st.integers(1, 1000),
    ),
    frames(
        Ack,
        client_message_id=IDS,
        room_id=ROOMS,
        epoch=IDS,
        message_id=IDS,
        seq=SEQS,
        timestamp=COUNTS,
        duplicate=st.booleans(),
    ),
    frames(
        protocol.Nack,
        client_message_id=IDS,
        code=SHORT,
        message=SHORT,
        retryable=st.booleans(),
        retry_after=st.none() | NUMBERS,
    ),
    frames(
        Batch,
        room_id=ROOMS,
        epoch=IDS,
        messages=st.lists(MESSAGES, max_size=2).map(tuple),
        next=st.none() | COUNTS,
        head=COUNTS,
        complete=st.booleans(),
        limited=st.booleans(),
        ref=MAYBE_ID,
    ),
    frames(Pong, t=st.none() | NUMBERS, heads=st.lists(HEADS, max_size=3).map(tuple)),
    frames(
        protocol.Presence,
        room_id=ROOMS,
        count=st.integers(0, protocol.MAX_PEOPLE),
        more=st.booleans(),
        joined=st.lists(SHORT, max_size=3).map(tuple),
        left=st.lists(SHORT, max_size=3).map(tuple),
    ),
    frames(protocol.TypingNotice, room_id=ROOMS, sender_id=IDS, sender_name=SHORT),
    frames(protocol.Bye, reason=SHORT, reconnect=st.booleans(), retry_after=st.none() | NUMBERS),
    frames(protocol.Error, code=SHORT, message=SHORT, ref=MAYBE_ID, room_id=st.none() | ROOMS),
)

SEND = {"action": "sendMessage", "clientMessageId": "c-1", "roomId": "general", "content": "hi"}
MESSAGE = {
    "type": "message",
    "roomId": "general",
    "messageId": "m-1",
    "senderId": "u-1",
    "senderName": "Ann",
    "content": "hi",
    "timestamp": 5,
}


# --- round trips ---


@given(UP)
def test_every_upward_frame_survives_the_wire(frame):
    assert parse_up(decode(encode(frame))) == frame


@given(DOWN)
def test_every_downward_frame_survives_the_wire(frame):
    assert parse_down(decode(encode(frame))) == frame


def test_every_known_frame_is_part_of_the_round_trips():
    drawn_up = {Hello, protocol.Join, protocol.Leave, SendMessage, protocol.Sync, protocol.History, Ping}
    assert set(UP_FRAMES.values()) == drawn_up | {protocol.Typing}
    assert len(DOWN_FRAMES) == 10


@given(ANY_JSON | st.dictionaries(st.sampled_from(["action", "type", "message"]), ANY_JSON))
def test_whatever_json_arrives_only_a_protocol_error_comes_out(value):
    for parse in (parse_up, parse_down):
        with contextlib.suppress(ProtocolError):
            assert parse(decode(json.dumps(value))) is not None


@given(UP | DOWN, st.data())
def test_a_frame_with_one_bad_field_is_parsed_or_names_it(frame, data):
    up = isinstance(frame, protocol.UpFrame)
    spoiled = to_object(frame)
    parse = parse_up if up else parse_down
    name = data.draw(st.sampled_from([key for key in spoiled if key not in ("action", "type")] or ["extra"]))
    spoiled[name] = data.draw(ANY_JSON)
    try:
        parse(spoiled)
    except InvalidField as error:
        refused = error
    else:
        return
    assert refused.field is not None
    assert refused.field.partition("[")[0].partition(".")[0] == name
    assert str(refused).startswith(refused.field)


@given(UP, st.dictionaries(st.text(max_size=8).filter(lambda name: name.startswith("x")), ANY_JSON))
def test_unknown_fields_are_tolerated(frame, extra):
    assert parse_up({**to_object(frame), **extra}) == frame


def test_wire_names_are_camel_case_and_the_frames_name_is_first():
    text = encode(SendMessage(client_message_id="c-1", room_id="general", content="絆"))
    assert text == '{"action":"sendMessage","clientMessageId":"c-1","roomId":"general","content":"絆"}'


def test_optional_fields_may_be_missing_and_required_ones_not():
    assert parse_up({"action": "ping"}) == Ping()
    with pytest.raises(InvalidField, match="^content: is missing$"):
        parse_up({key: value for key, value in SEND.items() if key != "content"})


def test_a_nested_field_is_named_with_its_place():
    hello = {"action": "hello", "v": 1, "rooms": [{"roomId": "a"}, {"roomId": "a b"}]}
    with pytest.raises(InvalidField) as caught:
        parse_up(hello)
    assert caught.value.field == "rooms[1].roomId"
    with pytest.raises(InvalidField, match=r"^rooms\[0\]: must be an object, not text"):
        parse_up({"action": "hello", "v": 1, "rooms": ["general"]})


def test_a_hello_has_at_most_fifty_rooms():
    rooms = [{"roomId": f"r{number}"} for number in range(51)]
    hello = parse_up({"action": "hello", "v": 1, "rooms": rooms[:50]})
    assert isinstance(hello, Hello)
    assert len(hello.rooms) == 50
    with pytest.raises(InvalidField, match="rooms: has 51 items"):
        parse_up({"action": "hello", "v": 1, "rooms": rooms})


# --- not a frame ---


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "5",
        '"hi"',
        "[]",
        "[" * 100_000,
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":' + "9" * 5000 + "}",
        b"\xff\xfe\x00",
    ],
)
def test_what_is_not_one_json_object_is_malformed(text):
    with pytest.raises(MalformedFrame):
        decode(text)


def test_unknown_actions_and_types_are_reported_by_name_and_short():
    with pytest.raises(UnknownFrame, match="unknown action 'dance'; known are hello"):
        parse_up({"action": "dance"})
    with pytest.raises(UnknownFrame, match="unknown type 'dance'"):
        parse_down({"type": "dance"})
    with pytest.raises(UnknownFrame) as caught:
        parse_up({"action": "\ud800😀" * 10_000})
    assert len(str(caught.value).encode()) < 1024


@pytest.mark.parametrize("action", [None, 5, True, [], {}])
def test_an_action_that_is_no_text_is_an_invalid_field(action):
    with pytest.raises(InvalidField, match="^action: "):
        parse_up({"action": action})
    with pytest.raises(InvalidField, match="^type: "):
        parse_down({"type": action})


def test_api_gateways_own_words_are_a_frame():
    words = {"message": "Internal server error", "connectionId": "BFaT_fALIAMCKug=", "requestId": "JKJ="}
    assert parse_down(words) == GatewayError(
        message="Internal server error", connection_id="BFaT_fALIAMCKug=", request_id="JKJ="
    )
    assert parse_down({"message": "Forbidden"}) == GatewayError(message="Forbidden")


def test_an_error_may_name_the_room_and_an_older_servers_names_none():
    error = protocol.Error(code="forbidden", message="no", room_id="secret")
    assert to_object(error)["roomId"] == "secret"
    older = parse_down({"type": "error", "code": "forbidden", "message": "no"})
    assert older == protocol.Error(code="forbidden", message="no", ref=None, room_id=None)


def test_a_message_of_the_articles_server_lacks_seq_epoch_and_id():
    message = parse_down(MESSAGE)
    assert isinstance(message, Message)
    assert (message.seq, message.epoch, message.client_message_id) == (None, None, None)


# --- checks ---


@pytest.mark.parametrize("value", ["general", "a", "絆", "r.1-2_3", "_x", "é" * 64])
def test_good_rooms(value):
    assert check_room("roomId", value) == value


@pytest.mark.parametrize(
    "value", ["", " ", "a b", "-a", ".a", "a#b", "a/b", "a" * 65, "a\n", "e\u0301", "\ud800", None, 5, ["a"]]
)
def test_bad_rooms(value):
    with pytest.raises(InvalidField, match="^roomId: "):
        check_room("roomId", value)


def test_a_room_name_outside_normal_form_c_is_refused():
    with pytest.raises(InvalidField, match="normal form C"):
        check_room("roomId", "\u212bngström")  # ANGSTROM SIGN: a letter, and another one in form C


@pytest.mark.parametrize("value", ["", "a b", "é", "a" * 65, "a\n", "\x7f", None, 5])
def test_bad_identifiers(value):
    with pytest.raises(InvalidField, match="^ref: "):
        check_id("ref", value)


def test_identifiers_of_api_gateways_shape_are_good():
    assert check_id("connectionId", "BFaT_fALIAMCKug=") == "BFaT_fALIAMCKug="


@pytest.mark.parametrize(
    "value", [True, 1.5, "1", None, -1, MAX_INTEGER + 1, 1e300, float("inf"), float("nan"), [1]]
)
def test_bad_integers(value):
    with pytest.raises(InvalidField, match="^seq: "):
        check_integer("seq", value)


def test_more_people_than_a_room_has_are_refused():
    presence = {"type": "presence", "roomId": "general", "count": protocol.MAX_PEOPLE}
    assert parse_down(presence) == protocol.Presence(room_id="general", count=protocol.MAX_PEOPLE)
    with pytest.raises(InvalidField, match="^count: "):
        parse_down({**presence, "count": MAX_INTEGER})


def test_a_whole_float_is_an_integer():
    """JavaScript has one kind of number."""
    value = check_integer("seq", 3.0)
    assert value == 3
    assert isinstance(value, int)


@pytest.mark.parametrize("value", [True, "1", float("inf"), float("nan"), 2.0**60, [1]])
def test_bad_numbers(value):
    with pytest.raises(InvalidField, match="^t: "):
        parse_up({"action": "ping", "t": value})


def test_a_flag_is_true_or_false_and_nothing_like_it():
    with pytest.raises(InvalidField, match="reconnect: must be true or false, not a number"):
        parse_down({"type": "bye", "reason": "restart", "reconnect": 1})


@pytest.mark.parametrize("value", ["", "  \n\t", "\u3000", None, 5])
def test_blank_content_is_refused(value):
    with pytest.raises(InvalidField, match="^content: "):
        check_content("content", value)


def test_sizes_are_bytes_of_utf8():
    assert check_content("content", "絆" * (MAX_CONTENT_BYTES // 3))
    with pytest.raises(InvalidField, match="content: takes 16,386 bytes of UTF-8; at most 16,384"):
        check_content("content", "絆" * (MAX_CONTENT_BYTES // 3 + 1))


def test_half_of_a_surrogate_pair_is_not_text():
    with pytest.raises(InvalidField, match="content: contains half of a surrogate pair"):
        check_content("content", "\ud83d")


def test_content_that_json_would_blow_up_is_refused():
    with pytest.raises(InvalidField, match="content: has too many control characters"):
        check_content("content", "\x01" * 5_120)


@given(st.text(st.sampled_from('\x00\x1f"\\\n絆😀a'), min_size=1, max_size=16_384))
def test_whatever_content_is_accepted_fits_into_a_frame_in_both_directions(content):
    try:
        check_content("content", content)
    except InvalidField:
        return
    assert len(encode(_largest_send(content)).encode()) <= MAX_FRAME_BYTES
    assert len(encode(_largest_batch(content)).encode()) <= MAX_FRAME_BYTES


def test_the_largest_content_fits_into_a_frame_in_both_directions():
    # Six bytes each in JSON, and the limit to the byte.
    content = "\x01" * ((MAX_ESCAPED_CONTENT_BYTES - 2) // 6)
    check_content("content", content)
    assert len(encode(_largest_send(content)).encode()) <= MAX_FRAME_BYTES
    assert len(encode(_largest_batch(content)).encode()) <= MAX_FRAME_BYTES


def _largest_send(content):
    return SendMessage(client_message_id='"' * 64, room_id="𠀀" * 64, content=content)


def _largest_batch(content):
    message = Message(
        room_id="𠀀" * 64,
        message_id='"' * 64,
        sender_id='"' * 64,
        sender_name="😀" * MAX_NAME_CHARACTERS,
        content=content,
        timestamp=MAX_INTEGER,
        epoch='"' * 64,
        seq=MAX_INTEGER,
        client_message_id='"' * 64,
    )
    return Batch(
        room_id="𠀀" * 64,
        epoch='"' * 64,
        messages=(message,),
        next=MAX_INTEGER,
        head=MAX_INTEGER,
        complete=False,
        ref='"' * 64,
    )


# --- names of people ---


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Ann", "Ann"),
        ("  Ann \t\n Lee ", "Ann Lee"),
        ("絆", "絆"),
        ("e\u0301", "é"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("x" * 40, "x" * 40),
    ],
)
def test_good_names_are_trimmed_and_composed(value, shown):
    assert check_person_name("name", value) == shown


@pytest.mark.parametrize(
    "value",
    [
        "",
        "   ",
        "x" * 41,
        "a\u200bb",
        "\u202eevil",
        "a\x00b",
        "\ue000",
        "\ud800",
        "\u200d",
        "\u0301",
        "\u3164",
        "\u3000",
        None,
        5,
        ["Ann"],
    ],
)
def test_bad_names(value):
    with pytest.raises(InvalidField, match="^name: "):
        check_person_name("name", value)


@example("\ufa70")  # of Unicode 4.1
@given(st.text(max_size=60))
def test_a_name_that_was_accepted_is_accepted_again_unchanged(value):
    """It is in normal form C, but for characters that came after Unicode 3.2: Pythons do not agree on those."""
    try:
        name = check_person_name("name", value)
    except InvalidField:
        return
    assert check_person_name("name", name) == name
    assert 1 <= len(name) <= MAX_NAME_CHARACTERS
    if all(unicodedata.ucd_3_2_0.category(char) != "Cn" for char in name):
        assert unicodedata.is_normalized("NFC", name)


def test_a_name_that_composing_makes_longer_is_measured_as_it_is_shown():
    # U+0958 is one character that NFC writes as two.
    with pytest.raises(InvalidField, match="name: must have 1 to 40 characters"):
        check_person_name("name", "\u0958" * 40)


# --- the frames themselves ---


@pytest.mark.parametrize("cls", [*UP_FRAMES.values(), *DOWN_FRAMES.values(), RoomPosition, GatewayError])
def test_frames_cannot_be_changed_and_every_field_is_checked(cls):
    assert cls.__dataclass_params__.frozen
    assert all(callable(field.metadata["check"]) for field in dataclasses.fields(cls))


def test_every_error_says_its_code_for_the_wire():
    codes = {error.code for error in (MalformedFrame, UnknownFrame, InvalidField)}
    assert codes == {"malformed_frame", "unknown_frame", "invalid_field"}
    assert MalformedFrame("x").field is None


def test_a_sparse_field_is_written_only_with_another_value() -> None:
    frame = Ack(client_message_id="c", room_id="r", epoch="e", message_id="m", seq=1, timestamp=1)
    assert "deleted" not in to_object(frame)
    deleted = dataclasses.replace(frame, deleted=True)
    assert to_object(deleted)["deleted"] is True
    assert parse_down(to_object(deleted)) == deleted
    assert parse_down(to_object(frame)) == frame
