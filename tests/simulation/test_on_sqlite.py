"""The same on the store that a real server has, a few times: the one in memory is as good, and much faster."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings

from tests.simulation.machine import Together, machine_settings
from tests.simulation.world import World
from tests.support.depth import examples


class OnSqlite(Together):
    """Responsible for a server that keeps its data in a file."""

    def make_world(self, rollover_after: float) -> World:
        """A new one, on a new file."""
        self._folder = tempfile.TemporaryDirectory()
        return World(rollover_after=rollover_after, file=Path(self._folder.name) / "store.sqlite3")

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            if self.world is not None:
                self._folder.cleanup()


TestOnSqlite = OnSqlite.TestCase
TestOnSqlite.settings = settings(
    **machine_settings(max_examples=examples(quick=2, deep=100), stateful_step_count=40),
    suppress_health_check=[HealthCheck.too_slow],
)
