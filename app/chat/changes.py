"""The changes that the parts of a session report to it: as return values, also of timers and of stored data."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from chat.protocol import Message
from chat.room import Room
from chat.timeline import Delivery
from kizuna.delivery.pending_message import PendingMessage
from kizuna.platform import TimerHandle


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """The messages of the room changed."""

    room: Room


@dataclass(frozen=True, slots=True)
class Stored:
    """The server has stored these messages; own ones may be among them."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class HistoryRestored:
    """The room's history on the server was replaced; it was loaded again."""

    room: Room


@dataclass(frozen=True, slots=True)
class RoomClosed:
    """The server does not let this person into the room."""

    room: Room


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """The server could not serve a request, and nothing else shows it."""


@dataclass(frozen=True, slots=True)
class DeliveryChanged:
    """An own message has a new delivery state; ``message.failure`` is the reason if it FAILED."""

    message: PendingMessage
    state: Delivery


@dataclass(frozen=True, slots=True)
class Restored:
    """These messages wait since an earlier page, or were left by a closed tab."""

    messages: tuple[PendingMessage, ...]


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Another tab has taken this message over, or deleted it."""

    message: PendingMessage


Change: TypeAlias = (
    RoomChanged
    | Stored
    | HistoryRestored
    | RoomClosed
    | RequestFailed
    | DeliveryChanged
    | Restored
    | TakenOver
)
#: In the order in which they happened.
Changes: TypeAlias = list[Change]


class Later(Protocol):
    """The later events of a part: what its timers and its stored data change is reported when they end."""

    def call_at(self, deadline: float, handle: Callable[[], Changes]) -> TimerHandle:
        """Call ``handle`` at ``deadline`` (monotonic seconds), as an event of its own."""

    def start(self, work: Coroutine[Any, Any, Changes]) -> None:
        """Run ``work`` in the background; its end is an event of its own."""
