"""The log of one room: its messages in memory, and the window of them that is on the page.

A message is recognised by its ids and placed by the server's ``seq``. Own messages that are not stored yet come last,
in the order typed. Adding a message costs the same however many there are; ``publish`` makes one frozen value of what
is on the page.

Memory is bounded: the oldest messages are cut, and can be requested again. While the reader has scrolled up, the middle
between the window and the newest messages is cut instead, so that neither is lost.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from chat.protocol import MAX_INTEGER, Ack, Message
from chat.recent_messages import RecentMessages
from chat.timeline import Delivery, Entry, Timeline, client_key
from kizuna.delivery import Failure

#: Stored messages in memory: of a room whose end is shown, of one that is not shown, of one whose reader has scrolled
#: up, and where the server has no history to request them from again.
MAX_FOLLOWING, MAX_NOT_SHOWN, MAX_SCROLLED_UP, MAX_WITHOUT_HISTORY = 2_000, 200, 20_000, 100_000
#: Messages on the page: more are cut to WINDOW while the list follows its end; never more than MAX_ROWS.
MAX_FOLLOWED_ROWS, WINDOW, MAX_ROWS = 200, 60, 400
#: By how many messages the window moves when the reader comes to its edge.
STEP = 100
#: Messages shown before the one that the window is moved to.
BEFORE_UNREAD = 10
#: What stays in memory before and after the window when the middle is cut, and of the newest messages.
AROUND, TAIL = 1_000, 2_000
#: The latest messages of others that are published for announcements: far more than arrive in one.
MAX_LATEST = 100


class RoomLog:
    """The messages of a room. ``me``: the person's user id. ``has_history``: the server can send older ones again.

    Stored messages become entries when they are shown.
    """

    def __init__(self, me: str | None = None, *, has_history: bool = True) -> None:
        self.me = me
        self._has_history = has_history
        self._is_shown = False
        self._follows = True  # the reader is at the end of the list
        self._limit = MAX_FOLLOWED_ROWS
        self._typed = self._arrivals = 0
        self._latest: deque[Message] = deque(maxlen=MAX_LATEST)
        self._pending: dict[str, Entry] = {}  # by key: the last ones of the list
        self.version = 0  #: grows with each change
        self._published_version = 0
        self._published = Timeline()
        self.restart()

    def restart(self) -> None:
        """Keep the pending messages only: the history was replaced, or there is a gap."""
        self._messages: list[Message | Entry] = list(self._pending.values())  # in the order shown
        self._stored = 0  # how many of them are stored; the others are pending
        self._keys: set[str] = set()  # of those that are stored
        self._recent = RecentMessages()  # of those without seq
        self._count = 0
        self._first_seq: int | None = None
        self._end = len(self._messages)
        self._start = max(0, self._end - WINDOW)  # the window
        self._made = 0, 0  # the part of it that was published as entries
        self._hole: int | None = None  # messages are missing before this index
        self.version += 1

    # --- reading ---

    def __len__(self) -> int:
        """Return how many messages are in memory."""
        return len(self._messages)

    @property
    def pending(self) -> tuple[Entry, ...]:
        """Own messages that are not stored yet, in the order typed."""
        return tuple(self._pending.values())

    @property
    def oldest_seq(self) -> int | None:
        """The oldest seq in memory."""
        if self._first_seq is None:
            return None
        return next((each.seq for each in self._messages if each.seq is not None), None)

    @property
    def last_seq(self) -> int | None:
        """The newest seq."""
        if self._first_seq is None:
            return None
        for at in range(self._stored - 1, -1, -1):
            seq = self._messages[at].seq
            if seq is not None:
                return seq
        return None

    @property
    def last_key(self) -> str | None:
        """The key of the newest stored message in memory."""
        return key_of(self._messages[self._stored - 1]) if self._stored else None

    def newest(self, count: int) -> Sequence[Message | Entry]:
        """Return the newest stored messages that are in memory without a gap, oldest first."""
        return self._messages[max(self._hole or 0, self._stored - count) : self._stored]

    def own(self, client_message_id: str) -> Entry | None:
        """Return the pending own entry with this id, if there is one."""
        return self._pending.get(client_key(self.me or "", client_message_id))

    def has_stored(self, client_message_id: str) -> bool:
        """Return whether the own message with this id is in memory as stored."""
        return client_key(self.me or "", client_message_id) in self._keys

    def pending_for(self, message: Message) -> Entry | None:
        """Return the pending own entry of which ``message`` is the stored form."""
        if message.sender_id != self.me or not self._pending:
            return None
        if message.client_message_id is not None:
            return self._pending.get(client_key(message.sender_id, message.client_message_id))
        # A server without client ids repeats messages in the order sent, with other timestamps.
        return next((entry for entry in self._pending.values() if entry.content == message.content), None)

    def is_known(self, message: Message) -> bool:
        """Return whether ``message`` was added before. One with a seq is known here only while it is in memory: the
        watermark of its room knows all."""
        if key_of(message) in self._keys:
            return True
        if message.seq is not None:
            return message.seq <= (self.last_seq or 0) and self._has_seq(message.seq)
        if self._recent.is_known(message):
            return True
        if message.client_message_id is not None or self.pending_for(message):
            return False  # the same text sent twice gets two answers
        return self._recent.is_repeat(message)

    def first_unread(self, seen: int) -> str | None:
        """Return the key of the oldest message of another person in memory with a seq above ``seen``."""
        for each in self._messages[self._place_of(seen + 1) : self._stored]:
            if each.sender_id != self.me and each.seq is not None:
                return key_of(each)
        return None

    def own_seqs(self, seen: int) -> list[int]:
        """Return the seqs above ``seen`` of own messages in memory."""
        above = self._messages[self._place_of(seen + 1) : self._stored]
        return [each.seq for each in above if each.sender_id == self.me and each.seq is not None]

    # --- messages of the server ---

    def add(self, message: Message, *, arrives: bool = True) -> bool:
        """Add ``message`` in its place. Return False if it is known. ``arrives``: it is new to the person."""
        if self.is_known(message):
            return False
        if message.seq is None:
            self._recent.add(message)
        stored = message
        if message.sender_id == self.me:
            awaited = self.pending_for(message)
            if awaited is not None:
                self._take_pending(awaited.key)
                if message.client_message_id is None:
                    stored = replace(message, client_message_id=awaited.client_message_id)
        elif arrives:
            self._arrivals += 1
            self._latest.append(message)
        self._insert(stored, at_end=message.seq is None or message.seq > (self.last_seq or 0))
        return True

    def add_earlier(self, messages: Sequence[Message]) -> int:
        """Add older messages, oldest first, before those in memory. Return how many were new."""
        oldest = self.oldest_seq or MAX_INTEGER
        new = [
            each for each in messages if (each.seq or MAX_INTEGER) < oldest and key_of(each) not in self._keys
        ]
        if not new:
            return 0
        self.version += 1
        for each in new:
            self._keys.add(key_of(each))
            awaited = self.pending_for(each)
            if awaited is not None:
                self._take_pending(awaited.key)
        at_top = self._start == 0
        self._messages[:0] = new
        self._stored += len(new)
        first = self._first_seq or MAX_INTEGER
        self._count += sum(1 for each in new if (each.seq or 0) < first)  # others were cut
        self._first_seq = min(first, new[0].seq or 0)
        self._start += len(new)
        self._end += len(new)
        self._made = 0, 0
        if self._hole is not None:
            self._hole += len(new)
        if at_top and (not self._follows or self._end - self._start < WINDOW):
            self._move_start(min(STEP, len(new)))
        self._bound()
        return len(new)

    def confirm(self, ack: Ack) -> bool:
        """Put the acknowledged message into its place. Return False if it is not pending."""
        entry = self._take_pending(client_key(self.me or "", ack.client_message_id))
        if entry is None:
            return False
        stored = replace(
            entry,
            message_id=ack.message_id,
            seq=ack.seq,
            timestamp=ack.timestamp,
            state=Delivery.SENT,
            failure=None,
        )
        is_cut = self._hole is not None and self._place_of(ack.seq) == self._hole
        if not is_cut and not self._has_seq(ack.seq):
            self._insert(stored, at_end=ack.seq > (self.last_seq or 0))
        return True

    # --- actions of the person ---

    def add_own(self, client_message_id: str, content: str, sender_name: str, timestamp: int) -> None:
        """Add a new own message at the end, and show the end. No effect if it is known."""
        me = self.me or ""
        key = client_key(me, client_message_id)
        if key in self._pending or key in self._keys:
            return
        entry = self._pending[key] = Entry(
            key=key,
            content=content,
            sender_id=me,
            sender_name=sender_name,
            timestamp=timestamp,
            state=Delivery.QUEUED,
            own=True,
            client_message_id=client_message_id,
        )
        self._messages.append(entry)
        self._typed += 1
        self.show_latest()

    def mark(self, client_message_id: str, state: Delivery, failure: Failure | None = None) -> None:
        """Set the delivery state of a pending own message."""
        entry = self.own(client_message_id)
        if entry is not None and (entry.state, entry.failure) != (state, failure):
            marked = self._pending[entry.key] = replace(entry, state=state, failure=failure)
            self._messages[self._pending_index(entry.key)] = marked
            self.version += 1

    def discard(self, client_message_id: str) -> None:
        """Remove a pending own message."""
        self._take_pending(client_key(self.me or "", client_message_id))

    def identify(self, me: str) -> None:
        """Set the person's user id, also as the sender of pending messages."""
        if me == self.me:
            return
        self.me = me
        pending = [
            replace(each, sender_id=me, key=client_key(me, each.client_message_id or ""))
            for each in self._pending.values()
        ]
        self._pending = {each.key: each for each in pending if each.key not in self._keys}
        stored = [
            _owned(each, me) if isinstance(each, Entry) else each for each in self._messages[: self._stored]
        ]
        self._messages = [*stored, *self._pending.values()]
        self._end = min(self._end, len(self._messages))
        self.version += 1

    # --- the window ---

    def show(self) -> None:
        """Show the end of the room."""
        self._is_shown = True
        self.show_latest()

    def hide(self) -> None:
        """Show another room: keep only the newest messages."""
        self._is_shown = False
        self.set_place(follows=True)
        self.show_latest()

    def set_place(self, *, follows: bool, holds_focus: bool = False) -> None:
        """Set whether the list follows its end, and whether one of its messages has the focus: then fewer are cut."""
        self._follows = follows
        self._limit = MAX_ROWS if holds_focus else MAX_FOLLOWED_ROWS
        if follows and self.has_later:  # they have come since
            self.show_latest()

    def show_earlier(self) -> bool:
        """Move the window up. Return False if nothing earlier is in memory."""
        moved = self._move_start(STEP)
        self.version += moved > 0
        return moved > 0

    def show_from(self, key: str) -> None:
        """Move the window up to the message with this key, if it is in memory before the window."""
        keys = map(key_of, self._messages[: self._start])
        at = next((at for at, each in enumerate(keys) if each == key), None)
        if at is not None:
            self._follows = False
            self._move_start(self._start - max(0, at - BEFORE_UNREAD))
            self.version += 1

    def show_later(self) -> None:
        """Move the window down, over missing messages to those after them."""
        if self._hole is not None and self._end >= self._hole:
            self._forget(self._hole)
            self._start = self._end = 0
        end = min(len(self._messages) if self._hole is None else self._hole, self._end + STEP)
        self.version += end != self._end
        self._end = end
        self._start = max(self._start, end - MAX_ROWS)

    def show_latest(self) -> None:
        """Move the window to the end of the room."""
        if self._hole is not None:
            self._forget(self._hole)
        end = len(self._messages)
        if self._end < end - 1:
            self._start = max(0, end - WINDOW)
        self._end = end
        self._follows = True
        self.version += 1
        self._bound()

    @property
    def has_later(self) -> bool:
        """Whether messages lie after the window."""
        return self._end < len(self._messages)

    def publish(self) -> Timeline:
        """Return what is on the page; the same object if nothing has changed."""
        if self.version == self._published_version:
            return self._published
        self._bound()
        self._published_version = self.version
        if self._follows and self._end - self._start > self._limit and not self.has_later:
            self._start = self._end - WINDOW
        self._make_entries()
        self._published = Timeline(
            entries=tuple(cast("list[Entry]", self._messages[self._start : self._end])),
            stored=max(0, min(self._end, self._stored) - self._start),
            pending=tuple(self._pending.values()),
            has_earlier=self._start > 0 or (self.oldest_seq or 1) > 1,
            has_later=self.has_later,
            is_before_gap=self._end == self._hole,
            count=self._count + len(self._pending),
            loaded=len(self),
            first_seq=self._first_seq,
            last_seq=self.last_seq,
            typed=self._typed,
            arrivals=self._arrivals,
            latest=tuple(self._latest),
        )
        return self._published

    # --- inside ---

    def _make_entries(self) -> None:
        """Make entries of the messages in the window."""
        made_from, made_to = self._made
        first = (
            made_to if made_from <= self._start < made_to else self._start
        )  # mostly those at the end are new
        for at in range(first, self._end):
            each = self._messages[at]
            if isinstance(each, Message):
                self._messages[at] = _entry(each, self.me)
        self._made = self._start, self._end

    def _insert(self, each: Message | Entry, *, at_end: bool) -> None:
        self._keys.add(key_of(each))
        if each.seq is not None and (self._first_seq is None or each.seq < self._first_seq):
            self._first_seq = each.seq
        self._count += 1
        at = self._stored if at_end else self._place_of(each.seq or 0)
        is_followed = not self.has_later and (self._follows or self._end - self._start < MAX_ROWS)
        self._messages.insert(at, each)
        self._changed_at(at)
        self._stored += 1
        self._start += at < self._start
        self._end += at < self._end or is_followed
        if not is_followed:
            self._end = min(self._end, self._start + MAX_ROWS)
        if self._hole is not None:
            self._hole += at < self._hole
        self._bound(slack=STEP if self._is_shown else 0)  # the rest is cut when the room is published

    def _take_pending(self, key: str) -> Entry | None:
        """Remove and return a pending entry."""
        entry = self._pending.get(key)
        if entry is None:
            return None
        at = self._pending_index(key)
        del self._pending[key]
        del self._messages[at]
        self._start -= at < self._start
        self._end -= at < self._end
        self._changed_at(at)
        return entry

    def _changed_at(self, at: int) -> None:
        made_from, made_to = self._made
        self._made = (made_from, min(made_to, at)) if made_from <= at else (0, 0)
        self.version += 1

    def _pending_index(self, key: str) -> int:
        return next(at for at, each in enumerate(self._pending, self._stored) if each == key)

    def _has_seq(self, seq: int) -> bool:
        at = self._place_of(seq)
        return at < self._stored and self._messages[at].seq == seq

    def _place_of(self, seq: int) -> int:
        """Return the index of the first message with this seq or a higher one."""
        return bisect_left(self._messages, seq, 0, self._stored, key=lambda each: each.seq or 0)

    def _move_start(self, by: int) -> int:
        """Move the beginning of the window up by so many messages, and its end if they are too many."""
        by = min(by, self._start)
        self._start -= by
        self._end = min(self._end, self._start + MAX_ROWS)
        return by

    def _bound(self, slack: int = 0) -> None:
        """Cut what is too much, as soon as it is more than ``slack``."""
        limit = MAX_SCROLLED_UP
        if not self._has_history:
            limit = MAX_WITHOUT_HISTORY
        elif not self._is_shown:
            limit = MAX_NOT_SHOWN
        elif self._follows and not self.has_later:
            limit = MAX_FOLLOWING
        excess = self._stored - limit
        if excess <= slack:
            return
        if limit == MAX_SCROLLED_UP:
            self._cut_middle()
        else:
            self._forget(excess if self._has_history else excess + STEP)  # a long list is slow to cut

    def _cut_middle(self) -> None:
        """Keep the neighbourhood of the window and the newest messages."""
        keep_to = min(self._stored if self._hole is None else self._hole, self._end + AROUND)
        tail = max(keep_to, self._hole or 0, self._stored - TAIL)
        if tail > keep_to:
            self._keys.difference_update(map(key_of, self._messages[keep_to:tail]))
            del self._messages[keep_to:tail]
            self._stored -= tail - keep_to
            self._hole = keep_to
        self._forget(max(0, self._start - AROUND))

    def _forget(self, count: int) -> None:
        """Cut the oldest messages."""
        self._keys.difference_update(map(key_of, self._messages[:count]))
        del self._messages[:count]
        self._stored -= count
        self._start = max(0, self._start - count)
        self._end = max(0, self._end - count)
        self._made = max(0, self._made[0] - count), max(0, self._made[1] - count)
        if self._hole is not None:
            self._hole = self._hole - count if self._hole > count else None


def key_of(each: Message | Entry) -> str:
    """Return the key of the entry of a stored message."""
    if isinstance(each, Entry):
        return each.key
    if each.client_message_id is None:
        return each.message_id
    return client_key(each.sender_id, each.client_message_id)


def _owned(entry: Entry, me: str) -> Entry:
    own = entry.sender_id == me
    state = Delivery.SENT if own else Delivery.RECEIVED
    return entry if entry.own is own else replace(entry, own=own, state=state)


def _entry(message: Message, me: str | None) -> Entry:
    own = message.sender_id == me
    return Entry(
        key=key_of(message),
        content=message.content,
        sender_id=message.sender_id,
        sender_name=message.sender_name,
        timestamp=message.timestamp,
        state=Delivery.SENT if own else Delivery.RECEIVED,
        own=own,
        message_id=message.message_id,
        client_message_id=message.client_message_id,
        seq=message.seq,
        deleted=message.deleted,
    )
