"""The frames of wire KIZUNA that delivery reads, as an application's own classes may have them, and as plain ones.

An application that parses its frames anyway passes its objects: they need the attributes below and a ``type``. For all
others :func:`parse` makes plain objects of JSON. Everything else in a message is its payload, the application's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

from kizuna.errors import KizunaError

#: The version of the protocol that hello names.
VERSION = 1
#: The epoch of a channel without items; its first item gives it its own.
EMPTY_EPOCH = "empty"
#: The largest integer that JavaScript, and so JSON, holds exactly.
MAX_INTEGER = 2**53 - 1
#: The fields of a message that are delivery's; all others are its payload.
RESERVED = frozenset({"type", "action", "roomId", "epoch", "seq", "clientMessageId", "messageId", "ref"})

Message_co = TypeVar("Message_co", covariant=True)


class MessageFrame(Protocol):
    """One item of a channel. Without ``epoch`` and ``seq``: of a server that does not number them."""

    @property
    def room_id(self) -> str:
        """The channel."""

    @property
    def epoch(self) -> str | None:
        """The history that ``seq`` belongs to."""

    @property
    def seq(self) -> int | None:
        """The item's number, dense from 1."""

    @property
    def client_message_id(self) -> str | None:
        """The id that its sender gave it."""


class AckFrame(Protocol):
    """The server has stored a message of this client."""

    @property
    def client_message_id(self) -> str:
        """The message."""

    @property
    def room_id(self) -> str:
        """Its channel."""

    @property
    def epoch(self) -> str:
        """The history that ``seq`` belongs to."""

    @property
    def seq(self) -> int:
        """Its number."""


class NackFrame(Protocol):
    """The server has not stored a message of this client."""

    @property
    def client_message_id(self) -> str:
        """The message."""

    @property
    def code(self) -> str:
        """Why, for programs."""

    @property
    def message(self) -> str:
        """Why, for people."""

    @property
    def retryable(self) -> bool:
        """Whether the same message may succeed later."""

    @property
    def retry_after(self) -> float | None:
        """After how many seconds."""


class BatchFrame(Protocol[Message_co]):
    """Stored items in ascending order: the answer to hello, join, sync or history."""

    @property
    def room_id(self) -> str:
        """The channel."""

    @property
    def epoch(self) -> str:
        """The history of the items."""

    @property
    def messages(self) -> Sequence[Message_co]:
        """The items."""

    @property
    def next(self) -> int | None:
        """The position from which the next request continues."""

    @property
    def head(self) -> int:
        """The channel's newest number; 0: it is empty."""

    @property
    def complete(self) -> bool:
        """Whether nothing more follows in this direction."""

    @property
    def limited(self) -> bool:
        """Whether there is a gap before these items, which the server does not replay."""

    @property
    def ref(self) -> str | None:
        """The request that this answers; None: hello."""


class Head(Protocol):
    """The newest number of a channel, as a pong names it."""

    @property
    def room_id(self) -> str:
        """The channel."""

    @property
    def epoch(self) -> str:
        """The history that ``seq`` belongs to."""

    @property
    def seq(self) -> int:
        """The number."""


class ErrorFrame(Protocol):
    """A request could not be served."""

    @property
    def code(self) -> str:
        """Why, for programs."""

    @property
    def message(self) -> str:
        """Why, for people."""

    @property
    def ref(self) -> str | None:
        """The request, if it had a ref."""

    @property
    def room_id(self) -> str | None:
        """The channel of the request, if it was about one."""


# --- plain frames ---


class MalformedFrame(KizunaError, ValueError):
    """A frame of wire KIZUNA in which a field is missing or wrong. The message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainMessage:
    """A message whose payload is a dict."""

    type: ClassVar[str] = "message"
    room_id: str
    epoch: str | None
    seq: int | None
    client_message_id: str | None
    message_id: str | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainAck:
    """An ack."""

    type: ClassVar[str] = "ack"
    client_message_id: str
    room_id: str
    epoch: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainNack:
    """A nack."""

    type: ClassVar[str] = "nack"
    client_message_id: str
    code: str
    message: str
    retryable: bool
    retry_after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainBatch:
    """A batch."""

    type: ClassVar[str] = "batch"
    room_id: str
    epoch: str
    messages: tuple[PlainMessage, ...]
    next: int | None
    head: int
    complete: bool
    limited: bool
    ref: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainHead:
    """A head."""

    room_id: str
    epoch: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainPong:
    """A pong. ``heads``: None if the server does not name them."""

    type: ClassVar[str] = "pong"
    heads: tuple[PlainHead, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainError:
    """An error."""

    type: ClassVar[str] = "error"
    code: str
    message: str
    ref: str | None
    room_id: str | None


@dataclass(frozen=True, slots=True)
class OtherFrame:
    """A frame that is not delivery's."""

    type: ClassVar[str] = ""
    frame: Any = field(default=None)


PlainFrame = PlainMessage | PlainAck | PlainNack | PlainBatch | PlainPong | PlainError | OtherFrame


def parse(frame: Any) -> PlainFrame:
    """Return the frame in a decoded JSON value; OtherFrame if it is not delivery's.

    Raises:
        MalformedFrame: A field is missing or wrong.
    """
    if not isinstance(frame, Mapping):
        return OtherFrame(frame)
    fields = _Fields(frame)
    match frame.get("type"):
        case "message":
            return _message(frame)
        case "ack":
            return PlainAck(
                client_message_id=fields.text("clientMessageId"),
                room_id=fields.text("roomId"),
                epoch=fields.text("epoch"),
                seq=fields.integer("seq", 1),
            )
        case "nack":
            return PlainNack(
                client_message_id=fields.text("clientMessageId"),
                code=fields.text("code"),
                message=fields.optional_text("message") or "",
                retryable=fields.flag("retryable"),
                retry_after=fields.optional_number("retryAfter"),
            )
        case "batch":
            return _batch(fields)
        case "pong":
            return PlainPong(heads=_heads(fields))
        case "error":
            return PlainError(
                code=fields.text("code"),
                message=fields.optional_text("message") or "",
                ref=fields.optional_text("ref"),
                room_id=fields.optional_text("roomId"),
            )
    return OtherFrame(frame)


def _message(frame: Mapping[str, Any]) -> PlainMessage:
    fields = _Fields(frame)
    return PlainMessage(
        room_id=fields.text("roomId"),
        epoch=fields.optional_text("epoch"),
        seq=fields.optional_integer("seq", 1),
        client_message_id=fields.optional_text("clientMessageId"),
        message_id=fields.optional_text("messageId"),
        payload={key: value for key, value in frame.items() if key not in RESERVED},
    )


def _batch(fields: _Fields) -> PlainBatch:
    return PlainBatch(
        room_id=fields.text("roomId"),
        epoch=fields.text("epoch"),
        messages=tuple(_message(each) for each in fields.objects("messages")),
        next=fields.optional_integer("next"),
        head=fields.integer("head"),
        complete=fields.flag("complete", required=True),
        limited=fields.flag("limited"),
        ref=fields.optional_text("ref"),
    )


def _heads(fields: _Fields) -> tuple[PlainHead, ...] | None:
    if fields.frame.get("heads") is None:
        return None
    heads = map(_Fields, fields.objects("heads"))
    return tuple(
        PlainHead(room_id=head.text("roomId"), epoch=head.text("epoch"), seq=head.integer("seq"))
        for head in heads
    )


class _Fields:
    """The fields of one object, checked as they are read."""

    def __init__(self, frame: Mapping[str, Any]) -> None:
        self.frame = frame

    def text(self, name: str) -> str:
        value = self.optional_text(name)
        if value is None:
            raise MalformedFrame(f"{name}: is missing")
        return value

    def optional_text(self, name: str) -> str | None:
        value = self.frame.get(name)
        if value is not None and not isinstance(value, str):
            raise MalformedFrame(f"{name}: must be text, not {type(value).__name__}")
        return value

    def integer(self, name: str, least: int = 0) -> int:
        value = self.optional_integer(name, least)
        if value is None:
            raise MalformedFrame(f"{name}: is missing")
        return value

    def optional_integer(self, name: str, least: int = 0) -> int | None:
        value = self.frame.get(name)
        if value is None:
            return None
        if type(value) is not int or not least <= value <= MAX_INTEGER:
            raise MalformedFrame(f"{name}: must be an integer of at least {least}")
        return value

    def optional_number(self, name: str) -> float | None:
        value = self.frame.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise MalformedFrame(f"{name}: must be a number, not {type(value).__name__}")
        return value

    def flag(self, name: str, *, required: bool = False) -> bool:
        value = self.frame.get(name, None if required else False)
        if not isinstance(value, bool):
            raise MalformedFrame(f"{name}: must be true or false")
        return value

    def objects(self, name: str) -> list[Mapping[str, Any]]:
        value = self.frame.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
            raise MalformedFrame(f"{name}: must be a list of objects")
        return value
