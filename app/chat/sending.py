"""The sending of a person's messages, and their delivery states.

A message is stored in a row (kizuna.delivery.outbox_storage) before it counts as queued, is sent one at a time per room
with the same id at every try, and its row is deleted when the server has acknowledged it. Rows of a closed or crashed
tab of the same person are found within ADOPT_INTERVAL and sent by this one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from chat import protocol
from chat.protocol import Nack, SendMessage
from chat.timeline import Delivery, Failure
from kizuna.delivery.outbox import Outbox, OutboxFull, PendingMessage
from kizuna.delivery.outbox_storage import OutboxRow, OutboxStorage
from kizuna.errors import FrameTooLarge, NotConnected
from kizuna.platform import Platform, TimerHandle
from kizuna.runtime.tasks import TaskSet
from kizuna.service import WebSocketService

logger = logging.getLogger("kizuna.sending")

#: The shortest wait in seconds after a retryable nack.
MIN_PAUSE = 1.0
#: The longest one.
MAX_PAUSE = 300.0
#: Seconds between searches for rows that a closed tab left: they read keys alone, and nearly always find none.
ADOPT_INTERVAL = 5.0
#: Seconds without its broadcast after which a message is unconfirmed, on a server without acknowledgements.
ECHO_TIMEOUT = 10.0

TOO_OLD = Failure("too_old")
UNCONFIRMED = Failure("unconfirmed")
TOO_MANY = Failure("outbox_full")
_UNDECIDED = (TOO_OLD.code, UNCONFIRMED.code, TOO_MANY.code)  # failures that are not the server's refusal


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message as a person wrote it. ``typed_at``: milliseconds since 1970."""

    frame: SendMessage
    typed_at: int
    failure: Failure | None = None


class DeliveryListener(Protocol):
    """The listener for delivery states."""

    def on_delivery(self, client_message_id: str, delivery: Delivery, failure: Failure | None = None) -> None:
        """A message has a new delivery state. ``failure``: the reason if it FAILED."""

    def on_restored(self, messages: Iterable[OutgoingMessage]) -> None:
        """These messages wait since an earlier page, or were left by a closed tab."""

    def on_taken_over(self, client_message_id: str) -> None:
        """Another tab has taken this message over, or deleted it."""

    def on_pending_count(self, waiting: int) -> None:
        """So many messages are not acknowledged yet."""


class OutboxSender:
    """The sender of one person's outbox: it sends messages that are due, and repeats lost ones.

    ``start_for()`` names the person; messages of others stay in their rows. ``kizuna_wire``: the server acknowledges
    each message. The article's server does not, so nothing is sent twice: a message without its broadcast fails as
    UNCONFIRMED, and the person decides.
    """

    def __init__(
        self,
        service: WebSocketService,
        platform: Platform,
        storage: OutboxStorage,
        listener: DeliveryListener,
        *,
        kizuna_wire: bool = True,
    ) -> None:
        self._service = service
        self._platform = platform
        self._storage = storage
        self._listener = listener
        self._kizuna_wire = kizuna_wire
        self._person: str | None = None
        self._outbox = self._new_outbox()
        self._rows: dict[str, OutboxRow] = {}  # waiting and failed ones, by id
        self._being_stored = 0
        self._newest = 0  # milliseconds since 1970, of the newest row
        self._number = 0
        self._send_timer: TimerHandle | None = None
        self._adoption_timer: TimerHandle | None = None
        self._tasks = TaskSet()

    # --- the person ---

    async def start_for(self, person: str) -> None:
        """Send the messages of this person from now on. Return when their stored rows are loaded."""
        self.stop()
        self._person = person
        self._add_stored(await self._storage.load(person), person)
        if person == self._person:
            self._schedule_adoption(person)

    def stop(self) -> None:
        """Stop sending. Waiting messages stay in their rows, for any tab of their author."""
        self._cancel_send_timer()
        self._cancel_adoption()
        self._person = None
        self._release_rows_if_idle()
        self._outbox = self._new_outbox()
        self._rows = {}
        self._listener.on_pending_count(0)

    # --- one message ---

    async def enqueue(self, outgoing: OutgoingMessage) -> bool:
        """Store a message and queue it. Return False if its person left meanwhile. Raises OutboxFull."""
        person, row = self._person, self._row(outgoing)
        if person is None:
            return False
        if len(self._outbox) + self._being_stored >= self._outbox.limit:
            raise OutboxFull(self._outbox.limit)
        self._being_stored += 1
        try:
            await self._storage.save(person, row)
            if person != self._person:
                await self._storage.delete(person, row.id)
                return False
        finally:
            self._being_stored -= 1
            self._release_rows_if_idle()
        self._add(row)
        return True

    def _release_rows_if_idle(self) -> None:
        """Let other tabs adopt the rows of a person who left, unless one is being stored and dropped just now."""
        if self._person is None and self._being_stored == 0:
            self._storage.release()

    def acknowledge(self, client_message_id: str | None) -> None:
        """Delete a message that the server has stored."""
        row = self._rows.pop(client_message_id or "", None)
        if row is not None:
            self._outbox.acknowledge(row.id)
            self._tasks.start(self._storage.delete(self._person or "", row.id))

    def reject(self, nack: Nack) -> None:
        """Handle a nack: send the message again later, or let it fail. Ignored for an acknowledged message."""
        if nack.client_message_id not in self._outbox:
            return
        if nack.retryable:
            pause = min(max(nack.retry_after or 0.0, MIN_PAUSE), MAX_PAUSE)
            self._outbox.postpone(nack.client_message_id, self._platform.now().monotonic + pause)
            self._listener.on_delivery(nack.client_message_id, Delivery.QUEUED)
        else:
            self._fail(nack.client_message_id, Failure(nack.code, nack.message))

    def pending_in(self, room_id: str) -> list[OutgoingMessage]:
        """Return the waiting and failed messages of this room, in the order written."""
        rows = [row for row in self._rows.values() if row.channel == room_id]
        return [outgoing for row in rows if (outgoing := _outgoing(row)) is not None]

    def retry(self, client_message_id: str) -> None:
        """Queue a failed message again. Raises OutboxFull."""
        row = self._rows.get(client_message_id)
        if row is None or row.failure is None:
            return
        again = replace(self._numbered(row), failure=None, is_sent=_may_have_arrived(row))
        self._outbox.add(again.id, again.channel, again.data)
        self._save(again)
        self._listener.on_delivery(again.id, Delivery.QUEUED)

    def discard(self, client_message_id: str) -> bool:
        """Delete a message. Return True if it was sent already, so that it may have arrived."""
        row = self._rows.pop(client_message_id, None)
        if row is None:
            return False
        self._outbox.acknowledge(row.id)
        self._tasks.start(self._storage.delete_everywhere(self._person or "", row.id))
        return _may_have_arrived(row)

    # --- delivery ---

    def link_lost(self) -> None:
        """Queue again what was in flight on the lost link."""
        self._cancel_send_timer()
        for client_message_id in self._outbox.link_lost():
            if self._kizuna_wire:
                self._listener.on_delivery(client_message_id, Delivery.QUEUED)
            else:
                self._fail(client_message_id, UNCONFIRMED)

    def send_due(self) -> None:
        """Send what is due, and schedule the next call."""
        self._cancel_send_timer()
        if self._person is not None and self._service.is_connected():
            due = self._outbox.take_due(self._platform.now().monotonic)
            for pending in due:
                self._tasks.start(self._deliver(self._person, pending))
            due_at = self._outbox.next_due_at()
            if due_at is not None:
                self._send_timer = self._platform.call_at(due_at, self.send_due)
            if any(pending.tries > 1 for pending in due):  # an answer is overdue
                self._service.doubt()
        self._listener.on_pending_count(len(self._outbox))

    async def _deliver(self, person: str, pending: PendingMessage) -> None:
        if not self._outbox.is_current(pending):
            return
        row = self._rows[pending.id]
        if row.is_too_old(self._wall_ms()):
            if await self._storage.update(person, replace(row, failure=_pair(TOO_OLD))):
                self._fail(row.id, TOO_OLD)
            else:
                self._release(pending)
        elif pending.tries > 1 and not self._kizuna_wire:
            self._fail(row.id, UNCONFIRMED)
        elif not await self._storage.claim(person, row):
            self._release(pending)
        elif self._outbox.is_current(pending):  # else the link has changed, or the message was acknowledged
            self._send(pending, row)
            return
        self.send_due()

    def _send(self, pending: PendingMessage, row: OutboxRow) -> None:
        data = dict(pending.data)
        try:
            self._service.send_message(data.pop("action"), data)
        except NotConnected:
            return  # due again at the end of the link
        except FrameTooLarge as error:
            self._fail(pending.id, Failure("too_large", str(error)))
            self.send_due()
        else:
            self._rows[row.id] = replace(row, is_sent=True)
            self._listener.on_delivery(pending.id, Delivery.SENDING)

    def _release(self, pending: PendingMessage) -> None:
        if self._outbox.is_current(pending):
            self._outbox.acknowledge(pending.id)
            del self._rows[pending.id]
            self._listener.on_taken_over(pending.id)

    # --- inside ---

    def _fail(self, client_message_id: str, failure: Failure) -> None:
        row = self._rows.get(client_message_id)
        self._outbox.acknowledge(client_message_id)
        if row is not None:
            self._save(replace(row, failure=_pair(failure)))
            self._listener.on_delivery(client_message_id, Delivery.FAILED, failure)

    def _save(self, row: OutboxRow) -> None:
        self._rows[row.id] = row
        self._tasks.start(self._update(self._person or "", row))

    async def _update(self, person: str, row: OutboxRow) -> None:
        await self._storage.update(person, row)

    def _row(self, outgoing: OutgoingMessage) -> OutboxRow:
        frame = outgoing.frame
        return self._numbered(
            OutboxRow(
                id=frame.client_message_id,
                channel=frame.room_id,
                data=protocol.to_object(frame),
                written_at=0,
                typed_at=outgoing.typed_at,
            )
        )

    def _numbered(self, row: OutboxRow) -> OutboxRow:
        """Return the row with the next place in the order, also after the clock was set back."""
        self._number += 1
        self._newest = max(self._newest, self._wall_ms())
        return replace(row, written_at=self._newest, number=self._number)

    def _add(self, row: OutboxRow) -> None:
        self._rows[row.id] = row
        self._outbox.add(row.id, row.channel, row.data)

    def _add_stored(self, rows: Iterable[OutboxRow], person: str) -> None:
        """Queue rows that were in the storage already."""
        if person != self._person:
            return
        restored = []
        for row in rows:
            if row.id in self._rows or (outgoing := _outgoing(row)) is None:
                continue
            if row.is_sent and row.failure is None and not self._kizuna_wire:
                row, outgoing = (
                    replace(row, failure=_pair(UNCONFIRMED)),
                    replace(outgoing, failure=UNCONFIRMED),
                )
            restored.append(outgoing)
            self._rows[row.id] = row
            self._newest = max(self._newest, row.written_at)
            try:
                if row.failure is None:
                    self._outbox.add(row.id, row.channel, row.data)
            except OutboxFull:  # two full tabs were closed: the rest fails
                self._rows[row.id] = replace(row, failure=_pair(TOO_MANY))
                restored[-1] = replace(outgoing, failure=TOO_MANY)
        self._listener.on_restored(restored)
        self.send_due()

    def _schedule_adoption(self, person: str) -> None:
        """Search for rows of closed tabs every ADOPT_INTERVAL."""

        async def adopt() -> None:
            self._add_stored(await self._storage.adopt(person), person)

        def due() -> None:
            self._schedule_adoption(person)
            self._tasks.start(adopt())

        self._cancel_adoption()
        self._adoption_timer = self._platform.call_at(self._platform.now().monotonic + ADOPT_INTERVAL, due)

    def _cancel_adoption(self) -> None:
        if self._adoption_timer is not None:
            self._adoption_timer.cancel()
            self._adoption_timer = None

    def _wall_ms(self) -> int:
        return round(self._platform.now().wall * 1000)

    def _new_outbox(self) -> Outbox:
        return Outbox() if self._kizuna_wire else Outbox(ack_timeout=ECHO_TIMEOUT)

    def _cancel_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None


def _may_have_arrived(row: OutboxRow) -> bool:
    """Return whether the row was sent, and not refused by the server."""
    return row.is_sent and (row.failure is None or row.failure[0] in _UNDECIDED)


def _pair(failure: Failure) -> tuple[str, str]:
    return failure.code, failure.words


def _outgoing(row: OutboxRow) -> OutgoingMessage | None:
    """Return the row's message; None if it is invalid."""
    try:
        frame = protocol.parse_up(row.data)
    except protocol.ProtocolError as error:
        logger.warning("could not read a waiting message, leaving it in storage: %s", error)
        return None
    if not isinstance(frame, SendMessage):
        return None
    return OutgoingMessage(frame, row.typed_at, Failure(*row.failure) if row.failure else None)
