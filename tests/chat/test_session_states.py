"""One event, one published state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chat.session import ChatSession
from chat.timeline import Delivery
from kizuna.core.states import Status
from tests.chat.session_harness import ROOM, SessionHarness, ack, message


def own_broadcast(client_message_id: str) -> dict[str, Any]:
    mine = {"senderId": "id-of-Mika", "senderName": "Mika", "content": "hello"}
    return message(1, clientMessageId=client_message_id, **mine)


def nack(client_message_id: str) -> dict[str, Any]:
    words = {"code": "busy", "message": "later", "retryable": True, "retryAfter": 9}
    return {"type": "nack", "clientMessageId": client_message_id, **words}


@pytest.mark.parametrize(
    ("frame_for", "states"),
    [
        (lambda mine: ack(mine, 1), 1),
        (own_broadcast, 1),
        (nack, 1),
        (lambda mine: message(1), 1),
        (lambda mine: message(3), 0),  # held until the gap is filled
        (lambda mine: {"type": "typing", **ROOM, "senderId": "id-of-Ren", "senderName": "Ren"}, 1),
        (lambda mine: {"type": "presence", "roomId": "general", "count": 2, "joined": [], "left": []}, 1),
        (lambda mine: {"type": "error", "code": "internal_error", "message": "oh"}, 1),
        (lambda mine: {"type": "message"}, 1),
    ],
    ids=["ack", "own", "nack", "message", "early", "typing", "presence", "error", "malformed"],
)
async def test_one_frame_publishes_one_state(
    harness: SessionHarness, frame_for: Callable[[str], dict[str, Any]], states: int
) -> None:
    await harness.join()
    await harness.send("hello")
    harness.seen_states.clear()
    harness.socket.receive(frame_for(harness.sent("sendMessage")[0]["clientMessageId"]))
    assert len(harness.seen_states) == states


async def test_a_lost_connection_publishes_one_state(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("hello")
    harness.seen_states.clear()
    harness.socket.drop()
    (state,) = harness.seen_states
    assert (state.connection.status, state.is_connected) == (Status.WAITING, False)
    assert harness.entries() == [("hello", Delivery.QUEUED)]


@pytest.mark.parametrize("act", [lambda session: session.leave(), lambda session: session.enter_room("side")])
async def test_one_action_publishes_one_state(
    harness: SessionHarness, act: Callable[[ChatSession], None]
) -> None:
    await harness.join(head=1, messages=[message(1)])
    harness.seen_states.clear()
    act(harness.session)
    assert len(harness.seen_states) == 1
