"""The title of the tab."""

from __future__ import annotations

BRAND = "Kizuna"


def page_title(room: str | None, unread: int, trouble: str) -> str:
    """Return the title, with the unread count first, where a narrow tab shows it. ``trouble``: a text, or empty."""
    words = [trouble, f"#{room}" if room else "", BRAND]
    title = " · ".join(word for word in words if word)
    return f"({unread}) {title}" if unread else title
