"""Plans: the same from the same seed, every kind of fault in each round, and everybody in turn."""

from __future__ import annotations

from collections import Counter

from tests.e2e.chaos.plan import (
    PEOPLE,
    SERVER_AND_TAB_FAULTS,
    TWO_PEOPLE,
    Fault,
    FaultKind,
    make_plan,
    repeated_fault,
)


def test_a_seed_is_a_plan():
    assert make_plan(1, 60, PEOPLE) == make_plan(1, 60, PEOPLE)
    assert make_plan(1, 60, PEOPLE) != make_plan(2, 60, PEOPLE)


def test_each_round_of_a_plan_has_every_kind_once():
    plan = make_plan(7, 3 * len(FaultKind), PEOPLE)
    assert Counter(fault.kind for fault in plan) == dict.fromkeys(FaultKind, 3)
    assert {fault.kind for fault in plan[: len(FaultKind)]} == set(FaultKind)


def test_networks_meet_faults_in_turn():
    plan = make_plan(3, 10 * len(FaultKind), PEOPLE)
    met = Counter(fault.target for fault in plan if fault.kind not in SERVER_AND_TAB_FAULTS)
    assert set(met) == {"Ada", "Ben", "Cleo"}
    assert max(met.values()) - min(met.values()) <= 1


def test_a_tab_is_closed_only_where_another_of_the_same_person_stays():
    plan = make_plan(5, 40 * len(FaultKind), PEOPLE)
    assert {fault.target for fault in plan if fault.kind is FaultKind.CLOSE} == {"Ada 2"}


def test_one_fault_for_all_meets_everybody_in_turn():
    assert [fault.target for fault in repeated_fault(FaultKind.DOWN, 3, TWO_PEOPLE)] == ["Ada", "Ben", "Ada"]
    assert {fault.kind for fault in repeated_fault(FaultKind.DOWN, 3, TWO_PEOPLE)} == {FaultKind.DOWN}


def test_a_fault_can_be_read():
    assert str(Fault(FaultKind.HOLE_UP, "Ada", 1.25)) == "black hole up Ada for 1.2 s"
    assert str(Fault(FaultKind.RST, "Ben")) == "RST Ben"
