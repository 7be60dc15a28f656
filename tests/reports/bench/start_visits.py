"""One visit of one page in one engine, and what was seen of it, for tests/reports/bench/start.py.

Each pair of visits, the first and the second, has a browser of its own that was started for it with an empty profile
and has shown another host's page. So the first visit finds nothing kept, and the second what a first visit leaves.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, Playwright
from selenium.webdriver import WebKitGTK

from tests.reports.bench.start_pages import PAGES, Hosts
from tests.support import browsers
from tests.support.fault_proxy import FaultProxy
from tests.support.waiting import eventually
from tools.browsers import Browsers

COLD, WARM = KINDS = ("cold", "warm")
MEASURE = Path(__file__).with_name("measure.js").read_text(encoding="utf-8")
#: A visit lasts two more seconds: what browsers keep, they keep a little later. A page that has registered a service
#: worker waits until it is in charge and has all that the next start needs.
STAY = """(async () => {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    if (!(await navigator.serviceWorker?.getRegistration())) return true;
    await navigator.serviceWorker.ready;
    const { dataset } = document.documentElement;
    const files = JSON.parse(document.getElementById("start-files").textContent);
    const last = dataset.start === "snapshot" || dataset.startSaves !== undefined ? files.nothing : files.program;
    while (!(await caches.match(new URL(last, document.baseURI).href, { ignoreVary: true })))
        await new Promise((resolve) => setTimeout(resolve, 50));
    return true;
})()"""


@dataclass(frozen=True)
class Visit:
    """What was seen of one visit. Times are milliseconds since its navigation began."""

    engine: str
    network: str
    page: str
    kind: str
    seen: Mapping[str, float]
    way: str = ""  #: html[data-start]
    controlled: bool = False  #: by a service worker
    speed: float | None = None  #: in Mbit/s, as the page measured it
    version: str = ""  #: of the engine
    #: Bytes from the host until the end of the measurement, and from then until the line was quiet.
    carried: tuple[int, int] | None = None


class PlaywrightProfile:
    """Responsible for the profile of a Chromium or Firefox, and a page in it."""

    def __init__(self, context: BrowserContext) -> None:
        self.version = context.browser.version if context.browser else ""
        self._context = context
        self._page: Page = context.pages[0]

    def open(self, url: str) -> None:
        """Navigate, with tests/reports/bench/measure.js in the page."""
        self._page = self._context.new_page()
        self._page.add_init_script(MEASURE)
        self._page.goto(url, wait_until="commit")

    def value(self, promise: str) -> Any:
        """What a promise of the page's JavaScript comes to."""
        return self._page.evaluate(promise)

    def leave(self) -> None:
        """Be done with the page."""
        self._page.close()


class WebKitProfile:
    """Responsible for the same in WebKitGTK. It knows no scripts that run before a page's own, so the measurement
    begins as soon as the page is there, long before Python can be."""

    def __init__(self, browser: WebKitGTK, elsewhere: str) -> None:
        self.version = str(browser.capabilities["browserVersion"])
        self._browser = browser
        self._elsewhere = elsewhere
        browser.set_script_timeout(180)

    def open(self, url: str) -> None:
        """As in PlaywrightProfile."""
        self._browser.execute_script("location.href = arguments[0]", url)
        install = f"if (!location.href.startsWith(arguments[0])) return false;\n{MEASURE}\nreturn true;"
        eventually(lambda: self._browser.execute_script(install, url), every=0.01, what="the page")

    def value(self, promise: str) -> Any:
        """As in PlaywrightProfile."""
        told = self._browser.execute_async_script(
            f"{promise}.then((value) => arguments[0]({{ value }}), (error) => arguments[0]({{ error: `${{error}}` }}))"
        )
        assert "error" not in told, told["error"]
        return told["value"]

    def leave(self) -> None:
        """As in PlaywrightProfile."""
        self._browser.get(self._elsewhere)


Profile = PlaywrightProfile | WebKitProfile
#: An address elsewhere -> a browser that shows it.
Engine = Callable[[str], AbstractContextManager[Profile]]


@contextlib.contextmanager
def _chromium(playwright: Playwright, program: Path, elsewhere: str) -> Iterator[Profile]:
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        contextlib.closing(
            playwright.chromium.launch_persistent_context(
                profile, executable_path=program, args=browsers.CHROMIUM_FLAGS
            )
        ) as context,
    ):
        context.pages[0].goto(elsewhere)
        yield PlaywrightProfile(context)


@contextlib.contextmanager
def _firefox(playwright: Playwright, program: Path, elsewhere: str) -> Iterator[Profile]:
    with (
        browsers.firefox(playwright, program) as browser,
        contextlib.closing(browser.new_context()) as context,
    ):
        context.new_page().goto(elsewhere)
        yield PlaywrightProfile(context)


@contextlib.contextmanager
def _webkit(driver: Path, minibrowser: Path, elsewhere: str) -> Iterator[Profile]:
    with browsers.webkit(driver, minibrowser) as browser:
        browser.get(elsewhere)
        yield WebKitProfile(browser, elsewhere)


def engines(found: Browsers, playwright: Playwright) -> dict[str, Engine]:
    """Name -> how to start it, of the engines that this machine has. Raises SystemExit without Chromium."""
    if found.chromium is None:
        raise SystemExit("Chromium is missing: run make browsers")
    ways: dict[str, Engine] = {"Chromium": partial(_chromium, playwright, found.chromium)}
    if found.firefox is not None:
        ways["Firefox"] = partial(_firefox, playwright, found.firefox)
    if found.webkit and found.webkit_driver is not None and found.minibrowser is not None:
        ways["WebKit"] = partial(_webkit, found.webkit_driver, found.minibrowser)
    return ways


def visit_twice(name: str, engine: Engine, hosts: Hosts, network: str, page: str) -> list[Visit]:
    """The first and the second visit. Raises AssertionError if the page started another way than it should."""
    with engine(hosts.elsewhere) as profile:
        return [_visit(profile, hosts, (name, network, page, kind)) for kind in KINDS]


def _visit(profile: Profile, hosts: Hosts, where: tuple[str, str, str, str]) -> Visit:
    _, network, page, _ = where
    line = hosts.line(page, network)
    began = line.counts.bytes_down if line else 0
    profile.open(hosts.url(page, network))
    told = profile.value("measured")
    ended = line.counts.bytes_down if line else 0
    way = PAGES[page].way
    assert told["way"] == way or not way, f"{PAGES[page].name} started the {told['way']} way"
    profile.value(STAY)
    carried = (ended - began, _when_quiet(line) - ended) if line else None
    profile.leave()
    return Visit(*where, **told, version=profile.version, carried=carried)


def _when_quiet(line: FaultProxy) -> int:
    """The bytes that a line has carried once it carries no more."""
    counts = [-1]

    def is_quiet() -> bool:
        counts.append(line.counts.bytes_down)
        return counts[-1] == counts[-2]

    eventually(is_quiet, 120.0, every=1.0, what="a quiet line")
    return counts[-1]
