"""The three engines, each started the way in which it shows most of what it does to a person's page."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.e2e.reliability.screen import Need, Screen
from tests.support import browsers
from tests.support.fault_proxy import FaultProxy
from tests.support.person import Person
from tests.support.webkit_person import WebKitPerson
from tools.browsers import Browsers

#: A page of the same origin to go to, with nothing of ours in it.
ELSEWHERE = "static/css/base.css"

NO_FREEZE = "Nothing outside of Chromium lets a test freeze a page."
NOT_KEPT = (
    "Firefox restores no page that had a WebSocket open or held a Web Lock when it was left, not even if both end in"
    " `pagehide`; it loads the page again. Plain pages showed the same; without the two they were restored."
)
BY_SCRIPT = "`navigator.onLine` and the events were made by a script in the page."


class PlaywrightScreen(Screen):
    """Responsible for one page that Playwright drives."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self._here = ""

    def begin(self, room: str) -> None:
        """Open the page in a room, and join."""
        self.person.page.bring_to_front()
        self.person.open(room, "?lang=en")
        self.person.join()

    def run(self, function: str, argument: object = None) -> Any:
        """The result of a JavaScript function in the page."""
        return self.person.page.evaluate(function, argument)

    def type_and_send(self, text: str) -> None:
        """Type into the composer and press Enter; returns when the composer is empty."""
        self.person.say(text)

    def show(self) -> None:
        """Bring it back into sight."""
        self.person.page.bring_to_front()
        self.wait_for_visibility("visible")

    def go_away(self) -> None:
        """Go somewhere else in the same tab."""
        self._here = self.person.page.url
        self.person.page.goto(f"{self.person.network.url}/{ELSEWHERE}")

    def set_offline(self, offline: bool) -> None:
        """Make the browser say so. Chromium also holds all frames back meanwhile, Firefox refuses new connections."""
        self.person.page.context.set_offline(offline)


class ChromiumScreen(PlaywrightScreen):
    """Responsible for a page in a Chromium that hides, throttles, freezes and keeps pages as a person's does."""

    remarks: Mapping[Need, str] = {Need.LIE: BY_SCRIPT}

    def __init__(self, person: Person, cover: Page) -> None:
        super().__init__(person)
        self._cover = cover

    def hide(self) -> None:
        """Bring another tab to the front."""
        self._cover.bring_to_front()
        self.wait_for_visibility("hidden")

    def freeze(self) -> None:
        """Stop the code of a hidden page."""
        self.person.cdp.send("Page.setWebLifecycleState", {"state": "frozen"})

    def resume(self) -> None:
        """Let it run again."""
        self.person.cdp.send("Page.setWebLifecycleState", {"state": "active"})

    def go_back(self) -> None:
        """Press the browser's Back. Playwright's own waits for a load that never comes."""
        self.person.page.evaluate("() => history.back()")
        self.person.page.wait_for_url(self._here, wait_until="commit")


class FirefoxScreen(PlaywrightScreen):
    """Responsible for a page in Firefox."""

    lacks: Mapping[Need, str] = {
        Need.FREEZE: NO_FREEZE,
        Need.KEEP: NOT_KEPT,
    }
    remarks: Mapping[Need, str] = {
        Need.ONLINE: "Firefox says so to the page and lets nothing new through; what is open it leaves alone.",
        Need.LIE: BY_SCRIPT,
    }
    _cover: Page | None = None

    def hide(self) -> None:
        """Bring another tab of the same window to the front; Playwright's own new pages are windows."""
        if self._cover is None:
            with self.person.page.context.expect_page() as opening:
                self.run("() => { window.open('about:blank', '_blank', 'noopener'); }")
            self._cover = opening.value
        self._cover.bring_to_front()
        self.wait_for_visibility("hidden")

    def go_back(self) -> None:
        """Press the browser's Back."""
        self.person.page.go_back(wait_until="commit")


class WebKitScreen(Screen):
    """Responsible for a page in WebKitGTK."""

    lacks: Mapping[Need, str] = {Need.FREEZE: NO_FREEZE}
    remarks: Mapping[Need, str] = {Need.ONLINE: BY_SCRIPT, Need.LIE: BY_SCRIPT}

    def __init__(self, person: WebKitPerson) -> None:
        self.person = person

    def begin(self, room: str) -> None:
        """Open the page in a room, and join."""
        self.person.open(room)
        self.person.join()

    def run(self, function: str, argument: object = None) -> Any:
        """The result of a JavaScript function in the page."""
        return self.person.run(function, argument)

    def type_and_send(self, text: str) -> None:
        """Type into the composer and press Enter; returns when the composer is empty."""
        self.person.say(text)

    def hide(self) -> None:
        """Minimise the window."""
        self.person.minimize()
        self.wait_for_visibility("hidden")

    def show(self) -> None:
        """Restore it."""
        self.person.restore()
        self.wait_for_visibility("visible")

    def go_away(self) -> None:
        """Go somewhere else in the same tab."""
        self.person.go_to(ELSEWHERE)

    def go_back(self) -> None:
        """Press the browser's Back."""
        self.run("() => { history.back(); }")
        self.person.wait_for_address("#/")

    def set_offline(self, offline: bool) -> None:
        """WebKit has nothing for it but a script."""
        self.claim_offline(offline)


@dataclass(frozen=True)
class Engine:
    """Responsible for what one engine is called, whether it is here, and how a page is opened in it."""

    name: str  #: as in the tables
    screen: type[Screen]
    is_here: Callable[[Browsers], bool]
    start: Callable[[Browsers, FaultProxy], AbstractContextManager[tuple[Screen, str]]]  #: and the version


@contextlib.contextmanager
def _chromium(installed: Browsers, network: FaultProxy) -> Iterator[tuple[Screen, str]]:
    with (
        sync_playwright() as playwright,
        browsers.chromium_that_hides(playwright, _path(installed.chromium)) as context,
    ):
        page = context.new_page()
        yield ChromiumScreen(Person(page, network, "Rin"), context.pages[0]), _version(context)


@contextlib.contextmanager
def _firefox(installed: Browsers, network: FaultProxy) -> Iterator[tuple[Screen, str]]:
    with sync_playwright() as playwright, browsers.firefox(playwright, _path(installed.firefox)) as browser:
        context = browser.new_context(locale="en-US")
        yield FirefoxScreen(Person(context.new_page(), network, "Rin")), _version(context)


@contextlib.contextmanager
def _webkit(installed: Browsers, network: FaultProxy) -> Iterator[tuple[Screen, str]]:
    with browsers.webkit(_path(installed.webkit_driver), _path(installed.minibrowser)) as browser:
        version = str(browser.capabilities["browserVersion"])
        yield WebKitScreen(WebKitPerson(browser, network.url, "Rin")), version


def _path(program: Path | None) -> Path:
    assert program is not None, "asked for a browser that is not here"
    return program


def _version(context: BrowserContext) -> str:
    assert context.browser is not None
    return context.browser.version


ENGINES: Mapping[str, Engine] = {
    "chromium": Engine("Chromium", ChromiumScreen, lambda here: here.chromium is not None, _chromium),
    "firefox": Engine("Firefox", FirefoxScreen, lambda here: here.firefox is not None, _firefox),
    "webkit": Engine("WebKitGTK", WebKitScreen, lambda here: here.webkit, _webkit),
}
