"""A cache of the newest messages of each room, so that a reload shows them at once and requests only newer ones.

The server stays the authority: what is missing, unreadable or of another epoch is requested again. One row for each
room of each person.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chat import protocol
from chat.protocol import Message
from chat.read_marks import Marks, ReadMarks
from chat.room import Room
from chat.timeline import Entry
from kizuna import Platform, Storage, TimerHandle
from kizuna.delivery import TaskSet

logger = logging.getLogger("kizuna.cache")

TABLE = "rooms"
#: Messages stored for each room: several screens, read in far less than a second.
MAX_MESSAGES = 200
#: Seconds from a change until it is written: a burst is written once.
SAVE_DELAY = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedRoom:
    """A room as it was stored."""

    room_id: str
    entered_at: int
    seen: int
    epoch: str | None
    messages: tuple[Message, ...]


class RoomCache:
    """The cached rooms in ``storage``, and ``marks`` of what was read there. ``may_keep`` returns False once the person
    has signed out in any tab of this browser; then nothing is stored."""

    def __init__(
        self,
        storage: Storage,
        marks: ReadMarks,
        platform: Platform,
        may_keep: Callable[[], bool] = lambda: True,
    ) -> None:
        self._storage = storage
        self._marks = marks
        self._platform = platform
        self._may_keep = may_keep
        self._person: str | None = None
        self._changed: dict[str, Room] = {}
        self._saved: dict[str, _SavedRoom] = {}  # by room
        self._timer: TimerHandle | None = None
        self._tasks = TaskSet()

    async def start_for(self, person: str) -> list[CachedRoom]:
        """Store for this person from now on. Return their stored rooms, in the order entered."""
        self._forget_changes()
        self._saved = {}
        self._person = person
        found = await self._storage.read(TABLE, f"{person}/")
        rooms = [room for key, text in found.items() if (room := _read(key, text)) is not None]
        return sorted(rooms, key=lambda room: (room.entered_at, room.room_id))

    def read_marks(self) -> Marks:
        """Return how far the person has read in each room, in any tab."""
        return {} if self._person is None else self._marks.get(self._person)

    def forget_mark(self, room_id: str) -> None:
        """Forget how far the person has read in a room whose history was replaced."""
        if self._person is not None:
            self._marks.forget(self._person, room_id)

    def save_soon(self, room: Room) -> None:
        """Write the changed room within SAVE_DELAY."""
        if self._person is None or room.room_id in self._changed:
            return
        saved = self._saved.get(room.room_id)
        if saved is not None and saved.version == _version_of(room):
            return
        self._changed[room.room_id] = room
        if self._timer is None:
            self._timer = self._platform.call_at(self._platform.now().monotonic + SAVE_DELAY, self._save)

    def forget(self, room_id: str) -> None:
        """Delete a room that was left."""
        self._changed.pop(room_id, None)
        self._saved.pop(room_id, None)
        if self._person is not None:
            self._marks.forget(self._person, room_id)
            self._tasks.start(self._storage.write(TABLE, {}, [_key(self._person, room_id)]))

    def clear(self) -> None:
        """Delete everything of the person who signs out, and store nothing until start_for()."""
        self._forget_changes()
        if self._person is not None:
            self._tasks.start(self.delete(self._person))
        self._person = None

    async def delete(self, person: str) -> None:
        """Delete everything that is stored for this person."""
        self._marks.delete(person)
        await self._storage.write(TABLE, {}, await self._storage.keys(TABLE, f"{person}/"))

    def _save(self) -> None:
        rooms = tuple(self._changed.values())
        self._forget_changes()
        if self._person is not None and self._may_keep():
            self._marks.advance(
                self._person,
                {room.room_id: (room.epoch, room.seen) for room in rooms if room.epoch is not None},
            )
            rows: dict[str, str] = {}
            for room in rooms:
                saved = self._saved.setdefault(room.room_id, _SavedRoom())
                rows[_key(self._person, room.room_id)] = saved.write(room)
            self._tasks.start(self._storage.write(TABLE, rows))

    def _forget_changes(self) -> None:
        self._changed = {}
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _SavedRoom:
    """What was written of a room last. Each message is encoded once."""

    def __init__(self) -> None:
        self.version: tuple[object, ...] = ()
        self._texts: dict[int, tuple[object, str]] = {}  # by seq: of which message, and its text

    def write(self, room: Room) -> str:
        """Return the row of a room: its newest messages back from the watermark, without a gap."""
        self.version = _version_of(room)
        known, self._texts = self._texts, {}
        wanted = room.watermark
        for each in reversed(room.log.newest(MAX_MESSAGES)):
            if each.seq != wanted or room.epoch is None:
                break
            identity = (room.epoch, each.message_id, each.deleted)
            found = known.get(wanted)
            text = found[1] if found and found[0] == identity else _encode(each, room.room_id, room.epoch)
            self._texts[wanted] = (identity, text)
            wanted -= 1
        head = json.dumps({"enteredAt": room.entered_at, "seen": room.seen, "epoch": room.epoch})
        texts = [text for _, text in self._texts.values()]
        return f'{head[:-1]}, "messages": [{", ".join(reversed(texts))}]}}'


def _version_of(room: Room) -> tuple[object, ...]:
    return (room.log.version, room.seen, room.epoch, room.watermark, room.entered_at)


def _key(person: str, room_id: str) -> str:
    return f"{person}/{room_id}"


def _encode(each: Message | Entry, room_id: str, epoch: str) -> str:
    message = each if isinstance(each, Message) else _message(each, room_id, epoch)
    return json.dumps(protocol.to_object(message), ensure_ascii=False)


def _message(entry: Entry, room_id: str, epoch: str) -> Message:
    return Message(
        room_id=room_id,
        message_id=entry.message_id or "",
        sender_id=entry.sender_id,
        sender_name=entry.sender_name,
        content=entry.content,
        timestamp=entry.timestamp,
        epoch=epoch,
        seq=entry.seq,
        client_message_id=entry.client_message_id,
        deleted=entry.deleted,
    )


def _read(key: str, text: str) -> CachedRoom | None:
    """Return the room in ``text``; None if it is invalid or damaged."""
    try:
        row = json.loads(text)
        return CachedRoom(
            room_id=protocol.check_room("room", key.partition("/")[2]),
            entered_at=protocol.check_integer("enteredAt", row["enteredAt"]),
            seen=protocol.check_integer("seen", row["seen"]),
            epoch=None if row["epoch"] is None else protocol.check_id("epoch", row["epoch"]),
            messages=_contiguous(protocol.parse_down(message) for message in row["messages"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        logger.warning("could not read a cached room: %s", error)
        return None


def _contiguous(frames: Iterable[protocol.DownFrame]) -> tuple[Message, ...]:
    messages = tuple(frame for frame in frames if isinstance(frame, Message))
    seqs = [message.seq or 0 for message in messages]
    if seqs != list(range(seqs[0], seqs[0] + len(seqs)) if seqs else []):
        raise ValueError("its messages are not consecutive")
    return messages
