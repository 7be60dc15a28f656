"""The three engines, each started in the way that shows the most scenarios."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from playwright.sync_api import BrowserContext, Playwright

from tests.support import browsers
from tests.support.fault_proxy import FaultProxy
from tests.support.page_driver import PageDriver
from tests.support.user_page import UserPage
from tests.support.webkit_page import WebKitPage
from tools.setup.browsers import Browsers


class Need(StrEnum):
    """Abilities of an engine that a scenario needs."""

    HIDE = "hide"  #: really hide the page
    FREEZE = "freeze"
    KEEP = "keep"  #: restore the page from the back/forward cache
    ONLINE = "online"  #: tell the page that the network went and came back
    FALSE_FLAG = "lie"  #: tell the page "offline" while the network works


NO_FREEZE = "Only in Chromium a test can freeze a page."
NOT_KEPT = (
    "Firefox restores no page that had an open WebSocket or held a Web Lock when it was left, even if both end in"
    " `pagehide`; it loads the page again. Pages without the two are restored."
)
BLOCKS_NEW = "Firefox tells the page and refuses new connections; open ones stay."
BY_SCRIPT = "`navigator.onLine` and the events were made by a script in the page."

#: A page, and its browser's version.
Opened = tuple[PageDriver, str]


@dataclass(frozen=True)
class Engine:
    """An engine: its name, how a page is opened in it, and what it cannot show (``lacks``: the reasons).

    ``remarks``: how a need is met, for the report.
    """

    name: str  #: as in the tables
    is_here: Callable[[Browsers], bool]
    start: Callable[[Playwright, Browsers, FaultProxy], AbstractContextManager[Opened]]
    lacks: Mapping[Need, str] = field(default_factory=dict)
    remarks: Mapping[Need, str] = field(default_factory=dict)


@contextlib.contextmanager
def _chromium(playwright: Playwright, installed: Browsers, network: FaultProxy) -> Iterator[Opened]:
    with browsers.chromium_that_hides(playwright, _path(installed.chromium)) as context:
        page = context.new_page()
        page.bring_to_front()
        yield UserPage(page, network, "Rin"), _version(context)


@contextlib.contextmanager
def _firefox(playwright: Playwright, installed: Browsers, network: FaultProxy) -> Iterator[Opened]:
    with browsers.firefox(playwright, _path(installed.firefox)) as browser:
        context = browser.new_context(locale="en-US")
        yield UserPage(context.new_page(), network, "Rin"), _version(context)


@contextlib.contextmanager
def _webkit(_: Playwright, installed: Browsers, network: FaultProxy) -> Iterator[Opened]:
    with browsers.webkit(_path(installed.webkit_driver), _path(installed.minibrowser)) as browser:
        yield WebKitPage(browser, network.url, "Rin"), str(browser.capabilities["browserVersion"])


def _path(program: Path | None) -> Path:
    assert program is not None, "asked for a browser that is not here"
    return program


def _version(context: BrowserContext) -> str:
    assert context.browser is not None
    return context.browser.version


ENGINES: Mapping[str, Engine] = {
    "chromium": Engine(
        "Chromium", lambda here: here.chromium is not None, _chromium, remarks={Need.FALSE_FLAG: BY_SCRIPT}
    ),
    "firefox": Engine(
        "Firefox",
        lambda here: here.firefox is not None,
        _firefox,
        lacks={Need.FREEZE: NO_FREEZE, Need.KEEP: NOT_KEPT},
        remarks={Need.ONLINE: BLOCKS_NEW, Need.FALSE_FLAG: BY_SCRIPT},
    ),
    "webkit": Engine(
        "WebKitGTK",
        lambda here: here.webkit,
        _webkit,
        lacks={Need.FREEZE: NO_FREEZE},
        remarks={Need.ONLINE: BY_SCRIPT, Need.FALSE_FLAG: BY_SCRIPT},
    ),
}
