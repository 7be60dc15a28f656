"""SQLite and DynamoDB Local do the same random operations, and agree in every result and error."""

import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, event, given, settings, strategies as st

from backend.store.base import (
    Action,
    AttributeEquals,
    Check,
    Condition,
    ConditionFailed,
    Delete,
    Exists,
    Key,
    NotExists,
    Put,
    Store,
)
from tests.support.depth import examples

# Few keys, so that operations meet; odd ones, because keys are compared by their bytes: neighbours across the
# surrogates, what UTF-16 sorts otherwise, the first and the last character there are, beginnings of each other.
SORT_KEYS = ["a", "a\0", "a#", "a#1", "b", "\0", "é", "絆", "\ud7ff", "\ue000", "\uff5e", "😀", "\U0010ffff"]
PARTITIONS = ["p", "p\0", "絆😀"]
LONG = 150_000  # bytes; seven of these are more than DynamoDB reads at once

Operation = Callable[[Store, "ExampleState"], Any]

numbers = itertools.count(1)


class ExampleState:
    """The partitions and the time of one example."""

    def __init__(self, now: int) -> None:
        self._name = f"{next(numbers)}/"
        self.now = now

    def key(self, partition: str, sort_key: str) -> Key:
        return Key(self._name + partition, sort_key)

    def item(self, key: tuple[str, str], attributes: dict[str, Any], lifetime: int | None) -> dict[str, Any]:
        expiry = {} if lifetime is None else {"expiresAt": self.now + lifetime}
        return {**attributes, **self.key(*key)._asdict(), **expiry}


def outcome(operation: Operation, store: Store, scene: ExampleState) -> Any:
    """Return the result in a form that is comparable across stores."""
    try:
        return operation(store, scene)
    except ConditionFailed as error:
        return "ConditionFailed", error.failed
    except ValueError as error:
        return "ValueError", str(error)


# --- what can be stored ---

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**38) + 1, 10**38 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts.filter(bool), inner, max_size=3),
    max_leaves=5,
)
# "state" and "name" are reserved words of DynamoDB. What conditions compare has few values, so that some hold.
compared = st.sampled_from([0, 1, "1", "", True])
attributes = st.fixed_dictionaries(
    {},
    optional={
        "state": compared,
        "n": compared,
        "name": values,
        "a.b[0]": values,
        "long": st.sampled_from(["", "x" * LONG]),
    },
)
keys = st.tuples(st.sampled_from(PARTITIONS), st.sampled_from(SORT_KEYS))
lifetimes = st.none() | st.integers(-1, 3)

# --- what can be asked ---

equals = st.builds(AttributeEquals, st.sampled_from(["state", "n", "sk", "missing"]), compared)
conditions: st.SearchStrategy[Condition] = st.builds(NotExists) | st.builds(Exists) | equals
maybe = st.none() | conditions
bounds = st.none() | st.sampled_from(["", *SORT_KEYS]) | texts


@st.composite
def actions(draw: st.DrawFn) -> Callable[[ExampleState], Action]:
    key = draw(keys)
    kind = draw(st.sampled_from(["put", "delete", "check"]))
    if kind == "put":
        content, lifetime, condition = draw(attributes), draw(lifetimes), draw(maybe)
        return lambda scene: Put(scene.item(key, content, lifetime), condition)
    if kind == "delete":
        condition = draw(maybe)
        return lambda scene: Delete(*scene.key(*key), condition)
    needed = draw(conditions)
    return lambda scene: Check(*scene.key(*key), needed)


@st.composite
def writes(draw: st.DrawFn) -> Operation:
    key, condition = draw(keys), draw(maybe)
    if draw(st.booleans()):
        content, lifetime = draw(attributes), draw(lifetimes)
        return lambda store, scene: store.put(scene.item(key, content, lifetime), condition)
    return lambda store, scene: store.delete(*scene.key(*key), condition)


@st.composite
def transactions(draw: st.DrawFn) -> Operation:
    made = draw(st.lists(actions(), max_size=4))
    return lambda store, scene: store.transact([action(scene) for action in made])


@st.composite
def reads(draw: st.DrawFn) -> Operation:
    if draw(st.booleans()):
        key = draw(keys)
        return lambda store, scene: store.get(*scene.key(*key))
    wanted = draw(st.lists(keys, max_size=5))
    return lambda store, scene: store.get_many([scene.key(*key) for key in wanted])


@st.composite
def queries(draw: st.DrawFn) -> Operation:
    partition = draw(st.sampled_from(PARTITIONS))
    asked: dict[str, Any] = {
        "prefix": draw(st.just("") | st.sampled_from(SORT_KEYS) | texts),
        "after": draw(bounds),
        "before": draw(bounds),
        "limit": draw(st.none() | st.integers(0, 4)),
        "reverse": draw(st.booleans()),
    }
    if draw(st.integers(0, 9)):  # else: as drawn, which is mostly refused
        asked["prefix"] = "" if asked["after"] is not None or asked["before"] is not None else asked["prefix"]
    return lambda store, scene: store.query(scene.key(partition, "").pk, **asked)


def waiting(seconds: float) -> float:
    return seconds


operations = st.lists(
    writes()
    | writes()
    | transactions()
    | queries()
    | reads()
    | st.sampled_from([0.5, 1.0, 2.0]).map(waiting),
    min_size=1,
    max_size=30,
)


@settings(
    max_examples=examples(quick=15, deep=500),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=operations)
def test_sqlite_and_dynamodb_agree(sqlite, dynamodb, clock, sequence):
    scene = ExampleState(int(clock.now))
    for step in sequence:
        if isinstance(step, float):
            clock.advance(step)
            scene.now = int(clock.now)
            continue
        expected = outcome(step, sqlite, scene)
        assert outcome(step, dynamodb, scene) == expected
        event(expected[0] if isinstance(expected, tuple) else type(expected).__name__)
    for partition in PARTITIONS:
        pk = scene.key(partition, "").pk
        assert dynamodb.query(pk) == sqlite.query(pk)
        assert dynamodb.query(pk, reverse=True) == sqlite.query(pk, reverse=True)
