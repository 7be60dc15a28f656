"""The initial and the colour of a person."""

from __future__ import annotations

import re
from unicodedata import category, combining
from zlib import crc32

from chat.names import INVISIBLE

HUES = 24  #: colours in static/css/messages.css, 15 degrees apart

_ZWJ, _VIRAMA = "\u200d", 9
_NOTHING_TO_SEE = re.compile(f"[\\s{INVISIBLE}]+")
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
#: Joiners, variation selectors, skin tones, and the letters of some flags.
_GOES_ON = re.compile("[\u200c\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e01ef]")


def initial(name: str) -> str:
    """Return the first visible character of a name, which may be a flag or a joined emoji."""
    name = _NOTHING_TO_SEE.sub("", name, count=1) if _NOTHING_TO_SEE.match(name) else name
    flag = _FLAG.match(name)
    first = flag[0] if flag else _first_cluster(name)
    large = first.title()  # not upper(): Georgian names have no initial capitals
    return (large if len(large) == len(first) else first) or "?"


def _first_cluster(name: str) -> str:
    end = 1
    while end < len(name) and _belongs(name[end - 1], name[end]):
        end += 1
    return name[:end]


def _belongs(before: str, char: str) -> bool:
    """Return whether ``char`` is drawn together with the one before it."""
    joined = before == _ZWJ or (combining(before) == _VIRAMA and category(char)[0] == "L")
    return joined or category(char)[0] == "M" or bool(_GOES_ON.match(char))


def hue(user_id: str) -> str:
    """Return the number of a person's colour, computed from the user id."""
    return str(crc32(user_id.encode("utf-8", "surrogatepass")) % HUES)
