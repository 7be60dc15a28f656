"""The rules of a room's messages in their simplest form: each step copies everything. It is slow, and plainly right.

``chat.room_log`` has to show the same. It was the timeline of the page as long as rooms were short.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from chat.protocol import Ack, Message
from chat.recent_messages import SAME_WORDS_WITHIN_MS
from chat.timeline import Delivery, Entry, client_key
from kizuna.delivery.pending_message import Failure


@dataclass(frozen=True, slots=True)
class ReferenceTimeline:
    """The entries of one room, unique and in order. ``me``: the person's user id."""

    me: str | None = None
    confirmed: tuple[Entry, ...] = ()  #: by seq; entries without one by arrival
    pending: tuple[Entry, ...] = ()  #: own ones, not stored yet, in the order typed
    _known: Mapping[str, Entry] = field(default_factory=dict, repr=False, compare=False)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries, in the order shown."""
        return self.confirmed + self.pending

    def __len__(self) -> int:
        return len(self.confirmed) + len(self.pending)

    @property
    def first_seq(self) -> int | None:
        """The oldest seq shown."""
        return next((entry.seq for entry in self.confirmed if entry.seq is not None), None)

    @property
    def last_seq(self) -> int | None:
        """The newest seq shown."""
        return next((entry.seq for entry in reversed(self.confirmed) if entry.seq is not None), None)

    @property
    def failed(self) -> tuple[Entry, ...]:
        """Own messages that failed, in the order typed."""
        return tuple(entry for entry in self.pending if entry.state is Delivery.FAILED)

    def has_stored(self, client_message_id: str) -> bool:
        """Return whether the own message with this id is in the timeline as stored."""
        return client_key(self.me or "", client_message_id) in self._known

    def has_message(self, message_id: str) -> bool:
        """Return whether the message with this id of the server is in the timeline."""
        return message_id in self._known

    def pending_for(self, message: Message) -> Entry | None:
        """Return the pending own entry of which ``message`` is the stored form."""
        if message.sender_id != self.me:
            return None
        if message.client_message_id is not None:
            return self._pending_entry(client_key(message.sender_id, message.client_message_id))
        # A server without client ids repeats messages in the order sent, with other timestamps.
        return next((entry for entry in self.pending if entry.content == message.content), None)

    def own(self, client_message_id: str) -> Entry | None:
        """Return the pending own entry with this id, if there is one."""
        return self._pending_entry(client_key(self.me or "", client_message_id))

    # --- messages of the server ---

    def add(self, message: Message) -> ReferenceTimeline:
        """Return the timeline with ``message``; the same object if it is known already."""
        return self.add_many((message,))

    def add_many(self, messages: Iterable[Message]) -> ReferenceTimeline:
        """Return the timeline with ``messages``; the same object if all are known already."""
        timeline = self
        known: dict[str, Entry] | None = None  # copied once, at the first new message
        for message in messages:
            if timeline._is_known(message, known if known is not None else self._known):
                continue
            known = dict(self._known) if known is None else known
            timeline = timeline._insert(message, known)
        return timeline

    def confirm(self, ack: Ack) -> ReferenceTimeline:
        """Return the timeline with the acknowledged message in its place; the same object if it is there already."""
        key = client_key(self.me or "", ack.client_message_id)
        entry = self._pending_entry(key)
        if entry is None:
            return self
        stored = replace(
            entry,
            message_id=ack.message_id,
            seq=ack.seq,
            timestamp=ack.timestamp,
            state=Delivery.SENT,
            failure=None,
        )
        return self._place(stored, dict(self._known))

    # --- actions of the person ---

    def add_own(
        self, client_message_id: str, content: str, sender_name: str, timestamp: int
    ) -> ReferenceTimeline:
        """Return the timeline with a new own message at the end."""
        me = self.me or ""
        key = client_key(me, client_message_id)
        if key in self._known or self._pending_entry(key):
            return self
        entry = Entry(
            key=key,
            content=content,
            sender_id=me,
            sender_name=sender_name,
            timestamp=timestamp,
            state=Delivery.QUEUED,
            own=True,
            client_message_id=client_message_id,
        )
        return replace(self, pending=(*self.pending, entry))

    def mark(
        self, client_message_id: str, state: Delivery, failure: Failure | None = None
    ) -> ReferenceTimeline:
        """Return the timeline with a pending own message in another delivery state."""
        at = self._pending_index(client_key(self.me or "", client_message_id))
        if at is None:
            return self
        entry = self.pending[at]
        if (entry.state, entry.failure) == (state, failure):
            return self
        marked = replace(entry, state=state, failure=failure)
        return replace(self, pending=(*self.pending[:at], marked, *self.pending[at + 1 :]))

    def discard(self, client_message_id: str) -> ReferenceTimeline:
        """Return the timeline without a pending own message."""
        pending = self._pending_without(client_key(self.me or "", client_message_id))
        return self if pending is self.pending else replace(self, pending=pending)

    def identified(self, me: str) -> ReferenceTimeline:
        """Return the timeline with ``me`` as the person and the sender of pending messages."""
        if me == self.me:
            return self
        pending = (
            replace(entry, sender_id=me, key=client_key(me, entry.client_message_id or ""))
            for entry in self.pending
        )
        return replace(self, me=me, pending=tuple(entry for entry in pending if entry.key not in self._known))

    def only_pending(self) -> ReferenceTimeline:
        """Return the timeline with the pending messages only: the history was replaced, or there is a gap."""
        return ReferenceTimeline(me=self.me, pending=self.pending)

    # --- inside ---

    def _is_known(self, message: Message, known: Mapping[str, Entry]) -> bool:
        """Return whether ``message`` is in the timeline already."""
        if message.message_id in known:
            return True
        if message.client_message_id is not None:
            return client_key(message.sender_id, message.client_message_id) in known
        if self.pending_for(message):  # the same text sent twice gets two answers
            return False
        return self._is_repeat(message)

    def _insert(self, message: Message, known: dict[str, Entry]) -> ReferenceTimeline:
        optimistic = self.pending_for(message)
        own = message.sender_id == self.me
        named = message.client_message_id is not None
        entry = Entry(
            key=optimistic.key
            if optimistic
            else client_key(message.sender_id, message.client_message_id or "")
            if named
            else message.message_id,
            content=message.content,
            sender_id=message.sender_id,
            sender_name=message.sender_name,
            timestamp=message.timestamp,
            state=Delivery.SENT if own else Delivery.RECEIVED,
            own=own,
            message_id=message.message_id,
            client_message_id=message.client_message_id
            or (optimistic.client_message_id if optimistic else None),
            seq=message.seq,
            deleted=message.deleted,
        )
        return self._place(entry, known)

    def _place(self, entry: Entry, known: dict[str, Entry]) -> ReferenceTimeline:
        """Return the timeline with ``entry`` placed by seq instead of its pending form. ``known``: the new index."""
        known[entry.key] = entry
        if entry.message_id is not None:
            known[entry.message_id] = entry
        confirmed = self.confirmed
        at = len(confirmed)
        if entry.seq is not None and at and (confirmed[-1].seq or 0) > entry.seq:
            at = bisect_left(confirmed, entry.seq, key=lambda e: e.seq or 0)
        return ReferenceTimeline(
            me=self.me,
            confirmed=(*confirmed[:at], entry, *confirmed[at:]),
            pending=self._pending_without(entry.key),
            _known=known,
        )

    def _pending_without(self, key: str) -> tuple[Entry, ...]:
        """Return the pending entries without that of ``key``; the same object if it is not among them."""
        at = self._pending_index(key)
        return self.pending if at is None else self.pending[:at] + self.pending[at + 1 :]

    def _pending_entry(self, key: str) -> Entry | None:
        at = self._pending_index(key)
        return None if at is None else self.pending[at]

    def _pending_index(self, key: str) -> int | None:
        for at, entry in enumerate(self.pending):
            if entry.key == key:
                return at
        return None

    def _is_repeat(self, message: Message) -> bool:
        """Apply the article's rule for messages without a client id."""
        return any(
            entry.sender_id == message.sender_id
            and entry.content == message.content
            and abs(entry.timestamp - message.timestamp) < SAME_WORDS_WITHIN_MS
            for entry in reversed(self.confirmed)
        )
