"""The rows of the list: messages grouped by author, and lines between them: a new day, the unread messages, a time
without a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from chat.timeline import Entry, Gap

#: Messages of one author that are no further apart form a group.
GROUP_WITHIN_MS = 5 * 60 * 1000
UNREAD_KEY = "unread"


@dataclass(frozen=True, slots=True, eq=False)
class MessageRow:
    """A message. ``continues``: it belongs to the group of the message before."""

    key: str
    entry: Entry
    continues: bool


@dataclass(frozen=True, slots=True, eq=False)
class DayRow:
    """The beginning of a day (an ISO date)."""

    key: str
    day: str
    timestamp: int


@dataclass(frozen=True, slots=True, eq=False)
class UnreadRow:
    """The beginning of the unread messages."""

    key: str = UNREAD_KEY


@dataclass(frozen=True, slots=True, eq=False)
class GapRow:
    """A time without a connection."""

    key: str
    gap: Gap


Row = MessageRow | DayRow | UnreadRow | GapRow


def same_row(old: Row, new: Row) -> bool:
    """Return whether both look the same. Entries are compared by identity: unchanged ones are the same object."""
    if isinstance(old, MessageRow) and isinstance(new, MessageRow):
        return old.entry is new.entry and old.continues == new.continues
    if isinstance(old, DayRow) and isinstance(new, DayRow):
        return old.day == new.day
    if isinstance(old, GapRow) and isinstance(new, GapRow):
        return old.gap == new.gap
    return type(old) is type(new)


def shared_prefix(old: Sequence[object], new: Sequence[object]) -> int:
    """Return how many items at the beginning are the same objects."""
    count = 0
    for ours, theirs in zip(old, new, strict=False):
        if ours is not theirs:
            break
        count += 1
    return count


class Layout:
    """The rows of a list of entries; rows before the first changed entry are reused."""

    def __init__(self, day_of: Callable[[int], str]) -> None:
        """``day_of`` returns the local day, as ISO date, of milliseconds since 1970."""
        self._day_of = day_of
        self._entries: Sequence[Entry] = ()
        self._unread: str | None = None
        self._gaps: Mapping[str, Gap] = {}  #: by the key of the message before
        self._rows: list[Row] = []
        self._ends: list[int] = []  #: the number of rows up to each entry

    def rows(
        self, entries: Sequence[Entry], unread_from: str | None, gaps: Iterable[Gap] = ()
    ) -> tuple[Row, ...]:
        """Return the rows of ``entries``, with a line before the entry with the key ``unread_from``, and a line after
        the entry of each of ``gaps``."""
        marks = unread_from, {gap.after: gap for gap in gaps}
        kept = shared_prefix(self._entries, entries) if marks == (self._unread, self._gaps) else 0
        del self._ends[kept:]
        del self._rows[self._ends[-1] if self._ends else 0 :]
        self._entries, (self._unread, self._gaps) = entries, marks
        before = entries[kept - 1] if kept else None
        for entry in islice(entries, kept, None):
            self._append(entry, before)
            before = entry
        return tuple(self._rows)

    def _append(self, entry: Entry, before: Entry | None) -> None:
        day = self._day_of(entry.timestamp)
        new_day = before is None or self._day_of(before.timestamp) != day
        is_after_gap = before is not None and before.key in self._gaps
        if new_day:
            self._rows.append(DayRow(f"day {entry.key}", day, entry.timestamp))
        new_unread = entry.key == self._unread
        if new_unread:
            self._rows.append(UnreadRow())
        continues = (
            not new_day
            and not new_unread
            and not is_after_gap
            and before is not None
            and before.sender_id == entry.sender_id
            and abs(entry.timestamp - before.timestamp) <= GROUP_WITHIN_MS
        )
        self._rows.append(MessageRow(entry.key, entry, continues))
        gap = self._gaps.get(entry.key)
        if gap is not None:
            self._rows.append(GapRow(f"gap {gap.number}", gap))
        self._ends.append(len(self._rows))
