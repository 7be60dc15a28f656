"""The room in the page's address: ``#/general``."""

from __future__ import annotations

from urllib.parse import quote, unquote

from chat.names import composed, trimmed

DEFAULT_ROOM = "general"


def room_of(fragment: str) -> str | None:
    """Return the room in ``location.hash``, unchecked; the default room if it is empty.

    Return None for any other fragment than ``#/...``, such as those of links within the page and sign-in services.
    Composed, since some systems paste decomposed names; trimmed, since links are pasted with spaces around them.
    """
    path = fragment.removeprefix("#")
    if path and not path.startswith("/"):
        return None
    name = unquote(path.removeprefix("/").removesuffix("/"), errors="replace")
    return trimmed(composed(name)) or DEFAULT_ROOM


def address_of(room: str) -> str:
    """Return the ``location.hash`` of this room."""
    return f"#/{quote(room, safe='', errors='replace')}"


def room_from_input(typed: str) -> str:
    """Return the room that was typed into the form, without "#"; may be empty."""
    name = trimmed(typed)
    return trimmed(name[1:] if name.startswith(("#", "\uff03")) else name)
