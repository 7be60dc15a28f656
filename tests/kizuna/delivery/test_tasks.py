"""Background tasks: kept until they are done, their errors logged."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from kizuna.delivery.tasks import TaskSet


async def test_work_goes_on_though_nobody_holds_it():
    background, done = TaskSet(), asyncio.Event()

    async def work() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            gc.collect()
        done.set()

    background.start(work())
    assert len(background) == 1
    await done.wait()
    await asyncio.sleep(0)
    assert len(background) == 0


async def test_an_error_is_logged_and_stops_nobody_else(caplog: pytest.LogCaptureFixture):
    background, done = TaskSet(), asyncio.Event()

    async def fail() -> None:
        raise ValueError("on purpose")

    async def work() -> None:
        done.set()

    with caplog.at_level(logging.ERROR, logger="kizuna.tasks"):
        background.start(fail())
        background.start(work())
        await done.wait()
        await asyncio.sleep(0)
    assert "on purpose" in caplog.text
    assert len(background) == 0


async def test_work_that_is_cancelled_before_it_began_leaves_no_warning():
    background = TaskSet()

    async def work() -> None:
        raise AssertionError("it never runs")

    background.start(work())
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(background) == 0
