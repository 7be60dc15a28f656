"""What earlier versions kept goes to the page whose server it was made for, and to no other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chat.admission import Answer, Endpoints
from chat.identity import Identity
from chat.migration import Migration
from kizuna.delivery.outbox_storage import OutboxStorage
from kizuna.delivery.pending_message import PendingMessage
from kizuna.platform import Storage
from kizuna.testing import MemoryLocks, MemoryStorage, VirtualClock
from tests.chat.session_harness import MemorySettings

HERE, ELSEWHERE = "https://example.org/a/token", "https://example.org/b/token"
ROW = PendingMessage(
    id="c1", channel="general", data={"words": "waited"}, written_at=1, meta={"typed_at": 1}, is_sent=True
)


class Browser:
    """The data of an earlier version in one browser, and its present pages."""

    def __init__(self) -> None:
        self.settings, self.tab, self.storage = MemorySettings(), MemorySettings(), MemoryStorage()
        self.locks: dict[str, object] = {}

    def was_here(self, name: str, secret: str, token_url: str, user_id: str | None = None) -> str:
        """Somebody used an earlier version; what that called the person in storage."""
        person = identity(token_url, MemorySettings()).person_key_for(secret)
        self.settings[f"kizuna.secret.{name}"] = secret
        self.settings["kizuna.name"] = self.tab["kizuna.name"] = name
        if user_id:
            self.settings[f"kizuna.user.{person}"] = user_id
        return person

    async def left_words(self, person: str) -> None:
        """A tab of that version was closed with something unsent."""
        await self.rows_of("gone").save(person, ROW)
        self.locks.clear()

    def rows_of(self, tab: str, storage: Storage | None = None) -> OutboxStorage:
        return OutboxStorage(storage or self.storage, MemoryLocks(self.locks), tab)

    def migration(self) -> Migration:
        return Migration(self.settings, self.tab, self.storage, lambda storage: self.rows_of("new", storage))


class Page:
    """A page with its own keys."""

    def __init__(self, token_url: str = HERE) -> None:
        self.settings, self.tab, self.storage = MemorySettings(), MemorySettings(), MemoryStorage()
        self.identity = identity(token_url, self.settings, self.tab)

    async def starts(self, browser: Browser) -> None:
        await browser.migration().migrate_all(self.identity, self.settings, self.tab, self.storage)


def identity(token_url: str, settings: MemorySettings, tab: MemorySettings | None = None) -> Identity:
    async def post(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        raise OSError(url)

    return Identity(
        settings, Endpoints(post, token_url, None, VirtualClock().now), lambda: "a new secret", tab
    )


# --- a page that has the old names, at the root of its origin ---


async def test_who_had_a_user_id_of_this_server_is_the_same_person() -> None:
    browser = Browser()
    person = browser.was_here("Ann", "old", HERE, "user-1")
    page = identity(HERE, browser.settings, browser.tab)
    assert await browser.migration().migrate_secrets(page) == ["Ann"]
    assert await browser.migration().migrate_secrets(page) == []
    page.join("Ann")
    assert (page.person_key, page.user_id) == (person, "user-1")


async def test_who_only_ever_queued_words_for_this_server_is_the_same_person() -> None:
    """They joined while it could not be reached: no user id has come."""
    browser = Browser()
    person = browser.was_here("Ann", "old", HERE)
    await browser.left_words(person)
    page = identity(HERE, browser.settings)
    await browser.migration().migrate_secrets(page)
    page.join("Ann")
    assert await browser.rows_of("gone").load(page.person_key) == [ROW]


async def test_a_secret_made_for_another_server_is_not_shown_to_this_one() -> None:
    browser = Browser()
    person = browser.was_here("Ann", "old", ELSEWHERE, "user-1")
    await browser.left_words(person)
    page = identity(HERE, browser.settings)
    assert await browser.migration().migrate_secrets(page) == []
    page.join("Ann")
    assert page.person_key != person
    assert "old" not in [
        value for key, value in browser.settings.items() if key.startswith("kizuna.secret-for")
    ]
    back = identity(ELSEWHERE, browser.settings)
    await browser.migration().migrate_secrets(back)
    back.join("Ann")
    assert back.person_key == person


async def test_without_rows_a_stored_user_id_still_migrates_the_secret() -> None:
    browser = Browser()
    browser.was_here("Ann", "old", HERE, "user-1")
    browser.was_here("Ben", "other", HERE)
    browser.storage.is_broken = True
    assert await browser.migration().migrate_secrets(identity(HERE, browser.settings)) == ["Ann"]


# --- a page under a path, with names of its own ---


async def test_a_page_under_a_path_finds_person_words_rooms_and_draft() -> None:
    browser, page = Browser(), Page()
    person = browser.was_here("Ann", "old", HERE, "user-1")
    browser.tab["kizuna.draft.general/Ann"] = "half a word"
    browser.tab["kizuna.draft.general/Ben"] = "somebody else's"
    await browser.left_words(person)
    await browser.storage.write("rooms", {f"{person}/general": "a room", f"{person}/tea": "older"})
    await page.storage.write("rooms", {f"{person}/tea": "newer"})
    await page.starts(browser)
    assert page.identity.remembered_name == "Ann"
    page.identity.join("Ann")
    assert (page.identity.person_key, page.identity.user_id) == (person, "user-1")
    assert await browser.rows_of("new", page.storage).load(person) == [ROW]
    rooms = await page.storage.read("rooms")
    assert rooms == {f"{person}/general": "a room", f"{person}/tea": "newer"}
    assert page.tab["kizuna.draft.general/Ann"] == "half a word"
    assert "kizuna.draft.general/Ben" not in page.tab
    assert browser.storage.tables == {"outbox": {}, "rooms": {}}


async def test_two_pages_of_one_origin_take_each_their_own() -> None:
    browser, here, there = Browser(), Page(HERE), Page(ELSEWHERE)
    ann = browser.was_here("Ann", "hers", HERE, "user-1")
    ben = browser.was_here("Ben", "his", ELSEWHERE, "user-2")
    for person in (ann, ben):
        await browser.left_words(person)
    for page in (here, there):
        await page.starts(browser)
    assert (here.identity.person_key_of("Ann"), here.identity.person_key_of("Ben")) == (ann, None)
    assert (there.identity.person_key_of("Ann"), there.identity.person_key_of("Ben")) == (None, ben)
    assert (here.identity.remembered_name, there.identity.remembered_name) == (None, "Ben")
    assert list(here.storage.tables["outbox"]) == [f"{ann}/new/c1"]
    assert list(there.storage.tables["outbox"]) == [f"{ben}/new/c1"]


async def test_what_is_over_since_then_does_not_come_back() -> None:
    browser, page = Browser(), Page()
    browser.was_here("Ann", "old", HERE, "user-1")
    browser.settings["kizuna.left.Ann"] = "1"
    browser.tab["kizuna.draft.general/Ann"] = "half a word"
    await page.starts(browser)
    assert page.identity.has_left
    page.identity.join("Ann")
    del page.tab["kizuna.draft.general/Ann"]
    await page.starts(browser)
    assert not page.identity.has_left
    assert "kizuna.draft.general/Ann" not in page.tab
    page.identity.join("Ben")
    await page.starts(browser)
    assert page.identity.remembered_name == "Ben"


async def test_a_living_tab_of_an_earlier_version_keeps_its_rows() -> None:
    browser, page = Browser(), Page()
    person = browser.was_here("Ann", "old", HERE, "user-1")
    tab = browser.rows_of("living")
    await tab.save(person, ROW)
    await page.starts(browser)
    assert list(browser.storage.tables["outbox"]) == [f"{person}/living/c1"]
    browser.locks.clear()  # it was closed
    await page.starts(browser)
    assert await browser.rows_of("new", page.storage).load(person) == [ROW]


async def test_rows_that_cannot_be_moved_stay_where_they_are() -> None:
    browser, page = Browser(), Page()
    person = browser.was_here("Ann", "old", HERE, "user-1")
    await browser.left_words(person)
    page.storage.is_broken = True
    await page.starts(browser)
    assert [key.rpartition("/")[2] for key in browser.storage.tables["outbox"]] == ["c1"]
    page.storage.is_broken = False
    await page.starts(browser)
    assert await browser.rows_of("new", page.storage).load(person) == [ROW]


async def test_a_page_that_finds_nothing_old_reads_no_storage() -> None:
    browser, page = Browser(), Page()
    browser.storage.is_stuck = True
    await page.starts(browser)
    assert page.settings == {}


async def test_migrated_rows_have_no_owner_until_the_page_loads_them() -> None:
    browser, page = Browser(), Page()
    person = browser.was_here("Ann", "old", HERE, "user-1")
    await browser.left_words(person)
    await page.starts(browser)
    assert browser.locks == {}
    assert await browser.rows_of("page", page.storage).load(person) == [ROW]


async def test_the_cached_view_is_deleted_with_its_migrated_person() -> None:
    browser, page = Browser(), Page()
    browser.was_here("Ann", "old", HERE, "user-1")
    browser.settings["kizuna.glimpse"] = '{"name":"Ann","room":"general","messages":[]}'
    await page.starts(browser)
    assert "kizuna.glimpse" not in browser.settings
