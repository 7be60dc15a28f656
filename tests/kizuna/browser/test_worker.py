"""The platform of a web worker, which has no document, and the choice between it and that of a page."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kizuna import ARTICLE
from kizuna.platform import PageEvent, PageState, WentOffline, WentOnline
from tests.kizuna.platform_contract import Ear


@pytest.fixture
def worker(js: Any) -> Any:
    """The fake browser as a worker sees it."""
    js.WorkerGlobalScope = object
    del js.document, js.window
    return js


def test_a_worker_has_its_own_platform_and_a_page_another(js: Any) -> None:
    from kizuna.browser import BrowserPlatform, WorkerPlatform, browser_platform

    assert isinstance(browser_platform(), BrowserPlatform)
    js.WorkerGlobalScope = object  # with a document: PyScript lends its workers the page's
    assert isinstance(browser_platform(), WorkerPlatform)


def test_a_worker_is_visible_and_online_as_the_browser_says(worker: Any) -> None:
    from kizuna.browser import browser_platform

    platform = browser_platform()
    assert platform.page() == PageState(visible=True, online=True)
    worker.navigator.onLine = False
    assert platform.page() == PageState(visible=True, online=False)


def test_a_worker_is_told_of_the_network_until_the_watch_ends(worker: Any) -> None:
    from kizuna.browser import browser_platform

    told: list[PageEvent] = []
    stop = browser_platform().watch_page(told.append)
    worker.self.dispatch("offline")
    worker.self.dispatch("online")
    assert told == [WentOffline(), WentOnline()]
    stop()
    stop()
    assert worker.self.listeners == []
    assert worker.Worker.made == []


def test_a_worker_sets_timers_of_its_own(worker: Any) -> None:
    from kizuna.browser import browser_platform

    fired: list[str] = []
    platform = browser_platform()
    now = platform.now().monotonic
    platform.call_at(now + 1, lambda: fired.append("due"))
    platform.call_at(now + 1, lambda: fired.append("never")).cancel()
    worker.fire(*worker.timeouts)
    assert fired == ["due"]
    assert 0 <= platform.random() < 1


def test_a_worker_opens_sockets_of_its_own(worker: Any) -> None:
    from kizuna.browser import browser_platform

    socket = browser_platform().open_socket("ws://127.0.0.1/ws", Ear(), ["a"])
    assert worker.WebSocket.made[0].url == "ws://127.0.0.1/ws"
    socket.abandon(1000, "")


async def test_a_service_in_a_worker_needs_no_platform_and_leaves_nothing(worker: Any) -> None:
    from kizuna.browser import WebSocketService

    service = WebSocketService("ws://127.0.0.1/ws", wire=ARTICLE)
    connecting = asyncio.create_task(service.connect())
    await asyncio.sleep(0)
    (native,) = worker.WebSocket.made
    native.readyState = native.OPEN
    native.onopen(None)
    await connecting
    assert service.is_connected()
    service.disconnect()
    assert (worker.timeouts, worker.self.listeners) == ({}, [])


def test_what_a_connection_does_not_need_is_imported_when_first_named(js: Any) -> None:
    import sys

    import kizuna.browser

    later = {"kizuna.browser.database", "kizuna.browser.locks", "kizuna.browser.storage"}
    assert later.isdisjoint(sys.modules)
    assert all(hasattr(kizuna.browser, name) for name in kizuna.browser.__all__)
    assert later <= sys.modules.keys()
    with pytest.raises(AttributeError, match="no attribute 'IndexDb'"):
        kizuna.browser.IndexDb  # noqa: B018
