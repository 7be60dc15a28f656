"""The chat machine with an operator who restores backups and deletes messages, which gives rooms new epochs."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import precondition, rule

from backend.store.base import Item
from tests.simulation.chat_machine import STEP, WHICH, ChatMachine, machine_settings
from tests.simulation.gateway import FaultKind, InjectedFault
from tests.simulation.network import Way
from tests.simulation.world import ROOMS
from tests.support.depth import examples

EXAMPLES = examples(quick=8, deep=300)


class ChatMachineWithBackups(ChatMachine):
    """The chat machine with restored backups and deleted messages."""

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

    @rule(room=st.sampled_from(ROOMS), which=WHICH, flows=st.booleans())
    def a_message_is_deleted(self, room: str, which: int, flows: bool) -> None:
        self.world.delete(room, which)
        self._go_on(flows)

    @rule(which=WHICH, room=st.sampled_from(ROOMS), step=STEP, deleted=WHICH)
    def a_message_is_deleted_while_a_frame_is_handled(
        self, which: int, room: str, step: int, deleted: int
    ) -> None:
        injected = InjectedFault(FaultKind.MEANWHILE, step, lambda: self.world.delete(room, deleted))
        self._pick(which, self._texts(Way.UP), lambda flight: self.world.arrive(flight, injected=injected))
        self.world.run()


TestRestore = pytest.mark.timeout(600 + EXAMPLES)(ChatMachineWithBackups.TestCase)
TestRestore.settings = settings(
    **machine_settings(max_examples=EXAMPLES, stateful_step_count=40),
    suppress_health_check=[HealthCheck.too_slow],
)
