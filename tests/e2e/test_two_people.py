"""Two people in two browsers: each message once on both screens, own ones at once."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from tests.support.user_page import Changes, UserPage
from tests.support.waiting import eventually


def test_every_message_appears_once_on_both_screens_in_one_order(ada: UserPage, ben: UserPage) -> None:
    ada.say("Hello, Ben")
    ben.wait_for_text("Hello, Ben")
    ben.say("Hello, Ada", "How are you?")
    ada.wait_for_text("How are you?")
    ada.say("絆 holds")
    said = ["Hello, Ben", "Hello, Ada", "How are you?", "絆 holds"]
    for person in (ada, ben):
        person.wait_for_texts(*said)
        eventually(lambda: {message.state for message in person.messages} == {"sent", "received"})  # noqa: B023
        assert [message.seq for message in person.messages] == ["1", "2", "3", "4"]
        assert person.log.get_attribute("data-count") == "4"
        assert person.log.get_attribute("data-first-seq") == "1"
        assert person.log.get_attribute("data-last-seq") == "4"
    assert [message.message_id for message in ada.messages] == [
        message.message_id for message in ben.messages
    ]
    assert [message.state for message in ada.messages] == ["sent", "received", "received", "sent"]
    assert [message.state for message in ben.messages] == ["received", "sent", "sent", "received"]


def test_the_same_words_twice_in_a_row_are_two_messages(ada: UserPage, ben: UserPage) -> None:
    ada.say("ok", "ok")
    for person in (ada, ben):
        person.wait_for_texts("ok", "ok")


def test_ones_own_words_show_before_the_server_has_them(ada: UserPage, ben: UserPage) -> None:
    with ada.network.black_hole():
        ada.say("at once")
        ada.wait_for_text("at once")
        assert ada.messages[0].state in ("queued", "sending")
        assert ada.messages[0].seq is None
        assert ben.texts == []
    ada.wait_for_text("at once", state="sent")
    ben.wait_for_text("at once", state="received")


def test_nothing_happens_again_when_the_broadcast_of_ones_own_words_arrives(
    ada: UserPage, ben: UserPage
) -> None:
    with ada.network.black_hole():
        ada.say("only once")
        ada.wait_for_text("only once")
        changes = ada.watch_log()
    ada.wait_for_text("only once", state="sent")
    own = eventually(
        lambda: own_frames(ada, "only once", {"ack", "message"}), what="ack and broadcast of one's own words"
    )
    settled = changes()
    assert (settled.added, settled.removed) == (0, 0)  # the article on the screen became the stored one
    for frame in own * 2:  # and again, from a server that repeats itself
        ada.network.inject(frame)
    ben.say("after it")  # what a change looks like, and the proof that nothing else is under way
    ada.wait_for_texts("only once", "after it")
    assert changes() == Changes(added=1, removed=0, touched=())
    assert ada.messages[0].state == "sent"


def own_frames(person: UserPage, text: str, kinds: set[str]) -> list[str]:
    """Wait for and return the frames of these types about the message with this text."""
    own_id = next(message.client_message_id for message in person.messages if message.text == text)
    frames = {
        frame["type"]: raw
        for raw in person.watch.frames_received
        if (frame := json.loads(raw)).get("clientMessageId") == own_id
    }
    return list(frames.values()) if frames.keys() >= kinds else []


def test_the_address_chooses_the_room_and_rooms_are_apart(ada: UserPage, ben: UserPage, room: str) -> None:
    ada.say("in the first room")
    ben.wait_for_text("in the first room")
    ben.enter(f"{room}-2")
    assert ben.texts == []
    ben.say("in the second room")
    ben.wait_for_text("in the second room", state="sent")
    ada.say("nobody else here")
    ada.wait_for_text("nobody else here", state="sent")
    ada.wait_for_texts("in the first room", "nobody else here")
    ben.wait_for_texts("in the second room")
    ada.enter(f"{room}-2")
    ada.wait_for_texts("in the second room")
    ben.enter(room)
    ben.wait_for_texts("in the first room", "nobody else here")


def test_who_comes_later_reads_what_was_said(ada: UserPage, ben: UserPage, room: str) -> None:
    ben.enter(f"{room}-elsewhere")
    ada.say("one", "two", "three")
    ada.wait_for_text("three", state="sent")
    ben.enter(room)
    ben.wait_for_texts("one", "two", "three")
    assert urlsplit(ben.page.url).fragment == f"/{room}"
