"""The project's own server does what clients of wire KIZUNA rely on: the suite that other servers run, too."""

import asyncio
from collections.abc import Iterator

import pytest

from backend.local import backup, restore
from kizuna.testing.conformance import CHECKS, Target, run_check
from tests.support.server import LOOPBACK, KizunaServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KizunaServer]:
    """A server that is killed and restored meanwhile."""
    folder = tmp_path_factory.mktemp("conformance")
    with KizunaServer(folder / "data.db") as server:
        assert backup.main([str(server.data), str(folder / "saved.db")]) == 0
        yield server


@pytest.fixture
def target(server: KizunaServer) -> Target:
    """The server, with its limits, for one person."""

    async def kill() -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

    async def bring_back() -> None:
        await asyncio.to_thread(server.stop)
        saved = server.data.with_name("saved.db")
        assert await asyncio.to_thread(restore.main, [str(saved), str(server.data)]) == 0
        await asyncio.to_thread(server.start)

    return Target(
        url=f"ws://{LOOPBACK}:{server.port}/ws", token=server.token("Ada"), restart=kill, replace=bring_back
    )


@pytest.mark.parametrize("name", CHECKS)
async def test_the_server_passes_each_check_of_conformance(name: str, target: Target):
    await run_check(name, target)
