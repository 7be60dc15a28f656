"""The time that a server named before the next attempt: events of the page respect it, a person need not."""

from __future__ import annotations

import pytest

from kizuna.core import events
from kizuna.core.events import Timer
from kizuna.core.states import Status
from kizuna.wire import ARTICLE
from tests.kizuna.core.machine import READY, machine_in


def test_a_doubt_waits_for_the_time_that_a_token_endpoint_named():
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    machine.handle(events.MachineSlept(), events.TokenFailed(2, unauthorized=False, retry_after=200))
    machine.wait(61)
    machine.handle(events.DoubtRaised(), events.PageResumed())
    assert machine.attempts == 2
    assert 139 <= (machine.armed(Timer.ROLLOVER) or 0) <= 300


def test_closing_with_a_delay_ends_a_candidate_that_is_not_open_yet():
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    machine.handle(events.MachineSlept())
    machine.handle(events.SocketClosed(1, 1006, '{"retryAfter": 200}'))
    assert (machine.status, machine.connection.links) == (Status.WAITING, [])
    assert machine.armed(Timer.RETRY) == 250  # with the jitter on top


@pytest.mark.parametrize(
    "event",
    [events.PageShown(), events.WentOnline(), events.PageResumed(), None],
    ids=lambda event: type(event).__name__,
)
def test_within_the_servers_delay_an_adopted_link_goes_on(event: events.Event | None):
    machine = machine_in(Status.CONNECTED)
    machine.fire(Timer.ROLLOVER)
    machine.open()
    machine.receive(READY)
    machine.handle(events.SocketClosed(1, 1006, '{"retryAfter": 200}'))
    machine.hang(15)
    if event is None:
        machine.sleep(100)
    machine.handle(event or events.NetworkChanged())
    assert (machine.status, machine.attempts) == (Status.CONNECTING, 2)
    machine.handle(events.RetryRequested())  # a person may
    assert (machine.status, machine.attempts) == (Status.CONNECTING, 3)


def test_a_refusal_of_the_old_link_names_no_time_for_the_candidate():
    machine = machine_in(Status.CONNECTED)
    machine.fire(Timer.ROLLOVER)
    machine.handle(events.FrameReceived(1, {"type": "bye", "reconnect": False, "retryAfter": 200}))
    assert [link.number for link in machine.connection.links] == [2]
    machine.settle()
    assert machine.status is Status.CONNECTED


def test_silent_link_is_not_replaced_before_the_servers_delay():
    machine = machine_in(Status.CONNECTED)
    machine.fire(Timer.ROLLOVER)
    machine.handle(events.TokenFailed(2, unauthorized=False, retry_after=200))
    machine.wait(16)
    assert (machine.status, machine.attempts) == (Status.WAITING, 2)
    assert (machine.armed(Timer.RETRY) or 0) > 180
