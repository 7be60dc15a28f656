"""The contract of every store, on one machine and on AWS."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from backend.store.base import (
    AttributeEquals,
    Check,
    ConditionFailed,
    Delete,
    Exists,
    Key,
    NotExists,
    Put,
    Store,
)
from tests.backend.fakes import FakeClock
from tests.support.depth import examples

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)


def put(store: Store, *sort_keys: str, pk: str = "p", **attributes):
    for sk in sort_keys:
        store.put({"pk": pk, "sk": sk, **attributes})


def sort_keys(items):
    return [item["sk"] for item in items]


# --- one item ---


def test_an_item_comes_back_as_it_was_put(store):
    item = {"pk": "p", "sk": "s", "text": "絆", "n": 2**53, "yes": True, "none": None, "list": [1, {"a": []}]}
    store.put(item)
    assert store.get("p", "s") == item


def test_what_was_never_put_is_none(store):
    assert store.get("p", "s") is None
    assert store.query("p") == []


def test_putting_again_replaces_every_attribute(store):
    store.put({"pk": "p", "sk": "s", "old": 1})
    store.put({"pk": "p", "sk": "s", "new": 2})
    assert store.get("p", "s") == {"pk": "p", "sk": "s", "new": 2}


def test_deleting_is_idempotent(store):
    put(store, "s")
    store.delete("p", "s")
    store.delete("p", "s")
    assert store.get("p", "s") is None


def test_many_items_are_read_at_once_and_missing_ones_left_out(store):
    put(store, "a", "b")
    found = store.get_many([Key("p", "a"), Key("p", "x"), Key("p", "b")])
    assert sorted(found) == [Key("p", "a"), Key("p", "b")]
    assert store.get_many([]) == {}


@pytest.mark.parametrize("value", [1.5, b"x", {1}, (1,), {"a": [0.1]}, {1: "a"}])
def test_values_that_dynamodb_lacks_are_refused(store, value):
    with pytest.raises(TypeError):
        store.put({"pk": "p", "sk": "s", "value": value})


@pytest.mark.parametrize(("pk", "sk"), [("", "s"), ("p", ""), ("p" * 2049, "s"), ("p", "s" * 1025)])
def test_keys_that_dynamodb_refuses_are_refused(store, pk, sk):
    with pytest.raises(ValueError, match="a key part takes"):
        store.put({"pk": pk, "sk": sk})


def test_item_over_400_kb_is_refused_alone_and_in_transactions(store):
    store.put({"pk": "p", "sk": "s", "text": "x" * 400_000})
    large = {"pk": "p", "sk": "s", "text": "絆" * 137_000}
    with pytest.raises(ValueError, match="an item takes at most 400 KB: p/s"):
        store.put(large)
    with pytest.raises(ValueError, match="an item takes at most 400 KB: p/s"):
        store.transact([Put({"pk": "p", "sk": "t"}), Put(large)])
    assert store.get("p", "t") is None


def nested(depth):
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize("value", [10**38, -(10**38), {"": 1}, nested(32), "\ud800", {"\ud800": 1}])
def test_numbers_names_nesting_and_text_that_dynamodb_refuses_are_refused(store, value):
    store.put({"pk": "p", "sk": "s", "n": 10**38 - 1, "m": 1 - 10**38, "nested": nested(31)})
    with pytest.raises(ValueError):
        store.put({"pk": "p", "sk": "s", "value": value})
    assert store.get("p", "s")["nested"] == nested(31)


@pytest.mark.parametrize(("pk", "sk"), [("", "s"), ("p", ""), ("p" * 2049, "s"), ("p", "s" * 1025)])
def test_keys_that_no_item_can_have_are_refused_by_reads_too(store, pk, sk):
    with pytest.raises(ValueError, match="a key part takes"):
        store.get(pk, sk)
    with pytest.raises(ValueError, match="a key part takes"):
        store.get_many([Key("p", "s"), Key(pk, sk)])


@pytest.mark.parametrize("bound", ["prefix", "after", "before"])
def test_bounds_that_no_sort_key_can_have_are_refused(store, bound):
    with pytest.raises(ValueError, match="a key part takes"):
        store.query("p", **{bound: "s" * 1025})


@pytest.mark.parametrize("expires_at", [1.5, "5", True, None])
def test_expiry_is_whole_epoch_seconds(store, expires_at):
    with pytest.raises(TypeError):
        store.put({"pk": "p", "sk": "s", "expiresAt": expires_at})


# --- queries ---


def test_a_query_stays_in_its_partition_and_is_in_order(store):
    put(store, "c", "a", "b")
    put(store, "x", pk="p2")
    put(store, "y", pk="p#")
    assert sort_keys(store.query("p")) == ["a", "b", "c"]
    assert sort_keys(store.query("p", reverse=True)) == ["c", "b", "a"]


def test_sort_keys_are_ordered_by_their_utf8_bytes(store):
    # UTF-16, and so JavaScript, would put the emoji before U+FF5E.
    keys = ["Z", "a", "é", "絆", "\uff5e", "😀"]
    put(store, *reversed(keys))
    assert sort_keys(store.query("p")) == keys == sorted(keys, key=str.encode)


def test_bounds_are_exclusive(store):
    put(store, "1", "2", "3", "4")
    assert sort_keys(store.query("p", after="2")) == ["3", "4"]
    assert sort_keys(store.query("p", before="3")) == ["1", "2"]
    assert sort_keys(store.query("p", after="1", before="4")) == ["2", "3"]
    assert store.query("p", after="4") == []
    assert sort_keys(store.query("p", after="2x")) == ["3", "4"]


def test_a_limit_counts_from_the_side_where_the_query_begins(store):
    put(store, "1", "2", "3", "4")
    assert sort_keys(store.query("p", limit=2)) == ["1", "2"]
    assert sort_keys(store.query("p", limit=2, reverse=True)) == ["4", "3"]
    assert sort_keys(store.query("p", before="4", limit=2, reverse=True)) == ["3", "2"]


def test_a_prefix_keeps_what_begins_so(store):
    put(store, "A", "ROOM", "ROOM#", "ROOM#a", "ROOM#b", "ROOM$")
    assert sort_keys(store.query("p", prefix="ROOM#")) == ["ROOM#", "ROOM#a", "ROOM#b"]


def test_a_query_takes_a_prefix_or_bounds_and_a_sensible_limit(store):
    with pytest.raises(ValueError, match="a prefix or bounds"):
        store.query("p", prefix="a", after="b")
    with pytest.raises(ValueError, match="limit"):
        store.query("p", limit=0)


def test_what_is_too_large_for_one_answer_of_dynamodb_comes_whole(store):
    keys = [str(number) for number in range(8)]
    put(store, *keys, text="x" * 300_000)
    assert sort_keys(store.query("p")) == keys
    assert sort_keys(store.query("p", after="0", before="7", limit=5, reverse=True)) == [
        "6",
        "5",
        "4",
        "3",
        "2",
    ]
    assert len(store.get_many(Key("p", key) for key in keys)) == 8


def test_bounds_with_nothing_between_them_and_an_empty_one_are_no_error(store):
    put(store, "a", "b")
    assert store.query("p", after="b", before="a") == store.query("p", after="a", before="a") == []
    assert store.query("p", before="") == []
    assert sort_keys(store.query("p", after="")) == sort_keys(store.query("p", after="", reverse=True))[::-1]
    assert sort_keys(store.query("p", after="", before="b")) == ["a"]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=examples(quick=10, deep=300),
    deadline=None,
)
@given(keys=st.sets(KEYS, max_size=6), prefix=KEYS, after=KEYS, before=KEYS, reverse=st.booleans())
def test_queries_agree_with_sorting_in_memory(store, keys, prefix, after, before, reverse):
    for old in store.query("p"):
        store.delete("p", old["sk"])
    put(store, *keys)
    ordered = sorted(keys, key=str.encode, reverse=reverse)
    within = [key for key in ordered if after.encode() < key.encode() < before.encode()]
    assert sort_keys(store.query("p", reverse=reverse)) == ordered
    assert sort_keys(store.query("p", prefix=prefix, reverse=reverse)) == [
        key for key in ordered if key.startswith(prefix)
    ]
    assert sort_keys(store.query("p", after=after, before=before, reverse=reverse)) == within


# --- conditions and transactions ---


def test_not_exists_lets_the_first_put_through_and_names_the_second(store):
    store.put({"pk": "p", "sk": "s", "n": 1}, NotExists())
    with pytest.raises(ConditionFailed) as caught:
        store.put({"pk": "p", "sk": "s", "n": 2}, NotExists())
    assert caught.value.failed == (Key("p", "s"),)
    assert store.get("p", "s")["n"] == 1


def test_exists_refuses_what_is_not_there(store):
    with pytest.raises(ConditionFailed):
        store.put({"pk": "p", "sk": "s"}, Exists())
    with pytest.raises(ConditionFailed):
        store.delete("p", "s", Exists())
    put(store, "s")
    store.put({"pk": "p", "sk": "s", "n": 1}, Exists())
    store.delete("p", "s", Exists())
    assert store.get("p", "s") is None


@pytest.mark.parametrize(("name", "value"), [("n", 2), ("n", "1"), ("other", 1)])
def test_attribute_equals_refuses_another_value_another_kind_and_no_value(store, name, value):
    put(store, "s", n=1)
    with pytest.raises(ConditionFailed):
        store.put({"pk": "p", "sk": "s", "n": 5}, AttributeEquals(name, value))
    store.put({"pk": "p", "sk": "s", "n": 6}, AttributeEquals("n", 1))
    assert store.get("p", "s")["n"] == 6


def test_attribute_equals_does_not_take_true_for_one(store):
    put(store, "s", n=1, yes=True)
    for condition in (AttributeEquals("n", True), AttributeEquals("yes", 1)):
        with pytest.raises(ConditionFailed):
            store.delete("p", "s", condition)
    store.delete("p", "s", AttributeEquals("yes", True))


def test_attribute_equals_refuses_what_is_not_there(store):
    with pytest.raises(ConditionFailed):
        store.delete("p", "s", AttributeEquals("n", 1))


def test_a_transaction_does_all_of_its_actions(store):
    put(store, "old", "guard")
    store.transact([Put({"pk": "q", "sk": "new"}), Delete("p", "old"), Check("p", "guard", Exists())])
    assert store.get("q", "new") is not None
    assert sort_keys(store.query("p")) == ["guard"]


def test_failed_transaction_changes_nothing_and_names_failed_keys_in_order(store):
    put(store, "there", n=1)
    with pytest.raises(ConditionFailed) as caught:
        store.transact(
            [
                Put({"pk": "q", "sk": "new"}),
                Check("p", "missing", Exists()),
                Delete("p", "there", AttributeEquals("n", 2)),
                Put({"pk": "p", "sk": "fine"}, NotExists()),
            ]
        )
    assert caught.value.failed == (Key("p", "missing"), Key("p", "there"))
    assert store.get("q", "new") is None
    assert sort_keys(store.query("p")) == ["there"]


def test_a_transaction_takes_one_to_a_hundred_actions_at_different_keys(store):
    with pytest.raises(ValueError, match="1 to 100"):
        store.transact([])
    with pytest.raises(ValueError, match="1 to 100"):
        store.transact([Delete("p", str(number)) for number in range(101)])
    with pytest.raises(ValueError, match="two actions at p/s"):
        store.transact([Delete("p", "s"), Put({"pk": "p", "sk": "s"})])
    with pytest.raises(ValueError, match="at most 100"):
        store.get_many(Key("p", str(number)) for number in range(101))
    store.transact([Put({"pk": "p", "sk": f"{number:03d}"}) for number in range(100)])
    assert len(store.query("p")) == 100


# --- expiry ---


def test_an_expired_item_is_absent_from_the_second_of_its_expiry_on(store, clock: FakeClock):
    put(store, "s", expiresAt=int(clock.now) + 10)
    clock.advance(9.9)
    assert store.get("p", "s") == {"pk": "p", "sk": "s", "expiresAt": int(clock.now) + 1}
    clock.advance(0.1)
    assert store.get("p", "s") is None
    assert store.query("p") == []
    assert store.get_many([Key("p", "s")]) == {}


def test_a_limit_counts_live_items_only(store, clock: FakeClock):
    put(store, "1", "2", expiresAt=int(clock.now) - 1)
    put(store, "3", "4")
    assert sort_keys(store.query("p", limit=1)) == ["3"]


def test_for_conditions_too_an_expired_item_is_absent(store, clock: FakeClock):
    put(store, "s", n=1, expiresAt=int(clock.now))
    with pytest.raises(ConditionFailed):
        store.transact([Check("p", "s", Exists())])
    with pytest.raises(ConditionFailed):
        store.transact([Check("p", "s", AttributeEquals("n", 1))])
    store.put({"pk": "p", "sk": "s", "n": 2}, NotExists())
    assert store.get("p", "s") == {"pk": "p", "sk": "s", "n": 2}


# --- threads ---


def test_of_many_threads_that_put_if_absent_one_wins_each_key(store):
    start = threading.Barrier(8)

    def race(thread: int) -> int:
        start.wait()
        won = 0
        for number in range(20):
            try:
                store.put({"pk": "p", "sk": str(number), "thread": thread}, NotExists())
                won += 1
            except ConditionFailed:
                pass
        return won

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(race, range(8))) == 20


def test_readers_never_see_half_of_a_transaction(store):
    def write() -> None:
        for number in range(60):
            store.transact([Put({"pk": "p", "sk": sk, "n": number}) for sk in ("a", "b")])

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not writing.done():
            assert len({item["n"] for item in store.query("p")}) <= 1
        writing.result()
