"""One room on the page: its position in the history, and its messages."""

from __future__ import annotations

from collections.abc import Sequence as Messages
from typing import Protocol

from chat.protocol import EMPTY_EPOCH, Ack, Batch, Message, RoomHead, RoomPosition
from chat.room_log import RoomLog, key_of
from chat.timeline import Delivery
from kizuna.delivery.sequence import Sequence


class AskedPosition(Protocol):
    """The position in a request: of a sync, a join, or a room of a hello."""

    @property
    def after(self) -> int | None:
        """The watermark at the request; None: the newest page was requested."""

    @property
    def epoch(self) -> str | None:
        """The epoch at the request."""


class Room:
    """The messages of a room, made from its frames: each message once, in order, without gaps.

    After each step ``needs_sync`` says whether something is missing, ``position()`` from where to request it.
    ``has_history``: the server can send older messages again.
    """

    def __init__(
        self, room_id: str, me: str | None, entered_at: int = 0, *, has_history: bool = True
    ) -> None:
        self.room_id = room_id
        self.entered_at = entered_at  #: milliseconds since 1970: orders the person's rooms
        self.seen = 0  #: the newest seq that the person has read
        self.unread = 0  #: messages of others since then, by the server's numbers
        self.first_unread: str | None = None  #: the key of the first of them that is in memory
        self.log = RoomLog(me, has_history=has_history)
        self._own_unseen: set[int] = set()  # seqs of own messages after ``seen``
        self._sequence: Sequence[Message | Ack] = Sequence()
        self._oldest_stored = 1  # as far as known: the oldest seq that the server still has
        self._is_stale = False  # the server's history was replaced: only a new page helps

    @property
    def needs_sync(self) -> bool:
        """Whether something is missing."""
        return self._is_stale or (self._sequence.epoch is not None and self._sequence.has_gap)

    @property
    def epoch(self) -> str | None:
        """The epoch of the room's messages; None: unknown."""
        return None if self._is_stale else self._sequence.epoch

    @property
    def watermark(self) -> int:
        """The seq up to which everything has arrived."""
        return self._sequence.watermark

    def mark_read(self) -> bool:
        """Mark everything as read. Return whether anything was new."""
        before = self.seen
        self.seen = max(before, self._sequence.watermark)  # another tab may have read further
        self.unread = 0
        self.first_unread = None
        self._own_unseen.clear()
        return self.seen != before

    def mark_read_up_to(self, epoch: str, seq: int) -> None:
        """Note that the person has read up to ``seq`` in another tab."""
        if epoch == self.epoch and seq > self.seen:
            self.seen = seq
            self._count_unread()

    def _count_unread(self) -> None:
        """Count from the numbers, which include messages that are not in memory."""
        self._own_unseen.update(self.log.own_seqs(self.seen))
        self._own_unseen = {seq for seq in self._own_unseen if seq > self.seen}
        self.unread = max(0, self._sequence.watermark - self.seen - len(self._own_unseen))
        self.first_unread = self.log.first_unread(self.seen) if self.unread else None

    @property
    def has_earlier(self) -> bool:
        """Whether older messages exist than those in memory."""
        return self.oldest > self._oldest_stored

    @property
    def oldest(self) -> int:
        """The oldest seq in memory; if there is none, the next seq."""
        return self.log.oldest_seq or self._sequence.watermark + 1

    def position(self) -> RoomPosition:
        """Return the position of the page; ``after`` None requests the newest page."""
        if self._sequence.epoch is None or self._is_stale:
            return RoomPosition(room_id=self.room_id)
        return RoomPosition(room_id=self.room_id, after=self._sequence.watermark, epoch=self._sequence.epoch)

    def identify(self, me: str) -> None:
        """Set the person's user id."""
        self.log.identify(me)

    def restore(self, epoch: str, messages: Messages[Message], seen: int) -> None:
        """Begin with stored ``messages``, in order and without gaps, unless others have arrived since."""
        if self._sequence.epoch is not None:
            return
        last = messages[-1].seq or 0 if messages else 0
        self._sequence.start(epoch, last)
        for message in messages:
            self.log.add(message, arrives=False)
        self.seen = min(seen, last) if messages else seen  # without any, what was read has expired
        self._count_unread()

    def receive(self, message: Message) -> None:
        """Add a message of a broadcast."""
        if message.seq is None:
            self.note_unnumbered(message, self.log.add(message))
        elif self._belongs(message.epoch):
            self._place(self._sequence.offer(message.seq, message))
        self._mark_stored(message)

    def note_unnumbered(self, message: Message, is_new: bool) -> None:
        """Count ``message``, which was added to the log if it ``is_new``: the article's server has no seq."""
        if is_new and message.sender_id != self.log.me:
            self.unread += 1
            self.first_unread = self.first_unread or key_of(message)

    def apply_ack(self, ack: Ack) -> None:
        """Put an own message, which is stored now, into its place in the sequence."""
        if not self._belongs(ack.epoch):
            self.log.mark(ack.client_message_id, Delivery.SENT)
            return
        if ack.deleted:  # what replaces it arrives as a message
            self.log.discard(ack.client_message_id)
        if self.log.own(ack.client_message_id) is None:
            self._sequence.raise_head(ack.seq)  # not shown: its broadcast, or a sync, brings it
        elif ack.seq > self._sequence.watermark:
            released = self._sequence.offer(ack.seq, ack)
            if not released:
                self.log.mark(ack.client_message_id, Delivery.SENT)
            self._place(released)
        elif ack.seq >= self.oldest:
            self.log.confirm(ack)
        else:  # it belongs to a part of the history that is not in memory
            self.log.discard(ack.client_message_id)

    def raise_head(self, head: RoomHead) -> None:
        """Note the room's head on the server."""
        if self._sequence.epoch is not None and self._belongs(head.epoch):
            self._sequence.raise_head(head.seq)

    def apply_batch(self, batch: Batch, asked: AskedPosition | None = None) -> bool:
        """Apply the answer to a ``hello``, ``join`` or ``sync`` that was sent from the position ``asked``.

        Return True if messages were dropped since the server's history was restored: it has another epoch, or a head
        before that position."""
        if self._precedes_first_message(batch, asked):
            return False
        was_restored = self._is_of_restored_history(batch, asked)
        page_start = self._new_page_start(batch, was_restored)
        arrives = self._sequence.epoch is not None and not was_restored
        if page_start is not None:
            self._begin_page(batch, page_start, was_restored)
        released: list[Message | Ack] = []
        for message in batch.messages:
            if message.seq is not None:
                released += self._sequence.offer(message.seq, message)
        self._place(released, arrives=arrives)
        for message in batch.messages if self.log.pending else ():
            self._mark_stored(message)
        if page_start is not None:
            self._discard_unplaced()
        if batch.complete:
            self._sequence.set_head(batch.head)
        else:
            self._sequence.raise_head(batch.head)
        self._count_unread()
        return was_restored

    def _is_of_restored_history(self, batch: Batch, asked: AskedPosition | None) -> bool:
        """Return whether the server's history is another one than that of the messages here."""
        if self._sequence.watermark == 0:
            return False
        asked_after = asked.after if asked is not None else None
        return self._sequence.epoch != batch.epoch or batch.head < (asked_after or 0)

    def _new_page_start(self, batch: Batch, was_restored: bool) -> int | None:
        """Return the first seq of a batch that does not continue the messages here; None if it does."""
        first = next((message.seq for message in batch.messages if message.seq is not None), None)
        begins = first or (batch.next or 0) + 1  # no messages: all have expired up to ``next``
        if batch.limited and begins > self._sequence.watermark + 1:  # else the batch is a late one
            return begins
        if was_restored or self._is_stale or self._sequence.epoch != batch.epoch:
            return first or batch.head + 1
        return None

    def _begin_page(self, batch: Batch, first: int, was_restored: bool) -> None:
        """Drop the messages here, and begin with ``first``; pending messages stay."""
        is_first_page = self._sequence.epoch is None
        if was_restored:
            self._sequence.reset()
            self.seen = min(self.seen, batch.head)
        elif is_first_page:  # what was said before the person came is not unread
            self.seen = batch.head
        elif not batch.messages:  # what was said meanwhile has expired
            self.seen = max(self.seen, first - 1)
        self.log.restart()
        self._own_unseen.clear()
        self._is_stale = False
        self._oldest_stored = 1
        self._place(self._sequence.start(batch.epoch, first - 1))

    def prepend(self, batch: Batch, before: int) -> None:
        """Add older messages, the answer to ``history`` before ``before``. An answer that does not end at the oldest
        message in memory (a new page has been loaded since, or others were cut) is dropped: it would hide a gap."""
        for message in batch.messages if self.log.pending else ():
            self._mark_stored(message)
        last = (batch.messages[-1].seq or 0) if batch.messages else None
        if batch.epoch != self._sequence.epoch or (last is not None and last + 1 < self.oldest):
            return
        first = (batch.messages[0].seq or 0) if batch.messages else before
        if before == self.oldest and (batch.complete or first >= before):
            self._oldest_stored = first
        self.log.add_earlier(batch.messages)
        if self.unread:  # the page may end behind the last message read, and have own messages
            self._count_unread()

    def _precedes_first_message(self, batch: Batch, asked: AskedPosition | None) -> bool:
        """Return whether this late batch says that the room is empty. If the request named the shown epoch, the history
        was really lost."""
        known = self._sequence.epoch
        if batch.epoch != EMPTY_EPOCH or known in (None, EMPTY_EPOCH) or self._is_stale:
            return False
        return asked is None or asked.epoch != known

    def _belongs(self, epoch: str | None) -> bool:
        """Return whether a frame belongs to the epoch shown; before the first batch none does. The first message of an
        empty room gives it its epoch."""
        if self._sequence.epoch is None:
            return False
        if self._sequence.epoch == EMPTY_EPOCH and epoch is not None:
            self._sequence.start(epoch, 0)
        if epoch == EMPTY_EPOCH:  # sent before the first message
            return self._sequence.epoch == EMPTY_EPOCH
        if epoch != self._sequence.epoch:
            self._is_stale = True
            return False
        return True

    def _place(self, released: list[Message | Ack], *, arrives: bool = True) -> None:
        """Put what is in order now into the log. ``arrives``: it is new to the person."""
        for item in released:
            if isinstance(item, Ack):
                self.log.confirm(item)
                if item.seq > self.seen:
                    self._own_unseen.add(item.seq)
            elif self.log.add(item, arrives=arrives) and (item.seq or 0) > self.seen:
                if item.sender_id == self.log.me:
                    self._own_unseen.add(item.seq or 0)
                else:
                    self.unread += 1
                    self.first_unread = self.first_unread or key_of(item)

    def _mark_stored(self, message: Message) -> None:
        """Mark an own message as sent whose place has to wait for others."""
        if message.sender_id == self.log.me and message.client_message_id is not None:
            self.log.mark(message.client_message_id, Delivery.SENT)

    def _discard_unplaced(self) -> None:
        """Discard acknowledged own messages in a part of the history that is not shown: they have no place."""
        held = {item.client_message_id for item in self._sequence.held if isinstance(item, Ack)}
        for entry in self.log.pending:
            if entry.state is Delivery.SENT and entry.client_message_id not in held:
                self.log.discard(entry.client_message_id or "")
