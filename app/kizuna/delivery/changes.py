"""What delivery reports: as return values of its calls, of its timers, and of what its storage ends."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from kizuna.delivery.pending_message import PendingMessage
from kizuna.platform import TimerHandle

Item = TypeVar("Item")


class Origin(Enum):
    """How items came."""

    LIVE = "live"  #: as they were sent
    MISSED = "missed"  #: sent while this client was away, or lost on the way
    FIRST_PAGE = "first page"  #: there before this client opened the channel, or its history was replaced


@dataclass(frozen=True, slots=True)
class Items(Generic[Item]):
    """The next items of a channel, in order."""

    channel: str
    items: tuple[Item, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class NewPage:
    """The items that follow do not continue those before. ``is_empty``: the server has nothing from there on yet."""

    channel: str
    after: int  #: the last number before
    first: int  #: the number of the next item
    head: int  #: the newest number on the server
    is_empty: bool


class Begin(NewPage):
    """The first page of a channel."""


class Reset(NewPage):
    """The history on the server was replaced: what was delivered before is no part of it."""


class Hole(NewPage):
    """Items between ``after`` and ``first`` are missing: too many to be replayed, or expired."""


@dataclass(frozen=True, slots=True)
class Earlier(Generic[Item]):
    """Earlier items, the answer to a request for those before ``before``. ``complete``: there are no earlier ones."""

    channel: str
    items: tuple[Item, ...]
    before: int
    epoch: str
    complete: bool


class SendState(StrEnum):
    """The state of a message that is not acknowledged."""

    QUEUED = "queued"  #: waits for a connection, or for the message before it
    SENDING = "sending"  #: sent, not acknowledged
    FAILED = "failed"  #: not sent again; the message's ``failure`` says why
    TAKEN_OVER = "taken_over"  #: another tab sends it, or deleted it


@dataclass(frozen=True, slots=True)
class Progress:
    """A message has another state. It is as it is then."""

    message: PendingMessage
    state: SendState


@dataclass(frozen=True, slots=True)
class Stored:
    """The server has stored a message of this client, and its ack is not among the items.

    ``ack``: the ack, if it was that which said so.
    """

    channel: str
    id: str
    seq: int | None  #: its number in the history that is known here; None: of another history, or unknown
    ack: Any = None


@dataclass(frozen=True, slots=True)
class Restored:
    """These messages wait since an earlier page, or were left by a closed tab."""

    messages: tuple[PendingMessage, ...]


@dataclass(frozen=True, slots=True)
class Live:
    """Everything that was sent to the channel before the link opened has arrived."""

    channel: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The server does not let this client into the channel. ``code``: the server's."""

    channel: str
    code: str


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """The server could not serve a request, and nothing else shows it."""

    code: str
    words: str


Change: TypeAlias = (
    Items[Any] | NewPage | Earlier[Any] | Progress | Stored | Restored | Live | Closed | RequestFailed
)
#: In the order in which they happened.
Changes: TypeAlias = list[Change]


class Later(Protocol):
    """Where timers and stored data report their changes. The application says when they are applied."""

    def call_at(self, deadline: float, handle: Callable[[], Changes]) -> TimerHandle:
        """Call ``handle`` at ``deadline`` (monotonic seconds), as an event of its own, and apply what it returns."""

    def start(self, work: Coroutine[Any, Any, Changes]) -> None:
        """Run ``work`` in the background; its end is an event of its own, and what it returns is applied."""

    def write(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` in the background, which changes nothing here."""
