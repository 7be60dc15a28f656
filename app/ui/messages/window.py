"""The part of a long conversation that is on the page: the newest one, and more after scrolling up."""

from __future__ import annotations

from collections.abc import Sequence

from chat.timeline import Entry

MAX_SHOWN = 300  #: entries; more are cut
SHOWN_AFTER_CUT = 150  #: entries left after a cut, when the list follows the end
GROW_BY = 100  #: entries added when the reader reaches the top


class Window:
    """The first entry shown, identified by its key, since entries may be inserted before it."""

    def __init__(self) -> None:
        self._first: str | None = None  #: None: the first of all

    @property
    def whole(self) -> bool:
        """Whether all entries are shown."""
        return self._first is None

    def cut(self, entries: Sequence[Entry], *, may_shrink: bool) -> Sequence[Entry]:
        """Return the entries to show. ``may_shrink``: the list follows the end, so the beginning may be removed."""
        start = self._start(entries)
        if may_shrink and len(entries) - start > MAX_SHOWN:
            start = len(entries) - SHOWN_AFTER_CUT
            self._first = entries[start].key
        return entries[start:] if start else entries

    def grow(self, entries: Sequence[Entry]) -> None:
        """Show more of the beginning."""
        start = max(0, self._start(entries) - GROW_BY)
        self._first = entries[start].key if start else None

    def reset(self) -> None:
        """Start again for another conversation."""
        self._first = None

    def _start(self, entries: Sequence[Entry]) -> int:
        if self._first is None:
            return 0
        for index, entry in enumerate(entries):
            if entry.key == self._first:
                return index
        self._first = None  # the history was replaced
        return 0
