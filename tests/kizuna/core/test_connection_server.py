"""The end of a link by the server: bye, a JSON close reason, a close code."""

from __future__ import annotations

import pytest

from kizuna.core import events
from kizuna.core.events import AbandonLink, Deliver, FetchToken, Timer
from kizuna.core.states import ReasonKind, Status
from tests.kizuna.core.machine import machine_in, only, without_timers

# --- the server's word ---


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 40.0), (0.5, 50.0), (0.999999, 60.0)])
def test_bye_with_retry_after_is_a_minimum_with_jitter_on_top(chance: float, wait: float):
    machine = machine_in(Status.CONNECTED, chance=chance)
    commands = machine.receive({"type": "bye", "reason": "deploy", "reconnect": True, "retryAfter": 40})
    assert AbandonLink(1) in commands
    assert machine.armed(Timer.RETRY) == pytest.approx(wait)
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.kind is ReasonKind.SERVER_RESTARTING
    assert machine.connection.state.reason.words == "deploy"


def test_a_server_may_ask_for_five_minutes_at_most():
    machine = machine_in(Status.CONNECTED, chance=0.0)
    machine.receive({"type": "bye", "retryAfter": 86_400})
    assert machine.armed(Timer.RETRY) == 300


@pytest.mark.parametrize("word", [None, 0, -5, "30", True, float("nan"), float("inf"), 10**400, [], {}])
def test_a_retry_after_that_is_no_number_of_seconds_means_nothing(word: object):
    machine = machine_in(Status.CONNECTED)
    machine.receive({"type": "bye", "retryAfter": word, "reason": word})
    assert machine.armed(Timer.RETRY) == 1.0


def test_token_endpoints_delay_is_a_minimum_and_costs_no_retry():
    machine = machine_in(Status.CONNECTING, chance=0.0)
    for _ in range(20):
        machine.handle(events.TokenFailed(machine.link, unauthorized=False, detail="busy", retry_after=20))
        assert machine.status is Status.WAITING
        assert (machine.armed(Timer.RETRY) or 0) >= 20
        assert not only(machine.handle(events.PageShown()), FetchToken)
        machine.retry()
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.kind is ReasonKind.TOKEN_UNAVAILABLE
    machine.handle(events.TokenFailed(machine.link, unauthorized=False, retry_after=86_400))
    assert machine.armed(Timer.RETRY) == 300


PAGE_RETURNS = [events.PageShown(), events.WentOnline(), events.PageResumed()]


@pytest.mark.parametrize("event", PAGE_RETURNS, ids=lambda event: type(event).__name__)
def test_page_events_respect_the_servers_word(event: events.Event):
    machine = machine_in(Status.CONNECTED, chance=0.0)
    machine.receive({"type": "bye", "retryAfter": 40})
    machine.wait(10)
    assert not only(machine.handle(event), FetchToken)
    assert (machine.status, machine.armed(Timer.RETRY)) == (Status.WAITING, 30)
    machine.wait(30)
    assert machine.status is Status.CONNECTING


@pytest.mark.parametrize("event", PAGE_RETURNS, ids=lambda event: type(event).__name__)
def test_page_events_respect_the_servers_word_also_when_the_budget_is_spent(event: events.Event):
    machine = machine_in(Status.EXHAUSTED, chance=0.0, idle_retry_interval=60)
    machine.retry()
    machine.open()
    machine.receive({"type": "bye", "retryAfter": 40})
    assert machine.status is Status.EXHAUSTED
    assert not only(machine.handle(event), FetchToken)
    assert (machine.status, machine.armed(Timer.RETRY)) == (Status.WAITING, 40)
    assert machine.connection.state.retry_at == machine.now.monotonic + 40


def test_offline_and_idle_attempts_respect_the_servers_delay():
    machine = machine_in(Status.CONNECTED, chance=0.0)
    machine.receive({"type": "bye", "retryAfter": 200})
    machine.handle(events.WentOffline())
    assert machine.armed(Timer.RETRY) == 200
    machine = machine_in(Status.EXHAUSTED, chance=0.0, idle_retry_interval=60)
    machine.retry()
    machine.open()
    machine.receive({"type": "bye", "retryAfter": 200})
    assert (machine.status, machine.armed(Timer.RETRY)) == (Status.EXHAUSTED, 200)


def test_resumed_page_respects_the_servers_delay():
    machine = machine_in(Status.CONNECTED, chance=0.0)
    machine.receive({"type": "bye", "retryAfter": 200})
    machine.handle(events.PageSuspended())
    machine.hang(50)
    machine.handle(events.PageResumed())
    assert (machine.status, machine.armed(Timer.RETRY)) == (Status.WAITING, 150)


@pytest.mark.parametrize("event", [events.RetryRequested(), events.ConnectRequested()])
def test_try_now_does_not_respect_it(event: events.Event):
    machine = machine_in(Status.CONNECTED)
    machine.receive({"type": "bye", "retryAfter": 40})
    machine.handle(event)
    assert machine.status is Status.CONNECTING
    machine.drop()
    assert machine.armed(Timer.RETRY) == 1.0


def test_the_servers_word_is_forgotten_once_connected():
    machine = machine_in(Status.CONNECTED)
    machine.receive({"type": "bye", "retryAfter": 250})
    machine.handle(events.RetryRequested())
    machine.settle()
    machine.drop()
    assert machine.armed(Timer.RETRY) == 1.0


def test_reconnect_false_is_a_rejection_and_the_frame_is_delivered_first():
    machine = machine_in(Status.CONNECTED)
    bye = {"type": "bye", "reason": "banned", "reconnect": False}
    assert without_timers(machine.receive(bye)) == [Deliver(1, bye), AbandonLink(1)]
    assert machine.status is Status.REJECTED
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.words == "banned"
    assert machine.connection.timers == {}


@pytest.mark.parametrize(
    ("words", "kind"), [("unsupported", ReasonKind.UNSUPPORTED), ("banned", ReasonKind.REJECTED)]
)
def test_a_rejection_says_whether_another_version_would_be_let_in(words: str, kind: ReasonKind):
    machine = machine_in(Status.CONNECTED)
    machine.receive({"type": "bye", "reason": words, "reconnect": False})
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.kind is kind


@pytest.mark.parametrize("status", [Status.CONNECTED, Status.SUSPECT])
def test_bye_ends_a_doubted_link_as_any_other(status: Status):
    machine = machine_in(status)
    machine.receive({"type": "bye"})
    assert machine.status is Status.WAITING


@pytest.mark.parametrize(
    ("bye", "status"), [({"retryAfter": 40}, Status.WAITING), ({"reconnect": False}, Status.REJECTED)]
)
def test_bye_may_come_before_the_link_is_proven(bye: dict[str, object], status: Status):
    machine = machine_in(Status.CONNECTING)
    machine.open()
    assert AbandonLink(1) in machine.receive({"type": "bye", **bye})
    assert machine.status is status
    assert machine.handle(events.LinkPrepared(1)) == []


def test_a_json_word_in_a_close_reason_is_heard_as_a_bye():
    machine = machine_in(Status.CONNECTED, chance=0.0)
    machine.drop(1012, '{"reason": "deploy", "reconnect": true, "retryAfter": 40}')
    assert machine.armed(Timer.RETRY) == 40
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.kind is ReasonKind.SERVER_RESTARTING
    assert machine.connection.state.reason.words == "deploy"
    assert machine.connection.state.reason.code == 1012
    machine = machine_in(Status.CONNECTED)
    machine.drop(1001, '{"reconnect": false}')
    assert machine.status is Status.REJECTED


def test_bye_without_reconnect_leaves_the_decision_to_the_close_code():
    machine = machine_in(Status.CONNECTED)
    machine.drop(1008, '{"reason": "no such harness"}')
    assert machine.status is Status.REJECTED
    machine = machine_in(Status.CONNECTED)
    machine.drop(1008, '{"reconnect": true}')
    assert machine.status is Status.WAITING


@pytest.mark.parametrize("reason", ["{", "[1]", "null", '"x"', "over and out", "{" * 5000, '{"a":' * 5000])
def test_a_close_reason_that_is_no_word_is_only_a_reason(reason: str):
    machine = machine_in(Status.CONNECTED)
    machine.drop(1000, reason)
    assert (machine.status, machine.armed(Timer.RETRY)) == (Status.WAITING, 1.0)


# --- close codes ---


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1009, 1011, 1012, 4000])
def test_an_ordinary_close_is_retried(code: int):
    machine = machine_in(Status.CONNECTED)
    machine.drop(code)
    assert machine.status is Status.WAITING
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.code == code


@pytest.mark.parametrize("code", [1008, 1010, 3003, 4400, 4403])
def test_a_fatal_close_is_a_rejection(code: int):
    machine = machine_in(Status.CONNECTED)
    machine.drop(code)
    assert machine.status is Status.REJECTED


@pytest.mark.parametrize("code", [1013, 4429, 4503])
def test_a_server_that_is_busy_is_left_alone_for_five_seconds(code: int):
    machine = machine_in(Status.CONNECTED, chance=0.0)
    machine.drop(code)
    assert machine.armed(Timer.RETRY) == 5.0


def test_its_own_number_of_seconds_goes_before_the_five():
    machine = machine_in(Status.CONNECTED, chance=0.0)
    machine.drop(1013, '{"retryAfter": 2}')
    assert machine.armed(Timer.RETRY) == 2.0


@pytest.mark.parametrize("code", [3000, 4401])
def test_a_refused_token_is_renewed_once_then_it_is_a_rejection(code: int):
    machine = machine_in(Status.CONNECTING)
    machine.open()
    machine.drop(code)
    assert machine.status is Status.WAITING
    assert only(machine.wait(1), FetchToken)
    machine.open()
    machine.drop(code)
    assert machine.status is Status.REJECTED
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.kind is ReasonKind.UNAUTHORIZED


def test_connect_begins_without_what_the_server_said_before():
    machine = machine_in(Status.CONNECTED)
    machine.receive({"type": "bye", "retryAfter": 250})
    machine.handle(events.DisconnectRequested(), events.ConnectRequested())
    machine.open()
    machine.drop(4401)
    assert machine.armed(Timer.RETRY) == 1.0
    machine.retry()
    machine.open()
    machine.drop(4401)
    assert machine.status is Status.REJECTED
    machine.handle(events.ConnectRequested())
    machine.open()
    machine.drop(4401)
    assert machine.status is Status.WAITING


def test_a_server_that_was_ready_has_taken_the_token():
    machine = machine_in(Status.CONNECTED)
    for _ in range(5):
        machine.drop(4401)
        assert machine.status is Status.WAITING
        machine.wait(30)
        machine.settle()


def test_a_failed_handshake_is_retried_whatever_it_says():
    machine = machine_in(Status.CONNECTING)
    machine.drop(1008)
    assert machine.status is Status.WAITING
    assert machine.connection.state.reason is not None
    assert machine.connection.state.reason.kind is ReasonKind.UNREACHABLE


def test_page_shown_during_the_servers_delay_has_a_full_budget():
    machine = machine_in(Status.CONNECTING)
    for _ in range(5):
        machine.drop()
        machine.retry()
    machine.open()
    machine.receive({"type": "bye", "retryAfter": 60})
    assert machine.status is Status.WAITING  # the server speaks, so it is alive
    machine.handle(events.PageShown())
    assert machine.status is Status.WAITING
    for _ in range(5):
        assert machine.status is Status.WAITING
        machine.retry()
        machine.drop()
    assert machine.status is Status.EXHAUSTED


def test_half_a_second_that_the_server_asks_for_is_half_a_second():
    machine = machine_in(Status.CONNECTED, chance=0.0)
    machine.receive({"type": "bye", "retryAfter": 0.5})
    machine.handle(events.PageShown())
    assert (machine.status, machine.armed(Timer.RETRY)) == (Status.WAITING, 0.5)
