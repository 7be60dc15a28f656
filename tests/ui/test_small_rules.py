"""Rules of a few lines each: address, company, days, failures, locales, people, rooms, scroll, title."""

import pytest

from chat.store import ChatState, RoomSummary
from kizuna.delivery.pending_message import Failure
from ui.kit.days import clamp_timestamp, iso, relative_day
from ui.kit.locales import locales_of
from ui.kit.texts import Texts
from ui.messages.avatars import HUES, hue, initial
from ui.messages.failures import failure_text
from ui.messages.scroll import first_visible, follows
from ui.rooms.address import address_of, room_from_input, room_of
from ui.rooms.presence_text import present_words, typing_words
from ui.rooms.rules import badge, only_appends
from ui.shell.title import page_title


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
        ("#/%ff", "\ufffd"),
        ("#/tea%E2%80%8B", "tea"),
        ("#/%E2%80%8F", "general"),
    ],
)
def test_the_address_names_the_room(fragment: str, room: str):
    assert room_of(fragment) == room


@pytest.mark.parametrize(
    "fragment", ["#composer-text", "#section", "#_=_", "#access_token=a/b", "#:~:text=x"]
)
def test_a_fragment_that_is_not_of_this_page_names_no_room(fragment: str):
    assert room_of(fragment) is None


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


@pytest.mark.parametrize(
    ("language", "spoken", "dates", "clock"),
    [
        ("en", ["en-US", "en"], "en-US", "en-US"),
        ("en", ["en-GB", "en-US", "en"], "en-GB", "en-GB"),
        ("en", ["de-DE"], "en", "de-DE"),
        ("en", ["de-DE", "de", "en-US", "en"], "en-US", "de-DE"),
        ("en", ["fr-FR", "en-GB"], "en-GB", "fr-FR"),
        ("ja", ["ja-JP"], "ja-JP", "ja-JP"),
        ("en", ["ja-JP", "ja"], "en", "ja-JP"),
        ("ja", ["en-GB"], "ja", "en-GB"),
        ("en", ["eno-XX", "EN-au"], "EN-au", "eno-XX"),
        ("en", ["zh-Hant-TW", "es-419"], "en", "zh-Hant-TW"),
        ("en", ["en-US@posix", "C", "", "zh-cmn-Hans", "en-US-x-twain"], "en", "en"),
        ("en", [], "en", "en"),
    ],
)
def test_dates_follow_the_readers_region_and_the_clock_the_first_language(
    language: str, spoken: list[str], dates: str, clock: str
):
    assert locales_of(language, spoken) == (dates, clock)


def test_a_timestamp_from_the_network_is_clamped_to_valid_dates():
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert iso(1_700_000_000_999) == "2023-11-14T22:13:20Z"
    assert iso(2**53) == iso(clamp_timestamp(2**53)) == "9999-12-31T00:00:00Z"
    assert iso(-5) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("mika", "M"),
        (" 美香", "美"),
        ("🇯🇵 Mika", "🇯🇵"),
        ("🇯🇵🇫🇷", "🇯🇵"),
        ("👨\u200d👩\u200d👧 family", "👨\u200d👩\u200d👧"),
        ("👍🏽Ann", "👍🏽"),
        ("1\ufe0f\u20e3 Ann", "1\ufe0f\u20e3"),
        ("🏴\U000e0067\U000e0062\U000e007f Harry", "🏴\U000e0067\U000e0062\U000e007f"),
        ("ß", "ß"),
        ("ელენე", "ე"),
        ("éva", "É"),
        ("e\u0328\u0301va", "E\u0328\u0301"),
        ("निशा", "नि"),
        ("क्षितिज", "क्षि"),
        ("ที่รัก", "ที่"),
        ("邉\U000e0100田", "邉\U000e0100"),
        ("\u200f\u3164דוד", "ד"),
        ("", "?"),
        ("\u200f ", "?"),
        ("\ud83d", "?"),
    ],
)
def test_an_avatar_shows_one_whole_character(name: str, shown: str):
    assert initial(name) == shown


def test_people_are_told_apart():
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


@pytest.mark.parametrize("room", ["general", "日本語", "caf\u00e9", "a b", "a/b", "#?%&", "\U0001f375"])
def test_the_address_of_a_room_names_that_room(room: str):
    assert room_of(address_of(room)) == room
    assert address_of(room).isascii()


def test_half_of_a_surrogate_pair_has_an_address_too():
    assert room_of(address_of("a\ud83d")) == "a?"


@pytest.mark.parametrize(
    ("typed", "room"),
    [
        ("tea", "tea"),
        (" #tea ", "tea"),
        ("\uff03お茶", "お茶"),
        ("\u200f#\u200bשלום\u200f", "שלום"),
        ("#", ""),
        ("  ", ""),
        ("a b", "a b"),
    ],
)
def test_the_room_that_somebody_means(typed: str, room: str):
    assert room_from_input(typed) == room


@pytest.mark.parametrize(("unread", "shown"), [(0, ""), (1, "1"), (99, "99"), (100, "99+"), (12_000, "99+")])
def test_a_badge_is_short(unread: int, shown: str):
    assert badge(unread) == shown


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        ("", "ab", True),
        ("ab", "abc", True),
        ("abc", "ac", True),
        ("abc", "acd", True),
        ("abc", "", True),
        ("ab", "ba", False),
        ("ab", "cab", False),
    ],
)
def test_rooms_that_stay_keep_their_places(old: str, new: str, result: bool):
    assert only_appends(old, new) == result


def test_unread_messages_are_counted_in_the_shown_room_and_in_all():
    rooms = (RoomSummary("general", 2), RoomSummary("tea", 3))
    state = ChatState(name="Mika", room_id="general", rooms=rooms)
    assert (state.unread, state.unread_everywhere) == (2, 5)
    assert (ChatState().unread, ChatState().unread_everywhere) == (0, 0)


def test_how_many_are_here_is_told_in_short_and_in_words(keys: Texts):
    assert present_words(3, False, keys) == ("<present.short count=3>", "<present.words count=3>")
    assert present_words(100, True, keys) == (
        "<present.short_or_more count=100>",
        "<present.words_or_more count=100>",
    )


def test_who_is_writing_is_named_as_long_as_there_are_few(keys: Texts):
    assert typing_words((), keys) == ""
    assert typing_words(("Ren",), keys) == "<typing.one name=\u2068Ren\u2069>"
    assert typing_words(("Ren", "Mika"), keys) == "<typing.two name=\u2068Ren\u2069 other=\u2068Mika\u2069>"
    assert typing_words(("Ren", "Mika", "Ada"), keys) == "<typing.several>"


def test_a_failures_text_is_the_catalogues_then_the_servers_then_general():
    texts = Texts(
        {
            "failure.busy": "Too busy",
            "message.failed": "Not sent: {reason}",
            "message.failed_unknown": "no reason",
        },
        "en",
    )
    assert failure_text(Failure("busy", "come later"), texts) == "Too busy"
    assert failure_text(Failure("odd", "come later"), texts) == "Not sent: come later"
    assert failure_text(Failure("odd"), texts) == failure_text(None, texts) == "Not sent: no reason"
