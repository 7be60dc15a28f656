"""The frames that page and server exchange, checked the same way on both sides.

The page (Pyodide) and the backend (CPython, Lambda) both import this file, so it uses only the standard library and
chat.names. Every frame is one JSON object in one text frame. Upward frames are routed by ``action``,
downward frames by ``type``. On the wire names are camelCase; in Python they are snake_case.

    >>> frame = parse_up({"action": "sendMessage", "clientMessageId": "c-1", "roomId": "general", "content": "hi"})
    >>> frame.content
    'hi'
    >>> encode(frame)
    '{"action":"sendMessage","clientMessageId":"c-1","roomId":"general","content":"hi"}'

Unknown fields are ignored, so that an older side understands a newer one. Unknown actions and types raise
:class:`UnknownFrame`, which callers report and survive. A bad field raises :class:`InvalidField`, which names it in
wire spelling. Sizes are bytes of UTF-8, as gateways count them.

    ProtocolError
    ├── MalformedFrame    not one JSON object
    ├── UnknownFrame      a JSON object whose action or type this version does not know
    └── InvalidField      a known frame with a field that is missing, of the wrong kind, or too large
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import lru_cache
from typing import Any, ClassVar, NoReturn

from chat import names

PROTOCOL_VERSION = 1

# API Gateway closes a connection that sends a larger frame (code 1009), and a browser cannot split one.
MAX_FRAME_BYTES = 32 * 1024
MAX_CONTENT_BYTES = 16 * 1024
# Quotes, newlines and control characters grow when JSON escapes them. This limit leaves 2 KiB for the other fields, so
# that every accepted content fits into a frame.
MAX_ESCAPED_CONTENT_BYTES = 30 * 1024
_LONGEST_ESCAPE = 6  # bytes of one character in JSON, as \u0000
MAX_NAME_CHARACTERS = names.MAX_PERSON_CHARACTERS
MAX_ID_CHARACTERS = 64
MAX_ROOMS_PER_HELLO = 50
MAX_HISTORY_LIMIT = 100
# The epoch of a room without messages. The first message gives the room its own epoch, and nothing is lost.
EMPTY_EPOCH = "empty"
# The largest integer that JavaScript, and so every JSON reader, keeps exactly.
MAX_INTEGER = 2**53 - 1
# More people than any room has. A larger number than 32 bits would reach the page's plural rules as a BigInt.
MAX_PEOPLE = 1_000_000_000

#: The reason of a refusal without details for a person.
REFUSED = "refused"


class ProtocolError(ValueError):
    """A frame that cannot be used as it is.

    ``code`` goes into an ``error`` or ``nack`` frame, ``field`` names the bad field in wire spelling or is None.
    """

    code: ClassVar[str] = "protocol_error"
    field: str | None = None


class MalformedFrame(ProtocolError):
    """Not one JSON object: broken JSON, another kind of value, or nested too deeply."""

    code = "malformed_frame"


class UnknownFrame(ProtocolError):
    """An action or type that this version does not know."""

    code = "unknown_frame"


class InvalidField(ProtocolError):
    """A field that is missing, of the wrong kind or out of bounds.

    Its text is for programs. People read the text for ``reason`` with ``params``: static/i18n, problem.*.
    """

    code = "invalid_field"

    def __init__(self, name: str, problem: str, reason: str = REFUSED, **params: str | int) -> None:
        super().__init__(f"{name}: {problem}")
        self.field = name
        self.reason = reason
        self.params: Mapping[str, str | int] = params


# --- checks: each takes the wire name and the JSON value, returns the Python value or raises InvalidField ---

Check = Callable[[str, Any], Any]

_room_name = lru_cache(maxsize=256)(names.room)  # every frame names a room, and they are few


def check_text(name: str, value: Any, *, max_bytes: int) -> str:
    """Return text of at most ``max_bytes`` bytes of UTF-8."""
    if not isinstance(value, str):
        raise InvalidField(name, f"must be text, not {_kind(value)}")
    if (size := byte_length(name, value)) > max_bytes:
        problem = f"takes {size:,} bytes of UTF-8; at most {max_bytes:,} are allowed"
        raise InvalidField(name, problem, "too_large", count=names.characters_over(value, size, max_bytes))
    return value


def check_id(name: str, value: Any) -> str:
    """Return an identifier, made by one side and echoed by the other."""
    is_short_text = isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARACTERS
    if is_short_text and value.isascii() and value.isprintable() and " " not in value:
        return str(value)
    raise InvalidField(name, f"must be 1 to {MAX_ID_CHARACTERS} printable ASCII characters without spaces")


def check_room(name: str, value: Any) -> str:
    """Return a room name: letters and digits of any script, ``_``, ``-`` and ``.``; not beginning with a mark."""
    return _check_name(name, value, _room_name)


def check_person_name(name: str, value: Any) -> str:
    """Return a display name: one trimmed line, without characters that are invisible or change the text's direction."""
    return _check_name(name, value, names.person)


def _check_name(name: str, value: Any, rule: Callable[[str], str]) -> str:
    if not isinstance(value, str):
        raise InvalidField(name, f"must be text, not {_kind(value)}")
    try:
        return rule(value)
    except names.InvalidName as error:
        raise InvalidField(name, str(error), error.reason, **error.params) from None


def check_content(name: str, value: Any) -> str:
    """Return the text of a message: not blank, at most 16 KiB, and small enough for a frame after JSON's escaping."""
    text = check_text(name, value, max_bytes=MAX_CONTENT_BYTES)
    if not text.strip():
        raise InvalidField(name, "must not be blank", "blank")
    may_be_unwieldy = len(text) * _LONGEST_ESCAPE + len('""') > MAX_ESCAPED_CONTENT_BYTES
    if may_be_unwieldy and len(_to_json(text).encode()) > MAX_ESCAPED_CONTENT_BYTES:
        problem = "has too many control characters, quotes or line breaks to fit into a frame"
        raise InvalidField(name, problem, "unwieldy")
    return text


def check_integer(name: str, value: Any, *, low: int = 0, high: int = MAX_INTEGER) -> int:
    """Return a whole number within bounds. ``1.0`` counts: JavaScript has one kind of number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidField(name, f"must be a whole number, not {_kind(value)}")
    if not low <= value <= high:
        raise InvalidField(name, f"must be from {low} to {high}")
    return value


def check_number(name: str, value: Any) -> float:
    """Return a finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InvalidField(name, f"must be a number, not {_kind(value)}")
    if not abs(value) <= MAX_INTEGER:
        raise InvalidField(name, "is out of range")
    return value


def check_flag(name: str, value: Any) -> bool:
    """Return ``true`` or ``false``."""
    if not isinstance(value, bool):
        raise InvalidField(name, f"must be true or false, not {_kind(value)}")
    return value


def _nullable(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


def _bounded(low: int, high: int) -> Check:
    return lambda name, value: check_integer(name, value, low=low, high=high)


def _short_text(name: str, value: Any) -> str:
    return check_text(name, value, max_bytes=1024)


def _many(check: Check, most: int) -> Check:
    def check_items(name: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise InvalidField(name, f"must be a list, not {_kind(value)}")
        if len(value) > most:
            raise InvalidField(name, f"has {len(value)} items; at most {most} are allowed")
        return tuple(check(f"{name}[{index}]", item) for index, item in enumerate(value))

    return check_items


def _part(cls: type[Any]) -> Check:
    """Return the check of a nested object of ``cls``."""

    def check_part(name: str, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise InvalidField(name, f"must be an object, not {_kind(value)}")
        return _parse(cls, value, prefix=f"{name}.")

    return check_part


def byte_length(name: str, text: str) -> int:
    """Return the bytes of ``text`` in UTF-8. Raises InvalidField for half of a surrogate pair."""
    try:
        return len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise InvalidField(name, "contains half of a surrogate pair, which is not text", "broken") from None


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}
    return "null" if value is None else names.get(type(value), "an object")


# --- frames ---


def _checked(check: Check, *, sparse: bool = False, **options: Any) -> Any:
    """Return a field of a frame. ``sparse``: it is written only if it differs from its default."""
    return field(metadata={"check": check, "sparse": sparse}, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The common base of frames and of the objects nested in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpFrame(Part):
    """A frame from page to server. ``action`` is its name on the wire."""

    action: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DownFrame(Part):
    """A frame from server to page. ``type`` is its name on the wire."""

    type: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomPosition(Part):
    """The page's position in a room. ``after`` None: it has nothing, send the newest page."""

    room_id: str = _checked(check_room)
    after: int | None = _checked(_nullable(check_integer), default=None)
    epoch: str | None = _checked(_nullable(check_id), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello(UpFrame):
    """The first frame on every link: activates the connection, joins rooms, requests missed messages."""

    action = "hello"
    v: int = _checked(_bounded(1, 1000))
    rooms: tuple[RoomPosition, ...] = _checked(_many(_part(RoomPosition), MAX_ROOMS_PER_HELLO), default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Join(UpFrame):
    """Enter a room. Answered by a ``batch``, read after the entry is recorded, so that nothing falls between."""

    action = "join"
    room_id: str = _checked(check_room)
    after: int | None = _checked(_nullable(check_integer), default=None)
    epoch: str | None = _checked(_nullable(check_id), default=None)
    ref: str | None = _checked(_nullable(check_id), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave(UpFrame):
    """Leave a room; the connection stays."""

    action = "leave"
    room_id: str = _checked(check_room)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessage(UpFrame):
    """Send a message. Answered by ``ack`` or ``nack``; the same ``client_message_id`` may be sent again safely."""

    action = "sendMessage"
    client_message_id: str = _checked(check_id)
    room_id: str = _checked(check_room)
    content: str = _checked(check_content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync(UpFrame):
    """Request the messages after ``after``; None requests the newest page. Answered by a ``batch``."""

    action = "sync"
    room_id: str = _checked(check_room)
    after: int | None = _checked(_nullable(check_integer), default=None)
    epoch: str | None = _checked(_nullable(check_id), default=None)
    ref: str | None = _checked(_nullable(check_id), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class History(UpFrame):
    """Request at most ``limit`` messages older than ``before``. Answered by a ``batch``."""

    action = "history"
    room_id: str = _checked(check_room)
    before: int = _checked(_bounded(1, MAX_INTEGER))
    limit: int = _checked(_bounded(1, MAX_HISTORY_LIMIT), default=MAX_HISTORY_LIMIT)
    ref: str | None = _checked(_nullable(check_id), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(UpFrame):
    """Heartbeat. ``t`` is the page's, and returned in the ``pong``."""

    action = "ping"
    t: float | None = _checked(_nullable(check_number), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typing(UpFrame):
    """The person is typing."""

    action = "typing"
    room_id: str = _checked(check_room)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready(DownFrame):
    """The answer to ``hello``: the link works. ``expires_in``: seconds until the token expires."""

    type = "ready"
    connection_id: str = _checked(check_id)
    user_id: str = _checked(check_id)
    server_time: int = _checked(check_integer)
    expires_in: float | None = _checked(_nullable(check_number), default=None)
    v: int = _checked(_bounded(1, 1000), default=PROTOCOL_VERSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(DownFrame):
    """One message. ``seq`` is its place in the room, dense from 1; ``timestamp`` is the server's, milliseconds.

    ``epoch``, ``seq`` and ``client_message_id`` are None in frames of the article's server, which has none.
    ``deleted``: an operator deleted it; ``content`` and sender are placeholders, ``seq`` stays.
    """

    type = "message"
    room_id: str = _checked(check_room)
    message_id: str = _checked(check_id)
    sender_id: str = _checked(check_id)
    sender_name: str = _checked(_short_text)
    content: str = _checked(check_content)
    timestamp: int = _checked(check_integer)
    epoch: str | None = _checked(_nullable(check_id), default=None)
    seq: int | None = _checked(_nullable(_bounded(1, MAX_INTEGER)), default=None)
    client_message_id: str | None = _checked(_nullable(check_id), default=None)
    deleted: bool = _checked(check_flag, sparse=True, default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack(DownFrame):
    """The message is stored. ``duplicate``: the first answer again. ``deleted``: an operator deleted it since."""

    type = "ack"
    client_message_id: str = _checked(check_id)
    room_id: str = _checked(check_room)
    epoch: str = _checked(check_id)
    message_id: str = _checked(check_id)
    seq: int = _checked(_bounded(1, MAX_INTEGER))
    timestamp: int = _checked(check_integer)
    duplicate: bool = _checked(check_flag, default=False)
    deleted: bool = _checked(check_flag, sparse=True, default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nack(DownFrame):
    """The message was not stored. ``retryable``: the same again may succeed, after ``retry_after`` seconds."""

    type = "nack"
    client_message_id: str = _checked(check_id)
    code: str = _checked(_short_text)
    message: str = _checked(_short_text)
    retryable: bool = _checked(check_flag, default=False)
    retry_after: float | None = _checked(_nullable(check_number), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(DownFrame):
    """Stored messages in ascending order, the answer to ``hello``, ``join``, ``sync`` or ``history``.

    ``next``: where the next request continues (``after`` for sync, ``before`` for history). ``head``: the room's
    newest seq (0: empty room). ``complete``: nothing more in this direction. ``limited``: the gap was larger than the
    server replays, or partly expired, so these are the newest messages with a gap before them. If nothing is left of a
    gap, ``head`` is the page's position, and the next message follows ``next``.
    """

    type = "batch"
    room_id: str = _checked(check_room)
    epoch: str = _checked(check_id)
    messages: tuple[Message, ...] = _checked(_many(_part(Message), 1000), default=())
    next: int | None = _checked(_nullable(check_integer), default=None)
    head: int = _checked(check_integer)
    complete: bool = _checked(check_flag)
    limited: bool = _checked(check_flag, default=False)
    ref: str | None = _checked(_nullable(check_id), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomHead(Part):
    """The newest seq of a room."""

    room_id: str = _checked(check_room)
    epoch: str = _checked(check_id)
    seq: int = _checked(check_integer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong(DownFrame):
    """The answer to ``ping``, with the heads of the connection's rooms, which show a lost last message or a lost join.
    None: unknown to this server."""

    type = "pong"
    t: float | None = _checked(_nullable(check_number), default=None)
    heads: tuple[RoomHead, ...] | None = _checked(
        _nullable(_many(_part(RoomHead), MAX_ROOMS_PER_HELLO)), default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence(DownFrame):
    """How many people are in a room, and who came or went. ``more``: there may be more than ``count``."""

    type = "presence"
    room_id: str = _checked(check_room)
    count: int = _checked(_bounded(0, MAX_PEOPLE))
    more: bool = _checked(check_flag, default=False)
    joined: tuple[str, ...] = _checked(_many(_short_text, 1000), default=())
    left: tuple[str, ...] = _checked(_many(_short_text, 1000), default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class TypingNotice(DownFrame):
    """Another person is typing."""

    type = "typing"
    room_id: str = _checked(check_room)
    sender_id: str = _checked(check_id)
    sender_name: str = _checked(_short_text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye(DownFrame):
    """The server closes the connection. ``reconnect``: whether to come back, after ``retry_after`` seconds."""

    type = "bye"
    reason: str = _checked(_short_text)
    reconnect: bool = _checked(check_flag, default=True)
    retry_after: float | None = _checked(_nullable(check_number), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Error(DownFrame):
    """A request could not be served; nothing else is affected. ``ref`` and ``room_id`` are those of the request."""

    type = "error"
    code: str = _checked(_short_text)
    message: str = _checked(_short_text)
    ref: str | None = _checked(_nullable(check_id), default=None)
    room_id: str | None = _checked(_nullable(check_room), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayError(DownFrame):
    """An error of API Gateway, without a ``type``: a route is missing, or a function failed."""

    type = "gatewayError"
    message: str = _checked(_short_text)
    connection_id: str | None = _checked(_nullable(_short_text), default=None)
    request_id: str | None = _checked(_nullable(_short_text), default=None)


UP_FRAMES: Mapping[str, type[UpFrame]] = {
    cls.action: cls for cls in (Hello, Join, Leave, SendMessage, Sync, History, Ping, Typing)
}
DOWN_FRAMES: Mapping[str, type[DownFrame]] = {
    cls.type: cls for cls in (Ready, Message, Ack, Nack, Batch, Pong, Presence, TypingNotice, Bye, Error)
}


# --- reading and writing ---


def decode(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object in ``text``. Raises MalformedFrame."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedFrame(f"not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise MalformedFrame(f"must be one JSON object, not {_kind(value)}")
    return value


def parse_up(frame: Mapping[str, Any]) -> UpFrame:
    """Return the upward frame in a decoded object. Raises UnknownFrame or InvalidField."""
    action = frame.get("action")
    if not isinstance(action, str):
        raise InvalidField("action", "must be text that names what the frame wants")
    if (cls := UP_FRAMES.get(action)) is None:
        raise UnknownFrame(f"unknown action {action[:64]!r}; known are {', '.join(UP_FRAMES)}")
    parsed: UpFrame = _parse(cls, frame)
    return parsed


def parse_down(frame: Mapping[str, Any]) -> DownFrame:
    """Return the downward frame in a decoded object. Raises UnknownFrame or InvalidField."""
    kind = frame.get("type")
    if kind is None and isinstance(frame.get("message"), str):
        gateway_error: GatewayError = _parse(GatewayError, frame)
        return gateway_error
    if not isinstance(kind, str):
        raise InvalidField("type", "must be text that names the frame")
    if (cls := DOWN_FRAMES.get(kind)) is None:
        raise UnknownFrame(f"unknown type {kind[:64]!r}")
    parsed: DownFrame = _parse(cls, frame)
    return parsed


def to_object(part: Part) -> dict[str, Any]:
    """Return ``part`` in wire spelling, ready for JSON; a frame begins with its action or type."""
    data: dict[str, Any] = {}
    if isinstance(part, UpFrame):
        data["action"] = part.action
    elif isinstance(part, DownFrame):
        data["type"] = part.type
    for name, wire, _, default, is_sparse in _FIELDS[type(part)]:
        value = getattr(part, name)
        if not is_sparse or value != default:
            data[wire] = _to_value(value)
    return data


def encode(frame: UpFrame | DownFrame) -> str:
    """Return ``frame`` as the text that is sent."""
    return _to_json(to_object(frame))


def _parse(cls: type[Any], data: Mapping[str, Any], prefix: str = "") -> Any:
    values: dict[str, Any] = {}
    for name, wire, check, default, _ in _FIELDS[cls]:
        if wire in data:
            values[name] = check(prefix + wire, data[wire])
        elif default is MISSING:
            raise InvalidField(prefix + wire, "is missing")
    return cls(**values)


def camel_case(name: str) -> str:
    """Return the name on the wire, and in configuration files, of a field."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


# The fields of each frame and part: name, name on the wire, check, default, and whether it is sparse.
_FIELDS: Mapping[type[Any], tuple[tuple[str, str, Check, Any, bool], ...]] = {
    cls: tuple(
        (item.name, camel_case(item.name), item.metadata["check"], item.default, item.metadata["sparse"])
        for item in fields(cls)
    )
    for cls in (*UP_FRAMES.values(), *DOWN_FRAMES.values(), GatewayError, RoomPosition, RoomHead)
}


def _to_value(value: Any) -> Any:
    if isinstance(value, Part):
        return to_object(value)
    if isinstance(value, tuple):
        return [_to_value(item) for item in value]
    return value


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
