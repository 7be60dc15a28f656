"""A Chromium with heap sampling, which some browsers have by a random choice, runs Python too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright

from tests.e2e.conftest import present
from tests.support import browsers
from tests.support.server import KizunaServer
from tests.support.shared_pages import SharedPages

pytestmark = pytest.mark.deep

#: Chromium's own feature, which one channel's browsers get with one probability, the other's with another; and a sample
#: each 100,000 bytes on average, where it would be a million: with WebAssembly's stacks, 11 of 12 pages died of it.
PROFILED = (
    "--enable-features=HeapProfilerReporting:stable-probability/1.0/nonstable-probability/1.0"
    "/renderer-prob-pct/100/renderer-sampling-rate-bytes/100000"
)


@pytest.fixture(scope="module")
def profiled(playwright: Playwright, chromium_program: Path) -> Iterator[Browser]:
    with browsers.chromium(playwright, chromium_program, PROFILED) as browser:
        yield browser


@pytest.mark.parametrize("way", ["snapshot", "ordinary"])
def test_the_built_page_lives_through_its_start(
    request: pytest.FixtureRequest, profiled: Browser, server: KizunaServer, room: str, way: str
) -> None:
    starts_and_chats(request, profiled, server, room, f"?start={way}")


def test_the_source_trees_page_lives_through_its_start(
    request: pytest.FixtureRequest, profiled: Browser, source_server: KizunaServer, room: str
) -> None:
    starts_and_chats(request, profiled, source_server, room)


def starts_and_chats(
    request: pytest.FixtureRequest, profiled: Browser, server: KizunaServer, room: str, query: str = ""
) -> None:
    shared_pages = SharedPages(profiled, server)
    ada = shared_pages.new_person("Ada")
    with present(request, [ada], server):
        ada.open(room, query)
        ada.join()
        ada.say("still here")
        ada.wait_for_text("still here", state="sent")
    shared_pages.close(ada)
