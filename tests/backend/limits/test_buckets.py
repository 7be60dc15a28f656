"""Token buckets in memory."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.limits.buckets import Buckets
from backend.limits.rate_limit import Rate
from tests.backend.fakes import FakeClock


@pytest.fixture
def monotonic():
    return FakeClock(0)


def test_a_burst_passes_and_then_one_for_each_interval(monotonic):
    buckets = Buckets(Rate(10, burst=2), monotonic=monotonic)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0.1, 0.1]
    monotonic.advance(0.1)
    assert [buckets.take("a") for _ in range(2)] == [0, 0.1]


def test_each_key_has_a_bucket_of_its_own(monotonic):
    buckets = Buckets(Rate(10, burst=1), monotonic=monotonic)
    assert [buckets.take(key) for key in ("a", "b", "a", "b")] == [0, 0, 0.1, 0.1]


def test_without_a_rate_everything_passes_and_nothing_is_remembered(monotonic):
    buckets = Buckets(None, monotonic=monotonic)
    assert [buckets.take("a") for _ in range(100)] == [0] * 100
    assert len(buckets) == 0


def test_full_buckets_are_forgotten(monotonic):
    buckets = Buckets(Rate(10, burst=5), monotonic=monotonic)
    for number in range(100):
        buckets.take(number)
    assert len(buckets) == 100
    monotonic.advance(0.1)
    buckets.take("a")
    assert len(buckets) == 1


def test_of_too_many_keys_the_one_used_longest_ago_begins_anew(monotonic):
    buckets = Buckets(Rate(10, burst=1), monotonic=monotonic, max_keys=2)
    for key in ("a", "b", "a", "c"):
        buckets.take(key)
    assert len(buckets) == 2
    assert [buckets.take(key) for key in ("a", "b")] == [0.1, 0]


def test_turns_are_handed_out_one_after_the_other_up_to_the_latest(monotonic):
    queue = Buckets(Rate(1, burst=1), monotonic=monotonic)
    assert [queue.reserve("a", 3) for _ in range(4)] == [1, 2, 3, 3]
    assert queue.reserve("b", 3) == 1
    monotonic.advance(2)
    assert queue.reserve("a", 3) == 2
    assert Buckets(None, monotonic=monotonic).reserve("a", 3) == 0


def test_of_many_threads_a_burst_passes_and_not_one_more(monotonic):
    buckets, start = Buckets(Rate(10, burst=50), monotonic=monotonic), threading.Barrier(8)

    def take(_):
        start.wait()
        return sum(buckets.take("a") == 0 for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 50
