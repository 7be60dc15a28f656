"""How people are told apart at a glance."""

from __future__ import annotations

from zlib import crc32

HUES = 8  #: colours in static/css/messages.css


def initial(name: str) -> str:
    """The first letter of a name."""
    return name.strip()[:1].upper() or "?"


def hue(user_id: str) -> str:
    """The number of a person's colour: the same everywhere, since it comes from the id."""
    return str(crc32(user_id.encode("utf-8", "surrogatepass")) % HUES)
