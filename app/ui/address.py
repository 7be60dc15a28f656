"""The room in the page's address: ``#/general``."""

from __future__ import annotations

from urllib.parse import unquote

DEFAULT_ROOM = "general"


def room_of(fragment: str) -> str:
    """The room that ``location.hash`` names; the default one when it names none. Not checked: the session does that."""
    return (
        unquote(fragment.removeprefix("#").removeprefix("/").removesuffix("/"), errors="replace")
        or DEFAULT_ROOM
    )
