"""The steps lead from one list to the other, and touch nothing that stays."""

from collections.abc import Callable, Sequence

from hypothesis import given, strategies as st

from chat.timeline import Delivery, Entry
from ui.messages.diff import Change, Insert, Move, Remove, Replace, plan
from ui.messages.rows import MessageRow, Row

Make = Callable[..., Entry]


def row(key: str, version: int = 0) -> Row:
    entry = Entry(
        key=key,
        content=str(version),
        sender_id="u",
        sender_name="n",
        timestamp=version,
        state=Delivery.SENT,
        own=False,
    )
    return MessageRow(key, entry, continues=False)


def carry_out(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """What the screen shows after the steps."""
    screen = list(old)

    def place(item: Row, before: str | None) -> None:
        keys = [shown.key for shown in screen]
        screen.insert(len(keys) if before is None else keys.index(before), item)

    for step in plan(old, new):
        if isinstance(step, Replace):
            screen[:] = step.rows
        elif isinstance(step, Insert):
            for row in step.rows:
                place(row, step.before)
        elif isinstance(step, Change):
            at = [shown.key for shown in screen].index(step.old.key)
            assert screen[at] is step.old
            screen[at] = step.new
        else:
            item = next(shown for shown in screen if shown.key == step.key)
            screen.remove(item)
            if isinstance(step, Move):
                place(item, step.before)
    return screen


keys = st.lists(st.sampled_from("abcdefghij"), unique=True)


@given(keys, keys, st.sets(st.sampled_from("abcdefghij")))
def test_any_list_becomes_any_other(before: list[str], after: list[str], changed: set[str]):
    old = {key: row(key) for key in before}
    new = [row(key, 1) if key in changed or key not in old else old[key] for key in after]
    screen = carry_out(list(old.values()), new)
    assert [shown.key for shown in screen] == after
    assert all(shown is wanted for shown, wanted in zip(screen, new, strict=True))


@given(keys)
def test_nothing_new_nothing_done(before: list[str]):
    rows = [row(key) for key in before]
    assert plan(rows, list(rows)) == []


def test_a_message_at_the_end_is_one_step():
    a, b, c = row("a"), row("b"), row("c")
    assert plan([a, b], [a, b, c]) == [Insert((c,), None)]


def test_history_before_the_first_is_put_before_it():
    a, b, c = row("a"), row("b"), row("c")
    assert plan([c], [a, b, c]) == [Insert((a, b), "c")]


def test_a_received_message_is_placed_before_pending_ones():
    stored, pending, other = row("s"), row("p"), row("o")
    assert plan([stored, pending], [stored, other, pending]) == [Insert((other,), "p")]


def test_an_acknowledged_message_is_drawn_anew_where_it_stands():
    before, after = row("p"), row("p", 1)
    assert plan([row("a"), before], [row("a"), after])[-1] == Change(before, after)


def test_a_message_that_comes_to_another_place_moves_and_changes():
    one, two, stored = row("1"), row("2"), row("2", 1)
    assert plan([one, two], [stored, one]) == [Move("2", "1"), Change(two, stored)]


def test_rows_that_are_all_new_replace_the_others_in_one_step():
    a, b, c, d = row("a"), row("b"), row("c"), row("d")
    assert plan([a, b], [c, d]) == [Replace((c, d))]


def test_a_removed_message_goes():
    a, b, c = row("a"), row("b"), row("c")
    assert plan([a, b, c], [a, c]) == [Remove("b")]
