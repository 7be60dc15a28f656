"""The delivery check finds each thing that can go wrong with a message."""

from __future__ import annotations

from collections.abc import Sequence

from tests.e2e.chaos.delivery_check import (
    CheckResult,
    LogEntry,
    ObservedLog,
    Typed,
    check,
    check_log,
    check_screen,
)
from tests.e2e.chaos.tab import merged

#: Ada and Ben talk; Ada's last text was in the composer when her page went.
TYPED = (
    Typed("ada 1", "Ada", left=True),
    Typed("ben 1", "Ben", left=True),
    Typed("ada 2", "Ada", left=True),
    Typed("ben 2", "Ben", left=True),
    Typed("ada 3", "Ada"),
)
SAID = ("ada 1", "ben 1", "ada 2", "ben 2")


def lines(*texts: str, first: int = 1) -> list[LogEntry]:
    """Return entries with sequence numbers from ``first`` on."""
    return [LogEntry(text, seq) for seq, text in enumerate(texts, first)]


def test_lists_that_were_read_by_scrolling_up_become_one() -> None:
    everything = lines("a", "b", "c", "d", "e", "f")
    assert merged([everything[4:], everything[2:6], everything[1:4], everything[:3]]) == everything
    assert merged([everything[3:], everything[:3]]) == everything
    assert merged([[]]) == []


def test_what_one_list_shows_twice_or_in_disorder_stays_so() -> None:
    a, b, c, d = lines("a", "b", "c", "d")
    assert merged([[c, d], [b, c, c, d]]).count(c) > 1
    assert merged([[c, d], [a, b, d, c]]) != [a, b, c, d]
    assert LogEntry("other", 3) in merged([[c, d], [a, b, LogEntry("other", 3), d]])


def kinds(result: CheckResult) -> set[str]:
    """Return the kinds of complaints."""
    return {
        name for name in ("lost", "duplicated", "out_of_order", "different", "other") if getattr(result, name)
    }


def check_everything(log: Sequence[LogEntry], screen: Sequence[LogEntry] | None = None) -> CheckResult:
    """Check the end of a run with one screen, by default the same as the log."""
    return check(TYPED, log, {"Ben": log if screen is None else screen})


# --- the log ---


def test_every_text_once_and_in_order_is_ok():
    result = check_everything(lines(*SAID))
    assert result.ok
    assert str(result) == "ok: lost 0, duplicated 0, out of order 0, different 0, other 0"


def test_a_text_left_in_the_composer_may_have_been_sent():
    assert check_everything(lines(*SAID, "ada 3")).ok


def test_a_text_left_in_the_composer_may_not_be_sent_twice():
    result = check_everything(lines(*SAID, "ada 3", "ada 3"))
    assert result.duplicated[0] == "'ada 3' is in the log 2 times"


def test_a_text_that_is_not_in_the_log_is_lost():
    result = check_everything(lines("ada 1", "ben 1", "ada 2"))
    assert kinds(result) == {"lost"}
    assert result.lost == ("'ben 2' left its composer and is not in the log",)


def test_a_text_before_the_last_is_counted_as_lost_once():
    result = check_everything(lines("ada 1", "ada 2", "ben 2"))
    assert result == CheckResult(
        lost=("'ben 1' left its composer; the log has 'ben 2', typed later, not it",)
    )


def test_an_empty_log_has_lost_everything_that_left_a_composer():
    assert len(check_everything([]).lost) == 4


def test_a_text_that_is_stored_twice_is_duplicated():
    assert kinds(check_everything(lines(*SAID, "ben 1"))) == {"duplicated"}


def test_texts_of_one_thread_in_wrong_order_are_out_of_order():
    result = check_everything(lines("ada 2", "ben 1", "ada 1", "ben 2"))
    assert result == CheckResult(out_of_order=("in the log 'ada 1' follows 'ada 2', typed later",))


def test_two_people_may_stand_in_either_order():
    assert check_everything(lines("ben 1", "ben 2", "ada 1", "ada 2")).ok


def test_a_message_that_nobody_typed_is_noticed():
    assert kinds(check_everything(lines(*SAID, "mallory 1"))) == {"different"}


# --- a log that is not complete yet ---


def test_the_end_of_a_log_may_still_come():
    assert check_log(TYPED, lines("ada 1", "ben 1")).ok


def test_a_text_overtaken_by_a_later_one_is_lost():
    assert kinds(check_log(TYPED, lines("ada 2"))) == {"lost"}


def test_a_text_that_may_not_have_been_sent_is_not_overtaken():
    unsure = (Typed("ada 1", "Ada"), Typed("ada 2", "Ada", left=True))
    assert check_log(unsure, lines("ada 2")).ok


# --- a screen compared with the log ---


def test_a_screen_that_lacks_the_last_message_has_lost_it():
    result = check_everything(lines(*SAID), lines(*SAID[:3]))
    assert result == CheckResult(lost=("Ben's screen lacks 'ben 2' (4)",))


def test_a_screen_that_lacks_the_first_message_has_lost_it():
    result = check_everything(lines(*SAID), lines(*SAID[1:], first=2))
    assert result == CheckResult(lost=("Ben's screen lacks 'ada 1' (1)",))


def test_a_screen_that_lacks_one_in_between_has_lost_it():
    said = lines(*SAID)
    assert check_everything(said, [said[0], *said[2:]]) == CheckResult(
        lost=("Ben's screen lacks 2, between 'ada 1' and 'ada 2'",)
    )


def test_an_empty_screen_has_lost_everything():
    assert len(check_everything(lines(*SAID), []).lost) == 4


def test_a_message_that_stands_twice_on_a_screen_is_duplicated():
    said = lines(*SAID)
    assert kinds(check_everything(said, [*said, said[-1]])) == {"duplicated"}


def test_a_screen_in_another_order_is_out_of_order():
    said = lines(*SAID)
    result = check_everything(said, [said[0], said[2], said[1], said[3]])
    assert "on Ben's screen 'ben 1' (2) follows 'ada 2' (3)" in result.out_of_order


def test_a_message_that_still_waits_on_a_screen_is_different():
    result = check_everything(lines(*SAID), [*lines(*SAID), LogEntry("ada 3", None)])
    assert result == CheckResult(different=("Ben's screen has 'ada 3' (waiting), the log has not",))


def test_other_words_at_the_same_place_are_different():
    result = check_everything(lines(*SAID), lines("ada 1", "ben 1", "ada 2", "ben two"))
    assert kinds(result) == {"different"}


# --- a screen by itself ---


def test_a_screen_may_show_part_of_the_log_and_pending_messages():
    assert check_screen("Ben", [*lines("ada 2", "ben 2", first=3), LogEntry("ben 3", None)]).ok


def test_a_message_that_is_stored_and_still_waits_is_duplicated():
    result = check_screen("Ben", [*lines("ben 1"), LogEntry("ben 1", None)])
    assert result == CheckResult(duplicated=("Ben's screen has 'ben 1' 2 times",))


def test_a_hole_in_a_screen_is_a_loss():
    result = check_screen("Ben", [LogEntry("ada 1", 1), LogEntry("ben 2", 4)])
    assert result == CheckResult(lost=("Ben's screen lacks 2 to 3, between 'ada 1' and 'ben 2'",))


def test_places_that_descend_are_out_of_order():
    assert kinds(check_screen("Ben", [LogEntry("ben 1", 2), LogEntry("ada 1", 1)])) == {"out_of_order"}


# --- the log as the screens have shown it ---


def test_the_log_is_pieced_together_from_what_screens_show():
    observed = ObservedLog()
    observed.add("Ada", lines("ada 1", "ben 1"))
    observed.add("Ben", lines("ada 2", "ben 2", first=3))
    assert observed.check(TYPED).ok
    observed.add("Ben", lines("ben 2", first=5))
    assert observed.check(TYPED).duplicated == ("'ben 2' is in the log 2 times",)


def test_nothing_is_checked_beyond_an_unseen_number():
    observed = ObservedLog()
    observed.add("Ada", lines("ada 2", first=2))
    assert observed.check(TYPED).ok


def test_two_screens_that_show_different_words_at_one_place_are_noticed():
    observed = ObservedLog()
    observed.add("Ada", lines("ada 1"))
    observed.add("Ben", lines("ben 1"))
    assert observed.check(TYPED).different == ("at 1 Ben's screen has 'ben 1', another 'ada 1'",)


# --- the text of a result ---


def test_results_add_up():
    both = CheckResult(lost=("this",)) + CheckResult(lost=("that",), other=("a page complains",))
    assert (both.lost, both.other) == (("this", "that"), ("a page complains",))
    assert not both.ok


def test_a_failed_result_prints_a_limited_number_of_complaints():
    said = str(CheckResult(lost=tuple(f"text {n}" for n in range(15)), out_of_order=("later first",)))
    assert said.startswith(
        "FAILED: lost 15, duplicated 0, out of order 1, different 0, other 0\n  lost: text 0\n"
    )
    assert said.endswith("  lost: and 3 more\n  out of order: later first")
