"""The number beside "Reconnecting" is the truth, or is not there."""

import pytest

from ui.connection.countdown import Countdown, next_tick, seconds_left


@pytest.mark.parametrize(
    ("left", "seconds"), [(8.0, 8), (7.999, 8), (7.001, 8), (7.0, 7), (0.2, 1), (0.0, 0), (-3.0, 0)]
)
def test_whole_seconds_are_rounded_up_and_never_negative(left: float, seconds: int):
    assert seconds_left(100.0 + left, 100.0) == seconds


def test_the_next_tick_is_when_the_number_changes():
    assert next_tick(108.0, 100.0) == 101.0
    assert next_tick(108.0, 100.4) == 101.0
    assert next_tick(108.0, 107.5) == 108.0
    assert next_tick(108.0, 108.0) is None
    assert next_tick(108.0, 200.0) is None


def test_every_tick_changes_the_number_by_one():
    now, numbers = 100.3, []
    while (tick := next_tick(108.0, now)) is not None:
        numbers.append(seconds_left(108.0, now))
        assert tick > now
        now = tick
    assert numbers == [8, 7, 6, 5, 4, 3, 2, 1]
    assert seconds_left(108.0, now) == 0


def test_a_long_wait_is_counted_to_the_end():
    countdown = Countdown()
    assert [countdown.seconds(108.0, now) for now in (100.0, 103.5, 107.9, 108.0, 109.0)] == [8, 5, 1, 0, 0]


def test_a_short_wait_has_no_number_until_it_is_over():
    countdown = Countdown()
    assert [countdown.seconds(100.9, now) for now in (100.0, 100.8, 100.9)] == [None, None, 0]


def test_whether_a_number_shows_is_decided_once_per_wait():
    countdown = Countdown()
    assert countdown.seconds(106.0, 100.0) == 6
    assert countdown.seconds(106.0, 104.0) == 2
    assert countdown.seconds(105.9, 105.0) is None
    assert countdown.seconds(None, 106.0) is None
    assert countdown.seconds(120.0, 106.0) == 14


def test_a_clock_that_jumped_shows_no_stale_number():
    countdown = Countdown()
    countdown.seconds(108.0, 100.0)
    assert countdown.seconds(108.0, 5_000.0) == 0
