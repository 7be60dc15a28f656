"""New is what others said while one was here."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chat.protocol import Message
from chat.room_log import MAX_LATEST, RoomLog
from chat.store import ChatState
from ui.shell.new_messages import NewMessages

MakeMessage = Callable[..., Message]


class Reader:
    """A person in a room, and what is new to them."""

    def __init__(self, message: MakeMessage) -> None:
        self.log = RoomLog("u-me")
        self.new_messages = NewMessages()
        self._message = message

    def hear(self, *seqs: int, sender: str = "Ada") -> None:
        for seq in seqs:
            self.log.add(self._message(seq, sender))

    def new(
        self, *, caught_up: bool = True, room: str = "general", name: str | None = "Mika"
    ) -> list[int | None]:
        state = ChatState(
            name=name, user_id="u-me", room_id=room, caught_up=caught_up, timeline=self.log.publish()
        )
        new = self.new_messages.update(state)
        assert new.count >= len(new.latest)
        return [message.seq for message in new.latest]


@pytest.fixture
def reader(message: MakeMessage) -> Reader:
    reader = Reader(message)
    assert reader.new(caught_up=False) == []
    reader.hear(5, 6)
    assert reader.new() == []  # what loads at the start is not new
    return reader


def test_what_others_say_is_new_once(reader: Reader):
    reader.hear(7, 8)
    assert reader.new() == [7, 8]
    assert reader.new() == []


def test_one_s_own_words_are_not_new(reader: Reader):
    reader.log.add_own("c-own", "hi", "Mika", 1)
    assert reader.new() == []
    reader.hear(7, sender="me")
    assert reader.new() == []


def test_earlier_messages_are_not_new(reader: Reader, message: MakeMessage):
    reader.log.add_earlier([message(3), message(4)])
    assert reader.new() == []


def test_what_was_missed_while_disconnected_is_new(reader: Reader):
    assert reader.new(caught_up=False) == []
    reader.hear(7, 8, 9)
    assert reader.new(caught_up=False) == [7, 8, 9]
    assert reader.new() == []


def test_the_first_message_of_an_empty_room_is_new(message: MakeMessage):
    reader = Reader(message)
    assert reader.new() == []
    reader.hear(1)
    assert reader.new() == [1]


def test_messages_without_numbers_are_counted_too(reader: Reader, message: MakeMessage):
    reader.log.add(message(7, seq=None, epoch=None, client_message_id=None))
    assert reader.new() == [None]


def test_a_first_page_is_not_new(reader: Reader, message: MakeMessage):
    reader.log.restart()
    for seq in (4, 5, 6, 7):
        reader.log.add(message(seq), arrives=False)
    assert reader.new() == []


def test_another_room_s_history_is_not_new(reader: Reader):
    assert reader.new(room="other", caught_up=False) == []
    reader.hear(7, 8)
    assert reader.new(room="other", caught_up=False) == []


def test_who_left_hears_nothing_new(reader: Reader):
    assert reader.new(name=None) == []
    reader.hear(7)
    assert reader.new(caught_up=False) == []


def test_a_room_that_was_left_and_entered_has_nothing_new(reader: Reader):
    reader.log = RoomLog("u-me")
    assert reader.new() == []
    reader.hear(7)
    assert reader.new() == [7]


def test_very_many_new_messages_are_counted(reader: Reader):
    reader.hear(*range(7, 7 + 2 * MAX_LATEST))
    state = ChatState(name="Mika", caught_up=True, timeline=reader.log.publish())
    new = reader.new_messages.update(state)
    assert (new.count, len(new.latest), new.latest[-1].seq) == (2 * MAX_LATEST, MAX_LATEST, 206)
