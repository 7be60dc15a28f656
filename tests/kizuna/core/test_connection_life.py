"""One link from the attempt to its end: deadlines, proof, heartbeat, silence."""

from __future__ import annotations

from typing import Any

import pytest

from kizuna.core import events
from kizuna.core.events import (
    AbandonLink,
    Command,
    Deliver,
    FetchToken,
    PrepareLink,
    ReportMalformed,
    SendPing,
    Timer,
)
from kizuna.core.states import TIMERS, LinkState, ReasonKind, Status
from kizuna.wire import ARTICLE, KIZUNA, Wire
from tests.kizuna.core.machine import READY, Machine, machine_in, only, without_timers


def reason_of(machine: Machine) -> ReasonKind:
    reason = machine.connection.state.reason
    assert reason is not None
    assert reason.words
    return reason.kind


# --- the proof ---


def test_a_link_counts_once_the_server_is_ready_and_the_application_prepared():
    machine = machine_in(Status.CONNECTING)
    assert machine.open()[-1] == PrepareLink(1)
    machine.receive(READY)
    assert machine.status is Status.CONNECTING
    machine.handle(events.LinkPrepared(1))
    assert machine.status is Status.CONNECTED


def test_the_application_may_be_prepared_before_the_server_is_ready():
    machine = machine_in(Status.CONNECTING)
    machine.open()
    machine.handle(events.LinkPrepared(1))
    assert machine.status is Status.CONNECTING
    machine.receive(READY)
    assert machine.status is Status.CONNECTED
    assert machine.armed(Timer.CONNECT) is None


def test_frames_are_delivered_while_the_application_prepares():
    machine = machine_in(Status.CONNECTING)
    machine.open()
    assert machine.receive({"type": "batch"}) == [Deliver(1, {"type": "batch"})]


def test_a_prepare_that_fails_costs_the_attempt():
    machine = machine_in(Status.CONNECTING)
    machine.open()
    assert AbandonLink(1) in machine.handle(events.PrepareFailed(1, "no history"))
    assert machine.status is Status.WAITING
    assert reason_of(machine) is ReasonKind.PREPARE_FAILED


def test_a_second_ready_changes_nothing():
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    assert without_timers(machine.receive(READY)) == [Deliver(1, READY)]
    assert machine.armed(Timer.CONNECT) is None


def fire_when_due(machine: Machine, timer: Timer) -> list[Command]:
    """Fire this timer when it is due, and no other before it."""
    machine.hang(machine.armed(timer) or 0.0)
    return machine.fire(timer)


# --- the deadlines ---


def test_each_step_that_makes_progress_has_the_whole_deadline():
    machine = machine_in(Status.CONNECTING)
    machine.wait(9)
    machine.handle(events.TokenObtained(1, "t"))
    machine.wait(9)
    machine.handle(events.SocketOpened(1))
    machine.wait(9.9)
    assert machine.status is Status.CONNECTING
    assert AbandonLink(1) in machine.wait(0.1)
    assert machine.status is Status.WAITING
    assert reason_of(machine) is ReasonKind.TIMEOUT


def test_the_deadline_doubles_to_forty_seconds_while_attempts_time_out():
    machine = machine_in(Status.CONNECTING)
    deadlines = []
    for _ in range(4):
        deadlines.append(machine.armed(Timer.CONNECT))
        machine.wait(deadlines[-1] or 0)
        assert machine.status is Status.WAITING
        machine.retry()
    assert deadlines == [10, 20, 40, 40]
    machine.settle()
    machine.drop()
    machine.retry()
    assert machine.armed(Timer.CONNECT) == 10


def test_slow_network_gets_a_longer_deadline_at_the_next_attempt():
    machine = machine_in(Status.CONNECTING)
    machine.handle(events.TokenObtained(1, "t"))
    machine.wait(8)
    machine.settle()
    machine.drop()
    machine.retry()
    assert machine.armed(Timer.CONNECT) == 16


def test_page_shown_repeatedly_lets_a_slow_attempt_succeed():
    machine = machine_in(Status.CONNECTING)
    while machine.status is Status.CONNECTING and machine.attempts < 6:
        link = machine.link
        machine.handle(events.TokenObtained(link, "t"))
        for _ in range(3):  # in the nine seconds that the handshake takes
            machine.wait(3)
            machine.handle(events.PageHidden(), events.PageShown())
        if machine.link == link:
            machine.settle()
    assert (machine.status, machine.attempts) == (Status.CONNECTED, 4)


def test_a_next_link_has_as_long_for_each_step_as_an_attempt():
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    machine.fire(Timer.ROLLOVER)
    assert machine.armed(Timer.CANDIDATE) == 10
    machine.wait(9)
    machine.handle(events.TokenObtained(2, "t"))
    assert machine.armed(Timer.CANDIDATE) == 10
    machine.wait(10)
    machine.fire(Timer.ROLLOVER)
    assert machine.armed(Timer.CANDIDATE) == 20


@pytest.mark.parametrize("harness", ["token", "handshake"])
def test_the_deadline_ends_an_attempt_that_hangs_anywhere(harness: str):
    machine = machine_in(Status.CONNECTING)
    if harness == "handshake":
        machine.handle(events.TokenObtained(1, "t"))
    machine.wait(10)
    assert (machine.status, machine.connection.link) == (Status.WAITING, None)
    assert machine.handle(events.TokenObtained(1, "t"), events.SocketOpened(1)) == []


def test_an_attempt_that_failed_does_not_time_out_as_well():
    machine = machine_in(Status.CONNECTING)
    machine.wait(1)
    machine.drop()
    assert machine.armed(Timer.CONNECT) is None
    assert reason_of(machine) is ReasonKind.UNREACHABLE


@pytest.mark.parametrize("wire", [KIZUNA, ARTICLE])
def test_the_preparation_has_thirty_seconds_of_its_own(wire: Wire):
    machine = machine_in(Status.CONNECTING, wire=wire)
    machine.wait(9)
    machine.open()
    if wire.ready:
        machine.receive(READY)
    machine.wait(29.9)
    assert machine.status is Status.CONNECTING
    machine.wait(0.1)
    assert machine.status is Status.WAITING
    assert reason_of(machine) is ReasonKind.PREPARE_FAILED


# --- zombies ---


def test_a_new_attempt_gives_the_old_link_up_first():
    machine = machine_in(Status.SUSPECT)
    commands = machine.wait(5)
    assert without_timers(commands) == [AbandonLink(1), FetchToken(2)]


@pytest.mark.parametrize(
    "event",
    [
        events.TokenObtained(1, "t"),
        events.TokenFailed(1, unauthorized=True),
        events.SocketOpened(1),
        events.FrameReceived(1, READY),
        events.FrameReceived(1, {"type": "bye", "reconnect": False}),
        events.FrameMalformed(1, "?"),
        events.SocketClosed(1, 1008),
        events.LinkPrepared(1),
        events.PrepareFailed(1),
    ],
    ids=lambda event: type(event).__name__,
)
@pytest.mark.parametrize("number", [1, 99])
def test_events_of_an_unknown_link_change_nothing(event: Any, number: int):
    for status in Status:
        machine = machine_in(status)
        if machine.connection.link is not None:
            while machine.link == 1:  # make link 1 an old one
                machine.drop()
                machine.retry()
            machine.settle()
        state, timers = machine.connection.state, dict(machine.connection.timers)
        stale = type(event)(**{**vars(event), "link": number})
        assert machine.handle(stale) == []
        assert machine.connection.state is state
        assert machine.connection.timers == timers


@pytest.mark.parametrize("status", list(Status))
def test_a_timer_that_fires_though_it_is_not_armed_changes_nothing(status: Status):
    for timer in Timer:
        machine = machine_in(status)
        if timer not in machine.connection.timers:
            state = machine.connection.state
            assert machine.fire(timer) == []
            assert machine.connection.state is state


# --- the heartbeat ---


def test_one_ping_at_open_then_one_every_thirty_seconds():
    machine = machine_in(Status.CONNECTED)
    assert only(machine.commands, SendPing) == [SendPing(1, 1000.0)]
    pings = []
    for _ in range(95):
        machine.pong()
        pings += only(machine.wait(1), SendPing)
    assert [ping.t for ping in pings] == [1030.0, 1060.0, 1090.0]


def test_pings_go_out_also_under_constant_traffic():
    machine = machine_in(Status.CONNECTED)
    pings = []
    for _ in range(610):
        machine.receive({"type": "message"})
        pings += only(machine.wait(0.1), SendPing)
    assert len(pings) == 2


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.CONNECTED, Status.SUSPECT}))
def test_no_heartbeat_where_nothing_is_connected(status: Status):
    machine = machine_in(status)
    assert Timer.HEARTBEAT not in TIMERS[status]
    assert not only(machine.wait(9), SendPing)


def test_silence_after_a_ping_is_a_doubt_then_the_end():
    """A doubt after ten seconds, the end of the link after five more."""
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    machine.wait(30)
    machine.wait(9.9)
    assert machine.status is Status.CONNECTED
    assert only(machine.wait(0.1), SendPing)
    assert machine.status is Status.SUSPECT
    assert machine.connection.link is not None
    assert machine.connection.link.state is LinkState.DOUBTED
    machine.wait(4.9)
    assert machine.status is Status.SUSPECT
    assert without_timers(machine.wait(0.1)) == [AbandonLink(1), FetchToken(2)]
    assert reason_of(machine) is ReasonKind.SILENCE


@pytest.mark.parametrize("status", [Status.CONNECTED, Status.SUSPECT])
def test_any_inbound_frame_is_life(status: Status):
    for event in (
        events.FrameReceived(1, {"type": "whatever"}),
        events.FrameReceived(1, {}),
        events.FrameMalformed(1, "a binary frame"),
    ):
        machine = machine_in(status)
        machine.handle(event)
        machine.wait(29)
        assert (machine.status, machine.attempts) == (Status.CONNECTED, 1)


def test_a_malformed_frame_is_reported():
    machine = machine_in(Status.CONNECTED)
    assert machine.handle(events.FrameMalformed(1, "not JSON")) == [ReportMalformed("not JSON")]


def test_a_frame_that_came_before_the_ping_is_no_answer_to_it():
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    machine.wait(29.9)
    machine.receive({"type": "message"})
    machine.wait(10.1)
    assert machine.status is Status.SUSPECT


def test_pings_more_frequent_than_their_timeout_do_not_postpone_the_doubt():
    machine = machine_in(Status.CONNECTED, heartbeat_interval=3, pong_timeout=10)
    machine.wait(9.9)
    assert machine.status is Status.CONNECTED
    machine.wait(0.1)
    assert machine.status is Status.SUSPECT
    machine.wait(5)
    assert machine.attempts == 2


def test_heartbeat_during_a_doubt_does_not_postpone_the_end():
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    machine.wait(27)
    machine.handle(events.PageShown())
    assert only(machine.wait(4.9), SendPing)
    machine.wait(0.1)
    assert machine.status is Status.CONNECTING


def test_a_deadline_of_silence_that_comes_late_is_put_off_once():
    machine = machine_in(Status.SUSPECT)
    machine.hang(60)  # the page was held up: the answer may lie unread
    assert without_timers(machine.fire(Timer.SILENCE)) == []
    assert (machine.status, machine.armed(Timer.SILENCE)) == (Status.SUSPECT, 1)
    machine.hang(60)
    machine.fire(Timer.SILENCE)
    assert (machine.status, machine.attempts) == (Status.CONNECTING, 2)


@pytest.mark.parametrize("harness", ["token", "ready", "prepare"])
def test_a_deadline_of_an_attempt_that_comes_late_is_put_off_once(harness: str):
    machine = machine_in(Status.CONNECTING)
    if harness != "token":
        machine.open()
    if harness == "prepare":
        machine.receive({"type": "ready"})
    machine.hang((machine.armed(Timer.CONNECT) or 0) + 0.6)
    machine.fire(Timer.CONNECT)
    assert (machine.status, machine.armed(Timer.CONNECT)) == (Status.CONNECTING, 1)
    machine.wait(0.9)
    machine.settle()
    assert (machine.status, machine.attempts) == (Status.CONNECTED, 1)


def test_a_deadline_that_comes_late_again_is_not_put_off_twice():
    machine = machine_in(Status.CONNECTING)
    machine.hang(60)
    machine.fire(Timer.CONNECT)
    machine.hang(60)
    machine.fire(Timer.CONNECT)
    assert machine.status is Status.WAITING


def test_the_deadlines_of_two_links_that_come_late_are_put_off_too():
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    fire_when_due(machine, Timer.ROLLOVER)
    machine.pong()
    machine.hang(60)
    machine.fire(Timer.CANDIDATE)
    assert machine.armed(Timer.CANDIDATE) == 1
    machine.settle()
    assert machine.armed(Timer.RETIRE) == 5
    machine.hang(60)
    machine.fire(Timer.RETIRE)
    assert len(machine.connection.links) == 2
    fire_when_due(machine, Timer.RETIRE)
    assert len(machine.connection.links) == 1


def test_the_second_chance_is_there_again_once_the_link_has_answered():
    machine = machine_in(Status.SUSPECT)
    for _ in range(3):
        machine.hang(60)
        machine.fire(Timer.SILENCE)
        assert machine.status is Status.SUSPECT
        machine.pong()
        machine.handle(events.PageShown())


def test_the_second_chance_is_there_again_for_the_next_link():
    machine = machine_in(Status.SUSPECT)
    for _ in range(2):
        machine.hang(60)
        machine.fire(Timer.SILENCE)
    machine.settle()
    machine.handle(events.PageShown())
    machine.hang(60)
    machine.fire(Timer.SILENCE)
    assert (machine.status, machine.attempts) == (Status.SUSPECT, 2)


def test_a_late_deadline_of_an_answered_ping_means_nothing():
    machine = machine_in(Status.CONNECTED)
    machine.pong()
    machine.wait(9.9)
    machine.hang(60)
    machine.fire(Timer.SILENCE)
    assert without_timers(fire_when_due(machine, Timer.SILENCE)) == []
    assert machine.status is Status.CONNECTED


def test_a_doubted_link_that_breaks_waits_like_any_other():
    machine = machine_in(Status.SUSPECT)
    machine.drop()
    assert (machine.status, machine.armed(Timer.RETRY)) == (Status.WAITING, 1.0)


def test_a_doubted_link_may_be_refused():
    machine = machine_in(Status.SUSPECT)
    machine.drop(1008)
    assert machine.status is Status.REJECTED


def test_what_was_known_of_an_old_link_does_not_outlive_it():
    machine = machine_in(Status.CONNECTED)
    machine.hang(0.2)
    machine.pong()
    machine.drop()
    assert machine.connection.state.rtt is None
    machine.retry()
    machine.settle()
    assert machine.connection.state.rtt is None
    machine.receive({"type": "pong", "t": 1_000_000})  # answers the old link's ping
    assert machine.connection.state.rtt is None


# --- the round trip ---


def test_the_round_trip_is_that_of_the_last_ping():
    machine = machine_in(Status.CONNECTED)
    machine.hang(0.25)
    machine.pong()
    assert machine.connection.state.rtt == pytest.approx(0.25)


@pytest.mark.parametrize("t", [None, "1000000", True, 999_000, 1_000_100, float("nan"), 10**400, [1], {}])
def test_a_pong_for_no_ping_of_ours_measures_nothing(t: Any):
    machine = machine_in(Status.CONNECTED)
    machine.hang(0.25)
    machine.receive({"type": "pong", "t": t})
    assert machine.connection.state.rtt is None


def test_a_pong_that_is_repeated_measures_once():
    machine = machine_in(Status.CONNECTED)
    machine.hang(0.25)
    machine.pong()
    machine.hang(3)
    machine.pong()
    assert machine.connection.state.rtt == pytest.approx(0.25)


def test_an_answer_to_the_ping_before_is_life_but_measures_nothing():
    machine = machine_in(Status.CONNECTED)
    machine.wait(10)
    assert machine.status is Status.SUSPECT
    machine.receive({"type": "pong", "t": 1_000_000})
    assert machine.status is Status.CONNECTED
    assert machine.connection.state.rtt is None


# --- the article's wire ---


def test_on_the_articles_wire_an_open_socket_counts_once_prepared():
    machine = machine_in(Status.CONNECTING, wire=ARTICLE)
    machine.open()
    machine.handle(events.LinkPrepared(1))
    assert machine.status is Status.CONNECTED


def test_article_wire_refills_the_budget_after_five_seconds_of_uptime():
    machine = machine_in(Status.CONNECTING, wire=ARTICLE)
    while machine.status is not Status.EXHAUSTED:
        machine.settle()
        machine.wait(4.9)
        machine.drop()
        machine.retry()
    assert machine.attempts == 6
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    for _ in range(20):
        machine.wait(5)
        machine.drop()
        assert machine.retry() == 1.0
        machine.settle()


def test_article_wire_rejects_after_two_refused_tokens_in_a_row():
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    machine.drop(4401)
    assert machine.status is Status.WAITING
    machine.retry()
    machine.settle()  # an open socket proves nothing about the token there
    machine.drop(4401)
    assert machine.status is Status.REJECTED


def test_on_the_articles_wire_five_seconds_of_uptime_prove_the_token():
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    for _ in range(3):
        machine.wait(5)
        machine.drop(4401)
        assert machine.status is Status.WAITING
        machine.retry()
        machine.settle()


def test_on_the_articles_wire_pings_go_out_and_silence_proves_nothing():
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    pings = only(machine.wait(3600), SendPing)
    assert len(pings) == 120
    assert (machine.status, machine.attempts) == (Status.CONNECTED, 1)
    assert Timer.SILENCE not in machine.connection.timers


def test_the_articles_words_are_the_applications_there():
    machine = machine_in(Status.CONNECTED, wire=ARTICLE)
    for frame in ({"type": "bye", "reconnect": False}, {"type": "ready"}, {"type": "pong", "t": 1}):
        assert machine.receive(frame) == [Deliver(1, frame)]
    assert machine.status is Status.CONNECTED


def test_a_second_ready_does_not_put_the_end_of_the_preparation_off():
    machine = machine_in(Status.CONNECTING)
    machine.open()
    machine.receive({"type": "ready"})
    machine.hang(10)
    machine.receive({"type": "ready"})
    assert machine.armed(Timer.CONNECT) == 20


@pytest.mark.parametrize(
    ("detail", "words"), [("no room", "no room"), ("", "the application could not prepare the link")]
)
def test_a_preparation_that_failed_says_why(detail: str, words: str):
    machine = machine_in(Status.CONNECTING)
    machine.open()
    machine.handle(events.PrepareFailed(machine.link, detail))
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.words == words
