"""Events of the page: shown and hidden, online and offline, suspended and resumed, sleep and waking."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from kizuna.core import events
from kizuna.core.events import AbandonLink, Deliver, FetchToken, SendPing, Timer
from kizuna.core.states import ReasonKind, Status
from kizuna.wire import ARTICLE, KIZUNA, Wire
from tests.kizuna.core.machine import READY, Machine, machine_in, only, without_timers

RETURNS: list[events.Event] = [events.PageShown(), events.WentOnline(), events.PageResumed()]
AWAY = [Status.WAITING, Status.OFFLINE, Status.SUSPENDED, Status.EXHAUSTED]
OFF = [Status.IDLE, Status.CLOSED, Status.REJECTED]


def name(value: object) -> str:
    return str(value) if isinstance(value, Status) else type(value).__name__


# --- the table of design, row by row: the page returns ---


@pytest.mark.parametrize("event", RETURNS, ids=name)
@pytest.mark.parametrize("status", AWAY, ids=name)
def test_a_page_that_returns_attempts_now(status: Status, event: events.Event):
    machine = machine_in(status)
    assert only(machine.handle(event), FetchToken) == [FetchToken(machine.link)]
    assert machine.status is Status.CONNECTING


@pytest.mark.parametrize("event", RETURNS, ids=name)
@pytest.mark.parametrize("status", OFF, ids=name)
def test_a_page_that_returns_means_nothing_to_a_connection_that_nobody_wants(
    status: Status, event: events.Event
):
    machine = machine_in(status)
    assert machine.handle(event) == []
    assert machine.status is status


@pytest.mark.parametrize("event", [*RETURNS, events.WentOffline()], ids=name)
def test_connected_page_probes_and_replaces_a_silent_link_after_five_seconds(event: events.Event):
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    machine.wait(1)
    assert without_timers(machine.handle(event)) == [SendPing(1, machine.now.monotonic)]
    assert machine.status is Status.SUSPECT
    machine.handle(events.WentOnline())
    machine.wait(4.9)
    assert machine.status is Status.SUSPECT
    assert without_timers(machine.wait(0.1)) == [AbandonLink(1), FetchToken(2)]
    assert machine.status is Status.CONNECTING
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.kind is ReasonKind.SILENCE


@pytest.mark.parametrize("event", [*RETURNS, events.WentOffline()], ids=name)
def test_an_answer_ends_the_doubt(event: events.Event):
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    machine.handle(event)
    machine.hang(0.2)
    machine.pong()
    assert machine.status is Status.CONNECTED
    assert machine.armed(Timer.SILENCE) is None
    assert machine.wait(25) != []
    assert machine.status is Status.CONNECTED
    assert machine.attempts == 1


@pytest.mark.parametrize("event", [events.PageShown(), events.WentOnline(), events.WentOffline()], ids=name)
def test_a_doubted_link_is_not_asked_twice(event: events.Event):
    machine = machine_in(Status.SUSPECT)
    assert machine.handle(event) == []


def test_an_attempt_younger_than_two_seconds_is_left_alone():
    for event in [*RETURNS, events.RetryRequested()]:
        machine = machine_in(Status.CONNECTING)
        machine.wait(2.0)
        assert machine.handle(event) == []


@pytest.mark.parametrize("event", [*RETURNS, events.RetryRequested()], ids=name)
@pytest.mark.parametrize("has_token", [False, True])
def test_an_attempt_older_than_two_seconds_is_restarted(event: events.Event, has_token: bool):
    machine = machine_in(Status.CONNECTING)
    if has_token:
        machine.handle(events.TokenObtained(1, "t"))
    machine.wait(2.1)
    assert without_timers(machine.handle(event)) == [AbandonLink(1), FetchToken(2)]
    assert machine.status is Status.CONNECTING
    assert machine.armed(Timer.CONNECT) == 10


def test_attempt_with_progress_is_not_restarted_when_the_page_comes_back():
    machine = machine_in(Status.CONNECTING)
    machine.wait(1.5)
    machine.open()
    machine.wait(1.5)
    assert machine.handle(events.PageShown()) == []
    machine.receive({"type": "ready"})
    for _ in range(5):  # the application catches up: a batch every second and a half
        machine.wait(1.5)
        machine.receive({"type": "batch"})
        assert machine.handle(events.PageShown(), events.RetryRequested()) == []
    machine.wait(2.1)  # now no frame arrives
    assert without_timers(machine.handle(events.PageShown())) == [AbandonLink(1), FetchToken(2)]


@pytest.mark.parametrize("status", AWAY, ids=name)
def test_several_events_at_once_make_one_attempt(status: Status):
    machine = machine_in(status)
    before = machine.attempts
    machine.sleep(100)
    machine.handle(events.PageResumed(), events.PageShown(), events.WentOnline(), events.RetryRequested())
    machine.handle(events.PageShown(), events.PageResumed(), events.ConnectRequested())
    assert machine.attempts == before + 1


@pytest.mark.parametrize("status", list(Status), ids=name)
def test_a_page_that_is_hidden_changes_nothing_at_once(status: Status):
    machine = machine_in(status)
    state = machine.connection.state
    assert machine.handle(events.PageHidden()) == []
    assert machine.connection.state is state


# --- offline ---


@pytest.mark.parametrize("status", [Status.CONNECTING, Status.WAITING, Status.EXHAUSTED], ids=name)
def test_a_page_without_a_network_waits_for_it(status: Status):
    machine = machine_in(status)
    machine.handle(events.WentOffline())
    assert machine.status is Status.OFFLINE
    assert machine.connection.link is None
    assert machine.connection.timers.keys() == {Timer.RETRY}


def test_a_false_flag_locks_nobody_out():
    machine = machine_in(Status.OFFLINE)
    for _ in range(8):
        assert machine.retry() == 30
        assert machine.status is Status.CONNECTING
        machine.drop()
        assert machine.status is Status.OFFLINE
    machine.retry()
    machine.settle()
    assert machine.status is Status.CONNECTED


def test_drop_while_offline_flag_is_set_leads_to_offline():
    machine = machine_in(Status.CONNECTED)
    machine.handle(events.WentOffline())
    machine.pong()
    assert machine.status is Status.CONNECTED  # the flag lied
    machine.drop()
    assert (machine.status, machine.armed(Timer.RETRY)) == (Status.OFFLINE, 30)


def test_a_probe_that_stays_without_an_answer_under_the_flag_ends_offline():
    machine = machine_in(Status.CONNECTED)
    machine.handle(events.WentOffline())
    machine.wait(5)
    assert machine.status is Status.OFFLINE


def test_the_flag_may_have_been_up_before_anybody_connected():
    machine = Machine()
    machine.handle(events.WentOffline(), events.ConnectRequested())
    assert machine.status is Status.CONNECTING
    machine.drop()
    assert machine.status is Status.OFFLINE


def test_a_network_that_flickers_leaves_one_link_at_most():
    machine = machine_in(Status.CONNECTED)
    for _ in range(20):
        machine.handle(events.WentOffline(), events.WentOnline())
    assert machine.attempts == 1
    machine.wait(5)
    for _ in range(20):
        machine.handle(events.WentOffline(), events.WentOnline())
    assert len(only(machine.commands, FetchToken)) == len(only(machine.commands, AbandonLink)) + 1


# --- put aside, taken up ---


@pytest.mark.parametrize("status", sorted(set(Status) - {*OFF, Status.SUSPENDED}), ids=name)
def test_a_page_that_is_put_aside_closes_cleanly(status: Status):
    machine = machine_in(status, idle_retry_interval=60)
    link = machine.connection.link
    commands = machine.handle(events.PageSuspended())
    assert without_timers(commands) == ([AbandonLink(link.number, 1000)] if link else [])
    assert machine.status is Status.SUSPENDED
    assert machine.connection.timers == {}


@pytest.mark.parametrize("status", [*OFF, Status.SUSPENDED], ids=name)
def test_what_is_closed_already_is_not_closed_for_a_page_put_aside(status: Status):
    machine = machine_in(status)
    assert machine.handle(events.PageSuspended()) == []
    assert machine.status is status


def test_late_words_of_the_socket_that_was_closed_for_it_mean_nothing():
    machine = machine_in(Status.CONNECTED)
    machine.handle(events.PageSuspended(), events.PageResumed())
    state = machine.connection.state
    assert machine.handle(events.SocketClosed(1, 1006), events.FrameReceived(1, {"type": "ready"})) == []
    assert machine.connection.state is state
    machine.settle()
    assert machine.status is Status.CONNECTED


def test_a_page_that_was_frozen_unnoticed_is_probed_and_probed_again():
    machine = machine_in(Status.CONNECTED)
    machine.handle(events.PageResumed())
    machine.wait(3)
    assert only(machine.handle(events.PageResumed()), SendPing)
    assert machine.armed(Timer.SILENCE) == 5


# --- sleep ---


@pytest.mark.parametrize("status", AWAY, ids=name)
def test_waking_up_attempts_now_whatever_told_of_it(status: Status):
    machine = machine_in(status)
    machine.sleep(3600)
    assert only(machine.handle(events.PageHidden()), FetchToken)
    assert machine.status is Status.CONNECTING


def test_a_sleep_is_seen_by_clocks_that_disagree_and_probed():
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    machine.sleep(3600)
    assert SendPing(1, machine.now.monotonic) in machine.handle(events.TimerFired(Timer.TICK))
    assert machine.status is Status.SUSPECT
    assert machine.armed(Timer.TICK) == 1


def test_a_sleep_is_seen_by_a_tick_more_than_three_seconds_late():
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    machine.hang(1 + 3.0)
    machine.fire(Timer.TICK)
    assert machine.status is Status.CONNECTED
    machine.hang(1 + 3.1)
    machine.fire(Timer.TICK)
    assert machine.status is Status.SUSPECT


def test_clocks_that_are_set_a_little_or_back_are_no_sleep():
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    for seconds in (2.9, -3600.0, 2.9, 0.0):
        machine.sleep(seconds)
        machine.fire(Timer.TICK)
    assert machine.status is Status.CONNECTED


@pytest.mark.parametrize("wire", ["kizuna", "article"])
def test_the_late_ticks_of_a_hidden_page_are_no_sleep(wire: str):
    machine = machine_in(Status.CONNECTED, **({"wire": ARTICLE} if wire == "article" else {}))
    machine.receive({"type": "pong"})
    machine.hang(0.5)
    machine.handle(events.PageHidden())
    for _ in range(10):  # Chromium runs the timers of such a page once a minute
        machine.hang(60)
        machine.fire(Timer.TICK)
        assert machine.status is Status.CONNECTED
    machine.hang(59)
    machine.handle(events.PageShown())
    machine.receive({"type": "pong"})
    machine.fire(Timer.TICK)  # armed while hidden
    assert (machine.status, machine.attempts) == (Status.CONNECTED, 1)
    machine.hang(5)
    machine.fire(Timer.TICK)  # armed in sight: late is late
    assert (machine.status, machine.attempts) != (Status.CONNECTED, 1)


def test_a_hidden_page_that_hangs_for_longer_than_any_throttle_has_slept():
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    machine.handle(events.PageHidden())
    machine.hang(64.1)
    machine.fire(Timer.TICK)
    assert machine.status is Status.SUSPECT


@pytest.mark.parametrize("wire", [KIZUNA, ARTICLE], ids=lambda wire: wire.name)
def test_late_tick_with_a_running_worker_means_a_busy_page(wire: Wire):
    machine = machine_in(Status.CONNECTED, wire=wire)
    machine.receive({"type": "pong"})
    machine.hang(5)
    given = machine.handle(events.TimerFired(Timer.TICK, throttled=False))
    assert without_timers(given) == []
    assert machine.status is Status.CONNECTED
    assert machine.armed(Timer.TICK) == 1


def test_a_sleep_that_the_worker_saw_is_probed():
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    machine.hang(5)
    assert only(machine.handle(events.MachineSlept()), SendPing)
    assert machine.status is Status.SUSPECT


@pytest.mark.parametrize("status", AWAY, ids=name)
def test_a_sleep_that_the_worker_saw_is_followed_by_an_attempt(status: Status):
    machine = machine_in(status)
    machine.hang(3600)
    assert only(machine.handle(events.MachineSlept()), FetchToken)


def test_attempt_begun_after_sleep_survives_the_workers_report():
    machine = machine_in(Status.CONNECTED)
    machine.handle(events.PageSuspended())
    machine.hang(3600)
    machine.handle(events.PageResumed())
    machine.wait(0.9)
    assert machine.handle(events.MachineSlept()) == []
    assert machine.attempts == 2


def test_attempt_from_before_sleep_is_restarted_though_monotonic_clock_stopped():
    machine = machine_in(Status.CONNECTING)
    machine.sleep(3600)
    assert without_timers(machine.handle(events.TokenObtained(1, "t")))[-2:] == [
        AbandonLink(1),
        FetchToken(2),
    ]
    machine.sleep(3600)
    machine.hang(10)
    commands = machine.fire(Timer.CONNECT)  # was armed for the attempt that is given up here
    assert without_timers(commands) == [AbandonLink(2), FetchToken(3)]
    assert (machine.status, machine.armed(Timer.CONNECT)) == (Status.CONNECTING, 10)


def test_a_deadline_of_silence_that_a_sleep_brought_on_is_given_anew():
    machine = machine_in(Status.SUSPECT)
    machine.wait(4)
    machine.sleep(3600)
    machine.hang(1)
    machine.fire(Timer.SILENCE)
    assert (machine.status, machine.armed(Timer.SILENCE)) == (Status.SUSPECT, 5)


def test_close_reported_on_waking_is_followed_by_an_immediate_attempt():
    machine = machine_in(Status.CONNECTED)
    machine.sleep(3600)
    assert FetchToken(2) in machine.drop()
    assert machine.status is Status.CONNECTING


def test_a_frame_from_before_the_sleep_proves_nothing_about_the_link():
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    machine.sleep(3600)
    machine.receive({"type": "message"})
    assert machine.status is Status.SUSPECT


def test_a_page_that_is_put_aside_after_a_sleep_stays_aside():
    machine = machine_in(Status.WAITING)
    machine.sleep(3600)
    machine.handle(events.PageSuspended())
    assert machine.status is Status.SUSPENDED
    assert machine.connection.link is None


def test_retry_due_during_sleep_is_one_attempt_and_costs_nothing():
    machine = machine_in(Status.WAITING)
    machine.sleep(3600)
    machine.hang(1)
    machine.fire(Timer.RETRY)
    assert machine.attempts == 2
    assert machine.connection._actions.backoff.spent == 0


# --- a doubt ---


@pytest.mark.parametrize("event", [events.DoubtRaised(), events.NetworkChanged()], ids=name)
def test_a_silent_link_is_replaced_five_seconds_after_somebody_doubts_it(event: events.Event):
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    assert without_timers(machine.handle(event)) == [SendPing(1, machine.now.monotonic)]
    machine.wait(4)
    assert machine.handle(event) == [], "it is being asked already"
    assert without_timers(machine.wait(1)) == [AbandonLink(1), FetchToken(2)]


@pytest.mark.parametrize("event", [events.DoubtRaised(), events.NetworkChanged()], ids=name)
@pytest.mark.parametrize("status", sorted(set(Status) - {Status.CONNECTED}), ids=name)
def test_a_doubt_means_nothing_where_no_link_stands(status: Status, event: events.Event):
    machine = machine_in(status)
    assert machine.handle(event) == []


# --- the article's wire: silence proves nothing, so the next link comes up beside the doubted one ---

DOUBTS: list[events.Event] = [events.PageResumed(), events.MachineSlept(), events.DoubtRaised()]


@pytest.mark.parametrize("event", [events.PageShown(), events.WentOnline(), events.WentOffline()], ids=name)
def test_on_the_articles_wire_nothing_would_answer_a_probe(event: events.Event):
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    assert machine.handle(event) == []
    assert machine.status is Status.CONNECTED


def late_tick(machine: Machine) -> None:
    machine.hang(5)
    machine.fire(Timer.TICK)


def asleep(machine: Machine) -> None:
    machine.sleep(100)
    machine.fire(Timer.TICK)


@pytest.mark.parametrize(
    "doubt", [late_tick, asleep, *DOUBTS], ids=lambda it: getattr(it, "__name__", name(it))
)
def test_a_doubt_on_the_articles_wire_destroys_nothing(doubt: Any):
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    given = doubt(machine) if callable(doubt) else machine.handle(doubt)
    assert not only(machine.commands, AbandonLink)
    assert only(machine.commands, FetchToken) == [FetchToken(1), FetchToken(2)], given
    assert machine.status is Status.SUSPECT
    message = {"type": "message", "content": "sent while the page was busy"}
    assert Deliver(1, message) in machine.handle(events.FrameReceived(1, message))
    assert machine.status is Status.CONNECTED
    given = machine.settle()
    assert without_timers(given)[-2:] == [AbandonLink(1), SendPing(2, machine.now.monotonic)]
    assert (machine.status, machine.connection.state.link) == (Status.CONNECTED, 2)


def test_doubts_on_the_articles_wire_open_at_most_one_link_a_minute():
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    begun = machine.now.monotonic
    attempts: list[float] = []
    while machine.now.monotonic < begun + 300:
        before = machine.attempts
        late_tick(machine)
        machine.wait(0)
        if machine.attempts > before:
            attempts.append(machine.now.monotonic)
            machine.settle()
    assert 4 <= len(attempts) <= 6
    assert min(after - before for before, after in itertools.pairwise(attempts)) >= 60


def test_doubt_begins_a_candidate_before_the_planned_rollover():
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    machine.wait(60)
    machine.handle(events.MachineSlept())
    assert machine.armed(Timer.ROLLOVER) is None
    machine.handle(events.PageResumed())  # the link that is on its way is enough
    assert machine.attempts == 2


def test_the_next_link_sets_the_deadlines_back_too():
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    machine.handle(events.MachineSlept())
    machine.wait(10)
    machine.wait(machine.armed(Timer.ROLLOVER) or 0)
    assert machine.armed(Timer.CANDIDATE) == 20
    machine.settle()
    machine.drop()
    machine.retry()
    assert machine.armed(Timer.CONNECT) == 10


def test_failed_candidate_of_a_doubt_is_followed_after_a_minute():
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    machine.handle(events.MachineSlept())
    machine.drop()
    assert (machine.status, machine.connection.state.link) == (Status.SUSPECT, 1)
    assert machine.armed(Timer.ROLLOVER) == 60
    machine.wait(60)
    machine.settle()
    assert (machine.status, machine.connection.state.link) == (Status.CONNECTED, 3)


@pytest.mark.parametrize("code", [1008, 4401, 4403, 1000])
@pytest.mark.parametrize("wire", [KIZUNA, ARTICLE], ids=lambda wire: wire.name)
def test_a_server_that_closes_the_older_of_two_sessions_refuses_nobody(wire: Wire, code: int):
    machine = machine_in(Status.CONNECTED, wire=wire)
    machine.fire(Timer.ROLLOVER) if wire is KIZUNA else machine.handle(events.MachineSlept())
    machine.open()
    machine.handle(events.SocketClosed(1, code))
    assert machine.status is Status.CONNECTING
    machine.receive(READY)
    machine.handle(events.LinkPrepared(2))
    assert (machine.status, machine.connection.state.link) == (Status.CONNECTED, 2)


def test_article_wire_opens_no_candidate_on_network_change():
    """The event also fires for each new estimate of the network's speed."""
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    assert machine.handle(events.NetworkChanged()) == []


def test_a_timer_that_waking_sets_to_the_same_time_fires_once_more():
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    machine.handle(events.MachineSlept())
    machine.settle()  # over the link that the doubt has opened
    machine.handle(events.DoubtRaised())
    assert machine.armed(Timer.ROLLOVER) == 60
    machine.hang(59.5)  # browsers may call a timer a little early
    machine.sleep(100)
    machine.fire(Timer.ROLLOVER)
    assert machine.commanded(Timer.ROLLOVER) == machine.connection.timers.get(Timer.ROLLOVER)


def test_adopted_candidate_keeps_its_deadline():
    machine = machine_in(Status.CONNECTED)
    machine.fire(Timer.ROLLOVER)
    machine.open()
    machine.receive(READY)
    machine.handle(events.FrameReceived(1, {"type": "pong"}))
    machine.hang(3)
    machine.handle(events.SocketClosed(1, 1006))
    assert (machine.status, machine.armed(Timer.CONNECT)) == (Status.CONNECTING, 27)
    machine = machine_in(Status.CONNECTED)
    machine.fire(Timer.ROLLOVER)
    machine.hang(13)
    machine.handle(events.SocketClosed(1, 1006))  # that is told before the deadline, which has passed
    assert (machine.status, machine.armed(Timer.CONNECT)) == (Status.CONNECTING, 0)


def test_an_application_that_prepares_slowly_says_nothing_of_the_line():
    machine = machine_in(Status.CONNECTED)
    machine.fire(Timer.ROLLOVER)
    machine.open()
    machine.receive(READY)
    machine.hang(30)
    machine.fire(Timer.CANDIDATE)
    machine.fire(Timer.ROLLOVER)
    assert machine.armed(Timer.CANDIDATE) == 10


def test_each_question_may_be_put_off_once():
    machine = machine_in(Status.SUSPECT)
    machine.hang(5.7)
    machine.fire(Timer.SILENCE)
    machine.handle(events.PageResumed())
    machine.hang(7)
    machine.fire(Timer.SILENCE)
    assert (machine.status, machine.armed(Timer.SILENCE)) == (Status.SUSPECT, 1)


def test_late_deadline_of_a_throttled_page_is_not_postponed():
    machine = machine_in(Status.SUSPECT)
    machine.handle(events.PageHidden())
    machine.hang(60)  # its timers are held back, its frames are not
    machine.fire(Timer.SILENCE)
    assert (machine.status, machine.attempts) == (Status.CONNECTING, 2)
