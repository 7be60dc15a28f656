"""Detection of sleep by the clocks."""

from __future__ import annotations

from kizuna.core.timing import SleepDetector
from kizuna.platform import Instant


def detector() -> SleepDetector:
    sleep = SleepDetector(gap=3.0)
    assert not sleep.slept(Instant(100.0, 1000.0))
    return sleep


def test_clocks_that_go_together_tell_of_no_sleep():
    assert not detector().slept(Instant(500.0, 1400.0))


def test_a_wall_clock_that_ran_ahead_tells_of_sleep_once():
    sleep = detector()
    assert sleep.slept(Instant(101.0, 1005.0))
    assert not sleep.slept(Instant(102.0, 1006.0))


def test_a_small_disagreement_is_none():
    assert not detector().slept(Instant(101.0, 1004.0))


def test_a_wall_clock_that_was_set_back_tells_of_no_sleep():
    assert not detector().slept(Instant(101.0, 500.0))


def test_a_tick_far_too_late_is_a_reason_to_doubt():
    assert [detector().may_have_slept(late) for late in (3.0, 3.1)] == [False, True]


def test_a_hidden_pages_tick_may_be_a_minute_late():
    sleep = detector()
    sleep.page_hidden()
    assert [sleep.may_have_slept(late) for late in (63.0, 63.1)] == [False, True]


def test_a_tick_armed_on_a_visible_page_is_on_time_again():
    sleep = detector()
    sleep.page_hidden()
    sleep.tick_armed(visible=True)
    assert sleep.may_have_slept(5.0)
    sleep.tick_armed(visible=False)
    assert not sleep.may_have_slept(5.0)


def test_a_worker_that_is_starved_is_believed_once_in_half_a_minute():
    sleep = detector()
    told = [
        sleep.accept_worker_report(Instant(100.0 + late, 1000.0 + late)) for late in (0.0, 4.0, 29.9, 30.0)
    ]
    assert told == [True, False, False, True]


def test_the_first_reading_of_the_clocks_tells_of_nothing_whatever_the_gap():
    sleep = SleepDetector(gap=0.5)
    assert not sleep.slept(Instant(100.0, 1000.0))
    assert not sleep.slept(Instant(101.0, 1001.0))
