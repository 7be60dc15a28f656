"""The sequence: each item once and in order, over a network that loses, repeats and reorders."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from kizuna.delivery.sequence import Sequence


def started(watermark: int = 0) -> Sequence[Any]:
    sequence: Sequence[Any] = Sequence()
    sequence.start("e", watermark)
    return sequence


def test_what_comes_in_order_is_released_at_once():
    sequence = started(4)
    assert [sequence.offer(number, number) for number in (5, 6, 7)] == [[5], [6], [7]]
    assert sequence.watermark == 7


def test_before_any_start_numbers_begin_at_one():
    sequence: Sequence[str] = Sequence()
    assert (sequence.watermark, sequence.has_gap) == (0, False)
    assert sequence.offer(2, "b") == []
    assert sequence.offer(1, "a") == ["a", "b"]


def test_what_lies_beyond_a_gap_is_held_until_the_gap_is_filled():
    sequence = started()
    assert sequence.offer(3, "c") == sequence.offer(2, "b") == []
    assert sequence.has_gap
    assert sequence.offer(1, "a") == ["a", "b", "c"]
    assert not sequence.has_gap


def test_duplicate_is_dropped_and_the_first_copy_counts():
    sequence = started()
    sequence.offer(2, "b")
    assert sequence.offer(2, "other") == []
    assert sequence.offer(1, "a") == ["a", "b"]
    assert sequence.offer(1, "a") == sequence.offer(2, "b") == sequence.offer(0, "?") == []


def test_an_item_may_be_none():
    sequence = started()
    sequence.offer(2, None)
    assert sequence.offer(1, None) == [None, None]
    assert sequence.watermark == 2


def test_head_beyond_the_watermark_is_a_gap_a_stale_one_is_ignored():
    sequence = started(5)
    sequence.raise_head(3)
    assert not sequence.has_gap
    sequence.raise_head(6)
    sequence.raise_head(2)
    assert sequence.has_gap
    assert sequence.offer(6, "f") == ["f"]
    assert not sequence.has_gap


def test_starting_further_on_drops_what_is_behind_and_releases_what_fits():
    sequence = started()
    for number in (3, 7, 8, 10):
        sequence.offer(number, number)
    assert sequence.start("e", 6) == [7, 8]
    assert (sequence.watermark, sequence.has_gap) == (8, True)
    assert sequence.offer(9, 9) == [9, 10]


def test_another_history_begins_with_nothing_held():
    sequence = started()
    sequence.offer(3, "old")
    assert sequence.start("f", 2) == []
    assert (sequence.epoch, sequence.watermark, sequence.has_gap) == ("f", 2, False)
    assert sequence.offer(3, "new") == ["new"]


def test_a_history_that_is_forgotten_leaves_nothing():
    sequence = started(9)
    sequence.offer(11, "old")
    sequence.reset()
    assert (sequence.epoch, sequence.watermark, sequence.has_gap) == (None, 0, False)
    assert sequence.offer(10, "new") == []
    assert sequence.start("g", 9) == []
    sequence.offer(2, "old")
    sequence.offer(12, "old")
    sequence.reset()
    assert [item for number in range(1, 13) for item in sequence.offer(number, "new")] == ["new"] * 12


@given(st.data(), st.integers(0, 50), st.integers(1, 30))
def test_each_is_released_once_in_order_whatever_the_network_does(
    data: st.DataObject, watermark: int, count: int
):
    numbers = list(range(watermark + 1, watermark + count + 1))
    lost = data.draw(st.sets(st.sampled_from(numbers)))
    repeated = data.draw(st.lists(st.sampled_from(numbers)))
    arriving = data.draw(st.permutations([number for number in numbers + repeated if number not in lost]))
    sequence = started(watermark)
    released: list[int] = []
    for number in arriving:
        if data.draw(st.booleans()):
            sequence.raise_head(number)
        released += sequence.offer(number, number)
        assert released == numbers[: len(released)]
        assert sequence.watermark == watermark + len(released)
    arrived = set(arriving)
    assert released == numbers[: next((i for i, n in enumerate(numbers) if n not in arrived), count)]
    assert sequence.has_gap == (max(arrived, default=0) > sequence.watermark)
    for number in sorted(lost):  # the gap is asked for, and filled
        released += sequence.offer(number, number)
    assert released == numbers
    assert not sequence.has_gap


@given(st.lists(st.integers(1, 40)), st.integers(0, 40))
def test_a_start_in_the_middle_loses_nothing_that_lies_beyond_it(numbers: list[int], watermark: int):
    sequence = started()
    released = [item for number in numbers for item in sequence.offer(number, number)]
    watermark = max(watermark, sequence.watermark)
    released_later = sequence.start("e", watermark)
    for number in range(watermark + 1, 41):
        released_later += sequence.offer(number, number)
    assert released_later == list(range(watermark + 1, 41))
    assert released == list(range(1, len(released) + 1))


def test_a_start_from_further_back_knows_that_there_is_more():
    sequence = started(10)
    sequence.start("e", 5)
    assert sequence.has_gap


def test_what_a_start_has_passed_is_forgotten():
    sequence = started(4)
    sequence.offer(6, "f")
    sequence.offer(7, "g")
    assert sequence.start("e", 7) == []
    assert sequence.start("e", 5) == []
    assert sequence.start("e", 6) == []


def test_a_history_that_begins_with_nothing_lacks_nothing():
    assert not started(0).has_gap


def test_a_duplicate_leaves_nothing_behind():
    sequence = started(5)
    sequence.offer(5, "e")
    assert sequence.start("e", 4) == []


def test_what_lies_beyond_a_gap_can_be_looked_at():
    sequence: Sequence[str] = Sequence()
    sequence.start("e", 1)
    sequence.offer(3, "three")
    sequence.offer(5, "five")
    assert sorted(sequence.held) == ["five", "three"]
    sequence.offer(2, "two")
    assert sequence.held == ("five",)


def test_a_head_that_was_wrong_is_corrected_but_never_below_what_came():
    sequence: Sequence[str] = Sequence()
    sequence.start("e", 1)
    sequence.raise_head(99)
    sequence.set_head(1)
    assert not sequence.has_gap
    sequence.offer(4, "four")
    sequence.set_head(2)
    assert sequence.has_gap
    sequence.offer(2, "two")
    sequence.offer(3, "three")
    assert not sequence.has_gap
