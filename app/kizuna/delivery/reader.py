"""One channel as it is read: each item once, in order, and what is missing.

The server numbers the items of a channel densely from 1, within one *epoch*: the life of one history. Another epoch, or
a history that ends before what was delivered, means that the server's history was replaced, by a backup for example.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from kizuna.delivery.changes import Begin, Changes, Hole, Items, NewPage, Origin, Reset
from kizuna.delivery.frames import EMPTY_EPOCH, AckFrame, BatchFrame, Head, MessageFrame
from kizuna.delivery.sequence import Sequence


class Start(Enum):
    """Where a channel begins."""

    NEWEST = "newest"  #: with the newest page that the server sends
    BEGINNING = "beginning"  #: with the first item that the server has


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a channel: after the item ``seq`` of the history ``epoch``."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The position from which a batch is requested. ``after`` None: the newest page."""

    after: int | None
    epoch: str | None


Message = TypeVar("Message", bound=MessageFrame)
Ack = TypeVar("Ack", bound=AckFrame)


class ChannelReader(Generic[Message, Ack]):
    """The items of one channel, made of its frames.

    After each step ``needs_sync`` says whether something is missing, ``asked()`` from where to request it.

    Args:
        channel: Its name.
        start: Where it begins.
    """

    def __init__(self, channel: str, start: Start | Position = Start.NEWEST) -> None:
        self.channel = channel
        self._start = start
        self._sequence: Sequence[Message | Ack] = Sequence()
        self._is_stale = False  # the server's history was replaced: only a new page helps
        if isinstance(start, Position):
            self.restore(start)

    @property
    def needs_sync(self) -> bool:
        """Return whether something is missing."""
        return self._is_stale or (self._sequence.epoch is not None and self._sequence.has_gap)

    @property
    def is_blank(self) -> bool:
        """Return whether only a new page helps: nothing has arrived, or the history was replaced."""
        return self._sequence.epoch is None or self._is_stale

    @property
    def epoch(self) -> str | None:
        """Return the history of the items; None: unknown."""
        return None if self._is_stale else self._sequence.epoch

    @property
    def watermark(self) -> int:
        """Return the number up to which everything has arrived."""
        return self._sequence.watermark

    @property
    def held(self) -> frozenset[str]:
        """Return the client message ids of acknowledged own messages that wait behind a gap."""
        return frozenset(item.client_message_id or "" for item in self._sequence.held)

    def has_delivered(self, message: Message) -> bool:
        """Return whether an item of this number was delivered."""
        return (
            message.seq is not None
            and message.epoch == self._sequence.epoch
            and message.seq <= self._sequence.watermark
        )

    def asked(self) -> Asked:
        """Return the position to request from."""
        if not self.is_blank:
            return Asked(self._sequence.watermark, self._sequence.epoch)
        return Asked(0 if self._start is Start.BEGINNING else None, None)

    def restore(self, position: Position) -> bool:
        """Begin at ``position``, unless something has arrived already. Return whether it was done."""
        if self._sequence.epoch is not None:
            return False
        self._sequence.start(position.epoch, position.seq)
        return True

    def receive(self, message: Message) -> Changes:
        """Take an item as it is sent live. One without a number is passed on."""
        if message.seq is None:
            return self.pass_on(message)
        if not self._belongs(message.epoch):
            return []
        return self._items(self._sequence.offer(message.seq, message), Origin.LIVE)

    def pass_on(self, message: Message) -> Changes:
        """Return an item as it came: its server does not number, or nobody can request what is missing."""
        return self._items([message], Origin.LIVE)

    def receive_ack(self, ack: Ack, *, as_item: bool) -> tuple[Changes, int | None]:
        """Take an ack; return what is in order now, and its number in the history here, None if it is of another.

        ``as_item``: it stands for the own message, which is known here. Otherwise its item is awaited, or requested.
        """
        if not self._belongs(ack.epoch):
            return [], None
        if not as_item:
            self._sequence.raise_head(ack.seq)
            return [], ack.seq
        return self._items(self._sequence.offer(ack.seq, ack), Origin.LIVE), ack.seq

    def raise_head(self, head: Head) -> None:
        """Note the newest number on the server."""
        if self._sequence.epoch is not None and self._belongs(head.epoch):
            self._sequence.raise_head(head.seq)

    def receive_batch(self, batch: BatchFrame[Message], asked: Asked | None = None) -> Changes:
        """Take the answer to a hello, join or sync that was sent from the position ``asked``."""
        if self._precedes_first_item(batch, asked) or self._is_of_earlier_reader(asked):
            return []
        was_restored = self._is_of_restored_history(batch, asked)
        origin = Origin.FIRST_PAGE if was_restored or self._sequence.epoch is None else Origin.MISSED
        first = self._new_page_start(batch, was_restored)
        changes: Changes = [] if first is None else self._begin_page(batch, first, was_restored)
        released: list[Message | Ack] = []
        for message in batch.messages:
            if message.seq is not None:
                released += self._sequence.offer(message.seq, message)
        if batch.complete:
            self._sequence.set_head(batch.head)
        else:
            self._sequence.raise_head(batch.head)
        return changes + self._items(released, origin)

    def _items(self, released: list[Message | Ack], origin: Origin) -> Changes:
        return [Items(self.channel, tuple(released), origin)] if released else []

    def _is_of_restored_history(self, batch: BatchFrame[Message], asked: Asked | None) -> bool:
        """Return whether the server's history is another one than that of the items here."""
        if self._sequence.watermark == 0:
            return False
        asked_after = asked.after if asked is not None else None
        return self._sequence.epoch != batch.epoch or batch.head < (asked_after or 0)

    def _new_page_start(self, batch: BatchFrame[Message], was_restored: bool) -> int | None:
        """Return the first number of a batch that does not continue the items here; None if it does."""
        first = next((message.seq for message in batch.messages if message.seq is not None), None)
        begins = first or (batch.next or 0) + 1  # no items: all have expired up to ``next``
        if batch.limited and begins > self._sequence.watermark + 1:  # else the batch is a late one
            return begins
        if was_restored or self._is_stale or self._sequence.epoch != batch.epoch:
            return first or batch.head + 1
        return None

    def _begin_page(self, batch: BatchFrame[Message], first: int, was_restored: bool) -> Changes:
        """Begin with ``first``. What is held behind it stays."""
        kind = self._kind_of_page(first, was_restored)
        page = kind(self.channel, self._sequence.watermark, first, batch.head, not batch.messages)
        if was_restored:
            self._sequence.reset()
        self._is_stale = False
        return [page, *self._items(self._sequence.start(batch.epoch, first - 1), Origin.LIVE)]

    def _kind_of_page(self, first: int, was_restored: bool) -> type[NewPage]:
        if was_restored:
            return Reset
        if self._sequence.epoch is None and (self._start is not Start.BEGINNING or first == 1):
            return Begin
        return Hole

    def _precedes_first_item(self, batch: BatchFrame[Any], asked: Asked | None) -> bool:
        """Return whether this late batch says that the channel is empty.

        If the request named the epoch here, the history was really lost.
        """
        known = self._sequence.epoch
        if batch.epoch != EMPTY_EPOCH or known in (None, EMPTY_EPOCH) or self._is_stale:
            return False
        return asked is None or asked.epoch != known

    def _is_of_earlier_reader(self, asked: Asked | None) -> bool:
        """Return whether this late batch answers a request of before the channel was opened again at its beginning."""
        is_first = self._start is Start.BEGINNING and self._sequence.epoch is None
        return is_first and (asked is None or asked.after != 0)

    def _belongs(self, epoch: str | None) -> bool:
        """Return whether a frame belongs to the history here; before the first batch none does.

        The first item of an empty channel gives it its epoch.
        """
        if self._sequence.epoch is None:
            return False
        if self._sequence.epoch == EMPTY_EPOCH and epoch is not None:
            self._sequence.start(epoch, 0)
        if epoch == EMPTY_EPOCH:  # sent before the first item
            return self._sequence.epoch == EMPTY_EPOCH
        if epoch != self._sequence.epoch:
            self._is_stale = True
            return False
        return True
