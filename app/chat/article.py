"""Frames of the article's own server, which have no type, no room and no name of the sender."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: An object without a type is a message if it has the fields that the article's store reads.
_MESSAGE_FIELDS = ("messageId", "senderId", "content", "timestamp")


def complete_frame(frame: Mapping[str, Any], room_id: str) -> Mapping[str, Any]:
    """Return ``frame`` with the missing fields of a message: ``room_id``, and the sender's id as name."""
    if frame.get("type") not in (None, "message") or any(name not in frame for name in _MESSAGE_FIELDS):
        return frame
    return {"roomId": room_id, "senderName": frame["senderId"], **frame, "type": "message"}
