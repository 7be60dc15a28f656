"""The README's picture: two people talk, and the server has just been stopped. `make screenshot` takes it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.browsers import chromium
from tests.support.server import KizunaServer
from tools.setup.browsers import find_browsers

PICTURE = Path("docs/page.png")
TALK = [
    (0, "Did you see the tea house by the river?"),
    (1, "Yes! 川沿いの? I went there on Sunday."),
    (0, "They keep a table for us on Friday 🍵"),
    (1, "Then I'll bring the book you asked for. It is longer than I remembered."),
]
SAID_WHILE_AWAY = "Perfect. The server is gone just now, but this will arrive."


def person(browser: Browser, url: str, name: str) -> Page:
    """Return a page on which a person of this name has joined."""
    page = browser.new_page(viewport={"width": 900, "height": 620}, locale="en-US", device_scale_factor=2)
    page.goto(url)
    page.get_by_role("textbox", name="Your name").fill(name)
    page.get_by_role("button", name="Join").click()
    expect(page.locator("html[data-status=connected]")).to_be_attached(timeout=60_000)
    return page


def say(page: Page, words: str) -> None:
    """Type a text and press Enter."""
    box = page.get_by_role("textbox", name="Message")
    box.fill(words)
    box.press("Enter")


def main() -> None:
    """Take the picture."""
    program = find_browsers().chromium
    if program is None:
        raise SystemExit("The picture needs Chromium: install it, for example with `make browsers`.")
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        chromium(playwright, program) as browser,
        KizunaServer(Path(folder) / "kizuna.sqlite3") as server,
    ):
        people = [person(browser, f"{server.url}/?lang=en", name) for name in ("Mika", "Ren")]
        for number, (who, words) in enumerate(TALK, start=1):
            say(people[who], words)
            for page in people:
                expect(page.locator(f"[role=log][data-last-seq='{number}']")).to_be_attached()
        server.stop()
        say(people[0], SAID_WHILE_AWAY)
        expect(people[0].locator("#banner")).to_be_visible(timeout=15_000)
        people[0].screenshot(path=PICTURE, animations="disabled", caret="hide")


if __name__ == "__main__":
    main()
