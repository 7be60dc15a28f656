"""The first screen works before Python, and nothing moves on it or on the room of those who come back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import ViewportSize, expect

from tests.e2e.test_cached_view import hold_python_back
from tests.support.user_page import UserPage
from tests.support.waiting import eventually

WINDOWS: dict[str, ViewportSize] = {
    "desktop": {"width": 1280, "height": 720},
    "phone": {"width": 360, "height": 640},
}

#: Adds up what moves without a cause by the person, from the first paint on.
OBSERVE_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
        if (!entry.hadRecentInput)
            shifts.push([entry.value, ...entry.sources.map(({ node }) => node?.id || node?.nodeName)]);
}).observe({ type: "layout-shift", buffered: true });
"""
MAX_SHIFT = 0.05


def shift_of(person: UserPage) -> float:
    """Return the page's cumulative layout shift so far, and print where it comes from."""
    shifts = person.run(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(shifts))))"
    )
    print(person.address, shifts)
    return float(sum(value for value, *_ in shifts))


def test_join_pressed_before_python_joins_as_soon_as_it_lives(
    new_person: Callable[..., UserPage], room: str
) -> None:
    early = new_person("Early")
    let_python_come = hold_python_back(early)
    early.begin_to_open(room)
    expect(early.name_box).to_be_focused()
    early.name_box.fill("Early bird")
    early.join_button.click()
    expect(early.page.locator("#join-form")).to_have_attribute("aria-busy", "true")
    expect(early.name_box).to_have_value("Early bird")
    assert early.attribute("data-page") == "loading"
    let_python_come()
    early.wait_until_in()
    expect(early.page.locator("#own-name")).to_have_text("Early bird")
    expect(early.page.locator("#room-name")).to_have_text(room)


def test_a_name_typed_before_python_stays_and_a_blank_one_is_told(
    new_person: Callable[..., UserPage], room: str
) -> None:
    early = new_person("Early")
    let_python_come = hold_python_back(early)
    early.begin_to_open(room)
    expect(early.page.get_by_text(f"You will join #{room}.")).to_be_visible()
    early.name_box.fill("Typed")
    let_python_come()
    expect(early.name_box).to_have_value("Typed")
    expect(early.name_box).to_be_focused()
    early.name_box.fill("   ")
    early.join_button.click()
    expect(early.name_box).to_have_accessible_description(
        "This name can't be used: it has no visible characters."
    )


@pytest.mark.parametrize("window", WINDOWS)
def test_nothing_moves_for_newcomers_and_those_who_come_back(
    new_person: Callable[..., UserPage], room: str, window: str
) -> None:
    person = new_person("Nora", viewport=WINDOWS[window])
    person.page.add_init_script(OBSERVE_SHIFTS)
    person.open(room)
    assert shift_of(person) < MAX_SHIFT
    person.join()
    person.say("the first message", "and a second one that is somewhat longer than the first")
    person.wait_for_text("the first message", state="sent")
    for _ in ("first reload", "later reload"):
        eventually(lambda: "the first message" in str(person.kept()["rooms"]), what="the room is kept")
        person.page.reload(wait_until="commit")
        person.wait_until_started()
        person.wait_until_in()
        person.wait_for_text("the first message", state="sent")
        expect(person.page.locator("#cached-view .message")).to_have_count(0)
        assert shift_of(person) < MAX_SHIFT


def test_who_comes_back_is_not_asked_for_a_name(new_person: Callable[..., UserPage], room: str) -> None:
    person = new_person("Nora")
    person.open(room)
    person.join()
    let_python_come = hold_python_back(person)
    person.page.reload(wait_until="commit")
    expect(person.page.locator("#room-name")).to_have_text(room)
    expect(person.name_box).to_be_hidden()
    let_python_come()
    person.wait_until_in()


def test_the_browser_finds_no_fault_with_the_manifest_and_its_icons(ada: UserPage) -> None:
    manifest = ada.cdp.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["manifest"]["scope"] == f"{ada.home}/"
    fetched = """async (icons) => {
        const answers = await Promise.all(icons.map((icon) => fetch(icon, { cache: "no-store" })));
        return answers.map(({ status, headers }) => [status, headers.get("Content-Type")]);
    }"""
    icons = [icon["url"] for icon in manifest["manifest"]["icons"]]
    kinds = ["image/svg+xml", "image/png", "image/png", "image/png"]
    assert ada.run(fetched, icons) == [[200, kind] for kind in kinds]


def test_the_tabs_icon_shows_a_lost_connection(quinn: UserPage) -> None:
    quinn.watch.allow_network_trouble()
    icon = quinn.page.locator("#tab-icon")
    plain = icon.get_attribute("href")
    with quinn.network.down():
        expect(icon).to_have_attribute("href", re.compile("kizuna-offline"))
    quinn.come_back()
    expect(icon).to_have_attribute("href", str(plain))
