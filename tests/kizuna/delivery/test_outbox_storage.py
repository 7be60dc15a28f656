"""The stored rows of an outbox: one tab owns a message, and another one after that is closed."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from kizuna.delivery.outbox_storage import TABLE, OutboxStorage
from kizuna.delivery.pending_message import Failure, PendingMessage
from kizuna.testing import MemoryLocks, MemoryStorage


class Browser:
    """What the tabs of a browser share."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        self.held: dict[str, object] = {}

    def tab(self, name: str) -> tuple[OutboxStorage, MemoryLocks]:
        locks = MemoryLocks(self.held)
        return OutboxStorage(self.storage, locks, name), locks

    @property
    def rows(self) -> dict[str, str]:
        return self.storage.tables.get(TABLE, {})


@pytest.fixture
def browser() -> Browser:
    return Browser()


def row(row_id: str, written_at: int = 1, **parts: object) -> PendingMessage:
    given = {"channel": "general", "data": {"action": "sendMessage"}, "meta": {"typed_at": 1}, **parts}
    return PendingMessage(id=row_id, written_at=written_at, **given)  # type: ignore[arg-type]


async def ids(rows: OutboxStorage, person: str = "mika") -> list[str]:
    return [each.id for each in await rows.adopt(person)]


async def test_row_is_committed_when_save_returns_and_loads_unchanged(browser: Browser):
    rows, _ = browser.tab("one")
    kept = row("c/1", number=3, is_sent=True, failure=Failure("too_old", "words"))
    await rows.save("mika", kept)
    assert list(browser.rows) == ["mika/one/c/1"]
    assert await rows.load("mika") == [kept]


async def test_rows_come_in_the_order_written(browser: Browser):
    rows, _ = browser.tab("one")
    for each in (row("c", 2, number=1), row("b", 1, number=2), row("a", 1, number=10)):
        await rows.save("mika", each)
    assert [each.id for each in await rows.load("mika")] == ["b", "a", "c"]


async def test_the_rows_of_a_living_tab_stay_its_own(browser: Browser):
    first, _ = browser.tab("one")
    second, _ = browser.tab("two")
    await first.save("mika", row("a"))
    assert await second.load("mika") == []
    assert await ids(second) == []
    assert list(browser.rows) == ["mika/one/a"]


async def test_a_tab_is_known_to_live_before_its_first_row_is_written(browser: Browser):
    first, _ = browser.tab("one")
    second, _ = browser.tab("two")
    seen: list[list[str]] = []
    write = browser.storage.write

    async def look_first(table: str, *args: object, **named: object) -> None:
        browser.storage.write = write  # type: ignore[method-assign]
        await write(table, *args, **named)  # type: ignore[arg-type]
        seen.append(await ids(second))

    browser.storage.write = look_first  # type: ignore[method-assign]
    await first.save("mika", row("a"))
    assert seen == [[]]


async def test_rows_of_a_closed_tab_go_to_the_first_that_loads(browser: Browser):
    first, first_locks = browser.tab("one")
    second, _ = browser.tab("two")
    third, _ = browser.tab("three")
    await first.save("mika", row("b", 2))
    await first.save("mika", row("a", 1))
    await second.load("mika")
    first_locks.end()
    assert await ids(second) == ["a", "b"]
    assert await ids(third) == []
    assert await ids(second) == []
    assert sorted(browser.rows) == ["mika/two/a", "mika/two/b"]


async def test_rows_of_a_tab_after_release_go_to_the_next_that_loads(browser: Browser):
    first, _ = browser.tab("one")
    second, _ = browser.tab("two")
    first.release()
    await first.save("mika", row("a"))
    first.release()
    first.release()
    assert [each.id for each in await second.load("mika")] == ["a"]
    assert await first.load("mika") == []
    await first.save("mika", row("b"))
    assert await ids(second) == []


async def test_tab_that_saves_rows_concurrently_can_release_them(browser: Browser):
    first, _ = browser.tab("one")
    second, _ = browser.tab("two")
    await asyncio.gather(first.load("mika"), first.save("mika", row("a", 1)), first.save("mika", row("b", 2)))
    first.release()
    assert await ids(second) == ["a", "b"]


async def test_release_during_the_lock_request_leaves_no_lock(browser: Browser):
    first, _ = browser.tab("one")
    loading = asyncio.create_task(first.load("mika"))
    await asyncio.sleep(0)
    first.release()
    await loading
    assert browser.held == {}


async def test_two_tabs_that_look_at_once_share_nothing(browser: Browser):
    first, first_locks = browser.tab("one")
    second, _ = browser.tab("two")
    third, _ = browser.tab("three")
    for number in range(5):
        await first.save("mika", row(f"c{number}", number))
    first_locks.end()
    found = await asyncio.gather(ids(second), ids(third))
    assert sorted(found[0] + found[1]) == ["c0", "c1", "c2", "c3", "c4"]
    assert len(browser.rows) == 5


async def test_a_tab_that_dies_in_the_middle_of_adopting_loses_nothing(browser: Browser):
    first, first_locks = browser.tab("one")
    second, second_locks = browser.tab("two")
    await first.save("mika", row("a"))
    await second.load("mika")
    first_locks.end()
    browser.storage.is_stuck = True
    adopting = asyncio.create_task(second.adopt("mika"))
    for _ in range(5):
        await asyncio.sleep(0)
    adopting.cancel()
    second_locks.end()
    browser.storage.release()
    third, _ = browser.tab("three")
    assert await ids(third) == ["a"]


async def test_adopting_frees_the_name_of_the_tab_that_is_gone(browser: Browser):
    first, first_locks = browser.tab("one")
    second, _ = browser.tab("two")
    await first.save("mika", row("a"))
    first_locks.end()
    await ids(second)
    assert list(browser.held) == []


async def test_nobody_gets_anothers_rows(browser: Browser):
    rows, locks = browser.tab("one")
    await rows.save("mika", row("a"))
    locks.end()
    other, _ = browser.tab("two")
    assert await other.load("ren") == []
    assert await other.load("mik") == []
    assert await ids(other, "mika") == ["a"]


async def test_to_claim_a_row_notes_that_it_may_have_arrived(browser: Browser):
    rows, _ = browser.tab("one")
    await rows.save("mika", row("a"))
    assert await rows.claim("mika", row("a"))
    assert await rows.claim("mika", row("a"))
    assert [each.is_sent for each in await rows.load("mika")] == [True]


async def test_a_row_that_another_tab_took_cannot_be_claimed(browser: Browser):
    first, first_locks = browser.tab("one")
    second, _ = browser.tab("two")
    await first.save("mika", row("a"))
    first_locks.end()
    await ids(second)
    assert not await first.claim("mika", row("a"))
    assert await second.claim("mika", row("a"))
    await second.delete("mika", "a")
    assert not await first.claim("mika", row("a"))
    assert browser.rows == {}


async def test_deleted_row_that_no_tab_adopted_is_written_again(browser: Browser):
    rows, _ = browser.tab("one")
    await rows.save("mika", row("a"))
    browser.rows.clear()  # the person cleared what the browser keeps
    assert await rows.claim("mika", row("a"))
    assert [each.is_sent for each in await rows.load("mika")] == [True]


async def test_a_row_that_something_else_wrote_over_is_claimed_as_it_is(browser: Browser):
    rows, _ = browser.tab("one")
    await rows.save("mika", row("a"))
    browser.rows["mika/one/a"] = "{"
    assert await rows.claim("mika", row("a"))
    assert browser.rows["mika/one/a"] == "{"


async def test_row_is_updated_only_while_it_is_this_tabs(browser: Browser, caplog: pytest.LogCaptureFixture):
    first, first_locks = browser.tab("one")
    second, _ = browser.tab("two")
    await first.save("mika", row("a"))
    await first.update("mika", row("a", failure=("too_old", "")))
    assert [each.failure for each in await first.load("mika")] == [("too_old", "")]
    first_locks.end()
    await ids(second)
    await first.update("mika", row("a", is_sent=True))
    assert list(browser.rows) == ["mika/two/a"]
    browser.storage.is_broken = True
    await second.update("mika", row("a"))
    assert "could not update outbox row" in caplog.text


async def test_row_is_deleted_in_whichever_tab_has_it(browser: Browser):
    first, first_locks = browser.tab("one")
    second, _ = browser.tab("two")
    await first.save("mika", row("a"))
    await first.save("mika", row("b"))
    first_locks.end()
    await ids(second)
    await first.delete_everywhere("mika", "a")
    assert list(browser.rows) == ["mika/two/b"]


async def test_all_rows_of_a_person_are_deleted_in_every_tab(browser: Browser):
    first, _ = browser.tab("one")
    second, _ = browser.tab("two")
    await first.save("mika", row("a"))
    await second.save("mika", row("b"))
    await second.save("ren", row("c"))
    await first.delete_all("mika")
    assert list(browser.rows) == ["ren/two/c"]


async def test_row_that_cannot_be_read_is_claimed_anyway(browser: Browser, caplog: pytest.LogCaptureFixture):
    rows, _ = browser.tab("one")
    await rows.save("mika", row("a"))
    browser.storage.is_broken = True
    with caplog.at_level(logging.WARNING, logger="kizuna.outbox"):
        assert await rows.claim("mika", row("a"))
    assert "could not verify ownership" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "7",
        "[]",
        json.dumps({"failure": None}),
        json.dumps(
            {"id": "a", "lane": "g", "data": {}, "written_at": 1, "typed_at": 1, "number": 1, "failure": [1]}
        ),
        json.dumps({"id": "a", "lane": "g", "data": {}, "written_at": 1, "typed_at": 1, "number": 1, "x": 1}),
        json.dumps(
            {"id": "a", "lane": "g", "data": 7, "written_at": 1, "typed_at": 1, "number": 1, "failure": None}
        ),
        json.dumps(
            {"id": 7, "lane": "g", "data": {}, "written_at": 1, "typed_at": 1, "number": 1, "failure": None}
        ),
        json.dumps(
            {"id": "a", "lane": 7, "data": {}, "written_at": 1, "typed_at": 1, "number": 1, "failure": None}
        ),
        json.dumps(
            {
                "id": "a",
                "lane": "g",
                "data": {},
                "written_at": "1",
                "typed_at": 1,
                "number": 1,
                "failure": None,
            }
        ),
        json.dumps(
            {
                "id": "a",
                "lane": "g",
                "data": {},
                "written_at": 1,
                "typed_at": None,
                "number": 1,
                "failure": None,
            }
        ),
    ],
)
async def test_unreadable_row_is_reported_once_and_left_in_place(
    browser: Browser, text: str, caplog: pytest.LogCaptureFixture
):
    rows, _ = browser.tab("one")
    await rows.save("mika", row("a"))
    browser.rows["mika/gone/x"] = text
    with caplog.at_level(logging.WARNING, logger="kizuna.outbox"):
        assert [each.id for each in await rows.load("mika")] == ["a"]
        assert await ids(rows) == []
    assert len(caplog.records) == 1
    assert browser.rows["mika/gone/x"] == text
