"""Messages and logs for the tests of a room's log."""

from __future__ import annotations

from typing import Any

from chat.protocol import Ack, Message
from chat.room_log import RoomLog


def message(seq: int | None = None, **parts: Any) -> Message:
    fields: dict[str, Any] = {
        "room_id": "general",
        "message_id": f"m{seq}",
        "sender_id": "her",
        "sender_name": "Mika",
        "content": f"words {seq}",
        "timestamp": 1_000_000 + (seq or 0) * 60_000,
        "epoch": "e",
        "seq": seq,
        "client_message_id": f"c{seq}" if seq else None,
    }
    return Message(**{**fields, **parts})


def ack(client_message_id: str, seq: int) -> Ack:
    return Ack(
        client_message_id=client_message_id,
        room_id="general",
        epoch="e",
        message_id=f"m{seq}",
        seq=seq,
        timestamp=2_000_000,
    )


def a_log(*seqs: int, me: str | None = "me", has_history: bool = True) -> RoomLog:
    """A log that is shown, with these messages."""
    log = RoomLog(me, has_history=has_history)
    log.show()
    for seq in seqs:
        log.add(message(seq))
    return log


def scrolled_up(*seqs: int) -> RoomLog:
    """The same, whose reader is not at the end."""
    log = a_log()
    log.set_place(follows=False)
    for seq in seqs:
        log.add(message(seq))
    return log


def contents(log: RoomLog) -> list[str]:
    return [entry.content for entry in log.publish().entries]


def seqs(log: RoomLog) -> list[int | None]:
    return [entry.seq for entry in log.publish().entries]
