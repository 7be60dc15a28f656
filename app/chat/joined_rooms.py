"""The rooms that one person is in on this page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chat.protocol import MAX_ROOMS_PER_HELLO
from chat.room import Room
from chat.store import RoomSummary
from chat.timeline import Delivery, Failure

#: A connection is in at most so many rooms at once: the server's limit, and hello's.
MAX_ROOMS = MAX_ROOMS_PER_HELLO


class JoinedRooms:
    """Responsible for which rooms a person is in, in the order entered, and for finding a message in one of them."""

    def __init__(self, me: str | None) -> None:
        self._me = me
        self._rooms: dict[str, Room] = {}
        self._visits: dict[str, int] = {}  # by room, the number of the latest visit

    def __iter__(self) -> Iterator[Room]:
        return iter(tuple(self._rooms.values()))

    def __len__(self) -> int:
        return len(self._rooms)

    def __contains__(self, room_id: str) -> bool:
        return room_id in self._rooms

    def get(self, room_id: str) -> Room | None:
        """The room, if the person is in it."""
        return self._rooms.get(room_id)

    def enter(self, room_id: str, now_ms: int) -> tuple[Room, Room | None]:
        """The room, entered now if need be; and the room that is left for it when there are too many: the one that
        was visited longest ago."""
        left = None
        if room_id not in self._rooms:
            if len(self._rooms) >= MAX_ROOMS:
                left = self._rooms.pop(min(self._rooms, key=lambda each: self._visits.get(each, 0)))
            self._rooms[room_id] = Room(room_id, self._me, now_ms)
        self._visits[room_id] = max(self._visits.values(), default=0) + 1
        return self._rooms[room_id], left

    def reopen(self, room_id: str, entered_at: int) -> Room | None:
        """The room, in which the person has been since ``entered_at``, on an earlier page. None: there are too many."""
        if room_id not in self._rooms and len(self._rooms) < MAX_ROOMS:
            self._rooms[room_id] = Room(room_id, self._me)
        room = self._rooms.get(room_id)
        if room is not None:
            room.entered_at = entered_at
        return room

    def leave(self, room_id: str) -> Room | None:
        """Be in this room no longer; the room that takes its place on the screen, if another one is left."""
        if len(self._rooms) <= 1 or self._rooms.pop(room_id, None) is None:
            return None
        return self._rooms[max(self._rooms, key=lambda each: self._visits.get(each, 0))]

    def identify(self, me: str) -> None:
        """The person's user id is known now."""
        self._me = me
        for room in self:
            room.identify(me)

    def summaries(self) -> tuple[RoomSummary, ...]:
        """What the page tells of each room."""
        ordered: Iterable[Room] = sorted(self, key=lambda room: (room.entered_at, room.room_id))
        return tuple(RoomSummary(room.room_id, room.unread) for room in ordered)

    def mark(self, client_message_id: str, delivery: Delivery, failure: Failure | None = None) -> bool:
        """One of the person's messages has come so far. False: it stands in none of these rooms."""
        is_here = False
        for room in self:
            is_here = is_here or room.timeline.own(client_message_id) is not None
            room.timeline = room.timeline.mark(client_message_id, delivery, failure)
        return is_here

    def discard(self, client_message_id: str) -> None:
        """One of the person's messages is not wanted any more, or not this page's. One that is acknowledged stays,
        though it may still wait for its place: the server has it."""
        for room in self:
            entry = room.timeline.own(client_message_id)
            if entry is not None and entry.state is not Delivery.SENT:
                room.timeline = room.timeline.discard(client_message_id)
