"""IndexedDB and Web Locks of real browsers under the library: the contract, several tabs, reloads, and failures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Playwright

from tests.e2e.conftest import SPARING, skip_without
from tests.support import browsers
from tests.support.python_page import PythonPage
from tests.support.server import ROOT, KizunaServer
from tests.support.waiting import eventually
from tools.setup.browsers import Browsers

CONTRACT = (ROOT / "tests" / "kizuna" / "delivery" / "storage_contract.py").read_text(encoding="utf-8")

#: The quota of this file's pages in bytes.
ROOM = 3_000_000

#: Runs in every page once it has started.
BEGIN = (
    CONTRACT
    + """
from kizuna.browser import IndexedDb, WebLocks, proxies
from kizuna.errors import StorageFailed

storage = IndexedDb("test", TABLES)
locks = WebLocks()
releases = []

async def failure_of(call):
    try:
        await call
    except StorageFailed as error:
        return str(error)

async def try_lock(name):
    release = await locks.try_lock(name)
    releases.append(release)
    return release is not None
"""
)

#: Returns the number of duties, and the broken ones with their errors.
HOLD_TO_CONTRACT = """
broken = {}
for duty in CONTRACT:
    page, other = (IndexedDb(duty.__name__, TABLES) for _ in range(2))
    alive = proxies.alive()
    try:
        await duty(page, other)
    except Exception as error:
        broken[duty.__name__] = repr(error)
    page.close()
    other.close()
    if proxies.alive() != alive:
        broken[duty.__name__] = f"{proxies.alive() - alive} proxies left behind"
[len(CONTRACT), broken]
"""

COUNT = """
seen = []

def one_more(text):
    seen.append(int(text or 0))
    return str(seen[-1] + 1)

async def count():
    for _ in range(200):
        await storage.change("marks", "count", one_more)
"""


class Tabs:
    """The tabs of one browser, which share its storage; a closed one is opened again."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._context, self._url = context, url
        self._tabs: list[PythonPage] = []

    def open(self, count: int) -> list[PythonPage]:
        """Return this many tabs in which Python runs, the last in front."""
        self._tabs = [tab for tab in self._tabs if not tab.page.is_closed()]
        new = [PythonPage(self._context.new_page(), self._url) for _ in range(count - len(self._tabs))]
        for tab in new:
            tab.begin_to_open()
        for tab in new:
            tab.wait_until_started()
            tab.run(BEGIN)
        self._tabs += new
        return self._tabs

    def problems(self) -> list[str]:
        """Return the problems of all tabs."""
        return [problem for tab in self._tabs for problem in tab.watch.problems]


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium_program: Path, source_server: KizunaServer) -> Iterator[Tabs]:
    """A Chromium started by hand, since Playwright's has no back/forward cache."""
    with browsers.chromium_that_hides(playwright, chromium_program, *SPARING) as context:
        devtools = context.new_cdp_session(context.pages[0])
        devtools.send("Storage.overrideQuotaForOrigin", {"origin": source_server.url, "quotaSize": ROOM})
        yield Tabs(context, source_server.url)


@pytest.fixture
def tabs(browser: Tabs) -> Iterator[list[PythonPage]]:
    """Two tabs."""
    tabs = browser.open(2)
    for tab in tabs:
        tab.watch.forget()
    yield tabs
    assert browser.problems() == []


@pytest.fixture
def tab(tabs: list[PythonPage]) -> PythonPage:
    return tabs[0]


def lock_is_free(tab: PythonPage, name: str) -> bool:
    """Return whether a tab can take the lock, which is released again."""
    return bool(
        tab.run(f"release = await locks.try_lock({name!r})\nrelease and release()\nrelease is not None")
    )


def test_chromium_keeps_the_contract(tab: PythonPage) -> None:
    assert_contract_kept(tab)


@pytest.mark.deep
def test_firefox_keeps_the_contract_too(
    playwright: Playwright, installed: Browsers, source_server: KizunaServer
) -> None:
    if installed.firefox is None:
        skip_without("Firefox", installed)
    with browsers.firefox(playwright, installed.firefox) as firefox:
        (tab,) = Tabs(firefox.new_context(), source_server.url).open(1)
        assert_contract_kept(tab)
        assert tab.run("await try_lock('tab')")
        assert not tab.run("await WebLocks().try_lock('tab')")
        assert tab.watch.problems == []


def assert_contract_kept(tab: PythonPage) -> None:
    duties, broken = tab.run(HOLD_TO_CONTRACT)
    assert duties > 5
    assert broken == {}


def test_two_tabs_that_count_at_once_lose_nothing(tabs: list[PythonPage]) -> None:
    first, second = tabs
    first.run(f"{COUNT}\ncounting = asyncio.create_task(count())\nNone")
    second.run(f"{COUNT}\nawait count()")
    first.run("await counting")
    seen = [tab.run("seen") for tab in tabs]
    assert sorted(seen[0] + seen[1]) == list(range(400))
    assert seen[0][-1] - seen[0][0] > 199 or seen[1][-1] - seen[1][0] > 199, "they never counted at once"


def test_what_is_committed_outlives_a_reload_and_locks_do_not(tabs: list[PythonPage]) -> None:
    first, second = tabs
    assert first.run("await try_lock('tab')")
    assert not lock_is_free(second, "tab")
    first.run("await storage.write('letters', {'a': 'kept'})")
    first.page.bring_to_front()  # hidden tabs take longer
    first.reload()
    assert second.run("await storage.read('letters')") == {"a": "kept"}
    first.run(BEGIN)
    assert first.run("await storage.read('letters')") == {"a": "kept"}
    eventually(lambda: lock_is_free(second, "tab"))


def test_a_full_disk_is_named_and_nothing_of_the_call_is_written(tab: PythonPage) -> None:
    tab.run("await storage.write('letters', {'small': 'before'})")
    tab.run(f"import secrets\nlarge = secrets.token_urlsafe({2 * ROOM})")  # Chromium compresses what it can
    told = tab.run("await failure_of(storage.write('letters', {'small': 'after', 'large': large}))")
    assert "is full (QuotaExceededError)" in told
    assert tab.run("await storage.read('letters', 'small')") == {"small": "before"}
    assert tab.run("await failure_of(storage.write('letters', {'small': 'after'}))") is None


def test_after_site_data_is_cleared_the_database_opens_again(
    tab: PythonPage,
) -> None:
    tab.run("await storage.write('letters', {'a': '1'})")
    cdp = tab.page.context.new_cdp_session(tab.page)
    cdp.send(
        "Storage.clearDataForOrigin", {"origin": tab.page.evaluate("origin"), "storageTypes": "indexeddb"}
    )
    assert tab.run("await storage.read('letters')") == {}
    assert tab.run("await failure_of(storage.write('letters', {'a': '2'}))") is None


def test_an_older_page_is_told_to_reload_after_an_upgrade(
    tabs: list[PythonPage],
) -> None:
    first, second = tabs
    first.run("older = IndexedDb('upgraded', ['letters'], 1)\nawait older.write('letters', {'a': '1'})")
    second.run(
        "newer = IndexedDb('upgraded', ['letters', 'marks'], 2)\nawait newer.write('marks', {'a': '2'})"
    )
    assert second.run("await newer.read('letters')") == {"a": "1"}
    assert "reload this one (VersionError)" in first.run("await failure_of(older.read('letters'))")
    assert "a table is missing" in first.run("await failure_of(IndexedDb('upgraded', [], 2).read('none'))")


def test_without_indexeddb_the_page_is_told_so(tab: PythonPage) -> None:
    tab.page.evaluate("Object.defineProperty(window, 'indexedDB', {value: undefined, configurable: true})")
    assert "no IndexedDB" in tab.run("await failure_of(IndexedDb('new', ['letters']).read('letters'))")
    tab.page.evaluate("delete window.indexedDB")


def test_a_page_in_the_back_forward_cache_releases_its_lock(tabs: list[PythonPage]) -> None:
    first, second = tabs
    first.page.bring_to_front()
    first.run("await storage.read('letters')\nawait try_lock('tab')")
    here = first.page.url
    first.page.goto(f"{here}static/config.json")
    eventually(lambda: lock_is_free(second, "tab"))  # a request for a held lock would evict the page
    first.page.evaluate("history.back()")
    first.page.wait_for_url(here, wait_until="commit")
    assert first.run("len(releases)") == 1, "the page was loaded again"
    eventually(lambda: not lock_is_free(second, "tab"))
    first.run("releases.pop()()")
    eventually(lambda: lock_is_free(second, "tab"))


def test_the_locks_of_a_tab_that_is_closed_are_free(tabs: list[PythonPage]) -> None:
    first, second = tabs
    assert second.run("await try_lock('tab')")
    assert not lock_is_free(first, "tab")
    second.page.close()
    eventually(lambda: lock_is_free(first, "tab"))
