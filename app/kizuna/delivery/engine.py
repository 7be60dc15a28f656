"""Delivery over one connection: frames in, changes out. It has no task, timer or clock of its own.

    CatchUp         the channels, what is missing in them, and requests
    OutboxSender    the messages that wait for their acknowledgement

An application that shows what happens in a frame at once, such as a chat, gives its frames to ``receive()`` and
applies the changes. All others use :class:`~kizuna.delivery.channels.Channels`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, NamedTuple

from kizuna.delivery.carrier import Carrier, Link
from kizuna.delivery.catch_up import CatchUp
from kizuna.delivery.changes import Changes, Earlier, Items, Later, Origin, Stored
from kizuna.delivery.frames import BatchFrame, ErrorFrame, Head, NackFrame
from kizuna.delivery.outbox_storage import OutboxStorage
from kizuna.delivery.pending_message import PendingMessage
from kizuna.delivery.reader import Ack, Message
from kizuna.delivery.sender import OutboxSender
from kizuna.platform import Instant


class DeliveryStatistics(NamedTuple):
    """Numbers of messages since the engine was made."""

    sent: int  #: own ones that were given to a connection
    resent: int  #: times that one was given to a connection again, under the same id
    acknowledged: int  #: own ones that the server has stored
    received: int  #: items of the channels, each once and in order; not the acknowledged ones
    duplicates: (
        int  #: items that came again, and were dropped; not the first broadcast of an acknowledged one
    )
    gaps_filled: int  #: times that missed items were requested and came
    fetched: int  #: the items that came so


class DeliveryEngine(Generic[Message, Ack]):
    """The channels of one client, and its outbox.

    Args:
        now: The current moment.
        carrier: The connection.
        storage: The rows of the outbox.
        later: Where timers and stored data report.
        acknowledges: Whether the server speaks wire KIZUNA. If not, items pass through, and nothing is sent twice.
        is_item: Whether an ack stands for the own message in its channel. Otherwise its item is awaited.
        is_own: Whether a message was sent by this person: ids of others are no proof.
        is_valid: Whether a stored message is one that this version sends.
    """

    def __init__(
        self,
        now: Callable[[], Instant],
        carrier: Carrier,
        storage: OutboxStorage,
        later: Later,
        *,
        acknowledges: bool = True,
        is_item: Callable[[Ack], bool] = lambda ack: False,
        is_own: Callable[[Message], bool] = lambda message: True,
        is_valid: Callable[[PendingMessage], bool] = lambda message: True,
    ) -> None:
        self.catch_up: CatchUp[Message, Ack] = CatchUp(now, carrier, later, answers=acknowledges)
        self.sender = OutboxSender(now, carrier, storage, later, acknowledges=acknowledges, is_valid=is_valid)
        self._acknowledges = acknowledges
        self._is_item = is_item
        self._is_own = is_own
        self._received = self._duplicates = self._gaps_filled = self._fetched = 0
        self._echoes = 0  # broadcasts of messages whose acks were delivered as items: they may come, or not

    def statistics(self) -> DeliveryStatistics:
        """Return the numbers of messages since this was made."""
        return DeliveryStatistics(
            sent=self.sender.sent,
            resent=self.sender.resent,
            acknowledged=self.sender.acknowledged,
            received=self._received,
            duplicates=self._duplicates,
            gaps_filled=self._gaps_filled,
            fetched=self._fetched,
        )

    # --- the link ---

    def prepare(self, link: Link) -> Coroutine[Any, Any, None]:
        """Send hello on a new link, and return what ends when it has caught up."""
        return self.catch_up.prepare(link)

    def link_ready(self, number: int | None) -> Changes:
        """Use the link of this number, which is connected, from now on."""
        self.catch_up.link_ready(number)
        return self.sender.send_due()

    def link_lost(self) -> Changes:
        """Drop everything that depended on the lost link."""
        self.catch_up.link_lost()
        return self.sender.link_lost()

    # --- frames ---

    def receive(self, frame: Any) -> Changes:
        """Take a parsed frame; return what it changes. Frames of other types than delivery's change nothing.

        Args:
            frame: An object with a ``type`` and the attributes that kizuna.delivery.frames names for it.
        """
        match frame.type:
            case "message":
                return self._on_message(frame)
            case "ack":
                return self._on_ack(frame)
            case "nack":
                nack: NackFrame = frame
                return self.sender.reject(nack) + self.sender.send_due()
            case "batch":
                return self._on_batch(frame)
            case "pong":
                heads: tuple[Head, ...] | None = frame.heads
                if heads is not None:
                    self.catch_up.on_heads(heads)
            case "error":
                error: ErrorFrame = frame
                return self.catch_up.on_error(error)
        return []

    def _on_message(self, message: Message) -> Changes:
        stored = self._settle(message)
        reader = self.catch_up.reader(message.room_id)
        changes: Changes = []
        if reader is not None:
            changes = reader.receive(message) if self._acknowledges else reader.pass_on(message)
            self.catch_up.schedule_sync(reader)
            if not changes:
                if reader.has_delivered(message):
                    self._count_duplicate(message)
            elif isinstance(changes[0], Items):  # pragma: no branch - nothing else comes of a message
                self._received += len(changes[0].items) - len(stored)
        return changes + stored + (self.sender.send_due() if stored else [])

    def _on_ack(self, ack: Ack) -> Changes:
        pending = self.sender.acknowledge(ack.client_message_id)
        reader = self.catch_up.reader(ack.room_id)
        if reader is None:
            return [Stored(ack.room_id, ack.client_message_id, None, ack), *self.sender.send_due()]
        as_item = pending is not None and self._is_item(ack)
        changes, seq = reader.receive_ack(ack, as_item=as_item)
        self.catch_up.schedule_sync(reader)
        if as_item and changes and isinstance(changes[0], Items):
            self._received += len(changes[0].items) - 1  # what waited behind it
            self._echoes += 1
        if not (as_item and changes):  # else it is among the items
            changes.append(Stored(ack.room_id, ack.client_message_id, seq, ack))
        return changes + self.sender.send_due()

    def _on_batch(self, batch: BatchFrame[Message]) -> Changes:
        reader = self.catch_up.reader(batch.room_id)
        watermark = reader.watermark if reader is not None and reader.epoch == batch.epoch else 0
        changes = self.catch_up.on_batch(batch)
        self._count_batch(batch, changes, watermark)
        if self.sender.has_messages:
            for message in batch.messages:
                changes += self._settle(message)
        return changes + self.sender.send_due()

    def _count_batch(self, batch: BatchFrame[Message], changes: Changes, watermark: int) -> None:
        """Count what a batch has brought, and what of it was delivered before: up to ``watermark``."""
        for change in changes:
            if isinstance(change, Earlier):
                return
            if isinstance(change, Items):
                self._received += len(change.items)
                if change.origin is Origin.MISSED:
                    self._gaps_filled += 1
                    self._fetched += len(change.items)
        for message in batch.messages:
            if message.seq is not None and message.seq <= watermark:
                self._count_duplicate(message)

    def _count_duplicate(self, message: Message) -> None:
        if self._echoes and self._is_own(message):
            self._echoes -= 1
        else:
            self._duplicates += 1

    def _settle(self, message: Message) -> Changes:
        """Delete an own message that the server has, with or without an ack."""
        message_id = message.client_message_id
        if message_id is None or not self.sender.get(message_id) or not self._is_own(message):
            return []
        self.sender.acknowledge(message_id)
        return [Stored(message.room_id, message_id, message.seq)]
