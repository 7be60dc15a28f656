"""A message is kept as a draft until its row is committed: no moment of a crash loses or doubles it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from kizuna.delivery.changes import Changes, Restored
from kizuna.delivery.memory_storage import MemorySettings
from kizuna.delivery.outbox import DEFAULT_LIMIT, OutboxFull
from kizuna.delivery.outbox_storage import TABLE, OutboxStorage
from kizuna.delivery.pending_message import PendingMessage
from kizuna.delivery.sender import TOO_MANY, OutboxSender
from kizuna.delivery.tasks import TaskSet
from kizuna.testing import MemoryLocks, MemoryStorage, VirtualClock

DRAFT = "kizuna.unstored."
#: More turns of the loop than keeping and storing three messages take.
TURNS = 12


class Browser:
    """What the tabs of a browser share."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        self.settings = MemorySettings()
        self.held: dict[str, object] = {}
        self.clock = VirtualClock()

    @property
    def drafts(self) -> list[str]:
        return [key.split("/")[-1] for key in self.settings.names(DRAFT)]

    @property
    def rows(self) -> list[str]:
        return list(self.storage.tables.get(TABLE, {}))


class Tab:
    """One tab with its sender, which is not connected."""

    def __init__(self, browser: Browser, name: str) -> None:
        self.browser = browser
        self.locks = MemoryLocks(browser.held)
        self.rows = OutboxStorage(browser.storage, self.locks, name, browser.settings)
        self.sender = OutboxSender(browser.clock.now, self, self.rows, self)
        self.storing: list[asyncio.Task[PendingMessage | None]] = []
        self._tasks = TaskSet()

    # --- a Carrier, and a Later ---

    def is_connected(self) -> bool:
        return False

    def send_message(self, *_: object) -> None:
        raise AssertionError("not connected")

    def doubt(self) -> None:
        raise AssertionError("nothing was sent")

    def call_at(self, deadline: float, handle: Any) -> Any:
        return self.browser.clock.call_at(deadline, handle)

    def start(self, work: Coroutine[Any, Any, Changes]) -> None:
        raise AssertionError("nothing is due")

    def write(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.start(work)

    # --- steps ---

    async def start_for(self, person: str = "mika") -> list[str]:
        """Load the person's messages; return their ids."""
        return [
            message.id
            for change in await self.sender.start_for(person)
            if isinstance(change, Restored)
            for message in change.messages
        ]

    def say(self, *ids: str, person: str = "mika") -> None:
        for message_id in ids:
            draft = self.sender.keep(person, PendingMessage(id=message_id, channel="general", data={"n": 1}))
            self.storing.append(asyncio.create_task(self.sender.store(person, draft)))

    def crash(self, *, loses: bool) -> None:
        """End the page. ``loses``: what is not committed is lost, else the browser completes it."""
        if loses:
            for task in self.storing:
                task.cancel()
        self.locks.end()


@pytest.fixture
async def tab() -> Tab:
    """A tab whose person is there."""
    tab = Tab(Browser(), "one")
    await tab.start_for()
    return tab


async def pass_turns(count: int = TURNS) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_message_is_a_draft_until_its_row_is_committed(tab: Tab):
    tab.browser.storage.is_stuck = True
    tab.say("a", "b")
    await pass_turns()
    assert (tab.browser.drafts, tab.browser.rows, tab.sender.waiting) == (["a", "b"], [], 2)
    assert [each.id for each in tab.sender.drafts] == ["a", "b"]
    assert [each.id for each in tab.sender.pending_in("general")] == ["a", "b"]
    tab.browser.storage.release()
    assert [each and each.id for each in await asyncio.gather(*tab.storing)] == ["a", "b"]
    assert (tab.browser.drafts, tab.browser.rows) == ([], ["mika/one/a", "mika/one/b"])
    assert (tab.sender.drafts, tab.sender.waiting) == ((), 2)


@pytest.mark.parametrize("loses", [True, False])
@pytest.mark.parametrize("turns", range(TURNS))
async def test_no_moment_of_a_crash_loses_or_doubles_a_message(tab: Tab, turns: int, loses: bool):
    """After each turn of the loop from Enter on: before a commit, after it, and after its draft is dropped."""
    tab.say("a", "b", "c")
    await pass_turns(turns)
    drafts = tab.sender.drafts
    tab.crash(loses=loses)
    await pass_turns()
    for draft in drafts:  # an ended page drops none
        tab.rows.keep_draft("mika", draft)
    after = Tab(tab.browser, "two")
    assert await after.start_for() == ["a", "b", "c"]
    assert tab.browser.drafts == []
    assert sorted(tab.browser.rows) == ["mika/two/a", "mika/two/b", "mika/two/c"]


async def test_a_crash_right_after_adopting_a_draft_doubles_nothing(tab: Tab):
    """The rows of the tab that adopted it are committed, and the draft is still there."""
    draft = tab.sender.keep("mika", PendingMessage(id="a", channel="general", data={}))
    tab.crash(loses=True)
    second = Tab(tab.browser, "two")
    assert await second.start_for() == ["a"]
    tab.rows.keep_draft("mika", draft)
    second.crash(loses=True)
    third = Tab(tab.browser, "three")
    await third.start_for()
    assert (third.sender.waiting, tab.browser.drafts, tab.browser.rows) == (1, [], ["mika/three/a"])


async def test_the_drafts_of_a_living_tab_and_of_others_stay(tab: Tab):
    tab.browser.storage.is_stuck = True
    tab.say("a")
    await pass_turns()
    other = Tab(tab.browser, "two")
    tab.browser.settings.set(f"{DRAFT}ren/three/b", "{}")
    loading = asyncio.create_task(other.start_for())
    await pass_turns()
    assert tab.browser.drafts == ["a", "b"]
    tab.browser.storage.release()
    assert await loading == []
    assert await asyncio.gather(*tab.storing)


async def test_a_draft_that_cannot_be_read_is_left_in_place(tab: Tab):
    tab.browser.settings.set(f"{DRAFT}mika/gone/a", "{")
    assert await tab.rows.adopt("mika") == []
    assert tab.browser.drafts == ["a"]


async def test_a_message_kept_before_the_rows_are_loaded_waits_behind_them():
    tab = Tab(Browser(), "one")
    draft = tab.sender.keep("mika", PendingMessage(id="a", channel="general", data={}))
    await tab.start_for()
    assert tab.sender.drafts == (draft,)
    assert await tab.sender.store("mika", draft) == draft
    assert tab.browser.rows == ["mika/one/a"]


async def test_a_draft_of_a_person_is_not_the_next_ones():
    tab = Tab(Browser(), "one")
    draft = tab.sender.keep("mika", PendingMessage(id="a", channel="general", data={}))
    await tab.start_for("ren")
    assert (tab.sender.drafts, tab.sender.waiting) == ((), 0)
    assert await tab.sender.store("mika", draft) is None
    assert (tab.browser.drafts, tab.browser.rows) == ([], ["mika/one/a"])
    assert await tab.start_for("mika") == ["a"]


@pytest.mark.parametrize("turns", range(TURNS))
async def test_a_draft_that_is_deleted_leaves_nothing(tab: Tab, turns: int):
    tab.say("a", "b")
    await pass_turns(turns)
    assert not tab.sender.discard("a")
    assert "a" not in tab.browser.drafts
    await asyncio.gather(*tab.storing)
    await pass_turns()
    assert (tab.browser.drafts, tab.browser.rows) == ([], ["mika/one/b"])
    assert tab.sender.waiting == 1


async def test_a_draft_adopted_while_its_tab_was_suspended_is_not_stored(tab: Tab):
    draft = tab.sender.keep("mika", PendingMessage(id="a", channel="general", data={}))
    tab.locks.end()
    other = Tab(tab.browser, "two")
    assert await other.start_for() == ["a"]
    assert await tab.sender.store("mika", draft) is None
    assert (tab.sender.waiting, tab.browser.rows) == (0, ["mika/two/a"])


async def test_a_draft_whose_settings_were_cleared_is_stored(tab: Tab):
    draft = tab.sender.keep("mika", PendingMessage(id="a", channel="general", data={}))
    tab.browser.settings.delete(f"{DRAFT}mika/one/a")
    assert await tab.sender.store("mika", draft) == draft


async def test_drafts_count_to_the_limit(tab: Tab):
    for number in range(DEFAULT_LIMIT):
        tab.sender.keep("mika", PendingMessage(id=f"a{number}", channel="general", data={}))
    with pytest.raises(OutboxFull):
        tab.sender.keep("mika", PendingMessage(id="b", channel="general", data={}))
    assert "b" not in tab.browser.drafts


async def test_a_draft_behind_a_full_outbox_of_a_closed_tab_fails_visibly(tab: Tab):
    """Both were within the limit, each in its tab."""
    draft = tab.sender.keep("mika", PendingMessage(id="late", channel="general", data={}))
    for number in range(DEFAULT_LIMIT):
        assert await tab.sender.enqueue(PendingMessage(id=f"a{number}", channel="general", data={}))
    stored = await tab.sender.store("mika", draft)
    assert stored is not None
    assert stored.failure == TOO_MANY
    assert tab.sender.get("late") == stored


async def test_without_settings_drafts_last_as_long_as_the_page():
    browser = Browser()
    rows = OutboxStorage(browser.storage, MemoryLocks(browser.held), "one")
    rows.keep_draft("mika", PendingMessage(id="a", channel="general", data={}))
    assert not rows.is_draft_adopted("mika", "a")
    assert browser.settings.names("") == []


# --- without a draft ---


async def test_who_never_came_or_left_meanwhile_stores_nothing(tab: Tab):
    tab.browser.storage.is_stuck = True
    storing = asyncio.create_task(tab.sender.enqueue(PendingMessage(id="a", channel="general", data={})))
    await pass_turns()
    tab.sender.stop()
    tab.browser.storage.release()
    assert not await storing
    assert not await tab.sender.enqueue(PendingMessage(id="b", channel="general", data={}))
    assert (tab.browser.rows, tab.browser.held) == ([], {})


async def test_one_message_too_many_is_not_stored(tab: Tab):
    for number in range(DEFAULT_LIMIT):
        assert await tab.sender.enqueue(PendingMessage(id=f"a{number}", channel="general", data={}))
    with pytest.raises(OutboxFull):
        await tab.sender.enqueue(PendingMessage(id="b", channel="general", data={}))
    assert "mika/one/b" not in tab.browser.rows
