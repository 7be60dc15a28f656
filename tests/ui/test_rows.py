"""Messages are grouped by author; lines mark days and the unread."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chat.timeline import Entry, Gap
from ui.messages.rows import DayRow, GapRow, Layout, MessageRow, Row, UnreadRow, same_row

Make = Callable[..., Entry]


@pytest.fixture
def layout() -> Layout:
    return Layout(lambda ms: datetime.fromtimestamp(ms / 1000, UTC).date().isoformat())


def shape(rows: tuple[Row, ...]) -> str:
    """One letter a row: a day, an unread line, a message that begins a group (M) or continues one (m)."""
    letters = {DayRow: "d", UnreadRow: "u", GapRow: "g"}
    return "".join(
        ("m" if row.continues else "M") if isinstance(row, MessageRow) else letters[type(row)] for row in rows
    )


def test_one_author_within_five_minutes_is_one_group(layout: Layout, entry: Make):
    rows = layout.rows([entry("a"), entry("b", at=5), entry("c", at=10.1), entry("d", at=10.2)], None)
    assert shape(rows) == "dMmMm"


def test_another_author_begins_a_group_even_under_the_same_name(layout: Layout, entry: Make):
    rows = layout.rows([entry("a"), entry("b", sender_id="u-other"), entry("c")], None)
    assert shape(rows) == "dMMM"


def test_a_day_begins_a_group(layout: Layout, entry: Make):
    rows = layout.rows([entry("a", at=719), entry("b", at=721), entry("c", at=722)], None)
    assert shape(rows) == "dMdMm"
    assert [row.day for row in rows if isinstance(row, DayRow)] == ["2024-10-04", "2024-10-05"]


def test_days_out_of_order_have_keys_of_their_own(layout: Layout, entry: Make):
    rows = layout.rows([entry("a"), entry("b", at=1440), entry("c"), entry("d", at=1440)], None)
    assert shape(rows) == "dMdMdMdM"
    assert len({row.key for row in rows}) == len(rows)


def test_the_unread_line_stands_before_its_message_and_begins_a_group(layout: Layout, entry: Make):
    entries = [entry("a"), entry("b"), entry("c")]
    assert shape(layout.rows(entries, "b")) == "dMuMm"
    assert shape(layout.rows(entries, None)) == "dMmm"


def test_rows_before_the_first_change_are_the_same_objects(layout: Layout, entry: Make):
    entries = [entry("a"), entry("b"), entry("c")]
    before = layout.rows(entries, None)
    after = layout.rows([entries[0], entries[1], entry("c2"), entry("d")], None)
    assert all(old is new for old, new in zip(before[:3], after[:3], strict=True))
    assert shape(after) == "dMmmm"


def test_shrinking_and_growing_again_gives_the_same_rows(layout: Layout, entry: Make):
    entries = [entry(str(number), at=number * 200) for number in range(10)]
    whole = [row.key for row in layout.rows(entries, None)]
    assert layout.rows([], None) == ()
    assert [row.key for row in layout.rows(entries[:4], None)] == whole[: whole.index("day 4")]
    assert [row.key for row in layout.rows(entries, None)] == whole


def test_what_comes_before_is_laid_out_anew(layout: Layout, entry: Make):
    tail = [entry("c", at=3)]
    assert shape(layout.rows(tail, None)) == "dM"
    assert shape(layout.rows([entry("a", at=1), entry("b", at=2), *tail], None)) == "dMmm"


def test_a_time_without_a_connection_is_a_line_that_ends_a_group(layout: Layout, entry: Make):
    entries = [entry("a"), entry("b"), entry("c")]
    gap = Gap(1, "b", 1.0, 2.0)
    assert shape(layout.rows(entries, None)) == "dMmm"
    assert shape(layout.rows(entries, None, [gap])) == "dMmgM"
    assert shape(layout.rows(entries, "c", [gap])) == "dMmguM"
    before = layout.rows(entries, "c", [gap])
    assert all(old is new for old, new in zip(before, layout.rows(entries, "c", [gap]), strict=True))
    later = layout.rows(entries, "c", [replace(gap, until=3.0)])
    assert [same_row(old, new) for old, new in zip(before, later, strict=True)].count(False) == 1


def test_a_gap_may_be_last_or_belong_to_messages_not_loaded(layout: Layout, entry: Make):
    gaps = [Gap(1, "not loaded", 1.0, 2.0), Gap(2, "a", 1.0, 2.0)]
    assert shape(layout.rows([entry("a")], None, gaps)) == "dMg"
