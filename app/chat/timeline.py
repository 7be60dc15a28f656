"""The messages of one room as the page shows them: one frozen value, made by ``chat.room_log``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chat.protocol import Message
from kizuna.delivery import Failure


class Delivery(StrEnum):
    """The delivery state of a message."""

    QUEUED = "queued"  #: waits for a connection, or for the message before it
    SENDING = "sending"  #: sent, not acknowledged
    SENT = "sent"  #: acknowledged: stored by the server
    FAILED = "failed"  #: refused by the server; see Entry.failure
    RECEIVED = "received"  #: from another person


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message that is shown."""

    key: str  #: constant, before and after the server has stored the message
    content: str
    sender_id: str
    sender_name: str
    timestamp: int  #: milliseconds since 1970, by the page's clock until the message is stored
    state: Delivery
    own: bool
    message_id: str | None = None
    client_message_id: str | None = None
    seq: int | None = None
    failure: Failure | None = None  #: when FAILED
    deleted: bool = False  #: an operator deleted the content


def client_key(sender_id: str, client_message_id: str) -> str:
    """Return the key of a message that has a client id."""
    return f"{sender_id}/{client_message_id}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """The window of a room's messages that is on the page, and what lies around it.

    It stays the same object as long as nothing changes, so that nothing is rendered.
    """

    entries: tuple[
        Entry, ...
    ] = ()  #: stored ones by seq, those without one by arrival; then own pending ones
    stored: int = 0  #: how many of them are stored
    pending: tuple[Entry, ...] = ()  #: all own messages that are not stored yet, in the order typed
    has_earlier: bool = False  #: messages exist before the window, here or on the server
    has_later: bool = False  #: messages lie after the window
    is_before_gap: bool = False  #: messages between the window and those after it are not in memory
    count: int = 0  #: messages that the page has had since its oldest one, and pending ones
    loaded: int = 0  #: messages in memory
    first_seq: int | None = None  #: the oldest that the page has had
    last_seq: int | None = None  #: the newest
    typed: int = 0  #: own messages added so far
    arrivals: int = 0  #: messages of others added at the end so far, without first pages
    latest: tuple[Message, ...] = ()  #: the last of these

    @property
    def confirmed(self) -> tuple[Entry, ...]:
        """The stored messages on the page."""
        return self.entries[: self.stored]

    def __len__(self) -> int:
        """Return ``count``."""
        return self.count

    @property
    def failed(self) -> tuple[Entry, ...]:
        """Own messages that failed, in the order typed."""
        return tuple(entry for entry in self.pending if entry.state is Delivery.FAILED)


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without a connection, in one room. Times are milliseconds since 1970."""

    number: int  #: which loss of the connection it was, from 1
    after: str  #: the key of the last message before it
    since: float
    until: float | None = None  #: None: it is not over


EMPTY = Timeline()
