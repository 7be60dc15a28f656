"""The log of messages of each room, in order; an acknowledged message is never lost.

    ROOM#<room>#LOG    <seq, 16 digits>      one message
    ROOM#<room>#HEAD   HEAD                  the newest seq, and the epoch; written with the first message (Head)
    DEDUPE#<uid>       <clientMessageId>     what that person's message became

``seq`` is dense from 1 in each room. One transaction takes the next seq, writes the dedupe record and the message, and
updates the sender's rate limit (:mod:`backend.limits.rate_limit`); so a message that is sent again gets its first
answer again, whatever failed in between. Dedupe records expire with their messages. An ``epoch`` names one history:
after a backup is restored under a new one, pages drop the old history.

A head is written under two conditions: its epoch is as it was read, and the log has no next row. So appending is safe
beside :mod:`backend.messaging.moderation`, which changes a head under a new epoch and the same seq.

Messages may expire (:func:`backend.messaging.moderation.keep_messages`). Rows before a missing one are then not read,
so that a history has no gaps: it begins after the newest of them.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from backend.limits.rate_limit import Rate, RateLimit, TooFast
from backend.messaging.room_locks import RoomLocks
from backend.store.base import (
    MAX_ACTIONS,
    AttributeEquals,
    Condition,
    ConditionFailed,
    Conflict,
    Item,
    Key,
    NotExists,
    Put,
    Store,
)
from backend.store.retry import Retry
from chat.protocol import (
    EMPTY_EPOCH,
    MAX_FRAME_BYTES,
    Ack,
    Batch,
    Message,
    RoomHead,
    SendMessage,
    encode,
)

# The digits of the largest integer that JavaScript keeps exactly, so that text order is number order.
SEQ_DIGITS = 16
# A page of messages: at most so many, and with its envelope (batch fields, the longest room name and ref: measured
# under 700 bytes) at most one frame of 32 KiB.
PAGE_MESSAGES = 100
PAGE_BYTES = MAX_FRAME_BYTES - 1024
# A larger gap is not replayed: the page gets the newest messages, and scrolling fills the hole.
MAX_GAP = 500

ROOM_PREFIX = "ROOM#"
_HEAD = "HEAD"
_HEAD_SUFFIX = "#HEAD"


class ReusedId(Exception):
    """A clientMessageId that already names another message of this person."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of a message, from the verified token."""

    user_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Head:
    """A room's HEAD row; without one, the head of a room without messages.

    ``keep_seconds``: how long messages are kept; 0: forever again; None: forever, as always. ``last_expires_at``: epoch
    seconds at which the newest message expires; None: never.
    """

    room_id: str
    epoch: str = EMPTY_EPOCH
    seq: int = 0
    keep_seconds: int | None = None
    last_expires_at: int | None = None

    @property
    def as_frame(self) -> RoomHead:
        """The part that pages get."""
        return RoomHead(room_id=self.room_id, epoch=self.epoch, seq=self.seq)

    @property
    def condition(self) -> Condition:
        """A condition that holds until anything but an append writes the head."""
        return NotExists() if self.epoch == EMPTY_EPOCH else AttributeEquals("epoch", self.epoch)

    @property
    def has_gaps(self) -> bool:
        """Whether messages may be missing from the log."""
        return self.keep_seconds is not None

    def expiry(self, timestamp: int) -> int | None:
        """Return when a message of ``timestamp`` (milliseconds since 1970) expires, epoch seconds; None: never."""
        return timestamp // 1000 + self.keep_seconds if self.keep_seconds else None

    def has_expired(self, now: float) -> bool:
        """Return whether even the newest message has expired."""
        return self.last_expires_at is not None and self.last_expires_at <= now

    def item(self) -> Item:
        """Return the row."""
        key = head_key(self.room_id)
        optional = {"keepSeconds": self.keep_seconds, "lastExpiresAt": self.last_expires_at}
        set_ones = {name: value for name, value in optional.items() if value is not None}
        return {"pk": key.pk, "sk": key.sk, "seq": self.seq, "epoch": self.epoch, **set_ones}


@dataclass(frozen=True, slots=True)
class Appended:
    """A stored message: the ack for its sender, and the broadcast.

    ``message`` is None for a duplicate: the room has it, or notices it by ``pong.heads``.
    """

    ack: Ack
    message: Message | None


class Rooms:
    """The logs of all rooms. ``clock`` gives epoch seconds, ``new_id`` a fresh identifier.

    ``rate`` is the limit of one person; None: no limit.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float],
        new_id: Callable[[], str],
        rate: Rate | None = None,
        retry: Retry | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._limit = RateLimit(store, rate, clock=clock)
        self._retry = retry or Retry()
        self._locks = RoomLocks()

    def append(self, sender: Sender, frame: SendMessage) -> Appended:
        """Store a message. Raises ReusedId, TooFast, and Conflict if the room stays too busy.

        A message that is stored already is acknowledged regardless of the limit, and does not count.
        """
        # Threads of one process take turns; the compare-and-set inside is for other processes. Measured with 300 people
        # who send at once: no message is refused as busy.
        with self._locks.of(frame.room_id):
            return self._retry.run(lambda: self._append_once(sender, frame))

    def head(self, room_id: str) -> RoomHead:
        """Return the newest seq and the epoch of a room: 0 and EMPTY_EPOCH without messages."""
        return read_head(self._store, room_id).as_frame

    def begin_epochs(self, rooms: Iterable[str]) -> int:
        """Give the rooms new epochs and return how many. Nothing else may write meanwhile."""
        count, left = 0, iter(rooms)
        while keys := [head_key(room_id) for room_id in islice(left, MAX_ACTIONS)]:
            items = self._store.get_many(keys).values()
            self._store.transact([Put({**item, "epoch": self._new_id()}) for item in items])
            count += len(items)
        return count

    def heads(self, rooms: Iterable[str]) -> list[RoomHead]:
        """Return the heads of those rooms, read at once, in the order of their names."""
        keys = {room_id: head_key(room_id) for room_id in rooms}
        items = self._store.get_many(keys.values())
        return [_head(room_id, items.get(keys[room_id])).as_frame for room_id in sorted(keys)]

    def read_after(self, room_id: str, after: int | None, epoch: str | None, ref: str | None = None) -> Batch:
        """Return one page of the messages after ``after``.

        ``after`` None, another epoch, or an ``after`` beyond the head (a history that was restored) give the newest
        page. So does a gap of more than 500, or one with missing messages, marked ``limited``. A page that knows the
        room as empty asks for messages after 0, whatever the epoch.
        """
        head = read_head(self._store, room_id)
        is_known = epoch in (None, head.epoch) or (epoch == EMPTY_EPOCH and after == 0)
        if after is None or after > head.seq or not is_known:
            return self._newest(head, ref)
        if head.seq - after > MAX_GAP:
            return self._newest(head, ref, missing_after=after)
        items = self._store.query(log_of(room_id), after=sort_key(after), limit=PAGE_MESSAGES)
        if head.has_gaps and after < head.seq:
            found, items = items, _contiguous(items, after + 1)
            if not items and (found or head.has_expired(self._clock())):
                return self._newest(head, ref, missing_after=after)
        messages = _fitting(head, items)
        last = messages[-1].seq if messages and messages[-1].seq else after
        newest = max(head.seq, last)
        complete = last == newest
        return _batch(
            head, messages, ref, newest=newest, following=None if complete else last, complete=complete
        )

    def read_before(self, room_id: str, before: int, limit: int, ref: str | None = None) -> Batch:
        """Return one page of the newest messages before ``before``, at most ``limit``."""
        head = read_head(self._store, room_id)
        most = min(limit, PAGE_MESSAGES)
        # One more than is returned: whether there is one says whether the history goes on.
        items = self._store.query(log_of(room_id), before=sort_key(before), limit=most + 1, reverse=True)
        if head.has_gaps:
            items = self._contiguous_back(head, items, before - 1)
        messages = _fitting(head, items[:most])[::-1]
        complete = len(messages) == len(items)
        following = None if complete else messages[0].seq
        return _batch(head, messages, ref, newest=head.seq, following=following, complete=complete)

    # --- inside ---

    def _append_once(self, sender: Sender, frame: SendMessage) -> Appended:
        head = read_head(self._store, frame.room_id)
        key = dedupe_key(sender.user_id, frame.client_message_id)
        try:
            spent = self._limit.admit(sender.user_id)
        except TooFast:
            if (first := self._first_ack(key, frame, head)) is None:
                raise
            return Appended(first, None)
        ack = Ack(
            client_message_id=frame.client_message_id,
            room_id=frame.room_id,
            epoch=self._new_id() if head.epoch == EMPTY_EPOCH else head.epoch,
            message_id=self._new_id(),
            seq=head.seq + 1,
            timestamp=int(self._clock() * 1000),
        )
        expires_at = head.expiry(ack.timestamp)
        grown = replace(head, seq=ack.seq, epoch=ack.epoch, last_expires_at=expires_at)
        try:
            self._store.transact(
                [
                    Put(expiring(_dedupe_item(key, ack, frame.content), expires_at), NotExists()),
                    Put(grown.item(), head.condition),
                    Put(expiring(_log_item(ack, sender, frame.content), expires_at), NotExists()),
                    *spent,
                ]
            )
        except ConditionFailed as error:
            if key in error.failed and (first := self._first_ack(key, frame, head)) is not None:
                return Appended(first, None)
            raise Conflict(
                f"another writer changed {frame.room_id}, or wrote as {sender.user_id}, first"
            ) from error
        return Appended(ack, _message(ack, sender, frame.content))

    def _first_ack(self, key: Key, frame: SendMessage, head: Head) -> Ack | None:
        """Return the ack that this message has had already, or None. Raises ReusedId."""
        item = self._store.get(*key)
        if item is None:
            return None
        if item["roomId"] != frame.room_id or item["contentHash"] != _hash(frame.content):
            raise ReusedId("clientMessageId: was used before, for another message")
        return Ack(
            client_message_id=frame.client_message_id,
            room_id=frame.room_id,
            epoch=head.epoch,  # the room's own: a restored backup shows old messages under a new epoch
            message_id=item["messageId"],
            seq=item["seq"],
            timestamp=item["timestamp"],
            duplicate=True,
            deleted=item.get("deleted", False),
        )

    def _newest(self, head: Head, ref: str | None, *, missing_after: int | None = None) -> Batch:
        """Return the newest page. ``missing_after``: messages after this seq are missing from it, which ``limited``
        says."""
        limited = missing_after is not None
        items = self._store.query(log_of(head.room_id), limit=PAGE_MESSAGES, reverse=True)
        if head.has_gaps:
            items = self._contiguous_back(head, items, head.seq)
        messages = _fitting(head, items)[::-1]
        if not messages and head.has_expired(self._clock()):
            # Pages of earlier versions consider the room complete if the head is what they have, and ask without end if
            # it lies beyond. Newer ones go on from ``next``.
            newest = head.seq if missing_after is None else missing_after
            return _batch(head, [], ref, newest=newest, following=head.seq, complete=True, limited=limited)
        # Beside a running transaction DynamoDB may show the head and not yet its message. A page that gets a head
        # beyond some messages asks for the rest; with a head and no messages it would seem complete.
        newest = max(head.seq, messages[-1].seq or 0) if messages else 0
        return _batch(head, messages, ref, newest=newest, complete=True, limited=limited)

    def _contiguous_back(self, head: Head, items: list[Item], last: int) -> list[Item]:
        """Return those of ``items``, newest first, that follow each other down from ``last``, or from the head if
        ``last`` lies beyond it. A message that does not show yet (see _newest) is no gap."""
        if not items:
            return items
        newest = int(items[0]["sk"])
        if last >= head.seq:
            last = max(head.seq, newest) if head.has_expired(self._clock()) else newest
        return _contiguous(items, last, step=-1)


def room_of_head(partition: str) -> str | None:
    """Return the room of a head's partition; None for any other partition. Room names hold no ``#``."""
    if not (partition.startswith(ROOM_PREFIX) and partition.endswith(_HEAD_SUFFIX)):
        return None
    return partition[len(ROOM_PREFIX) : -len(_HEAD_SUFFIX)]


def head_key(room_id: str) -> Key:
    """Return the key of a room's head."""
    return Key(ROOM_PREFIX + room_id + _HEAD_SUFFIX, _HEAD)


def read_head(store: Store, room_id: str) -> Head:
    """Return a room's head as it is stored."""
    return _head(room_id, store.get(*head_key(room_id)))


def _head(room_id: str, item: Item | None) -> Head:
    if item is None:
        return Head(room_id)
    return Head(room_id, item["epoch"], item["seq"], item.get("keepSeconds"), item.get("lastExpiresAt"))


def log_of(room_id: str) -> str:
    """Return the partition of a room's messages."""
    return f"{ROOM_PREFIX}{room_id}#LOG"


def sort_key(seq: int) -> str:
    """Return a message's sort key in that partition."""
    return f"{seq:0{SEQ_DIGITS}d}"


def dedupe_key(user_id: str, client_message_id: str) -> Key:
    """Return the key of a message's dedupe record."""
    return Key(f"DEDUPE#{user_id}", client_message_id)


def expiring(item: Item, expires_at: int | None) -> Item:
    """Return ``item`` with this expiry (epoch seconds), or with none."""
    rest = {name: value for name, value in item.items() if name != "expiresAt"}
    return rest if expires_at is None else {**rest, "expiresAt": expires_at}


def _hash(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def _dedupe_item(key: Key, ack: Ack, content: str) -> Item:
    return {
        "pk": key.pk,
        "sk": key.sk,
        "roomId": ack.room_id,
        "contentHash": _hash(content),
        "messageId": ack.message_id,
        "seq": ack.seq,
        "timestamp": ack.timestamp,
    }


def _log_item(ack: Ack, sender: Sender, content: str) -> Item:
    return {
        "pk": log_of(ack.room_id),
        "sk": sort_key(ack.seq),
        "messageId": ack.message_id,
        "clientMessageId": ack.client_message_id,
        "senderId": sender.user_id,
        "senderName": sender.name,
        "content": content,
        "timestamp": ack.timestamp,
    }


def _message(ack: Ack, sender: Sender, content: str) -> Message:
    return Message(
        room_id=ack.room_id,
        message_id=ack.message_id,
        sender_id=sender.user_id,
        sender_name=sender.name,
        content=content,
        timestamp=ack.timestamp,
        epoch=ack.epoch,
        seq=ack.seq,
        client_message_id=ack.client_message_id,
    )


def stored(head: Head, item: Item) -> Message:
    """Return the message in a row of the log."""
    return Message(
        room_id=head.room_id,
        message_id=item["messageId"],
        sender_id=item["senderId"],
        sender_name=item["senderName"],
        content=item["content"],
        timestamp=item["timestamp"],
        epoch=head.epoch,
        seq=int(item["sk"]),
        client_message_id=item["clientMessageId"],
        deleted=item.get("deleted", False),
    )


def _contiguous(items: Sequence[Item], first: int, step: int = 1) -> list[Item]:
    """Return those of ``items`` that follow each other by ``step``, from the seq ``first`` on."""
    wanted = itertools.count(first, step)
    return list(itertools.takewhile(lambda item: int(item["sk"]) == next(wanted), items))


def _fitting(head: Head, items: Sequence[Item]) -> list[Message]:
    """Return the first of ``items`` that fit into one frame; the first always does (see MAX_ESCAPED_CONTENT_BYTES)."""
    messages: list[Message] = []
    size = 0
    for item in items:
        message = stored(head, item)
        size += len(encode(message).encode()) + 1  # and a comma
        if messages and size > PAGE_BYTES:
            break
        messages.append(message)
    return messages


def _batch(
    head: Head,
    messages: Sequence[Message],
    ref: str | None,
    *,
    newest: int,
    complete: bool,
    following: int | None = None,
    limited: bool = False,
) -> Batch:
    return Batch(
        room_id=head.room_id,
        epoch=head.epoch,
        messages=tuple(messages),
        next=following,
        head=newest,
        complete=complete,
        limited=limited,
        ref=ref,
    )
