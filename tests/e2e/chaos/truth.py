"""What the server has: its log of a room, asked for in its own protocol."""

from __future__ import annotations

from chat.protocol import Batch, History, Message
from tests.e2e.chaos.verdict import Line
from tests.support.peer import Peer
from tests.support.server import KizunaServer


def read_log(server: KizunaServer, room: str) -> list[Line]:
    """All messages of the room, in the order of their numbers as the server gave them out."""
    messages: dict[int, list[Message]] = {}
    with Peer(server, room, "Reader") as peer:
        batch = peer.wait_for(Batch)
        while True:
            for message in batch.messages:
                assert message.seq is not None, "this server numbers its messages"
                messages.setdefault(message.seq, []).append(message)
            first = min(messages, default=1)
            if first <= 1:
                break
            ref = f"before-{first}"
            peer.send(History(room_id=room, before=first, ref=ref))
            batch = peer.wait_for(Batch, lambda batch, ref=ref: batch.ref == ref)  # type: ignore[misc]
            assert batch.messages, f"the server has nothing before {first}"
    return [Line(message.content, seq) for seq in sorted(messages) for message in messages[seq]]
