"""Nothing is left over: no socket that was replaced, no timer, no listener, no task."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

from tests.kizuna.stage import READY, Stage


async def test_what_an_old_socket_says_late_changes_nothing():
    stage = Stage()
    frames: list[Any] = []
    await stage.connect()
    old: Any = stage.socket._listener
    stage.platform.show()
    await stage.platform.advance(5)  # no answer: replaced
    await stage.serve()
    stage.service.on_message(frames.append)
    state = stage.service.state
    for late in (
        old.on_open,
        lambda: old.on_text(json.dumps(READY)),
        lambda: old.on_text('{"type": "bye", "reconnect": false}'),
        old.on_binary,
        lambda: old.on_close(1008, ""),
    ):
        late()
    await stage.platform.settle()
    assert stage.service.state is state
    assert frames == []
    assert len(stage.platform.sockets) == 2


async def test_an_old_socket_is_given_up_before_the_new_one_is_asked_for():
    order: list[str] = []
    stage = Stage(lambda: order.append("token"))
    socket = await stage.connect()
    give_up = socket.abandon

    def abandon(code: int, reason: str) -> None:
        order.append("abandon")
        give_up(code, reason)

    socket.abandon = abandon  # type: ignore[method-assign]
    stage.platform.show()
    await stage.platform.advance(5)
    assert order == ["token", "abandon", "token"]


async def test_a_socket_that_cannot_be_given_up_does_not_stop_the_next():
    stage = Stage()
    socket = await stage.connect()
    calls: list[int] = []
    socket.abandon = lambda code, reason: calls.append(code)  # type: ignore[method-assign]
    stage.platform.show()
    await stage.platform.advance(5)
    await stage.serve()
    assert (calls, stage.status) == ([1000], "connected")


async def test_nothing_is_left_after_disconnect_whatever_went_before():
    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    for provider, until in ((never, ""), (None, ""), (None, "open"), (None, "connected"), (None, "waiting")):
        stage = Stage(provider, idle_retry_interval=60)
        stage.service.on_open(lambda link: asyncio.sleep(0))
        connecting = await stage.begin()
        if until in ("open", "connected", "waiting"):
            stage.socket.accept()
        if until in ("connected", "waiting"):
            stage.socket.receive(READY)
            await stage.platform.settle()
        if until == "waiting":
            stage.socket.drop()
        stage.service.disconnect()
        await asyncio.gather(connecting, return_exceptions=True)
        await stage.platform.settle()
        stage.assert_nothing_is_left()
        assert stage.service._timers == {}
        assert stage.service._waiters == set()


async def test_nothing_is_left_after_a_rejection_but_the_ear_for_the_page():
    stage = Stage()
    await stage.connect()
    stage.socket.drop(1008)
    await stage.platform.settle()
    assert stage.platform.clock.armed == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_after_a_thousand_drops_there_is_as_much_as_after_ten():
    stage = Stage()

    async def prepare(link: Any) -> None:
        await asyncio.sleep(0)

    async def show(frame: Any) -> None:
        await asyncio.sleep(0)

    stage.service.on_open(prepare)
    stage.service.on_message(show)
    await stage.connect()

    async def drop_and_return() -> None:
        stage.socket.drop()
        stage.service.try_now()
        for _ in range(3):
            await asyncio.sleep(0)
        stage.socket.accept()
        stage.socket.receive(READY)
        for _ in range(6):
            await asyncio.sleep(0)
        assert stage.service.is_connected()
        stage.platform.clock.move_to(stage.platform.clock.now().monotonic + 1)
        while stage.platform.clock.fire_next():
            pass

    def census() -> dict[str, int]:
        gc.collect()
        return {
            "timers": stage.platform.clock.armed,
            "watchers": len(stage.platform.watchers),
            "sockets": len(stage.platform.live_sockets),
            "tasks": len(asyncio.all_tasks()),
            "own": sum(str(type(thing).__module__).startswith("kizuna.") for thing in gc.get_objects())
            - len(stage.platform.sockets)  # the fake ones are kept by the platform
            - len(stage.platform.clock._timers)
            - len(stage.service.journal.entries),  # bounded by itself
        }

    for _ in range(10):
        await drop_and_return()
    after_ten = census()
    for _ in range(990):
        await drop_and_return()
    assert len(stage.platform.sockets) == 1001
    after_thousand = census()
    assert abs(after_thousand.pop("own") - after_ten.pop("own")) < 20
    assert after_thousand == after_ten
    stage.service.disconnect()
    await stage.platform.settle()
    stage.assert_nothing_is_left()
