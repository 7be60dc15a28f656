"""The delay, which doubles with jitter, and the budget."""

from __future__ import annotations

import random
from statistics import mean

import pytest
from hypothesis import given, strategies as st

from kizuna.core.timing import DOUBLINGS, Backoff


def backoff(
    *, first_delay: float = 1.0, max_retries: int = 5, jitter: float = 0.0, chance: float = 0.5
) -> Backoff:
    return Backoff(first_delay=first_delay, max_retries=max_retries, jitter=jitter, random=lambda: chance)


def test_delays_double_from_one_to_sixteen_and_stay_there():
    it = backoff()
    assert [it.next_delay() for _ in range(8)] == [1, 2, 4, 8, 16, 16, 16, 16]


@pytest.mark.parametrize("max_retries", [0, 1, 3, 20, 10_000])
def test_delays_do_not_depend_on_the_budget(max_retries: int):
    it = backoff(max_retries=max_retries)
    assert [it.next_delay() for _ in range(2000)][-1] == 16
    assert DOUBLINGS == 4


def test_the_first_delay_is_chosen():
    it = backoff(first_delay=0.05)
    assert [it.next_delay() for _ in range(5)] == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8])


@given(jitter=st.floats(0, 1), chance=st.floats(0, 1, exclude_max=True), steps=st.integers(0, 30))
def test_jitter_stays_within_its_bounds_also_at_the_last_step(jitter: float, chance: float, steps: int):
    it = backoff(jitter=jitter, chance=chance)
    for _ in range(steps):
        it.next_delay()
    nominal = 2 ** min(steps, 4)
    assert nominal * (1 - jitter) <= it.next_delay() <= nominal * (1 + jitter)


def test_jitter_has_mean_one_and_reaches_half_to_both_sides():
    it = Backoff(first_delay=1, max_retries=5, jitter=0.5, random=random.Random(1).random)
    drawn = [it.jittered(1.0) for _ in range(20_000)]
    assert mean(drawn) == pytest.approx(1.0, abs=0.01)
    assert (min(drawn), max(drawn)) == (pytest.approx(0.5, abs=0.01), pytest.approx(1.5, abs=0.01))


def test_a_large_draw_waits_longer_a_small_one_shorter():
    assert [backoff(jitter=0.5, chance=chance).jittered(40) for chance in (0.0, 0.25, 0.75)] == [20, 30, 50]


def test_a_minimum_is_jittered_upwards_only():
    assert [backoff(jitter=0.5, chance=chance).jittered_up(40) for chance in (0.0, 0.5)] == [40, 50]


def test_the_budget_is_spent_and_given_back_without_touching_the_delay():
    it = backoff(max_retries=2)
    assert it.spent == 0
    it.next_delay()
    it.spend()
    assert not it.exhausted
    it.spend()
    assert it.exhausted
    it.refill()
    assert not it.exhausted
    assert it.next_delay() == 2


def test_the_delay_starts_again_without_touching_the_budget():
    it = backoff(max_retries=1)
    it.next_delay()
    it.spend()
    it.reset_delay()
    assert it.next_delay() == 1
    assert it.exhausted


def test_without_a_budget_it_is_spent_from_the_beginning():
    assert backoff(max_retries=0).exhausted


def test_nothing_is_spent_in_the_beginning():
    backoff = Backoff(first_delay=1, max_retries=1, jitter=0, random=lambda: 0.5)
    assert backoff.spent == 0
    assert not backoff.exhausted


def test_a_budget_given_back_is_whole():
    it = backoff(max_retries=1)
    it.spend()
    assert it.exhausted
    it.refill()
    assert it.spent == 0
    assert not it.exhausted
