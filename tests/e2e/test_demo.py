"""The demo without any server: a host of files alone, and a page that heals what is broken."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.demo_visit import GREETING, break_and_heal, lost_or_doubled, open_demo
from tests.support.fault_proxy import FaultProxy
from tests.support.site import Copy, StaticHost, run_python
from tests.support.user_page import UserPage
from tests.support.waiting import PATIENCE, eventually
from tests.support.watch import Watch
from tools.build.page import start_files_of

#: What a page has stored, and the names of its databases; PyScript's own are no part of the chat.
STORED = """async () => ({
    local: Object.keys(localStorage),
    session: Object.keys(sessionStorage),
    databases: (await indexedDB.databases()).map(({ name }) => name).filter((name) => !name.includes("@")),
})"""

#: Whether the service worker keeps the page, its snapshot and the demo.
IS_KEPT = """async () => {
    const kept = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
    const paths = kept.flat().map(({ url }) => new URL(url).pathname);
    const wanted = [/\\/$/, /\\/start\\.\\w+\\.snapshot$/, /\\/demo\\.\\w+\\.zip$/];
    return wanted.every((pattern) => paths.some((path) => pattern.test(path)));
}"""

Visit = Callable[..., Page]


@pytest.fixture
def host(site: Path) -> Iterator[StaticHost]:
    """A host of the built site, which has no server of the chat."""
    with StaticHost(site) as host:
        yield host


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Opens a page of a host in a browser that was never there. What goes wrong on it fails the test."""
    context = chromium.new_context(service_workers="block")
    watches: list[Watch] = []

    def visit(host: StaticHost, query: str = "?demo&lang=en") -> Page:
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        watches.append(Watch(page, host.origin))
        page.goto(f"{host.url}{query}", wait_until="commit")
        return page

    yield visit
    problems = [problem for watch in watches for problem in watch.problems]
    opened = [url for watch in watches for url in watch.sockets_opened]
    context.close()
    assert problems == []
    assert opened == []


def say(page: Page, text: str) -> None:
    """Send a message."""
    box = page.get_by_role("textbox", name="Message", exact=True)
    box.fill(text)
    box.press("Enter")


def message(page: Page, text: str) -> Locator:
    """Return the messages with this text at their beginning."""
    content = page.locator('[data-part="content"]', has_text=re.compile(f"^{re.escape(text)}"))
    return page.get_by_role("article").filter(has=content)


def test_the_demo_greets_without_any_server(host: StaticHost, visit: Visit) -> None:
    page = visit(host)
    expect(message(page, GREETING)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-status", "connected")
    line = page.get_by_role("complementary", name="Demo")
    expect(line).to_contain_text("Demo without a server")
    say(page, "hello")
    expect(message(page, "I have “hello”.")).to_be_visible()
    assert not [path for path in host.asked if re.search(r"/(ws|token|ticket)\b", path)]


def test_what_breaks_in_the_demo_heals_and_loses_nothing(host: StaticHost, chromium: Browser) -> None:
    with FaultProxy(host.port) as network, chromium.new_context() as context:
        guest = UserPage(context.new_page(), network, "Guest", host.url.removesuffix("/"))
        open_demo(guest)
        written = break_and_heal(guest)
        assert lost_or_doubled(guest, written) == []
        assert guest.watch.problems == []
        assert guest.watch.sockets_opened == []


def test_the_demo_stores_nothing_outside_its_tab(host: StaticHost, visit: Visit) -> None:
    page = visit(host)
    expect(message(page, GREETING)).to_be_visible()
    say(page, "kept in the tab")
    expect(message(page, "kept in the tab")).to_have_attribute("data-state", "sent")
    page.reload(wait_until="commit")
    expect(message(page, "You opened the page again.")).to_be_visible()
    expect(message(page, "kept in the tab")).to_have_count(1)
    stored = page.evaluate(STORED)
    assert stored["local"] == []
    assert stored["databases"] == []
    assert stored["session"]
    assert all(key.startswith(f"{host.PATH}demo/") for key in stored["session"])


def test_a_demo_that_was_open_opens_without_a_network(host: StaticHost, chromium: Browser) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(f"{host.url}?demo&lang=en", wait_until="commit")
        expect(message(page, GREETING)).to_be_visible()
        eventually(lambda: page.evaluate(IS_KEPT), what="a demo in the cache")
        host.in_order = False
        page.reload(wait_until="commit")
        expect(message(page, "You opened the page again.")).to_be_visible()


def test_leaving_the_demo_opens_the_chat(host: StaticHost, visit: Visit) -> None:
    page = visit(host)
    page.get_by_role("link", name="Leave the demo").click()
    expect(page.get_by_role("textbox", name="Your name")).to_be_visible()
    assert "demo" not in page.url
    expect(page.locator("#demo")).to_be_hidden()


def test_a_site_that_names_no_server_is_a_demo(site: Path, tmp_path: Path, visit: Visit) -> None:
    copy = Copy(site, tmp_path / "copy")
    copy.replace("static/config.json", json.dumps({"demo": True}).encode())
    with StaticHost(copy.site) as host:
        page = visit(host, "?lang=en")
        expect(message(page, GREETING)).to_be_visible()
        expect(page.get_by_role("complementary", name="Demo")).to_be_visible()
        expect(page.get_by_role("link", name="Leave the demo")).to_have_count(0)
        assert "demo" in page.url


def test_an_ordinary_page_loads_nothing_of_the_demo(host: StaticHost, site: Path, visit: Visit) -> None:
    page = visit(host, "?lang=en")
    expect(page.get_by_role("textbox", name="Your name")).to_be_visible()
    archive = start_files_of((site / "index.html").read_text(encoding="utf-8"))["demo"]
    assert not [path for path in host.asked if path.endswith(archive)]
    assert (
        run_python(page, "import sys; any(name.partition('.')[0] == 'demo' for name in sys.modules)") is False
    )
