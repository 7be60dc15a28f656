"""The transitions that an application can draw."""

from __future__ import annotations

from kizuna.core import states
from kizuna.core.states import Status, Trigger


def test_the_transitions_are_every_target_of_the_table_in_its_order():
    found = states.transitions()
    assert len(found) == sum(len(row.to) for rows in states.STATUS_TABLE.values() for row in rows.values())
    assert found[0] == (Status.IDLE, Trigger.CONNECT, Status.CONNECTING)
    assert {(each.source, each.target) for each in found} >= {
        (Status.CONNECTED, Status.SUSPECT),
        (Status.EXHAUSTED, Status.EXHAUSTED),  # a quiet attempt
    }
