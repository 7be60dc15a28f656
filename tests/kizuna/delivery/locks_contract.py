"""The contract of kizuna.platform.Locks: plain functions over the locks of two pages or processes.

No pytest in here: the same functions run inside a page and a worker, on Web Locks.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from kizuna.platform import Locks


async def taken(locks: Locks, name: str) -> Callable[[], None]:
    """Take a lock that must be free, or become so in a moment: a browser takes its time to free one."""
    async with asyncio.timeout(60):
        while (release := await locks.try_lock(name)) is None:  # noqa: ASYNC110 - nothing tells that it is free
            await asyncio.sleep(0.01)
    return release


async def a_lock_is_held_by_one_until_it_is_freed(page: Locks, other: Locks) -> None:
    release = await page.try_lock("a lock/絆")
    assert release is not None
    assert await other.try_lock("a lock/絆") is None
    assert await page.try_lock("a lock/絆") is None
    release()
    (await taken(other, "a lock/絆"))()


async def locks_of_two_names_know_nothing_of_each_other(page: Locks, other: Locks) -> None:
    first, second = await page.try_lock("one"), await other.try_lock("two")
    assert first is not None
    assert second is not None
    first()
    assert await page.try_lock("two") is None
    second()


async def freeing_twice_does_not_free_what_was_taken_again(page: Locks, other: Locks) -> None:
    first = await taken(page, "again")
    first()
    second = await taken(other, "again")
    first()
    assert await page.try_lock("again") is None
    second()


async def of_many_who_try_at_once_one_gets_it(page: Locks, other: Locks) -> None:
    for _ in range(5):
        tries = await asyncio.gather(*(each.try_lock("wanted") for each in (page, other) * 3))
        granted = [release for release in tries if release is not None]
        assert len(granted) == 1
        granted[0]()
        (await taken(page, "wanted"))()


async def nothing_was_granted_unchecked(page: Locks, other: Locks) -> None:
    (await taken(page, "checked"))()
    assert page.interruptions == other.interruptions == 0


#: Every duty of locks.
CONTRACT: tuple[Callable[[Locks, Locks], Awaitable[None]], ...] = tuple(
    duty
    for duty in tuple(globals().values())
    if inspect.iscoroutinefunction(duty) and duty.__name__ != "taken"
)
