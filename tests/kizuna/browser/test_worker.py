"""The platform of a web worker, which has no document, and the choice between it and that of a page."""

from __future__ import annotations

import asyncio
import functools
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from kizuna import ARTICLE, ConfigurationError, connect
from kizuna.platform import MachineSlept, PageEvent, PageState, WentOffline, WentOnline, whole_url
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
    assert platform.page() == PageState(visible=True, online=True, throttled=True)
    worker.navigator.onLine = False
    assert platform.page() == PageState(visible=True, online=False, throttled=True)


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


def test_a_worker_tells_a_computation_from_sleep_by_its_own_worker(worker: Any) -> None:
    from kizuna.browser import browser_platform

    platform, told = browser_platform(), list[PageEvent]()
    stop = platform.watch_page(told.append)
    (ticking,) = worker.Worker.made
    fired: list[str] = []
    platform.call_at(platform.now().monotonic + 2, lambda: fired.append("due"))
    (number,) = ticking.armed
    ticking.tick(number)
    assert (fired, worker.timeouts, platform.page().throttled) == (["due"], {}, False)
    ticking.onmessage(SimpleNamespace(data=SimpleNamespace(slept=60_000)))
    assert told == [MachineSlept()]
    stop()
    assert (ticking.is_terminated, platform.page().throttled) == (True, True)


def test_a_worker_url_in_a_worker_is_relative_to_the_origin(worker: Any) -> None:
    """Its own script may be a ``blob:``, to which nothing is relative."""
    from kizuna.browser import browser_platform

    stop = browser_platform("boot/ticks.js").watch_page(lambda event: None)
    assert [ticking.url for ticking in worker.Worker.made] == ["https://example.org/boot/ticks.js"]
    stop()


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


async def test_calls_of_a_worker_come_soon_and_in_order(worker: Any) -> None:
    from kizuna.browser import WorkerPlatform

    called: list[int] = []
    for number in range(3):
        WorkerPlatform().call_soon(functools.partial(called.append, number))
    assert called == []
    await asyncio.sleep(0)
    assert called == [0, 1, 2]


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


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("ws", "wss://example.org/app/ws"),
        ("../ws?a=b", "wss://example.org/ws?a=b"),
        ("/ws", "wss://example.org/ws"),
        ("//example.net/ws", "wss://example.net/ws"),
        ("wss://example.net/ws", "wss://example.net/ws"),
        ("ws://localhost:8000", "ws://localhost:8000"),
    ],
)
def test_in_a_page_a_url_may_be_relative(js: Any, url: str, whole: str) -> None:
    js.document.baseURI = "https://example.org/app/index.html"
    assert whole_url(url) == whole


def test_a_relative_url_that_cannot_be_one_is_refused(js: Any) -> None:
    js.document.baseURI = "https://example.org/app/index.html"
    with pytest.raises(ConfigurationError, match="must begin with ws://"):
        whole_url("//example.org:x")


def test_in_a_worker_a_url_may_begin_with_a_slash(worker: Any) -> None:
    assert whole_url("/app/ws") == "wss://example.org/app/ws"
    assert whole_url("//example.net/ws") == "wss://example.net/ws"
    with pytest.raises(ConfigurationError, match="must be whole or begin with / in a worker, not 'ws'"):
        whole_url("ws?token=secret")


def test_an_unencrypted_url_in_an_encrypted_page_is_refused(js: Any) -> None:
    js.document.baseURI = "https://example.org/"
    with pytest.raises(ConfigurationError, match="no browser opens ws:// from an https page"):
        whole_url("ws://example.org/ws")


def test_connect_takes_the_platform_of_the_browser(js: Any) -> None:
    js.document.baseURI = "http://127.0.0.1:8000/"
    assert type(connect("/ws").platform).__name__ == "BrowserPlatform"


def test_what_a_connection_does_not_need_is_imported_when_first_named(js: Any) -> None:
    import kizuna.browser

    later = {"kizuna.browser.database", "kizuna.browser.locks", "kizuna.browser.storage"}
    assert later.isdisjoint(sys.modules)
    assert all(hasattr(kizuna.browser, name) for name in kizuna.browser.__all__)
    assert later <= sys.modules.keys()
    with pytest.raises(AttributeError, match="no attribute 'IndexDb'"):
        kizuna.browser.IndexDb  # noqa: B018


def test_outside_of_page_and_worker_urls_are_relative_to_nothing(js: Any) -> None:
    from kizuna.browser import base_url

    del js.document
    assert base_url() == ""
