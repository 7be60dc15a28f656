"""The button is there when it helps, busy while it does, and does not vanish under the finger."""

import pytest

from kizuna.core.states import Status
from ui.connection.try_now import BUSY_FOR, TryNow

OFFERED = {Status.WAITING, Status.OFFLINE, Status.EXHAUSTED}


@pytest.mark.parametrize("status", Status)
def test_it_is_offered_at_once_when_waiting_offline_or_exhausted(status: Status):
    rule = TryNow()
    rule.update(status, 0.0)
    assert rule.shown == (status in OFFERED)
    assert not rule.busy


def test_it_stays_through_the_attempt_and_is_busy():
    rule = TryNow()
    rule.update(Status.WAITING, 0.0)
    rule.update(Status.CONNECTING, 5.0)
    assert (rule.shown, rule.busy) == (True, True)
    assert not rule.press(5.1)
    rule.update(Status.WAITING, 6.0)
    assert (rule.shown, rule.busy) == (True, False)
    rule.update(Status.CONNECTED, 7.0)
    assert not rule.shown


def test_a_try_that_fails_at_once_is_seen_to_have_been_one():
    rule = TryNow()
    rule.update(Status.EXHAUSTED, 0.0)
    assert rule.press(10.0)
    assert not rule.press(10.0)
    assert rule.update(Status.EXHAUSTED, 10.1) == 10.0 + BUSY_FOR
    assert rule.busy
    assert rule.update(Status.EXHAUSTED, 10.0 + BUSY_FOR) is None
    assert not rule.busy
    assert rule.press(12.0)


def test_connecting_by_itself_is_no_reason_for_a_button():
    rule = TryNow()
    rule.update(Status.CONNECTING, 0.0)
    assert not rule.shown
    assert not rule.press(0.0)
