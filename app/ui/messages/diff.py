"""The steps that turn the list of rows on the screen into another one. Unchanged rows cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ui.messages.rows import Row, same_row


@dataclass(frozen=True, slots=True)
class Insert:
    """Put new rows before the row with the key ``before`` (None: at the end)."""

    rows: tuple[Row, ...]
    before: str | None


@dataclass(frozen=True, slots=True)
class Move:
    """Put an existing row before another one."""

    key: str
    before: str | None


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a row."""

    key: str


@dataclass(frozen=True, slots=True)
class Change:
    """Draw a row again, in its place."""

    old: Row
    new: Row


@dataclass(frozen=True, slots=True)
class Replace:
    """Put these rows instead of all that are shown."""

    rows: tuple[Row, ...]


Step = Insert | Move | Remove | Change | Replace


def plan(old: Sequence[Row], new: Sequence[Row]) -> list[Step]:
    """Return the steps, in order, that turn ``old`` into ``new``."""
    head = _shared(old, new)
    tail = _shared(old[head:][::-1], new[head:][::-1])
    end_old, end_new = len(old) - tail, len(new) - tail
    after = new[end_new].key if tail else None
    pairs = [*zip(old[:head], new[:head], strict=True), *zip(old[end_old:], new[end_new:], strict=True)]
    changes: list[Step] = [Change(ours, theirs) for ours, theirs in pairs if not same_row(ours, theirs)]
    return changes + _rearrange(old[head:end_old], new[head:end_new], after, is_all=not (head or tail))


def _shared(old: Sequence[Row], new: Sequence[Row]) -> int:
    """Return how many rows at the beginning have the same keys."""
    count = 0
    for ours, theirs in zip(old, new, strict=False):
        if ours is not theirs and ours.key != theirs.key:
            break
        count += 1
    return count


def _rearrange(old: Sequence[Row], new: Sequence[Row], after: str | None, *, is_all: bool) -> list[Step]:
    wanted = {row.key for row in new}
    there = {row.key: row for row in old}
    if is_all and there and wanted.isdisjoint(there):
        return [Replace(tuple(new))]
    steps: list[Step] = [Remove(row.key) for row in old if row.key not in wanted]
    waiting = [row.key for row in reversed(old) if row.key in wanted]  # the next row is the last item
    moved: set[str] = set()
    fresh: list[Row] = []  # new rows in a row, which go before the same one
    for row in new:
        while waiting and waiting[-1] in moved:
            waiting.pop()
        before = waiting[-1] if waiting else after
        if row.key not in there:
            fresh.append(row)
            continue
        if fresh:
            steps.append(Insert(tuple(fresh), before))
            fresh = []
        if row.key == before and waiting:
            waiting.pop()
        else:
            steps.append(Move(row.key, before))
            moved.add(row.key)
        if not same_row(there[row.key], row):
            steps.append(Change(there[row.key], row))
    if fresh:
        steps.append(Insert(tuple(fresh), after))
    return steps
