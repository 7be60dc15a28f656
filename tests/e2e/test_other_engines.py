"""The page in Firefox and WebKit: joining, sending, receiving, and a restart of the server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect
from selenium.webdriver import WebKitGTK

from tests.e2e.conftest import present, skip_without
from tests.support import browsers
from tests.support.demo_visit import break_and_heal, lost_or_doubled, open_demo
from tests.support.fault_proxy import FaultProxy
from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tests.support.shared_pages import SharedPages
from tests.support.site import StaticHost
from tests.support.user_page import UserPage
from tests.support.waiting import PATIENCE
from tests.support.webkit_page import WebKitPage
from tools.setup.browsers import Browsers


@contextlib.contextmanager
def firefox(playwright: Playwright, installed: Browsers) -> Iterator[Browser]:
    """Firefox, or a skipped test."""
    if installed.firefox is None:
        skip_without("Firefox", installed)
    with browsers.firefox(playwright, installed.firefox) as browser:
        yield browser


@contextlib.contextmanager
def webkit(installed: Browsers, *, waits: bool = True) -> Iterator[WebKitGTK]:
    """WebKit, or a skipped test."""
    if installed.webkit_driver is None or installed.minibrowser is None or not installed.webkit:
        skip_without("WebKit", installed)
    with browsers.webkit(installed.webkit_driver, installed.minibrowser, waits=waits) as browser:
        yield browser


@pytest.fixture
def fiona(
    request: pytest.FixtureRequest, playwright: Playwright, installed: Browsers, server: KizunaServer
) -> Iterator[UserPage]:
    """Uses Firefox."""
    with firefox(playwright, installed) as browser:
        shared_pages = SharedPages(browser, server)
        fiona = shared_pages.new_person("Fiona")
        with present(request, [fiona], server):
            yield fiona
        shared_pages.close(fiona)


@pytest.fixture
def willow(installed: Browsers, server: KizunaServer) -> Iterator[WebKitPage]:
    """Uses WebKit."""
    with (
        FaultProxy(server.port) as network,
        webkit(installed) as browser,
    ):
        yield WebKitPage(browser, network.url, "Willow")


def test_firefox(fiona: UserPage, peer: Peer, server: KizunaServer, room: str) -> None:
    fiona.open(room)
    fiona.join()
    fiona.say("from Firefox")
    peer.wait_to_hear("from Firefox")
    peer.say("to Firefox")
    fiona.wait_for_texts("from Firefox", "to Firefox")
    fiona.wait_for_text("from Firefox", state="sent")

    fiona.watch.allow_network_trouble()
    server.stop()
    fiona.wait_for_status("waiting", "connecting")
    fiona.say("typed meanwhile")
    server.start()
    with Peer(server, room) as another:
        another.say("said meanwhile")
        fiona.try_now_if_shown()
        fiona.wait_until_in()
        another.wait_to_hear("typed meanwhile")
        fiona.wait_for_text("typed meanwhile", state="sent")
        assert sorted(fiona.texts) == sorted(another.heard)
        assert fiona.texts[:2] == ["from Firefox", "to Firefox"]
    fiona.leave()
    fiona.network.wait_until(lambda seen: seen.open_websockets == 0)


def test_webkit(willow: WebKitPage, peer: Peer, server: KizunaServer, room: str) -> None:
    willow.open(room)
    willow.join()
    willow.say("from WebKit")
    peer.wait_to_hear("from WebKit")
    peer.say("to WebKit")
    willow.wait_for_messages(("from WebKit", "sent"), ("to WebKit", "received"))

    server.stop()
    willow.wait_for_status("waiting", "connecting")
    willow.say("typed meanwhile")
    server.start()
    with Peer(server, room) as another:
        willow.wait_until_in()
        another.wait_to_hear("typed meanwhile")
    willow.wait_for_messages(("from WebKit", "sent"), ("to WebKit", "received"), ("typed meanwhile", "sent"))


@pytest.mark.deep
def test_firefox_heals_the_demo_without_any_server(
    playwright: Playwright, installed: Browsers, site: Path
) -> None:
    with (
        StaticHost(site) as host,
        FaultProxy(host.port) as network,
        firefox(playwright, installed) as browser,
    ):
        fiona = UserPage(browser.new_page(), network, "Guest", host.url.removesuffix("/"))
        open_demo(fiona)
        written = break_and_heal(fiona)
        assert lost_or_doubled(fiona, written) == []
        assert fiona.watch.problems == []
        assert fiona.watch.sockets_opened == []


@pytest.mark.deep
def test_webkit_heals_the_demo_without_any_server(installed: Browsers, site: Path) -> None:
    with (
        StaticHost(site) as host,
        webkit(installed) as browser,
    ):
        willow = WebKitPage(browser, host.url.removesuffix("/"), "Guest")
        open_demo(willow)
        written = break_and_heal(willow)
        assert lost_or_doubled(willow, written) == []


@pytest.mark.deep
def test_firefox_starts_the_built_page_from_its_snapshot(
    request: pytest.FixtureRequest, playwright: Playwright, installed: Browsers, site: Path, tmp_path: Path
) -> None:
    with (
        KizunaServer(tmp_path / "kizuna.sqlite3", ROOT=str(site)) as server,
        firefox(playwright, installed) as browser,
    ):
        shared_pages = SharedPages(browser, server)
        fiona = shared_pages.new_person("Fiona")
        with present(request, [fiona], server), Peer(server, "built") as peer:
            fiona.open("built", "?start=snapshot")
            assert fiona.root.get_attribute("data-start") == "snapshot"
            fiona.join()
            fiona.say("from Firefox")
            peer.wait_to_hear("from Firefox")
        assert ".gz" not in server.output  # it knows what came compressed
        shared_pages.close(fiona)


@pytest.mark.deep
def test_webkit_starts_the_built_page_from_its_snapshot(
    installed: Browsers, site: Path, tmp_path: Path
) -> None:
    with (
        KizunaServer(tmp_path / "kizuna.sqlite3", ROOT=str(site)) as server,
        FaultProxy(server.port) as network,
        webkit(installed) as browser,
    ):
        willow = WebKitPage(browser, network.url, "Willow")
        willow.open("built", "&start=snapshot")
        assert willow.attribute("data-start") == "snapshot"
        willow.join()
        with Peer(server, "built") as peer:
            willow.say("from WebKit")
            peer.wait_to_hear("from WebKit")
        assert ".gz" not in server.output


@pytest.mark.deep
def test_firefox_starts_the_built_page_from_a_host_that_compresses_nothing(
    playwright: Playwright, installed: Browsers, site: Path
) -> None:
    with (
        StaticHost(site, encodes_gz=True) as host,
        firefox(playwright, installed) as browser,
    ):
        page = browser.new_page()
        page.goto(f"{host.url}?start=snapshot", wait_until="commit")
        expect(page.locator("html")).to_have_attribute("data-page", "live", timeout=PATIENCE * 2000)
        expect(page.locator("html")).to_have_attribute("data-start", "snapshot")
        assert any(path.endswith(".snapshot.gz") for path in host.asked)


@pytest.mark.deep
def test_webkit_starts_the_built_page_from_a_host_that_compresses_nothing(
    installed: Browsers, site: Path
) -> None:
    with (
        StaticHost(site, encodes_gz=True) as host,
        webkit(installed) as browser,
    ):
        willow = WebKitPage(browser, host.url.removesuffix("/"), "Willow")
        willow.open("built", "&start=snapshot")
        assert willow.attribute("data-start") == "snapshot"
        assert any(path.endswith(".snapshot.gz") for path in host.asked)


@pytest.mark.deep
def test_webkit_shows_the_start_page_while_the_runtime_loads(installed: Browsers, site: Path) -> None:
    """WebKit lets a module be used before its top-level await ends (bug 242740), so it must not await."""
    with (
        StaticHost(site) as host,
        webkit(installed, waits=False) as browser,
    ):
        willow = WebKitPage(browser, host.url.removesuffix("/"), "Willow")
        with host.holding("/pyodide.mjs"):
            willow.begin_to_open("built", "&start=snapshot")
            willow.wait_for_words("download")  # PyScript has finished the module that starts Python
        willow.wait_until_started()
