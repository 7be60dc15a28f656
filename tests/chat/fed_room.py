"""A room that a test feeds with frames, as a session does."""

from __future__ import annotations

from chat.protocol import Ack, Batch, Message, RoomHead
from chat.room import Room
from kizuna.delivery import Changes, ChannelReader, Earlier, Items, NewPage, Reset, Stored
from kizuna.delivery.reader import Asked


class FedRoom(Room):
    """A room with the reader of its channel."""

    def __init__(self, room_id: str, me: str | None) -> None:
        super().__init__(ChannelReader(room_id), me)

    @property
    def needs_sync(self) -> bool:
        return self.reader.needs_sync

    def position(self) -> Asked:
        return self.reader.asked()

    def receive(self, message: Message) -> None:
        self._apply(self.reader.receive(message) + self._own(message))

    def apply_ack(self, ack: Ack) -> None:
        as_item = not ack.deleted and self.log.own(ack.client_message_id) is not None
        changes, seq = self.reader.receive_ack(ack, as_item=as_item)
        self._apply([*changes, Stored(ack.room_id, ack.client_message_id, seq, ack)])

    def apply_batch(self, batch: Batch, asked: Asked | None = None) -> bool:
        """Apply a batch; return whether the history was replaced."""
        changes = self.reader.receive_batch(batch, asked)
        for message in batch.messages:
            changes += self._own(message)
        self._apply(changes)
        return any(isinstance(change, Reset) for change in changes)

    def apply_history(self, batch: Batch, before: int) -> None:
        self.prepend(Earlier(batch.room_id, batch.messages, before, batch.epoch, batch.complete))
        for message in batch.messages:
            self._apply(self._own(message))

    def raise_head(self, head: RoomHead) -> None:
        self.reader.raise_head(head)

    def _own(self, message: Message) -> Changes:
        if message.sender_id != self.log.me or message.client_message_id is None:
            return []
        return [Stored(message.room_id, message.client_message_id, message.seq)]

    def _apply(self, changes: Changes) -> None:
        for change in changes:
            match change:
                case Items():
                    self.place(change)
                case NewPage():
                    self.begin_page(change)
                case Stored():
                    self.mark_stored(change)
        if any(isinstance(change, NewPage) for change in changes):
            self.end_page()
