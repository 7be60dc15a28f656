"""/health tells whether the store takes a write, and costs at most one write a second."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from backend.local import health
from backend.local.health import ROW_SECONDS, SHARED_SECONDS, Health
from backend.store.base import Conflict, Item, StoreUnavailable
from tests.backend.fakes import START, FakeClock
from tests.support.process import PATIENCE


class ScriptedStore:
    """A store that remembers its writes, and fails or waits as the test says."""

    def __init__(self) -> None:
        self.written: list[Item] = []
        self.do: Callable[[], None] = lambda: None

    def put(self, item: Item, condition: Any = None) -> None:
        self.written.append(item)
        self.do()


@pytest.fixture
def disk() -> ScriptedStore:
    return ScriptedStore()


@pytest.fixture
def monotonic() -> FakeClock:
    return FakeClock(0)


@pytest.fixture
def workers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def state(disk: ScriptedStore, workers: ThreadPoolExecutor, monotonic: FakeClock) -> Health:
    return Health(disk, workers, monotonic=monotonic, wall=FakeClock())  # type: ignore[arg-type]


async def test_a_row_that_soon_expires_is_written(state: Health, disk: ScriptedStore) -> None:
    assert await state.is_good()
    assert disk.written == [{"pk": "CONFIG", "sk": "HEALTH", "expiresAt": START + ROW_SECONDS}]


async def test_many_who_ask_within_a_second_share_one_write(
    state: Health, disk: ScriptedStore, monotonic: FakeClock
) -> None:
    assert all(await asyncio.gather(*(state.is_good() for _ in range(50))))
    monotonic.advance(SHARED_SECONDS / 2)
    assert await state.is_good()
    assert len(disk.written) == 1
    monotonic.advance(SHARED_SECONDS / 2)
    assert await state.is_good()
    assert len(disk.written) == 2


@pytest.mark.parametrize("error", [StoreUnavailable("disk full"), Conflict("locked")])
async def test_failed_health_write_is_reported_logged_once_and_retried(
    state: Health,
    disk: ScriptedStore,
    monotonic: FakeClock,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def fail() -> None:
        raise error

    disk.do = fail
    caplog.set_level(logging.INFO)
    assert [await state.is_good() for _ in range(5)] == [False] * 5
    assert caplog.messages == [f"unhealthy: {type(error).__name__} {error}"]
    disk.do = lambda: None
    monotonic.advance(SHARED_SECONDS)
    assert await state.is_good()


async def test_stuck_health_write_is_a_failure_and_takes_one_thread(
    state: Health, disk: ScriptedStore, monotonic: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "HEALTH_SECONDS", 0.01)
    go_on = threading.Event()

    def wait() -> None:
        assert go_on.wait(PATIENCE)

    disk.do = wait
    try:
        for _ in range(5):
            assert not await state.is_good()
            monotonic.advance(SHARED_SECONDS)
        assert len(disk.written) == 1
    finally:
        go_on.set()
    monkeypatch.undo()
    assert await state.is_good()


async def test_a_server_that_ends_is_not_well(state: Health, workers: ThreadPoolExecutor) -> None:
    workers.shutdown()
    assert not await state.is_good()
