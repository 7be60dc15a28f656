"""Rows in the settings of a tab."""

from __future__ import annotations

from demo import TabStorage
from tests.chat.session_harness import MemorySettings


async def test_rows_of_a_table_are_read_by_their_prefix():
    storage = TabStorage(MemorySettings())
    await storage.write("rooms", {"b/2": "two", "b/1": "one", "c/1": "other"})
    await storage.write("outbox", {"b/1": "not this"})
    assert await storage.read("rooms", "b/") == {"b/1": "one", "b/2": "two"}
    assert await storage.keys("rooms") == ["b/1", "b/2", "c/1"]
    await storage.write("rooms", {"b/3": "three"}, ["b/1", "missing"])
    assert await storage.keys("rooms", "b/") == ["b/2", "b/3"]


async def test_a_row_is_changed_or_deleted():
    storage = TabStorage(MemorySettings())
    assert await storage.change("rooms", "a", lambda row: f"{row}!") is None
    assert await storage.change("rooms", "a", lambda row: None) == "None!"
    assert await storage.change("rooms", "a", lambda row: None) is None
    assert await storage.read("rooms") == {}
