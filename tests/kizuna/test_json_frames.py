"""The reader of frames: rejects what is not one JSON object of bounded depth."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, strategies as st

from kizuna.codec import MAX_DEPTH, NotAFrame, read_frame

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES), st.booleans())
def test_every_json_object_is_read_as_it_is(frame: dict[str, object], ascii_only: bool) -> None:
    assert read_frame(json.dumps(frame, ensure_ascii=ascii_only)) == frame


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(NotAFrame):
        assert isinstance(read_frame(text), dict)


@pytest.mark.parametrize("space", [" ", "\n\t \r"])
def test_space_around_the_object_is_allowed(space: str) -> None:
    for text in (f"{space}{{}}", f"{{}}{space}", f"{space}{{}}{space}"):
        assert read_frame(text) == {}


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_lacks_are_refused(constant: str) -> None:
    with pytest.raises(NotAFrame, match=constant):
        read_frame(f'{{"a": [{constant}]}}')


@pytest.mark.parametrize(
    "text",
    ["", "{", "nonsense", "[1]", "7", '"text"', "null", '{"a": 1} {"b": 2}', "{}x", "\ufeff{}", "9" * 5000],
)
def test_what_is_not_one_object_is_refused(text: str) -> None:
    with pytest.raises(NotAFrame):
        read_frame(text)


@pytest.mark.parametrize("text", ["[" * 20_000, '{"a":' * 20_000, '{"a":' * 100 + "1" + "}" * 100])
def test_nesting_beyond_reason_is_refused_before_it_is_read(text: str) -> None:
    with pytest.raises(NotAFrame, match="levels"):
        read_frame(text)


def test_brackets_inside_strings_are_no_nesting() -> None:
    frame = {"text": "[{" * 500 + '"\\' * 10, "more": ["]" * 100]}
    assert read_frame(json.dumps(frame)) == frame


def test_many_objects_side_by_side_are_no_nesting() -> None:
    frame = {"messages": [{"content": "{"} for _ in range(500)]}
    assert read_frame(json.dumps(frame)) == frame


def test_the_deepest_frame_allowed_is_read() -> None:
    text = '{"a":' * (MAX_DEPTH - 1) + "{}" + "}" * (MAX_DEPTH - 1)
    assert isinstance(read_frame(text), dict)


def test_depth_is_counted_level_by_level_also_after_much_that_was_closed() -> None:
    deepest = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert isinstance(read_frame(f'{{"a": {deepest}, "b": {deepest}}}'), dict)
    with pytest.raises(NotAFrame, match="levels"):
        read_frame(f'{{"a": {deepest}, "b": [{deepest}]}}')
