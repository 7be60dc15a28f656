"""The contract of kizuna.platform.Storage: plain functions over two views of one storage, as two pages have them.

No pytest in here: the same functions run inside a page, on IndexedDB (tests/e2e/test_storage.py).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from kizuna.platform import Storage

TABLES = ("letters", "marks")


async def rows_are_read_back_by_prefix_in_the_order_of_their_keys(page: Storage, other: Storage) -> None:
    rows = {"b/1": "4", "a/2": "3", "a/10": "2", "a/": "1", "a": "0", "ab": "5", "A/1": "6"}
    await page.write("letters", rows)
    assert list((await page.read("letters", "a/")).items()) == [("a/", "1"), ("a/10", "2"), ("a/2", "3")]
    assert list(await page.read("letters")) == sorted(rows)
    assert await page.keys("letters", "a/") == ["a/", "a/10", "a/2"]
    assert await page.keys("letters") == sorted(rows)
    assert await page.read("letters", "c") == {}
    assert await page.keys("letters", "c") == []


async def what_one_page_wrote_another_reads(page: Storage, other: Storage) -> None:
    await page.write("letters", {"a": "1"})
    assert await other.read("letters") == {"a": "1"}
    await other.write("letters", {}, ["a"])
    assert await page.read("letters") == {}


async def one_call_writes_and_deletes(page: Storage, other: Storage) -> None:
    await page.write("letters", {"a": "1", "b": "2"})
    await page.write("letters", {"b": "3", "c": "4"}, ["a", "never there"])
    assert await page.read("letters") == {"b": "3", "c": "4"}
    await page.write("letters", {})
    assert await page.read("letters") == {"b": "3", "c": "4"}


async def a_table_knows_nothing_of_another(page: Storage, other: Storage) -> None:
    await page.write("letters", {"a": "1"})
    await page.write("marks", {"a": "2"}, ["b"])
    assert await page.read("letters") == {"a": "1"}
    assert await page.read("marks") == {"a": "2"}


async def any_text_is_kept_as_it_is(page: Storage, other: Storage) -> None:
    texts = {
        "絆/é": "",
        "絆/\U0001f600": "line\nline\0end",
        "絆/\ufe0f": '{"a": "\\u0041"}',
        "絆/": "絆" * 9000,
    }
    await page.write("letters", texts)
    assert await other.read("letters", "絆/") == texts
    assert list(await other.read("letters", "絆/")) == sorted(texts)


async def a_change_returns_what_was_there_and_leaves_what_it_made(page: Storage, other: Storage) -> None:
    assert await page.change("letters", "a", lambda text: f"{text}!") is None
    assert await page.change("letters", "a", lambda text: f"{text}?") == "None!"
    assert await other.read("letters") == {"a": "None!?"}
    assert await page.change("letters", "a", lambda text: None) == "None!?"
    assert await page.change("letters", "a", lambda text: text) is None
    assert await other.read("letters") == {}


async def what_a_change_raises_reaches_the_caller_and_nothing_changes(page: Storage, other: Storage) -> None:
    await page.write("letters", {"a": "1"})
    caught = None
    try:
        await page.change("letters", "a", lambda text: str(int("x")))
    except ValueError as error:
        caught = error
    assert caught is not None
    assert await page.read("letters") == {"a": "1"}


async def pages_that_count_at_once_lose_nothing(page: Storage, other: Storage) -> None:
    def one_more(text: str | None) -> str:
        return str(int(text or 0) + 1)

    async def count(storage: Storage) -> None:
        for _ in range(20):
            await storage.change("marks", "count", one_more)

    await asyncio.gather(count(page), count(other), count(page))
    assert await page.read("marks") == {"count": "60"}


async def calls_happen_in_the_order_made(page: Storage, other: Storage) -> None:
    *_, rows, before = await asyncio.gather(
        page.write("letters", {"a": "1"}),
        page.write("letters", {"a": "2"}),
        page.change("letters", "a", lambda text: f"{text}3"),
        page.read("letters"),
        page.change("letters", "a", lambda text: None),
    )
    assert rows == {"a": "23"}
    assert before == "23"


#: Every duty of a storage.
CONTRACT: tuple[Callable[[Storage, Storage], Awaitable[None]], ...] = tuple(
    duty for duty in tuple(globals().values()) if inspect.iscoroutinefunction(duty)
)
