"""Frames as an async iterator: bounded, counting what it drops, ended by disconnect()."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.kizuna.service_harness import ServiceHarness


async def collect(harness: ServiceHarness, into: list[Any]) -> None:
    into += [frame["n"] async for frame in harness.service.frames()]


async def test_frames_come_in_order_until_disconnect():
    harness = ServiceHarness()
    await harness.connect()
    heard: list[int] = []
    reading = asyncio.create_task(collect(harness, heard))
    await harness.platform.settle()
    for number in range(5):
        harness.socket.receive({"type": "x", "n": number})
    harness.service.disconnect()
    await reading
    assert heard == [0, 1, 2, 3, 4]
    harness.assert_nothing_is_left()


async def test_slow_reader_loses_the_oldest_frames_and_their_count_is_known():
    harness = ServiceHarness()
    await harness.connect()
    stream = harness.service.frames(limit=3)
    for number in range(10):
        harness.socket.receive({"type": "x", "n": number})
    harness.service.disconnect()
    assert [frame["n"] async for frame in stream] == [7, 8, 9]
    assert stream.dropped == 7


async def test_a_closed_stream_takes_no_more():
    harness = ServiceHarness()
    await harness.connect()
    stream = harness.service.frames()
    harness.socket.receive({"type": "x", "n": 1})
    stream.close()
    harness.socket.receive({"type": "x", "n": 2})
    assert [frame["n"] async for frame in stream] == [1]
    assert harness.service.frames() is not stream
    harness.service.disconnect()


async def test_two_readers_hear_the_same():
    harness = ServiceHarness()
    await harness.connect()
    streams = [harness.service.frames(), harness.service.frames()]
    harness.socket.receive({"type": "x", "n": 1})
    harness.service.disconnect()
    assert [[frame["n"] async for frame in stream] for stream in streams] == [[1], [1]]
