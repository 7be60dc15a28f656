"""Fixtures of the end-to-end tests: browsers, a server, people and artifacts of failures."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Never

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, expect, sync_playwright

from tests.support import browsers
from tests.support.artifacts import begin_trace, keep
from tests.support.depth import DEEP
from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tests.support.shared_pages import SharedPages
from tests.support.site import shared_site
from tests.support.user_page import UserPage
from tests.support.waiting import PATIENCE
from tools.setup.browsers import Browsers, find_browsers, missing_packages

#: Flags that make pages start faster; deep tests have none.
SPARING = () if DEEP else (browsers.COMPILE_ONCE,)
FAILED = pytest.StashKey[bool]()
#: Functions that save artifacts of a failed test by its name, and return the folder.
KEEPERS = pytest.StashKey[list[Callable[[str], str]]]()


def pytest_configure() -> None:
    """Raise Playwright's timeout of five seconds, which is too short for two busy cores."""
    expect.set_options(timeout=PATIENCE * 1000)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """A failure leaves what was on the pages, while they are still open, and names the folder; fixtures learn of
    it."""
    if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
        for folder in leave_artifacts(item):
            call.excinfo.value.add_note(f"kept: {folder}")
    return (yield)


def leave_artifacts(item: pytest.Item) -> list[str]:
    """Save the artifacts of a failed test, once, and return the folders."""
    item.stash[FAILED] = True
    keepers, item.stash[KEEPERS] = item.stash.get(KEEPERS, []), []
    return list(dict.fromkeys(keep_it(item.name) for keep_it in keepers))


def will_keep(request: pytest.FixtureRequest, keep_it: Callable[[str], str]) -> None:
    """Register a function that saves artifacts if the test fails, and returns the folder."""
    request.node.stash.setdefault(KEEPERS, []).append(keep_it)


@contextlib.contextmanager
def present(request: pytest.FixtureRequest, people: list[UserPage], server: KizunaServer) -> Iterator[None]:
    """Watch these people during a test, which fails for problems of their pages."""
    item: pytest.Item = request.node
    for person in people:
        begin_trace(person.page.context)
    will_keep(request, lambda name: keep(name, people, {"server.txt": server.output}))
    try:
        yield
    except BaseException as error:  # the test did not even begin
        for folder in leave_artifacts(item):
            error.add_note(f"kept: {folder}")
        raise
    wrong = [f"{person.name}: {problem}" for person in people for problem in person.watch.problems]
    wrong += [
        f"the server printed {person.name}'s token"
        for person in people
        if person.watch.tokens_in(server.output)
    ]
    if wrong and not has_failed(request):
        kept = [f"kept: {folder}" for folder in leave_artifacts(item)]
        pytest.fail("\n".join(wrong + kept), pytrace=False)


def has_failed(request: pytest.FixtureRequest) -> bool:
    """Return whether the test has failed so far."""
    return bool(request.node.stash.get(FAILED, False))


# --- browsers ---


@pytest.fixture(scope="session")
def installed() -> Browsers:
    """The installed browsers."""
    return find_browsers()


def skip_without(browser: str, installed: Browsers) -> Never:
    """Skip the test since a browser is missing, the only allowed reason."""
    packages = " ".join(missing_packages(installed)[browser])
    pytest.skip(f"{browser} is missing (on Debian: apt install {packages})")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium_program(installed: Browsers) -> Path:
    """The Chromium for tests that start their own."""
    return installed.chromium or skip_without("Chromium", installed)


@pytest.fixture(scope="session")
def chromium(playwright: Playwright, installed: Browsers, chromium_program: Path) -> Iterator[Browser]:
    """One Chromium for all tests: without windows where that will do, since each costs a second; deep, as people have
    it."""
    windows = DEEP or browsers.is_headed()
    program = chromium_program if windows else installed.headless_shell or chromium_program
    with browsers.chromium(playwright, program, *SPARING) as browser:
        yield browser


@pytest.fixture(scope="module")
def chromium_that_hides(playwright: Playwright, chromium_program: Path) -> Iterator[BrowserContext]:
    """A Chromium whose background tabs are really hidden."""
    with browsers.chromium_that_hides(playwright, chromium_program, *SPARING) as context:
        yield context


# --- the server, and people without a browser ---


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, site: Path) -> Iterator[KizunaServer]:
    """The server of all tests, with the built page; a test may restart it, never leave it stopped. A person of a test
    types faster than the rate limit lets one."""
    data = tmp_path_factory.mktemp("data") / "kizuna.sqlite3"
    with KizunaServer(data, RATE_LIMIT="0", ROOT=str(site)) as server:
        yield server


@pytest.fixture(scope="module")
def source_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KizunaServer]:
    """A server of the source tree, whose page starts more slowly, file by file."""
    with KizunaServer(tmp_path_factory.mktemp("data") / "kizuna.sqlite3", RATE_LIMIT="0") as server:
        yield server


@pytest.fixture
def room(server: KizunaServer) -> str:
    """A new room."""
    if not server.is_running:  # a test failed in the middle
        server.start()
    return f"room-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def peer(server: KizunaServer, room: str) -> Iterator[Peer]:
    """A client without a browser in the same room."""
    with Peer(server, room) as peer:
        yield peer


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. A test that changes it uses a copy."""
    return shared_site(tmp_path_factory)


# --- people with a browser ---


@pytest.fixture(scope="session")
def shared_pages(chromium: Browser, server: KizunaServer) -> Iterator[SharedPages]:
    shared_pages = SharedPages(chromium, server)
    yield shared_pages
    shared_pages.close_all()


@pytest.fixture
def people(
    request: pytest.FixtureRequest, shared_pages: SharedPages, server: KizunaServer, room: str
) -> Iterator[dict[str, UserPage]]:
    """The shared people whom the test names, in its room. After a failure they are replaced."""
    called = shared_pages.get(
        [name for name in ("Ada", "Ben", "Quinn") if name.lower() in request.fixturenames]
    )
    try:
        with present(request, called, server):
            shared_pages.prepare(called, room)
            yield {person.name: person for person in called}
    finally:
        if has_failed(request):
            for person in called:
                shared_pages.close(person)


@pytest.fixture
def ada(people: dict[str, UserPage]) -> UserPage:
    """A person with the page's own options."""
    return people["Ada"]


@pytest.fixture
def ben(people: dict[str, UserPage]) -> UserPage:
    """A second person with the page's own options."""
    return people["Ben"]


@pytest.fixture
def quinn(people: dict[str, UserPage]) -> UserPage:
    """A person with short times (shared_pages.QUICK)."""
    return people["Quinn"]


@pytest.fixture
def new_person(
    request: pytest.FixtureRequest, shared_pages: SharedPages, server: KizunaServer
) -> Iterator[Callable[..., UserPage]]:
    """A function that makes people for one test, whose page is not open yet."""
    new_people: list[UserPage] = []

    def new_person(name: str = "Newcomer", **options: Any) -> UserPage:
        new_people.append(shared_pages.new_person(name, **options))
        begin_trace(new_people[-1].page.context)
        return new_people[-1]

    try:
        with present(request, new_people, server):
            yield new_person
    finally:
        for person in new_people:
            shared_pages.close(person)
