"""The visits of one page in one engine, for tests/reports/bench/start.py.

A first visit and those that return have a browser of their own that was started for them with an empty profile and has
shown another host's page. So the first visit finds nothing kept, and the second what a first visit leaves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Playwright
from selenium.webdriver import WebKitGTK

from tests.reports.bench.start_pages import PAGES, Hosts
from tests.support import browsers
from tests.support.fault_proxy import FaultProxy
from tests.support.waiting import eventually, let_pass
from tools.setup.browsers import Browsers

COLD, WARM = KINDS = ("cold", "warm")
MEASURE = Path(__file__).with_name("measure.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Visit:
    """The measures of one visit. Times are milliseconds since its navigation began."""

    engine: str
    network: str
    page: str
    kind: str
    seen: Mapping[str, float]
    way: str = ""  #: html[data-start]
    controlled: bool = False  #: by a service worker
    version: str = ""  #: of the engine
    #: Bytes from the host until the end of the measurement, and from then until the line was quiet.
    carried: tuple[int, int] | None = None


#: Returns the value of a promise in the page.
Value = Callable[[str], Any]
#: An engine's version, and how an address is visited in the one profile that this browser has. The page closes after.
Profile = tuple[str, Callable[[str], AbstractContextManager[Value]]]


def engines(found: Browsers) -> list[str]:
    """Return the installed engines. Raises SystemExit without Chromium."""
    if found.chromium is None:
        raise SystemExit("Chromium is missing: run make browsers")
    return ["Chromium", *["Firefox"] * (found.firefox is not None), *["WebKit"] * found.webkit]


@contextmanager
def started(engine: str, found: Browsers, playwright: Playwright, elsewhere: str) -> Iterator[Profile]:
    """Start a browser that shows another host's page."""
    with ExitStack() as stack:
        if engine == "WebKit":
            assert found.webkit_driver is not None
            assert found.minibrowser is not None
            browser = stack.enter_context(browsers.webkit(found.webkit_driver, found.minibrowser))
            browser.set_script_timeout(180)
            browser.get(elsewhere)
            yield str(browser.capabilities["browserVersion"]), partial(_in_webkit, browser, elsewhere)
            return
        if engine == "Chromium":
            folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            launch = playwright.chromium.launch_persistent_context
            context = launch(folder, executable_path=found.chromium, args=browsers.CHROMIUM_FLAGS)
            page = stack.enter_context(context).pages[0]
        else:
            assert found.firefox is not None
            page = stack.enter_context(browsers.firefox(playwright, found.firefox)).new_context().new_page()
        page.goto(elsewhere)
        used = page.context.browser
        yield used.version if used else "", partial(_in_playwright, page.context)


@contextmanager
def _in_playwright(context: BrowserContext, url: str) -> Iterator[Value]:
    with context.new_page() as page:
        page.add_init_script(MEASURE)
        page.goto(url, wait_until="commit")
        yield page.evaluate


@contextmanager
def _in_webkit(browser: WebKitGTK, elsewhere: str, url: str) -> Iterator[Value]:
    """It knows no scripts that run before a page's own, so the measurement begins as soon as the page is there, long
    before Python can be."""
    browser.execute_script("location.href = arguments[0]", url)
    install = f"if (!location.href.startsWith(arguments[0])) return false;\n{MEASURE}\nreturn true;"
    eventually(lambda: browser.execute_script(install, url), every=0.01, what="the page")
    yield lambda promise: browser.execute_script(f"return {promise}")
    browser.get(elsewhere)


def visit_with_one_profile(
    found: Browsers,
    playwright: Playwright,
    hosts: Hosts,
    engine: str,
    network: str,
    page: str,
    *,
    returns: int = 1,
) -> list[Visit]:
    """Return the first visit and ``returns`` later ones. Raises AssertionError if the page started another way."""
    asked, host, way = PAGES[page]
    origin = hosts[host, network]
    line = origin if isinstance(origin, FaultProxy) else None
    visits = []
    elsewhere = f"{hosts['react', 'localhost'].url}/health"
    with started(engine, found, playwright, elsewhere) as (version, visiting):
        for kind in (COLD, *[WARM] * returns):
            before = line.counts.bytes_down if line else 0
            with visiting(f"{origin.url}/?lang=en{way and f'&start={way}'}") as value:
                told = value("measured")
                measured = line.counts.bytes_down if line else 0
                assert told["way"] == way or not way, f"{asked} started the {told['way']} way"
                value("stay()")
                carried = (measured - before, _when_quiet(line) - measured) if line else None
            visits.append(Visit(engine, network, page, kind, **told, version=version, carried=carried))
    return visits


def _when_quiet(line: FaultProxy) -> int:
    """Return the bytes that a proxy has passed, once none have passed for a second."""
    seen = -1
    while seen != line.counts.bytes_down:
        seen = line.counts.bytes_down
        let_pass(1.0)
    return seen
