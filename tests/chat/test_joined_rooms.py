"""The rooms of one person: never more than the server allows, and each message found where it stands."""

from __future__ import annotations

from chat.joined_rooms import MAX_ROOMS, JoinedRooms
from chat.one_event import EventScope
from chat.protocol import Ack, Message
from chat.store import ChatStore
from chat.timeline import Delivery
from kizuna.delivery import CatchUp
from kizuna.service import WebSocketService
from kizuna.testing import FakePlatform


def joined_rooms() -> JoinedRooms:
    platform = FakePlatform()
    service = WebSocketService("ws://127.0.0.1", platform=platform)
    store = ChatStore()
    later = EventScope(store, platform, lambda changes: None, lambda: None)
    return JoinedRooms("me", CatchUp[Message, Ack](platform.now, service, later))


def test_a_room_of_an_earlier_page_is_not_reopened_when_full() -> None:
    book = joined_rooms()
    for number in range(MAX_ROOMS):
        book.enter(f"room-{number}", now_ms=number)
    assert book.reopen("one-too-many", entered_at=1) is None
    assert len(book) == MAX_ROOMS
    reopened = book.reopen("room-3", entered_at=99)
    assert reopened is book.get("room-3")
    assert book.summaries()[-1].room_id == "room-3"


def test_discarding_takes_only_what_the_server_does_not_have() -> None:
    book = joined_rooms()
    room, _ = book.enter("general", now_ms=1)
    for name in ("waits", "sent"):
        room.log.add_own(name, name, "Me", 5)
    room.log.mark("sent", Delivery.SENT)
    book.discard("waits")
    book.discard("sent")
    assert [entry.content for entry in room.log.publish().entries] == ["sent"]
