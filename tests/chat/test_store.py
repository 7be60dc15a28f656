"""The article's actions on the store: what is known already tells nobody."""

from __future__ import annotations

from chat.protocol import Message
from chat.store import ChatState, ChatStore


def message(number: int) -> Message:
    return Message(
        room_id="general",
        message_id=f"m{number}",
        sender_id="her",
        sender_name="Mika",
        content=f"words {number}",
        timestamp=number,
    )


def test_a_message_added_twice_is_shown_and_told_once() -> None:
    store = ChatStore()
    told: list[ChatState] = []
    store.subscribe(lambda state: state, told.append)
    store.add_message(message(1))
    before = store.state
    store.add_message(message(1))
    assert store.state is before
    store.add_message(message(2))
    assert [entry.content for entry in store.state.timeline.entries] == ["words 1", "words 2"]
    assert len(told) == 2


def test_a_link_noted_twice_is_told_once() -> None:
    store = ChatStore()
    told: list[bool] = []
    store.subscribe(lambda state: state, lambda state: told.append(state.is_connected))
    for connected in (True, True, False):
        store.set_connected(connected)
    assert told == [True, False]
