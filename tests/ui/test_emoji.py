"""A message of a few emoji is shown larger."""

import pytest

from ui.messages.copied import copied_text
from ui.messages.emoji import MAX_EMOJI, is_emoji_only


@pytest.mark.parametrize(
    "text",
    [
        "👍",
        "👍🏽",
        "❤️",
        "🇯🇵",
        "👨\u200d👩\u200d👧",
        "🎉 🎉 🎉",
        "1\ufe0f\u20e3",
        "☕",
        "⏰",
        "🏴\U000e0067\U000e0062\U000e007f",
        "🎉" * MAX_EMOJI,
    ],
)
def test_a_few_emoji_are_nothing_else(text: str):
    assert is_emoji_only(text)


@pytest.mark.parametrize(
    "text", ["", " ", "ok 👍", "12", "→", "日本", "🎉" * (MAX_EMOJI + 1), "©", "👍!", "👍" * 5000]
)
def test_other_texts_are_not(text: str):
    assert not is_emoji_only(text)


def test_copied_messages_are_a_line_each():
    lines = [("02:00", "Chiyo", "one"), ("02:01", "Ren", "two\nlines")]
    assert copied_text(lines) == "[02:00] Chiyo: one\n[02:01] Ren: two\nlines"
