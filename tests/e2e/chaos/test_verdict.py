"""The verdict notices each thing that can go wrong with a message, on logs and screens that are made up."""

from __future__ import annotations

from collections.abc import Sequence

from tests.e2e.chaos.verdict import Gathered, Line, Typed, Verdict, judge, judge_log, judge_screen

#: Ada and Ben talk; Ada's last text was in the composer when her page went.
TYPED = (
    Typed("ada 1", "Ada", left=True),
    Typed("ben 1", "Ben", left=True),
    Typed("ada 2", "Ada", left=True),
    Typed("ben 2", "Ben", left=True),
    Typed("ada 3", "Ada"),
)
SAID = ("ada 1", "ben 1", "ada 2", "ben 2")


def lines(*texts: str, first: int = 1) -> list[Line]:
    """Messages with numbers from ``first`` on."""
    return [Line(text, seq) for seq, text in enumerate(texts, first)]


def kinds(verdict: Verdict) -> set[str]:
    """What the verdict complains of."""
    return {
        name
        for name in ("lost", "duplicated", "out_of_order", "different", "other")
        if getattr(verdict, name)
    }


def judge_all(log: Sequence[Line], screen: Sequence[Line] | None = None) -> Verdict:
    """At the end, with one screen that is the log unless another is given."""
    return judge(TYPED, log, {"Ben": log if screen is None else screen})


# --- the log ---


def test_every_text_once_and_in_order_holds():
    verdict = judge_all(lines(*SAID))
    assert verdict.holds
    assert str(verdict) == "holds: lost 0, duplicated 0, out of order 0, different 0, other 0"


def test_a_text_that_was_in_the_composer_when_its_page_went_may_have_been_sent():
    assert judge_all(lines(*SAID, "ada 3")).holds


def test_but_not_twice():
    verdict = judge_all(lines(*SAID, "ada 3", "ada 3"))
    assert verdict.duplicated[0] == "'ada 3' is in the log 2 times"


def test_a_text_that_is_not_in_the_log_is_lost():
    verdict = judge_all(lines("ada 1", "ben 1", "ada 2"))
    assert kinds(verdict) == {"lost"}
    assert verdict.lost == ("'ben 2' left its composer and is not in the log",)


def test_a_text_before_the_last_of_its_thread_is_lost_once_and_not_twice():
    verdict = judge_all(lines("ada 1", "ada 2", "ben 2"))
    assert verdict == Verdict(lost=("'ben 1' left its composer; the log has 'ben 2', typed later, not it",))


def test_an_empty_log_has_lost_everything_that_left_a_composer():
    assert len(judge_all([]).lost) == 4


def test_a_text_that_is_stored_twice_is_duplicated():
    assert kinds(judge_all(lines(*SAID, "ben 1"))) == {"duplicated"}


def test_two_texts_of_one_thread_in_the_wrong_order_are_out_of_order():
    verdict = judge_all(lines("ada 2", "ben 1", "ada 1", "ben 2"))
    assert verdict == Verdict(out_of_order=("in the log 'ada 1' follows 'ada 2', typed later",))


def test_two_people_may_stand_in_either_order():
    assert judge_all(lines("ben 1", "ben 2", "ada 1", "ada 2")).holds


def test_a_message_that_nobody_typed_is_noticed():
    assert kinds(judge_all(lines(*SAID, "mallory 1"))) == {"different"}


# --- a log that is not complete yet ---


def test_the_end_of_a_log_may_still_come():
    assert judge_log(TYPED, lines("ada 1", "ben 1")).holds


def test_what_a_later_text_of_the_same_thread_has_overtaken_is_lost():
    assert kinds(judge_log(TYPED, lines("ada 2"))) == {"lost"}


def test_a_text_that_may_not_have_been_sent_is_not_overtaken():
    unsure = (Typed("ada 1", "Ada"), Typed("ada 2", "Ada", left=True))
    assert judge_log(unsure, lines("ada 2")).holds


# --- a screen compared with the log ---


def test_a_screen_that_lacks_the_last_message_has_lost_it():
    verdict = judge_all(lines(*SAID), lines(*SAID[:3]))
    assert verdict == Verdict(lost=("Ben's screen lacks 'ben 2' (4)",))


def test_a_screen_that_lacks_the_first_message_has_lost_it():
    verdict = judge_all(lines(*SAID), lines(*SAID[1:], first=2))
    assert verdict == Verdict(lost=("Ben's screen lacks 'ada 1' (1)",))


def test_a_screen_that_lacks_one_in_between_has_lost_it():
    said = lines(*SAID)
    assert judge_all(said, [said[0], *said[2:]]) == Verdict(
        lost=("Ben's screen lacks 2, between 'ada 1' and 'ada 2'",)
    )


def test_an_empty_screen_has_lost_everything():
    assert len(judge_all(lines(*SAID), []).lost) == 4


def test_a_message_that_stands_twice_on_a_screen_is_duplicated():
    said = lines(*SAID)
    assert kinds(judge_all(said, [*said, said[-1]])) == {"duplicated"}


def test_a_screen_in_another_order_is_out_of_order():
    said = lines(*SAID)
    verdict = judge_all(said, [said[0], said[2], said[1], said[3]])
    assert "on Ben's screen 'ben 1' (2) follows 'ada 2' (3)" in verdict.out_of_order


def test_a_message_that_still_waits_on_a_screen_is_different():
    verdict = judge_all(lines(*SAID), [*lines(*SAID), Line("ada 3", None)])
    assert verdict == Verdict(different=("Ben's screen has 'ada 3' (waiting), the log has not",))


def test_other_words_at_the_same_place_are_different():
    verdict = judge_all(lines(*SAID), lines("ada 1", "ben 1", "ada 2", "ben two"))
    assert kinds(verdict) == {"different"}


# --- a screen by itself, while things break ---


def test_a_screen_may_show_a_part_of_the_log_and_then_what_waits():
    assert judge_screen("Ben", [*lines("ada 2", "ben 2", first=3), Line("ben 3", None)]).holds


def test_a_message_that_is_stored_and_still_waits_is_duplicated():
    verdict = judge_screen("Ben", [*lines("ben 1"), Line("ben 1", None)])
    assert verdict == Verdict(duplicated=("Ben's screen has 'ben 1' 2 times",))


def test_a_hole_in_a_screen_is_a_loss():
    verdict = judge_screen("Ben", [Line("ada 1", 1), Line("ben 2", 4)])
    assert verdict == Verdict(lost=("Ben's screen lacks 2 to 3, between 'ada 1' and 'ben 2'",))


def test_places_that_descend_are_out_of_order():
    assert kinds(judge_screen("Ben", [Line("ben 1", 2), Line("ada 1", 1)])) == {"out_of_order"}


# --- what all screens have shown so far ---


def test_the_log_is_pieced_together_from_what_screens_show():
    gathered = Gathered()
    gathered.add("Ada", lines("ada 1", "ben 1"))
    gathered.add("Ben", lines("ada 2", "ben 2", first=3))
    assert gathered.judge(TYPED).holds
    gathered.add("Ben", lines("ben 2", first=5))
    assert gathered.judge(TYPED).duplicated == ("'ben 2' is in the log 2 times",)


def test_beyond_a_place_that_nobody_has_shown_nothing_is_judged():
    gathered = Gathered()
    gathered.add("Ada", lines("ada 2", first=2))
    assert gathered.judge(TYPED).holds


def test_two_screens_that_show_different_words_at_one_place_are_noticed():
    gathered = Gathered()
    gathered.add("Ada", lines("ada 1"))
    gathered.add("Ben", lines("ben 1"))
    assert gathered.judge(TYPED).different == ("at 1 Ben's screen has 'ben 1', another 'ada 1'",)


# --- the words of a verdict ---


def test_verdicts_add_up():
    both = Verdict(lost=("this",)) + Verdict(lost=("that",), other=("a page complains",))
    assert (both.lost, both.other) == (("this", "that"), ("a page complains",))
    assert not both.holds


def test_a_broken_verdict_says_what_is_wrong_and_not_for_ever():
    said = str(Verdict(lost=tuple(f"text {n}" for n in range(15)), out_of_order=("later first",)))
    assert said.startswith(
        "BROKEN: lost 15, duplicated 0, out of order 1, different 0, other 0\n  lost: text 0\n"
    )
    assert said.endswith("  lost: and 3 more\n  out of order: later first")
