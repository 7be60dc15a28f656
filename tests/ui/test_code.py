"""Code in messages: what is between backticks, and nothing is lost or changed."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ui.messages.code import MAX_CODES, Kind, Span, spans

TEXTS = st.text(st.sampled_from("`` \n\tab絆-_\r\u2028"), max_size=60) | st.lists(
    st.sampled_from(["```", "```py", "`", "``", "\n", "a", " ", "x = 1"]), max_size=30
).map("".join)


def shape(text: str) -> list[tuple[str, str]]:
    return [(str(span.kind), span.text) for span in spans(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no code", [("text", "no code")]),
        ("", [("text", "")]),
        ("call `f(x)` now", [("text", "call "), ("inline", "f(x)"), ("text", " now")]),
        ("``a`b``", [("inline", "a`b")]),
        ("an ` alone", [("text", "an ` alone")]),
        ("`a` and `b`", [("inline", "a"), ("text", " and "), ("inline", "b")]),
        ("`a\nb`", [("text", "`a\nb`")]),
        ("`a ``b` c``", [("inline", "a ``b"), ("text", " c``")]),
        ("```\nx\n```", [("block", "x")]),
        ("```py\nx = 1\n\ny\n```\nafter", [("block", "x = 1\n\ny"), ("text", "after")]),
        ("before\n```\n```", [("text", "before\n"), ("block", "")]),
        ("```\nnever closed", [("text", "```\nnever closed")]),
        ("```\na\n```\n```\nb\n```", [("block", "a"), ("block", "b")]),
        ("```\n`a`\n```", [("block", "`a`")]),
        ("a ```b``` c", [("text", "a "), ("inline", "b"), ("text", " c")]),
    ],
)
def test_code_is_between_backticks(text: str, found: list[tuple[str, str]]):
    assert shape(text) == found


@given(TEXTS)
def test_the_sources_of_all_spans_together_are_the_text(text: str):
    found = spans(text)
    assert "".join(span.opening + span.text + span.closing for span in found) == text
    for span in found:
        fences = span.opening + span.closing
        if span.kind is Kind.TEXT:
            assert fences == ""
        elif span.kind is Kind.INLINE:
            assert set(fences) == {"`"}
            assert span.opening == span.closing
            assert "\n" not in span.text
        else:
            assert span.opening.startswith("```")
            assert span.closing.strip() == "```"


def test_more_codes_than_the_page_can_bear_stay_text():
    found = spans("`a` " * (MAX_CODES + 50))
    assert sum(span.kind is Kind.INLINE for span in found) == MAX_CODES
    assert found[-1] == Span(Kind.TEXT, "`a` " * 50)


@pytest.mark.parametrize("piece", ["`", "` ``", "```\n", "```a\n", "`a``", "`" * 7 + "\n"])
def test_the_longest_message_is_split_without_loss(piece: str):
    text = (piece * 16_384)[:16_384]
    assert "".join(span.opening + span.text + span.closing for span in spans(text)) == text
