"""Messages are grouped by author; lines mark days and the unread."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from chat.timeline import Entry
from ui.messages.rows import DayRow, Layout, MessageRow, Row, UnreadRow

Make = Callable[..., Entry]


@pytest.fixture
def layout() -> Layout:
    return Layout(lambda ms: datetime.fromtimestamp(ms / 1000, UTC).date().isoformat())


def shape(rows: tuple[Row, ...]) -> str:
    """One letter a row: a day, an unread line, a message that begins a group (M) or continues one (m)."""
    letters = {DayRow: "d", UnreadRow: "u"}
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
