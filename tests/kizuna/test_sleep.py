"""Clocks betray that the machine slept; a held-up timer alone does not."""

from __future__ import annotations

from kizuna.platform import Instant
from kizuna.sleep import SleepDetector


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


def test_a_tick_far_too_late_tells_of_sleep():
    sleep = detector()
    assert not sleep.slept(Instant(103.0, 1003.0), tick_late=3.0)
    assert sleep.slept(Instant(107.0, 1007.0), tick_late=3.1)


def test_a_hidden_pages_tick_may_be_a_minute_late():
    sleep = detector()
    sleep.page_hidden()
    assert not sleep.slept(Instant(160.0, 1060.0), tick_late=60.0)
    assert sleep.slept(Instant(230.0, 1130.0), tick_late=63.1)


def test_a_hidden_pages_tick_is_no_later_where_nothing_holds_it_back():
    sleep = detector()
    sleep.slept(Instant(100.0, 1000.0), throttled=False)
    sleep.tick_armed(visible=False)
    assert not sleep.slept(Instant(103.0, 1003.0), tick_late=3.0)
    assert sleep.slept(Instant(107.0, 1007.0), tick_late=3.1, throttled=False)


def test_the_tick_that_shows_that_nothing_holds_it_back_any_more_may_have_been_held_back():
    sleep = detector()
    sleep.tick_armed(visible=False)
    assert not sleep.slept(Instant(140.0, 1040.0), tick_late=40.0, throttled=False)
    sleep.tick_armed(visible=False)
    assert sleep.slept(Instant(145.0, 1045.0), tick_late=4.0)


def test_a_tick_that_is_held_back_since_it_was_armed_may_be_late():
    sleep = detector()
    sleep.slept(Instant(100.0, 1000.0), throttled=False)
    sleep.tick_armed(visible=False)
    assert not sleep.slept(Instant(140.0, 1040.0), tick_late=40.0, throttled=True)


def test_a_tick_armed_on_a_visible_page_is_on_time_again():
    sleep = detector()
    sleep.page_hidden()
    sleep.tick_armed(visible=True)
    assert sleep.slept(Instant(110.0, 1010.0), tick_late=5.0)
    sleep.tick_armed(visible=False)
    assert not sleep.slept(Instant(120.0, 1020.0), tick_late=5.0)


def test_the_first_reading_of_the_clocks_tells_of_nothing_whatever_the_gap():
    sleep = SleepDetector(gap=0.5)
    assert not sleep.slept(Instant(100.0, 1000.0))
    assert not sleep.slept(Instant(101.0, 1001.0))
