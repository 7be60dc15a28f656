"""The operator's changes to a room's messages: delete one, or let all expire. On any store, beside running servers.

Both give the room a new epoch in the transaction that changes it: pages notice it at their next heartbeat, or when they
come back, drop the room and load it again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from backend.messaging.message_log import (
    Head,
    dedupe_key,
    expiring,
    head_key,
    log_of,
    read_head,
    sort_key,
    stored,
)
from backend.store.base import (
    MAX_ACTIONS,
    Action,
    AttributeEquals,
    Check,
    ConditionFailed,
    Conflict,
    Exists,
    Item,
    NotExists,
    Put,
    Store,
)
from backend.store.retry import Retry
from chat.protocol import Message

# A page sends messages of its outbox for up to three days, and expects that the server recognizes them: dedupe records
# expire with their messages. One more day is for clocks, and for a page that was closed on the third.
MIN_KEEP_SECONDS = 4 * 24 * 3600
# A transaction checks the head, and writes a message and its dedupe record each time.
_MESSAGES_AT_ONCE = (MAX_ACTIONS - 1) // 2


# The fields of a deleted message, for pages that do not know deletion. No person has this id.
DELETED_CONTENT = DELETED_SENDER_ID = "[deleted]"
DELETED_SENDER_NAME = "—"


class CannotModerate(Exception):
    """A command that cannot be done; the text says why, in one line."""


def new_epoch() -> str:
    """Return a new name for a history."""
    return uuid.uuid4().hex


def last_messages(store: Store, room_id: str, count: int) -> list[Message]:
    """Return the newest ``count`` messages of a room, oldest first."""
    head = _existing(store, room_id)
    items = store.query(log_of(room_id), limit=count, reverse=True)
    return [stored(head, item) for item in reversed(items)]


def delete_message(
    store: Store,
    room_id: str,
    seq: int,
    *,
    new_id: Callable[[], str] = new_epoch,
    retry: Retry | None = None,
) -> bool:
    """Delete the content and the sender of a message. Its row stays, so that ``seq`` stays dense, and so does its
    dedupe record: sent again, it is a duplicate. Earlier backups still hold it.

    False: that was done before. Raises CannotModerate if there is no such message, Conflict when the room stays too
    busy.
    """
    return (retry or Retry()).run(lambda: _delete_once(store, room_id, seq, new_id()))


def _delete_once(store: Store, room_id: str, seq: int, epoch: str) -> bool:
    head = _existing(store, room_id)
    item = store.get(log_of(room_id), sort_key(seq)) if 1 <= seq <= head.seq else None
    if item is None:
        raise CannotModerate(f"there is no message {seq} in {room_id}")
    if item.get("deleted"):
        return False
    expires_at = head.expiry(item["timestamp"])
    tombstone = {
        "pk": item["pk"],
        "sk": item["sk"],
        "messageId": item["messageId"],
        # The original one belongs to the author, and may also be in use by another author.
        "clientMessageId": item["messageId"],
        "senderId": DELETED_SENDER_ID,
        "senderName": DELETED_SENDER_NAME,
        "content": DELETED_CONTENT,
        "timestamp": item["timestamp"],
        "deleted": True,
    }
    more: list[Action] = [Put(expiring(tombstone, expires_at), Exists())]
    record = store.get(*dedupe_key(item["senderId"], item["clientMessageId"]))
    if record is not None:
        more.append(Put(expiring({**record, "deleted": True}, expires_at), Exists()))
    _write_head(store, head, replace(head, epoch=epoch), *more)
    return True


def keep_messages(
    store: Store,
    room_id: str,
    seconds: int | None,
    *,
    new_id: Callable[[], str] = new_epoch,
    retry: Retry | None = None,
) -> int:
    """Let the messages of a room expire ``seconds`` after they were sent, those of the past too; None: never.

    Returns how many of the past got another expiry. Expired messages stay gone. After an interruption, call it again.
    Raises CannotModerate for a room without messages, for fewer than four days, and when another call changes the
    setting meanwhile; Conflict when the room stays too busy.
    """
    if seconds is not None and seconds < MIN_KEEP_SECONDS:
        days = MIN_KEEP_SECONDS // (24 * 3600)
        raise CannotModerate(
            f"messages are kept for at least {days} days: pages send waiting messages for up to three days, and what "
            "they sent must be known until then"
        )
    if seconds is None and not _existing(store, room_id).has_gaps:
        return 0
    retry = retry or Retry()
    head = retry.run(lambda: _set_keep(store, room_id, seconds or 0, new_id()))
    count, last = 0, 0
    while items := retry.run(partial(_set_expiries, store, head, last)):
        count, last = count + items[0], items[1]
    return count


def _set_keep(store: Store, room_id: str, seconds: int, epoch: str) -> Head:
    """Set the expiry of messages from here on."""
    head = _existing(store, room_id)
    newest = store.get(log_of(room_id), sort_key(head.seq))
    wanted = replace(head, epoch=epoch, keep_seconds=seconds)
    if newest is not None:
        wanted = replace(wanted, last_expires_at=wanted.expiry(newest["timestamp"]))
    elif not head.has_gaps and head.seq:
        raise Conflict(f"the newest message of {room_id} does not show yet")
    _write_head(store, head, wanted)
    return wanted


def _set_expiries(store: Store, head: Head, after: int) -> tuple[int, int] | None:
    """Set the expiry of some messages after ``after``; return how many changed, and the seq of the last. None: there
    are no more."""
    items = store.query(log_of(head.room_id), after=sort_key(after), limit=_MESSAGES_AT_ONCE)
    if not items:
        return None
    changes = [item for item in items if item.get("expiresAt") != head.expiry(item["timestamp"])]
    if changes:
        is_still_wanted = Check(
            *head_key(head.room_id), AttributeEquals("keepSeconds", head.keep_seconds or 0)
        )
        try:
            store.transact([is_still_wanted, *_expiries(store, head, changes)])
        except ConditionFailed as error:
            if is_still_wanted.key in error.failed:
                raise CannotModerate(f"another command changed how long {head.room_id} is kept") from None
            raise Conflict("a message was deleted, or expired, meanwhile") from error
    return len(changes), int(items[-1]["sk"])


def _expiries(store: Store, head: Head, items: Iterable[Item]) -> Iterator[Action]:
    """Yield the messages and their dedupe records with the expiry of the head. The dedupe record of a deleted message
    is unknown, and stays as it is."""
    keys = {item["sk"]: dedupe_key(item["senderId"], item["clientMessageId"]) for item in items}
    records = store.get_many(keys.values())
    for item in items:
        expires_at = head.expiry(item["timestamp"])
        # A message that is deleted meanwhile has another sender.
        yield Put(expiring(item, expires_at), AttributeEquals("senderId", item["senderId"]))
        record = records.get(keys[item["sk"]])
        if record is not None:
            yield Put(expiring(record, expires_at), Exists())


def _existing(store: Store, room_id: str) -> Head:
    head = read_head(store, room_id)
    if head.condition == NotExists():
        raise CannotModerate(f"there are no messages in {room_id}")
    return head


def _write_head(store: Store, head: Head, wanted: Head, *more: Action) -> None:
    """Change a head that was read as ``head``, together with ``more``. Raises Conflict if it has changed."""
    nothing_was_said = Check(log_of(head.room_id), sort_key(head.seq + 1), NotExists())
    try:
        store.transact([Put(wanted.item(), head.condition), nothing_was_said, *more])
    except ConditionFailed as error:
        raise Conflict(f"{head.room_id} was changed meanwhile") from error
