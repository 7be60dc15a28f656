"""The room in the page's address: ``#/general``."""

from __future__ import annotations

from urllib.parse import quote, unquote

from chat.names import composed, trimmed

DEFAULT_ROOM = "general"


def room_of(fragment: str) -> str | None:
    """The room that ``location.hash`` names; the default one when it is empty. Not checked: the session does that.

    None for any other fragment than ``#/...``: links within the page and sign-in services have theirs.
    Composed, because some systems paste names decomposed and the server knows one spelling; trimmed, because links
    are pasted with what stood around them.
    """
    path = fragment.removeprefix("#")
    if path and not path.startswith("/"):
        return None
    name = unquote(path.removeprefix("/").removesuffix("/"), errors="replace")
    return trimmed(composed(name)) or DEFAULT_ROOM


def address_of(room: str) -> str:
    """The ``location.hash`` that names this room."""
    return f"#/{quote(room, safe='', errors='replace')}"


def room_from_input(typed: str) -> str:
    """The room that somebody means who types its name; may be empty."""
    name = trimmed(typed)
    return trimmed(name[1:] if name.startswith(("#", "\uff03")) else name)
