"""Texts of refusals, for each kind and language."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat.protocol import InvalidField, check_content, check_person_name, check_room
from chat.store import Notice, NoticeKind
from ui.kit.texts import LANGUAGES, Texts, read_catalogue
from ui.messages.failures import notice_text, refusal_text

FOLDER = Path(__file__).resolve().parents[2] / "static" / "i18n"
CATALOGUES = {language: read_catalogue(FOLDER, language) for language in LANGUAGES}
TEXTS = {language: Texts(CATALOGUES[language], language) for language in LANGUAGES}

ENGLISH = re.compile("[A-Za-z]{4,}")

Check = Callable[[str, Any], str]
#: Everything that a person can enter and a rule refuses.
REFUSALS: list[tuple[NoticeKind, Check, str, str]] = [
    (NoticeKind.NAME_REFUSED, check_person_name, " ", "blank"),
    (NoticeKind.NAME_REFUSED, check_person_name, "名" * 41, "too_long"),
    (NoticeKind.NAME_REFUSED, check_person_name, "名\u3164", "invisible"),
    (NoticeKind.NAME_REFUSED, check_person_name, "名" + "\u0301" * 7, "marks"),
    (NoticeKind.ROOM_REFUSED, check_room, "お茶の間!", "room"),
    (NoticeKind.ROOM_REFUSED, check_room, "お茶\u3164", "invisible"),
    (NoticeKind.ROOM_REFUSED, check_room, "部" * 65, "room"),
    (NoticeKind.ROOM_REFUSED, check_room, "部" + "\u0301" * 7, "marks"),
    (NoticeKind.MESSAGE_REFUSED, check_content, "言葉" * 10_000, "too_large"),
    (NoticeKind.MESSAGE_REFUSED, check_content, "\x01" * 10_000, "unwieldy"),
    (NoticeKind.MESSAGE_REFUSED, check_content, "\ud83d", "broken"),
    (NoticeKind.MESSAGE_REFUSED, check_content, " ", "blank"),
]


def notice_of(kind: NoticeKind, check: Check, text: str) -> Notice:
    with pytest.raises(InvalidField) as refused:
        check("field", text)
    room = {"room": text} if kind is NoticeKind.ROOM_REFUSED else {}
    return Notice(kind, 1, {"problem": refused.value.reason, **room, **refused.value.params})


@pytest.mark.parametrize(("kind", "check", "text", "reason"), REFUSALS)
def test_a_refusal_is_told_in_the_persons_language_alone(
    kind: NoticeKind, check: Check, text: str, reason: str
) -> None:
    notice = notice_of(kind, check, text)
    assert notice.params["problem"] == reason
    japanese, english = (notice_text(notice, TEXTS[language]) for language in ("ja", "en"))
    assert not ENGLISH.search(japanese)
    assert "{" not in japanese + english
    assert "problem" not in english


@pytest.mark.parametrize(
    "key",
    [key for key in CATALOGUES["ja"] if key.partition(".")[0] in ("notice", "problem", "failure", "reason")],
)
def test_what_went_wrong_has_no_english_words_in_japanese(key: str) -> None:
    text = CATALOGUES["ja"][key]
    for form in (text,) if isinstance(text, str) else text.values():
        assert not ENGLISH.search(re.sub(r"\{\w+\}|ALLOWED_ORIGINS", "", form))  # a setting has one name


def test_the_characters_too_many_are_counted() -> None:
    notice = notice_of(NoticeKind.MESSAGE_REFUSED, check_content, "x" * 16_385)
    assert (
        notice_text(notice, TEXTS["en"]) == "This message can't be sent: it is too long by about 1 character."
    )
    many = notice_of(NoticeKind.MESSAGE_REFUSED, check_content, "x" * 60_000)
    texts = Texts(CATALOGUES["en"], "en", number=lambda number: f"{number:,}")
    assert "too long by about 43,700 characters" in notice_text(many, texts)


def test_a_quoted_name_turns_nothing_around_and_shows_what_it_hides(keys: Texts) -> None:
    text = refusal_text("refused", {"room": "tea\u202e\u3164" + "x" * 500}, keys)
    assert text == "<refused room=\u2068tea\ufffd\ufffd" + "x" * 59 + "\u2069>"
