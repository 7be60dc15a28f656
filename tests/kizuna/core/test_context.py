"""The context: timers, state and commands of one decision."""

from __future__ import annotations

import pytest

from kizuna.core.events import CancelTimer, SetTimer, Timer
from kizuna.core.states import Status
from kizuna.core.timing import Context
from kizuna.platform import Instant


@pytest.fixture
def context() -> Context:
    context = Context()
    context.begin(Instant(100.0, 1_000.0))
    return context


def test_a_timer_is_set_from_now_and_cancelled_once(context: Context):
    context.set_timer(Timer.CONNECT, 10.0)
    context.cancel_timer(Timer.CONNECT)
    context.cancel_timer(Timer.CONNECT)
    assert context.commands == [SetTimer(Timer.CONNECT, 110.0), CancelTimer(Timer.CONNECT)]
    assert context.timers == {}


def test_commands_are_those_of_one_event(context: Context):
    context.set_timer(Timer.CONNECT, 10.0)
    context.begin(Instant(101.0, 1_001.0))
    assert (context.commands, context.timers) == ([], {Timer.CONNECT: 110.0})


def test_a_status_cancels_the_timers_that_it_does_not_allow(context: Context):
    context.set_timer(Timer.CONNECT, 10.0)
    context.set_timer(Timer.RETRY, 1.0)
    context.begin(context.now)
    context.enter(Status.CONNECTING, None)
    assert context.commands == [CancelTimer(Timer.RETRY)]
    assert context.state.status is Status.CONNECTING


@pytest.mark.parametrize(
    ("status", "shown"), [(Status.CONNECTED, 3), (Status.SUSPECT, 3), (Status.WAITING, None)]
)
def test_the_link_shows_while_connected_alone(context: Context, status: Status, shown: int | None):
    context.enter(status, 3)
    assert context.state.link == shown


def test_what_belongs_to_a_link_is_gone_without_one(context: Context):
    context.enter(Status.CONNECTED, 1)
    context.change(rtt=0.1, connected_since=1_000.0)
    context.enter(Status.SUSPECT, 1)
    assert (context.state.rtt, context.state.connected_since) == (0.1, 1_000.0)
    context.enter(Status.WAITING, None)
    assert (context.state.rtt, context.state.connected_since) == (None, None)


@pytest.mark.parametrize(("status", "at"), [(Status.WAITING, 105.0), (Status.OFFLINE, None)])
def test_the_next_attempt_is_announced_while_waiting_alone(
    context: Context, status: Status, at: float | None
):
    context.enter(status, None)
    context.set_timer(Timer.RETRY, 5.0)
    assert context.state.retry_at == at
