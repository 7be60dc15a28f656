"""What a reader has chosen outside the page holds inside it: region, colours, paper; and what is kept may stay."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tests.support.shared_pages import SharedPages
from tests.support.user_page import UserPage

ROOM = "reader"
COUNT_ASKING = """
window.timesAsked = 0;
StorageManager.prototype.persist = () => { timesAsked += 1; return Promise.resolve(false); };
"""
BOX_OF_WORDS = """(element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const { x, y, width, height } = range.getBoundingClientRect();
    return { x, y, width, height };
}"""
#: Of the pixels of a picture, the share that stands out from its most frequent colour by 4.5:1.
SHARE_THAT_STANDS_OUT = """async (picture) => {
    const image = Object.assign(new Image(), { src: `data:image/png;base64,${picture}` });
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    const linear = (part) => part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4;
    const found = new Map();
    for (let at = 0; at < data.length; at += 4) {
        const light = 0.2126 * linear(data[at]) + 0.7152 * linear(data[at + 1]) + 0.0722 * linear(data[at + 2]);
        found.set(light, (found.get(light) ?? 0) + 1);
    }
    const ground = [...found].reduce((most, each) => each[1] > most[1] ? each : most)[0];
    const contrast = (light) => (Math.max(light, ground) + 0.05) / (Math.min(light, ground) + 0.05);
    return [...found].reduce((sum, [light, count]) => sum + (contrast(light) >= 4.5 ? count : 0), 0) * 4 / data.length;
}"""
#: Of the messages on paper: what is cut off, and what is not black on white.
FAULTS_ON_PAPER = """(log) => {
    const faults = [];
    for (let box = log; box; box = box.parentElement)
        if (getComputedStyle(box).overflowY !== "visible") faults.push(`#${box.id} cuts off what is longer`);
    for (const part of log.querySelectorAll(".bubble, .byline, .content, .meta, .day")) {
        const { color, backgroundColor } = getComputedStyle(part);
        if (color !== "rgb(0, 0, 0)") faults.push(`${part.className}: ${color}`);
        if (!["rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"].includes(backgroundColor)) faults.push(backgroundColor);
    }
    return faults;
}"""


@pytest.fixture(scope="module")
def greta(chromium: Browser, server: KizunaServer) -> Iterator[UserPage]:
    """A person who reads English in a browser set to German."""
    shared_pages = SharedPages(chromium, server)
    greta = shared_pages.new_person("Greta", locale="de-DE")
    greta.page.add_init_script(COUNT_ASKING)
    greta.open(ROOM)
    greta.join()
    yield greta
    shared_pages.close(greta)


def share_that_stands_out(person: UserPage, words: Locator) -> float:
    """Return the share of a text's area that stands out."""
    words.wait_for()
    picture = person.page.screenshot(clip=words.evaluate(BOX_OF_WORDS), animations="disabled")
    return float(person.page.evaluate(SHARE_THAT_STANDS_OUT, base64.b64encode(picture).decode()))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_join_and_send_can_be_read_in_forced_colours(greta: UserPage, scheme: str) -> None:
    greta.page.emulate_media(forced_colors="active", color_scheme="dark" if scheme == "dark" else "light")
    try:
        assert share_that_stands_out(greta, greta.page.locator(".send-word")) > 0.1
        greta.leave()
        assert share_that_stands_out(greta, greta.join_button) > 0.1
        greta.join()
    finally:
        greta.page.emulate_media(forced_colors="none", color_scheme="light")


def test_the_clock_is_that_of_the_readers_region(greta: UserPage) -> None:
    greta.say("what time is it?")
    time = greta.log.locator("time[title]").last
    expect(time).to_have_text(re.compile(r"^\d\d:\d\d$"))
    expect(time).to_have_attribute("title", re.compile(r"\d\d:\d\d:\d\d$"))


def test_the_browser_is_asked_once_to_keep_what_was_said(greta: UserPage) -> None:
    greta.say("first", "second")
    greta.wait_for_text("second", state="sent")
    assert greta.page.evaluate("timesAsked") == 1


def test_all_messages_of_the_window_are_printed_black_on_white(greta: UserPage, server: KizunaServer) -> None:
    with Peer(server, ROOM) as peer:
        peer.say(*(f"line {number}" for number in range(60)))
    greta.say("the last line")
    greta.wait_for_text("the last line", state="sent")
    shown = greta.messages
    greta.page.emulate_media(media="print", color_scheme="dark")
    try:
        assert greta.log.evaluate(FAULTS_ON_PAPER) == []
        assert greta.messages == shown
        for text in ("line 0", "line 59", "the last line"):
            expect(greta.log.get_by_text(text, exact=True)).to_be_visible()
        for role in ("button", "textbox", "navigation"):
            expect(greta.page.get_by_role(role)).to_have_count(0)
    finally:
        greta.page.emulate_media(media="null", color_scheme="light")


def test_nothing_moves_for_people_who_want_no_motion(quinn: UserPage, peer: Peer) -> None:
    running = "() => document.getAnimations().filter(({ playState }) => playState === 'running').length"
    quinn.watch.allow_network_trouble()
    quinn.page.emulate_media(reduced_motion="reduce")
    try:
        peer.say("good morning")
        quinn.wait_for_text("good morning")
        assert quinn.run(running) == 0
        with quinn.network.accept_and_hang():
            quinn.network.reset()
            quinn.wait_for_status("connecting")
            assert quinn.run(running) == 0
            quinn.page.emulate_media(reduced_motion="no-preference")
            expect(quinn.page.locator("#connection")).to_have_attribute("data-kind", "busy")
            assert quinn.run(running) > 0
    finally:
        quinn.page.emulate_media(reduced_motion="null")
    quinn.wait_until_in()
