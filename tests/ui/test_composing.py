"""What the keys of the message field do."""

import pytest

from chat.protocol import MAX_CONTENT_BYTES
from ui.composing import bytes_left, sends, to_send


def pressed(
    key: str = "Enter",
    *,
    shift: bool = False,
    other_modifier: bool = False,
    composing: bool = False,
    key_code: int = 13,
) -> bool:
    """Whether this key sends."""
    return sends(key, shift=shift, other_modifier=other_modifier, composing=composing, key_code=key_code)


def test_enter_sends():
    assert pressed()


def test_enter_with_a_modifier_does_not():
    assert not pressed(shift=True)
    assert not pressed(other_modifier=True)


def test_an_input_method_s_enter_does_not():
    assert not pressed(composing=True)
    assert not pressed(key_code=229), "WebKit ends the composition before it reports the key"


def test_no_other_key_sends():
    assert not pressed("a")


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
    assert to_send(typed) == sent


def test_the_room_left_is_told_only_near_the_limit():
    assert bytes_left("x" * 1_000) is None
    assert bytes_left("x" * (MAX_CONTENT_BYTES // 2)) is None
    assert bytes_left("x" * (MAX_CONTENT_BYTES - 10)) == 10
    assert bytes_left("x" * (MAX_CONTENT_BYTES + 10)) == -10


def test_bytes_are_counted_not_characters():
    assert bytes_left("絆" * (MAX_CONTENT_BYTES // 3)) == MAX_CONTENT_BYTES % 3


def test_half_of_a_surrogate_pair_can_be_typed_and_counted():
    assert bytes_left("\ud83d" * MAX_CONTENT_BYTES) == -2 * MAX_CONTENT_BYTES
