"""New is what others said while one was here."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chat.protocol import Message
from chat.store import ChatState
from chat.timeline import Timeline
from ui.shell.new_messages import NewMessages

MakeMessage = Callable[..., Message]
MakeTimeline = Callable[..., Timeline]


@pytest.fixture
def state(timeline: MakeTimeline) -> ChatState:
    return ChatState(name="Mika", user_id="u-me", caught_up=True, timeline=timeline(5, 6))


@pytest.fixture
def arrivals(state: ChatState) -> NewMessages:
    arrivals = NewMessages()
    arrivals.update(replace(state, caught_up=False, timeline=Timeline(me="u-me")))
    assert arrivals.update(state) == []  # what loads at the start is not new
    return arrivals


def add(state: ChatState, *messages: Message) -> ChatState:
    return replace(state, timeline=state.timeline.add_many(messages))


def test_what_others_say_is_new_once(arrivals: NewMessages, state: ChatState, message: MakeMessage):
    state = add(state, message(7), message(8))
    assert [entry.seq for entry in arrivals.update(state)] == [7, 8]
    assert arrivals.update(state) == []


def test_one_s_own_words_are_not_new(arrivals: NewMessages, state: ChatState, message: MakeMessage):
    state = replace(state, timeline=state.timeline.add_own("c-own", "hi", "Mika", 1))
    arrivals.update(state)
    assert arrivals.update(add(state, message(7, "me"))) == []


def test_earlier_messages_are_not_new(arrivals: NewMessages, state: ChatState, message: MakeMessage):
    assert arrivals.update(add(state, message(3), message(4))) == []


def test_what_was_missed_while_disconnected_is_new(
    arrivals: NewMessages, state: ChatState, message: MakeMessage
):
    assert arrivals.update(replace(state, caught_up=False)) == []
    missed = replace(add(state, message(7), message(8), message(9)), caught_up=False)
    assert len(arrivals.update(missed)) == 3
    assert arrivals.update(replace(missed, caught_up=True)) == []


def test_the_first_message_of_an_empty_room_is_new(message: MakeMessage):
    arrivals, state = NewMessages(), ChatState(name="Mika", caught_up=True, timeline=Timeline(me="u-me"))
    arrivals.update(state)
    assert len(arrivals.update(add(state, message(1)))) == 1


def test_messages_without_numbers_are_counted_too(
    arrivals: NewMessages, state: ChatState, message: MakeMessage
):
    unnumbered = replace(message(7), seq=None, epoch=None, client_message_id=None)
    assert len(arrivals.update(add(state, unnumbered))) == 1


def test_another_room_s_history_is_not_new(arrivals: NewMessages, state: ChatState, message: MakeMessage):
    other = replace(state, room_id="other", caught_up=False, timeline=Timeline(me="u-me"))
    arrivals.update(other)
    assert arrivals.update(add(other, message(1), message(2))) == []


def test_who_left_hears_nothing_new(arrivals: NewMessages, state: ChatState, message: MakeMessage):
    arrivals.update(replace(state, name=None, timeline=Timeline()))
    assert arrivals.update(replace(add(state, message(7)), caught_up=False)) == []


def test_a_reloaded_history_is_not_counted_again(
    arrivals: NewMessages, state: ChatState, message: MakeMessage, timeline: MakeTimeline
):
    assert arrivals.update(replace(state, timeline=timeline(4, 5, 6))) == []
