"""The outbox: messages that are not acknowledged yet, in order, each under the same id at every try.

One message per channel is in flight at a time, so a channel's order survives servers that handle two frames of one
connection at once. Times come in as arguments; it has no clock of its own.
"""

from __future__ import annotations

from dataclasses import replace

from kizuna.delivery.pending_message import Failure, PendingMessage
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


class Outbox:
    """The messages that wait for their acknowledgement, and those that failed, which count to no limit.

    Args:
        limit: How many may wait.
        ack_timeout: Seconds without an answer until a message is sent again; doubles up to MAX_ACK_TIMEOUT.
    """

    def __init__(self, *, limit: int = DEFAULT_LIMIT, ack_timeout: float = ACK_TIMEOUT) -> None:
        self.limit = limit
        self._ack_timeout = ack_timeout
        self._messages: dict[str, PendingMessage] = {}  # in the order added
        self._channels: dict[str, dict[str, None]] = {}  # their ids by channel, in this order
        self._failed: dict[str, PendingMessage] = {}

    def __len__(self) -> int:
        """Return how many messages wait."""
        return len(self._messages)

    def __contains__(self, message_id: str) -> bool:
        """Return whether the message waits."""
        return message_id in self._messages

    @property
    def has_messages(self) -> bool:
        """Return whether any message waits or has failed."""
        return bool(self._messages or self._failed)

    def get(self, message_id: str) -> PendingMessage | None:
        """Return the message that waits or has failed."""
        return self._messages.get(message_id) or self._failed.get(message_id)

    def in_channel(self, channel: str) -> list[PendingMessage]:
        """Return the waiting and failed messages of a channel, in the order written."""
        everything = (*self._messages.values(), *self._failed.values())
        return sorted((each for each in everything if each.channel == channel), key=lambda each: each.order)

    def add(self, message: PendingMessage) -> None:
        """Add a message; no effect if its id is waiting already. One with a failure is not sent.

        Raises:
            OutboxFull: ``limit`` messages are waiting.
        """
        if message.id in self._messages:
            return
        if message.failure is not None:
            self._failed[message.id] = message
            return
        if len(self._messages) >= self.limit:
            raise OutboxFull(self.limit)
        self._failed.pop(message.id, None)
        self._messages[message.id] = message
        self._channels.setdefault(message.channel, {})[message.id] = None

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

    def remove(self, message_id: str) -> PendingMessage | None:
        """Remove a message that the server has, or that was deleted; return it, or None if it is not here."""
        message = self._messages.pop(message_id, None)
        if message is None:
            return self._failed.pop(message_id, None)
        ids = self._channels[message.channel]
        del ids[message_id]
        if not ids:
            del self._channels[message.channel]
        return message

    def fail(self, message_id: str, failure: Failure) -> PendingMessage | None:
        """Let a message wait no longer, since it failed; return it, or None if it is not here."""
        message = self.remove(message_id)
        if message is None:
            return None
        failed = self._failed[message_id] = replace(
            message, failure=failure, tries=0, in_flight=False, due_at=0.0
        )
        return failed

    def note_sent(self, pending: PendingMessage) -> PendingMessage:
        """Note that a waiting message is sent, and return it as it is now: from here on it may have arrived."""
        sent = replace(pending, is_sent=True)
        if pending.id in self._messages:
            self._messages[pending.id] = sent
        return sent

    def postpone(self, message_id: str, until: float) -> PendingMessage | None:
        """Send a message again at ``until`` (monotonic seconds), as the server asked; its channel waits with it.

        Return the message, or None if it does not wait.
        """
        pending = self._messages.get(message_id)
        if pending is None:
            return None
        later = self._messages[message_id] = replace(pending, in_flight=False, tries=0, due_at=until)
        return later

    def link_lost(self) -> list[PendingMessage]:
        """Make all messages due again, since no answer can come over this link. Return those in flight."""
        in_flight = [pending for pending in self._messages.values() if pending.in_flight]
        for pending in in_flight:
            self._messages[pending.id] = replace(pending, in_flight=False, tries=0, due_at=0.0)
        return in_flight

    def _sent(self, pending: PendingMessage, now: float) -> PendingMessage:
        timeout = min(self._ack_timeout * 2 ** min(pending.tries, 16), MAX_ACK_TIMEOUT)
        sent = replace(pending, tries=pending.tries + 1, in_flight=True, due_at=now + timeout)
        self._messages[pending.id] = sent
        return sent

    def _heads(self) -> list[PendingMessage]:
        """Return the oldest message of every channel."""
        return [self._messages[next(iter(ids))] for ids in self._channels.values()]
