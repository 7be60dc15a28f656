"""Calls after the browser has had its turn: by messages while a service runs, else by the event loop."""

from __future__ import annotations

import asyncio
from typing import Any


async def test_calls_come_in_order_and_after_what_runs_now(js: Any) -> None:
    from kizuna.browser.proxies import Soon

    soon, calls = Soon(), []
    soon.start()
    soon.start()

    def two_calls() -> None:
        calls.append(1)
        soon.call(lambda: calls.append(3))

    soon.call(two_calls)
    soon.call(lambda: calls.append(2))
    assert calls == []
    await asyncio.sleep(0)
    assert calls == [1, 2]
    await asyncio.sleep(0)
    assert calls == [1, 2, 3]
    assert len(js.MessageChannel.made) == 1
    soon.stop()
    soon.stop()


async def test_what_waits_when_the_channel_is_closed_is_called_all_the_same(js: Any) -> None:
    from kizuna.browser.proxies import Soon

    soon, calls = Soon(), []
    soon.start()
    soon.call(lambda: calls.append(1))
    soon.call(lambda: calls.append(2))
    soon.stop()
    soon.call(lambda: calls.append(3))
    await asyncio.sleep(0)
    assert calls == [1, 2, 3]


async def test_a_browser_without_channels_uses_the_event_loop(js: Any) -> None:
    from kizuna.browser import BrowserPlatform

    js.MessageChannel = None
    platform, calls = BrowserPlatform(), []
    unwatch = platform.watch_page(lambda event: None)
    platform.call_soon(lambda: calls.append(1))
    assert calls == []
    await asyncio.sleep(0)
    assert calls == [1]
    unwatch()
