"""The names of people and rooms: of every script, never deceptive, and one verdict whatever the Python."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from chat import names
from chat.names import InvalidName

ZWNJ, ZWJ, RLM, LRM, SHY, ZWSP, VS16 = "\u200c", "\u200d", "\u200f", "\u200e", "\xad", "\u200b", "\ufe0f"
FILLERS = ("\u3164", "\uffa0", "\u115f", "\u1160")
ENGLAND = "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbeng") + "\U000e007f"
#: Unicode 15, 15.1 and 16: not assigned for Python 3.11 or 3.12.
SHAKING_FACE, NAG_MUNDARI, KAWI, TODHRI = "\U0001fae8", "\U0001e4d0\U0001e4d1", "\U00011f04", "\U000105d2"

ROOMS = [
    "general",
    "r.1-2_3",
    "お茶",
    "हिन्दी",
    "ห้อง",
    "ที่นี่",
    "தமிழ்",
    "বাংলা",
    "မြန်မာ",
    "ကြွှုံး",
    "ಕನ್ನಡ",
    "മലയാളം",
    "සිංහල",
    "ភាសាខ្មែរ",
    "བོད་ཡིག"[:3],
    "עִבְרִית",
    "العربيّة",
    f"می{ZWNJ}خواهم",
    f"ශ්{ZWJ}රී",
    f"ന{chr(0xD4D)}{ZWJ}",
    "tiếng-việt",
    "ｔｅａ",
    "ﾃｽﾄ",
    "①番",
    NAG_MUNDARI,
    f"tea{KAWI}",
]
NO_ROOMS = [
    *(f"general{filler}" for filler in FILLERS),
    *FILLERS,
    *(f"gen{char}eral" for char in (ZWNJ, ZWJ, ZWSP, SHY, RLM, "\u034f", "\u2060", "\u2800", "\u180b")),
    f"general{ZWJ}",
    f"{ZWNJ}می",
    f"می{ZWNJ}{ZWNJ}خواهم",
    "general\ufe0f",
    "葛\U000e0100飾",
    "general\U000e0041",
    "a\u202eb",
    "\u0301a",
    "\u093eक",
    "a" + "\u0301\u0323" * 4,
    "a" + "\u1ab0" * 7,
    "#tea",
    "お茶！",
    "a b",
    "a\u3000b",
    "☕",
    "☀",
    "🍵",
    SHAKING_FACE,
    "\ue000",
    "\ufdd0",
    "\ud800",
]
PEOPLE = [
    f"علی{ZWNJ}رضا",
    f"{ENGLAND} Harry",
    f"ശ്രീകുമാര{chr(0xD4D)}{ZWJ}",
    f"ක්{ZWJ}ෂ",
    f"👩{ZWJ}🚀",
    f"👁{VS16}{ZWJ}🗨{VS16}",
    "👨\u200d👩\u200d👧",
    f"❤{VS16}",
    f"1{VS16}\u20e3 Ann",
    "👍🏽",
    "🇯🇵 Mika",
    "渡邉\U000e0100",
    "\u1820\u180b\u1821",
    "ที่รัก",
    "नेहा",
    "Nguyễn Thị",
    "O'Brien-Smith",
    f"{SHAKING_FACE} Ann",
    NAG_MUNDARI,
    "x" * 40,
]
EDGES = [
    (f"{RLM}דוד", "דוד"),
    (f" {RLM} דוד{LRM}{ZWSP} ", "דוד"),
    (f"{SHY}Ann{SHY}", "Ann"),
    (f"\ufeffAnn{ZWNJ}\u2060", "Ann"),
    ("\u3000Ann\t\n Lee\u00a0", "Ann Lee"),
    ("e\u0301", "é"),
]
NO_PEOPLE = {
    "too_long": ["x" * 41, "\u0958" * 40],  # one character that is composed as two
    "blank": ["", " \u3000", "\u0301", f"{RLM}{ZWSP}", "\u0301 \u0301"],
    "invisible": [
        *FILLERS,
        *(f"Ann{filler}" for filler in FILLERS),
        "\u2800",
        "\U0001d159",
        "\ufffc",
        "Ann\u2800",
        f"A{ZWJ}nn",
        f"A{ZWNJ}nn",
        f"Ann{VS16}",
        f"Ann1{VS16}",
        "A\u034fnn",
        f"John{SHY}son",
        f"a{ZWSP}b",
        "\u202eevil",
        "\u2066Ann\u2069",
        "a\x00b",
        "\ue000",
        "\ud800",
        f"👩{ZWJ}{ZWJ}🚀",
        f"👩{ZWJ}",
        "\U0001f3f4\U000e0067",
        "Ann\U000e0067\U000e007f",
    ],
    "marks": ["Z" + "\u0300\u0316" * 4, "Z" + "\u1dc0" * 7],
}


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_has_a_name_of_any_script(name: str) -> None:
    assert names.room(names.composed(name)) == names.composed(name)


@pytest.mark.parametrize("name", NO_ROOMS)
def test_a_name_that_hides_something_or_holds_signs_is_no_rooms(name: str) -> None:
    with pytest.raises(InvalidName):
        names.room(name)


@pytest.mark.parametrize("name", PEOPLE)
def test_people_keep_their_names(name: str) -> None:
    assert names.person(name) == name


@pytest.mark.parametrize(("typed", "name"), EDGES)
def test_what_keyboards_leave_around_a_name_is_taken_away(typed: str, name: str) -> None:
    assert names.person(typed) == name


@pytest.mark.parametrize(
    ("reason", "name"), [(reason, name) for reason, group in NO_PEOPLE.items() for name in group]
)
def test_a_name_that_cannot_be_used_is_refused_with_the_reason(reason: str, name: str) -> None:
    with pytest.raises(InvalidName) as refused:
        names.person(name)
    assert refused.value.reason == reason


# --- one verdict ---


def accepted(rule: Callable[[str], str], text: str) -> bool:
    try:
        rule(text)
    except InvalidName:
        return False
    return True


def test_each_python_gives_the_same_verdict_on_every_block() -> None:
    """Held against one number, here and inside the page (tests/e2e/test_units_in_page.py)."""
    texts = (f"a{chr(code)}" for code in range(0, 0x20000, 11))
    verdicts = ["01"[accepted(rule, text)] for text in texts for rule in (names.room, names.person)]
    assert hashlib.sha256("".join(verdicts).encode()).hexdigest()[:16] == "8e812a6eb3054c5c"


def test_a_python_that_knows_less_unicode_gives_the_same_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unassigned means Cn, no composition, no order of marks: none of it may be asked of the running Python."""
    examples = [*ROOMS, *NO_ROOMS, *PEOPLE, TODHRI + "\u0307", "a\u0323\u1ac1\u0301"]

    def given() -> list[bool]:
        names._room_of_any_script.cache_clear()
        return [accepted(rule, name) for name in examples for rule in (names.room, names.person)]

    def ancient(form: str, text: str) -> str:
        assert not any(unicodedata.ucd_3_2_0.category(char) == "Cn" for char in text)
        return unicodedata.normalize(form, text)  # type: ignore[arg-type]

    before = given()
    monkeypatch.setattr(unicodedata, "category", lambda char: "Cn")
    monkeypatch.setattr(names, "normalize", ancient)
    assert given() == before


def test_two_spellings_of_one_word_are_one_name_beside_newer_characters() -> None:
    assert names.composed(f"cafe\u0301{SHAKING_FACE}e\u0301") == f"café{SHAKING_FACE}é"


@given(st.text(max_size=60))
def test_a_name_that_is_accepted_is_accepted_again_unchanged(text: str) -> None:
    for rule in (names.person, names.room):
        try:
            name = rule(text)
        except InvalidName:
            continue
        assert rule(name) == name == names.composed(name)


# --- what was accepted before (until 559f4ed) ---

OLD_ROOM = re.compile(r"\w[\w.-]{0,63}\Z")


def test_every_letter_that_a_room_could_have_it_still_can() -> None:
    """But for fillers, which look like nothing, and two blanks since Unicode 15."""
    codes = (*range(0x3400), *range(0xA000, 0xAC00), *range(0xD7A4, 0x17000), *range(0x1B000, 0x20000))
    letters = [char for char in map(chr, codes) if OLD_ROOM.match(char)]
    refused = {char for char in letters if not accepted(names.room, names.composed(char))}
    assert refused - {"\U00013441", "\U00013442"} == set(FILLERS)


def old_person(text: str) -> str | None:
    name = " ".join(unicodedata.normalize("NFC", text).split())
    kinds = [unicodedata.category(char) for char in name]
    hidden = any(
        kind in ("Cc", "Cf", "Co", "Cn", "Cs") and char != ZWJ for kind, char in zip(kinds, name, strict=True)
    )
    return None if hidden or not 1 <= len(name) <= 40 else name


@given(st.text(st.sampled_from("aé ßक्ता\u0301ห้👩🚀❤ｱ①") | st.characters(), min_size=1, max_size=12))
def test_a_name_that_was_kept_is_the_same_or_refused_never_another(text: str) -> None:
    name = old_person(text)
    if name is not None and accepted(names.person, name):
        assert names.person(name) == name
