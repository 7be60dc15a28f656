"""A restart of the server: no message is lost, and the page shows what happens."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.e2e.test_exhausted import attempts_of
from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tests.support.user_page import UserPage
from tests.support.waiting import eventually


def test_words_typed_while_the_server_was_away_arrive_once_and_in_order(
    ada: UserPage, ben: UserPage, server: KizunaServer
) -> None:
    for person in (ada, ben):
        person.watch.allow_network_trouble()
    ada.say("before")
    ben.wait_for_text("before")

    server.stop()
    for person in (ada, ben):
        person.wait_for_status("waiting")
        expect(person.page.get_by_text(re.compile(r"in \d+ s")).first).to_be_visible()  # when it tries again
        expect(person.try_now_button).to_be_visible()
        expect(person.root).to_have_attribute("data-caught-up", "false")
    ada.say("Ada's first", "Ada's second")
    ben.say("Ben's first")
    ada.say("Ada's third")
    for text in ("Ada's first", "Ada's second", "Ada's third"):
        ada.wait_for_text(text, state="queued")
    assert ben.texts == ["before", "Ben's first"]

    for person in (ada, ben):
        eventually(lambda: attempts_of(person) >= 2, what="two attempts in vain")  # noqa: B023
        assert person.status in ("waiting", "connecting")
    server.start()
    for person in (ada, ben):
        person.wait_until_in()
        expect(person.try_now_button).to_be_hidden()
        eventually(lambda: len(person.texts) == 5)  # noqa: B023
    assert ada.texts == ben.texts
    assert ada.texts[0] == "before"
    assert [text for text in ada.texts if "Ada" in text] == ["Ada's first", "Ada's second", "Ada's third"]
    assert ada.texts.count("Ben's first") == 1
    assert [message.seq for message in ada.messages] == ["1", "2", "3", "4", "5"]
    eventually(lambda: {message.state for message in ada.messages} == {"sent", "received"})

    # The same file: what was said before is there, also for a page that begins anew; and the name is remembered.
    before_the_reload = ada.messages
    ada.reload()
    ada.wait_until_in()
    eventually(lambda: ada.messages == before_the_reload, what="the same timeline after a reload")


def test_a_server_that_is_killed_loses_nothing_either(
    quinn: UserPage, server: KizunaServer, room: str
) -> None:
    quinn.watch.allow_network_trouble()
    quinn.say("before")
    quinn.wait_for_text("before", state="sent")
    server.kill()
    quinn.say("while it is dead")
    server.start()
    quinn.try_now_if_shown()
    quinn.wait_for_text("while it is dead", state="sent")
    with Peer(server, room) as peer:
        assert peer.heard == ["before", "while it is dead"]
    quinn.wait_for_texts("before", "while it is dead")


def test_messages_of_others_during_a_network_outage_arrive_afterwards(quinn: UserPage, peer: Peer) -> None:
    quinn.watch.allow_network_trouble()
    peer.say("before")
    quinn.wait_for_text("before")
    with quinn.network.down():
        quinn.wait_for_status("waiting", "connecting", "exhausted")
        quinn.say("mine")
        peer.say("theirs, one", "theirs, two")
    quinn.try_now_if_shown()
    quinn.wait_until_in()
    quinn.wait_for_text("mine", state="sent")
    quinn.wait_for_texts("before", "theirs, one", "theirs, two", "mine")
    peer.wait_to_hear("mine")


def test_words_that_wait_outlive_a_reload_of_the_page(quinn: UserPage, peer: Peer) -> None:
    quinn.watch.allow_network_trouble()
    with quinn.network.http_status(503):
        quinn.network.reset(only_websockets=True)
        quinn.wait_for_status("waiting", "connecting", "exhausted")
        quinn.say("before the reload")
        quinn.reload()
        quinn.wait_for_text("before the reload", state="queued")
    quinn.try_now_if_shown()
    quinn.wait_for_text("before the reload", state="sent")
    peer.wait_to_hear("before the reload")
