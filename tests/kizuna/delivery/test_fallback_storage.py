"""The fallback storage: memory instead of a platform's storage that fails, and the call of on_failure."""

from __future__ import annotations

import pytest

from kizuna.delivery.fallback_storage import FallbackStorage
from kizuna.errors import StorageFailed
from kizuna.testing import MemoryStorage


class StorageHarness:
    def __init__(self) -> None:
        self.platform = MemoryStorage()
        self.told = 0
        self.storage = FallbackStorage(self.platform, self.tell)

    def tell(self) -> None:
        self.told += 1


@pytest.fixture
def harness() -> StorageHarness:
    return StorageHarness()


async def test_as_long_as_the_platform_keeps_memory_holds_nothing(harness: StorageHarness):
    await harness.storage.write("t", {"b": "2", "a": "1", "x": "9"}, ["c"])
    assert await harness.storage.change("t", "a", lambda text: f"{text}+") == "1"
    assert list((await harness.storage.read("t")).items()) == [("a", "1+"), ("b", "2"), ("x", "9")]
    assert harness.platform.tables == {"t": {"a": "1+", "b": "2", "x": "9"}}
    harness.platform.is_broken = True
    assert await harness.storage.read("t") == {}
    assert harness.told == 0


async def test_what_the_platform_does_not_take_is_read_back_in_order(harness: StorageHarness):
    await harness.storage.write("t", {"a1": "1", "a3": "3"})
    harness.platform.is_broken = True
    await harness.storage.write("t", {"a2": "2", "b": "4"})
    await harness.storage.write("other", {"a9": "9"})
    assert harness.told == 2
    assert await harness.storage.read("t", "a") == {"a2": "2"}
    harness.platform.is_broken = False
    assert list(await harness.storage.read("t", "a")) == ["a1", "a2", "a3"]


async def test_keys_are_those_of_the_rows(harness: StorageHarness):
    await harness.storage.write("t", {"a1": "1", "a3": "3", "b": "4"})
    harness.platform.is_broken = True
    assert await harness.storage.keys("t") == []
    await harness.storage.write("t", {"a2": "2"}, ["a3"])
    await harness.storage.write("other", {"a9": "9"})
    assert await harness.storage.keys("t", "a") == ["a2"]
    harness.platform.is_broken = False
    assert await harness.storage.keys("t", "a") == ["a1", "a2"]


async def test_a_storage_that_stays_broken_is_complained_of_once(
    harness: StorageHarness, caplog: pytest.LogCaptureFixture
):
    harness.platform.is_broken = True
    for _ in range(5):
        await harness.storage.read("t")
        await harness.storage.write("t", {"a": "1"})
    assert len(caplog.records) == 1
    harness.platform.is_broken = False
    await harness.storage.read("t")
    harness.platform.is_broken = True
    await harness.storage.read("t")
    assert len(caplog.records) == 2


async def test_a_row_that_could_not_be_deleted_is_gone_for_this_page(harness: StorageHarness):
    await harness.storage.write("t", {"a": "1"})
    harness.platform.is_broken = True
    await harness.storage.write("t", {}, ["a"])
    harness.platform.is_broken = False
    assert await harness.storage.read("t") == {}
    assert harness.told == 0  # nothing is lost
    await harness.storage.write("t", {"a": "2"})
    assert await harness.storage.read("t") == {"a": "2"}


async def test_a_row_that_is_written_and_deleted_at_once_is_written(harness: StorageHarness):
    harness.platform.is_broken = True
    await harness.storage.write("t", {"a": "1"}, ["a"])
    assert await harness.storage.read("t") == {"a": "1"}


async def test_a_row_in_memory_changes_there(harness: StorageHarness):
    harness.platform.is_broken = True
    await harness.storage.write("t", {"a": "1"})
    assert await harness.storage.change("t", "a", lambda text: f"{text}+") == "1"
    assert await harness.storage.read("t") == {"a": "1+"}
    assert await harness.storage.change("t", "a", lambda text: None) == "1+"
    assert await harness.storage.read("t") == {}
    assert await harness.storage.change("t", "a", lambda text: text) is None


async def test_a_row_that_only_the_platform_has_cannot_be_changed_without_it(harness: StorageHarness):
    await harness.storage.write("t", {"a": "1"})
    harness.platform.is_broken = True
    with pytest.raises(StorageFailed):
        await harness.storage.change("t", "a", lambda text: text)


async def test_recovered_storage_gets_later_writes(harness: StorageHarness):
    harness.platform.is_broken = True
    await harness.storage.write("t", {"a": "1"})
    harness.platform.is_broken = False
    await harness.storage.write("t", {"a": "2"}, ["b"])
    assert await harness.storage.change("t", "a", lambda text: "3") == "2"
    assert harness.platform.tables == {"t": {"a": "3"}}


async def test_nobody_need_be_told():
    platform = MemoryStorage()
    platform.is_broken = True
    storage = FallbackStorage(platform)
    await storage.write("t", {"a": "1"})
    assert await storage.read("t") == {"a": "1"}
