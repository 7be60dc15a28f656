"""The store: a duplicate calls no listener; one that fails or updates does not disturb the others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kizuna.store import Store


def test_the_same_state_calls_nobody_not_even_a_selector():
    asked: list[Any] = []
    told: list[Any] = []
    state = (1, 2)
    store = Store(state)

    def ask(it: tuple[int, int]) -> tuple[int, int]:
        asked.append(it)
        return it

    store.subscribe(ask, told.append)
    asked.clear()
    store.update(lambda it: it)
    assert (asked, told) == ([], [])
    assert store.state is state


def test_a_listener_is_told_of_its_part_when_it_becomes_another():
    store = Store({"a": 1, "b": 1})
    told: list[Any] = []
    store.subscribe(lambda state: state["a"], told.append)
    store.update(lambda state: {**state, "b": 2})
    assert told == []
    store.update(lambda state: {**state, "a": 2})
    assert told == [2]


def test_parts_that_are_equal_are_the_same_and_nan_is_itself():
    nan = float("nan")
    store: Store[tuple[int, Any]] = Store((0, [1]))
    told: list[Any] = []
    store.subscribe(lambda state: state[1], told.append)
    store.update(lambda state: (1, [1]))
    assert told == []
    store.update(lambda state: (2, nan))
    store.update(lambda state: (3, nan))
    assert told == [nan]


def test_listener_unsubscribed_during_an_update_is_not_called():
    store = Store(0)
    told: list[str] = []

    def first(state: int) -> None:
        told.append("first")
        forget_first()
        forget_second()
        forget_second()

    forget_first = store.subscribe(lambda state: state, first)
    forget_second = store.subscribe(lambda state: state, lambda state: told.append("second"))
    store.subscribe(lambda state: state, lambda state: told.append("third"))
    store.update(lambda state: 1)
    store.update(lambda state: 2)
    assert told == ["first", "third", "third"]
    assert len(store._subscriptions) == 1


def test_an_error_in_a_listener_or_its_selector_stops_no_other(caplog: pytest.LogCaptureFixture):
    store = Store(1)
    told: list[int] = []

    def broken(state: int) -> None:
        raise LookupError

    store.subscribe(lambda state: state, broken)
    store.subscribe(lambda state: 1 // state, broken)
    store.subscribe(lambda state: state, told.append)
    store.update(lambda state: 0)
    assert told == [0]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_a_change_that_fails_is_its_callers_and_changes_nothing():
    store = Store(1)
    with pytest.raises(ZeroDivisionError):
        store.update(lambda state: state // 0)
    assert store.state == 1


def test_a_listener_may_update_and_the_others_end_with_the_last_state():
    store = Store(0)
    before: list[int] = []
    after: list[int] = []
    store.subscribe(lambda state: state, before.append)
    store.subscribe(
        lambda state: state, lambda state: store.update(lambda it: it + 10) if it_is_small(state) else None
    )
    store.subscribe(lambda state: state, after.append)
    store.update(lambda state: 1)
    assert store.state == 11
    assert before == [1, 11]
    assert after == [11]


def it_is_small(state: int) -> bool:
    return state < 10


def test_a_listener_that_comes_in_a_round_is_told_from_the_next():
    store = Store(0)
    late: list[int] = []
    store.subscribe(lambda state: state, lambda state: store.subscribe(lambda it: it, late.append))
    store.update(lambda state: 1)
    assert late == []
    store.update(lambda state: 2)
    assert late == [2]


@given(st.lists(st.integers(0, 3)), st.integers(1, 3))
def test_a_listener_sees_each_change_of_its_part_once_in_order(values: list[int], modulus: int):
    store = Store(0)
    told = [0]
    store.subscribe(lambda state: state % modulus, told.append)
    for value in values:
        store.update(lambda state, value=value: value)  # type: ignore[misc]
    parts = [0, *(value % modulus for value in values)]
    assert told == [part for index, part in enumerate(parts) if index == 0 or part != parts[index - 1]]


def test_updates_between_hold_and_release_are_seen_as_one():
    store = Store(1)
    seen: list[int] = []
    store.subscribe(lambda value: value, seen.append)
    store.hold()
    store.update(lambda value: value + 1)
    store.update(lambda value: value + 1)
    assert (store.state, seen) == (3, [])
    store.release()
    assert seen == [3]
    store.update(lambda value: value + 1)
    assert seen == [3, 4]


def test_nothing_is_seen_of_a_hold_without_a_change():
    store = Store(1)
    seen: list[int] = []
    store.subscribe(lambda value: value, seen.append)
    store.hold()
    store.update(lambda value: value)
    store.release()
    assert seen == []
