"""The characters that names of people and rooms may have, with the same result in every Python.

The page and the server run on different Pythons with different versions of Unicode. So no rule here uses a category or
a normal form that a later Unicode may change. Categories are those of Unicode 3.2, which every Python includes. Later
characters count as letters, except in blocks that are known to contain something else.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby
from math import ceil
from unicodedata import normalize, ucd_3_2_0

MAX_PERSON_CHARACTERS = 40
MAX_ROOM_CHARACTERS = 64
#: Marks in a row that a name may have. Burmese and Tibetan need five; more would cover the lines around.
MAX_MARKS = 6

#: For a regular expression's [...]: invisible characters. Control, format and private ones, Default_Ignorable ones, and
#: those with an empty glyph. Some are needed in some places, see below.
INVISIBLE = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff"
    "\U00013430-\U00013442\U00016fe4\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U0010ffff"
)
#: For [...] too: arrows, signs, emoji.
PICTURES = "\u2190-\u2bff\U0001f000-\U0001fbff"

#: What keyboards and pasted text may add around a name.
_EDGES = " \xad\u061c\u200b\u200c\u200e\u200f\u2060\ufeff"
#: Scripts that need joiners: from Arabic to Burmese, Khmer and Mongolian, and their later blocks.
_JOINING = "\u0600-\u109f\u1780-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff\U0001e900-\U0001e95f"
_VIRAMAS = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca"
_IDEOGRAPHS = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MONGOLIAN = "\u1820-\u18aa"

_JOINERS_IN_WORDS = (
    rf"(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])"
    rf"|(?<=[{_VIRAMAS}])[\u200c\u200d]"
    rf"|(?<=[{_MONGOLIAN}])[\u180b-\u180d]"
)
_JOINERS_IN_PICTURES = (
    rf"(?<=[{PICTURES}\ufe0f])\u200d(?=[{PICTURES}])"
    rf"|(?<=[{PICTURES}\xa9\xae\u203c\u2049\u2122\u2139\u3030\u303d\u3297\u3299])[\ufe0e\ufe0f]"
    r"|(?<=[#*0-9])\ufe0f(?=\u20e3)"
    r"|(?<=\U0001f3f4)[\U000e0020-\U000e007e]+\U000e007f"  # the flags of England, Scotland, Wales
    rf"|(?<=[{_IDEOGRAPHS}])[\ufe00-\ufe0f\U000e0100-\U000e01ef]"  # which form of a kanji
)
_ALLOWED_IN_ROOMS = re.compile(_JOINERS_IN_WORDS)
_ALLOWED_IN_PEOPLE = re.compile(f"{_JOINERS_IN_WORDS}|{_JOINERS_IN_PICTURES}")

_PLAIN_ROOM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
#: Joiners, and letters that Unicode 3.2 called signs.
_ALSO_IN_WORDS = (
    "\u200c\u200d\u02b9\u02ba\u02c6\u02c7\u02c8\u02c9\u02ca\u02cb\u02cc\u02cd\u02ce\u02cf\u02ec\u2132"
)
#: Blocks to which later versions of Unicode add marks, and signs.
_LATER_MARK = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
_LATER_SIGN = re.compile(
    "[\u2190-\u245f\u2500-\u2775\u2794-\u2bff\U0001f000-\U0001f0ff\U0001f10d-\U0001fbef]"
)


class InvalidName(ValueError):
    """A name that cannot be used. ``reason`` and ``params`` as in protocol.InvalidField."""

    def __init__(self, problem: str, reason: str, **params: int) -> None:
        super().__init__(problem)
        self.reason = reason
        self.params = params


def composed(text: str) -> str:
    """Return ``text`` in normal form C, as far as all Pythons agree on it."""
    if text.isascii():
        return text
    runs = groupby(text, lambda char: ucd_3_2_0.category(char) == "Cn")
    return "".join("".join(run) if later else normalize("NFC", "".join(run)) for later, run in runs)


def trimmed(text: str) -> str:
    """Return ``text`` on one line, without spaces and invisible characters around it."""
    return " ".join(text.split()).strip(_EDGES)


def person(text: str) -> str:
    """Return the display name for an entered text. Raises InvalidName."""
    # Composed first: that can make a name longer, and the shown name is measured.
    name = trimmed(composed(text))
    if len(name) > MAX_PERSON_CHARACTERS:
        raise InvalidName(
            f"must have 1 to {MAX_PERSON_CHARACTERS} characters", "too_long", limit=MAX_PERSON_CHARACTERS
        )
    if _INVISIBLE.search(_ALLOWED_IN_PEOPLE.sub("", name)):
        raise InvalidName("must not contain control or invisible characters", "invisible")
    if all(char.isspace() or _is_mark(char) for char in name):
        raise InvalidName("must contain a visible character", "blank")
    _check_marks(name)
    return name


def room(name: str) -> str:
    """Return the name, if a room can have it. Raises InvalidName."""
    if not 1 <= len(name) <= MAX_ROOM_CHARACTERS:
        raise _no_room()
    return name if _PLAIN_ROOM.match(name) else _room_of_any_script(name)


@lru_cache(maxsize=1024)  # every frame names its room
def _room_of_any_script(name: str) -> str:
    if _INVISIBLE.search(_ALLOWED_IN_ROOMS.sub("", name)):
        raise InvalidName("must not contain control or invisible characters", "invisible")
    if name[0] in "-." or _is_mark(name[0]) or not all(map(_is_in_words, name)):
        raise _no_room()
    _check_marks(name)
    if composed(name) != name:
        raise InvalidName("must be in Unicode normal form C", "room", limit=MAX_ROOM_CHARACTERS)
    return name


def _no_room() -> InvalidName:
    problem = f"must be 1 to {MAX_ROOM_CHARACTERS} letters, digits, '_', '-' or '.', beginning with a letter or digit"
    return InvalidName(problem, "room", limit=MAX_ROOM_CHARACTERS)


def _check_marks(name: str) -> None:
    marks = 0
    for char in name:
        marks = marks + 1 if _is_mark(char) else 0
        if marks > MAX_MARKS:
            raise InvalidName(f"must not have more than {MAX_MARKS} marks in a row", "marks")


def _is_mark(char: str) -> bool:
    """Return whether a character is drawn on, under or around the letter before it."""
    return ucd_3_2_0.category(char)[0] == "M" or bool(_LATER_MARK.match(char))


def _is_in_words(char: str) -> bool:
    """Return whether a character is a letter, digit, mark or joiner of any script, ``_``, ``-`` or ``.``."""
    if char.isascii():
        return char.isalnum() or char in "_-."
    category = ucd_3_2_0.category(char)
    if category == "Cn":
        return not _LATER_SIGN.match(char)
    return category[0] in "LMN" or char in _ALSO_IN_WORDS


def characters_over(text: str, size: int, max_bytes: int) -> int:
    """Return by about how many characters ``text``, of ``size`` bytes, is too long; negative: how many are left. Three
    digits count, since characters have one to four bytes."""
    exact = (size - max_bytes) * len(text) / size
    digit: int = 10 ** max(0, len(str(abs(int(exact)))) - 3)
    return ceil(exact / digit) * digit
