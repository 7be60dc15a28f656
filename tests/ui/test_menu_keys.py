"""The arrow keys move through the menu, and leave fields and choices alone."""

import pytest

from ui.shell.menu_keys import focus_after


@pytest.mark.parametrize(
    ("key", "index", "tag", "result"),
    [
        ("ArrowDown", None, "div", 0),
        ("ArrowUp", None, "div", 4),
        ("ArrowDown", 3, "button", 4),
        ("ArrowDown", 4, "button", 0),
        ("ArrowUp", 0, "button", 4),
        ("Home", 3, "button", 0),
        ("End", 0, "button", 4),
        ("Tab", 3, "button", None),
        ("ArrowDown", 0, "input", None),
        ("ArrowUp", 2, "select", None),
        ("End", 0, "input", None),
    ],
)
def test_a_key_moves_to_the_next_control(key: str, index: int | None, tag: str, result: int | None):
    assert focus_after(key, index, 5, tag) == result


def test_an_empty_menu_has_nothing_to_focus():
    assert focus_after("ArrowDown", None, 0, "div") is None
