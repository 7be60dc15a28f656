"""The sequence: puts numbered items in order, over a network that loses, repeats and reorders.

Everything up to the watermark has been released, in order, once. An item at or below it is a duplicate; an item
behind a gap is held until the gap is filled.
"""

from __future__ import annotations

from typing import Generic, TypeVar

Item = TypeVar("Item")


class Sequence(Generic[Item]):
    """Numbered items, released in order. Numbers are dense from 1 within one ``epoch``.

    >>> sequence = Sequence()
    >>> sequence.start("e", 4)
    []
    >>> sequence.offer(6, "six"), sequence.has_gap
    ([], True)
    >>> sequence.offer(5, "five"), sequence.offer(5, "five again"), sequence.has_gap
    (['five', 'six'], [], False)
    """

    def __init__(self) -> None:
        self.epoch: str | None = None  #: the history that the numbers belong to; None: unknown yet
        self.watermark = 0  #: everything up to here is released
        self._head = 0  # the highest number known to exist
        self._held: dict[int, Item] = {}

    def start(self, epoch: str, watermark: int) -> list[Item]:
        """Begin after ``watermark`` of this or another epoch; return the held items that are in order now."""
        if epoch != self.epoch:
            self._held.clear()
            self._head = 0
        self.epoch = epoch
        self.watermark = watermark
        self._head = max(self._head, watermark)
        for number in [number for number in self._held if number <= watermark]:
            del self._held[number]
        return self._release()

    def reset(self) -> None:
        """Begin from nothing: the epoch ended."""
        self.epoch = None
        self.watermark = self._head = 0
        self._held.clear()

    def offer(self, number: int, item: Item) -> list[Item]:
        """Take ``item``; return the items that are in order now: none for a duplicate or behind a gap."""
        if number <= self.watermark:
            return []
        if number == self.watermark + 1 and not self._held:  # the usual case
            self.watermark = number
            self._head = max(self._head, number)
            return [item]
        self._head = max(self._head, number)
        self._held.setdefault(number, item)
        return self._release()

    def raise_head(self, number: int) -> None:
        """Note that ``number`` exists on the server. A number below the watermark has no effect."""
        self._head = max(self._head, number)

    def set_head(self, number: int) -> None:
        """Note that nothing beyond ``number`` exists on the server, except items that were offered."""
        self._head = max(number, self.watermark, *self._held)

    @property
    def held(self) -> tuple[Item, ...]:
        """Return the items behind a gap, in no order."""
        return tuple(self._held.values())

    @property
    def has_gap(self) -> bool:
        """Return whether an item is known to exist that has not been released."""
        return self._head > self.watermark

    def _release(self) -> list[Item]:
        released = []
        while self.watermark + 1 in self._held:
            self.watermark += 1
            released.append(self._held.pop(self.watermark))
        return released
