"""The parts of one machine together, and the maintenance beside the requests."""

import asyncio
import contextlib

import pytest

from backend.auth.tokens import load_secret
from backend.gateway.local import LocalGateway
from backend.local import app as module
from backend.local.app import Options, Service
from backend.store import sqlite
from backend.store.base import Conflict, Put
from backend.store.sqlite import SqliteStore
from tests.backend.fakes import START
from tests.support.waiting import PATIENCE, eventually

BATCH = 100


@contextlib.asynccontextmanager
async def keeping_house(tmp_path):
    service = Service(Options(data=tmp_path / "k.sqlite3", root=tmp_path))
    task = asyncio.create_task(service.run_maintenance())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert service.close(PATIENCE)


@pytest.fixture
def steps(monkeypatch):
    """Return the steps of the maintenance: "swept", and how many rows each purge deleted. The first purge of an hour
    begins at once; all other deletions belong to it."""
    steps: list[str | int] = []
    purge, sweep = SqliteStore.purge_expired, LocalGateway.sweep

    def purge_expired(store):
        steps.append(purge(store))
        return steps[-1]

    def sweep_noting(gateway):
        steps.append("swept")
        sweep(gateway)

    monkeypatch.setattr(SqliteStore, "purge_expired", purge_expired)
    monkeypatch.setattr(LocalGateway, "sweep", sweep_noting)
    monkeypatch.setattr(sqlite, "PURGE_ROWS", BATCH)
    monkeypatch.setattr(module, "PURGE_ROWS", BATCH)
    monkeypatch.setattr(module, "PURGE_SECONDS", 3600.0)
    return steps


@pytest.fixture
def expired(monkeypatch):
    """Call it with how many rows have expired when the house is first kept."""

    def prepare(count):
        def fill_and_load(store):
            rows = [Put({"pk": "p", "sk": f"{number:05d}", "expiresAt": START}) for number in range(count)]
            for begin in range(0, count, BATCH):
                store.transact(rows[begin : begin + BATCH])
            return load_secret(store)

        monkeypatch.setattr(module, "load_secret", fill_and_load)

    return prepare


async def test_maintenance_deletes_all_expired_rows_and_enforces_limits_meanwhile(
    tmp_path, monkeypatch, steps, expired
):
    monkeypatch.setattr(module, "SWEEP_SECONDS", 3600.0)
    expired(3 * BATCH + 50)
    async with keeping_house(tmp_path):
        await asyncio.to_thread(eventually, lambda: 50 in steps, what="the last batch is deleted")
    assert steps == ["swept", BATCH, "swept", BATCH, "swept", BATCH, "swept", 50]


@pytest.mark.parametrize("count", [0, BATCH])
async def test_what_has_nothing_left_to_delete_waits_for_the_next_time(
    tmp_path, monkeypatch, steps, expired, count
):
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.0)
    expired(count)
    async with keeping_house(tmp_path):
        await asyncio.to_thread(eventually, lambda: steps.count("swept") > 5, what="the limits are kept")
    assert [step for step in steps if step != "swept"] == ([BATCH, 0] if count else [0])


async def test_a_store_that_cannot_delete_now_is_asked_again_later(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module, "PURGE_SECONDS", 0.0)
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.0)
    calls = []

    def refuse(store):
        calls.append(store)
        raise Conflict("locked by another process")

    monkeypatch.setattr(SqliteStore, "purge_expired", refuse)
    async with keeping_house(tmp_path) as task:
        await asyncio.to_thread(eventually, lambda: len(calls) > 1, what="it is asked again")
        assert not task.done()
    assert "could not delete expired rows: locked by another process" in caplog.text
