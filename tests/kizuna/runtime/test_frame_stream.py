"""Frames as an async iterator: bounded, honest about what was dropped, and ending with the connection."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.kizuna.stage import Stage


async def collect(stage: Stage, into: list[Any]) -> None:
    into += [frame["n"] async for frame in stage.service.frames()]


async def test_frames_come_in_order_until_disconnect():
    stage = Stage()
    await stage.connect()
    heard: list[int] = []
    reading = asyncio.create_task(collect(stage, heard))
    await stage.platform.settle()
    for number in range(5):
        stage.socket.receive({"type": "x", "n": number})
    stage.service.disconnect()
    await reading
    assert heard == [0, 1, 2, 3, 4]
    stage.assert_nothing_is_left()


async def test_a_reader_that_is_too_slow_loses_the_oldest_and_is_told_how_many():
    stage = Stage()
    await stage.connect()
    stream = stage.service.frames(limit=3)
    for number in range(10):
        stage.socket.receive({"type": "x", "n": number})
    stage.service.disconnect()
    assert [frame["n"] async for frame in stream] == [7, 8, 9]
    assert stream.dropped == 7


async def test_a_closed_stream_takes_no_more():
    stage = Stage()
    await stage.connect()
    stream = stage.service.frames()
    stage.socket.receive({"type": "x", "n": 1})
    stream.close()
    stage.socket.receive({"type": "x", "n": 2})
    assert [frame["n"] async for frame in stream] == [1]
    assert stage.service.frames() is not stream
    stage.service.disconnect()


async def test_two_readers_hear_the_same():
    stage = Stage()
    await stage.connect()
    streams = [stage.service.frames(), stage.service.frames()]
    stage.socket.receive({"type": "x", "n": 1})
    stage.service.disconnect()
    assert [[frame["n"] async for frame in stream] for stream in streams] == [[1], [1]]
