"""Carries what a person wrote to the server, and tells how far each message has come.

A message is kept in a row (kizuna.delivery.outbox_storage) before anybody calls it queued, goes out one at a time per
room under the same id at every try, and leaves its row when the server has it. What a closed or crashed tab of the same
person left is found within ADOPT_INTERVAL and carried from here.
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

#: Seconds that a refused message waits at least, whatever the server says: it asked for patience.
MIN_PAUSE = 1.0
#: And at most: no server has reason to keep a person's words for longer.
MAX_PAUSE = 300.0
#: Seconds between looks for rows that another tab left: it reads keys alone, and nearly always there are none.
ADOPT_INTERVAL = 5.0
#: Milliseconds after which what waits is not sent by itself any more: three days later it may not be meant any more.
MAX_AGE_MS = 3 * 24 * 3600 * 1000
#: Seconds without its broadcast after which a message counts as unconfirmed, on a server that acknowledges nothing.
ECHO_TIMEOUT = 10.0

TOO_OLD = Failure("too_old")
UNCONFIRMED = Failure("unconfirmed")
TOO_MANY = Failure("outbox_full")
_UNDECIDED = (TOO_OLD.code, UNCONFIRMED.code, TOO_MANY.code)  # failures of which the server knows nothing


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message as a person wrote it; ``typed_at`` milliseconds since 1970."""

    frame: SendMessage
    typed_at: int
    failure: Failure | None = None


class DeliveryListener(Protocol):
    """Who shows how far the messages have come."""

    def on_delivery(self, client_message_id: str, delivery: Delivery, failure: Failure | None = None) -> None:
        """A message has come so far. ``failure``: why not further, when it FAILED."""

    def on_restored(self, messages: Iterable[OutgoingMessage]) -> None:
        """These wait since before this page was opened, or were left by another one."""

    def on_taken_over(self, client_message_id: str) -> None:
        """Another tab has taken this message over, or deleted it: it is not this page's any more."""

    def on_pending_count(self, waiting: int) -> None:
        """So many messages wait to be acknowledged."""


class OutboxSender:
    """Responsible for the outbox of the person of the moment: what is due goes out, what is lost goes out again.

    Nobody ever sends another's words: ``start_for()`` names the person, and what others wrote stays in its rows.
    ``acknowledges``: the server answers each message (wire "kizuna"). Where it does not (the article's), nothing is
    sent twice: what does not come back as a broadcast fails as UNCONFIRMED, and the person decides.
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
        self._rows: dict[str, OutboxRow] = {}  # what waits and what failed
        self._being_stored = 0
        self._newest = 0  # milliseconds since 1970: when the newest row was written
        self._number = 0
        self._send_timer: TimerHandle | None = None
        self._adoption_timer: TimerHandle | None = None
        self._tasks = TaskSet()

    # --- whose ---

    async def start_for(self, person: str) -> None:
        """Carry for this person from now on. Returns when all that waits for them is found."""
        self.stop()
        self._person = person
        self._add_stored(await self._storage.load(person), person)
        if person == self._person:
            self._schedule_adoption(person)

    def stop(self) -> None:
        """Carry for nobody. What waits stays in its rows, for any tab of its author."""
        self._cancel_send_timer()
        self._cancel_adoption()
        self._person = None
        self._release_rows_if_idle()
        self._outbox = self._new_outbox()
        self._rows = {}
        self._listener.on_pending_count(0)

    # --- one message ---

    async def enqueue(self, outgoing: OutgoingMessage) -> bool:
        """Keep this one, then carry it. Raises OutboxFull, having taken nothing. False: its person left meanwhile."""
        person, row = self._person, self._row(outgoing)
        if person is None:
            return False
        if len(self._outbox) + self._being_stored >= self._outbox.limit:
            raise OutboxFull(self._outbox.limit)
        self._being_stored += 1
        try:
            await self._storage.keep(person, row)
            if person != self._person:
                await self._storage.drop(person, row.id)
                return False
        finally:
            self._being_stored -= 1
            self._release_rows_if_idle()
        self._add(row)
        return True

    def _release_rows_if_idle(self) -> None:
        """Another tab may take the rows of a person who left; but none that is kept and dropped again just now."""
        if self._person is None and self._being_stored == 0:
            self._storage.let_go()

    def acknowledge(self, client_message_id: str | None) -> None:
        """The server has this one."""
        row = self._rows.pop(client_message_id or "", None)
        if row is not None:
            self._outbox.acknowledge(row.id)
            self._tasks.start(self._storage.drop(self._person or "", row.id))

    def reject(self, nack: Nack) -> None:
        """The server did not take this one: later, or never. A word about one that is settled comes too late."""
        if nack.client_message_id not in self._outbox:
            return
        if nack.retryable:
            pause = min(max(nack.retry_after or 0.0, MIN_PAUSE), MAX_PAUSE)
            self._outbox.postpone(nack.client_message_id, self._platform.now().monotonic + pause)
            self._listener.on_delivery(nack.client_message_id, Delivery.QUEUED)
        else:
            self._fail(nack.client_message_id, Failure(nack.code, nack.message))

    def pending_in(self, room_id: str) -> list[OutgoingMessage]:
        """What waits or failed in this room, in the order written."""
        rows = [row for row in self._rows.values() if row.channel == room_id]
        return [outgoing for row in rows if (outgoing := _outgoing(row)) is not None]

    def retry(self, client_message_id: str) -> None:
        """Carry a failed one again. Raises OutboxFull."""
        row = self._rows.get(client_message_id)
        if row is None or row.failure is None:
            return
        again = replace(self._numbered(row), failure=None, is_sent=_may_have_arrived(row))
        self._outbox.add(again.id, again.channel, again.data)
        self._save(again)
        self._listener.on_delivery(again.id, Delivery.QUEUED)

    def discard(self, client_message_id: str) -> bool:
        """Carry this one no more. True if it had been sent already, and so may have arrived."""
        row = self._rows.pop(client_message_id, None)
        if row is None:
            return False
        self._outbox.acknowledge(row.id)
        self._tasks.start(self._storage.drop_everywhere(self._person or "", row.id))
        return _may_have_arrived(row)

    # --- on its way ---

    def link_lost(self) -> None:
        """No answer comes over this link any more."""
        self._cancel_send_timer()
        for client_message_id in self._outbox.link_lost():
            if self._kizuna_wire:
                self._listener.on_delivery(client_message_id, Delivery.QUEUED)
            else:
                self._fail(client_message_id, UNCONFIRMED)

    def send_due(self) -> None:
        """Send what is due, and come back when the next is."""
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
        if self._is_too_old(row):
            if await self._storage.revise(person, replace(row, failure=_pair(TOO_OLD))):
                self._fail(row.id, TOO_OLD)
            else:
                self._release(pending)
        elif pending.tries > 1 and not self._kizuna_wire:
            self._fail(row.id, UNCONFIRMED)
        elif not await self._storage.claim(person, row):
            self._release(pending)
        elif self._outbox.is_current(pending):  # else the link has changed meanwhile, or the answer is here
            self._send(pending, row)
            return
        self.send_due()

    def _send(self, pending: PendingMessage, row: OutboxRow) -> None:
        data = dict(pending.data)
        try:
            self._service.send_message(data.pop("action"), data)
        except NotConnected:
            return  # the link's end makes it due again
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
        self._tasks.start(self._revise(self._person or "", row))

    async def _revise(self, person: str, row: OutboxRow) -> None:
        await self._storage.revise(person, row)

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
        """At the end of the order, also when the clock was set back."""
        self._number += 1
        self._newest = max(self._newest, self._wall_ms())
        return replace(row, written_at=self._newest, number=self._number)

    def _add(self, row: OutboxRow) -> None:
        self._rows[row.id] = row
        self._outbox.add(row.id, row.channel, row.data)

    def _add_stored(self, rows: Iterable[OutboxRow], person: str) -> None:
        """Rows that were in the storage already."""
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
            except OutboxFull:  # two full tabs were closed: what is too much waits for the person
                self._rows[row.id] = replace(row, failure=_pair(TOO_MANY))
                restored[-1] = replace(outgoing, failure=TOO_MANY)
        self._listener.on_restored(restored)
        self.send_due()

    def _schedule_adoption(self, person: str) -> None:
        """Look for rows that another tab left, now and then."""

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

    def _is_too_old(self, row: OutboxRow) -> bool:
        return self._wall_ms() - row.written_at > MAX_AGE_MS

    def _wall_ms(self) -> int:
        return round(self._platform.now().wall * 1000)

    def _new_outbox(self) -> Outbox:
        return Outbox() if self._kizuna_wire else Outbox(ack_timeout=ECHO_TIMEOUT)

    def _cancel_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None


def _may_have_arrived(row: OutboxRow) -> bool:
    """Whether the row was sent, and not refused by the server since."""
    return row.is_sent and (row.failure is None or row.failure[0] in _UNDECIDED)


def _pair(failure: Failure) -> tuple[str, str]:
    return failure.code, failure.words


def _outgoing(row: OutboxRow) -> OutgoingMessage | None:
    """What the person wrote; None if the row holds something else."""
    try:
        frame = protocol.parse_up(row.data)
    except protocol.ProtocolError as error:
        logger.warning("a message that waited cannot be sent by this page and stays where it is: %s", error)
        return None
    if not isinstance(frame, SendMessage):
        return None
    return OutgoingMessage(frame, row.typed_at, Failure(*row.failure) if row.failure else None)
