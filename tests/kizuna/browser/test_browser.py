"""The browser's platform: every listener is removed, every proxy destroyed."""

from __future__ import annotations

import asyncio
import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from kizuna.platform import (
    NetworkChanged,
    PageEvent,
    PageHidden,
    PageResumed,
    PageShown,
    PageState,
    PageSuspended,
    WentOffline,
    WentOnline,
)
from tests.kizuna.platform_contract import Ear


def test_a_socket_tells_what_happens(js: Any) -> None:
    from kizuna.browser.proxies import BrowserSocket

    ear = Ear()
    socket = BrowserSocket("ws://127.0.0.1/ws", ear)
    native = js.WebSocket.made[0]
    assert not socket.is_open
    native.readyState = native.OPEN
    native.onopen(None)
    native.onmessage(SimpleNamespace(data="text"))
    native.onmessage(SimpleNamespace(data=SimpleNamespace(to_bytes=lambda: b"bytes")))
    assert socket.is_open
    assert native.binaryType == "arraybuffer"
    socket.send("frame")
    socket.send(b"bytes")
    native.onclose(SimpleNamespace(code=1006, reason=""))
    assert ear.heard == ["open", "text", b"bytes", (1006, "")]
    assert native.log[-2:] == [("send", "frame"), ("send", b"bytes")]
    socket.abandon(1000, "")


def test_the_subprotocol_that_the_server_chose_is_told(js: Any) -> None:
    from kizuna.browser.proxies import BrowserSocket

    sockets = [BrowserSocket("ws://127.0.0.1/ws", Ear(), protocols) for protocols in (["a", "b"], [])]
    assert [socket.protocol for socket in sockets] == ["a", ""]
    for socket in sockets:
        socket.abandon(1000, "")
    assert sockets[0].protocol == ""


def test_an_abandoned_socket_is_detached_before_it_is_closed(js: Any) -> None:
    from kizuna.browser import proxies
    from kizuna.browser.proxies import BrowserSocket

    ear = Ear()
    socket = BrowserSocket("ws://127.0.0.1/ws", ear)
    native = js.WebSocket.made[0]
    assert proxies.alive() == 3
    socket.abandon(1000, "")
    detached = {("onopen", False), ("onmessage", False), ("onclose", False), ("onerror", False)}
    assert set(native.log[-5:-1]) == detached
    assert native.log[-1] == ("close", 1000)
    assert proxies.alive() == 0
    assert not socket.is_open
    socket.abandon(1000, "")
    socket.send("into the void")
    assert native.log[-1] == ("close", 1000)
    assert ear.heard == []


def test_a_close_code_that_browsers_refuse_still_closes(js: Any) -> None:
    from kizuna.browser.proxies import BrowserSocket

    socket = BrowserSocket("ws://127.0.0.1/ws", Ear())
    socket.abandon(1001, "")
    assert js.WebSocket.made[0].log[-1] == ("close", 1005)


def test_rejected_url_raises_value_error_without_the_token(js: Any) -> None:
    from kizuna.browser.proxies import BrowserSocket

    with pytest.raises(ValueError, match="SyntaxError") as caught:
        BrowserSocket("http://127.0.0.1/ws?token=secret", Ear())
    assert "secret" not in str(caught.value)


def test_a_timer_calls_back_once_and_lets_go(js: Any) -> None:
    from kizuna.browser.proxies import BrowserTimer, now

    calls: list[int] = []
    timer = BrowserTimer(now().monotonic + 2, lambda: calls.append(1))
    ((number, (_, delay)),) = js.timeouts.items()
    assert 1900 < delay <= 2000
    js.fire(number)
    timer.cancel()
    assert calls == [1]


def test_a_cancelled_timer_is_cleared_and_lets_go(js: Any) -> None:
    from kizuna.browser.proxies import BrowserTimer, now

    timer = BrowserTimer(now().monotonic + 2, lambda: pytest.fail("called after cancel"))
    timer.cancel()
    timer.cancel()
    assert js.timeouts == {}


def test_a_cancelled_timer_that_fires_all_the_same_calls_nobody(js: Any) -> None:
    from kizuna.browser.proxies import BrowserTimer, now

    timer = BrowserTimer(now().monotonic + 2, lambda: pytest.fail("called after cancel"))
    timer.cancel()
    timer._fire()  # the browser had begun the call already


def test_a_deadline_beyond_what_browsers_count_does_not_fire_at_once(js: Any) -> None:
    from kizuna.browser.proxies import MAX_DELAY_MS, BrowserTimer, now

    timer = BrowserTimer(now().monotonic + 10**9, lambda: None)
    ((_, delay),) = js.timeouts.values()
    assert delay == MAX_DELAY_MS
    timer.cancel()


def test_every_page_event_is_told_until_the_watch_is_closed(js: Any) -> None:
    from kizuna.browser.proxies import PageWatch, page_state

    told: list[PageEvent] = []
    watch = PageWatch(told.append)
    assert page_state() == PageState(visible=True, online=True)
    js.document.visibilityState = "hidden"
    js.document.dispatch("visibilitychange")
    js.document.visibilityState = "visible"
    js.document.dispatch("visibilitychange")
    js.window.dispatch("offline")
    js.window.dispatch("online")
    js.window.dispatch("pagehide", persisted=True)
    js.document.dispatch("freeze")
    js.document.dispatch("resume")
    js.window.dispatch("pageshow", persisted=False)  # the page's first showing, nothing to come back from
    js.window.dispatch("pageshow", persisted=True)
    kinds = [type(event) for event in told]
    assert kinds == [
        PageHidden,
        PageShown,
        WentOffline,
        WentOnline,
        PageSuspended,
        PageSuspended,
        PageResumed,
        PageResumed,
    ]
    watch.close()
    assert js.document.listeners == []
    assert js.window.listeners == []


def test_a_change_of_network_is_told_where_the_browser_tells_of_it(js: Any) -> None:
    from kizuna.browser.proxies import PageWatch

    js.navigator.connection = SimpleNamespace(saveData=True)  # an older browser's
    PageWatch(lambda event: None).close()
    network = js.navigator.connection = type(js.document)(listeners=[])
    told: list[PageEvent] = []
    watch = PageWatch(told.append)
    network.dispatch("change")
    assert told == [NetworkChanged()]
    watch.close()
    assert network.listeners == []


def test_no_listener_to_unload(js: Any) -> None:
    """A listener would keep the page out of the back/forward cache."""
    from kizuna.browser.proxies import PageWatch

    watch = PageWatch(lambda event: None)
    kinds = {kind for kind, _ in js.document.listeners + js.window.listeners}
    assert kinds.isdisjoint({"unload", "beforeunload"})
    watch.close()


def test_settings_are_kept_in_the_browser(js: Any) -> None:
    from kizuna.browser.storage import LocalSettings

    settings = LocalSettings()
    assert settings.get("name") is None
    settings.set("name", "Mika")
    assert LocalSettings().get("name") == "Mika"
    settings.delete("name")
    assert settings.get("name") is None


def test_settings_without_room_live_as_long_as_the_page(js: Any) -> None:
    from kizuna.browser.storage import LocalSettings

    js.localStorage.error = js.JsException("SecurityError")
    settings = LocalSettings()
    settings.set("name", "Mika")
    assert settings.get("name") == "Mika"
    settings.delete("name")
    assert settings.get("name") is None


def test_settings_that_may_not_be_read_are_missing(js: Any) -> None:
    from kizuna.browser.storage import LocalSettings

    LocalSettings().set("name", "Mika")
    js.localStorage.error = js.JsException("SecurityError")
    assert LocalSettings().get("name") is None


async def test_ask_to_persist_survives_refusal_and_missing_api(js: Any) -> None:
    from kizuna.browser import ask_to_persist

    await ask_to_persist()
    asked: list[Exception | None] = [js.JsException("TypeError"), None]

    async def persist() -> bool:
        error = asked.pop()
        if error is not None:
            raise error
        return False

    js.navigator.storage = SimpleNamespace(persist=persist)
    await ask_to_persist()
    await ask_to_persist()
    assert asked == []


def test_settings_of_a_tab_are_apart_from_the_browsers(js: Any) -> None:
    from kizuna.browser.storage import LocalSettings, TabSettings

    LocalSettings().set("name", "Mika")
    TabSettings().set("name", "Ren")
    assert (LocalSettings().get("name"), TabSettings().get("name")) == ("Mika", "Ren")
    TabSettings().delete("name")
    assert (LocalSettings().get("name"), TabSettings().get("name")) == ("Mika", None)


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("https://chat.example.org/", ""),
        ("https://chat.example.org/index.html?lang=ja#/a/b", ""),
        ("https://chat.example.org/team-a/", "/team-a/"),
        ("https://chat.example.org/team-a/index.html#/general", "/team-a/"),
        ("https://chat.example.org/%E7%B5%86/b/", "/%E7%B5%86/b/"),
    ],
)
def test_pages_of_one_origin_have_names_of_their_own(js: Any, address: str, prefix: str) -> None:
    from kizuna.browser.storage import LocalSettings, page_prefix

    js.document.baseURI = address
    assert page_prefix() == prefix
    LocalSettings("/elsewhere/").set("name", "Ren")
    own = LocalSettings(page_prefix())
    assert own.get("name") is None
    own.set("name", "Mika")
    assert (own.get("name"), own.names("na")) == ("Mika", ["me"])
    assert js.localStorage.getItem(f"{prefix}name") == "Mika"
    own.delete("name")
    assert own.names("") == ([] if prefix else ["/elsewhere/name"])
    js.localStorage.error = js.JsException("SecurityError")
    assert own.names("") == []


async def test_the_service_leaves_nothing_behind_after_a_thousand_drops(js: Any) -> None:
    from kizuna.browser import disconnect_websocket, get_websocket_service, proxies

    service = get_websocket_service("ws://127.0.0.1/ws", lambda: "token")
    assert get_websocket_service() is service
    connecting = asyncio.get_running_loop().create_task(service.connect())
    await asyncio.sleep(0)
    alive_after_ten = 0
    for number in range(1000):
        native = js.WebSocket.made[-1]
        native.readyState = native.OPEN
        native.onopen(None)
        for _ in range(3):
            await asyncio.sleep(0)  # prepare runs
        native.onmessage(SimpleNamespace(data=json.dumps({"type": "ready"})))
        await asyncio.sleep(0)
        assert service.is_connected()
        native.readyState = native.CLOSED
        native.onclose(SimpleNamespace(code=1006, reason=""))
        await asyncio.sleep(0)
        service._connection._actions._try_now_at = float("-inf")  # the test is faster than a person
        service.try_now()
        if number == 9:
            alive_after_ten = proxies.alive()
    await connecting
    assert len(js.WebSocket.made) == 1001
    assert proxies.alive() == alive_after_ten
    disconnect_websocket()
    await asyncio.sleep(0)
    assert proxies.alive() == 0
    assert js.timeouts == {}
    assert [worker.is_terminated for worker in js.Worker.made] == [True]
    assert [channel.is_closed for channel in js.MessageChannel.made] == [True]


def test_log_records_reach_the_console_at_their_level(js: Any) -> None:
    from kizuna.browser.console import ConsoleHandler

    log = logging.getLogger("kizuna.test.console")
    log.setLevel(logging.INFO)
    log.addHandler(ConsoleHandler())
    log.info("one %s", "more")
    log.warning("careful")
    log.error("broken")
    assert js.said == [("info", "one more"), ("warn", "careful"), ("error", "broken")]
