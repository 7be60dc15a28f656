"""Rollover: unnoticed, without cost to the budget, and never at the price of the old link."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kizuna.core import events
from kizuna.core.events import AbandonLink, Deliver, FetchToken, SendPing, Timer
from kizuna.core.states import ReasonKind, Status
from kizuna.core.timing import rollover_due_in
from kizuna.runtime.transport import LinkHandle
from kizuna.wire import ARTICLE, KIZUNA, Numbers
from tests.kizuna.core.machine import READY, Machine, machine_in, only
from tests.kizuna.service_harness import ServiceHarness

GATEWAY = Numbers.of(KIZUNA.defaults)


def connected(**options: object) -> Machine:
    return machine_in(Status.CONNECTED, **options)


def rolling(**options: object) -> Machine:
    """Connected over link 1, with link 2 begun."""
    machine = connected(**options)
    machine.pong()
    machine.fire(Timer.ROLLOVER)
    assert machine.link == 2
    return machine


def promoted(**options: object) -> Machine:
    machine = rolling(**options)
    machine.settle()
    assert machine.connection.state.link == 2
    return machine


# --- when ---


@pytest.mark.parametrize(("chance", "minutes"), [(0.0, 105), (0.5, 110), (1.0, 115)])
def test_a_link_is_replaced_at_110_minutes_give_or_take_five(chance: float, minutes: float) -> None:
    assert rollover_due_in(GATEWAY, None, lambda: chance) == minutes * 60


def test_a_link_is_replaced_before_its_token_expires() -> None:
    for chance in (0.0, 0.5, 0.99):
        due_in = rollover_due_in(GATEWAY, 3600, lambda: chance)  # noqa: B023 - called at once
        assert due_in is not None
        assert 3300 <= due_in < 3600


def test_short_token_is_renewed_in_its_last_quarter() -> None:
    due_in = rollover_due_in(GATEWAY, 20, lambda: 0.0)
    assert due_in == 15


@pytest.mark.parametrize("expires_in", [None, 0, -5])
def test_without_an_age_and_an_expiry_nothing_is_replaced(expires_in: float | None) -> None:
    assert rollover_due_in(Numbers(rollover_after=0), expires_in, lambda: 0.5) is None


def test_ages_and_expiries_under_a_second_count_too() -> None:
    assert rollover_due_in(Numbers(rollover_after=0.5, rollover_spread=0), None, lambda: 0.5) == 0.5
    assert rollover_due_in(Numbers(rollover_after=0), 0.8, lambda: 0.0) == pytest.approx(0.6)


def test_a_spread_beyond_the_age_means_at_once() -> None:
    assert rollover_due_in(Numbers(rollover_after=1, rollover_spread=5), None, lambda: 0.0) == 0


def test_ready_says_when_the_token_expires() -> None:
    machine = machine_in(Status.CONNECTING)
    machine.open()
    machine.receive({**READY, "expiresIn": 100})
    machine.handle(events.LinkPrepared(machine.link))
    assert machine.armed(Timer.ROLLOVER) == 100 - 25 * 0.75


@pytest.mark.parametrize("expires_in", ["soon", None, True, [], 10**400])
def test_an_expiry_that_is_no_number_means_nothing(expires_in: object) -> None:
    machine = machine_in(Status.CONNECTING)
    machine.open()
    machine.receive({**READY, "expiresIn": expires_in})
    machine.handle(events.LinkPrepared(machine.link))
    assert machine.armed(Timer.ROLLOVER) == 6600


# --- how ---


def test_rollover_does_not_change_the_state_before_promotion() -> None:
    machine = rolling()
    before = machine.connection.state
    assert [link.number for link in machine.connection.links] == [1, 2]
    machine.open()
    machine.receive(READY)
    assert machine.connection.state == before
    given = machine.handle(events.LinkPrepared(2))
    assert machine.status is Status.CONNECTED
    assert machine.connection.state.link == 2
    assert machine.connection.state.connected_since == before.connected_since
    assert only(given, SendPing)[0].link == 2


def test_the_old_link_delivers_for_five_seconds_more_and_is_closed() -> None:
    machine = promoted()
    machine.pong()
    assert only(machine.handle(events.FrameReceived(1, {"type": "late"})), Deliver)
    assert only(machine.wait(4.9), AbandonLink) == []
    assert only(machine.wait(0.2), AbandonLink) == [AbandonLink(1)]
    assert machine.handle(events.FrameReceived(1, {"type": "too late"})) == []


def test_an_old_link_that_closes_by_itself_is_forgotten() -> None:
    machine = promoted()
    assert only(machine.handle(events.SocketClosed(1, 1001)), AbandonLink) == [AbandonLink(1)]
    assert machine.status is Status.CONNECTED
    assert machine.armed(Timer.RETIRE) is None


def test_a_replaced_link_is_replaced_again_when_its_time_comes() -> None:
    machine = promoted()
    assert machine.armed(Timer.ROLLOVER) == 6600


def test_the_heartbeat_moves_to_the_new_link() -> None:
    machine = promoted()
    machine.pong()
    assert {ping.link for ping in only(machine.wait(31), SendPing)} == {2}


def test_a_doubted_link_that_is_replaced_is_doubted_no_more() -> None:
    machine = rolling()
    machine.handle(events.WentOnline())
    assert machine.status is Status.SUSPECT
    machine.settle()
    assert machine.status is Status.CONNECTED
    machine.pong()
    machine.wait(20)
    assert machine.status is Status.CONNECTED


def test_frame_on_the_candidate_does_not_end_the_current_links_doubt() -> None:
    machine = rolling()
    machine.handle(events.WentOnline())
    machine.open()
    machine.receive(READY)
    assert machine.status is Status.SUSPECT


def test_a_server_without_ready_is_rolled_over_too() -> None:
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    machine.fire(Timer.ROLLOVER)
    machine.settle()
    assert machine.connection.state.link == 2


# --- what goes wrong ---


@pytest.mark.parametrize(
    "failure",
    [
        events.TokenFailed(2, unauthorized=False),
        events.TokenFailed(2, unauthorized=True),
        events.TokenFailed(2, unauthorized=False, retry_after=10),
        events.SocketClosed(2, 1006),
        events.SocketClosed(2, 1008),
        events.SocketClosed(2, 4401),
        events.FrameReceived(2, {"type": "bye", "reconnect": False}),
        events.PrepareFailed(2),
    ],
    ids=lambda event: type(event).__name__,
)
@pytest.mark.parametrize("is_open", [False, True])
def test_a_next_link_that_fails_costs_nothing_and_rejects_nobody(
    failure: events.Event, is_open: bool
) -> None:
    machine = rolling()
    if is_open:
        machine.open()
    before = machine.connection.state
    assert AbandonLink(2) in machine.handle(failure)
    assert machine.connection.state == before
    assert machine.armed(Timer.ROLLOVER) == 30
    assert machine.armed(Timer.CANDIDATE) is None
    for _ in range(20):  # far more than the budget
        machine.fire(Timer.ROLLOVER)
        machine.drop()
    assert machine.status is Status.CONNECTED
    assert machine.connection.links[0].number == 1


def test_a_next_link_that_hangs_is_given_up_after_the_connect_timeout() -> None:
    machine = rolling()
    given = machine.wait(10)
    assert AbandonLink(2) in given
    assert machine.status is Status.CONNECTED


def test_preparing_the_next_link_has_its_own_time() -> None:
    machine = rolling()
    machine.open()
    machine.receive(READY)
    machine.fire(Timer.HEARTBEAT)
    machine.handle(events.FrameReceived(1, {"type": "pong"}))
    assert AbandonLink(2) not in machine.wait(29)
    assert AbandonLink(2) in machine.wait(1.5)


def test_if_the_old_link_dies_first_the_next_one_is_the_attempt() -> None:
    machine = rolling()
    given = machine.handle(events.SocketClosed(1, 1006))
    assert only(given, FetchToken) == []
    assert only(given, AbandonLink) == [AbandonLink(1)]
    assert machine.status is Status.CONNECTING
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.kind is ReasonKind.CLOSED_BY_SERVER
    assert machine.armed(Timer.CONNECT) == 10
    machine.settle()
    assert machine.status is Status.CONNECTED
    assert machine.connection.state.link == 2


def test_a_doubted_link_that_dies_hands_over_too() -> None:
    machine = rolling()
    machine.handle(events.WentOnline())
    machine.wait(5)
    assert machine.status is Status.CONNECTING
    assert machine.attempts == 2


def test_failed_adopted_candidate_is_a_drop_like_any_other() -> None:
    machine = rolling()
    machine.handle(events.SocketClosed(1, 1006))
    machine.drop()
    assert machine.status is Status.WAITING
    assert machine.armed(Timer.RETRY) == 1


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (events.DisconnectRequested(), Status.CLOSED),
        (events.PageSuspended(), Status.SUSPENDED),
    ],
)
@pytest.mark.parametrize("make", [rolling, promoted])
def test_leaving_gives_up_both_links(
    make: Callable[[], Machine], event: events.Event, status: Status
) -> None:
    machine = make()
    given = machine.handle(event)
    assert {command.link for command in only(given, AbandonLink)} == {1, 2}
    assert machine.status is status
    assert machine.connection.links == []
    assert machine.connection.timers == {}


def test_a_refusal_of_the_link_that_carries_ends_the_retiring_one_too():
    machine = promoted()
    machine.handle(events.SocketClosed(2, 1008))
    assert (machine.status, machine.connection.links) == (Status.REJECTED, [])


# --- the public face ---


async def test_messages_go_over_the_new_link_from_its_promotion_on() -> None:
    harness = ServiceHarness(rollover_after=60, rollover_spread=0)
    first = await harness.connect()
    prepared: list[LinkHandle] = []

    async def prepare(link: LinkHandle) -> None:
        prepared.append(link)
        link.send_message("hello")

    harness.service.before_connected(prepare)
    heard: list[object] = []
    harness.service.on_message(heard.append)
    for _ in range(2):
        first.receive({"type": "pong"})
        await harness.platform.advance(30)
    second = harness.socket
    assert second is not first
    harness.service.send_message("before", {})
    second.accept()
    await harness.platform.settle()
    assert prepared[0].replaces
    assert second.actions == ["hello"]
    harness.service.send_message("meanwhile", {})
    second.receive(READY)
    await harness.platform.settle()
    harness.service.send_message("after", {})
    first.receive({"type": "late"})
    assert first.actions[-2:] == ["before", "meanwhile"]
    assert second.actions == ["hello", "ping", "after"]
    assert {"type": "late"} in heard
    await harness.platform.advance(5.1)
    assert first.closed_with == 1000
    assert harness.platform.live_sockets == [second]
    harness.service.disconnect()
    await asyncio.sleep(0)
    harness.assert_nothing_is_left()


async def test_a_first_link_replaces_nothing() -> None:
    harness = ServiceHarness()
    handles: list[LinkHandle] = []
    harness.service.before_connected(handles.append)
    await harness.connect()
    assert [handle.replaces for handle in handles] == [False]
    harness.service.disconnect()


async def test_a_page_that_leaves_while_a_link_is_replaced_leaves_nothing_behind() -> None:
    harness = ServiceHarness(rollover_after=20, rollover_spread=0)
    first = await harness.connect()
    first.receive({"type": "pong"})
    await harness.platform.advance(20)
    assert len(harness.platform.live_sockets) == 2
    harness.service.disconnect()
    await asyncio.sleep(0)
    harness.assert_nothing_is_left()


def test_an_inherited_attempt_is_the_first() -> None:
    machine = rolling()
    machine.handle(events.SocketClosed(1, 1006))
    assert machine.status is Status.CONNECTING
    assert machine.connection.state.attempt == 1


def test_a_link_that_retires_is_gone_before_the_next_replacement_begins() -> None:
    machine = promoted()
    commands = machine.fire(Timer.ROLLOVER)
    assert only(commands, AbandonLink) == [AbandonLink(1)]
    assert [link.number for link in machine.connection.links] == [2, 3]


def test_delay_asked_of_the_candidate_is_respected() -> None:
    machine = rolling()
    machine.open()
    given = machine.handle(events.FrameReceived(2, {"type": "bye", "retryAfter": 100}))
    assert AbandonLink(2) in given
    assert machine.status is Status.CONNECTED
    assert machine.armed(Timer.ROLLOVER) == 125  # with the jitter on top


def test_bye_with_a_delay_also_ends_the_candidate() -> None:
    machine = rolling()
    machine.handle(events.FrameReceived(1, {"type": "bye", "retryAfter": 100}))
    assert machine.status is Status.WAITING
    assert machine.connection.links == []
    assert machine.armed(Timer.RETRY) == 125


def test_bye_to_the_old_link_keeps_an_accepted_candidate() -> None:
    """Of too many connections it is the oldest that has to go: mostly the one that is being replaced."""
    machine = rolling()
    machine.open()
    machine.handle(events.FrameReceived(2, READY))
    bye = {"type": "bye", "reason": "too_many_connections", "retryAfter": 60}
    machine.handle(events.FrameReceived(1, bye))
    assert [link.number for link in machine.connection.links] == [2]
    machine.handle(events.LinkPrepared(2))
    assert machine.status is Status.CONNECTED


def test_pong_on_the_candidate_does_not_change_rtt() -> None:
    machine = rolling()
    machine.open()
    before = machine.connection.state
    machine.handle(events.FrameReceived(2, {"type": "pong", "t": round(machine.now.monotonic * 1000)}))
    assert machine.connection.state == before


def test_a_connection_may_be_told_never_to_replace_its_link() -> None:
    machine = connected(rollover_after=0)
    assert machine.armed(Timer.ROLLOVER) is None


def test_nothing_waits_for_a_next_link_that_has_come() -> None:
    assert promoted().armed(Timer.CANDIDATE) is None


def test_frame_on_the_retiring_link_does_not_end_a_doubt() -> None:
    machine = rolling()
    machine.handle(events.WentOnline())
    machine.settle()
    machine.pong()
    machine.handle(events.WentOnline())
    assert machine.status is Status.SUSPECT
    machine.handle(events.FrameReceived(1, {"type": "late"}))
    assert machine.status is Status.SUSPECT


def test_a_new_link_has_a_second_chance_of_its_own() -> None:
    machine = rolling()
    for link in (1, 2):
        machine.handle(events.WentOnline())
        machine.hang(20)  # the page is held up, and the deadline comes late
        machine.fire(Timer.SILENCE)
        assert machine.status is Status.SUSPECT
        if link == 1:
            machine.settle()
            machine.pong()
    assert machine.connection.state.link == 2
