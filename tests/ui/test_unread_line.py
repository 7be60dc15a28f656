"""The line before the first unread message: it comes with what was missed, and goes with an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chat.protocol import Message
from chat.store import ChatState
from chat.timeline import Entry, Gap, Timeline
from ui.messages.unread_line import UnreadLine

Make = Callable[..., Entry]
GAP = Gap(1, "b", 0.0, 60_000.0)


class Reader:
    """A person in room general, and the line that they see."""

    def __init__(self) -> None:
        self.line = UnreadLine()
        self.state = ChatState(name="Mika", room_id="general")
        self.is_away = False
        self.sees_end = True
        self.gaps: tuple[Gap, ...] = ()

    def sees(self, **parts: Any) -> str | None:
        """Return where the line is once these parts of the state are replaced."""
        self.state = replace(self.state, **parts)
        return self.line.update(self.state, self.gaps, is_away=self.is_away, has_seen_end=self.sees_end)

    def gets(self, *ids: str) -> str | None:
        """Return where the line is once messages with these ids have arrived."""
        timeline = self.state.timeline
        latest = (*timeline.latest, *map(message, ids))
        return self.sees(timeline=replace(timeline, arrivals=timeline.arrivals + len(ids), latest=latest))

    def answers(self) -> str | None:
        return self.sees(timeline=replace(self.state.timeline, typed=self.state.timeline.typed + 1))

    def looks(self, away: bool) -> str | None:
        self.is_away = away
        return self.sees()


def message(message_id: str) -> Message:
    return Message(
        room_id="general",
        message_id=message_id,
        sender_id="u-ren",
        sender_name="Ren",
        content="words",
        timestamp=1,
    )


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_what_arrives_before_ones_eyes_is_not_unread(reader: Reader):
    assert reader.sees() is None
    assert reader.gets("a", "b") is None


def test_a_room_entered_with_unread_messages_has_the_line(reader: Reader):
    assert reader.sees(unread_from="a") == "a"
    assert reader.gets("b") == "a"
    assert reader.sees(room_id="tea", unread_from=None) is None
    assert reader.sees(room_id="general", unread_from="c") == "c"


def test_a_page_that_reopens_gets_the_line_with_its_first_messages(reader: Reader):
    assert reader.sees() is None
    assert reader.sees(unread_from="a") == "a"


def test_an_answer_removes_the_line_until_something_is_missed_again(reader: Reader):
    reader.sees(unread_from="a")
    assert reader.answers() is None
    assert reader.gets("b") is None
    reader.looks(away=True)
    assert reader.gets("c") == "c"


def test_a_window_without_focus_marks_the_first_that_arrives(reader: Reader):
    reader.gets("a")
    assert reader.looks(away=True) is None
    assert reader.gets("b", "c") == "b"
    assert reader.gets("d") == "b"
    assert reader.looks(away=False) == "b"


def test_a_hidden_page_marks_the_first_unread_message(reader: Reader):
    reader.looks(away=True)
    assert reader.sees(first_unread="a") == "a"


def test_who_has_seen_the_end_and_looks_away_leaves_the_line(reader: Reader):
    reader.sees(unread_from="a")
    assert reader.looks(away=True) is None
    assert reader.gets("b") == "b"


def test_who_looks_away_before_the_end_keeps_the_line(reader: Reader):
    reader.sees(unread_from="a")
    reader.sees_end = False
    assert reader.looks(away=True) == "a"
    assert reader.gets("b") == "a"


def test_more_arrivals_than_are_known_mark_the_first_known(reader: Reader):
    reader.sees()
    reader.looks(away=True)
    timeline = replace(Timeline(), arrivals=500, latest=(message("y"), message("z")))
    assert reader.sees(timeline=timeline) == "y"


def test_what_an_outage_held_back_is_marked(reader: Reader, entry: Make):
    entries = [entry(key, own=key == "c") for key in "abcde"]
    before = Timeline(entries=tuple(entries[:2]), stored=2)
    assert reader.sees(timeline=before) is None
    reader.gaps = (GAP,)
    assert reader.sees(timeline=replace(before, entries=tuple(entries), stored=5)) == "d"


@pytest.mark.parametrize("missed", ["", "c"])
def test_an_outage_without_words_of_others_has_no_line(reader: Reader, entry: Make, missed: str):
    entries = [entry("a"), entry("b"), *[entry(key, own=True) for key in missed]]
    reader.sees(timeline=Timeline(entries=tuple(entries[:2]), stored=2))
    reader.gaps = (GAP,)
    assert reader.sees(timeline=Timeline(entries=tuple(entries), stored=len(entries))) is None


def test_an_earlier_outage_of_a_room_marks_nothing_when_it_is_entered(reader: Reader, entry: Make):
    reader.gaps = (GAP,)
    entries = tuple(entry(key) for key in "abc")
    assert reader.sees(timeline=Timeline(entries=entries, stored=3)) is None
    reader.gaps = ()
    assert reader.sees() is None
