"""Web Locks: held until released, freed with the page, requested again when it comes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.kizuna.browser.conftest import JsNull, LockManager


@pytest.fixture
async def manager(js: Any) -> AsyncIterator[LockManager]:
    """The browser's locks; at the end nobody holds one, waits for one, or listens."""
    manager = js.navigator.locks = LockManager()
    yield manager
    await settle()
    from kizuna.browser import proxies

    assert (manager.held, js.self.listeners, proxies.alive()) == (set(), [], 0)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def open_page() -> Any:
    from kizuna.browser import WebLocks

    return WebLocks()


async def test_a_lock_is_held_by_one_page_until_it_lets_go(js: Any, manager: LockManager) -> None:
    page, other = open_page(), open_page()
    release = await page.try_lock("tab")
    assert manager.held == {"tab"}
    assert await other.try_lock("tab") is None
    assert await page.try_lock("tab") is None
    release()
    await settle()
    assert manager.held == set()
    (await other.try_lock("tab"))()


async def test_letting_go_twice_does_not_free_what_was_locked_again(js: Any, manager: LockManager) -> None:
    page = open_page()
    first = await page.try_lock("tab")
    first()
    await settle()
    second = await page.try_lock("tab")
    first()
    await settle()
    assert manager.held == {"tab"}
    second()


async def test_locks_of_several_names_are_apart(js: Any, manager: LockManager) -> None:
    page = open_page()
    first, second = await asyncio.gather(page.try_lock("first"), page.try_lock("second"))
    first()
    await settle()
    assert manager.held == {"second"}
    second()


async def test_of_two_calls_at_once_one_gets_the_lock(js: Any, manager: LockManager) -> None:
    page = open_page()
    releases = await asyncio.gather(page.try_lock("tab"), page.try_lock("tab"))
    (release,) = filter(None, releases)
    release()


async def test_a_page_that_is_put_aside_holds_nothing_and_takes_it_again(
    js: Any, manager: LockManager
) -> None:
    page = open_page()
    release = await page.try_lock("tab")
    js.self.dispatch("pagehide", persisted=True)
    await settle()
    assert manager.held == set()
    assert await page.try_lock("tab") is None  # its holder has not given it up
    js.self.dispatch("pageshow", persisted=True)
    await settle()
    assert manager.held == {"tab"}
    release()


async def test_what_another_page_took_meanwhile_is_waited_for(js: Any, manager: LockManager) -> None:
    page = open_page()
    release = await page.try_lock("tab")
    js.self.dispatch("pagehide", persisted=True)
    await settle()
    manager.held.add("tab")
    js.self.dispatch("pageshow", persisted=True)
    await settle()
    manager.held.remove("tab")
    await settle()
    assert manager.held == {"tab"}
    release()


async def test_who_waits_is_put_aside_again_or_lets_go_without_ever_holding(
    js: Any, manager: LockManager
) -> None:
    page = open_page()
    release = await page.try_lock("tab")
    js.self.dispatch("pagehide", persisted=True)
    await settle()
    manager.held.add("tab")
    js.self.dispatch("pageshow", persisted=True)
    await settle()
    js.self.dispatch("pagehide", persisted=True)
    js.self.dispatch("pageshow", persisted=True)
    await settle()
    release()
    await settle()
    manager.held.remove("tab")
    await settle()
    assert manager.held == set()


async def test_what_was_let_go_while_put_aside_is_not_taken_again(js: Any, manager: LockManager) -> None:
    page = open_page()
    release, other = await page.try_lock("tab"), await page.try_lock("other")
    js.self.dispatch("pagehide", persisted=True)
    release()
    js.self.dispatch("pageshow", persisted=True)
    await settle()
    assert manager.held == {"other"}
    other()


async def test_the_first_showing_of_a_page_takes_nothing_twice(js: Any, manager: LockManager) -> None:
    page = open_page()
    release = await page.try_lock("tab")
    js.self.dispatch("pageshow", persisted=False)
    await settle()
    release()
    await settle()
    assert manager.held == set()


async def test_a_call_that_is_cancelled_holds_nothing(js: Any, manager: LockManager) -> None:
    locking = asyncio.create_task(open_page().try_lock("tab"))
    await asyncio.sleep(0)
    locking.cancel()
    await asyncio.gather(locking, return_exceptions=True)
    await settle()
    assert locking.cancelled()
    assert manager.held == set()


@pytest.mark.parametrize("absence", [None, JsNull()])
async def test_without_web_locks_every_lock_is_granted_with_one_warning(
    js: Any, absence: object, caplog: pytest.LogCaptureFixture
) -> None:
    js.navigator.locks = absence
    page = open_page()
    first, second = await page.try_lock("tab"), await page.try_lock("tab")
    first()
    second()
    assert [record.getMessage() for record in caplog.records] == [
        "locks are granted unchecked: this browser has no Web Locks here (only on https and localhost)"
    ]


async def test_a_page_that_may_not_use_locks_is_granted_every_one(
    js: Any, manager: LockManager, caplog: pytest.LogCaptureFixture
) -> None:
    manager.error = js.JsException("SecurityError", "not in here")
    release = await open_page().try_lock("tab")
    release()
    assert "SecurityError: not in here" in caplog.text


async def test_a_lock_granted_after_giving_up_is_let_go_at_once(
    js: Any, manager: LockManager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from kizuna.browser import locks

    monkeypatch.setattr(locks, "ANSWER_TIMEOUT", 0)
    request, answers, granted = manager.request, asyncio.Event(), []

    async def request_late(name: str, options: dict[str, Any], callback: Any) -> None:
        await answers.wait()
        await request(name, options, callback)
        granted.append(name)

    manager.request = request_late  # type: ignore[method-assign]
    release = await open_page().try_lock("tab")
    assert "the browser does not answer" in caplog.text
    answers.set()
    await settle()
    assert (granted, manager.held) == (["tab"], set())
    release()


async def test_stolen_lock_is_logged_and_can_be_released(
    js: Any, manager: LockManager, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    release = await open_page().try_lock("tab")
    manager.steal("tab")
    await settle()
    assert "the lock tab is not held" in caplog.text
    release()
