"""Other faults of network and server, from which the page recovers, or which it obeys."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import expect

from tests.support.fault_proxy import FaultProxy
from tests.support.peer import Peer
from tests.support.user_page import UserPage

HANDSHAKES: dict[str, Callable[[FaultProxy], AbstractContextManager[None]]] = {
    "never answered": lambda network: network.accept_and_hang(only_websockets=True),
    "answered by 401": lambda network: network.http_status(401),
    "answered by 503": lambda network: network.http_status(503),
    "cut off": lambda network: network.accept_then_close(only_websockets=True),
    "accepted and dropped": lambda network: network.accept_then_close(after_handshake=True),
}


@pytest.mark.parametrize("handshake", HANDSHAKES)
def test_a_handshake_that_fails_is_tried_again_and_nothing_is_lost(
    quinn: UserPage, peer: Peer, handshake: str
) -> None:
    quinn.watch.allow_network_trouble()
    with HANDSHAKES[handshake](quinn.network):
        before = quinn.network.counts.websockets
        quinn.network.reset(only_websockets=True)
        quinn.say("kept")
        quinn.network.wait_until(lambda seen: seen.websockets >= before + 2)
        assert quinn.sockets_alive() <= 1
        assert quinn.status != "connected"
    quinn.network.reset(only_websockets=True)  # what was never answered
    quinn.try_now_if_shown()
    quinn.wait_until_in()
    quinn.wait_for_text("kept", state="sent")
    peer.wait_to_hear("kept")
    assert peer.heard == ["kept"]
    assert quinn.sockets_alive() == 1


def test_a_browser_without_network_says_so_and_comes_back_with_it(quinn: UserPage, peer: Peer) -> None:
    quinn.watch.allow_network_trouble()
    quinn.page.context.set_offline(True)
    try:
        quinn.wait_for_status("offline")  # the flag may lie, so a probe had to fail first
        expect(quinn.try_now_button).to_be_visible()
        quinn.say("in a tunnel")
        peer.say("outside")
    finally:
        quinn.page.context.set_offline(False)
    quinn.wait_until_in()
    quinn.wait_for_text("in a tunnel", state="sent")
    quinn.wait_for_texts("outside", "in a tunnel")
    peer.wait_to_hear("in a tunnel")


def test_a_bye_without_reconnect_is_obeyed_until_joining_again(
    quinn: UserPage,
) -> None:
    seen = quinn.network.counts.websockets
    quinn.network.inject(json.dumps({"type": "bye", "reason": "You are not welcome", "reconnect": False}))
    quinn.wait_for_status("rejected")
    assert quinn.sockets_alive() == 0
    quinn.stays_as("rejected", seconds=2)
    assert quinn.network.counts.websockets == seen
    quinn.leave()
    quinn.join()
