"""The machine over a single connection (tests/kizuna/core/test_connection_machine.py) finds broken connections."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from kizuna.core import Connection
from kizuna.core.events import CallerEvent, Command, Event, LinkEvent, TimerFired
from kizuna.core.states import Status
from kizuna.platform import PageEvent
from tests.kizuna.core.machine import MakeConnection
from tests.kizuna.core.test_connection_machine import World
from tests.simulation import broken_connections


class WatchesLivenessAlone(World):
    """A machine that checks only that a connection comes back."""

    def check(
        self, event: Event, before: Status, answer: list[Command], slept: bool, asked: float
    ) -> None: ...
    def check_cancelled(self, was_armed: bool) -> None: ...
    def one_link_at_most_and_two_only_while_one_replaces_the_other(self) -> None: ...
    def only_the_timers_that_the_status_allows(self) -> None: ...
    def what_is_shown_is_true(self) -> None: ...


class Counts(World):
    """A machine that counts the events that happened, and the statuses in which they did."""

    kinds: ClassVar[set[str]] = set()
    statuses: ClassVar[set[Status]] = set()

    def check(self, event: Event, before: Status, answer: list[Command], slept: bool, asked: float) -> None:
        super().check(event, before, answer, slept, asked)
        self.kinds.add(type(event).__name__)
        self.statuses.add(before)


def run(
    world: type[World], seeded: int, connection: MakeConnection = Connection, *, examples: int = 4000
) -> None:
    """Run the machine without shrinking. Any seed would do; with ``seeded`` a few examples are enough."""
    machine = type(world.__name__, (world,), {"make": staticmethod(connection)})
    run_state_machine_as_test(
        seed(seeded)(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize(
    ("connection", "seeded", "complaint"),
    [
        (broken_connections.NeverRetries, 1, "was not armed|other timers"),
        (broken_connections.NeverDoubts, 0, "was not armed|other timers"),
        (broken_connections.KeepsOldLinks, 0, "the old link is given up first|links"),
        (broken_connections.ComesBackUnasked, 4, "left without being asked"),
        (broken_connections.PaysWhileHidden, 9, "pays while hidden|more retries than"),
        (broken_connections.Raises, 1, "a frame was malformed"),
    ],
)
def test_a_broken_connection_is_found(connection: MakeConnection, seeded: int, complaint: str):
    with pytest.raises(AssertionError, match=complaint):
        run(World, seeded, connection)


@pytest.mark.parametrize(
    ("connection", "complaint"),
    [
        (broken_connections.NeverRetries, "still waiting after"),
        (broken_connections.NeverDoubts, "a dead link is believed in"),
    ],
)
def test_a_connection_that_never_returns_is_found_by_liveness_alone(
    connection: MakeConnection, complaint: str
):
    with pytest.raises(AssertionError, match=complaint):
        run(WatchesLivenessAlone, 1, connection)


def test_every_event_happens_and_every_status_is_met():
    kinds = {
        kind.__name__
        for kind in (*CallerEvent.__args__, *LinkEvent.__args__, *PageEvent.__args__, TimerFired)
    }
    for batch in range(12, 32):
        run(Counts, batch, examples=10)
        if kinds == Counts.kinds and set(Status) == Counts.statuses:
            return
    raise AssertionError(f"missing: {kinds - Counts.kinds}, {set(Status) - Counts.statuses}")
