"""The server of examples/todo does what clients of wire KIZUNA rely on, killed and restored meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from signal import SIGKILL, SIGTERM

import pytest

from kizuna.testing.conformance import CHECKS, Target, run_check
from tests.examples.todo_server import Server
from tests.support.process import LOOPBACK


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("todo") / "todo.sqlite3").start()
    yield server
    server.process.end(SIGTERM)


@pytest.fixture
def target(server: Server) -> Target:
    async def kill() -> None:
        await asyncio.to_thread(server.process.end, SIGKILL)
        await asyncio.to_thread(server.start)

    async def bring_back() -> None:
        """Lose all items, as an old backup does, and say so by another epoch."""
        await asyncio.to_thread(server.process.end, SIGTERM)
        with closing(sqlite3.connect(server.data)) as rows, rows:
            rows.execute("DELETE FROM items")
            rows.execute("DELETE FROM life")
        await asyncio.to_thread(server.start)

    payload = {"add": "milk {}"}
    return Target(url=f"ws://{LOOPBACK}:{server.port}/ws", payload=payload, restart=kill, replace=bring_back)


@pytest.mark.parametrize("name", CHECKS)
async def test_the_list_passes_each_check_of_conformance(name: str, target: Target) -> None:
    await run_check(name, target)
