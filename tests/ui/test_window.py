"""A long conversation costs no more than a short one."""

from collections.abc import Callable

from chat.timeline import Entry
from ui.messages.window import KEPT, MORE, MOST, Window

Make = Callable[..., Entry]


def test_a_short_conversation_is_shown_whole(entry: Make):
    entries = [entry(str(number)) for number in range(MOST)]
    window = Window()
    assert window.cut(entries, may_shrink=True) == entries
    assert window.whole


def test_who_follows_the_end_sees_the_newest(entry: Make):
    entries = [entry(str(number)) for number in range(MOST + 1)]
    window = Window()
    assert window.cut(entries, may_shrink=True) == entries[-KEPT:]
    assert not window.whole
    entries.append(entry("new"))
    assert window.cut(entries, may_shrink=True) == entries[-KEPT - 1 :]


def test_who_reads_is_not_disturbed(entry: Make):
    entries = [entry(str(number)) for number in range(MOST * 2)]
    assert len(Window().cut(entries, may_shrink=False)) == MOST * 2


def test_scrolling_up_shows_more_until_all_is_shown(entry: Make):
    entries = [entry(str(number)) for number in range(MOST + 50)]
    window = Window()
    window.cut(entries, may_shrink=True)
    window.grow(entries)
    assert len(window.cut(entries, may_shrink=False)) == KEPT + MORE
    window.grow(entries)
    assert window.cut(entries, may_shrink=False) == entries
    assert window.whole


def test_the_first_one_shown_stays_when_history_comes_before_it(entry: Make):
    entries = [entry(str(number)) for number in range(MOST + 1)]
    window = Window()
    first = window.cut(entries, may_shrink=True)[0]
    assert window.cut([entry("older"), *entries], may_shrink=True)[0] is first


def test_another_history_is_shown_from_its_beginning(entry: Make):
    window = Window()
    window.cut([entry(str(number)) for number in range(MOST + 1)], may_shrink=True)
    other = [entry("other")]
    assert window.cut(other, may_shrink=True) == other
    assert window.whole


def test_reset_forgets(entry: Make):
    entries = [entry(str(number)) for number in range(MOST + 1)]
    window = Window()
    window.cut(entries, may_shrink=True)
    window.reset()
    assert window.cut(entries, may_shrink=False) == entries
