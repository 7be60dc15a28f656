"""No leftovers: no replaced socket, no timer, no listener, no task."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

from tests.kizuna.service_harness import READY, ServiceHarness


async def test_what_an_old_socket_says_late_changes_nothing():
    harness = ServiceHarness()
    frames: list[Any] = []
    await harness.connect()
    old: Any = harness.socket._listener
    harness.platform.show()
    await harness.platform.advance(5)  # no answer: replaced
    await harness.serve()
    harness.service.on_message(frames.append)
    state = harness.service.state
    for late in (
        old.on_open,
        lambda: old.on_text(json.dumps(READY)),
        lambda: old.on_text('{"type": "bye", "reconnect": false}'),
        lambda: old.on_binary(b""),
        lambda: old.on_close(1008, ""),
    ):
        late()
    await harness.platform.settle()
    assert harness.service.state is state
    assert frames == []
    assert len(harness.platform.sockets) == 2


async def test_old_socket_is_abandoned_before_the_new_one_opens():
    order: list[str] = []
    harness = ServiceHarness(lambda: order.append("token"))
    socket = await harness.connect()
    give_up = socket.abandon

    def abandon(code: int, reason: str) -> None:
        order.append("abandon")
        give_up(code, reason)

    socket.abandon = abandon  # type: ignore[method-assign]
    harness.platform.show()
    await harness.platform.advance(5)
    assert order == ["token", "abandon", "token"]


async def test_a_socket_that_cannot_be_given_up_does_not_stop_the_next():
    harness = ServiceHarness()
    socket = await harness.connect()
    calls: list[int] = []
    socket.abandon = lambda code, reason: calls.append(code)  # type: ignore[method-assign]
    harness.platform.show()
    await harness.platform.advance(5)
    await harness.serve()
    assert (calls, harness.status) == ([1000], "connected")


async def test_nothing_is_left_after_disconnect_whatever_went_before():
    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    for provider, until in ((never, ""), (None, ""), (None, "open"), (None, "connected"), (None, "waiting")):
        harness = ServiceHarness(provider, idle_retry_interval=60)
        harness.service.before_connected(lambda link: asyncio.sleep(0))
        connecting = await harness.begin()
        if until in ("open", "connected", "waiting"):
            harness.socket.accept()
        if until in ("connected", "waiting"):
            harness.socket.receive(READY)
            await harness.platform.settle()
        if until == "waiting":
            harness.socket.drop()
        harness.service.disconnect()
        await asyncio.gather(connecting, return_exceptions=True)
        await harness.platform.settle()
        harness.assert_nothing_is_left()
        assert harness.service._timers == {}
        assert harness.service._waiters == set()


async def test_nothing_is_left_after_a_rejection_but_the_ear_for_the_page():
    harness = ServiceHarness()
    await harness.connect()
    harness.socket.drop(1008)
    await harness.platform.settle()
    assert harness.platform.clock.armed == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_after_a_thousand_drops_there_is_as_much_as_after_ten():
    harness = ServiceHarness()

    async def prepare(link: Any) -> None:
        await asyncio.sleep(0)

    async def show(frame: Any) -> None:
        await asyncio.sleep(0)

    harness.service.before_connected(prepare)
    harness.service.on_message(show)
    await harness.connect()

    async def drop_and_return() -> None:
        harness.socket.drop()
        harness.service.try_now()
        for _ in range(3):
            await asyncio.sleep(0)
        harness.socket.accept()
        harness.socket.receive(READY)
        for _ in range(6):
            await asyncio.sleep(0)
        assert harness.service.is_connected()
        harness.platform.clock.move_to(harness.platform.clock.now().monotonic + 1)
        while harness.platform.clock.fire_next():
            pass

    def census() -> dict[str, int]:
        gc.collect()
        return {
            "timers": harness.platform.clock.armed,
            "watchers": len(harness.platform.watchers),
            "sockets": len(harness.platform.live_sockets),
            "tasks": len(asyncio.all_tasks()),
            "own": sum(str(type(thing).__module__).startswith("kizuna.") for thing in gc.get_objects())
            - len(harness.platform.sockets)  # the fake ones are kept by the platform
            - len(harness.platform.clock._timers)
            - len(harness.service.journal.entries),  # bounded by itself
        }

    for _ in range(10):
        await drop_and_return()
    after_ten = census()
    for _ in range(990):
        await drop_and_return()
    assert len(harness.platform.sockets) == 1001
    after_thousand = census()
    assert abs(after_thousand.pop("own") - after_ten.pop("own")) < 20
    assert after_thousand == after_ten
    harness.service.disconnect()
    await harness.platform.settle()
    harness.assert_nothing_is_left()
