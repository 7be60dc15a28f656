"""Frames as an async iterator: they wait for the first reader, and go on through every drop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kizuna.errors import NotConnected, Overrun, Rejected
from kizuna.runtime.subscribers import PAUSE_AT, RESUME_AT, WARN_AT
from kizuna.testing import FakeSocket
from tests.kizuna.service_harness import ServiceHarness


class Loop(ServiceHarness):
    """A service whose frames have numbers."""

    def __init__(self) -> None:
        super().__init__(reads=False)

    def receive(self, *numbers: int) -> None:
        for number in numbers:
            self.socket.receive({"n": number})

    async def read(self, count: int = 10_000) -> list[int]:
        """Read until the end, or until so many numbers are read."""
        numbers: list[int] = []
        async for frame in self.service:
            numbers += [frame["n"]] if "n" in frame else []
            if len(numbers) == count:
                break
        return numbers

    async def begin_to_read(self, count: int = 10_000) -> asyncio.Task[list[int]]:
        reading = asyncio.create_task(self.read(count))
        await self.platform.settle()
        return reading


async def test_frames_wait_for_the_first_loop_and_end_with_disconnect():
    harness = Loop()
    await harness.connect()
    harness.receive(0, 1)
    reading = await harness.begin_to_read()
    harness.receive(2)
    harness.socket.drop()
    await harness.platform.advance(1)
    await harness.serve()
    harness.receive(3, 4)
    harness.service.disconnect()
    assert await reading == [0, 1, 2, 3, 4]
    assert await harness.read() == []
    harness.assert_nothing_is_left()


async def test_a_later_loop_goes_on_where_the_last_one_ended():
    harness = Loop()
    await harness.connect()
    harness.receive(0, 1, 2)
    assert await harness.read(1) == [0]
    harness.receive(3)
    harness.service.disconnect()
    assert await harness.read() == [1, 2, 3]
    await harness.connect()
    reading = await harness.begin_to_read(1)
    harness.receive(4)
    assert await reading == [4]
    harness.service.disconnect()


async def test_the_first_handler_gets_what_has_waited_before_what_comes():
    harness = Loop()
    await harness.connect()
    harness.receive(0, 1)
    heard: list[Any] = []
    also: list[Any] = []
    harness.platform.holds_soon = True
    harness.service.on_message(heard.append)
    harness.service.on_message(also.append)
    assert heard == []
    harness.receive(2)
    harness.platform.holds_soon = False
    harness.platform.run_soon()
    assert [frame.get("n") for frame in heard] == [None, 0, 1, 2]
    assert also == [{"n": 2}]
    reading = await harness.begin_to_read(1)  # a loop beside handlers reads what comes from now on
    harness.receive(3)
    assert await reading == [3]
    harness.service.disconnect()


async def test_a_handler_that_left_at_once_gets_nothing_of_what_waited():
    harness = Loop()
    await harness.connect()
    heard: list[Any] = []
    harness.service.on_message(heard.append)()
    harness.platform.run_soon()
    assert heard == []
    harness.service.disconnect()


async def test_a_handler_takes_nothing_from_a_loop():
    harness = Loop()
    await harness.connect()
    harness.receive(0, 1)
    assert await harness.read(1) == [0]
    heard: list[Any] = []
    harness.service.on_message(heard.append)
    harness.receive(2)
    assert await harness.read(2) == [1, 2]
    assert heard == [{"n": 2}]
    harness.service.disconnect()


async def test_a_loop_over_a_connection_that_never_began_says_so():
    harness = Loop()
    with pytest.raises(NotConnected, match=r"never begun: use `async with connect\(...\)`"):
        await harness.read()


async def test_two_loops_at_a_time_are_refused():
    harness = Loop()
    await harness.connect()
    reading = await harness.begin_to_read()
    with pytest.raises(RuntimeError, match="another loop"):
        await harness.read()
    harness.service.disconnect()
    await reading


async def test_a_rejection_is_raised_after_the_unread_frames():
    harness = Loop()
    await harness.connect()
    harness.receive(0)
    harness.socket.receive({"type": "bye", "reconnect": False, "reason": "banned"})
    assert await harness.read(1) == [0]
    with pytest.raises(Rejected, match="banned"):
        await harness.read()


async def test_a_loop_waits_while_the_connection_is_exhausted():
    harness = Loop()
    await harness.connect()
    reading = await harness.begin_to_read(1)
    harness.socket.drop()
    await harness.exhaust()
    assert not reading.done()
    harness.service.try_now()
    await harness.serve()
    harness.receive(7)
    assert await reading == [7]
    harness.service.disconnect()


async def test_a_loop_that_is_cancelled_leaves_the_frames_to_the_next():
    harness = Loop()
    await harness.connect()
    reading = await harness.begin_to_read()
    reading.cancel()
    harness.receive(1)
    await asyncio.gather(reading, return_exceptions=True)
    assert await harness.read(1) == [1]
    harness.service.disconnect()


async def test_a_limit_that_is_overrun_is_raised_once():
    harness = Loop()
    await harness.connect()
    stream = harness.service.frames(limit=3)
    harness.receive(0, 1, 2, 3, 4)
    with pytest.raises(Overrun, match="more than 3 frames") as caught:
        await anext(stream)
    assert caught.value.limit == 3
    harness.receive(5)
    harness.service.disconnect()
    assert [frame async for frame in stream] == [{"n": 5}]
    harness.service.disconnect()


async def test_ten_thousand_unread_frames_are_warned_of_once(caplog: pytest.LogCaptureFixture):
    harness = Loop()
    await harness.connect()
    harness.receive(*range(WARN_AT + 10))
    assert caplog.text.count("10,000 frames are unread") == 1
    assert len(await harness.read(WARN_AT)) == WARN_AT
    harness.service.disconnect()


class PausableFake(FakeSocket):
    """A socket that can let its server wait."""

    reads = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


async def test_a_reader_that_is_behind_lets_the_server_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kizuna.testing.fake_platform.FakeSocket", PausableFake)
    harness = Loop()
    socket: Any = await harness.connect()
    harness.receive(*range(PAUSE_AT))
    assert not socket.reads
    await harness.platform.advance(300)  # nothing is read, so no pong either
    assert (harness.status, harness.platform.sockets) == ("connected", [socket])
    assert await harness.read(PAUSE_AT - RESUME_AT) == list(range(PAUSE_AT - RESUME_AT))
    assert socket.reads
    await harness.platform.advance(20)  # from now on silence counts
    assert harness.platform.sockets != [socket]
    harness.service.disconnect()


async def test_a_handler_that_takes_what_waited_lets_the_server_go_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kizuna.testing.fake_platform.FakeSocket", PausableFake)
    harness = Loop()
    socket: Any = await harness.connect()
    harness.receive(*range(PAUSE_AT))
    heard: list[Any] = []
    harness.service.on_message(heard.append)
    harness.platform.run_soon()
    assert socket.reads
    assert len(heard) == PAUSE_AT + 1
    harness.service.disconnect()
