"""Presence: people in a room, and typing, broadcast as they happen and never stored.

All of it is soft state. A lost frame is repaired by the next one, since ``count`` is a number of people and never a
difference; nothing waits for these frames, and a failure to send one is only logged.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence

from backend.messaging.broadcast import Dispatcher
from backend.messaging.connections import Connection, Connections, Departure, Member
from backend.messaging.room_locks import RoomLocks
from chat.protocol import Presence, TypingNotice

log = logging.getLogger(__name__)

# Rooms with more connections than this get no arrivals, departures or typing: if all people in a room of n come back
# after a restart, announcing each to all is n²/2 frames, 5,000 for 100 connections and 500,000 for 1,000. Only the new
# connection gets a count, "at least so many", so entering costs the same however large the room is. Typing would cost
# twice as many frames as the messages themselves (docs/scaling.md).
MAX_PRESENCE_RECIPIENTS = 100
# Names in one frame, which holds 1,000 at most and should stay under 32 KiB; the count is right without the others.
MAX_NAMES = 100


class PresenceTracker:
    """The broadcasts of arrivals, departures and typing. A person counts once, by user id."""

    def __init__(self, connections: Connections, dispatcher: Dispatcher) -> None:
        self._connections = connections
        self._dispatcher = dispatcher
        # Counting and sending is one step, so that the last count that is sent is the newest.
        self._locks = RoomLocks()

    def arrived(self, connection: Connection, room_id: str, *, entered: bool) -> None:
        """Announce a connection in a room, which it ``entered`` only now or was in already.

        The room gets the arrival if this is the person's first connection there; otherwise only the connection itself
        gets the count. Of a room with over 100 connections 101 are read, and the count is a minimum.
        """
        with self._in_order(room_id):
            members = self._connections.present(room_id, limit=MAX_PRESENCE_RECIPIENTS + 1)
            people = {connection.user_id, *(member.user_id for member in members)}
            if len(members) > MAX_PRESENCE_RECIPIENTS:
                frame = Presence(room_id=room_id, count=min(len(people), MAX_PRESENCE_RECIPIENTS), more=True)
                self._dispatcher.post(connection.connection_id, frame)
            elif entered and _is_first(connection, members):
                frame = Presence(room_id=room_id, count=len(people), joined=(connection.name,))
                self._dispatcher.post_many([member.connection_id for member in members], frame)
            else:
                self._dispatcher.post(connection.connection_id, Presence(room_id=room_id, count=len(people)))

    def departed(self, departures: Iterable[Departure]) -> None:
        """Announce connections that left their rooms, where it was their person's last one."""
        leavers: dict[str, dict[str, str]] = {}
        for departure in departures:
            for room_id in departure.rooms:
                leavers.setdefault(room_id, {})[departure.user_id] = departure.name
        for room_id, names in leavers.items():
            with self._in_order(room_id):
                self._announce_leavers(room_id, names)

    def typing(self, connection: Connection, room_id: str) -> None:
        """Announce that a person is typing to every other connection in the room, if there are not too many."""
        notice = TypingNotice(room_id=room_id, sender_id=connection.user_id, sender_name=connection.name)
        self.departed(
            self._dispatcher.post_to_room(
                room_id,
                notice,
                sender=connection.connection_id,
                to_sender=False,
                max_members=MAX_PRESENCE_RECIPIENTS,
            )
        )

    def _announce_leavers(self, room_id: str, names: dict[str, str]) -> None:
        members = self._connections.present(room_id, limit=MAX_PRESENCE_RECIPIENTS + 1)
        people = {member.user_id for member in members}
        left = [name for user_id, name in names.items() if user_id not in people]
        if left and members and len(members) <= MAX_PRESENCE_RECIPIENTS:
            frame = Presence(room_id=room_id, count=len(people), left=tuple(left[:MAX_NAMES]))
            self._dispatcher.post_many([member.connection_id for member in members], frame)

    @contextlib.contextmanager
    def _in_order(self, room_id: str) -> Iterator[None]:
        """Allow one at a time for each room; an error is logged and nothing else."""
        try:
            with self._locks.of(room_id):
                yield
        except Exception as error:
            log.warning("presence broadcast failed", exc_info=error)


def _is_first(connection: Connection, members: Sequence[Member]) -> bool:
    """Return whether this is the earliest connection of its person among ``members``.

    Of two that enter at once it is the earlier, or the one with the smaller id.
    """
    own = [(m.since, m.connection_id) for m in members if m.user_id == connection.user_id]
    return bool(own) and min(own)[1] == connection.connection_id
