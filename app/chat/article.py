"""Frames of the article's own server, which have no type, no room and no name of the sender."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from chat.protocol import Ack, Message
from chat.room import Room

#: An object without a type is a message if it has the fields that the article's store reads.
_MESSAGE_FIELDS = ("messageId", "senderId", "content", "timestamp")


def complete_frame(frame: Mapping[str, Any], rooms: Iterable[Room], shown: str) -> Mapping[str, Any]:
    """Return ``frame`` with the missing fields of a message: the room, and the sender's id as name.

    The room is the one with a pending message of this text, else the ``shown`` one.
    """
    if frame.get("type") not in (None, "message") or any(name not in frame for name in _MESSAGE_FIELDS):
        return frame
    room_id = _room_of_echo(frame, rooms) or shown
    return {"roomId": room_id, "senderName": frame["senderId"], **frame, "type": "message"}


def place_echoes(
    room: Room, items: Iterable[Message | Ack], add: Callable[[Message], bool]
) -> Iterator[str | None]:
    """Add messages, and yield the client ids of those that turned out to be this person's own. ``add``: returns whether
    a message is new."""
    for message in items:
        assert isinstance(message, Message)
        awaited = None if room.log.is_known(message) else room.log.pending_for(message)
        room.note_unnumbered(message, add(message))
        if awaited is not None:
            yield awaited.client_message_id


def _room_of_echo(frame: Mapping[str, Any], rooms: Iterable[Room]) -> str | None:
    for room in rooms:
        if any(entry.content == frame.get("content") for entry in room.log.pending):
            return room.room_id
    return None
