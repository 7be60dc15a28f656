"""The tables: total, every state reachable, every transition as promised."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest

from kizuna.core import events, states
from kizuna.core.actions import Actions
from kizuna.core.events import Timer
from kizuna.core.states import (
    LINK_TABLE,
    STATUS_TABLE,
    TIMERS,
    Action,
    LinkSignal,
    LinkState,
    Status,
    Trigger,
)
from kizuna.core.timing import Context
from kizuna.wire import ARTICLE, KIZUNA, Numbers
from tests.kizuna.core.machine import Machine

ROWS = [(status, trigger, row) for status, rows in STATUS_TABLE.items() for trigger, row in rows.items()]


def reached_from(table: dict[Any, set[Any]], start: Any) -> set[Any]:
    """Every node that arrows lead to from ``start``, and ``start``."""
    found, queue = {start}, deque([start])
    while queue:
        for target in table[queue.popleft()] - found:
            found.add(target)
            queue.append(target)
    return found


def test_every_status_has_rows_and_knows_its_timers():
    assert set(STATUS_TABLE) == set(TIMERS) == set(Status)


def test_every_link_state_has_a_row():
    assert set(LINK_TABLE) == set(LinkState)


def test_every_status_can_be_reached_from_idle():
    arrows = {
        status: {target for row in rows.values() for target in row.to}
        for status, rows in STATUS_TABLE.items()
    }
    assert reached_from(arrows, Status.IDLE) == set(Status)


def test_every_link_state_can_be_reached_and_ends_in_closing():
    arrows = {state: set(signals.values()) for state, signals in LINK_TABLE.items()}
    assert reached_from(arrows, LinkState.OPENING) == set(LinkState)
    for state in LinkState:
        assert LinkState.CLOSING in reached_from(arrows, state)


def test_every_trigger_does_something_somewhere():
    assert {trigger for _, trigger, _ in ROWS} == set(Trigger)


def statuses_that_mind(trigger: Trigger) -> set[Status]:
    return {status for status, rows in STATUS_TABLE.items() if trigger in rows}


STANDING = {Status.CONNECTED, Status.SUSPECT}
AWAY = {Status.WAITING, Status.OFFLINE, Status.EXHAUSTED}
WANTED = STANDING | AWAY | {Status.CONNECTING, Status.SUSPENDED}


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (Trigger.CONNECT, set(Status) - STANDING - {Status.CONNECTING}),
        (Trigger.DISCONNECT, set(Status) - {Status.CLOSED}),
        (Trigger.TRY_NOW, AWAY | {Status.CONNECTING, Status.SUSPENDED}),
        (Trigger.RETRY_DUE, AWAY),
        (Trigger.LOST, STANDING | {Status.CONNECTING, Status.EXHAUSTED}),
        (Trigger.REFUSED, STANDING | {Status.CONNECTING, Status.EXHAUSTED}),
        (Trigger.PROVEN, {Status.CONNECTING, Status.EXHAUSTED}),
        (Trigger.ROLLOVER_DUE, STANDING),
        (Trigger.PROMOTED, STANDING),
        (Trigger.ADOPTED, STANDING),
        (Trigger.DOUBTED, {Status.CONNECTED}),
        (Trigger.TRUSTED, {Status.SUSPECT}),
        (Trigger.SHOWN, WANTED - {Status.SUSPECT}),
        (Trigger.ONLINE, WANTED - {Status.SUSPECT}),
        (Trigger.RESUMED, WANTED),
        (Trigger.WOKE, WANTED),
        (Trigger.OFFLINE, {Status.CONNECTING, Status.CONNECTED, Status.WAITING, Status.EXHAUSTED}),
        (Trigger.SUSPENDED, WANTED - {Status.SUSPENDED}),
    ],
)
def test_a_trigger_is_minded_where_the_design_says_so_and_nowhere_else(
    trigger: Trigger, expected: set[Status]
):
    assert statuses_that_mind(trigger) == expected


def test_a_link_ends_from_every_state_and_an_answer_ends_its_doubt():
    for state in set(LinkState) - {LinkState.CLOSING}:
        assert LINK_TABLE[state][LinkSignal.ENDED] is LinkState.CLOSING
    assert LINK_TABLE[LinkState.DOUBTED][LinkSignal.HEARD] is LinkState.LIVE
    assert LINK_TABLE[LinkState.CLOSING] == {}


def test_a_standing_connection_may_run_every_timer_but_those_of_an_attempt():
    for status in STANDING:
        assert TIMERS[status] == set(Timer) - {Timer.CONNECT, Timer.RETRY}


@pytest.mark.parametrize(("status", "trigger", "row"), ROWS, ids=lambda part: str(part)[:40])
def test_every_row_leads_somewhere(status: Status, trigger: Trigger, row: states.Row):
    assert row.to


def test_every_action_is_in_a_row_and_a_method():
    actions = Actions(Context(), KIZUNA, Numbers(), lambda: 0.5).by_name
    assert actions.keys() == {row.action for _, _, row in ROWS} == set(Action) - {Action.IGNORE}
    assert {action: method.__name__ for action, method in actions.items()} == {it: str(it) for it in actions}


def test_a_pair_that_makes_no_sense_is_ignored_by_name():
    assert states.row(Status.CLOSED, Trigger.ONLINE) is states.IGNORED
    assert states.row(Status.IDLE, Trigger.SHOWN).action == "ignore"
    assert states.next_link_state(LinkState.CLOSING, LinkSignal.OPENED) is LinkState.CLOSING


def test_a_pair_of_the_link_table_leads_where_the_table_says():
    assert states.next_link_state(LinkState.OPENING, LinkSignal.OPENED) is LinkState.PROVING


def test_terminal_statuses_are_left_by_the_callers_wishes_only():
    """Only connect() leaves CLOSED; connect() or disconnect() leave REJECTED and IDLE."""
    assert set(STATUS_TABLE[Status.CLOSED]) == {Trigger.CONNECT}
    assert set(STATUS_TABLE[Status.REJECTED]) == {Trigger.CONNECT, Trigger.DISCONNECT}
    assert set(STATUS_TABLE[Status.IDLE]) == {Trigger.CONNECT, Trigger.DISCONNECT}


def test_disconnect_closes_from_every_status_but_closed():
    for status in set(Status) - {Status.CLOSED}:
        assert states.row(status, Trigger.DISCONNECT).to == (Status.CLOSED,)


def test_no_timer_runs_where_nothing_is_awaited():
    for status in (Status.IDLE, Status.SUSPENDED, Status.REJECTED, Status.CLOSED):
        assert TIMERS[status] == frozenset()


# --- what the tables promise is what happens: a walk by random events sees every arrow ---


class Walk:
    """One machine under random events, and the transitions that it takes."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.machine = Machine(
            idle_retry_interval=self.dice.choice([0.0, 60.0]),
            max_retries=self.dice.choice([0, 1, 5]),
            wire=self.dice.choice([KIZUNA, KIZUNA, ARTICLE]),
        )
        self.arrows: set[tuple[Status, str, Status]] = set()
        self._fire = self.machine.connection._fire
        self.machine.connection._fire = self.fire  # type: ignore[method-assign]

    def fire(self, trigger: Trigger) -> None:
        before = self.machine.status
        self._fire(trigger)
        row = states.row(before, trigger)
        if row is not states.IGNORED:
            self.arrows.add((before, row.action, self.machine.status))

    def step(self) -> None:
        machine, draw = self.machine, self.dice
        match draw.randrange(8):
            case 0:
                machine.settle()
            case 1:
                machine.wait(draw.choice([0.1, 1.0, 6.0, 40.0, 90.0]))
            case 2:
                machine.sleep(draw.choice([0.0, 100.0]))
                machine.hang(draw.choice([0.0, 5.0]))
            case 3:
                machine.handle(events.TokenFailed(machine.link, unauthorized=draw.random() < 0.1))
            case 5 if Timer.ROLLOVER in machine.connection.timers and draw.random() < 0.7:
                old = machine.connection.state.link or 0
                machine.fire(Timer.ROLLOVER)
                if draw.random() < 0.3:
                    machine.handle(events.WentOffline())
                if draw.random() < 0.5:
                    machine.settle()
                else:
                    machine.handle(events.SocketClosed(old, 1006))
            case 5:
                machine.open()
                machine.drop(draw.choice([1006, 1006, 1006, 1008, 1013, 4401]))
            case 4 if Timer.RETRY in machine.connection.timers and draw.random() < 0.5:
                machine.retry()
            case 6 if draw.random() < 0.3:
                machine.open()
                machine.receive(draw.choice([{"type": "pong"}, {"type": "bye", "retryAfter": 20}]))
            case _:
                machine.handle(*draw.choices(EVERYTHING_ELSE, [3, 1, 6, 6, 2, 6, 3, 2, 2]))


EVERYTHING_ELSE: list[events.Event] = [
    events.ConnectRequested(),
    events.DisconnectRequested(),
    events.RetryRequested(),
    events.PageShown(),
    events.PageHidden(),
    events.WentOnline(),
    events.WentOffline(),
    events.PageSuspended(),
    events.PageResumed(),
]


def test_every_target_that_a_row_names_is_taken_and_no_other():
    taken: set[tuple[Status, str, Status]] = set()
    for seed in range(40):
        walk = Walk(seed)
        for _ in range(400):
            walk.step()
            running = set(walk.machine.connection.timers)
            assert running <= TIMERS[walk.machine.status]
        taken |= walk.arrows
    promised = {(status, row.action, target) for status, _, row in ROWS for target in row.to}
    assert taken - promised == set()
    missing = sorted(f"{status} --{action}--> {target}" for status, action, target in promised - taken)
    assert missing == []
