"""Malformed frames are survived and reported."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import expect

from tests.support.peer import Peer
from tests.support.user_page import Changes, UserPage

NOT_AN_OBJECT = (
    "",
    "not JSON",
    "{",
    "[]",
    "[{}]",
    "42",
    '"text"',
    "null",
    "true",
    "NaN",
    "\ufeff{}",
    "[" * 20_000,
)
NOT_A_FRAME: tuple[dict[str, Any], ...] = (
    {},
    {"type": None},
    {"type": 42},
    {"type": "nobody knows this"},
    {"message": "Forbidden", "connectionId": "Mq1", "requestId": "Nr2"},
    {"message": "Internal server error", "connectionId": "Mq1", "requestId": "Nr2"},
    {"message": {"not": "text"}},
    {"type": "message"},
    {"type": "message", "roomId": 5, "messageId": [], "senderId": {}, "content": None, "timestamp": "now"},
    {"type": "ready"},
    {"type": "ready", "connectionId": "", "userId": 7, "serverTime": -1},
    {"type": "ack", "clientMessageId": None},
    {"type": "ack", "clientMessageId": "nobodys", "roomId": "x", "epoch": "e", "messageId": "m", "seq": 0},
    {"type": "nack", "clientMessageId": "nobodys", "code": 5},
    {"type": "batch", "roomId": "x", "messages": "none"},
    {"type": "batch", "roomId": "x", "epoch": "e", "head": "many", "complete": 1},
    {"type": "pong", "t": "late", "heads": {"a": 1}},
    {"type": "presence", "count": -5},
    {"type": "presence", "roomId": "general", "count": 2**53 - 1},
    {"type": "error", "code": ["x"]},
)


def test_malformed_frames_are_survived_and_reported(ada: UserPage, peer: Peer, room: str) -> None:
    ada.watch.allow("a frame from the server was ignored|malformed frame")
    before = ada.network.counts.websockets
    ada.say("before")
    ada.wait_for_text("before", state="sent")
    changes = ada.watch_log()
    frames: list[str | bytes] = [*NOT_AN_OBJECT, *map(json.dumps, NOT_A_FRAME), b"\x00\xff binary"]
    for frame in frames:
        assert ada.network.inject(frame) == 1
    almost = {
        "type": "message",
        "roomId": room,
        "messageId": "m1",
        "senderId": "s",
        "senderName": "S",
        "timestamp": 1,
    }
    ada.network.inject(json.dumps({**almost, "content": "x" * 30_000}))
    ada.network.inject(json.dumps({**almost, "content": " "}))

    peer.say("after")
    ada.wait_for_texts("before", "after")
    assert changes() == Changes(added=1, removed=0, touched=())
    expect(ada.page.get_by_role("alert").filter(visible=True)).to_have_count(1)
    ada.say("and the other way")
    peer.wait_to_hear("and the other way")
    assert ada.status == "connected"
    assert ada.network.counts.websockets == before
    assert ada.sockets_alive() == 1
