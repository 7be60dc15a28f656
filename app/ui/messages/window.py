"""How much of a long conversation is in the page: the newest part, more when one scrolls up."""

from __future__ import annotations

from collections.abc import Sequence

from chat.timeline import Entry

MAX_SHOWN = 300  #: more entries than this are cut to
SHOWN_AFTER_CUT = 150  #: the newest so many, when the person follows the end
GROW_BY = 100  #: so many more come when the person reaches the top


class Window:
    """Responsible for the first entry shown. It is known by its key, since entries may come before it."""

    def __init__(self) -> None:
        self._first: str | None = None  #: None: from the very beginning

    @property
    def whole(self) -> bool:
        """Whether everything there is, is shown."""
        return self._first is None

    def cut(self, entries: Sequence[Entry], *, may_shrink: bool) -> Sequence[Entry]:
        """The entries to show. ``may_shrink``: the person follows the end, so the beginning may go."""
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
        """Another conversation."""
        self._first = None

    def _start(self, entries: Sequence[Entry]) -> int:
        if self._first is None:
            return 0
        for index, entry in enumerate(entries):
            if entry.key == self._first:
                return index
        self._first = None  # it is gone: the history is another one
        return 0
