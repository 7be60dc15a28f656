"""One channel, as an application reads it and sends to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from kizuna.delivery.changes import Change, Closed, Hole, Items, Origin, Reset
from kizuna.delivery.frames import PlainMessage
from kizuna.delivery.pending_message import Failure
from kizuna.delivery.reader import Position
from kizuna.delivery.receipt import Receipt, Refused
from kizuna.errors import Rejected

if TYPE_CHECKING:
    from kizuna.delivery.channels import Channels


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a channel."""

    channel: str
    seq: int | None  #: its number, dense from 1; None on a server that does not number
    epoch: str | None  #: the history that the number belongs to
    data: Mapping[str, Any]  #: what was sent, and what the server added
    id: str | None = None  #: the server's id of it
    client_message_id: str | None = None  #: the id of its sender's receipt
    origin: Origin = Origin.LIVE


class History(NamedTuple):
    """A page of earlier items, in ascending order. ``complete``: there are no earlier ones."""

    items: tuple[Item, ...]
    complete: bool


#: What a loop over a channel gets: an item, or word that the next one does not continue those before.
Delivered: TypeAlias = Item | Reset | Hole


class Channel:
    """A channel that is open. ``async for change in channel`` gets each item once, in order; and Reset and Hole.

    Changes wait for the first loop. A later loop continues where the last one ended; two at a time raise RuntimeError.
    The loop ends with the connection's disconnect() and with close().
    """

    def __init__(self, name: str, channels: Channels) -> None:
        self.name = name
        self._channels = channels
        self._unread: deque[Delivered] = deque()
        self._news = asyncio.Event()
        self._is_read = False
        self._is_closed = False
        self._refusal: Refused | None = None
        self._repeated = 0  # a new page repeats the items up to this number

    @property
    def position(self) -> Position | None:
        """Return the place up to which everything was delivered, to open the channel there another time."""
        reader = self._channels.engine.catch_up.reader(self.name)
        epoch = None if reader is None else reader.epoch
        return None if reader is None or epoch is None else Position(epoch, reader.watermark)

    @property
    def is_live(self) -> bool:
        """Return whether everything that was sent before the link opened has arrived."""
        return self._channels.engine.catch_up.status(self.name).caught_up

    @property
    def waiting(self) -> tuple[Receipt, ...]:
        """Return the receipts of messages that are not stored, also of an earlier page: waiting and failed ones."""
        return self._channels.receipts_of(self.name)

    async def send(self, data: Mapping[str, Any], *, meta: Mapping[str, Any] | None = None) -> Receipt:
        """Keep a message, and send it as soon as possible. Return once it is kept: a reload or crash does not lose it.

        Args:
            data: The payload: JSON, with none of the keys of wire KIZUNA itself.
            meta: JSON that is kept with it until it is stored by the server, and not sent.

        Raises:
            ValueError: A reserved key in ``data``, or what JSON cannot carry.
            OutboxFull: Too many messages wait.
            NotConnected: All channels were closed.
        """
        return await self._channels.send(self.name, data, meta or {})

    async def history(self, before: int | None = None, limit: int = 100) -> History:
        """Return the items before the number ``before``, at most ``limit``; None: before the oldest one delivered.

        Empty and not complete while nothing has arrived, and where another history has begun: a Reset follows.

        Raises:
            NotConnected: There is no link, or it broke.
            Refused: The server refused.
            TimeoutError: It did not answer.
            MalformedFrame: Its answer is no batch.
        """
        return await self._channels.history(self.name, before, limit)

    def close(self) -> None:
        """Leave the channel. Messages that wait are sent nevertheless."""
        self._is_closed = True
        self._news.set()
        self._channels.forget(self)

    def __aiter__(self) -> Channel:
        """Return the iterator over the changes."""
        return self

    async def __anext__(self) -> Delivered:
        """Return the next change.

        Raises:
            Refused: The server does not let this client into the channel.
            Rejected: The server wants no further attempt to connect.
        """
        if self._is_read:
            raise RuntimeError("two loops read this channel at the same time: each item goes to one of them")
        self._is_read = True
        try:
            while not self._unread:
                refusal, self._refusal = self._refusal, None
                if refusal is not None and not self.is_live:  # else it has ended
                    raise refusal
                self._raise_end()
                self._news.clear()
                await self._news.wait()
            return self._unread.popleft()
        finally:
            self._is_read = False

    def _raise_end(self) -> None:
        state = self._channels.connection.state
        if self._is_closed or state.status == "closed":
            raise StopAsyncIteration
        if state.status == "rejected":
            raise Rejected(str(state.reason))

    # --- for Channels ---

    def wake(self) -> None:
        """Let the loop look again: the connection's state has changed."""
        self._news.set()

    def take(self, change: Change) -> None:
        """Take what has happened in the channel."""
        match change:
            case Items(_, items, origin):
                new = (each for each in items if each.seq is None or each.seq > self._repeated)
                self._unread.extend(item_of(each, origin) for each in new)
            case Reset():
                self._repeated = 0
                self._unread.append(change)
            case Hole():
                self._repeated = change.after if change.after <= change.head else 0
                if change.first > change.after + 1:
                    self._unread.append(change)
            case Closed(_, code):
                self._refusal = Refused(
                    Failure(code, f"the server does not let this client into {self.name}")
                )
        self._news.set()


def item_of(message: PlainMessage, origin: Origin = Origin.LIVE) -> Item:
    """Return the item in a message."""
    return Item(
        channel=message.room_id,
        seq=message.seq,
        epoch=message.epoch,
        data=message.payload,
        id=message.message_id,
        client_message_id=message.client_message_id,
        origin=origin,
    )
