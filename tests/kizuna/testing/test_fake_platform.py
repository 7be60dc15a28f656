"""The fake platform for users' tests, and the example in its docstring."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from kizuna import WebSocketService
from kizuna.errors import StorageFailed
from kizuna.platform import Instant, PageShown, PageState, Storage
from kizuna.testing import FakePlatform, MemoryLocks, MemoryStorage, VirtualClock
from tests.kizuna.delivery.storage_contract import CONTRACT
from tests.kizuna.service_harness import ServiceHarness


async def test_a_reconnect_is_tested_in_a_few_lines():
    platform = FakePlatform()
    service = WebSocketService("wss://example.org", platform=platform)
    connecting = asyncio.create_task(service.connect())
    await platform.settle()
    platform.socket.accept()
    platform.socket.receive({"type": "ready"})
    await connecting
    platform.socket.drop()
    await platform.advance(1.5)
    assert len(platform.sockets) == 2
    service.disconnect()


def test_timers_fire_in_order_and_only_when_told():
    clock = VirtualClock(monotonic=0)
    fired: list[str] = []
    clock.call_at(2, lambda: fired.append("second"))
    clock.call_at(1, lambda: fired.append("first"))
    clock.call_at(2, lambda: fired.append("third"))
    cancelled = clock.call_at(1.5, lambda: fired.append("never"))
    cancelled.cancel()
    assert (clock.armed, clock.next_due()) == (3, 1)
    assert not clock.fire_next()
    clock.move_to(5)
    while clock.fire_next():
        pass
    assert fired == ["first", "second", "third"]
    assert (clock.armed, clock.next_due()) == (0, None)


def test_a_cancelled_timer_at_the_head_hides_no_other():
    clock = VirtualClock(monotonic=0)
    clock.call_at(1, lambda: None).cancel()
    clock.call_at(2, lambda: None)
    assert clock.next_due() == 2


def test_sleep_moves_the_wall_alone_and_time_never_goes_back():
    clock = VirtualClock(monotonic=10, wall=100)
    clock.sleep(5)
    assert clock.now() == Instant(10, 105)
    clock.move_to(12)
    clock.move_to(3)
    assert clock.now() == Instant(12, 107)


async def test_a_socket_that_was_given_up_tells_nothing_and_does_not_open():
    harness = ServiceHarness()
    connecting = await harness.begin()
    socket = harness.socket
    harness.service.disconnect()
    socket.accept()
    socket.receive({"type": "ready"})
    socket.drop()
    socket.abandon(1001, "")
    assert not socket.is_open
    assert socket.closed_with == 1000
    await asyncio.gather(connecting, return_exceptions=True)


async def test_a_socket_that_is_not_open_takes_no_frame():
    harness = ServiceHarness()
    socket = await harness.connect()
    socket.drop()
    with pytest.raises(AssertionError, match="not open"):
        socket.send("{}")


async def test_fake_page_sends_events_to_watchers_and_shows_its_state():
    platform = FakePlatform()
    told: list[object] = []
    unwatch = platform.watch_page(told.append)
    platform.hide()
    platform.go_offline()
    assert platform.page() == PageState(visible=False, online=False)
    platform.show()
    platform.go_online()
    platform.suspend()
    platform.resume()
    assert platform.page() == PageState()
    assert len(told) == 6
    unwatch()
    platform.show()
    assert told[2] == PageShown()
    assert len(told) == 6


async def test_a_page_whose_timers_nothing_holds_back_stays_so():
    platform = FakePlatform(throttled=False)
    platform.hide()
    platform.go_offline()
    assert platform.page() == PageState(visible=False, online=False, throttled=False)
    platform.show()
    platform.go_online()
    assert platform.page() == PageState(throttled=False)


async def test_time_that_is_let_pass_fires_also_what_is_armed_meanwhile():
    platform = FakePlatform()
    fired: list[float] = []

    def again() -> None:
        fired.append(platform.now().monotonic)
        if len(fired) < 3:
            platform.call_at(platform.now().monotonic + 1, again)

    platform.call_at(1001, again)
    await platform.advance(10)
    assert fired == [1001, 1002, 1003]
    assert platform.now().monotonic == 1010


async def test_what_is_due_soon_can_be_held_and_called_one_by_one():
    platform = FakePlatform()
    called: list[int] = []
    platform.call_soon(lambda: called.append(1))
    await platform.settle()
    assert called == [1]
    platform.holds_soon = True

    def two_calls() -> None:
        called.append(2)
        platform.call_soon(lambda: called.append(3))

    platform.call_soon(two_calls)
    await platform.settle()
    assert called == [1]
    assert platform.run_next()
    assert called == [1, 2]
    platform.holds_soon = False
    platform.run_soon()
    assert called == [1, 2, 3]
    assert not platform.run_next()


def test_chance_is_what_the_test_says():
    assert FakePlatform(chance=0.25).random() == 0.25


async def test_a_test_sees_what_was_sent_and_which_sockets_live():
    platform = FakePlatform()
    service = WebSocketService("wss://example.org", platform=platform)
    connecting = asyncio.create_task(service.connect())
    await platform.settle()
    platform.socket.accept()
    platform.socket.receive({"type": "ready"})
    await connecting
    service.send_message("hello")
    assert platform.socket.actions == ["ping", "hello"]
    assert platform.live_sockets == [platform.socket]
    service.disconnect()
    assert platform.live_sockets == []


@pytest.mark.parametrize("duty", CONTRACT, ids=lambda duty: duty.__name__)
async def test_a_storage_in_memory_keeps_the_contract(duty: Callable[[Storage, Storage], Awaitable[None]]):
    storage = MemoryStorage()
    await duty(storage, storage)


async def test_broken_memory_storage_fails_every_call_and_loses_nothing():
    storage = MemoryStorage()
    await storage.write("letters", {"a": "1"})
    storage.is_broken = True
    with pytest.raises(StorageFailed):
        await storage.read("letters")
    with pytest.raises(StorageFailed):
        await storage.write("letters", {"a": "2"})
    with pytest.raises(StorageFailed):
        await storage.change("letters", "a", lambda text: None)
    storage.is_broken = False
    assert await storage.read("letters") == {"a": "1"}


async def test_a_storage_that_a_test_holds_up_answers_once_it_is_released():
    storage = MemoryStorage()
    storage.is_stuck = True
    calls = [asyncio.create_task(storage.write("letters", {key: "1"})) for key in "ab"]
    await FakePlatform().settle()
    assert not any(call.done() for call in calls)
    assert storage.tables == {}
    storage.release()
    await asyncio.gather(*calls)
    assert await storage.read("letters") == {"a": "1", "b": "1"}


async def test_memory_lock_is_held_by_one_page_until_released():
    page = MemoryLocks()
    other = MemoryLocks(page.held)
    release = await page.try_lock("tab")
    assert release is not None
    assert await other.try_lock("tab") is None
    assert await page.try_lock("tab") is None
    release()
    held_by_other = await other.try_lock("tab")
    assert held_by_other is not None
    release()  # once more: it frees nothing of the other's
    assert await page.try_lock("tab") is None
    held_by_other()
    assert page.held == {}


async def test_the_locks_of_a_page_that_ends_are_free():
    page = MemoryLocks()
    other = MemoryLocks(page.held)
    assert await page.try_lock("first") is not None
    assert await other.try_lock("second") is not None
    page.end()
    assert set(page.held) == {"second"}
    assert await other.try_lock("first") is not None
