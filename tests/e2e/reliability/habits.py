"""What each browser adds by itself, measured with plain WebSockets that no library drives."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.reliability.engines import Engine
from tests.e2e.reliability.screen import Screen
from tests.support.fault_proxy import FaultProxy
from tests.support.server import KizunaServer
from tests.support.waiting import eventually
from tools.browsers import Browsers

ATTEMPTS = 8
#: For so long a handshake that is never answered is watched, seconds. Firefox gives up after 20.
WATCHED = 25.0

#: Opens WebSockets one after the other, each as soon as the one before has failed.
TRY_IN_A_ROW = """(attempts) => {
    const took = window.tookMilliseconds = [];
    const address = `${location.origin.replace("http", "ws")}/ws`;
    const attempt = () => {
        const began = performance.now();
        new WebSocket(address).onclose = () => {
            took.push(performance.now() - began);
            if (took.length < attempts) attempt();
        };
    };
    attempt();
}"""

READ = "() => window.tookMilliseconds"


@dataclass(frozen=True)
class Habits:
    """What one browser does."""

    failing: tuple[float, ...]  #: milliseconds that each of several failing WebSockets in a row took
    unanswered: (
        float | None
    )  #: seconds until it gave up a handshake without an answer; None: it was still waiting

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Habits:
        """As it was kept."""
        return cls(tuple(kept["failing"]), kept["unanswered"])


def observe(engine: Engine, installed: Browsers) -> Habits:
    """Measure it, each on a page of its own: what failed before makes some browsers wait."""
    with _page(engine, installed) as (screen, network), network.http_status(503):
        failing = _in_a_row(screen, ATTEMPTS, within=60)
    with (
        _page(engine, installed) as (screen, network),
        network.accept_and_hang(only_websockets=True),
    ):
        try:
            (took,) = _in_a_row(screen, 1, within=WATCHED)
        except AssertionError:
            return Habits(failing, None)
    return Habits(failing, round(took / 1000, 1))


@contextlib.contextmanager
def _page(engine: Engine, installed: Browsers) -> Iterator[tuple[Screen, FaultProxy]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        KizunaServer(Path(folder) / "kizuna.sqlite3") as server,
        FaultProxy(server.port) as network,
        engine.start(installed, network) as (screen, _),
    ):
        screen.begin("habits")
        yield screen, network


def _in_a_row(screen: Screen, attempts: int, within: float) -> tuple[float, ...]:
    """What they took, milliseconds; AssertionError if they have not all failed in time."""
    screen.run(TRY_IN_A_ROW, attempts)
    eventually(
        lambda: len(screen.run(READ)) == attempts, within, every=0.2, what=f"{attempts} failed sockets"
    )
    return tuple(round(took) for took in screen.run(READ))
