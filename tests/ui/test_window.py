"""A long conversation costs no more than a short one."""

from collections.abc import Callable

from chat.timeline import Entry
from ui.messages.window import GROW_BY, MAX_SHOWN, SHOWN_AFTER_CUT, Window

Make = Callable[..., Entry]


def test_a_short_conversation_is_shown_whole(entry: Make):
    entries = [entry(str(number)) for number in range(MAX_SHOWN)]
    window = Window()
    assert window.cut(entries, may_shrink=True) == entries
    assert window.whole


def test_who_follows_the_end_sees_the_newest(entry: Make):
    entries = [entry(str(number)) for number in range(MAX_SHOWN + 1)]
    window = Window()
    assert window.cut(entries, may_shrink=True) == entries[-SHOWN_AFTER_CUT:]
    assert not window.whole
    entries.append(entry("new"))
    assert window.cut(entries, may_shrink=True) == entries[-SHOWN_AFTER_CUT - 1 :]


def test_who_reads_is_not_disturbed(entry: Make):
    entries = [entry(str(number)) for number in range(MAX_SHOWN * 2)]
    assert len(Window().cut(entries, may_shrink=False)) == MAX_SHOWN * 2


def test_scrolling_up_shows_more_until_all_is_shown(entry: Make):
    entries = [entry(str(number)) for number in range(MAX_SHOWN + 50)]
    window = Window()
    window.cut(entries, may_shrink=True)
    window.grow(entries)
    assert len(window.cut(entries, may_shrink=False)) == SHOWN_AFTER_CUT + GROW_BY
    window.grow(entries)
    assert window.cut(entries, may_shrink=False) == entries
    assert window.whole


def test_the_first_one_shown_stays_when_history_comes_before_it(entry: Make):
    entries = [entry(str(number)) for number in range(MAX_SHOWN + 1)]
    window = Window()
    first = window.cut(entries, may_shrink=True)[0]
    assert window.cut([entry("older"), *entries], may_shrink=True)[0] is first


def test_another_history_is_shown_from_its_beginning(entry: Make):
    window = Window()
    window.cut([entry(str(number)) for number in range(MAX_SHOWN + 1)], may_shrink=True)
    other = [entry("other")]
    assert window.cut(other, may_shrink=True) == other
    assert window.whole


def test_reset_forgets(entry: Make):
    entries = [entry(str(number)) for number in range(MAX_SHOWN + 1)]
    window = Window()
    window.cut(entries, may_shrink=True)
    window.reset()
    assert window.cut(entries, may_shrink=False) == entries
