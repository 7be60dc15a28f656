"""Handlers, sync or async: served in order, independent of each other."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import Any

import pytest

from kizuna.runtime.subscribers import Subscribers


def report(where: str, error: BaseException) -> None:
    logging.getLogger("test").error(where, exc_info=error)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_plain_handlers_need_no_loop():
    subscribers: Subscribers[int] = Subscribers(report)
    told: list[int] = []
    forget = subscribers.add(told.append)
    subscribers.deliver(1)
    forget()
    forget()
    subscribers.deliver(2)
    subscribers.discard_pending()
    assert told == [1]
    assert subscribers._queues == []


def test_handler_unsubscribed_during_a_delivery_is_not_called():
    subscribers: Subscribers[int] = Subscribers(report)
    told: list[int] = []
    subscribers.add(lambda item: forget())
    forget = subscribers.add(told.append)
    subscribers.deliver(1)
    assert told == []


async def test_dropping_what_waits_keeps_the_handlers():
    subscribers: Subscribers[int] = Subscribers(report)
    told: list[int] = []
    subscribers.add(Called(told))
    subscribers.deliver(1)
    subscribers.deliver(2)
    subscribers.discard_pending()
    await settle()
    subscribers.deliver(3)
    await settle()
    assert told == [3]


class Called:
    """A handler whose ``__call__`` is async, which no inspection of the object shows."""

    def __init__(self, told: list[int]) -> None:
        self.told = told

    async def __call__(self, item: int) -> None:
        await asyncio.sleep(0)
        self.told.append(item)


KINDS: list[Callable[[list[int]], Any]] = [
    Called,
    lambda told: Called(told).__call__,
    lambda told: lambda item: Called(told)(item),
    lambda told: lambda item: asyncio.ensure_future(Called(told)(item)),
    lambda told: functools.partial(Called.__call__, Called(told)),
]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_async_handler_is_awaited_one_item_after_the_other(kind: Any):
    subscribers: Subscribers[int] = Subscribers(report)
    told: list[int] = []
    subscribers.add(kind(told))
    for item in range(3):
        subscribers.deliver(item)
    await settle()
    assert told == [0, 1, 2]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_error_is_logged_and_the_next_item_served(caplog: pytest.LogCaptureFixture):
    subscribers: Subscribers[int] = Subscribers(report)
    told: list[int] = []

    def broken(item: int) -> None:
        raise LookupError(item)

    async def broken_at_first(item: int) -> None:
        await asyncio.sleep(0)
        if item == 0:
            raise LookupError(item)
        told.append(item)

    subscribers.add(broken)
    subscribers.add(broken_at_first)
    subscribers.deliver(0)
    subscribers.deliver(1)
    await settle()
    assert told == [1]
    assert [bool(record.exc_info and record.exc_info[1]) for record in caplog.records] == [True] * 3


async def test_unsubscribing_stops_what_waits_and_what_is_at_work():
    subscribers: Subscribers[int] = Subscribers(report)
    log: list[str] = []

    async def slow(item: int) -> None:
        log.append(f"begin {item}")
        await asyncio.Event().wait()

    forget = subscribers.add(slow)
    subscribers.deliver(1)
    subscribers.deliver(2)
    await settle()
    forget()
    await settle()
    assert log == ["begin 1"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_unsubscribing_before_the_handler_began_warns_of_nothing():
    subscribers: Subscribers[int] = Subscribers(report)
    told: list[int] = []
    forget = subscribers.add(Called(told))
    subscribers.deliver(1)
    forget()
    await settle()
    assert told == []


async def test_an_async_handler_may_unsubscribe_itself_and_come_to_its_end():
    subscribers: Subscribers[int] = Subscribers(report)
    log: list[int] = []

    async def once(item: int) -> None:
        forget()
        await asyncio.sleep(0)
        log.append(item)

    forget = subscribers.add(once)
    subscribers.deliver(1)
    subscribers.deliver(2)
    await settle()
    assert log == [1]


def test_unsubscribing_works_after_the_loop_has_ended():
    subscribers: Subscribers[int] = Subscribers(report)
    forgets: list[Callable[[], None]] = []

    async def hang(item: int) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        forgets.append(subscribers.add(hang))
        subscribers.deliver(1)
        await settle()
        queue: Any = subscribers._queues[0]
        queue._task.remove_done_callback(queue._on_done)

    asyncio.run(main())
    forgets[0]()  # its work is known still, and no loop runs that could name a current task
