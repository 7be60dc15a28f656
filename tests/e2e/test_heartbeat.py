"""The heartbeat of an open link, which finds silently dead ones."""

from __future__ import annotations

import itertools
import json
from typing import Any

from tests.support.fault_proxy import Way
from tests.support.peer import Peer
from tests.support.shared_pages import QUICK
from tests.support.user_page import UserPage
from tests.support.waiting import eventually


def frames_of(person: UserPage, kind: str) -> list[dict[str, Any]]:
    """Return the pings that the page has sent, or the pongs that it has received."""
    person.page.title()  # lets events arrive
    frames = [json.loads(text) for text in (*person.watch.frames_sent, *person.watch.frames_received)]
    return [frame for frame in frames if kind in (frame.get("action"), frame.get("type"))]


def test_pings_go_out_one_an_interval_and_are_answered(quinn: UserPage) -> None:
    before = len(frames_of(quinn, "ping"))
    eventually(lambda: len(frames_of(quinn, "ping")) >= before + 3, what="three pings")
    sent = [frame["t"] / 1000 for frame in frames_of(quinn, "ping")][before:]
    assert min(later - ping for ping, later in itertools.pairwise(sent)) > QUICK["heartbeatInterval"] - 0.1
    eventually(lambda: len(frames_of(quinn, "pong")) >= 3, what="three pongs")
    assert quinn.status == "connected"


def test_nobody_pings_after_leaving(quinn: UserPage) -> None:
    eventually(lambda: frames_of(quinn, "ping"))
    quinn.leave()
    sent = len(frames_of(quinn, "ping"))
    quinn.stays_as("closed", seconds=QUICK["heartbeatInterval"] + 1)
    assert len(frames_of(quinn, "ping")) == sent


def test_a_silently_dead_link_is_replaced_and_nothing_is_lost(quinn: UserPage, peer: Peer) -> None:
    peer.say("before")
    quinn.wait_for_text("before")
    before = quinn.network.counts.websockets
    assert quinn.network.strand(only_websockets=True) == 1
    quinn.say("into the void")
    peer.say("unheard")
    quinn.wait_for_text("into the void")
    quinn.network.wait_until(lambda seen: seen.websockets == before + 1)
    quinn.wait_until_in()
    quinn.wait_for_text("into the void", state="sent")
    quinn.wait_for_texts("before", "unheard", "into the void")
    peer.wait_to_hear("into the void")
    assert peer.heard.count("into the void") == 1
    assert quinn.sockets_alive() == 1
    quinn.watch.allow_network_trouble()
    quinn.network.reset()  # the dead link too, before the next test


def test_a_message_whose_ack_was_lost_is_not_duplicated(quinn: UserPage, peer: Peer) -> None:
    quinn.watch.allow_network_trouble()
    quinn.network.strand(Way.DOWN, only_websockets=True)
    quinn.say("heard, but not confirmed")
    peer.wait_to_hear("heard, but not confirmed")
    # Messages may arrive faster than they are drawn.
    quinn.wait_for_text("heard, but not confirmed", state="sending")
    quinn.network.reset(only_websockets=True)
    quinn.wait_for_text("heard, but not confirmed", state="sent")
    peer.say("and on it goes")
    quinn.wait_for_texts("heard, but not confirmed", "and on it goes")
    assert peer.heard == ["heard, but not confirmed", "and on it goes"]


def test_a_frame_that_was_cut_in_the_middle_arrives_whole_after_all(quinn: UserPage, peer: Peer) -> None:
    quinn.watch.allow_network_trouble()
    quinn.network.cut_mid_frame()
    peer.say("cut in the middle " * 20)
    quinn.wait_for_text(("cut in the middle " * 20), state="received")
    quinn.wait_until_in()
