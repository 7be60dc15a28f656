"""What is not acknowledged yet: kept, in order, under the same id at every try, until the server has it for good.

One message per lane is on its way at a time, so that a lane's order survives servers that handle two frames of one
connection at once. Pure: time comes in, what to send comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kizuna.errors import KizunaError

#: Bounded, because what waits without end is never read again; a person who types 1,000 messages offline is told.
DEFAULT_LIMIT = 1_000
#: Seconds without an answer until a message is sent again: far above any round trip, within a person's patience.
ACK_TIMEOUT = 5.0
#: Each further try waits twice as long, at most this many seconds.
MAX_ACK_TIMEOUT = 60.0


class OutboxFull(KizunaError):
    """``limit`` messages are waiting already. Nothing was taken: the caller still has the message."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} messages are waiting already; the next one has to wait outside")
        self.limit = limit


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingMessage:
    """One message on its way. ``data`` is what is sent; ``due_at`` monotonic seconds; ``tries`` those that nobody
    answered, over this link."""

    id: str
    channel: str
    data: Mapping[str, Any]
    tries: int = 0
    in_flight: bool = False
    due_at: float = 0.0


class Outbox:
    """Responsible for every message between the person and the server's acknowledgement."""

    def __init__(self, *, limit: int = DEFAULT_LIMIT, ack_timeout: float = ACK_TIMEOUT) -> None:
        self.limit = limit
        self._ack_timeout = ack_timeout
        self._messages: dict[str, PendingMessage] = {}  # in the order added

    def __len__(self) -> int:
        return len(self._messages)

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._messages

    def add(self, message_id: str, channel: str, data: Mapping[str, Any]) -> None:
        """Take a message. Raises OutboxFull; an id that is here already is not taken twice."""
        if message_id in self._messages:
            return
        if len(self._messages) >= self.limit:
            raise OutboxFull(self.limit)
        self._messages[message_id] = PendingMessage(id=message_id, channel=channel, data=data)

    def take_due(self, now: float) -> list[PendingMessage]:
        """What to send now: the oldest of every lane, unless it waits for its answer or its time. They count as
        sent, and come again with the same id if no answer comes."""
        due = [pending for pending in self._heads() if pending.due_at <= now]
        return [self._sent(pending, now) for pending in due]

    def is_current(self, pending: PendingMessage) -> bool:
        """Whether nothing has happened to ``pending`` since take_due() gave it: no answer, no end of the link."""
        return self._messages.get(pending.id) is pending

    def next_due_at(self) -> float | None:
        """When take_due() will have something, monotonic seconds; None while nothing is here."""
        return min((pending.due_at for pending in self._heads()), default=None)

    def acknowledge(self, message_id: str) -> bool:
        """The server has it, or will never take it: forget it. False if it was not here."""
        return self._messages.pop(message_id, None) is not None

    def postpone(self, message_id: str, until: float) -> None:
        """The server asks to try this one again at ``until`` (monotonic seconds); its lane waits with it."""
        pending = self._messages.get(message_id)
        if pending is not None:
            self._messages[message_id] = replace(pending, in_flight=False, tries=0, due_at=until)

    def link_lost(self) -> list[str]:
        """No answer will come over this link any more: everything is due again. Returns what was in flight."""
        in_flight = [pending for pending in self._messages.values() if pending.in_flight]
        for pending in in_flight:
            self._messages[pending.id] = replace(pending, in_flight=False, tries=0, due_at=0.0)
        return [pending.id for pending in in_flight]

    def _sent(self, pending: PendingMessage, now: float) -> PendingMessage:
        patience = min(self._ack_timeout * 2 ** min(pending.tries, 16), MAX_ACK_TIMEOUT)
        sent = replace(pending, tries=pending.tries + 1, in_flight=True, due_at=now + patience)
        self._messages[pending.id] = sent
        return sent

    def _heads(self) -> list[PendingMessage]:
        """The oldest pending of every lane."""
        heads: dict[str, PendingMessage] = {}
        for pending in self._messages.values():
            heads.setdefault(pending.channel, pending)
        return list(heads.values())
