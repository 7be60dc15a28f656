"""The inspector in a real page: opened by keyboard, read, and used to break the connection."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Locator, expect

from tests.support.peer import Peer
from tests.support.user_page import UserPage
from tests.support.waiting import eventually


def inspector_of(person: UserPage, role: Literal["complementary", "dialog"] = "complementary") -> Locator:
    """Return the inspector."""
    return person.page.get_by_role(role, name="Connection", exact=True)


def open_by_keyboard(person: UserPage, role: Literal["complementary", "dialog"] = "complementary") -> Locator:
    """Open the inspector with the keyboard, and return it."""
    pill = person.page.get_by_role("status").get_by_role("button", name="Connected", exact=True)
    pill.focus()
    pill.press("Enter")
    inspector = inspector_of(person, role)
    expect(inspector.get_by_role("heading", name="Connection", exact=True)).to_be_focused()
    return inspector


def test_the_pill_opens_the_inspector_and_escape_closes_it(ada: UserPage) -> None:
    button = ada.page.locator("#connection-button")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(inspector_of(ada)).to_be_hidden()
    inspector = open_by_keyboard(ada)
    expect(button).to_have_attribute("aria-expanded", "true")
    ada.message_box.focus()
    ada.message_box.press("Escape")  # of another part
    expect(inspector).to_be_visible()
    inspector.get_by_role("button", name="Close", exact=True).press("Escape")
    expect(inspector).to_be_hidden()
    expect(button).to_be_focused()
    assert ada.run("() => document.getElementById('inspector').childElementCount") == 0
    ada.say("still here")
    ada.wait_for_text("still here", state="sent")


def test_on_a_phone_a_sheet_covers_the_rest_until_it_is_closed(ada: UserPage) -> None:
    size = ada.page.viewport_size
    assert size is not None
    ada.page.set_viewport_size({"width": 360, "height": 740})
    try:
        open_by_keyboard(ada, "dialog")
        assert ada.run("() => document.querySelector('main').inert")
        ada.page.set_viewport_size(size)
        expect(ada.page.locator("main[inert]")).to_have_count(0)
        inspector_of(ada).get_by_role("button", name="Close", exact=True).click()
        expect(ada.page.locator("#connection-button")).to_be_focused()
    finally:
        ada.page.set_viewport_size(size)


def figure(inspector: Locator, name: str) -> Locator:
    """Return a figure of the inspector."""
    return inspector.locator(f'[data-figure="{name}"]')


def press(inspector: Locator, name: str) -> None:
    """Press a button of the inspector with the keyboard."""
    inspector.get_by_role("button", name=name, exact=True).press("Enter")


def close(person: UserPage) -> None:
    """Close the inspector."""
    press(inspector_of(person), "Close")
    expect(inspector_of(person)).to_be_hidden()


def test_the_inspector_shows_state_history_round_trips_and_counters(ada: UserPage) -> None:
    inspector = open_by_keyboard(ada)
    expect(inspector.get_by_role("img")).to_have_accessible_name(
        re.compile(r"^State diagram\. Now: connected\. From here to: .*suspect")
    )
    expect(inspector.locator("[data-now]")).to_have_text(["connected"])
    names = ["Now", "Break it", "What happened", "Round trips", "Counted since the page opened"]
    expect(inspector.get_by_role("heading", level=3)).to_have_text(names)
    sent = int(figure(inspector, "sent").inner_text().replace(",", ""))
    ada.say("counted")
    ada.wait_for_text("counted", state="sent")
    expect(figure(inspector, "sent")).to_have_text(f"{sent + 1:,}")
    expect(figure(inspector, "acknowledged")).to_have_text(f"{sent + 1:,}")
    expect(figure(inspector, "rtt")).to_contain_text("median")
    expect(inspector.get_by_role("list", name="What happened").get_by_role("listitem").last).to_be_attached()
    expect(inspector.locator("[aria-live=assertive], [role=alert], [role=status]")).to_have_count(0)
    close(ada)


def test_a_closed_inspector_leaves_nothing_behind(ada: UserPage) -> None:
    def counted() -> dict[str, int]:
        ada.cdp.send("HeapProfiler.collectGarbage")
        counters = ada.cdp.send("Memory.getDOMCounters")
        return {name: counters[name] for name in ("nodes", "jsEventListeners")}

    for _ in range(2):  # what is made once
        open_by_keyboard(ada)
        close(ada)
    before = counted()
    for _ in range(5):
        open_by_keyboard(ada)
        close(ada)

    def is_as_before() -> bool:
        """Open it once more. Nodes wait for Python's collector, which comes after a number of objects."""
        open_by_keyboard(ada)
        close(ada)
        after = counted()
        assert after["jsEventListeners"] <= before["jsEventListeners"]
        return after["nodes"] <= before["nodes"] + 50  # one inspector has hundreds

    eventually(is_as_before, what="as many nodes as before")


@pytest.mark.parametrize(
    "name", ["Drop the connection", "Everything twice", "Slow network", "False “offline”"]
)
def test_what_is_written_while_it_is_broken_arrives_once(ada: UserPage, peer: Peer, name: str) -> None:
    inspector = open_by_keyboard(ada)
    press(inspector, name)
    ada.say("one", "two")
    peer.say("three")
    for text in ("one", "two"):
        peer.wait_to_hear(text)
        ada.wait_for_text(text, state="sent")
    ada.wait_for_text("three")
    close(ada)
    ada.wait_until_in()
    assert sorted(ada.texts) == ["one", "three", "two"]
    assert sorted(peer.heard) == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("Server down", "The server isn't responding."), ("Firewall (403)", "A sign-in page or a firewall")],
)
def test_what_is_written_to_a_server_out_of_reach_arrives(
    ada: UserPage, peer: Peer, name: str, reason: str
) -> None:
    inspector = open_by_keyboard(ada)
    press(inspector, name)
    expect(inspector.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-pressed", "true")
    ada.wait_for_status("waiting")
    ada.say("into the outage")
    peer.say("meanwhile")
    expect(figure(inspector, "outbox")).to_have_text("1")
    expect(inspector.locator('[data-event="failed"]').first).to_be_attached()
    expect(ada.page.locator("#banner-text")).to_contain_text(reason)
    expect(inspector.locator("[data-now]")).not_to_have_text(["connected"])
    press(inspector, name)
    ada.try_now_if_shown()
    ada.wait_until_in()
    peer.wait_to_hear("into the outage")
    ada.wait_for_text("into the outage", state="sent")
    assert sorted(ada.texts) == ["into the outage", "meanwhile"]
    expect(figure(inspector, "outbox")).to_have_text("0")
    close(ada)


def test_a_black_hole_is_noticed_and_closing_the_inspector_lifts_it(quinn: UserPage, peer: Peer) -> None:
    inspector = open_by_keyboard(quinn)
    press(inspector, "Black hole")
    quinn.say("into the void")
    quinn.wait_for_status("suspect", "connecting")
    expect(inspector.locator('[data-event="suspect"]').first).to_be_attached()
    quinn.wait_for_status("connecting", "waiting")
    close(quinn)
    quinn.try_now_if_shown()
    quinn.wait_until_in()
    peer.wait_to_hear("into the void")
    quinn.wait_for_texts("into the void")


def test_a_jump_of_the_clock_is_told_as_sleep_and_costs_nothing(ada: UserPage) -> None:
    inspector = open_by_keyboard(ada)
    drops = figure(inspector, "drops").inner_text()
    press(inspector, "Sleep for a minute")
    expect(inspector.locator('[data-event="slept"]').first).to_be_attached()
    expect(inspector.locator('[data-event="trusted"]').first).to_be_attached()
    expect(figure(inspector, "drops")).to_have_text(drops)
    close(ada)


def test_a_crash_and_reload_loses_nothing(ada: UserPage, peer: Peer) -> None:
    inspector = open_by_keyboard(ada)
    press(inspector, "Server down")
    ada.wait_for_status("waiting")
    ada.say("before the crash")
    with ada.page.expect_navigation(wait_until="commit"):
        press(inspector, "Crash and reload")
    ada.wait_until_started()
    ada.wait_until_in()
    peer.wait_to_hear("before the crash")
    ada.wait_for_texts("before the crash")
    assert peer.heard == ["before the crash"]


def test_the_tour_breaks_everything_and_counts_what_arrived(ada: UserPage, room: str) -> None:
    inspector = open_by_keyboard(ada)
    press(inspector, "Watch it heal")
    expect(inspector.get_by_role("button", name="Stop the tour", exact=True)).to_be_visible()
    expect(inspector.get_by_text("written, 9 arrived")).to_contain_text(
        "9 written, 9 arrived: 0 lost, 0 twice. Acknowledged 9"
    )
    assert ada.screen.room == room
    expect(ada.page.get_by_role("link", name="#tour-")).to_have_count(0)
    close(ada)


def test_a_stopped_tour_breaks_nothing_and_returns_to_the_room(ada: UserPage, room: str) -> None:
    inspector = open_by_keyboard(ada)
    press(inspector, "Watch it heal")
    ada.wait_for_status("waiting")
    press(inspector, "Stop the tour")
    expect(inspector.get_by_text("The tour was stopped")).to_be_visible()
    ada.wait_until_in()
    assert ada.screen.room == room
    close(ada)


def test_diagnostics_are_copied_and_the_timeline_is_a_file(ada: UserPage) -> None:
    ada.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ada.say("a word of a person")
    ada.wait_for_text("a word of a person", state="sent")
    inspector = open_by_keyboard(ada)
    press(inspector, "Copy diagnostics")
    expect(inspector.get_by_text("Copied.")).to_be_visible()
    copied = str(ada.run("() => navigator.clipboard.readText()"))
    with ada.page.expect_download() as downloading:
        press(inspector, "Download timeline")
    saved = Path(downloading.value.path()).read_text(encoding="utf-8")
    assert json.loads(copied)["status"] == "connected"
    assert {entry["kind"] for entry in json.loads(saved)} >= {"link prepared", "socket opened"}
    assert not ada.watch.tokens_in(copied + saved)
    assert "a word of a person" not in copied + saved
    assert "Ada" not in copied + saved
    close(ada)
