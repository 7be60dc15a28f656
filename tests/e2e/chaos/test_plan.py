"""Plans: the same from the same seed, every fault in them, and no page that starts is disturbed."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from tests.e2e.chaos import plan
from tests.e2e.chaos.__main__ import DIRECTED, FEW, PLAYERS
from tests.e2e.chaos.plan import LASTING, ONCE, START, UPHEAVALS, Step, What, make_plan
from tests.e2e.chaos.sabotage import SABOTAGES

SEEDS = range(40)
OWNER = {tab: player.name for player in PLAYERS for tab in player.tabs}


def minute(seed: int) -> tuple[Step, ...]:
    """A plan as the test in a browser has it."""
    return make_plan(seed, 60, PLAYERS)


def test_a_seed_is_a_plan():
    assert minute(1) == minute(1)
    assert minute(1) != minute(2)


@pytest.mark.parametrize("seconds", [5, 20, 60, 600])
def test_everything_happens_in_time_and_in_order(seconds: float):
    steps = make_plan(7, seconds, PLAYERS)
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert all(step.at >= 0 and step.until <= seconds for step in steps)


def test_a_minute_has_each_upheaval_once_and_the_server_killed_twice():
    for seed in SEEDS:
        happens = Counter(step.what for step in minute(seed))
        assert {what: happens[what] for what in UPHEAVALS} == Counter(UPHEAVALS)


def test_ten_minutes_have_ten_times_as_many():
    happens = Counter(step.what for step in make_plan(3, 600, PLAYERS))
    assert (happens[What.CRASH], happens[What.KILL]) == (10, 20)
    assert happens.keys() == set(What), "each kind of step happens in ten minutes"


def test_one_fault_at_a_time_lasts_in_a_network():
    for seed in SEEDS:
        for player in PLAYERS:
            lasting = [step for step in minute(seed) if step.what in LASTING and step.whom == player.name]
            assert all(step.until < later.at for step, later in pairwise(lasting))


def test_a_page_that_starts_has_its_network_and_the_server():
    for seed in SEEDS:
        steps = minute(seed)
        for start in (step for step in steps if step.what in (What.RELOAD, What.OPEN)):
            disturbing = [
                step
                for step in steps
                if (step.whom == OWNER[start.whom] and step.what in LASTING | ONCE) or step.what is What.KILL
            ]
            assert not [step for step in disturbing if start.at < step.at < start.at + START - 2.1]
            assert not [step for step in disturbing if step.at <= start.at - 0.001 < step.until - 0.002]


def test_a_tab_that_goes_comes_back():
    for seed in SEEDS:
        gone: set[str] = set()
        for step in minute(seed):
            if step.what in (What.CRASH, What.CLOSE):
                gone.add(step.whom)
            elif step.what is What.OPEN:
                gone.remove(step.whom)
        assert not gone


def test_a_tab_is_closed_only_where_another_of_the_same_person_stays():
    closed = {step.whom for seed in SEEDS for step in minute(seed) if step.what is What.CLOSE}
    assert closed == {"Ada 2"}


def test_what_is_spared_does_not_happen():
    steps = make_plan(5, 600, PLAYERS, [What.CRASH, What.CLOSE, What.STRAND])
    assert not {What.CRASH, What.CLOSE, What.STRAND, What.OPEN} & {step.what for step in steps}


@pytest.mark.parametrize("name", sorted(SABOTAGES))
def test_trouble_that_meets_one_protection_meets_everybody_in_turn(name: str):
    steps = DIRECTED[name](20, FEW)
    assert {step.whom for step in steps} == {"Ada", "Ben"}
    assert all(step.at > 0 and step.until < 20 for step in steps)


def test_what_a_page_sends_into_a_hole_is_thrown_away_with_the_connection():
    hole, reset, *_ = plan.losses(20, FEW)
    assert (hole.what, reset.what) == (What.HOLE_UP, What.RST)
    assert hole.at < reset.at < hole.until


def test_a_step_can_be_read():
    assert str(Step(3, What.HOLE_UP, "Ada", 1.25)) == "black hole up Ada for 1.2 s"
    assert str(Step(3, What.RST, "Ben")) == "RST Ben"
