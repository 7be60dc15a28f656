"""The rooms that the person is in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chat.cache import CachedRoom
from chat.protocol import MAX_ROOMS_PER_HELLO, Ack, Message
from chat.read_marks import Marks
from chat.room import Room
from chat.store import RoomSummary
from chat.timeline import Delivery
from kizuna.delivery import CatchUp

#: The most rooms of one connection: the limit of the server and of hello.
MAX_ROOMS = MAX_ROOMS_PER_HELLO


class JoinedRooms:
    """The rooms of one person, in the order entered, each with an open channel of ``channels``. ``me``: their user id.
    ``has_history``: the server can send older messages again."""

    def __init__(self, me: str | None, channels: CatchUp[Message, Ack], *, has_history: bool = True) -> None:
        channels.close_all()
        self._me = me
        self._channels = channels
        self._has_history = has_history
        self._rooms: dict[str, Room] = {}
        self._visits: dict[str, int] = {}  # by room, the number of the latest visit

    def __iter__(self) -> Iterator[Room]:
        return iter(tuple(self._rooms.values()))

    def __len__(self) -> int:
        return len(self._rooms)

    def __contains__(self, room_id: str) -> bool:
        return room_id in self._rooms

    def get(self, room_id: str) -> Room | None:
        """Return the room, or None if the person is not in it."""
        return self._rooms.get(room_id)

    def enter(self, room_id: str, now_ms: int) -> tuple[Room, Room | None]:
        """Return the room, entered if necessary; and the room that is left for it if there are too many: the one
        visited longest ago."""
        left = None
        if room_id not in self._rooms:
            if len(self._rooms) >= MAX_ROOMS:
                left = self._rooms.pop(min(self._rooms, key=lambda each: self._visits.get(each, 0)))
                self._channels.close(left.room_id)
            self._rooms[room_id] = self._new_room(room_id, now_ms)
        self._visits[room_id] = max(self._visits.values(), default=0) + 1
        return self._rooms[room_id], left

    def reopen(self, room_id: str, entered_at: int) -> Room | None:
        """Return a room that an earlier page entered at ``entered_at``; None if there are too many rooms."""
        if room_id not in self._rooms and len(self._rooms) < MAX_ROOMS:
            self._rooms[room_id] = self._new_room(room_id, entered_at)
        room = self._rooms.get(room_id)
        if room is not None:
            room.entered_at = entered_at
        return room

    def restore(self, cached_rooms: Iterable[CachedRoom]) -> None:
        """Open the rooms that an earlier page stored."""
        for cached in cached_rooms:
            room = self.reopen(cached.room_id, cached.entered_at)
            if room is not None and cached.epoch is not None:
                room.restore(cached.epoch, cached.messages, cached.seen)

    def mark_read(self, marks: Marks) -> None:
        """Mark as read what the person has read in other tabs."""
        for room_id, (epoch, seq) in marks.items():
            room = self._rooms.get(room_id)
            if room is not None:
                room.mark_read_up_to(epoch, seq)

    def leave(self, room_id: str) -> Room | None:
        """Leave the room. Return the room to show instead; None if it is the last one, which stays."""
        if len(self._rooms) <= 1 or self._rooms.pop(room_id, None) is None:
            return None
        self._channels.close(room_id)
        return self._rooms[max(self._rooms, key=lambda each: self._visits.get(each, 0))]

    def identify(self, me: str) -> None:
        """Set the person's user id."""
        self._me = me
        for room in self:
            room.identify(me)

    def summaries(self) -> tuple[RoomSummary, ...]:
        """Return what the page shows of each room."""
        ordered = sorted(self._rooms.values(), key=lambda room: (room.entered_at, room.room_id))
        return tuple([RoomSummary(room.room_id, room.unread) for room in ordered])

    @property
    def received(self) -> int:
        """How many messages of others have arrived, without first pages."""
        return sum([room.received for room in self._rooms.values()])

    def begin_gaps(self, number: int, since: float) -> None:
        """Note that the connection was lost."""
        for room in self:
            room.begin_gap(number, since)

    def end_gaps(self, until: float) -> None:
        """Note that the connection is back."""
        for room in self:
            room.end_gap(until)

    def discard(self, client_message_id: str) -> None:
        """Remove an own message that was deleted, or taken over by another tab. An acknowledged one stays: the server
        has it."""
        for room in self:
            entry = room.log.own(client_message_id)
            if entry is not None and entry.state is not Delivery.SENT:
                room.log.discard(client_message_id)

    def _new_room(self, room_id: str, entered_at: int) -> Room:
        return Room(self._channels.open(room_id), self._me, entered_at, has_history=self._has_history)
