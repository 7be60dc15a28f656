"""The outbox: messages that are not acknowledged yet, in order, each under the same id at every try.

One message per channel is in flight at a time, so a channel's order survives servers that handle two frames of one
connection at once. Times come in as arguments; it has no clock of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kizuna.errors import KizunaError

#: How many messages may wait; a person who types more offline gets an error.
DEFAULT_LIMIT = 1_000
#: Seconds without an answer until a message is sent again: far above any round trip.
ACK_TIMEOUT = 5.0
#: Each further try waits twice as long, but at most so many seconds.
MAX_ACK_TIMEOUT = 60.0


class OutboxFull(KizunaError):
    """``limit`` messages are waiting already. The new one was not added."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the outbox is full: {limit} messages are waiting")
        self.limit = limit


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingMessage:
    """One message that waits for its acknowledgement.

    ``data``: what is sent; ``due_at``: monotonic seconds; ``tries``: how often this link took it without an answer.
    """

    id: str
    channel: str
    data: Mapping[str, Any]
    tries: int = 0
    in_flight: bool = False
    due_at: float = 0.0


class Outbox:
    """The messages that wait for their acknowledgement.

    Args:
        limit: How many may wait.
        ack_timeout: Seconds without an answer until a message is sent again; doubles up to MAX_ACK_TIMEOUT.
    """

    def __init__(self, *, limit: int = DEFAULT_LIMIT, ack_timeout: float = ACK_TIMEOUT) -> None:
        self.limit = limit
        self._ack_timeout = ack_timeout
        self._messages: dict[str, PendingMessage] = {}  # in the order added

    def __len__(self) -> int:
        return len(self._messages)

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._messages

    def add(self, message_id: str, channel: str, data: Mapping[str, Any]) -> None:
        """Add a message; no effect if its id is here already.

        Raises:
            OutboxFull: ``limit`` messages are waiting.
        """
        if message_id in self._messages:
            return
        if len(self._messages) >= self.limit:
            raise OutboxFull(self.limit)
        self._messages[message_id] = PendingMessage(id=message_id, channel=channel, data=data)

    def take_due(self, now: float) -> list[PendingMessage]:
        """Return the messages to send now: the oldest of every channel, unless it is in flight or postponed.

        They count as sent, and are due again with the same id if no answer comes.
        """
        due = [pending for pending in self._heads() if pending.due_at <= now]
        return [self._sent(pending, now) for pending in due]

    def is_current(self, pending: PendingMessage) -> bool:
        """Return whether ``pending`` is as take_due() returned it: no answer came, and the link did not end."""
        return self._messages.get(pending.id) is pending

    def next_due_at(self) -> float | None:
        """Return when a message will be due (monotonic seconds); None while the outbox is empty."""
        return min((pending.due_at for pending in self._heads()), default=None)

    def acknowledge(self, message_id: str) -> bool:
        """Remove a message that the server has, or will never accept. Return whether it was here."""
        return self._messages.pop(message_id, None) is not None

    def postpone(self, message_id: str, until: float) -> None:
        """Send a message again at ``until`` (monotonic seconds), as the server asked; its channel waits with it."""
        pending = self._messages.get(message_id)
        if pending is not None:
            self._messages[message_id] = replace(pending, in_flight=False, tries=0, due_at=until)

    def link_lost(self) -> list[str]:
        """Make all messages due again, since no answer can come over this link. Return the ids of those in flight."""
        in_flight = [pending for pending in self._messages.values() if pending.in_flight]
        for pending in in_flight:
            self._messages[pending.id] = replace(pending, in_flight=False, tries=0, due_at=0.0)
        return [pending.id for pending in in_flight]

    def _sent(self, pending: PendingMessage, now: float) -> PendingMessage:
        timeout = min(self._ack_timeout * 2 ** min(pending.tries, 16), MAX_ACK_TIMEOUT)
        sent = replace(pending, tries=pending.tries + 1, in_flight=True, due_at=now + timeout)
        self._messages[pending.id] = sent
        return sent

    def _heads(self) -> list[PendingMessage]:
        """Return the oldest message of every channel."""
        heads: dict[str, PendingMessage] = {}
        for pending in self._messages.values():
            heads.setdefault(pending.channel, pending)
        return list(heads.values())
