"""A screen reader hears little, and what it hears is true."""

from collections.abc import Callable

import pytest

from chat.protocol import Message
from ui.kit.texts import Texts
from ui.shell.announcer import MESSAGES_EVERY, STATUS_EVERY, Announcement, Announcer
from ui.shell.new_messages import New

Make = Callable[..., Message]


@pytest.fixture
def announcer(keys: Texts) -> Announcer:
    return Announcer(keys)


def new(*messages: Message) -> New:
    return New(len(messages), messages)


def said(announcer: Announcer, now: float) -> list[str]:
    return [utterance.text for utterance in announcer.due(now)]


def test_one_message_is_read_out(announcer: Announcer, message: Make):
    announcer.add_messages(new(message(1, content="hello")))
    assert said(announcer, 0.0) == ["<announce.message name=Ada text=hello>"]
    assert announcer.next_due() is None


def test_a_deleted_message_is_told_as_one(announcer: Announcer, message: Make):
    announcer.add_messages(new(message(1, content="[deleted]", deleted=True)))
    assert said(announcer, 0.0) == ["<message.deleted>"]


def test_many_messages_are_counted_once_a_second(announcer: Announcer, message: Make):
    announcer.add_messages(new(message(1)))
    announcer.due(10.0)
    announcer.add_messages(new(message(2)))
    announcer.add_messages(new(message(3, sender="Grace")))
    assert said(announcer, 10.5) == []
    assert announcer.next_due() == 10.0 + MESSAGES_EVERY
    assert said(announcer, 10.0 + MESSAGES_EVERY) == ["<announce.messages count=2>"]


def test_messages_of_one_person_are_counted_by_name(announcer: Announcer, message: Make):
    announcer.add_messages(new(message(1), message(2), message(3)))
    assert said(announcer, 0.0) == ["<announce.messages_from count=3 name=Ada>"]


def test_a_long_message_is_cut(announcer: Announcer, message: Make):
    announcer.add_messages(new(message(1, content="x" * 5_000)))
    assert len(said(announcer, 0.0)[0]) < 300


def test_the_connection_is_told_once_per_change(announcer: Announcer):
    announcer.set_status("lost")
    assert said(announcer, 0.0) == ["lost"]
    announcer.set_status("lost")
    assert said(announcer, 60.0) == []
    assert announcer.next_due() is None


def test_the_connection_is_announced_at_most_every_five_seconds(announcer: Announcer):
    announcer.set_status("lost")
    announcer.due(0.0)
    announcer.set_status("back")
    assert said(announcer, 1.0) == []
    assert announcer.next_due() == STATUS_EVERY
    announcer.set_status("lost again")
    assert said(announcer, STATUS_EVERY) == ["lost again"]


def test_failure_is_said_at_once(announcer: Announcer):
    announcer.set_status("lost")
    announcer.due(0.0)
    announcer.set_status("failed", at_once=True)
    assert announcer.due(0.1) == [Announcement("failed", at_once=True)]


def test_what_is_over_before_it_was_said_is_not_said(announcer: Announcer):
    announcer.set_status("lost")
    announcer.due(0.0)
    announcer.set_status("back")
    announcer.set_status("")
    assert said(announcer, 60.0) == []
    assert announcer.next_due() is None


def test_the_same_words_again_are_made_different_for_the_reader(announcer: Announcer, message: Make):
    announcer.add_messages(new(message(1, content="ok")))
    first = said(announcer, 0.0)[0]
    announcer.add_messages(new(message(2, content="ok")))
    second = said(announcer, 10.0)[0]
    assert first != second
    assert second.rstrip("\u200b") == first


def test_failed_messages_are_announced_at_the_first_and_the_second(
    announcer: Announcer,
):
    heard = []
    for now, count in enumerate([0, 1, 1, 2, 2, 3, 9], start=100):
        announcer.set_unsent("tea", count)
        heard.append(said(announcer, float(now)))
    one, several = ["<unsent.words count=1>"], ["<unsent.words count=2>"]
    assert heard == [[], one, [], several, [], [], []]
    assert announcer.next_due() is None


def test_many_failures_in_a_moment_are_said_together(announcer: Announcer):
    announcer.set_unsent("tea", 1)
    announcer.due(10.0)
    for count in (2, 3):
        announcer.set_unsent("tea", count)
        assert said(announcer, 10.1) == []
    assert announcer.next_due() == 10.0 + MESSAGES_EVERY
    assert said(announcer, 10.0 + MESSAGES_EVERY) == ["<unsent.words count=3>"]


def test_failures_that_come_again_or_in_another_room_are_said_again(announcer: Announcer):
    heard = []
    for now, (room, count) in enumerate([("tea", 2), ("tea", 0), ("tea", 2), ("general", 2)]):
        announcer.set_unsent(room, count)
        heard += said(announcer, 10.0 * now)
    assert [words.rstrip("\u200b") for words in heard] == ["<unsent.words count=2>"] * 3


def test_another_room_is_announced_with_what_was_unread_there(announcer: Announcer):
    announcer.enter_room("tea", 3)
    assert announcer.due(0.0) == [Announcement("<announce.room_unread room=tea count=3>")]
    assert announcer.due(0.0) == []
    announcer.enter_room("general", 0)
    assert announcer.due(0.0) == [Announcement("<announce.room room=general count=0>")]
