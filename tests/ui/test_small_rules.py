"""Rules of a few lines each: address, days, people, scroll, title."""

import pytest

from ui.address import room_of
from ui.days import iso, relative_day, sound
from ui.people import HUES, hue, initial
from ui.scroll import first_visible, follows
from ui.title import page_title


@pytest.mark.parametrize(
    ("fragment", "room"),
    [
        ("", "general"),
        ("#", "general"),
        ("#/", "general"),
        ("#/general", "general"),
        ("#/%E6%84%9B", "愛"),
        ("#/a/b", "a/b"),
        ("#/team/", "team"),
        ("#plain", "plain"),
        ("#/%ff", "\ufffd"),
    ],
)
def test_the_address_names_the_room(fragment: str, room: str):
    assert room_of(fragment) == room


@pytest.mark.parametrize(
    ("day", "key"),
    [
        ("2024-03-01", "day.today"),
        ("2024-02-29", "day.yesterday"),
        ("2024-02-28", None),
        ("2024-03-02", None),
    ],
)
def test_today_and_yesterday_have_words(day: str, key: str | None):
    assert relative_day(day, "2024-03-01") == key


def test_a_time_from_the_network_is_bent_into_what_a_date_can_hold():
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert iso(1_700_000_000_999) == "2023-11-14T22:13:20Z"
    assert iso(2**53) == iso(sound(2**53)) == "9999-12-31T00:00:00Z"
    assert iso(-5) == "1970-01-01T00:00:00Z"


def test_people_are_told_apart():
    assert [initial(name) for name in ("mika", " 美香", "", "\u0301")] == ["M", "美", "?", "\u0301"]
    assert {hue(f"u-{number}") for number in range(100)} == {str(number) for number in range(HUES)}
    assert hue("u-1") == hue("u-1")
    assert hue("\ud83d") in {str(number) for number in range(HUES)}


@pytest.mark.parametrize(
    ("top", "result"), [(800, True), (600, True), (599, False), (0, False), (1_200, True)]
)
def test_who_is_near_the_end_follows_it(top: float, result: bool):
    assert follows(top, 200, 1_000) == result


@pytest.mark.parametrize(("top", "index"), [(0, 0), (9, 0), (10, 1), (95, 9), (100, None), (500, None)])
def test_the_first_visible_row_is_found_with_few_questions(top: float, index: int | None):
    asked: list[int] = []

    def bottom_of(row: int) -> float:
        asked.append(row)
        return (row + 1) * 10

    assert first_visible(10, bottom_of, top) == index
    assert len(asked) <= 4


def test_no_rows_no_visible_one():
    assert first_visible(0, lambda row: 0.0, 5) is None


@pytest.mark.parametrize(
    ("room", "unread", "trouble", "title"),
    [
        (None, 0, "", "Kizuna"),
        ("general", 0, "", "#general · Kizuna"),
        ("general", 3, "", "(3) #general · Kizuna"),
        ("general", 2, "No connection", "(2) No connection · #general · Kizuna"),
    ],
)
def test_the_title_says_what_a_narrow_tab_must_show(room: str | None, unread: int, trouble: str, title: str):
    assert page_title(room, unread, trouble) == title


def test_a_room_whose_name_was_pasted_decomposed_is_the_composed_one():
    assert room_of("#/caf%65%CC%81") == "caf\u00e9"
