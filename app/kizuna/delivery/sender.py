"""The sending of a person's messages, and their states.

A message is stored in a row (kizuna.delivery.outbox_storage) before it is sent, one at a time per channel and with the
same id at every try, and its row is deleted when the server has acknowledged it. Rows of a closed or crashed tab of the
same person are found within ADOPT_INTERVAL and sent by this one. Who shows a message before it is stored keeps it as a
draft first: keep(), then store().
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from kizuna.delivery.carrier import Carrier
from kizuna.delivery.changes import Changes, Later, Progress, Restored, SendState
from kizuna.delivery.frames import NackFrame
from kizuna.delivery.outbox import Outbox, OutboxFull
from kizuna.delivery.outbox_storage import OutboxStorage
from kizuna.delivery.pending_message import Failure, PendingMessage
from kizuna.errors import FrameTooLarge, NotConnected
from kizuna.platform import Instant, TimerHandle

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


class OutboxSender:
    """The sender of one person's outbox: it sends messages that are due, and repeats lost ones.

    ``start_for()`` names the person; messages of others stay in their rows.

    Args:
        now: The current moment.
        carrier: The connection.
        storage: The rows.
        later: Where timers and stored data report.
        acknowledges: Whether the server acknowledges each message. If not, nothing is sent twice: a message that
            nothing confirms fails as UNCONFIRMED, and the person decides.
        is_valid: Whether a stored message is one that this version sends. Others stay in their rows.
    """

    def __init__(
        self,
        now: Callable[[], Instant],
        carrier: Carrier,
        storage: OutboxStorage,
        later: Later,
        *,
        acknowledges: bool = True,
        is_valid: Callable[[PendingMessage], bool] = lambda message: True,
    ) -> None:
        self._now = now
        self._carrier = carrier
        self._storage = storage
        self._later = later
        self._acknowledges = acknowledges
        self._is_valid = is_valid
        self._person: str | None = None
        self._outbox = self._new_outbox()
        self._being_stored = 0
        self._drafts: dict[str, PendingMessage] = {}  # kept, and not stored yet, in the order written
        self._author = ""  # of the drafts
        self._withdrawn: set[str] = set()  # drafts that were deleted while they were being stored
        self._newest = 0  # milliseconds since 1970, of the newest row
        self._number = 0
        self._send_timer: TimerHandle | None = None
        self._adoption_timer: TimerHandle | None = None
        self.sent = self.resent = self.acknowledged = 0  #: messages so far, as DeliveryStatistics has them

    @property
    def waiting(self) -> int:
        """How many messages are not acknowledged yet."""
        return len(self._outbox) + len(self._drafts)

    @property
    def has_messages(self) -> bool:
        """Whether any message waits or has failed."""
        return self._outbox.has_messages

    # --- the person ---

    async def start_for(self, person: str) -> Changes:
        """Send the messages of this person from now on. Return when their stored rows are loaded."""
        drafts = self._drafts if person == self._author else {}
        self.stop()
        self._person, self._drafts = person, drafts
        changes = self._add_stored(await self._storage.load(person), person)
        if person == self._person:
            self._schedule_adoption(person)
        return changes

    def stop(self) -> None:
        """Stop sending. Waiting messages stay in their rows, for any tab of their author."""
        self._cancel_send_timer()
        self._cancel_adoption()
        self._person = None
        self._drafts = {}  # they are stored, for their author
        self._release_rows_if_idle()
        self._outbox = self._new_outbox()

    # --- one message ---

    @property
    def drafts(self) -> tuple[PendingMessage, ...]:
        """The messages that are kept and not stored yet, in the order written."""
        return tuple(self._drafts.values())

    def keep(self, person: str, message: PendingMessage) -> PendingMessage:
        """Keep a message as a draft, at once, and return it for store(). Raises OutboxFull.

        The rows of its person need not be loaded yet.
        """
        if self.waiting >= self._outbox.limit:
            raise OutboxFull(self._outbox.limit)
        self._author = person
        draft = self._drafts[message.id] = self._numbered(message)
        self._storage.keep_draft(person, draft)
        return draft

    async def store(self, person: str, draft: PendingMessage) -> PendingMessage | None:
        """Store a draft and queue it. Return it, with a failure if closed tabs left too many messages.

        None: it was deleted, another tab has adopted it, or its person left, for whom it stays stored.
        """
        is_adopted = self._storage.is_draft_adopted(person, draft.id)
        if draft.id not in self._withdrawn and not is_adopted:
            with self._storing():
                await self._storage.save(person, draft)
        self._drafts.pop(draft.id, None)
        if draft.id in self._withdrawn:
            self._withdrawn.discard(draft.id)
            await self._storage.delete_everywhere(person, draft.id)
            return None
        return None if is_adopted or person != self._person else self._queue(draft)

    def _queue(self, row: PendingMessage) -> PendingMessage:
        """Add a stored message to the outbox; it fails if there are too many."""
        try:
            self._outbox.add(row)
        except OutboxFull:
            row = replace(row, failure=TOO_MANY)
            self._outbox.add(row)
        return row

    async def enqueue(self, message: PendingMessage) -> bool:
        """Store a message and queue it. Return False if its person left meanwhile. Raises OutboxFull."""
        person, row = self._person, self._numbered(message)
        if person is None:
            return False
        if len(self._outbox) + self._being_stored >= self._outbox.limit:
            raise OutboxFull(self._outbox.limit)
        with self._storing():
            await self._storage.save(person, row)
            if person != self._person:
                await self._storage.delete(person, row.id)
                return False
        self._outbox.add(row)
        return True

    @contextmanager
    def _storing(self) -> Iterator[None]:
        self._being_stored += 1
        try:
            yield
        finally:
            self._being_stored -= 1
            self._release_rows_if_idle()

    def _release_rows_if_idle(self) -> None:
        """Let other tabs adopt the rows of a person who left, unless one is being stored and dropped just now."""
        if self._person is None and self._being_stored == 0:
            self._storage.release()

    def acknowledge(self, message_id: str | None) -> PendingMessage | None:
        """Delete a message that the server has stored; return it, or None if it is not here."""
        message = self._outbox.remove(message_id or "")
        if message is not None:
            self.acknowledged += 1
            self._later.write(self._storage.delete(self._person or "", message.id))
        return message

    def reject(self, nack: NackFrame) -> Changes:
        """Handle a nack: send the message again later, or let it fail. Ignored for an acknowledged message."""
        if nack.client_message_id not in self._outbox:
            return []
        if not nack.retryable:
            return self._fail(nack.client_message_id, Failure(nack.code, nack.message))
        pause = min(max(nack.retry_after or 0.0, MIN_PAUSE), MAX_PAUSE)
        message = self._outbox.postpone(nack.client_message_id, self._now().monotonic + pause)
        return [] if message is None else [Progress(message, SendState.QUEUED)]

    def pending_in(self, channel: str) -> list[PendingMessage]:
        """Return the waiting and failed messages of this channel, in the order written."""
        drafts = [draft for draft in self._drafts.values() if draft.channel == channel]
        return self._outbox.in_channel(channel) + drafts

    def get(self, message_id: str) -> PendingMessage | None:
        """Return the message that waits or has failed."""
        return self._outbox.get(message_id)

    def retry(self, message_id: str) -> Changes:
        """Queue a failed message again. Raises OutboxFull."""
        failed = self._outbox.get(message_id)
        if failed is None or failed.failure is None:
            return []
        again = replace(self._numbered(failed), failure=None, is_sent=_may_have_arrived(failed))
        self._outbox.add(again)
        self._update(again)
        return [Progress(again, SendState.QUEUED)]

    def discard(self, message_id: str) -> bool:
        """Delete a message. Return True if it was sent already, so that it may have arrived."""
        if self._drafts.pop(message_id, None) is not None:
            self._withdrawn.add(message_id)
            self._storage.drop_draft(self._author, message_id)
            return False
        message = self._outbox.remove(message_id)
        if message is None:
            return False
        self._later.write(self._storage.delete_everywhere(self._person or "", message.id))
        return _may_have_arrived(message)

    # --- delivery ---

    def link_lost(self) -> Changes:
        """Queue again what was in flight on the lost link."""
        self._cancel_send_timer()
        changes: Changes = []
        for message in self._outbox.link_lost():
            if self._acknowledges:
                changes.append(Progress(message, SendState.QUEUED))
            else:
                changes += self._fail(message.id, UNCONFIRMED)
        return changes

    def send_due(self) -> Changes:
        """Send what is due, and schedule the next call. What is sent is reported later."""
        self._cancel_send_timer()
        if self._person is None or not len(self._outbox) or not self._carrier.is_connected():
            return []
        due = self._outbox.take_due(self._now().monotonic)
        for message in due:
            self._later.start(self._deliver(self._person, message))
        due_at = self._outbox.next_due_at()
        assert due_at is not None  # since a message waits
        self._send_timer = self._later.call_at(due_at, self.send_due)
        if any(message.tries > 1 for message in due):  # an answer is overdue
            self._carrier.doubt()
        return []

    async def _deliver(self, person: str, message: PendingMessage) -> Changes:
        if not self._outbox.is_current(message):
            return []
        if message.is_too_old(self._wall_ms()):
            is_own = await self._storage.update(person, replace(message, failure=TOO_OLD))
            changes = self._fail(message.id, TOO_OLD) if is_own else self._take_off(message)
        elif message.tries > 1 and not self._acknowledges:
            changes = self._fail(message.id, UNCONFIRMED)
        elif not await self._storage.claim(person, message):
            changes = self._take_off(message)
        elif self._outbox.is_current(message):  # else the link has changed, or the message was acknowledged
            return self._send(message)
        else:
            changes = []
        return changes + self.send_due()

    def _send(self, message: PendingMessage) -> Changes:
        data = dict(message.data)
        try:
            self._carrier.send_message(data.pop("action"), data)
        except NotConnected:
            return []  # due again at the end of the link
        except FrameTooLarge as error:
            return self._fail(message.id, Failure("too_large", str(error))) + self.send_due()
        if message.is_sent:
            self.resent += 1
        else:
            self.sent += 1
        return [Progress(self._outbox.note_sent(message), SendState.SENDING)]

    def _take_off(self, message: PendingMessage) -> Changes:
        """Forget a message whose row another tab has."""
        if not self._outbox.is_current(message):
            return []
        self._outbox.remove(message.id)
        return [Progress(message, SendState.TAKEN_OVER)]

    # --- inside ---

    def _fail(self, message_id: str, failure: Failure) -> Changes:
        failed = self._outbox.fail(message_id, failure)
        if failed is None:
            return []
        self._update(failed)
        return [Progress(failed, SendState.FAILED)]

    def _update(self, message: PendingMessage) -> None:
        """Write the message's row."""

        async def update(person: str) -> None:
            await self._storage.update(person, message)

        self._later.write(update(self._person or ""))

    def _numbered(self, message: PendingMessage) -> PendingMessage:
        """Return the message with the next place in the order, also after the clock was set back."""
        self._number += 1
        self._newest = max(self._newest, self._wall_ms())
        return replace(message, written_at=self._newest, number=self._number)

    def _add_stored(self, rows: Iterable[PendingMessage], person: str) -> Changes:
        """Queue messages that were in the storage already. Call send_due() once it is known which the server has."""
        if person != self._person:
            return []
        restored: list[PendingMessage] = []
        for row in rows:
            if self._outbox.get(row.id) is not None or not self._is_valid(row):
                continue
            message = row
            if row.is_sent and row.failure is None and not self._acknowledges:
                message = replace(row, failure=UNCONFIRMED)
            restored.append(self._queue(message))  # if two full tabs were closed, the rest fails
            self._newest = max(self._newest, row.written_at)
        return [Restored(tuple(restored))]

    def _schedule_adoption(self, person: str) -> None:
        """Search for rows of closed tabs every ADOPT_INTERVAL."""

        async def adopt() -> Changes:
            return self._add_stored(await self._storage.adopt(person), person)

        def due() -> Changes:
            self._schedule_adoption(person)
            self._later.start(adopt())
            return []

        self._cancel_adoption()
        self._adoption_timer = self._later.call_at(self._now().monotonic + ADOPT_INTERVAL, due)

    def _cancel_adoption(self) -> None:
        if self._adoption_timer is not None:
            self._adoption_timer.cancel()
            self._adoption_timer = None

    def _wall_ms(self) -> int:
        return round(self._now().wall * 1000)

    def _new_outbox(self) -> Outbox:
        return Outbox() if self._acknowledges else Outbox(ack_timeout=ECHO_TIMEOUT)

    def _cancel_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None


def _may_have_arrived(message: PendingMessage) -> bool:
    """Return whether the message was sent, and not refused by the server."""
    return message.is_sent and (message.failure is None or message.failure.code in _UNDECIDED)
