"""The records of connections: by connection, by person, by room.

    CONNECTION#<id>  METADATA           who it is, and whether it is pending or active
    CONNECTION#<id>  ROOM#<room>        one for each room it is in
    USER#<uid>       CONNECTION#<id>    a person's connections
    ROOM#<room>      CONNECTION#<id>    a room's connections, the recipients of a broadcast, with their people's names

A connection begins as *pending*: while ``$connect`` runs, its socket does not exist yet, and posting to it answers
Gone. Its first frame, ``hello``, makes it *active*. Gone removes active connections only.

The rule against stale records: nothing is written for a connection except in a transaction that checks that its
METADATA record still exists, and removal deletes METADATA first. Records written before that are seen by the consistent
read that follows; later writes fail. Of several removals at once, the one that deleted METADATA returns the departure,
so that it is announced once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from backend.auth.bans import Banned, not_banned
from backend.auth.tokens import Identity
from backend.store.base import (
    MAX_ACTIONS,
    Action,
    AttributeEquals,
    Check,
    Condition,
    ConditionFailed,
    Delete,
    Exists,
    Item,
    Put,
    Store,
)
from backend.store.retry import Retry
from chat.protocol import MAX_ROOMS_PER_HELLO

# The article's last measure against zombie records. API Gateway itself ends a connection after 2 h.
EXPIRY_SECONDS = 24 * 3600
# API Gateway ends a connection after 2 h; a record that is older was missed by $disconnect.
MAX_CONNECTION_SECONDS = 3 * 3600
# A pong names the head of each room and holds at most this many (chat.protocol).
MAX_ROOMS = MAX_ROOMS_PER_HELLO

CONNECTION_PREFIX = "CONNECTION#"
_METADATA = "METADATA"
_ROOM_PREFIX = "ROOM#"
_PENDING = "pending"
_ACTIVE = "active"


class UnknownConnection(Exception):
    """There is no record of this connection: it was removed, or never existed."""


class TooManyRooms(Exception):
    """The connection would be in more than 50 rooms."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection's record. ``token_expires_at`` and ``expires_at`` are epoch seconds."""

    connection_id: str
    user_id: str
    name: str
    active: bool
    token_expires_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Member:
    """A connection in a room. ``since``: milliseconds since 1970 when it entered."""

    connection_id: str
    user_id: str
    name: str
    since: int


@dataclass(frozen=True, slots=True)
class Departure:
    """A connection that has left these rooms."""

    user_id: str
    name: str
    rooms: tuple[str, ...]


class Connections:
    """The records of connections. ``clock`` gives epoch seconds."""

    def __init__(
        self, store: Store, *, clock: Callable[[], float] = time.time, retry: Retry | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._retry = retry or Retry()

    def open(self, connection_id: str, identity: Identity) -> None:
        """Record a connection whose socket is about to exist: pending. Raises Banned."""
        expires_at = int(self._clock()) + EXPIRY_SECONDS
        connection = Connection(
            connection_id, identity.user_id, identity.name, False, identity.expires_at, expires_at
        )
        opened_at = int(self._clock() * 1000)
        try:
            self._write(
                [
                    Put(_metadata(connection)),
                    Put(_of_user(connection, opened_at)),
                    not_banned(identity.user_id),
                ]
            )
        except ConditionFailed:
            raise Banned(f"{identity.user_id} is banned") from None

    def of_person(self, user_id: str, limit: int | None = None) -> list[str]:
        """Return the ids of a person's connections, pending or active, at most ``limit``, oldest first."""
        items = self._store.query(_user(user_id), prefix=CONNECTION_PREFIX, limit=limit)
        return [item["connectionId"] for item in sorted(items, key=_opened)]

    def has_at_least(self, user_id: str, count: int) -> bool:
        """Return whether a person has ``count`` connections, not counting records that are too old to be open."""
        items = self._store.query(_user(user_id), prefix=CONNECTION_PREFIX, limit=2 * count)
        latest = int((self._clock() - MAX_CONNECTION_SECONDS) * 1000)
        return sum(_opened(item) >= latest for item in items) >= count

    def get(self, connection_id: str) -> Connection | None:
        """Return the connection, pending or active, or None."""
        item = self._store.get(_partition(connection_id), _METADATA)
        return None if item is None else _connection(item)

    def activate(self, connection: Connection, rooms: Iterable[str]) -> frozenset[str]:
        """Make a connection active by its first frame, in ``rooms``. Again is no error and leaves no room.

        Returns the rooms in which it was not yet. Raises UnknownConnection if it was removed meanwhile, TooManyRooms.
        """
        return self._enter(connection, rooms, Put(_metadata(replace(connection, active=True)), Exists()))

    def join(self, connection: Connection, room_id: str) -> bool:
        """Enter one room; False if it was there already. Raises UnknownConnection, TooManyRooms."""
        return bool(self._enter(connection, [room_id], _exists(connection)))

    def leave(self, connection_id: str, room_id: str) -> bool:
        """Leave one room; False, and no error, if it was not there."""
        try:
            self._write(list(_leaving(connection_id, room_id, Exists())))
        except ConditionFailed:
            return False
        return True

    def is_in(self, connection_id: str, room_id: str) -> bool:
        """Return whether a connection is in a room."""
        return self._store.get(_partition(connection_id), _ROOM_PREFIX + room_id) is not None

    def rooms_of(self, connection_id: str) -> list[str]:
        """Return the rooms that a connection is in."""
        items = self._store.query(_partition(connection_id), prefix=_ROOM_PREFIX)
        return [item["roomId"] for item in items]

    def members(self, room_id: str, limit: int | None = None) -> list[str]:
        """Return the ids of the connections in a room, at most ``limit``."""
        items = self._store.query(_ROOM_PREFIX + room_id, prefix=CONNECTION_PREFIX, limit=limit)
        return [item["connectionId"] for item in items]

    def present(self, room_id: str, limit: int | None = None) -> list[Member]:
        """Return the connections in a room with their people, at most ``limit``."""
        items = self._store.query(_ROOM_PREFIX + room_id, prefix=CONNECTION_PREFIX, limit=limit)
        return [_member(item) for item in items]

    def remove(self, connection_id: str) -> Departure | None:
        """Delete every record of a connection. Again, or from several sides at once, is no error.

        Returns its departure, once: None if another call was first.
        """
        return self._remove(connection_id, Exists())

    def remove_gone(self, connection_id: str) -> Departure | None:
        """Do the same after posting answered Gone; a pending connection is kept, and None returned."""
        return self._remove(connection_id, AttributeEquals("state", _ACTIVE))

    def purge(self, connection_ids: Iterable[str]) -> None:
        """Delete the records of an earlier process, in few large transactions: they have no rivals."""
        records = (self._store.query(_partition(connection_id)) for connection_id in connection_ids)
        actions = (action for items in records for action in _deletions(items, None))
        while chunk := list(islice(actions, MAX_ACTIONS)):
            self._write(chunk)

    # --- inside ---

    def _enter(self, connection: Connection, rooms: Iterable[str], first: Put | Check) -> frozenset[str]:
        present = set(self.rooms_of(connection.connection_id))
        wanted = list(dict.fromkeys(rooms))
        if len(present.union(wanted)) > MAX_ROOMS:
            raise TooManyRooms(f"a connection can be in at most {MAX_ROOMS} rooms")
        since = int(self._clock() * 1000)
        puts: Iterator[Action] = (put for room in wanted for put in _entering(connection, room, since))
        guard: Action = first
        # One action of each transaction is the guard that the connection is still there.
        while (chunk := list(islice(puts, MAX_ACTIONS - 2))) or guard is first:
            try:
                self._write([guard, *chunk])
            except ConditionFailed:
                raise UnknownConnection(connection.connection_id) from None
            guard = _exists(connection)
        return frozenset(wanted) - present

    def _remove(self, connection_id: str, condition: Condition) -> Departure | None:
        removed: list[Item] = []
        # Usually once: whatever a racing join wrote between the read and METADATA's deletion is found by the second.
        while items := self._store.query(_partition(connection_id)):
            actions = _deletions(items, condition)
            while chunk := list(islice(actions, MAX_ACTIONS)):
                try:
                    self._write(chunk)
                except ConditionFailed:
                    if self.get(connection_id) is not None:
                        return None
                    break  # another call removed METADATA first; see what is left
            else:
                removed += items
        return _departure(removed)

    def _write(self, actions: Sequence[Action]) -> None:
        self._retry.run(lambda: self._store.transact(actions))


def connection_id_of(partition: str) -> str:
    """Return the connection id in a partition key that begins with ``CONNECTION#``."""
    return partition.removeprefix(CONNECTION_PREFIX)


def _partition(connection_id: str) -> str:
    return CONNECTION_PREFIX + connection_id


def _user(user_id: str) -> str:
    return f"USER#{user_id}"


def _opened(item: Item) -> int:
    """Return when a connection opened, milliseconds since 1970. Records of earlier versions know the second."""
    opened_at: int = item.get("openedAt", (item["expiresAt"] - EXPIRY_SECONDS) * 1000)
    return opened_at


def _exists(connection: Connection) -> Check:
    return Check(_partition(connection.connection_id), _METADATA, Exists())


def _metadata(connection: Connection) -> Item:
    return {
        "pk": _partition(connection.connection_id),
        "sk": _METADATA,
        "connectionId": connection.connection_id,
        "userId": connection.user_id,
        "name": connection.name,
        "state": _ACTIVE if connection.active else _PENDING,
        "tokenExpiresAt": connection.token_expires_at,
        "expiresAt": connection.expires_at,
    }


def _connection(item: Item) -> Connection:
    return Connection(
        connection_id=item["connectionId"],
        user_id=item["userId"],
        name=item["name"],
        active=item["state"] == _ACTIVE,
        token_expires_at=item["tokenExpiresAt"],
        expires_at=item["expiresAt"],
    )


def _of_user(connection: Connection, opened_at: int) -> Item:
    return {
        "pk": _user(connection.user_id),
        "sk": _partition(connection.connection_id),
        "connectionId": connection.connection_id,
        "openedAt": opened_at,
        "expiresAt": connection.expires_at,
    }


def _member(item: Item) -> Member:
    return Member(
        connection_id=item["connectionId"], user_id=item["userId"], name=item["name"], since=item["since"]
    )


def _departure(removed: Sequence[Item]) -> Departure | None:
    """Return the departure, if METADATA is among the removed items."""
    metadata = next((item for item in removed if item["sk"] == _METADATA), None)
    if metadata is None:
        return None
    rooms = tuple(item["roomId"] for item in removed if item is not metadata and "roomId" in item)
    return Departure(user_id=metadata["userId"], name=metadata["name"], rooms=rooms)


def _entering(connection: Connection, room_id: str, since: int) -> tuple[Action, Action]:
    here, room = _partition(connection.connection_id), _ROOM_PREFIX + room_id
    member = {
        "pk": room,
        "sk": here,
        "connectionId": connection.connection_id,
        "userId": connection.user_id,
        "name": connection.name,
        "since": since,
        # A connection gets no broadcasts after its token has expired; its next frame is answered by ``bye``.
        "expiresAt": min(connection.expires_at, connection.token_expires_at),
    }
    return Put({"pk": here, "sk": room, "roomId": room_id, "expiresAt": connection.expires_at}), Put(member)


def _leaving(connection_id: str, room_id: str, condition: Condition | None = None) -> tuple[Action, Action]:
    here, room = _partition(connection_id), _ROOM_PREFIX + room_id
    return Delete(here, room, condition), Delete(room, here)


def _deletions(items: Sequence[Item], condition: Condition | None) -> Iterator[Action]:
    """Yield the deletions of a connection's partition, METADATA first because it sorts before the rooms."""
    for item in items:
        if item["sk"] == _METADATA:
            yield Delete(item["pk"], item["sk"], condition)
            yield Delete(_user(item["userId"]), item["pk"])
        else:
            yield from _leaving(connection_id_of(item["pk"]), item["roomId"])
