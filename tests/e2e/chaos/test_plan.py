"""Plans: the same from the same seed, every kind of fault in each round, and nobody spared by accident."""

from __future__ import annotations

from collections import Counter

from tests.e2e.chaos.plan import FEW, PLAYERS, UPHEAVALS, Fault, What, make_plan, same_for_all


def test_a_seed_is_a_plan():
    assert make_plan(1, 60, PLAYERS) == make_plan(1, 60, PLAYERS)
    assert make_plan(1, 60, PLAYERS) != make_plan(2, 60, PLAYERS)


def test_each_round_of_a_plan_has_every_kind_once():
    plan = make_plan(7, 3 * len(What), PLAYERS)
    assert Counter(fault.what for fault in plan) == dict.fromkeys(What, 3)
    assert {fault.what for fault in plan[: len(What)]} == set(What)


def test_networks_meet_faults_in_turn():
    plan = make_plan(3, 10 * len(What), PLAYERS)
    met = Counter(fault.whom for fault in plan if fault.what not in UPHEAVALS)
    assert set(met) == {"Ada", "Ben", "Cleo"}
    assert max(met.values()) - min(met.values()) <= 1


def test_a_tab_is_closed_only_where_another_of_the_same_person_stays():
    plan = make_plan(5, 40 * len(What), PLAYERS)
    assert {fault.whom for fault in plan if fault.what is What.CLOSE} == {"Ada 2"}


def test_one_fault_for_all_meets_everybody_in_turn():
    assert [fault.whom for fault in same_for_all(What.DOWN, 3, FEW)] == ["Ada", "Ben", "Ada"]
    assert {fault.what for fault in same_for_all(What.DOWN, 3, FEW)} == {What.DOWN}


def test_a_fault_can_be_read():
    assert str(Fault(What.HOLE_UP, "Ada", 1.25)) == "black hole up Ada for 1.2 s"
    assert str(Fault(What.RST, "Ben")) == "RST Ben"
