"""The frames of the article's own server, which says less than ours: no type, no room, no name of the sender."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What makes an object without a type a message: all that the article's store looks at.
_MESSAGE_FIELDS = ("messageId", "senderId", "content", "timestamp")


def complete_frame(frame: Mapping[str, Any], room_id: str) -> Mapping[str, Any]:
    """``frame`` with what a message lacks: it belongs to ``room_id``, and its sender is called by their id."""
    if frame.get("type") not in (None, "message") or any(name not in frame for name in _MESSAGE_FIELDS):
        return frame
    return {"roomId": room_id, "senderName": frame["senderId"], **frame, "type": "message"}
