"""One room on the page: its messages, and what of them the person has read."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence as Messages
from dataclasses import replace
from typing import TypeAlias

from chat.protocol import Ack, Message
from chat.room_log import RoomLog, key_of
from chat.timeline import Delivery, Gap
from kizuna.delivery import Begin, ChannelReader, Earlier, Items, NewPage, Origin, Position, Reset, Stored

#: The reader of a room's channel: messages of the server, and acks of own ones.
RoomReader: TypeAlias = ChannelReader[Message, Ack]
#: Times without a connection that are remembered.
MAX_GAPS = 20


class Room:
    """The messages of a room in memory, and how many of them are unread.

    ``reader`` brings them: each once, in order, without gaps. ``has_history``: the server can send older ones again.
    """

    def __init__(
        self, reader: RoomReader, me: str | None, entered_at: int = 0, *, has_history: bool = True
    ) -> None:
        self.reader = reader
        self.room_id = reader.channel
        self.entered_at = entered_at  #: milliseconds since 1970: orders the person's rooms
        self.seen = 0  #: the newest seq that the person has read
        self.unread = 0  #: messages of others since then, by the server's numbers
        self.first_unread: str | None = None  #: the key of the first of them that is in memory
        self.log = RoomLog(me, has_history=has_history)
        self.unread_from: str | None = None  #: the first message that was unread when the visit began
        self.received = 0  #: messages of others that arrived, without first pages
        self.gaps: deque[Gap] = deque(maxlen=MAX_GAPS)
        self._own_unseen: set[int] = set()  # seqs of own messages after ``seen``
        self._oldest_stored = 1  # as far as known: the oldest seq that the server still has

    @property
    def epoch(self) -> str | None:
        """The epoch of the room's messages; None: unknown."""
        return self.reader.epoch

    @property
    def watermark(self) -> int:
        """The seq up to which everything has arrived."""
        return self.reader.watermark

    def begin_visit(self) -> None:
        """Note what is unread, since the person has come to the room."""
        self.unread_from = self.first_unread

    def begin_gap(self, number: int, since: float) -> None:
        """Note that the connection was lost. Of losses without a message in between the last one counts."""
        after = self.log.last_key
        if after is not None:
            if self.gaps and self.gaps[-1].after == after:
                self.gaps.pop()
            self.gaps.append(Gap(number, after, since))

    def end_gap(self, until: float) -> None:
        """Note that the connection is back."""
        if self.gaps and self.gaps[-1].until is None:
            self.gaps.append(replace(self.gaps.pop(), until=until))

    def mark_read(self) -> bool:
        """Mark everything as read. Return whether anything was new."""
        before = self.seen
        self.seen = max(before, self.reader.watermark)  # another tab may have read further
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
        self.unread = max(0, self.watermark - self.seen - len(self._own_unseen))
        self.first_unread = self.log.first_unread(self.seen) if self.unread else None

    @property
    def has_earlier(self) -> bool:
        """Whether older messages exist than those in memory."""
        return self.oldest > self._oldest_stored

    @property
    def oldest(self) -> int:
        """The oldest seq in memory; if there is none, the next seq."""
        return self.log.oldest_seq or self.watermark + 1

    def identify(self, me: str) -> None:
        """Set the person's user id."""
        self.log.identify(me)

    def restore(self, epoch: str, messages: Messages[Message], seen: int) -> None:
        """Begin with stored ``messages``, in order and without gaps, unless others have arrived since."""
        last = messages[-1].seq or 0 if messages else 0
        if not self.reader.restore(Position(epoch, last)):
            return
        for message in messages:
            self.log.add(message, arrives=False)
        self.seen = min(seen, last) if messages else seen  # without any, what was read has expired
        self._count_unread()

    def note_unnumbered(self, message: Message, is_new: bool) -> None:
        """Count ``message``, which was added to the log if it ``is_new``: the article's server has no seq."""
        if is_new and message.sender_id != self.log.me:
            self.received += 1
            self.unread += 1
            self.first_unread = self.first_unread or key_of(message)

    # --- changes of its channel ---

    def end_page(self) -> None:
        """Discard acknowledged own messages in a part of the history that is not in memory: they have no place."""
        held = self.reader.held
        for entry in self.log.pending:
            if entry.state is Delivery.SENT and entry.client_message_id not in held:
                self.log.discard(entry.client_message_id or "")
        self._count_unread()

    def place(self, change: Items[Message | Ack]) -> None:
        """Put what is in order now into the log."""
        arrives = change.origin is not Origin.FIRST_PAGE
        for item in change.items:
            if isinstance(item, Ack):
                self.log.confirm(item)
                if item.seq > self.seen:
                    self._own_unseen.add(item.seq)
            elif item.seq is None:
                self.note_unnumbered(item, self.log.add(item))
            elif self.log.add(item, arrives=arrives):
                self._note_new(item, item.seq, arrives)
        if change.origin is not Origin.LIVE:
            self._count_unread()

    def _note_new(self, message: Message, seq: int, arrives: bool) -> None:
        is_own, is_unseen = message.sender_id == self.log.me, seq > self.seen
        self.received += arrives and not is_own
        if is_own and is_unseen:
            self._own_unseen.add(seq)
        elif is_unseen:
            self.unread += 1
            self.first_unread = self.first_unread or key_of(message)

    def begin_page(self, page: NewPage) -> None:
        """Drop the messages here; pending ones stay. Call end_page() after the other changes of the same frame."""
        if isinstance(page, Reset):
            self.seen = min(self.seen, page.head)
        elif isinstance(page, Begin):  # what was said before the person came is not unread
            self.seen = page.head
        else:
            self.received += page.first - 1 - page.after  # which are requested when the reader scrolls there
            if page.is_empty:  # what was said meanwhile has expired
                self.seen = max(self.seen, page.first - 1)
        self.log.restart()
        self._own_unseen.clear()
        self._oldest_stored = 1

    def prepend(self, earlier: Earlier[Message]) -> None:
        """Add older messages. An answer that does not end at the oldest message in memory (a new page has been loaded
        since, or others were cut) is dropped: it would hide a gap."""
        messages = earlier.items
        last = (messages[-1].seq or 0) if messages else None
        if earlier.epoch != self.reader.epoch or (last is not None and last + 1 < self.oldest):
            return
        first = (messages[0].seq or 0) if messages else earlier.before
        if earlier.before == self.oldest and (earlier.complete or first >= earlier.before):
            self._oldest_stored = first
        self.log.add_earlier(messages)
        if self.unread:  # the page may end behind the last message read, and have own messages
            self._count_unread()

    def mark_stored(self, stored: Stored) -> None:
        """Mark an own message as sent whose place has to wait for others, or put it there."""
        ack: Ack | None = stored.ack
        if self.log.own(stored.id) is None:  # it is in its place already
            return
        if ack is None or stored.seq is None:
            self.log.mark(stored.id, Delivery.SENT)
        elif ack.deleted:  # what replaces it arrives as a message
            self.log.discard(stored.id)
        elif stored.seq > self.watermark:
            self.log.mark(stored.id, Delivery.SENT)
        elif stored.seq >= self.oldest:
            self.log.confirm(ack)
        else:  # it belongs to a part of the history that is not in memory
            self.log.discard(stored.id)
