"""The messages of one room as a person sees them: one entry per message, in the room's order.

De-duplication and order never mix: a message is recognised by its ids, and placed by the server's ``seq``.
What is not stored yet (one's own words on their way) stands at the end, in the order typed.

A timeline is immutable. An operation that changes nothing returns the same object, so that nobody renders.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from chat.protocol import Ack, Message

# The article's rule for frames without a client id: same sender, same content, less than five seconds apart.
SAME_WORDS_WITHIN_MS = 5_000


class Delivery(StrEnum):
    """How far a message has come."""

    QUEUED = "queued"  #: waits for a connection or for its turn
    SENDING = "sending"  #: sent, not acknowledged
    SENT = "sent"  #: acknowledged: stored by the server
    FAILED = "failed"  #: refused by the server; see Entry.failure
    RECEIVED = "received"  #: from somebody else


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message was not sent: ``code`` for programs and catalogues, ``words`` of whoever refused it."""

    code: str
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message on the screen."""

    key: str  #: the same for the message's whole life, before and after the server knows it
    content: str
    sender_id: str
    sender_name: str
    timestamp: int  #: milliseconds since 1970; the page's clock until the server's is known
    state: Delivery
    own: bool
    message_id: str | None = None
    client_message_id: str | None = None
    seq: int | None = None
    failure: Failure | None = None  #: when FAILED
    deleted: bool = False  #: an operator took the words away; only the place is left


def client_key(sender_id: str, client_message_id: str) -> str:
    """The key of a message that its sender named."""
    return f"{sender_id}/{client_message_id}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """Responsible for the order and the uniqueness of the entries of one room. ``me`` is the person's user id."""

    me: str | None = None
    confirmed: tuple[Entry, ...] = ()  #: by seq; entries without one in order of arrival
    pending: tuple[Entry, ...] = ()  #: own, not stored by the server, in the order typed
    _known: Mapping[str, Entry] = field(default_factory=dict, repr=False, compare=False)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything, in the order shown."""
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
        """One's own messages that were not sent, in the order typed."""
        return tuple(entry for entry in self.pending if entry.state is Delivery.FAILED)

    def has_stored(self, client_message_id: str) -> bool:
        """Whether one's own message with this id is shown as the server stored it."""
        return client_key(self.me or "", client_message_id) in self._known

    def pending_for(self, message: Message) -> Entry | None:
        """One's own entry, not stored so far as we know, that ``message`` is the stored form of."""
        if message.sender_id != self.me:
            return None
        if message.client_message_id is not None:
            return self._pending_entry(client_key(message.sender_id, message.client_message_id))
        # A server that knows no ids sends one's words back in the order said; when they were typed says nothing.
        return next((entry for entry in self.pending if entry.content == message.content), None)

    def own(self, client_message_id: str) -> Entry | None:
        """The own entry with this id, if it is not stored yet."""
        return self._pending_entry(client_key(self.me or "", client_message_id))

    # --- what came from the server ---

    def add(self, message: Message) -> Timeline:
        """With ``message`` in its place; this very object when it is known already."""
        return self.add_many((message,))

    def add_many(self, messages: Iterable[Message]) -> Timeline:
        """With all of ``messages``; this very object when all are known already."""
        timeline = self
        known: dict[str, Entry] | None = None  # copied once for all, and only if there is news
        for message in messages:
            if timeline._is_known(message, known if known is not None else self._known):
                continue
            known = dict(self._known) if known is None else known
            timeline = timeline._insert(message, known)
        return timeline

    def confirm(self, ack: Ack) -> Timeline:
        """With the acknowledged message moved from the end to its place; this object when that has happened."""
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

    # --- what the person does ---

    def add_own(self, client_message_id: str, content: str, sender_name: str, timestamp: int) -> Timeline:
        """With one's own words at the end, shown before anybody else knows them."""
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

    def mark(self, client_message_id: str, state: Delivery, failure: Failure | None = None) -> Timeline:
        """With an own message that is not stored yet in another delivery state."""
        key = client_key(self.me or "", client_message_id)
        entry = self._pending_entry(key)
        if entry is None or (entry.state, entry.failure) == (state, failure):
            return self
        marked = replace(entry, state=state, failure=failure)
        return replace(self, pending=tuple(marked if e is entry else e for e in self.pending))

    def discard(self, client_message_id: str) -> Timeline:
        """Without an own message that has no place yet."""
        entry = self._pending_entry(client_key(self.me or "", client_message_id))
        if entry is None:
            return self
        return replace(self, pending=tuple(e for e in self.pending if e is not entry))

    def identified(self, me: str) -> Timeline:
        """With ``me`` as the person, whose words on their way become theirs."""
        if me == self.me:
            return self
        pending = (
            replace(entry, sender_id=me, key=client_key(me, entry.client_message_id or ""))
            for entry in self.pending
        )
        return replace(self, me=me, pending=tuple(entry for entry in pending if entry.key not in self._known))

    def only_pending(self) -> Timeline:
        """Without anything the server said: its history is another one now, or a hole lies before the next page."""
        return Timeline(me=self.me, pending=self.pending)

    # --- inside ---

    def _is_known(self, message: Message, known: Mapping[str, Entry]) -> bool:
        """Whether ``message`` is shown already and changes nothing."""
        if message.message_id in known:
            return True
        if message.client_message_id is not None:
            return client_key(message.sender_id, message.client_message_id) in known
        if self.pending_for(message):  # the same words typed twice wait for two answers
            return False
        return self._is_repeat(message)

    def _insert(self, message: Message, known: dict[str, Entry]) -> Timeline:
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

    def _place(self, entry: Entry, known: dict[str, Entry]) -> Timeline:
        """With ``entry`` at its place by seq, and its optimistic form gone. ``known`` becomes the new index."""
        known[entry.key] = entry
        if entry.message_id is not None:
            known[entry.message_id] = entry
        confirmed = self.confirmed
        at = len(confirmed)
        if entry.seq is not None and at and (confirmed[-1].seq or 0) > entry.seq:
            at = bisect_left(confirmed, entry.seq, key=lambda e: e.seq or 0)
        return Timeline(
            me=self.me,
            confirmed=(*confirmed[:at], entry, *confirmed[at:]),
            pending=tuple(e for e in self.pending if e.key != entry.key),
            _known=known,
        )

    def _pending_entry(self, key: str) -> Entry | None:
        return next((entry for entry in self.pending if entry.key == key), None)

    def _is_repeat(self, message: Message) -> bool:
        """The article's rule, which knows no client id."""
        return any(
            entry.sender_id == message.sender_id
            and entry.content == message.content
            and abs(entry.timestamp - message.timestamp) < SAME_WORDS_WITHIN_MS
            for entry in reversed(self.confirmed)
        )


EMPTY = Timeline()
