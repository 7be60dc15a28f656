"""A hidden page tells of new messages as much as the person wants, and a visible one nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chat.preferences import NOTIFY_TEXT, NOTIFY_WHO
from chat.protocol import Message
from chat.store import ChatState, RoomSummary
from chat.timeline import EMPTY
from ui.kit.texts import Texts
from ui.shell.notifier import Notification, Notifier
from ui.shell.tab_icon import tab_icon

READY = ChatState(name="Mika", caught_up=True, rooms=(RoomSummary("general"), RoomSummary("tea", 2)))


@pytest.fixture
def notifier(keys: Texts) -> Notifier:
    notifier = Notifier(keys)
    assert notifier.update(READY, NOTIFY_WHO, hidden=True) == [], "what was unread before is not new"
    return notifier


def after(*messages: Message, tea: int = 2) -> ChatState:
    """Return the state once these messages have arrived in the shown room."""
    timeline = replace(EMPTY, arrivals=len(messages), latest=messages)
    return replace(
        READY, timeline=timeline, rooms=(RoomSummary("general", len(messages)), RoomSummary("tea", tea))
    )


def test_a_message_is_told_by_its_sender_and_room_alone(notifier: Notifier, message: Callable[..., Message]):
    (told,) = notifier.update(after(message(1)), NOTIFY_WHO, hidden=True)
    assert (told.title, told.text) == ("#general", "<announce.messages_from count=1 name=Ada>")
    assert notifier.update(after(message(1)), NOTIFY_WHO, hidden=True) == []


def test_its_text_is_told_only_if_the_person_wants_it(notifier: Notifier, message: Callable[..., Message]):
    (told,) = notifier.update(after(message(1)), NOTIFY_TEXT, hidden=True)
    assert told.text == "<announce.message name=Ada text=words 1>"


def test_many_messages_are_told_by_their_number(notifier: Notifier, message: Callable[..., Message]):
    (told,) = notifier.update(after(message(1), message(2, "Ren")), NOTIFY_TEXT, hidden=True)
    assert told.text == "<announce.messages count=2>"


def test_messages_of_another_room_are_counted(notifier: Notifier):
    assert notifier.update(after(tea=5), NOTIFY_WHO, hidden=True) == [
        Notification("tea", "<announce.messages count=3>")
    ]


@pytest.mark.parametrize(("choice", "hidden"), [("", True), (NOTIFY_TEXT, False)])
def test_nothing_is_told_unasked_or_on_a_visible_page(
    notifier: Notifier, message: Callable[..., Message], choice: str, hidden: bool
):
    assert notifier.update(after(message(1), tea=5), choice, hidden=hidden) == []
    assert notifier.update(after(message(1), tea=5), NOTIFY_TEXT, hidden=True) == [], (
        "it is not told later either"
    )


def test_who_left_and_joins_again_is_told_of_nothing_old(notifier: Notifier, message: Callable[..., Message]):
    notifier.update(ChatState(), NOTIFY_WHO, hidden=True)
    assert notifier.update(after(message(1)), NOTIFY_WHO, hidden=True) == []


@pytest.mark.parametrize(
    ("unread", "in_trouble", "icon"),
    [(0, False, ""), (3, False, "unread"), (3, True, "offline"), (0, True, "offline")],
)
def test_the_tabs_icon_tells_of_a_lost_connection_first(unread: int, in_trouble: bool, icon: str):
    assert tab_icon(unread, in_trouble=in_trouble) == icon
