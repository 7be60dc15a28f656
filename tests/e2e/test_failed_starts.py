"""A page that cannot start says why, and what to do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.e2e.conftest import present
from tests.support.server import KizunaServer
from tests.support.shared_pages import SharedPages
from tests.support.user_page import UserPage

#: Milliseconds until the message must be visible.
SOON = 10_000
#: Ends the animations by which CSS waits, and returns the duration of each in milliseconds.
LET_ALL_WAITING_END = """() => document.getAnimations()
    .filter(({ animationName }) => animationName === "appear" || animationName === "vanish")
    .map((animation) => (animation.finish(), animation.effect.getComputedTiming().endTime))"""
TOO_OLD = "This browser is too old"
MISSING = "Part of the page couldn't be loaded"


def not_found(route: Route) -> None:
    route.fulfill(status=404, body="Not Found")


@pytest.fixture
def newcomer(
    request: pytest.FixtureRequest, chromium: Browser, source_server: KizunaServer
) -> Iterator[UserPage]:
    """A person who will open the source tree's page, whose files have their own names."""
    shared_pages = SharedPages(chromium, source_server)
    newcomer = shared_pages.new_person("Newcomer")
    with present(request, [newcomer], source_server):
        yield newcomer
    shared_pages.close(newcomer)


def expect_failure(person: UserPage, words: str, detail: str) -> None:
    """Assert that the page shows this message and offers a reload."""
    alert = person.page.get_by_role("alert").filter(visible=True)
    expect(alert).to_contain_text(words)
    expect(alert).to_contain_text(detail)
    expect(person.page.get_by_role("link", name="Reload")).to_be_visible()


#: File that may be missing -> Pyodide's own error.
PARTS = {
    "pyodide.asm.wasm": "uncaught error",
    "python_stdlib.zip": r"console error: (Error|Fatal Python|Python runtime|ModuleNotFound|Current thread|  <no Py|$)",
    "core.js": "uncaught error",
    "python.js": "uncaught error",
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_missing_is_named(newcomer: UserPage, part: str) -> None:
    newcomer.watch.allow("404", "uncaught error", PARTS[part])
    newcomer.page.route(f"**/{part}", not_found)
    newcomer.begin_to_open("general")
    expect_failure(newcomer, MISSING, part)


def test_a_browser_without_webassembly_is_told_which_ones_work(newcomer: UserPage) -> None:
    newcomer.watch.allow("uncaught error", "WebAssembly")
    newcomer.page.add_init_script("delete globalThis.WebAssembly;")
    newcomer.begin_to_open("general")
    expect_failure(newcomer, TOO_OLD, "Chrome")


def test_a_browser_without_the_needed_scripts_gets_a_message_by_css(
    newcomer: UserPage,
) -> None:
    newcomer.watch.allow("Failed to load resource")
    newcomer.page.route(re.compile(r"js$"), lambda route: route.abort())
    newcomer.begin_to_open("general")
    expect(newcomer.page.get_by_text("Starting…")).to_be_visible()
    expect(newcomer.page.get_by_text(TOO_OLD)).to_be_hidden()
    waited = newcomer.page.evaluate(LET_ALL_WAITING_END)
    assert waited
    assert max(waited) <= SOON
    expect_failure(newcomer, TOO_OLD, "Chrome")
    expect(newcomer.page.get_by_text("Starting…")).to_be_hidden()


def test_where_scripts_are_off_the_page_asks_for_them(chromium: Browser, server: KizunaServer) -> None:
    with contextlib.closing(chromium.new_context(locale="en-US", java_script_enabled=False)) as context:
        page = context.new_page()
        page.goto(server.url)
        words = page.locator("noscript [lang=en]")
        expect(words).to_be_visible()
        expect(words).to_contain_text("Please allow it and reload")
        expect(page.get_by_text(TOO_OLD)).to_be_hidden()


def test_what_python_raises_at_once_is_shown_by_its_last_line(newcomer: UserPage) -> None:
    newcomer.watch.allow("RuntimeError: a mistake")
    broken = "raise RuntimeError('a mistake')"
    newcomer.page.route("**/app/main.py", lambda route: route.fulfill(body=broken))
    newcomer.begin_to_open("general")
    expect_failure(newcomer, "Something went wrong", "RuntimeError: a mistake")
