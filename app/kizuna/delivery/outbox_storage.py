"""The rows of an outbox: what waits outlives the page, and belongs to one tab at a time.

One row for each message, committed before anybody calls it queued. Its key names the person whose words they are,
the tab that sends them, and the message: ``person/tab/id``. A tab holds a lock of its name for as long as it lives and
sends; rows whose tab holds none are adopted by the next tab of the same person that looks. So what a closed or crashed
tab left is sent by another one, and what a living tab is about to send is sent by nobody else.

Ownership spares work; it is not what makes a message appear once. That is its id, which never changes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from kizuna.errors import StorageFailed
from kizuna.platform import Locks, Storage

logger = logging.getLogger("kizuna.outbox")

TABLE = "outbox"
_LOCK = "kizuna.tab."


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One message that is not acknowledged. ``channel`` and ``data`` as in PendingMessage."""

    id: str
    channel: str
    data: Mapping[str, Any]
    written_at: int  #: milliseconds since 1970: its age, and its place in the order
    number: int = 0  #: its place among those of one millisecond
    typed_at: int  #: milliseconds since 1970: what the person is shown
    is_sent: bool = False  #: it was sent at least once, so it may have arrived
    failure: tuple[str, str] | None = None  #: why it is not sent any more: a code, and words


class OutboxStorage:
    """Responsible for one tab's rows in ``storage``. ``tab`` is a name that no other tab has ever had, without "/"."""

    def __init__(self, storage: Storage, locks: Locks, tab: str) -> None:
        self._storage = storage
        self._locks = locks
        self._tab = tab
        self._unlock: Callable[[], None] | None = None  # gives the lock of this tab's name back
        self._locking = asyncio.Lock()  # one request for it at a time: a second one would be refused
        self._release_count = 0
        self._unreadable: set[str] = set()

    def release(self) -> None:
        """Send nothing for now: what this tab has is left to the other tabs of its person, until it loads again."""
        self._release_count += 1
        if self._unlock is not None:
            self._unlock()
            self._unlock = None

    async def save(self, person: str, row: OutboxRow) -> None:
        """Write the row. It outlives the page once this returns."""
        await self._lock_tab()
        await self._storage.write(TABLE, {self._key(person, row.id): _text(row)})

    async def claim(self, person: str, row: OutboxRow) -> bool:
        """Note that the row is about to be sent. False: it is not this tab's any more, and must not be."""
        try:
            before = await self._storage.change(TABLE, self._key(person, row.id), _as_sent)
        except StorageFailed as error:  # sent by two tabs is stored once; sent by none is lost
            logger.warning("whose row it is cannot be read, so it is sent: %s", error)
            return True
        if before is None and self._locks.interruptions == 0:  # nobody took it: all that was kept was deleted
            await self.save(person, replace(row, is_sent=True))
            return True
        return before is not None

    async def update(self, person: str, row: OutboxRow) -> bool:
        """Write the row anew, if it is still this tab's. False: it is not."""
        text = _text(row)
        try:
            key = self._key(person, row.id)
            return await self._storage.change(TABLE, key, lambda before: before and text) is not None
        except StorageFailed as error:
            logger.warning("a row stays as it was: %s", error)
            return True

    async def delete(self, person: str, row_id: str) -> None:
        """The row is acknowledged."""
        await self._storage.write(TABLE, {}, [self._key(person, row_id)])

    async def delete_everywhere(self, person: str, row_id: str) -> None:
        """The message is not wanted any more, whichever tab has it by now."""
        found = await self._storage.keys(TABLE, f"{person}/")
        keys = [key for key in found if key.split("/", 2)[2] == row_id]
        await self._storage.write(TABLE, {}, [self._key(person, row_id), *keys])

    async def load(self, person: str) -> list[OutboxRow]:
        """All rows of this person that are this tab's, or nobody's and so this tab's from now on; oldest first."""
        await self._lock_tab()
        found = await self._storage.read(TABLE, f"{person}/{self._tab}/")
        mine = [row for key, text in found.items() for row in self._read(key, text)]
        return _in_order(mine + await self._adopt(person))

    async def adopt(self, person: str) -> list[OutboxRow]:
        """The rows that a tab of this person left since anybody looked: this tab's from now on, oldest first."""
        return _in_order(await self._adopt(person))

    async def _adopt(self, person: str) -> list[OutboxRow]:
        adopted = []
        found = await self._storage.keys(TABLE, f"{person}/")
        for tab in sorted({_tab_of(key) for key in found} - {self._tab}):
            release = await self._locks.try_lock(_LOCK + tab)
            if release is None:
                continue
            try:
                adopted += await self._take_over(person, tab)
            finally:
                release()
        return adopted

    async def _take_over(self, person: str, tab: str) -> list[OutboxRow]:
        left = await self._storage.read(
            TABLE, f"{person}/{tab}/"
        )  # again: under the lock nobody else takes them
        rows = {key: row for key, text in left.items() for row in self._read(key, text)}
        puts = {self._key(person, row.id): left[key] for key, row in rows.items()}
        if rows:
            await self._storage.write(TABLE, puts, rows)
        return list(rows.values())

    async def _lock_tab(self) -> None:
        """Be known to live, before the first row says that this tab owns it."""
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

    def _read(self, key: str, text: str) -> list[OutboxRow]:
        """The row in ``text``; nothing if something else wrote it. It stays where it is: a newer page may read it."""
        try:
            return [_row(json.loads(text))]
        except (ValueError, TypeError, KeyError, RecursionError):
            if key not in self._unreadable:
                self._unreadable.add(key)
                logger.warning("a message that waited cannot be read and stays where it is")
            return []


def _text(row: OutboxRow) -> str:
    """What is stored. A channel is called "lane" there, as pages of earlier versions read and write it."""
    fields = asdict(row)
    return json.dumps({"lane": fields.pop("channel"), **fields})


def _row(data: Any) -> OutboxRow:
    """Raises ValueError, TypeError or KeyError for what is no row."""
    kinds = {"id": str, "lane": str, "data": dict, "written_at": int, "typed_at": int, "number": int}
    for name, kind in kinds.items():
        if not isinstance(data[name], kind):
            raise TypeError(name)
    if data["failure"] is not None:
        code, words = data["failure"]
        data["failure"] = (str(code), str(words))
    return OutboxRow(channel=data.pop("lane"), **data)


def _as_sent(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return json.dumps({**json.loads(text), "is_sent": True})
    except (ValueError, TypeError):  # something else wrote over it; the page still knows what it said
        return text


def _tab_of(key: str) -> str:
    return key.split("/")[1]


def _in_order(rows: list[OutboxRow]) -> list[OutboxRow]:
    return sorted(rows, key=lambda row: (row.written_at, row.number))
