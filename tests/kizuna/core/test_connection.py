"""Attempts, their delays and their budget; exhaustion; decisions of the server."""

from __future__ import annotations

from itertools import pairwise

import pytest

from kizuna.core import events
from kizuna.core.events import AbandonLink, FetchToken, OpenSocket, Timer
from kizuna.core.states import ConnectionState, ReasonKind, Status
from tests.kizuna.core.machine import Machine, machine_in, only, without_timers

# --- a first attempt, and what follows its failure ---


def test_connect_asks_for_a_token_then_opens_one_socket_with_it():
    machine = Machine()
    assert without_timers(machine.handle(events.ConnectRequested())) == [FetchToken(1)]
    assert machine.status is Status.CONNECTING
    assert without_timers(machine.handle(events.TokenObtained(1, "t"))) == [OpenSocket(1, "t")]


def test_a_token_that_is_told_twice_opens_no_second_socket():
    machine = machine_in(Status.CONNECTING)
    machine.handle(events.TokenObtained(1, "t"))
    assert machine.handle(events.TokenObtained(1, "t")) == []
    machine.handle(events.SocketOpened(1))
    assert machine.handle(events.TokenObtained(1, "t")) == []


def test_a_socket_that_opens_twice_is_prepared_once():
    machine = machine_in(Status.CONNECTING)
    machine.open()
    assert machine.handle(events.SocketOpened(1)) == []


def test_connect_again_joins_the_attempt_and_the_connection():
    machine = machine_in(Status.CONNECTING)
    assert [machine.handle(events.ConnectRequested()) for _ in range(20)] == [[]] * 20
    machine.settle()
    assert machine.handle(events.ConnectRequested()) == []
    assert machine.attempts == 1


def test_a_failed_first_attempt_is_followed_by_five_retries_then_exhausted_once():
    machine = machine_in(Status.CONNECTING)
    delays, seen = [], []
    for _ in range(6):
        machine.drop()
        seen.append(machine.status)
        delays.append(machine.retry())
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, None]
    assert seen == [Status.WAITING] * 5 + [Status.EXHAUSTED]
    assert machine.attempts == 6
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.kind is ReasonKind.UNREACHABLE


def test_nothing_happens_after_exhaustion_as_the_article_has_it():
    machine = machine_in(Status.EXHAUSTED)
    assert machine.wait(100_000) == []
    assert machine.connection.timers == {}


@pytest.mark.parametrize("max_retries", [0, 1, 5, 7])
def test_attempts_are_counted_exactly(max_retries: int):
    assert machine_in(Status.EXHAUSTED, max_retries=max_retries).attempts == 1 + max_retries


def test_a_drop_is_followed_by_a_retry_after_a_second():
    machine = machine_in(Status.CONNECTED)
    machine.drop()
    assert (machine.status, machine.armed(Timer.RETRY)) == (Status.WAITING, 1.0)
    machine.wait(0.99)
    assert machine.status is Status.WAITING
    machine.wait(0.01)
    assert machine.status is Status.CONNECTING


@pytest.mark.parametrize(("chance", "factor"), [(0.0, 0.5), (0.5, 1.0), (0.999999, 1.5)])
def test_every_delay_is_jittered_by_half_around_its_nominal_value(chance: float, factor: float):
    machine = machine_in(Status.CONNECTING, chance=chance)
    for nominal in (1, 2, 4, 8, 16):
        machine.drop()
        assert machine.retry() == pytest.approx(nominal * factor, rel=1e-4)


# --- budget and delay are two things ---


def test_accepting_and_dropping_server_refills_the_budget_but_not_the_delay():
    machine = machine_in(Status.CONNECTED)
    delays = []
    for _ in range(9):
        machine.wait(4.9)
        machine.drop()
        delays.append(machine.retry())
        machine.settle()
    assert delays == [1, 2, 4, 8, 16, 16, 16, 16, 16]


def test_the_delay_starts_again_after_five_seconds_of_uptime():
    machine = machine_in(Status.CONNECTED)
    for _ in range(3):
        machine.drop()
        machine.wait(10)
        machine.settle()
        machine.wait(4.9)
    machine.wait(0.1)
    machine.drop()
    assert machine.armed(Timer.RETRY) == 1.0


def test_a_server_that_opens_but_never_says_ready_gives_no_budget_back():
    machine = machine_in(Status.CONNECTING)
    while machine.status is not Status.EXHAUSTED:
        machine.open()
        machine.drop()
        machine.retry()
    assert machine.attempts == 6


@pytest.mark.parametrize(
    ("going", "coming"), [(events.PageHidden(), events.PageShown()), (events.WentOffline(), None)]
)
def test_retries_while_hidden_or_offline_spend_no_budget(going: events.Event, coming: events.Event | None):
    machine = machine_in(Status.CONNECTING)
    machine.drop()
    machine.handle(going)
    for _ in range(50):
        machine.retry()
        machine.drop()
    assert machine.status in (Status.WAITING, Status.OFFLINE)
    assert machine.connection._actions.backoff.spent == 0


def test_hidden_page_retries_for_ever_at_the_longest_delay():
    machine = machine_in(Status.CONNECTING, max_retries=0)
    machine.handle(events.PageHidden())
    delays = []
    for _ in range(8):
        machine.drop()
        delays.append(machine.retry())
    assert delays == [1, 2, 4, 8, 16, 16, 16, 16]


def test_exhaustion_is_deferred_while_hidden_and_budget_reset_on_show():
    machine = machine_in(Status.CONNECTING, max_retries=1)
    machine.drop()
    machine.wait(1)  # the only retry
    machine.handle(events.PageHidden())
    machine.drop()
    assert machine.status is Status.WAITING
    machine.handle(events.PageShown())
    machine.drop()
    assert machine.status is Status.WAITING
    machine.wait(30)
    machine.drop()
    assert machine.status is Status.EXHAUSTED


# --- exhausted: who arms it again, and the quiet attempts ---


@pytest.mark.parametrize(
    "event",
    [
        events.RetryRequested(),
        events.ConnectRequested(),
        events.PageShown(),
        events.WentOnline(),
        events.PageResumed(),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_exhausted_connection_is_armed_again_with_a_whole_budget(event: events.Event):
    machine = machine_in(Status.EXHAUSTED)
    before = machine.attempts
    machine.handle(event)
    assert machine.status is Status.CONNECTING
    delays = []
    for _ in range(5):
        machine.drop()
        delays.append(machine.retry())
    machine.drop()
    assert delays == [1, 2, 4, 8, 16]
    assert machine.status is Status.EXHAUSTED
    assert machine.attempts == before + 6


def test_with_idle_retries_exhausted_stays_shown_during_quiet_attempts():
    machine = machine_in(Status.EXHAUSTED, idle_retry_interval=60)
    for _ in range(3):
        assert machine.armed(Timer.RETRY) == 60
        assert only(machine.wait(60), FetchToken)
        assert machine.status is Status.EXHAUSTED
        assert machine.armed(Timer.CONNECT) == 10
        machine.drop()
        assert machine.armed(Timer.CONNECT) is None
    machine.wait(60)
    machine.settle()
    assert machine.status is Status.CONNECTED


@pytest.mark.parametrize(("chance", "rest"), [(0.0, 30.0), (0.999999, 90.0)])
def test_the_rest_is_jittered(chance: float, rest: float):
    assert machine_in(Status.EXHAUSTED, idle_retry_interval=60, chance=chance).armed(
        Timer.RETRY
    ) == pytest.approx(rest)


def test_a_quiet_attempt_that_hangs_ends_at_its_deadline():
    machine = machine_in(Status.EXHAUSTED, idle_retry_interval=60)
    machine.wait(60)
    assert AbandonLink(machine.link) in machine.wait(10)
    assert machine.status is Status.EXHAUSTED
    assert machine.armed(Timer.RETRY) == 60


def test_no_quiet_attempt_is_made_while_hidden():
    machine = machine_in(Status.EXHAUSTED, idle_retry_interval=60)
    machine.handle(events.PageHidden())
    assert not only(machine.wait(600), FetchToken)
    assert machine.armed(Timer.RETRY) is not None


def test_a_quiet_attempt_may_be_refused_for_good():
    machine = machine_in(Status.EXHAUSTED, idle_retry_interval=60)
    machine.wait(60)
    machine.handle(events.TokenFailed(machine.link, unauthorized=True))
    assert machine.status is Status.REJECTED
    assert machine.connection.timers == {}


def test_try_now_replaces_a_quiet_attempt():
    machine = machine_in(Status.EXHAUSTED, idle_retry_interval=60)
    machine.wait(60)
    quiet = machine.link
    assert AbandonLink(quiet) in machine.handle(events.RetryRequested())
    assert (machine.status, machine.link) == (Status.CONNECTING, quiet + 1)


# --- Try now ---


@pytest.mark.parametrize("status", [Status.WAITING, Status.OFFLINE, Status.SUSPENDED, Status.EXHAUSTED])
def test_try_now_attempts_at_once_and_begins_the_delay_again(status: Status):
    machine = machine_in(status)
    machine.handle(events.RetryRequested(), events.WentOnline())
    assert machine.status is Status.CONNECTING
    machine.drop()
    assert machine.armed(Timer.RETRY) == 1.0


def test_try_now_acts_at_most_once_a_second():
    machine = machine_in(Status.WAITING)
    machine.handle(events.RetryRequested())
    machine.drop()
    machine.hang(0.9)
    assert machine.handle(events.RetryRequested()) == []
    assert machine.status is Status.WAITING
    machine.hang(0.1)
    machine.handle(events.RetryRequested())
    assert machine.status is Status.CONNECTING


def test_try_now_in_an_exhausted_connection_is_limited_too():
    machine = machine_in(Status.EXHAUSTED, max_retries=0)
    machine.handle(events.RetryRequested())
    machine.drop()
    assert machine.status is Status.EXHAUSTED
    assert machine.handle(events.RetryRequested()) == []
    machine.hang(1)
    assert machine.handle(events.RetryRequested()) != []


@pytest.mark.parametrize(
    "status", [Status.IDLE, Status.CONNECTED, Status.SUSPECT, Status.REJECTED, Status.CLOSED]
)
def test_try_now_means_nothing_elsewhere(status: Status):
    machine = machine_in(status)
    assert machine.handle(events.RetryRequested()) == []
    assert machine.status is status


# --- disconnect, and what stays as it is ---


@pytest.mark.parametrize("status", list(Status))
def test_disconnect_leaves_no_link_and_no_timer_whatever_went_before(status: Status):
    machine = machine_in(status, idle_retry_interval=60)
    link = machine.connection.link
    commands = machine.handle(events.DisconnectRequested())
    assert machine.status is Status.CLOSED
    assert machine.connection.timers == {}
    assert machine.connection.link is None
    assert only(commands, AbandonLink) == ([AbandonLink(link.number)] if link else [])
    assert machine.connection.state == ConnectionState(Status.CLOSED)
    assert machine.handle(events.DisconnectRequested()) == []


EVERYTHING_BUT_A_WISH: list[events.Event] = [
    events.RetryRequested(),
    events.PageShown(),
    events.PageHidden(),
    events.WentOnline(),
    events.WentOffline(),
    events.PageSuspended(),
    events.PageResumed(),
    events.TokenObtained(1, "t"),
    events.TokenFailed(1, unauthorized=True),
    events.SocketOpened(1),
    events.FrameReceived(1, {"type": "ready"}),
    events.FrameReceived(1, {"type": "bye", "reconnect": False}),
    events.FrameMalformed(1, "?"),
    events.SocketClosed(1, 1006),
    events.LinkPrepared(1),
    events.PrepareFailed(1),
    *(events.TimerFired(timer) for timer in Timer),
]


@pytest.mark.parametrize("status", [Status.IDLE, Status.CLOSED, Status.REJECTED])
def test_nothing_but_a_wish_leaves_idle_closed_or_rejected(status: Status):
    machine = machine_in(status)
    state = machine.connection.state
    machine.sleep(3600)
    assert machine.handle(*EVERYTHING_BUT_A_WISH) == []
    assert machine.wait(10_000) == []
    assert machine.connection.state is state


@pytest.mark.parametrize("status", [Status.CLOSED, Status.REJECTED])
def test_connect_begins_again_from_nothing(status: Status):
    machine = machine_in(status)
    machine.handle(events.ConnectRequested())
    assert machine.connection.state == ConnectionState(Status.CONNECTING, attempt=1)


def test_disconnect_then_connect_tears_the_old_link_down_and_keeps_the_new():
    machine = machine_in(Status.CONNECTED)
    commands = machine.handle(events.DisconnectRequested(), events.ConnectRequested())
    assert without_timers(commands) == [AbandonLink(1), FetchToken(2)]
    assert machine.handle(events.SocketClosed(1, 1000)) == []
    machine.settle()
    assert machine.status is Status.CONNECTED


# --- tokens ---


def test_a_token_is_fetched_for_every_attempt():
    machine = machine_in(Status.EXHAUSTED)
    assert only(machine.commands, FetchToken) == [FetchToken(number) for number in range(1, 7)]


def test_a_provider_that_fails_costs_an_attempt():
    machine = machine_in(Status.CONNECTING)
    machine.handle(events.TokenFailed(1, unauthorized=False, detail="the token endpoint is away"))
    assert machine.status is Status.WAITING
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.kind is ReasonKind.TOKEN_UNAVAILABLE
    assert machine.connection.state.reason.words == "the token endpoint is away"


def test_a_provider_that_reaches_nobody_is_a_server_that_cannot_be_reached():
    machine = machine_in(Status.CONNECTING)
    machine.handle(events.TokenFailed(1, unauthorized=False, unreachable=True))
    assert machine.status is Status.WAITING
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.kind is ReasonKind.UNREACHABLE


def test_a_provider_that_is_unauthorized_ends_it_all():
    machine = machine_in(Status.CONNECTING)
    machine.handle(events.TokenFailed(1, unauthorized=True))
    assert machine.status is Status.REJECTED
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.kind is ReasonKind.UNAUTHORIZED


@pytest.mark.parametrize(
    "event", [events.DisconnectRequested(), events.PageSuspended(), events.WentOffline()]
)
def test_a_token_that_comes_too_late_opens_no_socket(event: events.Event):
    machine = machine_in(Status.CONNECTING)
    machine.handle(event)
    assert machine.handle(events.TokenObtained(1, "t")) == []


def test_no_state_no_event_and_no_command_shows_a_token():
    machine = machine_in(Status.CONNECTING)
    shown = [repr(command) for command in machine.handle(events.TokenObtained(1, "SECRET"))]
    shown += [repr(events.TokenObtained(1, "SECRET")), repr(machine.connection.state)]
    assert "SECRET" not in "".join(shown)


# --- the state tells the truth ---


def test_attempts_are_counted_since_the_connection_last_stood():
    machine = Machine()
    seen = [machine.connection.state.attempt]
    machine.handle(events.ConnectRequested())
    for _ in range(3):
        seen.append(machine.connection.state.attempt)
        machine.drop()
        machine.retry()
    machine.settle()
    seen.append(machine.connection.state.attempt)
    machine.drop()
    seen.append(machine.connection.state.attempt)
    machine.retry()
    seen.append(machine.connection.state.attempt)
    assert seen == [0, 1, 2, 3, 0, 0, 1]


@pytest.mark.parametrize("status", list(Status))
def test_retry_at_is_the_timers_deadline_and_set_only_while_waiting(status: Status):
    machine = machine_in(status, idle_retry_interval=60)
    retry_at = machine.connection.state.retry_at
    assert retry_at == (machine.connection.timers[Timer.RETRY] if status is Status.WAITING else None)


def test_retry_at_follows_the_server_and_every_new_delay():
    machine = machine_in(Status.CONNECTING)
    seen = []
    for _ in range(5):
        machine.drop()
        seen.append(machine.connection.state.retry_at)
        assert seen[-1] == machine.connection.timers[Timer.RETRY]
        machine.retry()
        assert machine.connection.state.retry_at is None
    assert all(later > earlier for earlier, later in pairwise(at for at in seen if at))


@pytest.mark.parametrize("status", list(Status))
def test_uptime_is_shown_exactly_while_the_connection_stands(status: Status):
    since = machine_in(status).connection.state.connected_since
    assert (since is not None) == (status in (Status.CONNECTED, Status.SUSPECT))


def test_connected_since_is_set_by_proof_and_survives_a_doubt():
    machine = machine_in(Status.CONNECTING)
    machine.hang(3)
    machine.settle()
    since = machine.now.monotonic
    machine.wait(2)
    machine.pong()
    machine.handle(events.PageShown())
    machine.pong()
    assert machine.connection.state.connected_since == since


def test_the_reason_stays_until_the_connection_stands_again():
    machine = machine_in(Status.CONNECTED)
    machine.drop(1001)
    machine.wait(1)
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.words == "the server is going away"
    machine.settle()
    assert machine.connection.state.reason is None


def test_a_rest_may_be_shorter_than_a_second():
    machine = machine_in(Status.EXHAUSTED, idle_retry_interval=0.5)
    assert machine.armed(Timer.RETRY) == 0.5
