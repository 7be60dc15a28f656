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
from typing import Any, Protocol

from playwright.sync_api import BrowserContext, Page, Playwright
from selenium.webdriver import WebKitGTK

from tests.reports.bench.start_pages import Hosts, Network, PageKind
from tests.support import browsers
from tests.support.fault_proxy import FaultProxy
from tests.support.waiting import eventually, throughout
from tools.browsers import Browsers

COLD, WARM = "cold", "warm"
KINDS = (COLD, WARM)
MEASURE = Path(__file__).with_name("measure.js").read_text(encoding="utf-8")
#: Seconds for which a first visit lasts at least, once it is connected: what browsers keep, they keep a little later.
STAY = 2.0
#: Seconds of silence after which nothing more is on its way.
QUIET = 1.0
#: A page that has registered a service worker waits until it is in charge and has all that the next start needs.
SERVICE_WORKER_READY = """async () => {
    if (!(await navigator.serviceWorker?.getRegistration())) return true;
    await navigator.serviceWorker.ready;
    const { dataset } = document.documentElement;
    const files = JSON.parse(document.getElementById("start-files").textContent);
    const last = dataset.start === "snapshot" || dataset.startSaves !== undefined ? files.nothing : files.program;
    while (!(await caches.match(new URL(last, document.baseURI).href, { ignoreVary: true })))
        await new Promise((resolve) => setTimeout(resolve, 50));
    return true;
}"""


@dataclass(frozen=True)
class Visit:
    """What was seen of one visit. Times are milliseconds since its navigation began."""

    engine: str
    network: str
    page: str
    kind: str
    seen: Mapping[str, float]
    files: tuple[Mapping[str, Any], ...] = ()
    way: str = ""  #: html[data-start]
    controlled: bool = False  #: by a service worker
    version: str = ""  #: of the engine
    told: Mapping[str, Any] | None = None  #: by navigator.connection, as the page began
    speed: float | None = None  #: in Mbit/s, as the page measured it
    carried: int | None = None  #: bytes from the host until the end of the measurement
    carried_later: int | None = None  #: bytes from then until the line was quiet


class Profile(Protocol):
    """A browser with a profile of its own."""

    version: str  #: of the browser

    def visit(self, url: str) -> dict[str, Any]:
        """Navigate in a new page; what tests/reports/bench/measure.js noted."""

    def stay(self) -> None:
        """Keep the page open until everything is kept that will be."""

    def leave(self) -> None:
        """Close the page."""


class PlaywrightProfile:
    """Responsible for visits in Chromium or Firefox."""

    def __init__(self, context: BrowserContext) -> None:
        self.version = context.browser.version if context.browser else ""
        self._context = context
        self._page: Page | None = None

    def visit(self, url: str) -> dict[str, Any]:
        """As in Profile."""
        self._page = self._context.new_page()
        self._page.add_init_script(MEASURE)
        self._page.goto(url, wait_until="commit")
        told: dict[str, Any] = self._page.evaluate("measured")
        return told

    def stay(self) -> None:
        """As in Profile."""
        assert self._page is not None
        page = self._page
        throughout(lambda: not page.is_closed(), STAY, what="the page stays open")
        page.evaluate(SERVICE_WORKER_READY)

    def leave(self) -> None:
        """As in Profile."""
        assert self._page is not None
        self._page.close()


class WebKitProfile:
    """Responsible for visits in WebKitGTK. It knows no scripts that run before a page's own, so the measurement begins
    as soon as the page is there, long before Python can be."""

    def __init__(self, browser: WebKitGTK, elsewhere: str) -> None:
        self.version = str(browser.capabilities["browserVersion"])
        self._browser = browser
        self._elsewhere = elsewhere
        browser.set_script_timeout(180)

    def visit(self, url: str) -> dict[str, Any]:
        """As in Profile."""
        self._browser.execute_script("location.href = arguments[0]", url)
        install = f"if (!location.href.startsWith(arguments[0])) return false;\n{MEASURE}\nreturn true;"
        eventually(lambda: self._browser.execute_script(install, url), every=0.01, what="the page")
        told: dict[str, Any] = self._browser.execute_async_script(
            "const done = arguments[0]; measured.then(done, (error) => done({ error: String(error) }))"
        )
        if "error" in told:
            raise AssertionError(told["error"])
        return told

    def stay(self) -> None:
        """As in Profile."""
        throughout(lambda: bool(self._browser.current_url), STAY, what="the page stays open")
        self._browser.execute_async_script(f"({SERVICE_WORKER_READY})().then(arguments[0])")

    def leave(self) -> None:
        """As in Profile."""
        self._browser.get(self._elsewhere)


@contextlib.contextmanager
def _chromium(playwright: Playwright, program: Path, elsewhere: str) -> Iterator[PlaywrightProfile]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=program, args=browsers.CHROMIUM_FLAGS
        )
        try:
            context.pages[0].goto(elsewhere)
            yield PlaywrightProfile(context)
        finally:
            context.close()


@contextlib.contextmanager
def _firefox(playwright: Playwright, program: Path, elsewhere: str) -> Iterator[PlaywrightProfile]:
    with (
        browsers.firefox(playwright, program) as browser,
        contextlib.closing(browser.new_context()) as context,
    ):
        context.new_page().goto(elsewhere)
        yield PlaywrightProfile(context)


@contextlib.contextmanager
def _webkit(driver: Path, minibrowser: Path, elsewhere: str) -> Iterator[WebKitProfile]:
    with browsers.webkit(driver, minibrowser) as browser:
        browser.get(elsewhere)
        yield WebKitProfile(browser, elsewhere)


#: An address elsewhere -> a browser.
Engine = Callable[[str], AbstractContextManager[Profile]]


def engines(found: Browsers, playwright: Playwright) -> dict[str, Engine]:
    """Name -> how to start it, of the engines that this machine has. Raises SystemExit without Chromium."""
    if found.chromium is None:
        raise SystemExit("Chromium is missing: run make browsers")
    ways: dict[str, Engine] = {"Chromium": partial(_chromium, playwright, found.chromium)}
    if found.firefox is not None:
        ways["Firefox"] = partial(_firefox, playwright, found.firefox)
    if found.webkit_driver is not None and found.minibrowser is not None and found.webkit:
        ways["WebKit"] = partial(_webkit, found.webkit_driver, found.minibrowser)
    return ways


def visit_twice(name: str, engine: Engine, hosts: Hosts, network: Network, page: PageKind) -> list[Visit]:
    """The first and the second visit. Raises AssertionError if the page started another way than it should."""
    line = hosts.line(page, network)
    visits = []
    with engine(hosts.elsewhere) as profile:
        for kind in KINDS:
            visits.append(
                _visit(profile, hosts.url(page, network), line, (name, network.key, page.key, kind))
            )
            if page.way:
                assert visits[-1].way == page.way, f"{page.name} started the {visits[-1].way} way"
    return visits


def _visit(profile: Profile, url: str, line: FaultProxy | None, where: tuple[str, str, str, str]) -> Visit:
    before = line.counts.bytes_down if line else 0
    told = profile.visit(url)
    carried = line.counts.bytes_down - before if line else None
    profile.stay()
    carried_later = _until_quiet(line) - before - carried if line and carried is not None else None
    profile.leave()
    return Visit(
        *where,
        seen=told["seen"],
        files=tuple(told["files"]),
        way=told["way"],
        controlled=told["controlled"],
        version=profile.version,
        told=told["told"],
        speed=told["speed"],
        carried=carried,
        carried_later=carried_later,
    )


def _until_quiet(line: FaultProxy) -> int:
    """The bytes that a line has carried once it carries no more."""
    counts = [-1]

    def is_quiet() -> bool:
        counts.append(line.counts.bytes_down)
        return counts[-1] == counts[-2]

    eventually(is_quiet, 120.0, every=QUIET, what="a quiet line")
    return counts[-1]
