"""A backup comes back under a new epoch: what was said since is gone, and for the rest nothing changes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from backend.store.base import Item
from tests.simulation.machine import Together, machine_settings
from tests.support.depth import examples

EXAMPLES = examples(quick=8, deep=300)


class WithBackups(Together):
    """Responsible for a server that is set back to an earlier day."""

    backup: list[Item] | None = None

    @rule()
    def a_backup_is_made(self) -> None:
        self.backup = self.world.server.store.items()

    @precondition(lambda self: self.backup is not None)
    @rule(flows=st.booleans())
    def the_backup_is_restored(self, flows: bool) -> None:
        assert self.backup is not None
        self.world.restore(self.backup)
        self._go_on(flows)


TestRestore = pytest.mark.timeout(600 + EXAMPLES)(WithBackups.TestCase)
TestRestore.settings = settings(
    **machine_settings(max_examples=EXAMPLES, stateful_step_count=40),
    suppress_health_check=[HealthCheck.too_slow],
)
