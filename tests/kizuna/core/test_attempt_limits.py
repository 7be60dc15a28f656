"""The deadlines of attempts: longer on a slow network, short again on a fast one."""

from __future__ import annotations

from kizuna.core.timing import AttemptLimits


def after(*steps: str, slowest: float = 0.0) -> tuple[float, float]:
    """Return the two limits after these steps."""
    limits = AttemptLimits(connect_timeout=10.0, stale_attempt_after=2.0)
    for step in steps:
        if step == "note_proven":
            limits.note_proven(slowest)
        else:
            getattr(limits, step)()
    return limits.deadline, limits.stale_attempt_after


def test_both_double_with_what_they_cut_short():
    assert after() == (10, 2)
    assert after("note_timeout") == (20, 2)
    assert after("note_restart") == (10, 4)
    assert after("note_restart", "note_timeout", "note_restart") == (20, 8)


def test_a_deadline_is_at_most_four_times_as_long():
    assert after(*["note_timeout"] * 9) == (40, 2)
    assert after("note_proven", slowest=100.0) == (40, 40)


def test_a_weekend_without_a_server_overflows_nothing():
    assert after(*["note_timeout", "note_restart"] * 2000) == (40, 40)


def test_a_link_that_stands_sets_them_back():
    assert after("note_timeout", "note_restart", "note_proven") == (10, 2)


def test_neither_is_shorter_than_twice_the_slowest_step_of_the_last_link():
    assert after("note_proven", slowest=8.0) == (16, 16)
    assert after("note_proven", "note_timeout", slowest=8.0) == (20, 16)
    assert after("note_proven", slowest=0.9) == (10, 2)
