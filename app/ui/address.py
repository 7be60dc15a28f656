"""The room in the page's address: ``#/general``."""

from __future__ import annotations

from unicodedata import normalize
from urllib.parse import unquote

DEFAULT_ROOM = "general"


def room_of(fragment: str) -> str:
    """The room that ``location.hash`` names; the default one when it names none. Not checked: the session does that.

    Composed, because some systems paste names decomposed and the server knows one spelling.
    """
    name = unquote(fragment.removeprefix("#").removeprefix("/").removesuffix("/"), errors="replace")
    return normalize("NFC", name) or DEFAULT_ROOM
