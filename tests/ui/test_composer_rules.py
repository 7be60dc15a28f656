"""What the keys of the message field do."""

import pytest

from chat.protocol import MAX_CONTENT_BYTES
from ui.composer.rules import (
    MAX_KIB,
    characters_in,
    characters_left,
    cut,
    fits,
    fits_with,
    has_only_files,
    is_composing_after,
    is_send_key,
    replaces_page,
    trimmed,
    units_of,
)

MOST = MAX_KIB * 1024


def pressed(
    key: str = "Enter",
    *,
    composing: bool = False,
    key_code: int = 13,
    coarse: bool = False,
    **modifiers: bool,
) -> bool:
    """Whether this key sends."""
    return is_send_key(key, composing=composing, key_code=key_code, breaks=coarse, **modifiers)


def test_enter_sends():
    assert pressed()


@pytest.mark.parametrize("coarse", [False, True])
def test_shift_enter_and_alt_enter_do_not(coarse: bool):
    for control in (False, True):
        assert not pressed(shift=True, control=control, coarse=coarse)
        assert not pressed(alt=True, control=control, coarse=coarse)


def test_enter_of_a_touch_screen_breaks_the_line():
    assert not pressed(coarse=True)


@pytest.mark.parametrize("coarse", [False, True])
def test_enter_with_control_or_command_sends_everywhere(coarse: bool):
    assert pressed(control=True, coarse=coarse)
    assert not pressed(control=True, coarse=coarse, composing=True)


def test_an_input_method_s_enter_does_not():
    assert not pressed(composing=True)
    assert not pressed(key_code=229), "WebKit ends the composition before it reports the key"


def test_no_other_key_sends():
    assert not pressed("a")


@pytest.mark.parametrize(
    "end",
    [("compositionend", None), ("blur", None), ("keydown", False), ("beforeinput", False), ("input", False)],
)
def test_any_event_after_a_composition_ends_it(end: tuple[str, bool | None]):
    assert is_composing_after("compositionstart", None, False)
    assert is_composing_after("input", True, True)
    assert not is_composing_after(*end, True)


def test_an_event_that_says_nothing_about_composing_changes_nothing():
    assert is_composing_after("input", None, True)
    assert not is_composing_after("input", None, False)


def test_a_composition_whose_beginning_was_missed_is_known_by_its_next_event():
    assert is_composing_after("keydown", True, False)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", True),
        ("x" * MOST, True),
        ("x" * (MOST + 1), False),
        ("絆" * (MOST // 3), True),
        ("絆" * (MOST // 3 + 1), False),
        ("\U0001f375" * (MOST // 4), True),
        ("\ud83d" * (MOST // 3 + 1), False),
    ],
)
def test_the_field_takes_so_many_bytes_and_no_more(text: str, result: bool):
    assert fits(text) == result
    assert fits(cut(text))
    assert cut(text) == text or not result


def test_what_is_cut_ends_with_a_whole_character():
    assert cut("絆" * MOST) == "絆" * (MOST // 3)
    assert cut("a" + "\U0001f375" * MOST) == "a" + "\U0001f375" * (MOST // 4 - 1)


def test_what_replaces_a_selection_fits_where_that_was():
    text = "\U0001f375" * (MOST // 4)
    assert not fits_with(text, 0, 0, "x")
    assert not fits_with(text, 2, 4, "12345")
    assert fits_with(text, 2, 4, "1234")
    assert fits_with(text, 0, units_of(text), "x" * MOST)


@pytest.mark.parametrize(
    ("types", "result"),
    [
        (["Files"], True),
        (["text/html", "Files"], True),
        (["application/x-moz-file", "Files"], True),
        (["text/plain", "text/html", "text/rtf", "Files"], False),
        (["text/uri-list", "text/html", "Files"], False),
        (["text/plain"], False),
        ([], False),
    ],
)
def test_a_picture_without_text_is_nothing_for_a_field(types: list[str], result: bool):
    assert has_only_files(types) == result
    assert replaces_page(types, in_field=True) == result


@pytest.mark.parametrize(
    ("types", "result"),
    [
        (["Files"], True),
        (["text/plain", "Files"], True),
        (["text/uri-list", "text/plain"], True),
        (["text/plain", "text/html"], False),
    ],
)
def test_files_and_links_beside_a_field_would_replace_the_page(types: list[str], result: bool):
    assert replaces_page(types, in_field=False) == result


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("hi", "hi"),
        ("  indented\n", "  indented"),
        ("\n\na\n\nb \n", "a\n\nb"),
        (" \n\t ", ""),
        ("", ""),
    ],
)
def test_empty_lines_around_a_message_are_not_sent(typed: str, sent: str):
    assert trimmed(typed) == sent


def test_the_room_left_is_told_only_near_the_limit():
    assert characters_left("x" * 1_000) is None
    assert characters_left("x" * (MAX_CONTENT_BYTES // 2)) is None
    assert characters_left("x" * (MAX_CONTENT_BYTES - 10)) == 10
    assert characters_left("x" * (MAX_CONTENT_BYTES + 10)) == -10


def test_the_limit_is_in_bytes_and_told_in_characters():
    assert characters_left("絆" * 20_000) == -14_600
    assert characters_left("x" * (MAX_CONTENT_BYTES - 1_234)) == 1_230
    assert characters_left("絆" * (MAX_CONTENT_BYTES // 3)) == 0


def test_half_of_a_surrogate_pair_can_be_typed_and_counted():
    assert characters_left("\ud83d" * MAX_CONTENT_BYTES) == -11_000


@pytest.mark.parametrize("text", ["", "abc", "絆", "a\U0001f375b\U0001f375", "\ud83d"])
def test_positions_are_counted_as_javascript_counts_them(text: str):
    for characters in range(len(text) + 1):
        units = len(text[:characters].encode("utf-16-le", "surrogatepass")) // 2
        assert units_of(text[:characters]) == units
        assert characters_in(text, units) == characters


def test_a_position_inside_of_a_character_is_before_it():
    assert characters_in("a\U0001f375", 2) == 1
