"""The worker's ticks in a hidden tab, whose timers Chromium runs once a minute."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Worker

from tests.e2e.conftest import present, skip_without
from tests.e2e.test_heartbeat import frames_of
from tests.support import browsers
from tests.support.fault_proxy import FaultProxy
from tests.support.python_page import PythonPage
from tests.support.server import KizunaServer
from tests.support.shared_pages import QUICK
from tests.support.user_page import UserPage, give_config
from tests.support.waiting import eventually, throughout
from tools.setup.browsers import Browsers

TICKS_FILE = "static/boot/ticks.js"

#: Chromium 156 lets the timers of a hidden page run once a minute when it has been hidden for a minute, or for so
#: many seconds, or a few more, if nothing was painted yet: hence a page that cannot be seen.
SOON = "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1"
UNSEEN = """{
    const rules = new CSSStyleSheet();
    rules.replaceSync("html { opacity: 0 }");
    document.adoptedStyleSheets = [rules];
}"""

#: Counts a timer of the page, which fires ten times a second if it is not throttled.
COUNT_TIMEOUTS = "() => { window.timeouts = 0; setInterval(() => { window.timeouts += 1; }, 100); }"

#: Returns whether the worker is heard, whether it still is after its end, and what is left.
HEAR_WORKER = """
import asyncio
from kizuna.browser import BrowserPlatform, proxies

async def hear_worker(worker_url, patience):
    platform = BrowserPlatform(worker_url)
    unwatch = platform.watch_page(lambda event: None)
    for _ in range(round(patience / 0.05)):
        due = asyncio.get_running_loop().create_future()
        platform.call_at(platform.now().monotonic + 0.05, lambda: due.set_result(None))
        await due
        if not platform.page().throttled:
            break
    while_watched = not platform.page().throttled
    unwatch()
    return [while_watched, not platform.page().throttled, proxies.alive()]
"""


#: Returns whether the page is hidden after so many calls of call_soon(), each made by the one before; and what is left.
TAKE_TURNS = """
import asyncio
import js
from kizuna.browser import BrowserPlatform, proxies

async def take_turns(count):
    platform, calls = BrowserPlatform("static/boot/ticks.js"), []
    unwatch = platform.watch_page(lambda event: None)
    done = asyncio.get_running_loop().create_future()

    def turn():
        calls.append(1)
        platform.call_soon(turn) if len(calls) < count else done.set_result(js.document.visibilityState)

    platform.call_soon(turn)
    visibility = await done
    unwatch()
    return [visibility, len(calls), proxies.alive()]
"""


@pytest.fixture(scope="module")
def throttling(playwright: Playwright, chromium_program: Path) -> Iterator[BrowserContext]:
    """A Chromium that soon throttles the timers of hidden pages."""
    with browsers.chromium_that_hides(playwright, chromium_program, SOON) as context:
        yield context


@pytest.fixture
def cover(throttling: BrowserContext) -> Page:
    """A tab that hides the others."""
    return throttling.pages[0]


@pytest.fixture
def two(
    request: pytest.FixtureRequest, throttling: BrowserContext, server: KizunaServer, room: str
) -> Iterator[tuple[UserPage, UserPage]]:
    """Two people in two tabs; the second one's host has no file for the worker."""
    with contextlib.ExitStack() as afterwards:
        people = []
        for name in ("Tick", "Tock"):
            network = afterwards.enter_context(FaultProxy(server.port))
            person = UserPage(throttling.new_page(), network, name)
            afterwards.callback(person.page.close)
            give_config(person.page, **QUICK)
            person.page.add_init_script(UNSEEN)
            people.append(person)
        with_worker, without = people
        without.watch.allow(r"status of 404")
        without.page.route(f"**/{TICKS_FILE}", lambda route: route.fulfill(status=404, body="Not Found"))
        afterwards.enter_context(present(request, people, server))
        for person in people:
            person.page.bring_to_front()
            person.begin_to_open(room)
        for person in people:
            person.wait_until_started()
            person.page.bring_to_front()
            person.join()
        yield with_worker, without


def timeouts_of(person: UserPage) -> int:
    return int(person.page.evaluate("timeouts"))


def workers_of(page: Page) -> list[Worker]:
    """Return the workers of a page."""
    page.title()  # lets events arrive
    return page.workers


@contextlib.contextmanager
def stopped_timers(*people: UserPage, cover: Page) -> Iterator[None]:
    """Pages that are hidden, and the proof that their own timers are stopped: they run once or twice, at the full
    minute. Nobody may say anything meanwhile, or a new title sets Chromium's timers free for three seconds."""
    for person in people:
        person.page.evaluate(COUNT_TIMEOUTS)
    cover.bring_to_front()
    for person in people:
        eventually(lambda person=person: person.visibility == "hidden")  # type: ignore[misc]
    eventually(lambda: stand_still(*people), what="pages whose timers are stopped")
    before = [timeouts_of(person) for person in people]
    yield
    for person, so_many in zip(people, before, strict=True):
        assert timeouts_of(person) - so_many <= 2, "the timers of the page ran: nothing was proven"


def stand_still(*people: UserPage) -> bool:
    """Return whether no timer ran for three seconds, three times as long as in any hidden page."""
    before = [timeouts_of(person) for person in people]
    throughout(
        lambda: [timeouts_of(person) for person in people] == before, 3, what="timers that stand still"
    )
    return True


def pings_of(person: UserPage) -> int:
    return len(frames_of(person, "ping"))


@pytest.mark.deep
def test_a_worker_keeps_the_heartbeat_going_while_timers_are_stopped(
    two: tuple[UserPage, UserPage], cover: Page
) -> None:
    person, without = two
    assert_beats(without)  # as long as it is visible, it needs no worker
    assert_named_once(without)
    with stopped_timers(person, without, cover=cover):
        sent, sent_without = pings_of(person), pings_of(without)
        eventually(
            lambda: pings_of(person) >= sent + 4, what="four pings, for which the page's timers need minutes"
        )
        assert pings_of(without) <= sent_without + 1, "it is not the worker that makes the difference"
        assert person.network.counts.websockets == 1

        assert person.network.strand(only_websockets=True) == 1
        person.network.wait_until(lambda seen: seen.websockets == 2)
        person.wait_until_in()
    assert len(workers_of(person.page)) == 1
    person.watch.allow_network_trouble()
    person.network.reset()

    without.page.bring_to_front()
    assert_beats(without)
    without.wait_until_in()
    assert_named_once(without)


def assert_beats(person: UserPage) -> None:
    """Wait for two more pings."""
    sent = pings_of(person)
    eventually(lambda: pings_of(person) >= sent + 2)


def assert_named_once(person: UserPage) -> None:
    """Assert that the log says once that the worker's file is missing, and which."""
    (complaint,) = [line for line in person.watch.console if "no worker (" in line]
    assert TICKS_FILE in complaint
    assert workers_of(person.page) == []


@pytest.mark.deep
def test_a_tab_hidden_for_five_minutes_pings_every_thirty_seconds(
    request: pytest.FixtureRequest, chromium_that_hides: BrowserContext, server: KizunaServer, room: str
) -> None:
    """With Chromium's real throttling and the connection's real options."""
    cover = chromium_that_hides.pages[0]
    with FaultProxy(server.port) as network:
        person = UserPage(chromium_that_hides.new_page(), network, "Hidden")
        with present(request, [person], server):
            person.page.bring_to_front()
            person.open(room)
            person.join()
            statuses = person.watch_status()
            person.page.evaluate(COUNT_TIMEOUTS)
            cover.bring_to_front()
            eventually(lambda: stand_still(person), within=300, what="a page whose timers are stopped")
            pings, own_timers = pings_of(person), timeouts_of(person)
            eventually(lambda: pings_of(person) >= pings + 8, within=500, what="eight pings")
            ran = timeouts_of(person) - own_timers
            sent = [frame["t"] / 1000 for frame in frames_of(person, "ping")]
            gaps = [f"{after - before:.2f}" for before, after in itertools.pairwise(sent)]
            print(f"seconds between pings: {', '.join(gaps)}; the page's own timers ran {ran} times")
            assert ran < 8, "as often as the pings, which prove nothing"
            assert statuses() == ["connected"]
            assert network.counts.websockets == 1
        person.page.close()


def test_one_worker_serves_all_links_and_leaving_ends_it(quinn: UserPage) -> None:
    (worker,) = workers_of(quinn.page)
    quinn.watch.allow_network_trouble()
    before = quinn.network.counts.websockets
    for links in (1, 2, 3):
        quinn.network.reset(only_websockets=True)
        quinn.network.wait_until(lambda seen, links=links: seen.websockets == before + links)  # type: ignore[misc]
        quinn.wait_until_in()
    assert workers_of(quinn.page) == [worker]
    quinn.leave()
    eventually(lambda: workers_of(quinn.page) == [])
    quinn.join()
    assert len(workers_of(quinn.page)) == 1


@pytest.mark.deep
def test_without_a_url_the_worker_runs_the_packages_source(
    chromium: Browser, source_server: KizunaServer
) -> None:
    with chromium.new_context(bypass_csp=True) as context:  # the page's own rules allow no blob
        tab = begin(context.new_page(), source_server)
        assert hears_worker(tab, None)
        assert tab.watch.problems == []


@pytest.mark.deep
def test_firefox_runs_the_worker_too_and_is_refused_a_blob(
    playwright: Playwright, installed: Browsers, source_server: KizunaServer
) -> None:
    if installed.firefox is None:
        skip_without("Firefox", installed)
    with browsers.firefox(playwright, installed.firefox) as firefox:
        tab = begin(firefox.new_page(), source_server)
        assert hears_worker(tab, TICKS_FILE)
        assert tab.watch.problems == []
        assert not hears_worker(tab, None, patience=1)
        assert any("worker-src" in problem for problem in tab.watch.problems)


def test_slices_of_frames_go_on_in_a_hidden_page(
    chromium_that_hides: BrowserContext, source_server: KizunaServer
) -> None:
    """By timers, which run once a second there, this would take hours."""
    tab = begin(chromium_that_hides.new_page(), source_server)
    chromium_that_hides.pages[0].bring_to_front()
    eventually(lambda: tab.page.evaluate("document.visibilityState") == "hidden")
    assert tab.run(f"{TAKE_TURNS}\nawait take_turns(10_000)") == ["hidden", 10_000, 0]
    assert tab.watch.problems == []
    tab.page.close()


def begin(page: Page, server: KizunaServer) -> PythonPage:
    """Return a page with Python and the library alone."""
    tab = PythonPage(page, server.url)
    tab.begin_to_open()
    tab.wait_until_started()
    return tab


def hears_worker(tab: PythonPage, worker_url: str | None, patience: float = 60) -> bool:
    """Return whether a platform hears its worker within some seconds; the worker is ended."""
    heard, heard_after, proxies_left = tab.run(
        f"{HEAR_WORKER}\nawait hear_worker({worker_url!r}, {patience})"
    )
    eventually(lambda: workers_of(tab.page) == [], what="the end of the worker")
    assert (heard_after, proxies_left) == (False, 0)
    return bool(heard)
