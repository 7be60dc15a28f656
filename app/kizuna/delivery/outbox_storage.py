"""The stored rows of an outbox: messages outlive the page, and belong to one tab at a time.

One row for each message, with the key ``person/tab/id``: whose message it is, the tab that sends it, and the message.
A tab holds a lock of its name while it is open and may send. Rows of a tab that holds none are adopted by another tab
of the same person. So the messages of a closed or crashed tab are sent by another one, and those of an open tab by
that tab alone.

A commit takes a while. Until then a row can be kept as a draft, in settings that are written at once. A draft has the
same key, is dropped when its row is committed, and is adopted together with the rows: it becomes a row, unless its row
exists.

Ownership only saves work. A message appears once because of its id, which never changes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kizuna.delivery.memory_storage import MemorySettings
from kizuna.delivery.pending_message import Failure, PendingMessage
from kizuna.errors import StorageFailed
from kizuna.platform import ListedSettings, Locks, Storage

logger = logging.getLogger("kizuna.outbox")

TABLE = "outbox"
_LOCK = "kizuna.tab."
_DRAFT = "kizuna.unstored."


class OutboxStorage:
    """The rows of one tab.

    Args:
        storage: Where the rows are.
        locks: The locks among the tabs.
        tab: A name that no other tab has ever had, without "/".
        drafts: Where the drafts are: shared by the tabs, as ``storage`` is. None: they end with the page.
    """

    def __init__(
        self, storage: Storage, locks: Locks, tab: str, drafts: ListedSettings | None = None
    ) -> None:
        self._storage = storage
        self._locks = locks
        self._tab = tab
        self._drafts: ListedSettings = MemorySettings() if drafts is None else drafts
        self._unlock: Callable[[], None] | None = None  # frees the lock of this tab's name
        self._locking = asyncio.Lock()  # one request at a time: a second one would be refused
        self._release_count = 0
        self._unreadable: set[str] = set()

    def release(self) -> None:
        """Leave this tab's rows to the other tabs of the person, until the next load() or save()."""
        self._release_count += 1
        if self._unlock is not None:
            self._unlock()
            self._unlock = None

    def keep_draft(self, person: str, row: PendingMessage) -> None:
        """Keep a row at once, until save() has written it: a crash meanwhile does not lose it."""
        self._drafts.set(_DRAFT + self._key(person, row.id), _text(row))

    def drop_draft(self, person: str, row_id: str) -> None:
        """Drop the draft of a row, if there is one."""
        self._drafts.delete(_DRAFT + self._key(person, row_id))

    def is_draft_adopted(self, person: str, row_id: str) -> bool:
        """Return whether another tab has adopted the draft of a row, while this one was suspended."""
        is_gone = self._drafts.get(_DRAFT + self._key(person, row_id)) is None
        return is_gone and self._locks.interruptions > 0  # else all stored data was deleted

    async def save(self, person: str, row: PendingMessage) -> None:
        """Write a row, and drop its draft. It outlives the page once this returns.

        Raises:
            StorageFailed: It could not be written.
        """
        await self._lock_tab()
        await self._storage.write(TABLE, {self._key(person, row.id): _text(row)})
        self.drop_draft(person, row.id)

    async def claim(self, person: str, row: PendingMessage) -> bool:
        """Mark a row as about to be sent. Return whether it is still this tab's; else it must not be sent."""
        try:
            before = await self._storage.change(TABLE, self._key(person, row.id), _as_sent)
        except StorageFailed as error:  # better sent twice (the server de-duplicates) than never
            logger.warning("could not verify ownership, sending anyway: %s", error)
            return True
        # Not adopted by another tab: all stored data was deleted.
        if before is None and self._locks.interruptions == 0:
            await self.save(person, replace(row, is_sent=True))
            return True
        return before is not None

    async def update(self, person: str, row: PendingMessage) -> bool:
        """Replace a row. Return whether it is still this tab's; else nothing was written."""
        text = _text(row)
        try:
            key = self._key(person, row.id)
            return await self._storage.change(TABLE, key, lambda before: before and text) is not None
        except StorageFailed as error:
            logger.warning("could not update outbox row: %s", error)
            return True

    async def delete(self, person: str, row_id: str) -> None:
        """Delete this tab's row of a message that was acknowledged.

        Raises:
            StorageFailed: It could not be deleted.
        """
        await self._storage.write(TABLE, {}, [self._key(person, row_id)])

    async def delete_everywhere(self, person: str, row_id: str) -> None:
        """Delete the rows of a message in all tabs of the person.

        Raises:
            StorageFailed: They could not be deleted.
        """
        found = await self._storage.keys(TABLE, f"{person}/")
        keys = [key for key in found if key.split("/", 2)[2:] == [row_id]]
        await self._storage.write(TABLE, {}, [self._key(person, row_id), *keys])

    async def delete_all(self, person: str) -> None:
        """Delete the rows of all messages of the person, in all tabs.

        Raises:
            StorageFailed: They could not be deleted.
        """
        await self._storage.write(TABLE, {}, await self._storage.keys(TABLE, f"{person}/"))

    async def load(self, person: str) -> list[PendingMessage]:
        """Return the person's rows of this tab and of closed tabs, which now belong to this tab; oldest first.

        Raises:
            StorageFailed: They could not be read.
        """
        await self._lock_tab()
        found = await self._storage.read(TABLE, f"{person}/{self._tab}/")
        mine = [row for key, text in found.items() for row in self._read(key, text)]
        return _in_order(mine + await self._adopt(person))

    async def adopt(self, person: str) -> list[PendingMessage]:
        """Return the person's rows of closed tabs, which now belong to this tab; oldest first.

        Raises:
            StorageFailed: They could not be read.
        """
        return _in_order(await self._adopt(person))

    async def _adopt(self, person: str) -> list[PendingMessage]:
        adopted = []
        found = await self._storage.keys(TABLE, f"{person}/")
        drafts = self._draft_keys(f"{person}/")
        for tab in sorted({_tab_of(key) for key in (*found, *drafts)} - {self._tab}):
            release = await self._locks.try_lock(_LOCK + tab)
            if release is None:
                continue
            try:
                adopted += await self._take_over(person, tab)
            finally:
                release()
        return adopted

    async def _take_over(self, person: str, tab: str) -> list[PendingMessage]:
        # Read again: under the lock, no other tab adopts them.
        left = await self._storage.read(TABLE, f"{person}/{tab}/")
        drafts = self._read_drafts(f"{person}/{tab}/")
        texts = {**drafts, **left}  # a draft whose row exists is done
        rows = {key: row for key, text in texts.items() for row in self._read(key, text)}
        puts = {self._key(person, row.id): texts[key] for key, row in rows.items()}
        if rows:
            await self._storage.write(TABLE, puts, rows)
        for key in drafts.keys() & {*rows, *left}:
            self._drafts.delete(_DRAFT + key)
        return list(rows.values())

    def _draft_keys(self, prefix: str) -> list[str]:
        return [prefix + rest for rest in self._drafts.names(_DRAFT + prefix)]

    def _read_drafts(self, prefix: str) -> Mapping[str, str]:
        """Return the drafts whose keys begin with ``prefix``."""
        found = {key: self._drafts.get(_DRAFT + key) for key in self._draft_keys(prefix)}
        return {key: text for key, text in found.items() if text is not None}

    async def _lock_tab(self) -> None:
        """Take the lock that shows that this tab is open, before it owns a row."""
        async with self._locking:
            if self._unlock is not None:
                return
            times_let_go = self._release_count
            release = await self._locks.try_lock(_LOCK + self._tab)
            if release is not None and times_let_go != self._release_count:  # meanwhile
                release()
            else:
                self._unlock = release

    def _key(self, person: str, row_id: str) -> str:
        return f"{person}/{self._tab}/{row_id}"

    def _read(self, key: str, text: str) -> list[PendingMessage]:
        """Return the row in ``text``; nothing if it cannot be read. It is not deleted: a newer page may read it."""
        try:
            return [_row(json.loads(text))]
        except (ValueError, TypeError, KeyError, RecursionError):
            if key not in self._unreadable:
                self._unreadable.add(key)
                logger.warning("could not read an outbox row; it is left in place")
            return []


# Fields that are stored as they are, with their types.
_STORED = {"id": str, "data": dict, "written_at": int, "number": int, "is_sent": bool, "meta": dict}
#: Stored instead of ``meta`` if it is the only key there: as pages of earlier versions read and write it.
_TYPED_AT = "typed_at"


def _text(row: PendingMessage) -> str:
    """Return the stored form. A channel is called "lane" there, as pages of earlier versions read and write it."""
    fields: dict[str, Any] = {name: getattr(row, name) for name in _STORED}
    if isinstance(row.meta.get(_TYPED_AT), int) and len(row.meta) == 1:
        fields |= fields.pop("meta")
    return json.dumps({"lane": row.channel, **fields, "failure": row.failure})


def _row(data: Any) -> PendingMessage:
    """Return the message of stored ``data``. Raises ValueError, TypeError or KeyError if it is none."""
    fields = {"is_sent": False, **data}
    if _TYPED_AT in fields:
        typed_at = fields.pop(_TYPED_AT)
        if not isinstance(typed_at, int):
            raise TypeError(_TYPED_AT)
        fields["meta"] = {_TYPED_AT: typed_at}
    channel, code_and_words = fields.pop("lane"), fields.pop("failure")
    if fields.keys() != _STORED.keys() or not isinstance(channel, str):
        raise ValueError("fields are missing, or of a newer page")
    for name, kind in _STORED.items():
        if not isinstance(fields[name], kind):
            raise TypeError(name)
    failure = None
    if code_and_words is not None:
        code, words = code_and_words
        failure = Failure(str(code), str(words))
    return PendingMessage(channel=channel, failure=failure, **fields)


def _as_sent(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return json.dumps({**json.loads(text), "is_sent": True})
    except (ValueError, TypeError):  # overwritten by something else; the page still has the message
        return text


def _tab_of(key: str) -> str:
    return key.split("/")[1]


def _in_order(rows: list[PendingMessage]) -> list[PendingMessage]:
    return sorted(rows, key=lambda row: row.order)
