"""Retries after a conflict: how often, how long, and their end."""

import pytest

from backend.store.base import ConditionFailed, Conflict
from backend.store.retry import ATTEMPTS, BASE_SECONDS, CAP_SECONDS, Retry


class Flaky:
    """A function that fails with a conflict so many times."""

    def __init__(self, conflicts: int) -> None:
        self.calls = 0
        self._conflicts = conflicts

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._conflicts:
            raise Conflict("somebody else")
        return "done"


def test_what_succeeds_at_once_never_sleeps():
    naps: list[float] = []
    assert Retry(sleep=naps.append).run(Flaky(0)) == "done"
    assert naps == []


def test_the_waits_grow_from_ten_milliseconds_to_a_quarter_second():
    naps: list[float] = []
    operation = Flaky(ATTEMPTS - 1)
    assert Retry(sleep=naps.append, random=lambda: 1.0).run(operation) == "done"
    assert naps[:5] == [BASE_SECONDS * factor for factor in (1, 2, 4, 8, 16)]
    assert set(naps[5:]) == {CAP_SECONDS}
    assert sum(naps) < 4.0  # the page asks again after 5 s


def test_the_jitter_is_full():
    naps: list[float] = []
    Retry(sleep=naps.append, random=lambda: 0.0).run(Flaky(3))
    assert naps == [0.0, 0.0, 0.0]


def test_in_the_end_the_conflict_comes_out():
    operation = Flaky(1_000)
    with pytest.raises(Conflict):
        Retry(sleep=lambda seconds: None).run(operation)
    assert operation.calls == ATTEMPTS


def test_only_conflicts_are_tried_again():
    def fail() -> None:
        raise ConditionFailed([])

    naps: list[float] = []
    with pytest.raises(ConditionFailed):
        Retry(sleep=naps.append).run(fail)
    assert naps == []
