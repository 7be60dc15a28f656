"""Frames of the article's own server, which have no type, no room and no name of the sender."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chat.room import Room

#: An object without a type is a message if it has the fields that the article's store reads.
_MESSAGE_FIELDS = ("messageId", "senderId", "content", "timestamp")


def complete_frame(frame: Mapping[str, Any], room_id: str) -> Mapping[str, Any]:
    """Return ``frame`` with the missing fields of a message: ``room_id``, and the sender's id as name."""
    if frame.get("type") not in (None, "message") or any(name not in frame for name in _MESSAGE_FIELDS):
        return frame
    return {"roomId": room_id, "senderName": frame["senderId"], **frame, "type": "message"}


def room_of_echo(data: Mapping[str, Any], rooms: Iterable[Room], shown: str) -> str:
    """Return the room of a frame without one: that with a pending message of this text, else the ``shown`` one."""
    for room in rooms:
        if any(entry.content == data.get("content") for entry in room.log.pending):
            return room.room_id
    return shown
