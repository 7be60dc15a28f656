"""Frames to the application: handlers of every kind, and what they may do meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kizuna.runtime.transport import LinkHandle
from tests.kizuna.service_harness import ServiceHarness


async def test_every_frame_reaches_every_handler_in_order():
    harness = ServiceHarness()
    first: list[Any] = []
    second: list[Any] = []
    harness.service.on_message(first.append)
    harness.service.on_message(second.append)
    socket = await harness.connect()
    for number in range(3):
        socket.receive({"type": "message", "n": number})
    assert first == second
    assert [frame.get("n") for frame in first] == [None, 0, 1, 2]


async def test_async_handlers_are_served_one_frame_after_the_other():
    harness = ServiceHarness()
    log: list[str] = []

    async def show(frame: Any) -> None:
        log.append(f"begin {frame['n']}")
        await asyncio.sleep(0)
        log.append(f"end {frame['n']}")

    socket = await harness.connect()
    harness.service.on_message(show)
    for number in range(3):
        socket.receive({"n": number})
    await harness.platform.settle()
    assert log == ["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"]


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "null", '"x"', "7", "{" * 200_000, '{"a":' * 1000, "\x00", "9" * 5000]
)
async def test_malformed_frame_ends_a_doubt_and_is_reported(text: str, caplog: pytest.LogCaptureFixture):
    harness = ServiceHarness()
    problems: list[str] = []
    frames: list[Any] = []
    socket = await harness.connect()
    harness.service.on_message(frames.append)
    unsubscribe = harness.service.on_malformed_frame(problems.append)
    harness.platform.show()
    assert harness.status == "suspect"
    listener: Any = socket._listener
    socket.receive(text)
    assert harness.status == "connected"
    assert (len(problems), frames) == (1, [])
    assert "malformed frame" in caplog.text
    unsubscribe()
    listener.on_binary(b"")
    assert len(problems) == 1


@pytest.mark.parametrize(
    "frame", [{}, {"type": None}, {"type": []}, {"type": {}}, {"type": 5}, {"type": True}]
)
async def test_a_frame_of_no_known_kind_is_the_applications(frame: dict[str, Any]):
    harness = ServiceHarness()
    frames: list[Any] = []
    socket = await harness.connect()
    harness.service.on_message(frames.append)
    socket.receive(frame)
    assert frames == [frame]


async def test_a_handler_that_fails_stops_nobody(caplog: pytest.LogCaptureFixture):
    harness = ServiceHarness()
    frames: list[Any] = []

    def broken(frame: Any) -> None:
        raise LookupError

    async def broken_later(frame: Any) -> None:
        raise LookupError

    socket = await harness.connect()
    for handler in (broken, broken_later, frames.append):
        harness.service.on_message(handler)
    socket.receive({"n": 1})
    socket.receive({"n": 2})
    await harness.platform.settle()
    assert len(frames) == 2
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3  # each in full, then a count
    assert harness.service.is_connected()


async def test_a_handler_may_unsubscribe_itself_and_the_next():
    harness = ServiceHarness()
    log: list[str] = []
    socket = await harness.connect()

    def first(frame: Any) -> None:
        log.append("first")
        forget_first()
        forget_second()

    forget_first = harness.service.on_message(first)
    forget_second = harness.service.on_message(lambda frame: log.append("second"))
    harness.service.on_message(lambda frame: log.append("third"))
    socket.receive({})
    socket.receive({})
    assert log == ["first", "third", "third"]


# --- disposal from inside every callback ---


async def test_a_handler_may_disconnect():
    harness = ServiceHarness()
    socket = await harness.connect()
    later: list[Any] = []
    harness.service.on_message(lambda frame: harness.service.disconnect())
    harness.service.on_message(later.append)
    socket.receive({"n": 1})
    assert harness.status == "closed"
    assert later == [{"n": 1}]  # one frame is told to all
    socket.receive({"n": 2})
    assert len(later) == 1
    harness.assert_nothing_is_left()


async def test_an_async_handler_may_disconnect_and_come_to_its_end():
    harness = ServiceHarness()
    log: list[str] = []

    async def leave(frame: Any) -> None:
        harness.service.disconnect()
        await asyncio.sleep(0)
        log.append(f"left after {frame['n']}")

    socket = await harness.connect()
    harness.service.on_message(leave)
    socket.receive({"n": 1})
    socket.receive({"n": 2})
    await harness.platform.settle()
    assert log == ["left after 1"]
    harness.assert_nothing_is_left()


async def test_what_an_async_handler_has_not_come_to_ends_with_the_connection():
    harness = ServiceHarness()
    log: list[str] = []

    async def slow(frame: Any) -> None:
        log.append(f"begin {frame['n']}")
        await asyncio.Event().wait()

    socket = await harness.connect()
    harness.service.on_message(slow)
    harness.service.on_malformed_frame(slow)
    for number in range(3):
        socket.receive({"n": number})
    await harness.platform.settle()
    harness.service.disconnect()
    await harness.platform.settle()
    assert log == ["begin 0"]
    harness.assert_nothing_is_left()
    socket = await harness.connect()  # the handler is still there for the next connection
    socket.receive({"n": 9})
    await harness.platform.settle()
    assert log[-1] == "begin 9"
    harness.service.disconnect()


async def test_a_drop_takes_nothing_from_an_async_handler():
    harness = ServiceHarness()
    seen: list[int] = []

    async def show(frame: Any) -> None:
        await asyncio.sleep(0)
        seen.append(frame["n"])

    socket = await harness.connect()
    harness.service.on_message(show)
    for number in range(3):
        socket.receive({"n": number})
    socket.drop()
    await harness.platform.settle()
    assert seen == [0, 1, 2]


async def test_a_listener_to_the_state_may_disconnect():
    harness = ServiceHarness()
    harness.service.subscribe(
        lambda state: state.status.value,
        lambda status: harness.service.disconnect() if status == "connected" else None,
    )
    connecting = await harness.begin()
    await harness.serve()
    await connecting  # it was connected, for a moment
    assert harness.status == "closed"
    harness.assert_nothing_is_left()


async def test_a_listener_to_a_loss_may_try_now():
    harness = ServiceHarness()
    await harness.connect()
    harness.service.subscribe(
        lambda state: state.status.value,
        lambda status: harness.service.try_now() if status == "waiting" else None,
    )
    harness.socket.drop()
    assert (harness.status, len(harness.platform.sockets)) == ("connecting", 2)


async def test_a_handler_may_connect_again_after_it_disconnected():
    harness = ServiceHarness()
    tasks: list[asyncio.Task[None]] = []

    def again(frame: Any) -> None:
        if frame["type"] == "again":
            harness.service.disconnect()
            tasks.append(asyncio.create_task(harness.service.connect()))

    harness.service.on_message(again)
    first = await harness.connect()
    first.receive({"type": "again"})
    await harness.platform.settle()
    await harness.serve()
    await tasks[0]
    assert harness.platform.live_sockets == [harness.socket]
    assert first.closed_with == 1000


async def test_a_connect_that_begins_inside_a_dispatch_waits_for_its_turn():
    """As a task does that an eager loop (Python 3.12) runs at once."""
    harness = ServiceHarness()
    coroutines: list[Any] = []

    def again(frame: Any) -> None:
        if frame["type"] == "again":
            harness.service.disconnect()
            coroutines.append(harness.service.connect())
            coroutines[0].send(None)

    harness.service.on_message(again)
    first = await harness.connect()
    first.receive({"type": "again"})
    assert harness.status == "closed"

    async def go_on() -> None:
        await asyncio.sleep(0)
        coroutines[0].send(None)

    await go_on()
    assert harness.status == "connecting"
    coroutines[0].close()
    harness.service.disconnect()


async def test_a_preparation_may_try_now_and_may_send_on_a_handle_only():
    harness = ServiceHarness()

    async def prepare(link: LinkHandle) -> None:
        harness.service.try_now()
        link.send_message("hello")

    harness.service.before_connected(prepare)
    await harness.connect()
    assert harness.socket.actions == ["hello", "ping"]
